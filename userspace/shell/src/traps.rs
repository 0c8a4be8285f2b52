//! Traps: what a shell does when a signal arrives, and when it ends.
//!
//! A caught signal is only noted when it arrives ([`rt::signal`]); its commands run between two commands of the
//! script, never in the middle of one. `POSIX.1-2017, Shell Command Language, 2.11 and trap`.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use rt::signal::{self, SigSet, Signal};

use crate::shell::{Flow, Shell};

/// The condition of the shell's end, which has the number zero among the signals.
pub const EXIT: u32 = 0;

/// What was asked for at a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing happens, in programs that the shell starts neither.
    Ignore,
    /// These commands run.
    Run(Vec<u8>),
}

/// The traps of a shell.
#[derive(Debug, Default)]
pub struct Traps {
    actions: BTreeMap<u32, Action>,
    /// Signals that a trap has changed. One that was ignored when a script started is not the script's to change.
    owned: SigSet,
    /// `$?` as it was before the commands of a trap, while they run.
    status_before: Option<i32>,
}

impl Traps {
    /// Iterates over conditions with an action, from the lowest number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Action)> {
        self.actions.iter().map(|(number, action)| (*number, action))
    }

    /// Returns the status that `exit` without a number means in the commands of a trap.
    pub(crate) fn status_before(&self) -> Option<i32> {
        self.status_before
    }

    /// Tells whether something was asked for at the condition.
    pub(crate) fn has(&self, number: u32) -> bool {
        self.actions.contains_key(&number)
    }

    /// Leaves a signal that was ignored for a background command as it is.
    pub(crate) fn disown(&mut self, signal: Signal) {
        self.owned.remove(signal);
    }

    /// Takes a signal with commands that has arrived.
    fn take_arrived(&self) -> Option<Vec<u8>> {
        let arrived = signal::arrived();
        self.iter().find_map(|(number, action)| match action {
            Action::Run(text) if Signal::new(number).is_some_and(|signal| arrived.contains(signal)) => {
                signal::take(number);
                Some(text.clone())
            }
            _ => None,
        })
    }
}

/// Returns the status of a command that the caught signal ended which arrived first by number. The end of a child
/// ends no waiting.
pub(crate) fn interrupted_status() -> Option<i32> {
    let signal = signal::arrived().without(Signal::CHLD).first()?;
    Some(128 + signal.number().cast_signed())
}

impl Shell {
    /// Sets what happens at a condition; `None` is the default.
    pub(crate) fn set_trap(&mut self, number: u32, action: Option<Action>) {
        if let Some(signal) = Signal::new(number) {
            if !self.interactive
                && !self.traps.owned.contains(signal)
                && signal::disposition(number).is_ignored()
            {
                return;
            }
            self.traps.owned.insert(signal);
            signal::take(number);
            match &action {
                Some(Action::Run(_)) => signal::catch(number),
                Some(Action::Ignore) => signal::ignore(number),
                None if self.interactive => self.arm_signal(number),
                None => signal::reset(number),
            }
        }
        match action {
            Some(action) => self.traps.actions.insert(number, action),
            None => self.traps.actions.remove(&number),
        };
    }

    /// Runs the commands of the signals that have arrived. Those of a trap are not interrupted by another's.
    ///
    /// # Errors
    /// The way out that the commands take.
    pub(crate) fn run_traps(&mut self) -> Result<(), Flow> {
        if signal::arrived().is_empty() || self.traps.status_before.is_some() {
            return Ok(());
        }
        while let Some(text) = self.traps.take_arrived() {
            self.run_trap(&text)?;
        }
        Ok(())
    }

    fn run_trap(&mut self, text: &[u8]) -> Result<(), Flow> {
        let status = self.status;
        let outer = self.traps.status_before.replace(status);
        let result = self.run_text(text);
        self.traps.status_before = outer;
        result?;
        self.status = status;
        Ok(())
    }

    /// Gives signals with commands their defaults, as subshells and programs have them, and forgets the trap of
    /// the shell's end. What is ignored stays so.
    pub(crate) fn drop_traps(&mut self) {
        if self.interactive {
            self.disarm_signals();
        }
        self.traps.actions.retain(|number, action| {
            let stays = *action == Action::Ignore;
            if !stays && *number != EXIT {
                signal::reset(*number);
            }
            stays
        });
        self.traps.status_before = None;
    }

    /// Ends the shell: runs the commands for that and returns the status to end with.
    pub(crate) fn finish(&mut self, result: Result<i32, Flow>) -> i32 {
        self.status = self.status_of(result);
        let Some(Action::Run(text)) = self.traps.actions.remove(&EXIT) else {
            return self.status;
        };
        match self.run_trap(&text) {
            Ok(()) => self.status,
            Err(flow) => self.status_of(Err(flow)),
        }
    }
}
