//! Signals without handlers of the program's own: one handler notes what arrived, the program asks.
//!
//! So no code of a program ever runs in the middle of another piece of it. A caught signal still
//! interrupts a waiting call with EINTR, since the handler is installed without SA_RESTART.

use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::signal::{SIG_DFL, SIG_IGN, SIG_SETMASK, SIGSET_SIZE, SigAction};
use los_abi::syscall::UserPtr;

use crate::{arch, sys};

pub use los_abi::signal::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGNALS, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU,
    SIGUSR1, SIGUSR2, SaFlags, SigSet, Signal,
};

/// Signals that arrived and were not taken yet, as in [`SigSet`].
static ARRIVED: AtomicU64 = AtomicU64::new(0);

/// Notes a signal; the only thing that ever runs in a handler.
extern "C" fn note(signal: i32) {
    ARRIVED.fetch_or(1 << (signal - 1), Ordering::Relaxed);
}

/// Has the signal noted, for [`take`].
pub fn catch(signal: u32) {
    let handler = note as extern "C" fn(i32);
    set_action(signal, handler as usize as u64);
}

/// Ignores the signal, also in programs that execve starts.
pub fn ignore(signal: u32) {
    set_action(signal, SIG_IGN);
}

/// Gives the signal its default action.
pub fn reset(signal: u32) {
    set_action(signal, SIG_DFL);
}

/// Has a function run at the signal, with the addresses of its siginfo and of the interrupted state. It must
/// do nothing that the code that it interrupts may be in the middle of.
///
/// # Errors
/// EINVAL for a signal that cannot be caught.
pub fn handle(
    signal: u32,
    handler: extern "C" fn(i32, usize, usize),
    flags: SaFlags,
    mask: SigSet,
) -> Result<(), Errno> {
    let restorer = arch::restore_signal_frame as extern "C" fn();
    let action = SigAction {
        sa_handler: handler as usize as u64,
        sa_flags: (flags | SaFlags::SIGINFO | SaFlags::RESTORER).bits(),
        sa_restorer: restorer as usize as u64,
        sa_mask: mask,
    };
    let new = UserPtr::new(&raw const action as u64);
    // SAFETY: the handler is a function that takes these arguments, and the restorer returns from it.
    unsafe { sys::rt_sigaction(signal.cast_signed(), new, UserPtr::NULL, SIGSET_SIZE) }?;
    Ok(())
}

/// Tells whether the signal arrived since the last call, and forgets it.
pub fn take(signal: u32) -> bool {
    let bit = 1 << (signal - 1);
    ARRIVED.fetch_and(!bit, Ordering::Relaxed) & bit != 0
}

/// Tells whether the signal arrived, without forgetting it.
pub fn has_arrived(signal: u32) -> bool {
    ARRIVED.load(Ordering::Relaxed) & 1 << (signal - 1) != 0
}

/// Returns the signals that arrived and were not taken.
pub fn arrived() -> SigSet {
    SigSet(ARRIVED.load(Ordering::Relaxed))
}

/// What happens at a signal, to be put back later.
#[derive(Clone, Copy, Debug)]
pub struct Disposition(SigAction);

impl Disposition {
    /// Tells whether the signal is ignored.
    pub fn is_ignored(&self) -> bool {
        self.0.sa_handler == SIG_IGN
    }
}

/// Returns what happens at the signal now.
pub fn disposition(signal: u32) -> Disposition {
    let mut old = SigAction::default();
    let into = UserPtr::new(&raw mut old as u64);
    // SAFETY: the call writes one action, which lives until it returns. For a number that is no signal it fails and
    // leaves the default.
    let _ = unsafe { sys::rt_sigaction(signal.cast_signed(), UserPtr::NULL, into, SIGSET_SIZE) };
    Disposition(old)
}

/// Puts back what happened at the signal.
pub fn restore(signal: u32, disposition: Disposition) {
    install(signal, &disposition.0);
}

/// Replaces the set of blocked signals; returns the old one.
pub fn set_mask(mask: SigSet) -> SigSet {
    let mut old = SigSet::EMPTY;
    let (new, into) = (
        UserPtr::new(&raw const mask as u64),
        UserPtr::new(&raw mut old as u64),
    );
    // SAFETY: one set is read, the other written; both live until the call returns. It cannot fail so.
    let _ = unsafe { sys::rt_sigprocmask(SIG_SETMASK, new, into, SIGSET_SIZE) };
    old
}

/// Waits for a signal with another set blocked meanwhile.
pub fn suspend(mask: SigSet) {
    // SAFETY: the call reads the set, and returns EINTR after the one handler ran.
    let _ = unsafe { sys::rt_sigsuspend(UserPtr::new(&raw const mask as u64), SIGSET_SIZE) };
}

fn set_action(signal: u32, handler: u64) {
    let restorer = arch::restore_signal_frame as extern "C" fn();
    let action = SigAction {
        sa_handler: handler,
        sa_flags: SaFlags::RESTORER.bits(),
        sa_restorer: restorer as usize as u64,
        sa_mask: SigSet::EMPTY,
    };
    install(signal, &action);
}

/// Installs an action that one of these functions made, or that the process had.
fn install(signal: u32, action: &SigAction) {
    let new = UserPtr::new(core::ptr::from_ref(action) as u64);
    // SAFETY: the handler only changes an atomic, and the restorer returns from it. The call fails for
    // numbers that cannot be caught, and then changes nothing.
    let _ = unsafe { sys::rt_sigaction(signal.cast_signed(), new, UserPtr::NULL, SIGSET_SIZE) };
}

#[cfg(test)]
mod tests {
    use super::{SIGUSR1, SIGUSR2};
    use crate::process;

    /// Sends a signal to the calling thread alone; the test runner has others.
    fn raise(signal: u32) {
        // SAFETY: the calls touch no memory but by the handler.
        let tid = unsafe { crate::sys::gettid() }.unwrap() as i32;
        // SAFETY: as above.
        unsafe { crate::sys::tgkill(process::id(), tid, signal.cast_signed()) }.unwrap();
    }

    #[test]
    fn caught_signals_are_noted_once() {
        super::catch(SIGUSR1);
        assert!(!super::take(SIGUSR1));
        raise(SIGUSR1);
        assert!(super::has_arrived(SIGUSR1));
        assert!(super::take(SIGUSR1));
        assert!(!super::take(SIGUSR1));
        super::ignore(SIGUSR2);
        raise(SIGUSR2);
        assert!(!super::take(SIGUSR2));
    }
}
