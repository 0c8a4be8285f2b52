//! What each signal does to a process: the table that sigaction(2) reads and writes.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::signal::{DefaultAction, SIG_DFL, SIG_IGN, SaFlags, SigAction, SigSet, Signal};
use sync::{Rank, Shared, SpinLock, Users};

/// The dispositions of all signals, shared by the threads of a process.
pub struct SignalActions {
    /// Number of processes that use it.
    users: Users,
    /// One for each signal. On the heap: the table is too large to be moved over kernel stacks.
    table: SpinLock<Box<[SigAction]>>,
}

/// What a signal does to a process, in short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disposition {
    /// The default action.
    Default(DefaultAction),
    /// Nothing.
    Ignored,
    /// A handler runs.
    Caught,
}

impl SignalActions {
    /// Makes a table of default actions.
    pub fn new() -> Self {
        Self {
            users: Users::new(),
            table: SpinLock::new(
                Rank::Signal,
                vec![SigAction::default(); Signal::COUNT].into_boxed_slice(),
            ),
        }
    }

    /// Returns a signal's action.
    pub fn get(&self, signal: Signal) -> SigAction {
        self.table.lock()[signal.index()]
    }

    /// Sets a signal's action and returns the old one.
    pub fn set(&self, signal: Signal, mut action: SigAction) -> SigAction {
        action.sa_mask = action.sa_mask.difference(SigSet::UNSTOPPABLE);
        // Unknown flags, and the one that never is known, vanish: programs find out so what there is.
        action.sa_flags &= SaFlags::all().difference(SaFlags::UNSUPPORTED).bits();
        core::mem::replace(&mut self.table.lock()[signal.index()], action)
    }

    /// Returns what a signal does.
    pub fn disposition(&self, signal: Signal) -> Disposition {
        disposition_of(signal, self.get(signal).sa_handler)
    }

    /// Takes a signal's action for its delivery: SA_RESETHAND makes it the default.
    pub(crate) fn take(&self, signal: Signal) -> SigAction {
        let mut table = self.table.lock();
        let action = table[signal.index()];
        let resets = action.sa_flags & SaFlags::RESETHAND.bits() != 0;
        if resets && action.sa_handler > SIG_IGN {
            table[signal.index()].sa_handler = SIG_DFL;
        }
        action
    }

    /// Makes a copy, as a child has it.
    ///
    /// # Errors
    /// ENOMEM.
    pub(crate) fn fork(&self) -> Result<Self, Errno> {
        self.copy(|action| *action)
    }

    /// Makes the table that a new program has: handlers gone, what was ignored still is.
    ///
    /// # Errors
    /// ENOMEM.
    pub(crate) fn after_exec(&self) -> Result<Self, Errno> {
        self.copy(|action| SigAction {
            sa_handler: match action.sa_handler {
                SIG_IGN => SIG_IGN,
                _ => SIG_DFL,
            },
            ..SigAction::default()
        })
    }

    fn copy(&self, change: impl Fn(&SigAction) -> SigAction) -> Result<Self, Errno> {
        let mut table = Vec::new();
        table
            .try_reserve_exact(Signal::COUNT)
            .map_err(|_| Errno::ENOMEM)?;
        table.extend(self.table.lock().iter().map(change));
        Ok(Self {
            users: Users::new(),
            table: SpinLock::new(Rank::Signal, table.into_boxed_slice()),
        })
    }

    /// Returns the signals that are ignored by choice and those with a handler, for /proc/PID/status.
    pub fn summary(&self) -> (SigSet, SigSet) {
        let table = self.table.lock();
        let (mut ignored, mut caught) = (SigSet::EMPTY, SigSet::EMPTY);
        for signal in SigSet::ALL.iter() {
            match table[signal.index()].sa_handler {
                SIG_DFL => {}
                SIG_IGN => ignored.insert(signal),
                _ => caught.insert(signal),
            }
        }
        (ignored, caught)
    }
}

impl Shared for SignalActions {
    fn users(&self) -> &Users {
        &self.users
    }
}

impl Default for SignalActions {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns what a handler address means for a signal.
pub(crate) fn disposition_of(signal: Signal, handler: u64) -> Disposition {
    match (handler, signal.default_action()) {
        (SIG_DFL, action) => Disposition::Default(action),
        (SIG_IGN, _) => Disposition::Ignored,
        _ => Disposition::Caught,
    }
}

impl Disposition {
    /// Reports whether the signal has no effect at all.
    pub fn is_ignored(self) -> bool {
        matches!(self, Self::Ignored | Self::Default(DefaultAction::Ignore))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(handler: u64, flags: SaFlags) -> SigAction {
        SigAction {
            sa_handler: handler,
            sa_flags: flags.bits(),
            ..SigAction::default()
        }
    }

    #[test]
    fn exec_keeps_what_is_ignored_and_forgets_handlers() {
        let actions = SignalActions::new();
        actions.set(Signal::INT, action(SIG_IGN, SaFlags::RESTART));
        actions.set(Signal::TERM, action(0x1000, SaFlags::SIGINFO));
        let after = actions.after_exec().unwrap();
        assert_eq!(after.get(Signal::INT), action(SIG_IGN, SaFlags::empty()));
        assert_eq!(after.get(Signal::TERM), SigAction::default());
        assert_eq!(actions.disposition(Signal::TERM), Disposition::Caught);
    }

    #[test]
    fn resethand_applies_once() {
        let actions = SignalActions::new();
        actions.set(Signal::USR1, action(0x1000, SaFlags::RESETHAND));
        assert_eq!(actions.take(Signal::USR1).sa_handler, 0x1000);
        assert_eq!(actions.get(Signal::USR1).sa_handler, SIG_DFL);
    }

    #[test]
    fn masks_never_block_kill_and_stop() {
        let actions = SignalActions::new();
        let mut wanted = action(0x1000, SaFlags::empty());
        wanted.sa_mask = SigSet::ALL;
        actions.set(Signal::USR1, wanted);
        assert!(!actions.get(Signal::USR1).sa_mask.contains(Signal::KILL));
    }

    #[test]
    fn children_that_change_are_ignored_by_default() {
        let actions = SignalActions::new();
        assert!(actions.disposition(Signal::CHLD).is_ignored());
        assert!(!actions.disposition(Signal::CONT).is_ignored());
    }
}
