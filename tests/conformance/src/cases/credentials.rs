//! Who a process is: ids, and the personality. Each case runs as root in a process of its own.

use alloc::string::String;
use alloc::vec::Vec;

use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::prctl::{PR_GET_DUMPABLE, PR_GET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_PDEATHSIG};
use los_abi::syscall::Sysno;
use los_abi::system::Utsname;
use rt::fs;

use crate::cases::ended;
use crate::harness::{Failure, Outcome, in_child, spawn_sleeper, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    personality_is_kept_over_fork,
    uname_of_old_versions,
    setresuid_of_root_and_of_users,
    setresgid_of_users,
    setreuid_moves_the_saved_id,
    setregid_moves_the_saved_id,
    setuid_of_root_is_for_good,
    setfsuid_tells_the_old_one,
    ids_of_files_are_the_fs_ids,
    groups_open_files,
    change_of_user_makes_undumpable,
    signals_need_the_same_user,
    limits_of_others_need_the_same_user,
];

const QUERY: u64 = Personality::QUERY as u64;

fn personality_is_kept_over_fork() -> Outcome {
    let flags = u64::from(Personality::ADDR_NO_RANDOMIZE.bits());
    let old = call(Sysno::personality, &[QUERY])?;
    ensure_eq!(call(Sysno::personality, &[old | flags]), Ok(old));
    ensure_eq!(call(Sysno::personality, &[QUERY]), Ok(old | flags));
    let status = in_child(|| i32::from(call(Sysno::personality, &[QUERY]) != Ok(old | flags)))?;
    ensure_eq!(ended(status), 0);
    // A domain that nobody knows is kept like any other.
    ensure_eq!(call(Sysno::personality, &[0xee]), Ok(old | flags));
    ensure_eq!(call(Sysno::personality, &[old]), Ok(0xee));
    Ok(())
}

fn uname_of_old_versions() -> Outcome {
    call(Sysno::personality, &[u64::from(Personality::UNAME26.bits())])?;
    let mut names = Utsname::default();
    call(Sysno::uname, &[addr_mut(&mut names)])?;
    ensure!(names.release.starts_with(b"2.6."));
    ensure_eq!(call(Sysno::uname, &[8]).err(), Some(Errno::EFAULT));
    Ok(())
}

const KEEP: u64 = u32::MAX as u64;
const USER: u64 = 1234;
const OTHER: u64 = 1235;

fn ids(get: Sysno) -> Result<[u64; 3], Errno> {
    let mut ids = [0_u32; 3];
    let [real, effective, saved] = &mut ids;
    call(get, &[addr_mut(real), addr_mut(effective), addr_mut(saved)])?;
    Ok(ids.map(u64::from))
}

/// Returns what /proc says of the four ids of a kind (`Uid` or `Gid`).
fn four_ids(kind: &str) -> Result<Vec<u64>, Failure> {
    let status = fs::read(b"/proc/self/status")?;
    let text = String::from_utf8_lossy(&status).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(kind));
    let numbers = line.and_then(|line| line.strip_prefix(':')).unwrap_or("");
    Ok(numbers
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect())
}

fn setresuid_of_root_and_of_users() -> Outcome {
    call(Sysno::setresuid, &[USER, KEEP, 77])?;
    ensure_eq!(ids(Sysno::getresuid), Ok([USER, 0, 77]));
    call(Sysno::setresuid, &[KEEP, OTHER, KEEP])?;
    ensure_eq!(ids(Sysno::getresuid), Ok([USER, OTHER, 77]));
    ensure_eq!(four_ids("Uid")?, [USER, OTHER, 77, OTHER]);
    // Of the three, all orders are allowed, and nothing else.
    for wrong in [[0, KEEP, KEEP], [KEEP, 0, KEEP], [KEEP, KEEP, 0], [77, USER, 5]] {
        ensure_eq!(call(Sysno::setresuid, &wrong).err(), Some(Errno::EPERM));
    }
    call(Sysno::setresuid, &[OTHER, 77, USER])?;
    ensure_eq!(ids(Sysno::getresuid), Ok([OTHER, 77, USER]));
    ensure_eq!(call(Sysno::getresuid, &[8, 8, 8]).err(), Some(Errno::EFAULT));
    Ok(())
}

fn setresgid_of_users() -> Outcome {
    call(Sysno::setresgid, &[USER, OTHER, 77])?;
    ensure_eq!(ids(Sysno::getresgid), Ok([USER, OTHER, 77]));
    ensure_eq!(four_ids("Gid")?, [USER, OTHER, 77, OTHER]);
    call(Sysno::setresgid, &[1, KEEP, KEEP])?;
    call(Sysno::setresuid, &[USER, USER, USER])?;
    ensure_eq!(call(Sysno::setresgid, &[2, KEEP, KEEP]).err(), Some(Errno::EPERM));
    ensure_eq!(
        call(Sysno::setresgid, &[KEEP, KEEP, USER]).err(),
        Some(Errno::EPERM)
    );
    call(Sysno::setresgid, &[77, 1, OTHER])?;
    ensure_eq!(ids(Sysno::getresgid), Ok([77, 1, OTHER]));
    Ok(())
}

fn setreuid_moves_the_saved_id() -> Outcome {
    call(Sysno::setreuid, &[KEEP, USER])?;
    ensure_eq!(ids(Sysno::getresuid), Ok([0, USER, USER]));
    // Back to the real one, and the saved one stays.
    call(Sysno::setreuid, &[KEEP, 0])?;
    ensure_eq!(ids(Sysno::getresuid), Ok([0, 0, USER]));
    call(Sysno::setreuid, &[USER, OTHER])?;
    ensure_eq!(ids(Sysno::getresuid), Ok([USER, OTHER, OTHER]));
    // Without privilege the real one may become the effective one and not the saved one.
    call(Sysno::setreuid, &[OTHER, USER])?;
    ensure_eq!(ids(Sysno::getresuid), Ok([OTHER, USER, USER]));
    ensure_eq!(call(Sysno::setreuid, &[0, KEEP]).err(), Some(Errno::EPERM));
    ensure_eq!(call(Sysno::setreuid, &[KEEP, 0]).err(), Some(Errno::EPERM));
    Ok(())
}

fn setregid_moves_the_saved_id() -> Outcome {
    call(Sysno::setregid, &[USER, OTHER])?;
    ensure_eq!(ids(Sysno::getresgid), Ok([USER, OTHER, OTHER]));
    call(Sysno::setuid, &[USER])?;
    call(Sysno::setregid, &[OTHER, USER])?;
    ensure_eq!(ids(Sysno::getresgid), Ok([OTHER, USER, USER]));
    ensure_eq!(call(Sysno::setregid, &[0, KEEP]).err(), Some(Errno::EPERM));
    ensure_eq!(call(Sysno::setregid, &[KEEP, 0]).err(), Some(Errno::EPERM));
    Ok(())
}

fn setuid_of_root_is_for_good() -> Outcome {
    ensure_eq!(call(Sysno::setuid, &[KEEP]).err(), Some(Errno::EINVAL));
    ensure_eq!(call(Sysno::setgid, &[KEEP]).err(), Some(Errno::EINVAL));
    call(Sysno::setgid, &[USER])?;
    call(Sysno::setuid, &[USER])?;
    ensure_eq!(ids(Sysno::getresuid), Ok([USER; 3]));
    ensure_eq!(ids(Sysno::getresgid), Ok([USER; 3]));
    ensure_eq!(call(Sysno::setuid, &[0]).err(), Some(Errno::EPERM));
    ensure_eq!(call(Sysno::setgid, &[0]).err(), Some(Errno::EPERM));
    ensure_eq!(call(Sysno::setgroups, &[0, 0]).err(), Some(Errno::EPERM));
    call(Sysno::setuid, &[USER])?;
    Ok(())
}

fn setfsuid_tells_the_old_one() -> Outcome {
    ensure_eq!(call(Sysno::setfsuid, &[USER]), Ok(0));
    ensure_eq!(call(Sysno::setfsuid, &[KEEP]), Ok(USER));
    ensure_eq!(four_ids("Uid")?, [0, 0, 0, USER]);
    ensure_eq!(call(Sysno::setfsgid, &[USER]), Ok(0));
    ensure_eq!(call(Sysno::setfsgid, &[OTHER]), Ok(USER));
    ensure_eq!(four_ids("Gid")?, [0, 0, 0, OTHER]);
    // Every other change takes it along.
    call(Sysno::setresuid, &[USER, OTHER, USER])?;
    ensure_eq!(call(Sysno::setfsuid, &[USER]), Ok(OTHER));
    ensure_eq!(call(Sysno::setfsuid, &[0]), Ok(USER));
    ensure_eq!(call(Sysno::setfsuid, &[KEEP]), Ok(USER));
    Ok(())
}

fn write_file(path: &[u8], mode: u32, bytes: &[u8]) -> Outcome {
    let mut file = fs::File::create(path, mode)?;
    file.write_all(bytes)?;
    Ok(())
}

fn ids_of_files_are_the_fs_ids() -> Outcome {
    write_file(b"secret", 0o600, b"x")?;
    fs::set_permissions(b".", 0o777)?;
    call(Sysno::setfsuid, &[USER])?;
    ensure_eq!(fs::read(b"secret").err(), Some(Errno::EACCES));
    write_file(b"own", 0o600, b"y")?;
    call(Sysno::setfsuid, &[0])?;
    ensure_eq!(u64::from(fs::File::open(b"own")?.metadata()?.owner().0), USER);
    ensure_eq!(fs::read(b"secret")?, b"x");
    Ok(())
}

fn groups_open_files() -> Outcome {
    write_file(b"shared", 0o640, b"x")?;
    fs::set_owner(b"shared", 0, 50)?;
    fs::set_permissions(b".", 0o755)?;
    let groups = [90_u32, 50, 70];
    call(Sysno::setgroups, &[3, addr(&groups)])?;
    let mut read = [0_u32; 3];
    ensure_eq!(call(Sysno::getgroups, &[0, 0]), Ok(3));
    ensure_eq!(call(Sysno::getgroups, &[3, addr_mut(&mut read)]), Ok(3));
    ensure_eq!(read, [50, 70, 90]);
    ensure_eq!(
        call(Sysno::getgroups, &[2, addr_mut(&mut read)]).err(),
        Some(Errno::EINVAL)
    );
    let too_many = 65_537;
    ensure_eq!(
        call(Sysno::setgroups, &[too_many, addr(&groups)]).err(),
        Some(Errno::EINVAL)
    );
    call(Sysno::setuid, &[USER])?;
    ensure_eq!(fs::read(b"shared")?, b"x");
    ensure_eq!(
        fs::File::open_with(b"shared", los_abi::fs::OpenFlags::WRONLY, 0).err(),
        Some(Errno::EACCES)
    );
    Ok(())
}

fn dumpable() -> Result<u64, Errno> {
    call(Sysno::prctl, &[PR_GET_DUMPABLE as u64])
}

fn change_of_user_makes_undumpable() -> Outcome {
    let mut signal = 0_i32;
    call(Sysno::prctl, &[PR_SET_PDEATHSIG as u64, 9])?;
    ensure_eq!(dumpable(), Ok(1));
    // The real user says nothing about rights.
    call(Sysno::setresuid, &[USER, KEEP, KEEP])?;
    ensure_eq!(dumpable(), Ok(1));
    call(Sysno::setresuid, &[KEEP, USER, KEEP])?;
    ensure_eq!(dumpable(), Ok(0));
    call(Sysno::prctl, &[PR_GET_PDEATHSIG as u64, addr_mut(&mut signal)])?;
    ensure_eq!(signal, 0);
    let status = in_child(|| i32::from(dumpable() != Ok(0)))?;
    ensure_eq!(ended(status), 0);
    call(Sysno::prctl, &[PR_SET_DUMPABLE as u64, 1])?;
    ensure_eq!(dumpable(), Ok(1));
    ensure_eq!(
        call(Sysno::prctl, &[PR_SET_DUMPABLE as u64, 2]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(
        call(Sysno::prctl, &[PR_SET_PDEATHSIG as u64, 65]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn signals_need_the_same_user() -> Outcome {
    let root = spawn_sleeper(|| {})?;
    let root_pid = root as u64;
    let status = in_child(|| {
        let _ = call(Sysno::setresuid, &[USER, USER, USER]);
        let other = call(Sysno::kill, &[root_pid, 0]).err() == Some(Errno::EPERM);
        let own = call(Sysno::kill, &[rt::process::id() as u64, 0]).is_ok();
        i32::from(!other || !own)
    })?;
    rt::process::kill(root, los_abi::signal::SIGKILL)?;
    let _ = wait_for(root)?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn limits_of_others_need_the_same_user() -> Outcome {
    let parent = rt::process::id() as u64;
    let status = in_child(|| {
        let mut limit = [0_u64; 2];
        let mut get = |pid| call(Sysno::prlimit64, &[pid, 7, 0, addr_mut(&mut limit)]);
        let as_root = get(parent).is_ok();
        let _ = call(Sysno::setresuid, &[USER, USER, USER]);
        let as_user = get(parent).err() == Some(Errno::EPERM) && get(0).is_ok();
        i32::from(!as_root || !as_user)
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}
