//! Timers that are files (timerfd_create(2), timerfd_settime(2), timerfd_gettime(2)).

use los_abi::errno::Errno;
use los_abi::syscall::{Fd, UserPtr};
use los_abi::time::{Itimerspec, TimerfdFlags, TimerfdSetFlags};
use sync::Result;
use task::{Context, timer_file};

use super::timer::{from_itimerspec, to_itimerspec};

pub(crate) fn timerfd_create(ctx: &Context<'_>, clock: i32, flags: TimerfdFlags) -> Result<usize> {
    Ok(timer_file::open(ctx, clock, flags)?.0 as usize)
}

pub(crate) fn timerfd_settime(
    ctx: &Context<'_>,
    fd: Fd,
    flags: TimerfdSetFlags,
    new: UserPtr<Itimerspec>,
    old: UserPtr<Itimerspec>,
) -> Result<usize> {
    let new = ctx.memory().read(new)?;
    if !TimerfdSetFlags::all().contains(flags) {
        return Err(Errno::EINVAL.into());
    }
    let (previous, outcome) = timer_file::set(ctx, fd, flags, from_itimerspec(&new)?)?;
    outcome?;
    if !old.is_null() {
        ctx.memory().write(old, &to_itimerspec(previous))?;
    }
    Ok(0)
}

pub(crate) fn timerfd_gettime(ctx: &Context<'_>, fd: Fd, setting: UserPtr<Itimerspec>) -> Result<usize> {
    let current = timer_file::get(ctx, fd)?;
    ctx.memory().write(setting, &to_itimerspec(current))?;
    Ok(0)
}
