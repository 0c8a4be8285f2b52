//! Signals.

use hal::trap::TrapFrame as _;
use los_abi::errno::Errno;
use los_abi::signal::{
    SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGSET_SIZE, SigAction, SigInfo, SigSet, Signal, SignalfdFlags,
    StackT,
};
use los_abi::syscall::{Fd, UserPtr};
use los_abi::time::Timespec;
use sync::{Result, now_ns};
use task::{Context, signal};
use zerocopy::IntoBytes;

fn signal_number(number: i32) -> Result<Signal> {
    let number = u32::try_from(number).map_err(|_| Errno::EINVAL)?;
    Ok(Signal::new(number).ok_or(Errno::EINVAL)?)
}

fn check_set_size(size: usize) -> Result<()> {
    if size == SIGSET_SIZE {
        Ok(())
    } else {
        Err(Errno::EINVAL.into())
    }
}

pub(crate) fn kill(ctx: &Context<'_>, pid: i32, signal: i32) -> Result<usize> {
    signal::kill::kill(ctx, pid, signal)?;
    Ok(0)
}

/// Decodes the number of a thread or a thread group.
fn task_number(number: i32) -> Result<u32> {
    let number = u32::try_from(number).ok().filter(|&number| number > 0);
    Ok(number.ok_or(Errno::EINVAL)?)
}

pub(crate) fn tkill(ctx: &Context<'_>, tid: i32, signal: i32) -> Result<usize> {
    signal::kill::kill_thread(ctx, None, task_number(tid)?, signal)?;
    Ok(0)
}

pub(crate) fn tgkill(ctx: &Context<'_>, tgid: i32, tid: i32, signal: i32) -> Result<usize> {
    let (tgid, tid) = (task_number(tgid)?, task_number(tid)?);
    signal::kill::kill_thread(ctx, Some(tgid), tid, signal)?;
    Ok(0)
}

pub(crate) fn rt_sigqueueinfo(
    ctx: &Context<'_>,
    pid: i32,
    signal: i32,
    info: UserPtr<SigInfo>,
) -> Result<usize> {
    let info = prepared_info(ctx, signal, info)?;
    signal::kill::queue(ctx, pid, signal, &info)?;
    Ok(0)
}

pub(crate) fn rt_tgsigqueueinfo(
    ctx: &Context<'_>,
    tgid: i32,
    tid: i32,
    signal: i32,
    info: UserPtr<SigInfo>,
) -> Result<usize> {
    let info = prepared_info(ctx, signal, info)?;
    let (tid, tgid) = (task_number(tid)?, task_number(tgid)?);
    signal::kill::queue_to_thread(ctx, tgid, tid, signal, &info)?;
    Ok(0)
}

/// Reads what a program wants a signal to tell.
fn prepared_info(ctx: &Context<'_>, signal: i32, info: UserPtr<SigInfo>) -> Result<SigInfo> {
    let info = ctx.memory().read(info)?;
    Ok(info.for_queueing(signal).ok_or(Errno::E2BIG)?)
}

pub(crate) fn rt_sigaction(
    ctx: &Context<'_>,
    number: i32,
    new: UserPtr<SigAction>,
    old: UserPtr<SigAction>,
    mask_size: usize,
) -> Result<usize> {
    check_set_size(mask_size)?;
    let new = if new.is_null() {
        None
    } else {
        Some(ctx.memory().read(new)?)
    };
    let signal = signal_number(number)?;
    if new.is_some() && signal.is_unstoppable() {
        return Err(Errno::EINVAL.into());
    }
    let previous = match new {
        Some(action) => signal::set_action(ctx, signal, action),
        None => ctx.process.actions().get(signal),
    };
    if !old.is_null() {
        ctx.memory().write(old, &previous)?;
    }
    Ok(0)
}

pub(crate) fn rt_sigprocmask(
    ctx: &Context<'_>,
    how: i32,
    new: UserPtr<SigSet>,
    old: UserPtr<SigSet>,
    mask_size: usize,
) -> Result<usize> {
    check_set_size(mask_size)?;
    let current = signal::mask(ctx.thread);
    if !new.is_null() {
        let set = ctx.memory().read(new)?;
        let mask = match how {
            SIG_BLOCK => current.union(set),
            SIG_UNBLOCK => current.difference(set),
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL.into()),
        };
        signal::set_mask(ctx.thread, mask);
    }
    if !old.is_null() {
        ctx.memory().write(old, &current)?;
    }
    Ok(0)
}

pub(crate) fn rt_sigreturn(ctx: &Context<'_>) -> Result<usize> {
    signal::sigreturn(ctx)
}

pub(crate) fn rt_sigsuspend(ctx: &Context<'_>, mask: UserPtr<SigSet>, mask_size: usize) -> Result<usize> {
    check_set_size(mask_size)?;
    let mask = ctx.memory().read(mask)?;
    Err(signal::suspend(ctx, mask))
}

pub(crate) fn rt_sigpending(ctx: &Context<'_>, set: UserPtr<SigSet>, mask_size: usize) -> Result<usize> {
    if mask_size > SIGSET_SIZE {
        return Err(Errno::EINVAL.into());
    }
    let pending = signal::pending_blocked(ctx.thread);
    // Older programs ask for the first signals only.
    ctx.memory()
        .write_bytes(set.addr(), &pending.as_bytes()[..mask_size])?;
    Ok(0)
}

pub(crate) fn rt_sigtimedwait(
    ctx: &Context<'_>,
    set: UserPtr<SigSet>,
    info: UserPtr<SigInfo>,
    timeout: UserPtr<Timespec>,
    mask_size: usize,
) -> Result<usize> {
    check_set_size(mask_size)?;
    let set = ctx.memory().read(set)?;
    let deadline_ns = if timeout.is_null() {
        None
    } else {
        let ns = ctx.memory().read(timeout)?.to_ns().ok_or(Errno::EINVAL)?;
        Some(now_ns().saturating_add(ns))
    };
    let taken = signal::wait_for(ctx, set, deadline_ns)?;
    if !info.is_null() {
        ctx.memory().write(info, &taken)?;
    }
    Ok(taken.si_signo as usize)
}

pub(crate) fn sigaltstack(ctx: &Context<'_>, new: UserPtr<StackT>, old: UserPtr<StackT>) -> Result<usize> {
    let wanted = if new.is_null() {
        None
    } else {
        Some(ctx.memory().read(new)?)
    };
    let stack_pointer = ctx.frame().stack_pointer();
    let previous = signal::stack::get(ctx.thread, stack_pointer);
    if let Some(wanted) = wanted {
        signal::stack::set(ctx.thread, stack_pointer, &wanted)?;
    }
    if !old.is_null() {
        ctx.memory().write(old, &previous)?;
    }
    Ok(0)
}

pub(crate) fn restart_syscall(ctx: &Context<'_>) -> Result<usize> {
    match ctx.thread.take_restart() {
        Some(block) => block(ctx),
        None => Err(Errno::EINTR.into()),
    }
}

pub(crate) fn pause(_ctx: &Context<'_>) -> Result<usize> {
    Err(signal::pause())
}

pub(crate) fn signalfd(ctx: &Context<'_>, fd: Fd, set: UserPtr<SigSet>, size: usize) -> Result<usize> {
    signalfd4(ctx, fd, set, size, SignalfdFlags::empty())
}

pub(crate) fn signalfd4(
    ctx: &Context<'_>,
    fd: Fd,
    set: UserPtr<SigSet>,
    size: usize,
    flags: SignalfdFlags,
) -> Result<usize> {
    /// Asks for a new file.
    const NEW: Fd = Fd(-1);
    check_set_size(size)?;
    let set = ctx.memory().read(set)?;
    let fd = match fd {
        NEW => signal::file::open(ctx, set, flags)?,
        _ => {
            signal::file::change(ctx, fd, set, flags)?;
            fd
        }
    };
    Ok(fd.0 as usize)
}
