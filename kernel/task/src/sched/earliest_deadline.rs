//! The threads with deadlines of a run queue: who goes next, who has to wait for the next period, and how much
//! of the processor is in use (SCHED_DEADLINE of sched(7)).

use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use core::cmp::Reverse;

use los_abi::errno::Errno;

use super::entity::Entity;
use super::ready::{Place, Ready, Tickets};
use crate::thread::Thread;

/// The least time first, then the least ticket.
type TimeKey = Reverse<(u64, i64)>;

/// The threads with deadlines of a run queue.
pub(super) struct EarliestDeadline {
    /// By deadline.
    ready: BinaryHeap<Ready<TimeKey>>,
    /// Those that have used up their budget, by the start of the next period.
    throttled: BinaryHeap<Ready<TimeKey>>,
    /// Those that sleep and whose bandwidth counts as used for a while, by the end of that.
    leaving: BinaryHeap<Ready<TimeKey>>,
    tickets: Tickets,
    /// Bandwidth of the threads that count as active.
    active: u64,
}

impl EarliestDeadline {
    pub(super) const fn new() -> Self {
        Self {
            ready: BinaryHeap::new(),
            throttled: BinaryHeap::new(),
            leaving: BinaryHeap::new(),
            tickets: Tickets::new(),
            active: 0,
        }
    }

    /// Makes room for this many threads.
    pub(super) fn reserve(&mut self, threads: usize) -> Result<(), Errno> {
        for heap in [&mut self.ready, &mut self.throttled, &mut self.leaving] {
            let missing = threads.saturating_sub(heap.len());
            heap.try_reserve(missing).map_err(|_| Errno::ENOMEM)?;
        }
        Ok(())
    }

    /// Returns the number of threads that could run.
    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Returns the nearest deadline of those that could run, or a time that never comes.
    pub(super) fn first_deadline_ns(&self) -> u64 {
        self.ready.peek().map_or(u64::MAX, |first| first.key.0.0)
    }

    /// Returns when the next thread is to get a new budget.
    pub(super) fn next_period_ns(&self) -> Option<u64> {
        self.throttled.peek().map(|first| first.key.0.0)
    }

    /// Adds a runnable thread: to those that could run, or that wait for their next period.
    pub(super) fn push(&mut self, thread: Arc<Thread>, place: Place, now_ns: u64) {
        self.activate(&thread);
        let entity = &thread.entity;
        if entity.served.budget().is_exhausted() {
            let next_ns = entity.served.next_period_ns();
            if next_ns > now_ns {
                let ticket = self.tickets.draw(Place::Tail);
                self.throttled.push(Ready {
                    key: Reverse((next_ns, ticket)),
                    thread,
                });
                return;
            }
            entity.served.replenish(now_ns);
        }
        let ticket = self.tickets.draw(place);
        self.ready.push(Ready {
            key: Reverse((entity.served.budget().deadline_ns, ticket)),
            thread,
        });
    }

    pub(super) fn pop(&mut self) -> Option<Arc<Thread>> {
        Some(self.ready.pop()?.thread)
    }

    /// Takes the next thread whose new period has come out of those that wait for it.
    pub(super) fn pop_throttled(&mut self, now_ns: u64) -> Option<Arc<Thread>> {
        if self.next_period_ns()? > now_ns {
            return None;
        }
        Some(self.throttled.pop()?.thread)
    }

    /// Takes a runnable thread out; false when it is not in.
    pub(super) fn remove(&mut self, thread: &Arc<Thread>) -> bool {
        take(&mut self.ready, thread) || take(&mut self.throttled, thread)
    }

    /// Notes that a thread sleeps. Its bandwidth counts as used until what it had left is used up at its rate: else
    /// a thread could sleep for a moment and have the time twice.
    pub(super) fn sleep(&mut self, thread: &Arc<Thread>, now_ns: u64) {
        let until_ns = thread.entity.served.inactive_from_ns();
        if until_ns <= now_ns {
            self.deactivate(&thread.entity);
            return;
        }
        let ticket = self.tickets.draw(Place::Tail);
        self.leaving.push(Ready {
            key: Reverse((until_ns, ticket)),
            thread: thread.clone(),
        });
    }

    /// Notes that a thread has no deadline any more, or no life.
    pub(super) fn forget(&mut self, thread: &Arc<Thread>) {
        take(&mut self.leaving, thread);
        self.deactivate(&thread.entity);
    }

    /// Counts a thread's bandwidth as used.
    pub(super) fn activate(&mut self, thread: &Arc<Thread>) {
        take(&mut self.leaving, thread);
        if !thread.entity.served.set_active(true) {
            self.active += thread.entity.served.bandwidth();
        }
    }

    fn deactivate(&mut self, entity: &Entity) {
        if entity.served.set_active(false) {
            self.active -= entity.served.bandwidth();
        }
    }

    /// Returns the bandwidth that is in use now.
    pub(super) fn active(&mut self, now_ns: u64) -> u64 {
        while let Some(first) = self.leaving.peek()
            && first.key.0.0 <= now_ns
            && let Some(left) = self.leaving.pop()
        {
            self.deactivate(&left.thread.entity);
        }
        self.active
    }
}

fn take(heap: &mut BinaryHeap<Ready<TimeKey>>, thread: &Arc<Thread>) -> bool {
    let before = heap.len();
    if before > 0 {
        heap.retain(|ready| !Arc::ptr_eq(&ready.thread, thread));
    }
    heap.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sched::{Policy, Reservation, Schedule};
    use crate::testing;

    const MS: u64 = 1_000_000;

    fn thread(runtime_ms: u64, period_ms: u64) -> Arc<Thread> {
        let thread = testing::thread();
        let reservation = Reservation {
            runtime_ns: runtime_ms * MS,
            deadline_ns: period_ms * MS,
            period_ns: period_ms * MS,
            ..Reservation::default()
        };
        thread.entity.set_schedule(Schedule {
            policy: Policy::Deadline,
            reservation,
            ..Schedule::default()
        });
        thread.entity.served.start(0);
        thread
    }

    #[test]
    fn the_nearest_deadline_goes_first_and_the_exhausted_wait() {
        let threads = [thread(1, 30), thread(1, 10), thread(1, 20)];
        let mut line = EarliestDeadline::new();
        line.reserve(3).unwrap();
        threads[2].entity.served.spend(MS);
        for thread in &threads {
            line.push(thread.clone(), Place::Tail, 2 * MS);
        }
        assert_eq!((line.len(), line.first_deadline_ns()), (2, 10 * MS));
        assert_eq!(line.next_period_ns(), Some(20 * MS));
        assert!(line.pop_throttled(19 * MS).is_none());
        let renewed = line.pop_throttled(20 * MS).unwrap();
        line.push(renewed, Place::Tail, 20 * MS);
        let order: alloc::vec::Vec<_> = core::iter::from_fn(|| line.pop()).map(|it| it.tid()).collect();
        assert_eq!(order, [1, 0, 2].map(|index: usize| threads[index].tid()));
        assert_eq!(threads[2].entity.served.budget().deadline_ns, 40 * MS);
    }

    #[test]
    fn sleepers_count_for_as_long_as_they_could_still_run() {
        let half = thread(5, 10);
        let mut line = EarliestDeadline::new();
        line.reserve(1).unwrap();
        line.push(half.clone(), Place::Tail, 0);
        let bandwidth = half.entity.served.bandwidth();
        assert_eq!(line.active(0), bandwidth);
        line.pop();
        half.entity.served.spend(MS);
        line.sleep(&half, MS);
        // Four milliseconds at half the speed: until two milliseconds after the start.
        assert_eq!(line.active(2 * MS - 1), bandwidth);
        assert_eq!(line.active(2 * MS), 0);
        half.entity.served.wake_up(3 * MS);
        line.push(half.clone(), Place::Tail, 3 * MS);
        assert_eq!(line.active(3 * MS), bandwidth);
        assert!(line.remove(&half));
        line.forget(&half);
        assert_eq!(line.active(3 * MS), 0);
    }
}
