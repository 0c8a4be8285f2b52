//! Blocked signals: the mask that sigprocmask(2) changes, and masks for the length of one call.

use core::sync::atomic::Ordering;

use los_abi::signal::SigSet;
use sync::{Error, Restart, WaitQueue};

use super::send;
use crate::context::Context;
use crate::thread::{Thread, Work};

/// Returns the blocked signals of a thread.
#[inline]
pub fn mask(thread: &Thread) -> SigSet {
    SigSet(thread.mask.load(Ordering::SeqCst))
}

/// Changes the blocked signals of the calling thread; SIGKILL and SIGSTOP never are.
pub fn set_mask(thread: &Thread, new: SigSet) {
    let new = new.difference(SigSet::UNSTOPPABLE);
    let old = SigSet(thread.mask.swap(new.0, Ordering::SeqCst));
    recalculate(thread);
    send::pass_on(thread, new.difference(old));
}

/// Replaces the mask for the length of a call (ppoll, pselect, sigsuspend). The call that ends without a
/// signal undoes it with [`restore_mask`]; else the handler's return does.
pub fn set_mask_for_call(thread: &Thread, new: SigSet) {
    let old = mask(thread);
    *thread.saved_mask.lock() = Some(old);
    thread.add_work(Work::RESTORE_MASK);
    set_mask(thread, new);
}

/// Undoes [`set_mask_for_call`].
pub fn restore_mask(thread: &Thread) {
    thread.remove_work(Work::RESTORE_MASK);
    let saved = thread.saved_mask.lock().take();
    if let Some(saved) = saved {
        set_mask(thread, saved);
    }
}

/// Waits with this mask until a signal is taken: rt_sigsuspend(2).
///
/// # Errors
/// Always: EINTR after a handler, or the call starts again.
pub fn suspend(ctx: &Context<'_>, mask: SigSet) -> Error {
    set_mask_for_call(ctx.thread, mask);
    pause()
}

/// Waits until a signal is taken: pause(2).
///
/// # Errors
/// Always: EINTR after a handler, or the call starts again.
pub fn pause() -> Error {
    let nothing = WaitQueue::new();
    let _interrupted = nothing.wait_interruptible(None, || None::<()>);
    Error::Restart(Restart::NoHand)
}

/// Returns the signals that are pending for a thread and blocked: rt_sigpending(2).
pub fn pending(thread: &Thread) -> SigSet {
    let own = thread.pending.members();
    let shared = thread.process().pending.members();
    own.union(shared).intersection(mask(thread))
}

/// Notes whether the calling thread has a signal to take.
pub(crate) fn recalculate(thread: &Thread) {
    // Cleared first: a signal that arrives now sets it again.
    thread.remove_work(Work::SIGNAL);
    if has_work(thread) {
        thread.add_work(Work::SIGNAL);
    }
}

pub(super) fn has_work(thread: &Thread) -> bool {
    let process = thread.process();
    let pending = thread.pending.members().union(process.pending.members());
    !pending.difference(mask(thread)).is_empty() || process.stop.is_stopped()
}
