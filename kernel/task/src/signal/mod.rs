//! Signals: who gets one, when it is taken, and what it does (signal(7)).
//!
//! Sending queues the signal and makes a thread look; the thread takes it on its way back to user mode, and
//! acts. [`send`] and [`deliver`] are the two halves, [`pending`] lies between them.

pub mod actions;
pub(crate) mod birth;
pub(crate) mod deliver;
pub mod file;
pub mod io;
pub mod kill;
pub mod mask;
pub mod pending;
pub mod quota;
pub mod send;
pub mod stack;
pub(crate) mod stop;
pub mod wait;

pub use deliver::sigreturn;
pub use mask::{mask, pause, pending as pending_blocked, restore_mask, set_mask, set_mask_for_call, suspend};
pub use send::{force, send_to_group, send_to_process, send_to_thread};
pub use wait::wait_for;

use los_abi::signal::{SigAction, SigSet, Signal};

use crate::context::Context;

/// Sets a signal's action and returns the old one: rt_sigaction(2). A signal that is ignored from now on is no
/// longer pending.
pub fn set_action(ctx: &Context<'_>, signal: Signal, action: SigAction) -> SigAction {
    let actions = ctx.process.actions();
    let old = actions.set(signal, action);
    if actions.disposition(signal).is_ignored() {
        let set = SigSet::EMPTY.with(signal);
        ctx.process.pending.discard(set);
        let threads = ctx.process.threads.lock();
        for thread in threads.iter() {
            thread.pending.discard(set);
        }
    }
    old
}

/// Signals that stop a process by default.
pub(crate) const STOP_SIGNALS: SigSet = SigSet::EMPTY
    .with(Signal::STOP)
    .with(Signal::TSTP)
    .with(Signal::TTIN)
    .with(Signal::TTOU);

/// Signals of the running program's own doing, which are taken before others.
pub(crate) const SYNCHRONOUS: SigSet = SigSet::EMPTY
    .with(Signal::SEGV)
    .with(Signal::BUS)
    .with(Signal::ILL)
    .with(Signal::TRAP)
    .with(Signal::FPE)
    .with(Signal::SYS);

#[cfg(test)]
mod tests;
