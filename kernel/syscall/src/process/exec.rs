//! execve(2) and execveat(2).

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{AtFlags, PATH_MAX};
use los_abi::resource::RLIMIT_STACK;
use los_abi::syscall::{Fd, UserCStr, UserPtr};
use sync::Result;
use task::Context;
use task::exec::{self, Budget, ExecRequest, StringList};
use task::fd_table::OnExec;
use vfs::{At, Lookup};

pub(crate) fn execve(
    ctx: &Context<'_>,
    path: UserCStr,
    argv: UserPtr<UserCStr>,
    envp: UserPtr<UserCStr>,
) -> Result<usize> {
    execveat(ctx, Fd::CWD, path, argv, envp, AtFlags::empty())
}

pub(crate) fn execveat(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    argv: UserPtr<UserCStr>,
    envp: UserPtr<UserCStr>,
    flags: AtFlags,
) -> Result<usize> {
    let path = ctx.memory().read_c_string(path, PATH_MAX)?;
    if path.is_empty() && !flags.contains(AtFlags::EMPTY_PATH) {
        return Err(Errno::ENOENT.into());
    }
    if !(AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW).contains(flags) {
        return Err(Errno::EINVAL.into());
    }
    let mut lookup = Lookup::FOLLOW;
    lookup.set(Lookup::FOLLOW, !flags.contains(AtFlags::SYMLINK_NOFOLLOW));
    lookup.set(Lookup::EMPTY_PATH, flags.contains(AtFlags::EMPTY_PATH));
    let by_descriptor = dirfd != Fd::CWD && !path.starts_with(b"/");
    let at = match by_descriptor {
        true => At::File(ctx.files().get(dirfd)?),
        false => At::Cwd,
    };
    let file = exec::open(&ctx.caller(), at, &path, lookup)?;
    let mut budget = Budget::new(ctx.process.limits().soft(RLIMIT_STACK));
    let request = ExecRequest {
        file,
        path: if by_descriptor {
            descriptor_name(dirfd, &path)?
        } else {
            path
        },
        is_unreachable: by_descriptor && ctx.files().on_exec(dirfd) == Ok(OnExec::Close),
        arguments: StringList::from_user(ctx.memory(), argv, &mut budget)?,
        environment: StringList::from_user(ctx.memory(), envp, &mut budget)?,
        budget,
    };
    exec::execve(ctx, request)
}

/// Returns the name under which a program finds what a descriptor and a path lead to.
fn descriptor_name(dirfd: Fd, path: &[u8]) -> Result<Vec<u8>> {
    let mut name = alloc::format!("/dev/fd/{}", dirfd.0).into_bytes();
    name.try_reserve(path.len() + 1).map_err(|_| Errno::ENOMEM)?;
    if !path.is_empty() {
        name.push(b'/');
        name.extend_from_slice(path);
    }
    Ok(name)
}
