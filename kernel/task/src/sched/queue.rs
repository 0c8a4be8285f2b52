//! One CPU's run queue: who runs, who could, and whose registers the processor holds.

use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use core::cmp::Ordering;

use los_abi::errno::Errno;
use los_arch::Current;
use los_arch::hal::prelude::Cpu;

use super::Leave;
use super::entity::State;
use crate::process::Process;
use crate::thread::{Thread, Work};

/// How far ahead of the others a thread starts that was asleep.
const WAKE_BONUS_NS: u64 = 2_000_000;
/// How far ahead a woken thread must be to interrupt the running one.
const WAKE_GRANULARITY_NS: u64 = 1_000_000;

/// One CPU's run queue.
pub(super) struct RunQueue {
    pub(super) current: Option<Arc<Thread>>,
    pub(super) idle: Option<Arc<Thread>>,
    ready: BinaryHeap<Ready>,
    /// Threads that may be in `ready` at the same time.
    promised: usize,
    /// Orders threads of equal runtime by arrival.
    next_ticket: u64,
    /// Virtual runtime that the queue as a whole has reached.
    least_ns: u64,
    /// When the current thread was last charged.
    pub(super) switched_ns: u64,
    /// The thread whose user registers the processor holds.
    pub(super) register_owner: Option<Arc<Thread>>,
    /// The address space that is active, by identity; 0 before the first.
    pub(super) active_space: usize,
    pub(super) switches: u64,
    /// Ticks that found user code, and the kernel, at work.
    pub(super) ticks: [u64; 2],
}

/// A runnable thread in its place.
struct Ready {
    virtual_ns: u64,
    ticket: u64,
    thread: Arc<Thread>,
}

// The greatest entry is the next to run: least runtime first, then first come first served.
impl Ord for Ready {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.virtual_ns, other.ticket).cmp(&(self.virtual_ns, self.ticket))
    }
}
impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Ready {}

impl RunQueue {
    pub(super) const fn new() -> Self {
        Self {
            current: None,
            idle: None,
            ready: BinaryHeap::new(),
            promised: 0,
            next_ticket: 0,
            least_ns: 0,
            switched_ns: 0,
            register_owner: None,
            active_space: 0,
            switches: 0,
            ticks: [0; 2],
        }
    }

    pub(super) fn reserve_thread(&mut self) -> Result<(), Errno> {
        let missing = self.promised + 1 - self.ready.len();
        self.ready.try_reserve(missing).map_err(|_| Errno::ENOMEM)?;
        self.promised += 1;
        Ok(())
    }

    pub(super) fn release_thread(&mut self) {
        self.promised -= 1;
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    pub(super) fn is_idle(&self, thread: &Arc<Thread>) -> bool {
        self.idle.as_ref().is_some_and(|idle| Arc::ptr_eq(idle, thread))
    }

    /// Returns the number of threads that run or could.
    pub(super) fn runnable(&self) -> usize {
        let running = self.current.as_ref().is_some_and(|it| !self.is_idle(it));
        self.ready.len() + usize::from(running)
    }

    pub(super) fn least_runtime(&self) -> u64 {
        self.least_ns
    }

    /// Adds a runnable thread.
    pub(super) fn push(&mut self, thread: Arc<Thread>) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.ready.push(Ready {
            virtual_ns: thread.entity.virtual_ns(),
            ticket,
            thread,
        });
    }

    /// Adds a thread that was asleep, and lets it interrupt the running one if it is far behind.
    pub(super) fn wake(&mut self, thread: Arc<Thread>) {
        let entity = &thread.entity;
        entity.start_at(self.least_ns.saturating_sub(WAKE_BONUS_NS));
        if let Some(current) = &self.current {
            let urgent = entity.virtual_ns() + WAKE_GRANULARITY_NS < current.entity.virtual_ns();
            if urgent {
                current.add_work(Work::RESCHEDULE);
            }
        }
        self.push(thread);
    }

    /// Takes the thread that should run now.
    pub(super) fn pick(&mut self) -> Arc<Thread> {
        match self.ready.pop() {
            Some(ready) => {
                self.least_ns = self.least_ns.max(ready.virtual_ns);
                ready.thread
            }
            None => self.idle.clone().expect("every CPU has an idle thread"),
        }
    }

    /// Puts the running thread where it belongs; false when it goes on.
    pub(super) fn leave(&mut self, thread: &Arc<Thread>, leave: Leave) -> bool {
        let entity = &thread.entity;
        match leave {
            Leave::Idle => !self.ready.is_empty(),
            Leave::Yield | Leave::Preempted => {
                thread.remove_work(Work::RESCHEDULE);
                let Some(first) = self.ready.peek() else {
                    return false;
                };
                if leave == Leave::Yield {
                    entity.start_at(first.virtual_ns);
                }
                if !self.is_idle(thread) {
                    self.push(thread.clone());
                }
                true
            }
            // The idle thread is never parked: it comes back when nothing else can run.
            Leave::Park if self.is_idle(thread) => !self.ready.is_empty(),
            Leave::Park => {
                entity.set_state(State::Parked);
                // Another CPU may have claimed the thread already; then it is in a queue and this one leaves.
                if entity.token.swap(false, core::sync::atomic::Ordering::SeqCst) && entity.claim_parked() {
                    return false;
                }
                thread.accounting.count_voluntary_switch();
                true
            }
            Leave::Exit => {
                entity.set_state(State::Dead);
                true
            }
        }
    }

    /// Charges the running thread for the time since it was last charged.
    pub(super) fn charge(&mut self, now: u64) {
        if let Some(current) = self.current.clone() {
            self.charge_thread(&current, now);
        }
    }

    pub(super) fn charge_thread(&mut self, thread: &Arc<Thread>, now: u64) {
        let ran_ns = now.saturating_sub(self.switched_ns);
        self.switched_ns = now;
        thread.accounting.add_runtime(ran_ns);
        thread.entity.advance(ran_ns);
    }

    /// Ends the running thread's time slice if another one has run less.
    pub(super) fn tick(&mut self, thread: &Thread) {
        if let Some(first) = self.ready.peek()
            && first.virtual_ns < thread.entity.virtual_ns()
        {
            thread.accounting.count_involuntary_switch();
            thread.add_work(Work::RESCHEDULE);
        }
    }

    /// Returns the thread's process if its memory is not the active one, and notes that it will be.
    #[inline]
    pub(super) fn process_to_activate(&mut self, thread: &Arc<Thread>) -> Option<Arc<Process>> {
        let space = thread.process().space();
        if space == 0 || space == self.active_space {
            return None;
        }
        self.active_space = space;
        Some(thread.process().clone())
    }

    /// Brings a thread's user registers into the processor, saving those of the thread they belong to. They
    /// stay there while kernel threads run; a thread that moves to another CPU must be saved before.
    #[inline]
    pub(super) fn load_user_registers(&mut self, thread: &Arc<Thread>) {
        if let Some(owner) = &self.register_owner {
            if Arc::ptr_eq(owner, thread) {
                return;
            }
            Current::save_user_state(&mut owner.user_state.lock());
        }
        Current::load_user_state(&thread.user_state.lock());
        self.register_owner = Some(thread.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_least_runtime_goes_first_and_ties_go_in_order() {
        let threads = [30, 10, 10, 20].map(|virtual_ns| {
            let thread = testing::thread();
            thread.entity.start_at(virtual_ns);
            thread
        });
        let mut queue = RunQueue::new();
        for thread in &threads {
            queue.reserve_thread().unwrap();
            queue.push(thread.clone());
        }
        let order: alloc::vec::Vec<_> = (0..4).map(|_| queue.pick().tid()).collect();
        let expected = [1, 2, 3, 0].map(|index: usize| threads[index].tid());
        assert_eq!(order, expected);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_token_makes_parking_return_at_once() {
        let thread = testing::thread();
        let mut queue = RunQueue::new();
        thread
            .entity
            .token
            .store(true, core::sync::atomic::Ordering::SeqCst);
        assert!(!queue.leave(&thread, Leave::Park));
        assert!(queue.leave(&thread, Leave::Park));
        assert_eq!(thread.entity.state(), State::Parked);
    }

    #[test]
    fn yielding_alone_goes_on() {
        let thread = testing::thread();
        let mut queue = RunQueue::new();
        assert!(!queue.leave(&thread, Leave::Yield));
    }

    #[test]
    fn a_sleeper_starts_a_little_ahead_and_interrupts() {
        let (runner, sleeper) = (testing::thread(), testing::thread());
        let mut queue = RunQueue::new();
        queue.reserve_thread().unwrap();
        runner.entity.start_at(100_000_000);
        queue.least_ns = 100_000_000;
        queue.current = Some(runner.clone());
        queue.wake(sleeper.clone());
        assert_eq!(sleeper.entity.virtual_ns(), 100_000_000 - WAKE_BONUS_NS);
        assert!(runner.work().contains(Work::RESCHEDULE));
    }
}
