//! Taking signals without a handler: rt_sigtimedwait(2).

use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use los_abi::signal::{SigInfo, SigSet, Signal};
use sync::{WaitError, WaitQueue};

use super::mask::{mask, recalculate};
use super::send;
use crate::context::Context;
use crate::itimer;
use crate::thread::Thread;

/// Takes a pending signal of a set, waiting for one until the deadline.
///
/// # Errors
/// EAGAIN when time is up; EINTR when another signal came.
pub fn wait_for(ctx: &Context<'_>, set: SigSet, deadline_ns: Option<u64>) -> Result<SigInfo, Errno> {
    let thread = ctx.thread;
    let set = set.difference(SigSet::UNSTOPPABLE);
    if let Some(info) = take(thread, set) {
        return Ok(info);
    }
    // While this waits the signals are not blocked, so that senders wake it; that they are waited for keeps
    // ignored ones from being dropped.
    let blocked = mask(thread);
    thread.wait_mask.store(blocked.0, Ordering::SeqCst);
    thread.mask.store(blocked.difference(set).0, Ordering::SeqCst);
    recalculate(thread);
    let nothing = WaitQueue::new();
    let outcome = nothing.wait_interruptible(deadline_ns, || {
        let pending = thread.pending.members().union(ctx.process.pending.members());
        (!pending.intersection(set).is_empty()).then_some(())
    });
    thread.mask.store(blocked.0, Ordering::SeqCst);
    thread.wait_mask.store(0, Ordering::SeqCst);
    let taken = take(thread, set);
    recalculate(thread);
    send::pass_on(thread, blocked.intersection(set));
    taken.ok_or(match outcome {
        Err(WaitError::Interrupted) => Errno::EINTR,
        _ => Errno::EAGAIN,
    })
}

/// Takes a pending signal of a set, the thread's own first.
pub(crate) fn take(thread: &Thread, set: SigSet) -> Option<SigInfo> {
    if let Some(info) = thread.pending.take(set) {
        return Some(info);
    }
    let info = thread.process().pending.take(set)?;
    if info.signal() == Some(Signal::ALRM) {
        itimer::alarm_taken(thread.process());
    }
    Some(info)
}
