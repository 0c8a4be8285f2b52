//! Signals.

use los_abi::errno::Errno;
use los_abi::signal::{SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGSET_SIZE, SigAction, SigSet, Signal};
use los_abi::syscall::UserPtr;
use sync::Result;
use task::{Context, signal};

/// Decodes a signal number where 0 only asks for permission.
fn optional_signal(number: i32) -> Result<Option<Signal>> {
    if number == 0 {
        return Ok(None);
    }
    Ok(Some(signal_number(number)?))
}

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
    signal::send::kill(ctx, pid, optional_signal(signal)?)?;
    Ok(0)
}

pub(crate) fn tkill(ctx: &Context<'_>, tid: i32, signal: i32) -> Result<usize> {
    let tid = u32::try_from(tid)
        .ok()
        .filter(|&tid| tid > 0)
        .ok_or(Errno::EINVAL)?;
    signal::send::kill_thread(ctx, None, tid, optional_signal(signal)?)?;
    Ok(0)
}

pub(crate) fn tgkill(ctx: &Context<'_>, tgid: i32, tid: i32, signal: i32) -> Result<usize> {
    let positive = |number: i32| {
        u32::try_from(number)
            .ok()
            .filter(|&number| number > 0)
            .ok_or(Errno::EINVAL)
    };
    let (tgid, tid) = (positive(tgid)?, positive(tid)?);
    signal::send::kill_thread(ctx, Some(tgid), tid, optional_signal(signal)?)?;
    Ok(0)
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
    if mask_size == SIGSET_SIZE {
        ctx.memory().write(set, &pending)?;
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
