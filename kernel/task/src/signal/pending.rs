//! Signals that were sent and not yet taken: standard ones once each, real-time ones in a queue.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::signal::{SI_USER, SigInfo, SigSet, Signal};
use sync::{Rank, SpinLock};

use super::SYNCHRONOUS;
use super::quota::{Allowance, Charge};
use crate::posix_timer::PosixTimer;

/// Pending signals of a thread or a process.
pub struct PendingQueue {
    /// Signals that are in the queue, readable without the lock.
    members: AtomicU64,
    queue: SpinLock<VecDeque<Queued>>,
}

/// A signal with what it tells.
struct Queued {
    info: SigInfo,
    place: Place,
}

/// What a queued signal's place counts for.
enum Place {
    /// One of the user's signals, until this is dropped.
    Charged(#[expect(dead_code, reason = "its drop counts")] Charge),
    /// The one that a timer has reserved for its signal, which is of this era of the timer.
    Timer(Arc<PosixTimer>, u64),
}

impl PendingQueue {
    pub(crate) const fn new() -> Self {
        Self {
            members: AtomicU64::new(0),
            queue: SpinLock::new(Rank::Signal, VecDeque::new()),
        }
    }

    /// Returns the pending signals.
    #[inline]
    pub fn members(&self) -> SigSet {
        SigSet(self.members.load(Ordering::SeqCst))
    }

    /// Reports whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.members().is_empty()
    }

    /// Adds a signal; a standard one that is pending already stays as it is.
    ///
    /// # Errors
    /// EAGAIN for a real-time signal with data beyond the allowance or without memory. The other ones lose
    /// their data instead; standard ones of the kernel and of kill(2) know no limit.
    pub(crate) fn push(&self, signal: Signal, info: &SigInfo, allowance: Allowance) -> Result<(), Errno> {
        let mut queue = self.queue.lock();
        if !signal.is_real_time() && self.members().contains(signal) {
            return Ok(());
        }
        let allowance = if !signal.is_real_time() && info.si_code >= 0 {
            allowance.unlimited()
        } else {
            allowance
        };
        let charge = queue.try_reserve(1).ok().and_then(|()| Charge::take(allowance));
        match charge {
            Some(charge) => queue.push_back(Queued {
                info: *info,
                place: Place::Charged(charge),
            }),
            None if signal.is_real_time() && info.si_code != SI_USER => return Err(Errno::EAGAIN),
            None => {}
        }
        self.members
            .fetch_or(SigSet::EMPTY.with(signal).0, Ordering::SeqCst);
        Ok(())
    }

    /// Adds the signal of a timer, of which there is one at a time.
    ///
    /// # Errors
    /// EAGAIN without memory, and when the timer was set or deleted since that era.
    pub(crate) fn push_timer(
        &self,
        signal: Signal,
        info: &SigInfo,
        timer: Arc<PosixTimer>,
        era: u64,
    ) -> Result<(), Errno> {
        let mut queue = self.queue.lock();
        queue.try_reserve(1).map_err(|_| Errno::EAGAIN)?;
        if !timer.is_current(era) {
            return Err(Errno::EAGAIN);
        }
        queue.push_back(Queued {
            info: *info,
            place: Place::Timer(timer, era),
        });
        self.members
            .fetch_or(SigSet::EMPTY.with(signal).0, Ordering::SeqCst);
        Ok(())
    }

    /// Adds signals of which nothing is told.
    pub(crate) fn inherit(&self, signals: SigSet) {
        let _queue = self.queue.lock();
        self.members.fetch_or(signals.0, Ordering::SeqCst);
    }

    /// Takes back the signal of a timer, if it is of an era before this one.
    pub(crate) fn withdraw(&self, timer: &PosixTimer, before: u64) {
        let mut queue = self.queue.lock();
        let is_its = |queued: &Queued| match &queued.place {
            Place::Timer(sender, era) => *era < before && core::ptr::eq(Arc::as_ptr(sender), timer),
            Place::Charged(_) => false,
        };
        let Some(withdrawn) = queue
            .iter()
            .position(is_its)
            .and_then(|index| queue.remove(index))
        else {
            return;
        };
        let number = withdrawn.info.si_signo;
        if !queue.iter().any(|queued| queued.info.si_signo == number)
            && let Some(signal) = withdrawn.info.signal()
        {
            self.members
                .fetch_and(!SigSet::EMPTY.with(signal).0, Ordering::SeqCst);
        }
        drop(queue);
        drop(withdrawn);
    }

    /// Takes the next signal of a set: synchronous ones first, then by number, then by arrival.
    pub(crate) fn take(&self, allowed: SigSet) -> Option<SigInfo> {
        let candidates = self.members().intersection(allowed);
        if candidates.is_empty() {
            return None;
        }
        let mut queue = self.queue.lock();
        let candidates = self.members().intersection(allowed);
        let urgent = candidates.intersection(SYNCHRONOUS);
        let signal = urgent.first().or(candidates.first())?;
        let number = signal.number() as i32;
        let index = queue.iter().position(|queued| queued.info.si_signo == number);
        let taken = index.and_then(|index| queue.remove(index));
        if !queue.iter().any(|queued| queued.info.si_signo == number) {
            self.members
                .fetch_and(!SigSet::EMPTY.with(signal).0, Ordering::SeqCst);
        }
        drop(queue);
        let Some(mut taken) = taken else {
            return Some(SigInfo::new(signal, SI_USER));
        };
        if let Place::Timer(timer, era) = &taken.place {
            timer.taken(*era, &mut taken.info);
        }
        Some(taken.info)
    }

    /// Drops all signals of a set.
    pub(crate) fn discard(&self, set: SigSet) {
        if self.members().intersection(set).is_empty() {
            return;
        }
        let mut queue = self.queue.lock();
        queue.retain(|queued| {
            let stays = !queued.info.signal().is_some_and(|signal| set.contains(signal));
            if !stays && let Place::Timer(timer, era) = &queued.place {
                timer.dropped(*era);
            }
            stays
        });
        self.members.fetch_and(!set.0, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use los_abi::signal::SI_QUEUE;
    use proptest::prelude::*;

    use super::*;

    /// For users whose signals the other tests do not count.
    fn allowance(uid: u32, limit: u64) -> Allowance {
        Allowance { uid, limit }
    }

    fn signal(number: u32) -> Signal {
        Signal::new(number).unwrap()
    }

    #[test]
    fn standard_signals_coalesce_and_real_time_ones_queue() {
        let pending = PendingQueue::new();
        for value in 0..3 {
            for number in [10, 40] {
                let info = SigInfo::queue(signal(number), 1, 0, value);
                pending
                    .push(signal(number), &info, allowance(72_000, 100))
                    .unwrap();
            }
        }
        let taken: Vec<_> = core::iter::from_fn(|| pending.take(SigSet::ALL))
            .map(|info| (info.si_signo, info.value()))
            .collect();
        assert_eq!(taken, [(10, 0), (40, 0), (40, 1), (40, 2)]);
        assert!(pending.is_empty());
    }

    #[test]
    fn the_limit_refuses_data_but_not_kill() {
        let pending = PendingQueue::new();
        let queued = SigInfo::queue(signal(40), 1, 0, 0);
        assert_eq!(queued.si_code, SI_QUEUE);
        let none = allowance(72_001, 0);
        assert_eq!(pending.push(signal(40), &queued, none), Err(Errno::EAGAIN));
        assert!(pending.is_empty());
        let killed = SigInfo::kill(signal(40), SI_USER, 1, 0);
        pending.push(signal(40), &killed, none).unwrap();
        assert_eq!(pending.take(SigSet::ALL).unwrap().si_signo, 40);
    }

    #[test]
    fn faults_come_first() {
        let pending = PendingQueue::new();
        for which in [Signal::HUP, Signal::SEGV] {
            pending
                .push(which, &SigInfo::new(which, 1), allowance(72_002, 9))
                .unwrap();
        }
        assert_eq!(pending.take(SigSet::ALL).unwrap().signal(), Some(Signal::SEGV));
    }

    proptest! {
        #[test]
        fn members_always_match_the_queue(steps in prop::collection::vec((1_u32..=64, 0_u8..4), 0..100)) {
            let pending = PendingQueue::new();
            for (number, step) in steps {
                let which = signal(number);
                match step {
                    0 | 1 => pending.push(which, &SigInfo::new(which, SI_USER), allowance(72_003, 1000)).unwrap(),
                    2 => drop(pending.take(SigSet::EMPTY.with(which))),
                    _ => pending.discard(SigSet::EMPTY.with(which)),
                }
                let queued = pending
                    .queue
                    .lock()
                    .iter()
                    .filter_map(|queued| queued.info.signal())
                    .fold(SigSet::EMPTY, SigSet::with);
                prop_assert_eq!(pending.members(), queued);
            }
        }
    }
}
