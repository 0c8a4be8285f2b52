//! Real-time threads that could run: strictly by priority, first come first served within one, and with a limit
//! on what all of them take, so that a loop at the highest priority does not end all else (sched(7)).

use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use core::cmp::Reverse;

use los_abi::errno::Errno;

use super::ready::{Place, Ready, Tickets};
use crate::thread::Thread;

/// Time over which the share of real-time threads is limited (`sched_rt_period_us`).
pub(super) const PERIOD_NS: u64 = 1_000_000_000;
/// What they may take of it (`sched_rt_runtime_us`).
pub(super) const BUDGET_NS: u64 = 950_000_000;

/// The real-time threads of a run queue.
pub(super) struct RealTime {
    ready: BinaryHeap<Ready<LineKey>>,
    tickets: Tickets,
    period_start_ns: u64,
    used_ns: u64,
}

/// Highest priority first, then the least ticket.
type LineKey = (u32, Reverse<i64>);

impl RealTime {
    pub(super) const fn new() -> Self {
        Self {
            ready: BinaryHeap::new(),
            tickets: Tickets::new(),
            period_start_ns: 0,
            used_ns: 0,
        }
    }

    /// Makes room for this many threads.
    pub(super) fn reserve(&mut self, threads: usize) -> Result<(), Errno> {
        let missing = threads.saturating_sub(self.ready.len());
        self.ready.try_reserve(missing).map_err(|_| Errno::ENOMEM)
    }

    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Returns the priority of the thread that goes next, 0 for none.
    pub(super) fn highest(&self) -> u32 {
        self.ready.peek().map_or(0, |first| first.key.0)
    }

    pub(super) fn push(&mut self, thread: Arc<Thread>, place: Place) {
        let ticket = self.tickets.draw(place);
        self.ready.push(Ready {
            key: (thread.entity.priority(), Reverse(ticket)),
            thread,
        });
    }

    pub(super) fn pop(&mut self) -> Option<Arc<Thread>> {
        Some(self.ready.pop()?.thread)
    }

    /// Takes a thread out of the line; false when it is not in it.
    pub(super) fn remove(&mut self, thread: &Arc<Thread>) -> bool {
        let before = self.ready.len();
        self.ready.retain(|ready| !Arc::ptr_eq(&ready.thread, thread));
        self.ready.len() < before
    }

    /// Counts time that a real-time thread has run.
    pub(super) fn charge(&mut self, ran_ns: u64, now_ns: u64) {
        if now_ns.saturating_sub(self.period_start_ns) >= PERIOD_NS {
            self.period_start_ns = now_ns.saturating_sub(ran_ns);
            self.used_ns = 0;
        }
        self.used_ns += ran_ns;
    }

    /// Tells whether real-time threads have had their share of this period.
    #[inline]
    pub(super) fn is_exhausted(&self, now_ns: u64) -> bool {
        self.used_ns >= BUDGET_NS && now_ns.saturating_sub(self.period_start_ns) < PERIOD_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sched::{Policy, Schedule};
    use crate::testing;

    fn thread(priority: u32) -> Arc<Thread> {
        let thread = testing::thread();
        thread.entity.set_schedule(Schedule {
            policy: Policy::Fifo,
            priority,
            ..Schedule::default()
        });
        thread
    }

    #[test]
    fn priority_counts_first_and_then_the_line() {
        let threads = [5, 9, 5, 5].map(thread);
        let mut line = RealTime::new();
        line.reserve(4).unwrap();
        for thread in &threads[..3] {
            line.push(thread.clone(), Place::Tail);
        }
        line.push(threads[3].clone(), Place::Head);
        assert_eq!(line.highest(), 9);
        assert!(line.remove(&threads[2]));
        assert!(!line.remove(&threads[2]));
        let order: alloc::vec::Vec<_> = core::iter::from_fn(|| line.pop()).map(|it| it.tid()).collect();
        assert_eq!(order, [1, 3, 0].map(|index: usize| threads[index].tid()));
        assert_eq!(line.highest(), 0);
    }

    #[test]
    fn something_of_every_period_is_left_to_others() {
        let mut line = RealTime::new();
        let mut now = 5 * PERIOD_NS;
        line.charge(BUDGET_NS / 2, now);
        assert!(!line.is_exhausted(now));
        now += BUDGET_NS / 2;
        line.charge(BUDGET_NS / 2, now);
        assert!(line.is_exhausted(now));
        assert!(!line.is_exhausted(now + PERIOD_NS));
        line.charge(1, now + PERIOD_NS);
        assert!(!line.is_exhausted(now + PERIOD_NS));
    }
}
