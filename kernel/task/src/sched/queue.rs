//! One CPU's run queue: who runs, who could, and whose registers the processor holds.

use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use core::cmp::Reverse;

use los_abi::errno::Errno;
use los_arch::Current;
use los_arch::hal::prelude::Cpu;
use sync::now_ns;

use super::Leave;
use super::deadline;
use super::earliest_deadline::EarliestDeadline;
use super::entity::{Entity, State};
use super::policy::{DEADLINE_PRIORITY, Policy, Schedule};
use super::ready::{Place, Ready};
use super::real_time::RealTime;
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
    deadlines: EarliestDeadline,
    real_time: RealTime,
    ready: BinaryHeap<Ready<FairKey>>,
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

/// Least virtual runtime first, then first come first served by ticket.
type FairKey = Reverse<(u64, u64)>;

impl RunQueue {
    pub(super) const fn new() -> Self {
        Self {
            current: None,
            idle: None,
            deadlines: EarliestDeadline::new(),
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
        self.deadlines.reserve(self.promised + 1)?;
        self.promised += 1;
        Ok(())
    }

    pub(super) fn release_thread(&mut self) {
        self.promised -= 1;
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.real_time.is_empty() && self.deadlines.is_empty()
    }

    pub(super) fn is_idle(&self, thread: &Arc<Thread>) -> bool {
        self.idle.as_ref().is_some_and(|idle| Arc::ptr_eq(idle, thread))
    }

    /// Returns the number of threads that run or could.
    pub(super) fn runnable(&self) -> usize {
        let running = self.current.as_ref().is_some_and(|it| !self.is_idle(it));
        self.ready.len() + self.real_time.len() + self.deadlines.len() + usize::from(running)
    }

    /// Adds a runnable thread; a real-time one goes behind its like.
    pub(super) fn push(&mut self, thread: Arc<Thread>) {
        self.push_at(thread, Place::Tail);
    }

    fn push_at(&mut self, thread: Arc<Thread>, place: Place) {
        if thread.entity.has_deadline() {
            return self.deadlines.push(thread, place, self.switched_ns);
        }
        if thread.entity.priority() != 0 {
            return self.real_time.push(thread, place);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.ready.push(Ready {
            key: Reverse((thread.entity.virtual_ns(), ticket)),
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
        if entity.has_deadline() {
            let now = now_ns();
            self.charge(now);
            entity.served.wake_up(now);
        }
        entity.start_at(self.least_ns.saturating_sub(WAKE_BONUS_NS));
        self.interrupt_for(&thread);
        self.push(thread);
    }

    /// Ends the running thread's turn if this one should go before it.
    fn interrupt_for(&self, thread: &Thread) {
        let Some(current) = &self.current else { return };
        let (entity, running) = (&thread.entity, &current.entity);
        let is_urgent = if entity.priority() != 0 {
            entity.priority() > running.priority() || goes_before(entity, running)
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
    pub(super) fn change(&mut self, thread: &Arc<Thread>, schedule: Schedule, now: u64) {
        self.charge(now);
        let old = thread.entity.schedule();
        // Its bandwidth changes: what counts it must forget the old one first.
        self.deadlines.forget(thread);
        self.rearrange(thread, |entity| {
            entity.set_schedule(schedule);
            entity.renew_turn();
            if schedule.policy == Policy::Deadline && old.policy != Policy::Deadline {
                entity.served.start(now);
            }
        });
        if thread.entity.has_deadline() && thread.entity.state() == State::Runnable {
            self.deadlines.activate(thread);
        }
    }

    /// Changes the priority that a thread has from those who wait for its locks.
    pub(super) fn inherit(&mut self, thread: &Arc<Thread>, priority: u32) {
        self.rearrange(thread, |entity| entity.set_inherited_priority(priority));
    }

    fn rearrange(&mut self, thread: &Arc<Thread>, change: impl FnOnce(&Entity)) {
        let was_ready =
            self.deadlines.remove(thread) || self.real_time.remove(thread) || self.remove_sharing(thread);
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
        // A holder of a lock that one with a deadline waits for is in the other line, and goes first.
        let is_lent = self.real_time.highest() == DEADLINE_PRIORITY;
        if !is_lent && let Some(thread) = self.deadlines.pop() {
            return thread;
        }
        if !self.real_time.is_empty()
            && (is_lent || self.ready.is_empty() || !self.real_time.is_exhausted(now_ns))
            && let Some(thread) = self.real_time.pop()
        {
            return thread;
        }
        match self.ready.pop() {
            Some(ready) => {
                self.least_ns = self.least_ns.max(ready.key.0.0);
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
                if entity.has_deadline() {
                    self.deadlines.sleep(thread, self.switched_ns);
                }
                true
            }
            Leave::Exit => {
                self.deadlines.forget(thread);
                super::give_bandwidth_back(entity);
                entity.set_state(State::Dead);
                true
            }
        }
    }

    /// Puts a thread that could go on among the others; false when there are none.
    fn give_way(&mut self, thread: &Arc<Thread>, leave: Leave) -> bool {
        let entity = &thread.entity;
        thread.remove_work(Work::RESCHEDULE);
        if leave == Leave::Yield && entity.has_deadline() {
            entity.served.give_rest_away();
        }
        let must_wait = entity.has_deadline() && entity.served.budget().is_exhausted();
        if self.is_empty() && !must_wait {
            return false;
        }
        if self.is_idle(thread) {
            return true;
        }
        if entity.has_deadline() {
            self.push_at(thread.clone(), Place::Head);
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
            entity.start_at(first.key.0.0);
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
        if thread.entity.has_deadline() {
            self.spend(thread, ran_ns, now);
        } else if thread.entity.priority() != 0 {
            thread.entity.take_turn(ran_ns);
            self.real_time.charge(ran_ns, now);
        } else {
            thread.entity.advance(ran_ns);
        }
    }

    /// Takes time that a thread with a deadline has run off its budget.
    fn spend(&mut self, thread: &Thread, ran_ns: u64, now: u64) {
        let served = &thread.entity.served;
        let reservation = served.reservation();
        if !reservation.reclaims {
            return served.spend(ran_ns);
        }
        let free = super::free_bandwidth();
        let reserved = deadline::bandwidth_of_cpu().saturating_sub(free);
        let idle = reserved.saturating_sub(self.deadlines.active(now));
        served.spend(deadline::reclaiming(ran_ns, reservation.bandwidth(), idle, free));
    }

    /// Tells whether others could go now, or the running thread is to give the rest of its period away.
    pub(super) fn has_reason_to_yield(&self) -> bool {
        let has_deadline = |thread: &Arc<Thread>| thread.entity.has_deadline();
        !self.is_empty() || self.current.as_ref().is_some_and(has_deadline)
    }

    /// Gives new budgets to those whose period has come, and ends the turn of a thread that has used up its own.
    pub(super) fn look_at_deadlines(&mut self, now: u64) {
        let is_due = self.deadlines.next_period_ns().is_some_and(|next| next <= now);
        let current = self.current.clone();
        let current = current.filter(|thread| thread.entity.has_deadline());
        if !is_due && current.is_none() {
            return;
        }
        self.charge(now);
        while let Some(thread) = self.deadlines.pop_throttled(now) {
            thread.entity.served.replenish(now);
            self.interrupt_for(&thread);
            self.push(thread);
        }
        if let Some(current) = current
            && current.entity.served.budget().is_exhausted()
        {
            current.add_work(Work::RESCHEDULE);
        }
    }

    /// Returns when [`look_at_deadlines`](Self::look_at_deadlines) has something to do next.
    pub(super) fn next_event_ns(&self) -> Option<u64> {
        // Who has used up its budget already is about to leave: the timer must not fire without end until then.
        let runs_out = |thread: &&Arc<Thread>| {
            thread.entity.has_deadline() && !thread.entity.served.budget().is_exhausted()
        };
        let running = self.current.as_ref().filter(runs_out);
        let end = running.map(|thread| thread.entity.served.budget().end_ns(self.switched_ns));
        let next = self.deadlines.next_period_ns();
        end.into_iter().chain(next).min()
    }

    /// Ends the running thread's turn if another one should run now.
    pub(super) fn tick(&mut self, thread: &Thread, now: u64) {
        let entity = &thread.entity;
        let own = entity.priority();
        let waiting = if self.deadlines.is_empty() {
            self.real_time.highest()
        } else {
            DEADLINE_PRIORITY
        };
        let is_exhausted = waiting < DEADLINE_PRIORITY && self.real_time.is_exhausted(now);
        let is_over = if own == DEADLINE_PRIORITY {
            entity.has_deadline()
                && (self.real_time.highest() == DEADLINE_PRIORITY
                    || self.deadlines.first_deadline_ns() < entity.served.budget().deadline_ns
                    || entity.served.budget().is_exhausted())
        } else if own != 0 {
            if entity.is_turn_over() && waiting < own {
                entity.renew_turn();
            }
            waiting > own || entity.is_turn_over() || is_exhausted && !self.ready.is_empty()
        } else {
            let has_older = |first: &Ready<FairKey>| first.key.0.0 < entity.virtual_ns();
            let is_slice_over = entity.slice_left_ns().is_none_or(|left_ns| left_ns == 0);
            waiting != 0 && !is_exhausted || is_slice_over && self.ready.peek().is_some_and(has_older)
        };
        if !is_over && entity.slice_left_ns() == Some(0) {
            entity.renew_slice();
        }
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

/// Tells which of two threads that go before all others goes first: who holds a lock that one with a deadline waits
/// for, else who has the nearer deadline.
fn goes_before(entity: &Entity, running: &Entity) -> bool {
    if entity.priority() != DEADLINE_PRIORITY || !running.has_deadline() {
        return false;
    }
    !entity.has_deadline() || entity.served.budget().deadline_ns < running.served.budget().deadline_ns
}

#[cfg(test)]
mod tests;
