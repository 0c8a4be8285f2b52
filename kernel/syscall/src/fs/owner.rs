//! Signals about files: the commands of fcntl(2) about owners, O_ASYNC and FIOASYNC.

use alloc::sync::Arc;
use core::any::Any;

use los_abi::errno::Errno;
use los_abi::fs::{
    DN_MULTISHOT, F_GETOWN, F_GETOWN_EX, F_GETOWNER_UIDS, F_GETSIG, F_SETOWN, F_SETOWN_EX, F_SETSIG, FOwnerEx,
};
use los_abi::signal::Signal;
use los_abi::syscall::{Fd, UserPtr};
use sync::Result;
use task::Context;
use task::signal::io;
use tty::TerminalFile;
use vfs::OpenFile;
use vfs::notify::signals;

/// Carries out a command about the owner.
pub(super) fn fcntl(ctx: &Context<'_>, file: &OpenFile, command: u32, argument: u64) -> Result<usize> {
    match command {
        F_SETOWN => io::set_owner(ctx, file, argument as i32)?,
        F_GETOWN => return Ok(io::owner(file) as isize as usize),
        F_SETOWN_EX => {
            let owner: FOwnerEx = ctx.memory().read(UserPtr::new(argument))?;
            io::set_owner_by_kind(ctx, file, &owner)?;
        }
        F_GETOWN_EX => ctx
            .memory()
            .write(UserPtr::new(argument), &io::owner_by_kind(file))?,
        F_GETOWNER_UIDS => {
            let (uid, euid) = file.owner().users();
            ctx.memory().write(UserPtr::new(argument), &[uid, euid])?;
        }
        F_SETSIG => {
            let number = u32::try_from(argument).map_err(|_| Errno::EINVAL)?;
            if number != 0 {
                Signal::new(number).ok_or(Errno::EINVAL)?;
            }
            file.owner().set_signal(number);
        }
        F_GETSIG => return Ok(file.owner().signal() as usize),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// Makes a file tell its owner by signals, or not. A terminal's news go to its foreground group unless there is
/// an owner.
///
/// # Errors
/// ENOTTY for a file without signals; ENOMEM; EBADF for O_PATH.
pub(super) fn set_asynchronous(
    ctx: &Context<'_>,
    fd: Fd,
    file: &Arc<OpenFile>,
    is_asynchronous: bool,
) -> core::result::Result<(), Errno> {
    let has_changed = file.set_asynchronous(fd.0, is_asynchronous)?;
    let ops: &dyn Any = &**file.ops()?;
    if let Some(terminal) = ops.downcast_ref::<TerminalFile>()
        && has_changed
        && is_asynchronous
    {
        io::own_terminal(ctx, file, terminal.terminal());
    }
    Ok(())
}

/// Has the owner of a directory told by signals what happens in it, or not any more.
///
/// # Errors
/// ENOTDIR; ENOMEM; EBADF for O_PATH.
pub(super) fn watch_directory(ctx: &Context<'_>, fd: Fd, file: &Arc<OpenFile>, events: u32) -> Result<usize> {
    file.ops()?;
    let table = ctx.files().lock_owner();
    if events & !DN_MULTISHOT == 0 {
        signals::forget(file, table);
        return Ok(0);
    }
    signals::watch(file, table, fd.0, events)?;
    // Whoever has closed the descriptor meanwhile found no watch to end.
    let is_open = ctx.files().get(fd).is_ok_and(|now| Arc::ptr_eq(&now, file));
    if !is_open {
        signals::forget(file, table);
        return Ok(0);
    }
    if file.owner().receiver().is_none() {
        io::set_owner(ctx, file, ctx.process.pid() as i32)?;
    }
    Ok(0)
}
