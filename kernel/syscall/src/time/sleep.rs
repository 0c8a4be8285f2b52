//! Sleeping (nanosleep(2), clock_nanosleep(2)).

use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use los_abi::time::{TIMER_ABSTIME, Timespec};
use sync::Result;
use task::clock::Clock;
use task::{Context, sleep};

pub(crate) fn nanosleep(
    ctx: &Context<'_>,
    request: UserPtr<Timespec>,
    remaining: UserPtr<Timespec>,
) -> Result<usize> {
    let ns = ctx.memory().read(request)?.to_ns().ok_or(Errno::EINVAL)?;
    sleep::relative(ctx, Clock::Monotonic, ns, remaining)
}

pub(crate) fn clock_nanosleep(
    ctx: &Context<'_>,
    clock: i32,
    flags: u32,
    request: UserPtr<Timespec>,
    remaining: UserPtr<Timespec>,
) -> Result<usize> {
    let clock = Clock::find(ctx, clock)?;
    clock.check_sleep()?;
    let ns = ctx.memory().read(request)?.to_ns().ok_or(Errno::EINVAL)?;
    clock.check_sleeper(ctx)?;
    if flags & TIMER_ABSTIME == 0 {
        sleep::relative(ctx, clock, ns, remaining)
    } else {
        sleep::absolute(&clock, ns)
    }
}
