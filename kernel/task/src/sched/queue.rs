//! One CPU's run queue: who runs, who could, and whose registers the processor holds.

use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use core::cmp::Ordering;

use los_abi::errno::Errno;
use los_arch::Current;
use los_arch::hal::prelude::Cpu;

use super::Leave;
use super::entity::{Entity, State};
use super::policy::{Policy, Schedule};
use super::real_time::{Place, RealTime};
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
    real_time: RealTime,
    ready: BinaryHeap<Ready>,
    /// Threads that may be ready at the same time.
    promised: usize,
    /// Orders threads of equal runtime by arrival.
    next_ticket: u64,
    /// Virtual runtime that the queue as a whole has reached.
    least_ns: u64,
    /// When the current thread was last charged.
    pub(super) switched_ns: u64,
    /// When the last tick was.
    pub(super) ticked_ns: u64,
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
            real_time: RealTime::new(),
            ready: BinaryHeap::new(),
            promised: 0,
            next_ticket: 0,
            least_ns: 0,
            switched_ns: 0,
            ticked_ns: 0,
            register_owner: None,
            active_space: 0,
            switches: 0,
            ticks: [0; 2],
        }
    }

    pub(super) fn reserve_thread(&mut self) -> Result<(), Errno> {
        let missing = self.promised + 1 - self.ready.len();
        self.ready.try_reserve(missing).map_err(|_| Errno::ENOMEM)?;
        self.real_time.reserve(self.promised + 1)?;
        self.promised += 1;
        Ok(())
    }

    pub(super) fn release_thread(&mut self) {
        self.promised -= 1;
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.real_time.is_empty()
    }

    pub(super) fn is_idle(&self, thread: &Arc<Thread>) -> bool {
        self.idle.as_ref().is_some_and(|idle| Arc::ptr_eq(idle, thread))
    }

    /// Returns the number of threads that run or could.
    pub(super) fn runnable(&self) -> usize {
        let running = self.current.as_ref().is_some_and(|it| !self.is_idle(it));
        self.ready.len() + self.real_time.len() + usize::from(running)
    }

    /// Adds a runnable thread; a real-time one goes behind its like.
    pub(super) fn push(&mut self, thread: Arc<Thread>) {
        self.push_at(thread, Place::Tail);
    }

    fn push_at(&mut self, thread: Arc<Thread>, place: Place) {
        if thread.entity.priority() != 0 {
            return self.real_time.push(thread, place);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.ready.push(Ready {
            virtual_ns: thread.entity.virtual_ns(),
            ticket,
            thread,
        });
    }

    /// Adds a thread that has never run.
    pub(super) fn start(&mut self, thread: Arc<Thread>) {
        thread.entity.start_at(self.least_ns);
        if thread.entity.priority() != 0 {
            self.interrupt_for(&thread);
        }
        self.push(thread);
    }

    /// Adds a thread that was asleep, and lets it interrupt the running one if it is far behind.
    pub(super) fn wake(&mut self, thread: Arc<Thread>) {
        let entity = &thread.entity;
        entity.has_slept();
        entity.start_at(self.least_ns.saturating_sub(WAKE_BONUS_NS));
        self.interrupt_for(&thread);
        self.push(thread);
    }

    /// Ends the running thread's turn if this one should go before it.
    fn interrupt_for(&self, thread: &Thread) {
        let Some(current) = &self.current else { return };
        let (entity, running) = (&thread.entity, &current.entity);
        let is_urgent = if entity.priority() != 0 {
            entity.priority() > running.priority()
        } else if running.priority() != 0 || entity.policy() == Policy::Batch {
            false
        } else {
            match (entity.policy(), running.policy()) {
                (Policy::Idle, Policy::Idle) => false,
                (Policy::Idle, _) => self.is_idle(current),
                (_, Policy::Idle) => true,
                _ => entity.virtual_ns() + WAKE_GRANULARITY_NS < running.virtual_ns(),
            }
        };
        if is_urgent {
            current.add_work(Work::RESCHEDULE);
        }
    }

    /// Changes how a thread is scheduled, wherever it is.
    pub(super) fn change(&mut self, thread: &Arc<Thread>, schedule: Schedule) {
        self.rearrange(thread, |entity| {
            entity.set_schedule(schedule);
            entity.renew_turn();
        });
    }

    /// Changes the priority that a thread has from those who wait for its locks.
    pub(super) fn inherit(&mut self, thread: &Arc<Thread>, priority: u32) {
        self.rearrange(thread, |entity| entity.set_inherited_priority(priority));
    }

    fn rearrange(&mut self, thread: &Arc<Thread>, change: impl FnOnce(&Entity)) {
        let was_ready = self.real_time.remove(thread) || self.remove_sharing(thread);
        change(&thread.entity);
        // Real-time threads do not age, and must not have that as an advantage afterwards.
        thread
            .entity
            .start_at(self.least_ns.saturating_sub(WAKE_BONUS_NS));
        if was_ready {
            self.interrupt_for(thread);
            self.push(thread.clone());
        } else if self.current.as_ref().is_some_and(|it| Arc::ptr_eq(it, thread)) {
            thread.add_work(Work::RESCHEDULE);
        }
    }

    fn remove_sharing(&mut self, thread: &Arc<Thread>) -> bool {
        let before = self.ready.len();
        self.ready.retain(|ready| !Arc::ptr_eq(&ready.thread, thread));
        self.ready.len() < before
    }

    /// Takes the thread that should run now.
    pub(super) fn pick(&mut self, now_ns: u64) -> Arc<Thread> {
        if !self.real_time.is_empty()
            && (self.ready.is_empty() || !self.real_time.is_exhausted(now_ns))
            && let Some(thread) = self.real_time.pop()
        {
            return thread;
        }
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
            Leave::Idle => !self.is_empty(),
            Leave::Yield | Leave::Preempted => self.give_way(thread, leave),
            // The idle thread is never parked: it comes back when nothing else can run.
            Leave::Park if self.is_idle(thread) => !self.is_empty(),
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

    /// Puts a thread that could go on among the others; false when there are none.
    fn give_way(&mut self, thread: &Arc<Thread>, leave: Leave) -> bool {
        let entity = &thread.entity;
        thread.remove_work(Work::RESCHEDULE);
        if self.is_empty() {
            return false;
        }
        if self.is_idle(thread) {
            return true;
        }
        if entity.priority() != 0 {
            let stays_first = leave == Leave::Preempted && !entity.is_turn_over();
            if entity.is_turn_over() {
                entity.renew_turn();
            }
            let place = if stays_first { Place::Head } else { Place::Tail };
            self.push_at(thread.clone(), place);
            return true;
        }
        if leave == Leave::Yield
            && let Some(first) = self.ready.peek()
        {
            entity.start_at(first.virtual_ns);
        }
        self.push(thread.clone());
        true
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
        if thread.entity.priority() != 0 {
            thread.entity.take_turn(ran_ns);
            self.real_time.charge(ran_ns, now);
        } else {
            thread.entity.advance(ran_ns);
        }
    }

    /// Ends the running thread's turn if another one should run now.
    pub(super) fn tick(&mut self, thread: &Thread, now: u64) {
        let entity = &thread.entity;
        let (own, waiting) = (entity.priority(), self.real_time.highest());
        let is_exhausted = self.real_time.is_exhausted(now);
        let is_over = if own != 0 {
            if entity.is_turn_over() && waiting < own {
                entity.renew_turn();
            }
            waiting > own || entity.is_turn_over() || is_exhausted && !self.ready.is_empty()
        } else {
            let has_older = |first: &Ready| first.virtual_ns < entity.virtual_ns();
            waiting != 0 && !is_exhausted || self.ready.peek().is_some_and(has_older)
        };
        if is_over {
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
        let order: alloc::vec::Vec<_> = (0..4).map(|_| queue.pick(0).tid()).collect();
        let expected = [1, 2, 3, 0].map(|index: usize| threads[index].tid());
        assert_eq!(order, expected);
        assert!(queue.is_empty());
    }

    fn real_time(policy: Policy, priority: u32) -> Schedule {
        Schedule {
            policy,
            priority,
            ..Schedule::default()
        }
    }

    /// Makes a queue with one running thread and some that wait.
    fn queue_of(running: &Arc<Thread>, ready: &[&Arc<Thread>]) -> RunQueue {
        let mut queue = RunQueue::new();
        for _ in 0..=ready.len() {
            queue.reserve_thread().unwrap();
        }
        queue.current = Some(running.clone());
        for thread in ready {
            queue.push((*thread).clone());
        }
        queue
    }

    #[test]
    fn real_time_goes_first_and_what_it_leaves_is_shared() {
        let threads = [0, 1, 2].map(|_| testing::thread());
        let [sharing, low, high] = &threads;
        let mut queue = queue_of(sharing, &[low]);
        queue.change(low, real_time(Policy::Fifo, 10));
        assert!(sharing.work().contains(Work::RESCHEDULE));
        assert!(queue.leave(sharing, Leave::Preempted));
        assert_eq!(queue.pick(0).tid(), low.tid());
        queue.current = Some(low.clone());
        high.entity.set_schedule(real_time(Policy::RoundRobin, 11));
        queue.wake(high.clone());
        assert!(low.work().contains(Work::RESCHEDULE));
        assert!(queue.leave(low, Leave::Preempted));
        let order: alloc::vec::Vec<_> = (0..3).map(|_| queue.pick(0).tid()).collect();
        assert_eq!(order, [high.tid(), low.tid(), sharing.tid()]);
    }

    #[test]
    fn turns_go_round_among_equals_only() {
        let threads = [0, 1, 2].map(|_| testing::thread());
        let [first, second, lower] = &threads;
        for (thread, priority) in [(first, 5), (second, 5), (lower, 4)] {
            thread
                .entity
                .set_schedule(real_time(Policy::RoundRobin, priority));
        }
        let mut queue = queue_of(first, &[lower]);
        let turn_ns = super::super::entity::ROUND_ROBIN_NS;
        queue.charge_thread(first, turn_ns);
        queue.tick(first, turn_ns);
        assert!(
            !first.work().contains(Work::RESCHEDULE),
            "nobody waits for the turn"
        );
        queue.push(second.clone());
        queue.charge_thread(first, 2 * turn_ns);
        queue.tick(first, 2 * turn_ns);
        assert!(first.work().contains(Work::RESCHEDULE));
        assert!(queue.leave(first, Leave::Preempted));
        let order: alloc::vec::Vec<_> = (0..3).map(|_| queue.pick(0).tid()).collect();
        assert_eq!(order, [second.tid(), first.tid(), lower.tid()]);
    }

    #[test]
    fn a_loop_at_real_time_leaves_a_part_of_every_second() {
        let (hog, other) = (testing::thread(), testing::thread());
        hog.entity.set_schedule(real_time(Policy::Fifo, 99));
        let mut queue = queue_of(&hog, &[&other]);
        let mut now = 1_000_000_000;
        queue.switched_ns = now;
        let mut shared = 0;
        for _ in 0..1000 {
            now += 4_000_000;
            let current = queue.current.take().unwrap();
            queue.charge_thread(&current, now);
            queue.tick(&current, now);
            if current.work().contains(Work::RESCHEDULE) {
                assert!(queue.leave(&current, Leave::Preempted));
                queue.current = Some(queue.pick(now));
            } else {
                queue.current = Some(current);
            }
            let is_other = queue.current.as_ref().is_some_and(|it| Arc::ptr_eq(it, &other));
            shared += usize::from(is_other);
        }
        assert!((20..=120).contains(&shared), "{shared} of 1000 ticks");
    }

    #[test]
    fn batch_and_idle_threads_interrupt_nobody() {
        let (runner, sleeper) = (testing::thread(), testing::thread());
        let mut queue = queue_of(&runner, &[]);
        queue.least_ns = 100_000_000;
        runner.entity.start_at(200_000_000);
        let policy = |policy| Schedule {
            policy,
            ..Schedule::default()
        };
        for quiet in [Policy::Batch, Policy::Idle] {
            sleeper.entity.set_schedule(policy(quiet));
            queue.interrupt_for(&sleeper);
            assert!(!runner.work().contains(Work::RESCHEDULE), "{quiet:?}");
        }
        sleeper.entity.set_schedule(policy(Policy::Normal));
        queue.interrupt_for(&sleeper);
        assert!(runner.work().contains(Work::RESCHEDULE));
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
