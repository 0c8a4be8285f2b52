//! Opening files.

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::isa::IsaAbi;
use los_abi::resource::RLIMIT_NOFILE;
use los_abi::syscall::{Fd, UserCStr};
use sync::Result;
use task::Context;
use task::fd_table::OnExec;

use super::{path_argument, start};

pub(crate) fn openat(ctx: &Context<'_>, dirfd: Fd, path: UserCStr, flags: u32, mode: u32) -> Result<usize> {
    let flags = OpenFlags::from_raw(task::Abi::ISA, flags);
    let path = path_argument(ctx, path)?;
    if flags.contains(OpenFlags::TMPFILE) && !flags.contains(OpenFlags::DIRECTORY) {
        return Err(Errno::EINVAL.into());
    }
    let at = start(ctx, dirfd, &path)?;
    let file = vfs::ops::open(&ctx.caller(), at, &path, flags, (mode & 0o7777) as u16)?;
    let on_exec = OnExec::from_cloexec(flags.contains(OpenFlags::CLOEXEC));
    let limit = ctx.process.limits().soft(RLIMIT_NOFILE);
    Ok(ctx.files().insert(file, 0, on_exec, limit)?.0 as usize)
}

pub(crate) fn open(ctx: &Context<'_>, path: UserCStr, flags: u32, mode: u32) -> Result<usize> {
    openat(ctx, Fd::CWD, path, flags, mode)
}

pub(crate) fn creat(ctx: &Context<'_>, path: UserCStr, mode: u32) -> Result<usize> {
    let flags = OpenFlags::CREAT | OpenFlags::WRONLY | OpenFlags::TRUNC;
    openat(ctx, Fd::CWD, path, flags.to_raw(task::Abi::ISA), mode)
}
