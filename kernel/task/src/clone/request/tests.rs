//! Which flags of clone(2) go together.

use super::*;

fn check(flags: CloneFlags) -> Result<(), Errno> {
    let request = CloneRequest {
        flags,
        ..CloneRequest::FORK
    };
    request.check(&Credentials::root())
}

#[test]
fn what_c_libraries_ask_for_is_accepted() {
    let threads = CloneFlags::VM
        | CloneFlags::FS
        | CloneFlags::FILES
        | CloneFlags::SIGHAND
        | CloneFlags::THREAD
        | CloneFlags::SYSVSEM
        | CloneFlags::SETTLS
        | CloneFlags::PARENT_SETTID
        | CloneFlags::CHILD_CLEARTID;
    let fork = CloneFlags::CHILD_CLEARTID | CloneFlags::CHILD_SETTID;
    let spawn = CloneFlags::VM | CloneFlags::VFORK | CloneFlags::CLEAR_SIGHAND;
    for flags in [
        threads,
        threads | CloneFlags::DETACHED,
        fork,
        spawn,
        CloneFlags::empty(),
    ] {
        assert_eq!(check(flags), Ok(()), "{flags:?}");
    }
}

#[test]
fn senseless_combinations_are_refused() {
    let sharing = CloneFlags::VM | CloneFlags::SIGHAND;
    for flags in [
        CloneFlags::THREAD,
        CloneFlags::THREAD | CloneFlags::VM,
        CloneFlags::SIGHAND,
        sharing | CloneFlags::CLEAR_SIGHAND,
        CloneFlags::NEWPID,
        CloneFlags::NEWNS | CloneFlags::FS,
        CloneFlags::PIDFD | CloneFlags::DETACHED,
        CloneFlags::PIDFD | CloneFlags::PARENT_SETTID,
    ] {
        assert_eq!(check(flags), Err(Errno::EINVAL), "{flags:?}");
    }
    let user = Credentials::user(1, 1);
    let namespace = CloneRequest {
        flags: CloneFlags::NEWPID,
        ..CloneRequest::FORK
    };
    assert_eq!(namespace.check(&user), Err(Errno::EPERM));
}
