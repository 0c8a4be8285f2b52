//! Sleeping until a time: the core of nanosleep(2) and clock_nanosleep(2).

use alloc::boxed::Box;

use los_abi::syscall::UserPtr;
use los_abi::time::Timespec;
use sync::{Error, Restart, Result, WaitError, WaitQueue};

use crate::clock::{self, Clock};
use crate::context::Context;
use crate::posix_timer;

/// Sleeps until the monotonic deadline or a signal.
///
/// # Errors
/// `Interrupted`.
pub fn until(deadline_ns: u64) -> core::result::Result<(), WaitError> {
    let nothing = WaitQueue::new();
    match nothing.wait_interruptible(Some(deadline_ns), || None::<()>) {
        Err(WaitError::Interrupted) => Err(WaitError::Interrupted),
        _ => Ok(()),
    }
}

/// Sleeps for a duration by a clock. A signal stores what is left, and the call goes on after a stop.
///
/// # Errors
/// `Restart::Block` after a signal; EFAULT.
pub fn relative(
    ctx: &Context<'_>,
    clock: Clock,
    duration_ns: u64,
    remaining: UserPtr<Timespec>,
) -> Result<usize> {
    // Setting real time does not change durations.
    let clock = match clock {
        // Processor time does not pass while its only user waits for it.
        Clock::Cpu(_) if duration_ns == 0 => return Ok(0),
        Clock::Cpu(_) => clock,
        _ => Clock::Monotonic,
    };
    let deadline_ns = clock.now_ns().saturating_add(duration_ns);
    go_on(ctx, clock, deadline_ns, remaining)
}

fn go_on(ctx: &Context<'_>, clock: Clock, deadline_ns: u64, remaining: UserPtr<Timespec>) -> Result<usize> {
    if until_clock(&clock, deadline_ns).is_ok() {
        return Ok(0);
    }
    let left_ns = deadline_ns.saturating_sub(clock.now_ns());
    if left_ns == 0 {
        return Ok(0);
    }
    if !remaining.is_null() {
        ctx.memory().write(remaining, &Timespec::from_ns(left_ns))?;
    }
    ctx.thread
        .set_restart(Box::new(move |ctx| go_on(ctx, clock, deadline_ns, remaining)));
    Err(Error::Restart(Restart::Block))
}

/// Sleeps until a clock shows this time.
///
/// # Errors
/// `Restart::NoHand` after a signal.
pub fn absolute(clock: &Clock, time_ns: u64) -> Result<usize> {
    match until_clock(clock, time_ns) {
        Ok(()) => Ok(0),
        Err(_) => Err(Error::Restart(Restart::NoHand)),
    }
}

fn until_clock(clock: &Clock, time_ns: u64) -> core::result::Result<(), WaitError> {
    match clock {
        Clock::Real(clock) => clock::sleep_until_realtime(*clock, time_ns),
        Clock::Cpu(_) => posix_timer::sleep_until(clock, time_ns),
        Clock::Monotonic | Clock::ReadOnly(..) | Clock::Alarm | Clock::Nobodys | Clock::Device => {
            until(time_ns)
        }
    }
}
