//! Signals to several processes that come while one of them makes a child (fork(2), kill(2)).
//!
//! A signal to a group is for all its members, and the child of one is a member from the moment that it is in the
//! table. What comes before that is collected with the thread that makes the child and is the child's first
//! signal; what had come before the copying began ends it. So none misses the child, and a stream of them does not
//! keep a large process from forking.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use los_abi::signal::{SigSet, Signal};
use sync::{Error, Restart};

use super::STOP_SIGNALS;
use super::mask::has_work;
use crate::pid;
use crate::process::Process;
use crate::thread::{Thread, Work};
use crate::tree::Tree;

/// What a thread collects for the child that it makes. All but looking needs the table.
pub(crate) struct BirthSignals {
    is_under_way: AtomicBool,
    collected: AtomicU64,
}

impl BirthSignals {
    pub(crate) const fn new() -> Self {
        Self {
            is_under_way: AtomicBool::new(false),
            collected: AtomicU64::new(0),
        }
    }

    fn set(&self) -> SigSet {
        SigSet(self.collected.load(Ordering::Relaxed))
    }
}

/// The making of a child process by the calling thread, until it is dropped.
pub(crate) struct Birth<'a>(&'a Thread);

impl<'a> Birth<'a> {
    /// Begins to collect signals.
    ///
    /// # Errors
    /// A restart if one has come already that the thread can take.
    pub(crate) fn begin(parent: &'a Thread) -> Result<Self, Error> {
        let _tree = pid::tree();
        let signals = &parent.birth_signals;
        signals.collected.store(0, Ordering::Relaxed);
        signals.is_under_way.store(true, Ordering::Relaxed);
        let birth = Self(parent);
        match parent.is_killed() || has_work(parent) {
            true => Err(Error::Restart(Restart::NoIntr)),
            false => Ok(birth),
        }
    }

    /// Gives the child, which has just been entered into the table, what was collected.
    pub(crate) fn hand_over(&self, _tree: &Tree, child: &Thread) {
        let collected = self.0.birth_signals.set();
        if !collected.is_empty() {
            child.process().pending.inherit(collected);
            child.add_work(Work::SIGNAL);
        }
    }
}

impl Drop for Birth<'_> {
    fn drop(&mut self) {
        // What is collected from now on nobody looks at.
        self.0.birth_signals.is_under_way.store(false, Ordering::Relaxed);
    }
}

/// Collects a signal, which a process gets as one of several, for the children that its threads are making.
pub(super) fn collect(_tree: &Tree, process: &Process, signal: Signal) {
    let cancelled = match signal {
        Signal::CONT => STOP_SIGNALS,
        _ if STOP_SIGNALS.contains(signal) => SigSet::EMPTY.with(Signal::CONT),
        _ => SigSet::EMPTY,
    };
    for thread in process.threads.lock().iter() {
        let signals = &thread.birth_signals;
        if signals.is_under_way.load(Ordering::Relaxed) {
            let collected = signals.set().difference(cancelled).with(signal);
            signals.collected.store(collected.0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use los_abi::signal::SigInfo;
    use los_arch::TrapFrame;
    use los_arch::hal::prelude::TrapFrame as _;

    use super::*;
    use crate::clone::{self, CloneRequest};
    use crate::context::Context;
    use crate::signal::{send_to_group, send_to_process};
    use crate::testing;

    fn info(signal: Signal) -> SigInfo {
        SigInfo::new(signal, 0)
    }

    #[test]
    fn what_comes_to_the_group_during_a_birth_is_for_the_child() {
        let (family, parent) = testing::program();
        let process = parent.process();
        let birth = Birth::begin(&parent).ok().unwrap();
        send_to_group(process.group(), &info(Signal::USR1));
        send_to_process(process, &info(Signal::USR2)).unwrap();
        let child = testing::thread();
        birth.hand_over(&pid::tree(), &child);
        assert_eq!(child.process().pending(), SigSet::EMPTY.with(Signal::USR1));
        assert!(child.is_interrupted());
        let both = SigSet::EMPTY.with(Signal::USR1).with(Signal::USR2);
        assert_eq!(process.pending(), both);
        drop(birth);
        send_to_group(process.group(), &info(Signal::HUP));
        assert!(!parent.birth_signals.set().contains(Signal::HUP));
        drop(family);
    }

    #[test]
    fn stops_and_continuations_take_each_other_back() {
        let (family, parent) = testing::program();
        let birth = Birth::begin(&parent).ok().unwrap();
        let group = parent.process().group();
        for (sent, expected) in [
            (Signal::TSTP, SigSet::EMPTY.with(Signal::TSTP)),
            (Signal::CONT, SigSet::EMPTY.with(Signal::CONT)),
            (Signal::STOP, SigSet::EMPTY.with(Signal::STOP)),
        ] {
            send_to_group(group, &info(sent));
            assert_eq!(parent.birth_signals.set(), expected);
        }
        drop(birth);
        drop(family);
    }

    #[test]
    fn a_signal_that_another_thread_was_woken_for_comes_before_the_birth() {
        let (family, parent) = testing::program();
        let other = testing::another_thread(parent.process());
        send_to_process(parent.process(), &info(Signal::USR1)).unwrap();
        assert!(parent.is_interrupted() && !other.is_interrupted());
        assert!(Birth::begin(&other).is_err());
        assert!(!other.birth_signals.is_under_way.load(Ordering::Relaxed));
        drop(family);
    }

    #[test]
    fn no_child_misses_a_signal_to_the_group() {
        const ROUNDS: usize = 300;
        let (family, parent) = testing::program();
        let process = parent.process();
        let barrier = std::sync::Barrier::new(2);
        let mut children = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    barrier.wait();
                    (0..round % 64).for_each(|_| std::thread::yield_now());
                    send_to_group(process.group(), &info(Signal::USR1));
                    barrier.wait();
                }
            });
            let ctx = Context::new(&parent, TrapFrame::new_user(0x40_0000, 0x1000)).unwrap();
            for _ in 0..ROUNDS {
                barrier.wait();
                let child = clone::clone(&ctx, &CloneRequest::FORK);
                barrier.wait();
                process.pending.discard(SigSet::ALL);
                parent.remove_work(Work::SIGNAL);
                let Ok(number) = child else { continue };
                let child = pid::process(number).unwrap();
                assert!(child.pending().contains(Signal::USR1));
                children += 1;
                testing::forget(&child);
            }
        });
        assert!(children > 0);
        drop(family);
    }
}
