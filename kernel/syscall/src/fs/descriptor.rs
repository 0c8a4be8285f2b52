//! Descriptors: closing, duplicating, flags, pipes, ioctl.

use los_abi::errno::Errno;
use los_abi::fs::{
    CloseRangeFlags, F_ADD_SEALS, F_DUPFD, F_DUPFD_CLOEXEC, F_DUPFD_QUERY, F_GET_SEALS, F_GETFD, F_GETFL,
    F_GETOWN, F_GETOWN_EX, F_GETOWNER_UIDS, F_GETPIPE_SZ, F_GETSIG, F_NOTIFY, F_SETFD, F_SETFL, F_SETOWN,
    F_SETOWN_EX, F_SETPIPE_SZ, F_SETSIG, FD_CLOEXEC, OpenFlags, SealFlags,
};
use los_abi::isa::IsaAbi;
use los_abi::resource::RLIMIT_NOFILE;
use los_abi::syscall::{Fd, UserPtr};
use los_abi::tty::{FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX};
use sync::Result;
use task::Context;
use task::fd_table::OnExec;
use vfs::OpenFile;

use super::owner;

fn limit(ctx: &Context<'_>) -> u64 {
    ctx.process.limits().soft(RLIMIT_NOFILE)
}

pub(crate) fn close(ctx: &Context<'_>, fd: Fd) -> Result<usize> {
    drop(ctx.files().remove(fd)?);
    Ok(0)
}

pub(crate) fn close_range(ctx: &Context<'_>, first: u32, last: u32, flags: CloseRangeFlags) -> Result<usize> {
    if !CloseRangeFlags::all().contains(flags) || first > last {
        return Err(Errno::EINVAL.into());
    }
    if flags.contains(CloseRangeFlags::UNSHARE) {
        ctx.thread.set_files(ctx.files().copy()?);
    }
    let files = ctx.thread.files().ok_or(Errno::EBADF)?;
    if flags.contains(CloseRangeFlags::CLOEXEC) {
        files.set_range_close_on_exec(first..=last);
    } else {
        files.remove_range(first..=last);
    }
    Ok(0)
}

pub(crate) fn dup(ctx: &Context<'_>, fd: Fd) -> Result<usize> {
    duplicate(ctx, fd, 0, OnExec::Keep)
}

fn duplicate(ctx: &Context<'_>, fd: Fd, minimum: usize, on_exec: OnExec) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    Ok(ctx.files().insert(file, minimum, on_exec, limit(ctx))?.0 as usize)
}

pub(crate) fn dup2(ctx: &Context<'_>, old: Fd, new: Fd) -> Result<usize> {
    let file = ctx.files().get(old)?;
    if old != new {
        let replaced = ctx.files().replace(new, file, OnExec::Keep, limit(ctx))?;
        drop(replaced);
    }
    Ok(new.0 as usize)
}

pub(crate) fn dup3(ctx: &Context<'_>, old: Fd, new: Fd, flags: u32) -> Result<usize> {
    let flags = OpenFlags::from_raw(task::Abi::ISA, flags);
    if !OpenFlags::CLOEXEC.contains(flags) || old == new {
        return Err(Errno::EINVAL.into());
    }
    let file = ctx.files().get(old)?;
    let on_exec = OnExec::from_cloexec(flags.contains(OpenFlags::CLOEXEC));
    let replaced = ctx.files().replace(new, file, on_exec, limit(ctx))?;
    drop(replaced);
    Ok(new.0 as usize)
}

pub(crate) fn pipe(ctx: &Context<'_>, fds: UserPtr<[i32; 2]>) -> Result<usize> {
    pipe2(ctx, fds, 0)
}

pub(crate) fn pipe2(ctx: &Context<'_>, fds: UserPtr<[i32; 2]>, flags: u32) -> Result<usize> {
    let flags = OpenFlags::from_raw(task::Abi::ISA, flags);
    let known = OpenFlags::CLOEXEC | OpenFlags::NONBLOCK | OpenFlags::DIRECT;
    if !known.contains(flags) {
        return Err(Errno::EINVAL.into());
    }
    let on_exec = OnExec::from_cloexec(flags.contains(OpenFlags::CLOEXEC));
    let flags = flags & (OpenFlags::NONBLOCK | OpenFlags::DIRECT);
    let (reader, writer) = vfs::pipe::create(flags, ctx.credentials())?;
    let first = ctx.files().insert(reader, 0, on_exec, limit(ctx))?;
    let second = match ctx.files().insert(writer, 0, on_exec, limit(ctx)) {
        Ok(second) => second,
        Err(errno) => {
            drop(ctx.files().remove(first));
            return Err(errno.into());
        }
    };
    if let Err(errno) = ctx.memory().write(fds, &[first.0, second.0]) {
        drop((ctx.files().remove(first), ctx.files().remove(second)));
        return Err(errno.into());
    }
    Ok(0)
}

pub(crate) fn fcntl(ctx: &Context<'_>, fd: Fd, command: u32, argument: u64) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    match command {
        F_DUPFD => duplicate(ctx, fd, minimum_argument(ctx, argument)?, OnExec::Keep),
        F_DUPFD_CLOEXEC => duplicate(ctx, fd, minimum_argument(ctx, argument)?, OnExec::Close),
        F_GETFD => Ok(usize::from(ctx.files().on_exec(fd)? == OnExec::Close)),
        F_SETFD => {
            let closes = argument & u64::from(FD_CLOEXEC) != 0;
            ctx.files().set_on_exec(fd, OnExec::from_cloexec(closes))?;
            Ok(0)
        }
        F_GETFL => Ok((file.flags() | OpenFlags::LARGEFILE).to_raw(task::Abi::ISA) as usize),
        F_SETFL => {
            file.ops()?;
            let flags = OpenFlags::from_raw(task::Abi::ISA, argument as u32);
            match owner::set_asynchronous(ctx, fd, &file, flags.contains(OpenFlags::ASYNC)) {
                // What has no signals ignores the flag.
                Ok(()) | Err(Errno::ENOTTY) => {}
                Err(errno) => return Err(errno.into()),
            }
            file.set_flags(flags);
            Ok(0)
        }
        F_SETOWN | F_GETOWN | F_SETOWN_EX | F_GETOWN_EX | F_GETOWNER_UIDS | F_SETSIG | F_GETSIG => {
            file.ops()?;
            owner::fcntl(ctx, &file, command, argument)
        }
        F_NOTIFY => owner::watch_directory(ctx, fd, &file, argument as u32),
        F_GETPIPE_SZ => Ok(pipe_of(&file)?.capacity()),
        F_SETPIPE_SZ => Ok(pipe_of(&file)?.set_capacity(argument as u32 as usize, ctx.credentials())?),
        F_ADD_SEALS => {
            file.add_seals(SealFlags::from_bits_retain(argument as u32))?;
            Ok(0)
        }
        F_GET_SEALS => {
            file.ops()?;
            Ok(file.inode().seals().ok_or(Errno::EINVAL)?.bits() as usize)
        }
        F_DUPFD_QUERY => {
            let other = ctx.files().get(Fd(argument as i32))?;
            Ok(usize::from(core::ptr::eq(&raw const *file, &raw const *other)))
        }
        _ => {
            file.ops()?;
            super::lock::fcntl(ctx, fd, &file, command, argument)
        }
    }
}

fn pipe_of(file: &OpenFile) -> Result<&vfs::pipe::Pipe> {
    Ok(vfs::pipe::of(&**file.ops()?).ok_or(Errno::EBADF)?)
}

fn minimum_argument(ctx: &Context<'_>, argument: u64) -> Result<usize> {
    let minimum = argument as u32;
    if u64::from(minimum) >= limit(ctx) {
        return Err(Errno::EINVAL.into());
    }
    Ok(minimum as usize)
}

pub(crate) fn ioctl(ctx: &Context<'_>, fd: Fd, request: u32, argument: u64) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    file.ops()?;
    match request {
        FIOCLEX => ctx.files().set_on_exec(fd, OnExec::Close)?,
        FIONCLEX => ctx.files().set_on_exec(fd, OnExec::Keep)?,
        FIONBIO => file.set_nonblocking(is_on(ctx, argument)?),
        FIOASYNC => owner::set_asynchronous(ctx, fd, &file, is_on(ctx, argument)?)?,
        _ => return file.ioctl(ctx.memory(), ctx.credentials(), request, argument),
    }
    Ok(0)
}

fn is_on(ctx: &Context<'_>, argument: u64) -> Result<bool> {
    let value: i32 = ctx.memory().read(UserPtr::new(argument))?;
    Ok(value != 0)
}
