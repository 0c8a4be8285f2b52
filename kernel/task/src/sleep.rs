//! Sleeping until a time: the core of nanosleep(2) and clock_nanosleep(2).

use alloc::boxed::Box;

use los_abi::syscall::UserPtr;
use los_abi::time::Timespec;
use sync::{Error, Restart, Result, WaitError, WaitQueue, now_ns};

use crate::context::Context;

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

/// Sleeps for a duration that ends at this monotonic time. A signal stores what is left, and the call goes
/// on after a stop.
///
/// # Errors
/// `Restart::Block` after a signal; EFAULT.
pub fn relative(ctx: &Context<'_>, deadline_ns: u64, remaining: UserPtr<Timespec>) -> Result<usize> {
    if until(deadline_ns).is_ok() {
        return Ok(0);
    }
    let left_ns = deadline_ns.saturating_sub(now_ns());
    if left_ns == 0 {
        return Ok(0);
    }
    if !remaining.is_null() {
        ctx.memory().write(remaining, &Timespec::from_ns(left_ns))?;
    }
    ctx.thread
        .set_restart(Box::new(move |ctx| relative(ctx, deadline_ns, remaining)));
    Err(Error::Restart(Restart::Block))
}

/// Sleeps until this monotonic time as given by the program.
///
/// # Errors
/// `Restart::NoHand` after a signal.
pub fn absolute(deadline_ns: u64) -> Result<usize> {
    match until(deadline_ns) {
        Ok(()) => Ok(0),
        Err(_) => Err(Error::Restart(Restart::NoHand)),
    }
}
