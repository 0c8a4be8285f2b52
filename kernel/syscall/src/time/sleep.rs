//! Sleeping (nanosleep(2), clock_nanosleep(2)).

use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use los_abi::time::{TIMER_ABSTIME, Timespec};
use sync::{Result, now_ns};
use task::{Context, sleep};

use super::clock::Clock;

pub(crate) fn nanosleep(
    ctx: &Context<'_>,
    request: UserPtr<Timespec>,
    remaining: UserPtr<Timespec>,
) -> Result<usize> {
    let ns = ctx.memory().read(request)?.to_ns().ok_or(Errno::EINVAL)?;
    sleep::relative(ctx, now_ns().saturating_add(ns), remaining)
}

pub(crate) fn clock_nanosleep(
    ctx: &Context<'_>,
    clock: i32,
    flags: u32,
    request: UserPtr<Timespec>,
    remaining: UserPtr<Timespec>,
) -> Result<usize> {
    let clock = Clock::decode(clock)?;
    if clock == Clock::ThreadTime {
        return Err(Errno::EINVAL.into());
    }
    if clock == Clock::ProcessTime {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let ns = ctx.memory().read(request)?.to_ns().ok_or(Errno::EINVAL)?;
    if flags & TIMER_ABSTIME == 0 {
        return sleep::relative(ctx, now_ns().saturating_add(ns), remaining);
    }
    let offset_ns = if clock == Clock::Real {
        vfs::clock::realtime_offset_ns()
    } else {
        0
    };
    sleep::absolute(ns.saturating_sub(offset_ns))
}
