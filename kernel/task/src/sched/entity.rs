//! What the scheduler keeps of a thread.

use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering};

use super::policy::{DEADLINE_PRIORITY, Policy, Schedule};
use super::served::Served;

/// Highest priority of setpriority(2).
pub const NICE_MIN: i32 = -20;
/// Lowest priority of setpriority(2).
pub const NICE_MAX: i32 = 19;

/// Weight of nice 0.
const WEIGHT_UNIT: u64 = 1024;

/// Share of the processor by nice value from -20: each step is about a quarter (as Linux documents it).
const WEIGHTS: [u32; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121,
    2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29,
    23, 18, 15,
];

/// Weight of threads of [`Policy::Idle`], below that of any nice value.
const WEIGHT_IDLE: u32 = 3;

/// How long a thread of [`Policy::RoundRobin`] runs before others of its priority (`sched_rr_timeslice_ms`).
pub(super) const ROUND_ROBIN_NS: u64 = 100_000_000;

/// Whether a thread can run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum State {
    /// Runs, or waits for its turn in a run queue.
    Runnable,
    /// Waits for its token.
    Parked,
    /// Will never run again.
    Dead,
}

/// The scheduler's part of a thread.
pub(crate) struct Entity {
    state: AtomicU8,
    /// Given by `unpark`, taken by `park`.
    pub(crate) token: AtomicBool,
    virtual_ns: AtomicU64,
    nice: AtomicI32,
    policy: AtomicU8,
    /// Real-time priority of its own, 0 for threads that share.
    own_priority: AtomicU32,
    /// That of the most urgent thread that waits for a lock of this one.
    inherited_priority: AtomicU32,
    /// The higher one of the two.
    priority: AtomicU32,
    resets_on_fork: AtomicBool,
    /// What a thread of [`Policy::Deadline`] may take, and has left.
    pub(super) served: Served,
    /// How long the thread runs at a time while it shares; 0 for as long as all others.
    slice_ns: AtomicU64,
    /// What is left of that.
    slice_left_ns: AtomicU64,
    /// What is left of a turn of [`Policy::RoundRobin`].
    turn_ns: AtomicU64,
    /// Real time that the thread has taken since it last waited (RLIMIT_RTTIME).
    unslept_ns: AtomicU64,
    /// CPUs that the thread may run on, one bit each.
    affinity: AtomicU64,
}

impl Entity {
    pub(crate) const fn new() -> Self {
        Self {
            state: AtomicU8::new(State::Runnable as u8),
            token: AtomicBool::new(false),
            virtual_ns: AtomicU64::new(0),
            nice: AtomicI32::new(0),
            policy: AtomicU8::new(Policy::Normal as u8),
            own_priority: AtomicU32::new(0),
            inherited_priority: AtomicU32::new(0),
            priority: AtomicU32::new(0),
            resets_on_fork: AtomicBool::new(false),
            served: Served::new(),
            slice_ns: AtomicU64::new(0),
            slice_left_ns: AtomicU64::new(0),
            turn_ns: AtomicU64::new(ROUND_ROBIN_NS),
            unslept_ns: AtomicU64::new(0),
            affinity: AtomicU64::new(u64::MAX),
        }
    }

    /// Starts as a child of a thread with this part.
    pub(crate) fn inherit(&self, parent: &Self) {
        self.set_schedule(parent.schedule().of_child());
        self.set_affinity(parent.affinity());
    }

    /// Returns how the thread is scheduled.
    pub(crate) fn schedule(&self) -> Schedule {
        Schedule {
            policy: self.policy(),
            priority: self.own_priority.load(Ordering::Relaxed),
            nice: self.nice(),
            resets_on_fork: self.resets_on_fork.load(Ordering::Relaxed),
            reservation: self.served.reservation(),
            slice_ns: self.slice_ns.load(Ordering::Relaxed),
        }
    }

    /// Sets how the thread is scheduled. It is in no queue, or its queue is locked and arranges it anew.
    pub(super) fn set_schedule(&self, schedule: Schedule) {
        self.policy.store(schedule.policy as u8, Ordering::Relaxed);
        self.served.set_reservation(&schedule.reservation);
        self.own_priority.store(schedule.priority, Ordering::Relaxed);
        self.take_highest();
        self.resets_on_fork
            .store(schedule.resets_on_fork, Ordering::Relaxed);
        self.slice_ns.store(schedule.slice_ns, Ordering::Relaxed);
        self.renew_slice();
        self.set_nice(schedule.nice);
    }

    /// Begins a slice, if the thread has one of its own.
    #[inline]
    pub(super) fn renew_slice(&self) {
        self.slice_left_ns
            .store(self.slice_ns.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Returns what is left of the thread's own slice, 0 once it is over; `None` for a thread without one.
    #[inline]
    pub(super) fn slice_left_ns(&self) -> Option<u64> {
        let has_one = self.slice_ns.load(Ordering::Relaxed) != 0 && self.priority() == 0;
        has_one.then(|| self.slice_left_ns.load(Ordering::Relaxed))
    }

    #[inline]
    pub(super) fn policy(&self) -> Policy {
        Policy::from_number(u32::from(self.policy.load(Ordering::Relaxed))).unwrap_or_default()
    }

    /// Tells whether the thread goes by its deadline: not while one that waits for its lock makes it more urgent.
    #[inline]
    pub(super) fn has_deadline(&self) -> bool {
        self.priority() == DEADLINE_PRIORITY && self.inherited_priority() != DEADLINE_PRIORITY
    }

    /// Returns the real-time priority in force, 0 for threads that share.
    #[inline]
    pub(crate) fn priority(&self) -> u32 {
        self.priority.load(Ordering::Relaxed)
    }

    /// Returns the priority of the most urgent thread that waits for a lock of this one.
    pub(crate) fn inherited_priority(&self) -> u32 {
        self.inherited_priority.load(Ordering::Relaxed)
    }

    /// Sets what [`inherited_priority`](Self::inherited_priority) returns; as [`set_schedule`](Self::set_schedule).
    pub(super) fn set_inherited_priority(&self, priority: u32) {
        self.inherited_priority.store(priority, Ordering::Relaxed);
        self.take_highest();
    }

    fn take_highest(&self) {
        let own = match self.policy() {
            Policy::Deadline => DEADLINE_PRIORITY,
            _ => self.own_priority.load(Ordering::Relaxed),
        };
        self.priority
            .store(own.max(self.inherited_priority()), Ordering::Relaxed);
    }

    /// Tells once that a thread with a deadline has run for longer than it may.
    pub(crate) fn take_overrun(&self) -> bool {
        self.served.take_overrun()
    }

    /// Takes time off the turn; a real-time thread only.
    pub(super) fn take_turn(&self, ran_ns: u64) {
        let left = self.turn_ns.load(Ordering::Relaxed).saturating_sub(ran_ns);
        self.turn_ns.store(left, Ordering::Relaxed);
        let unslept = self.unslept_ns() + ran_ns;
        self.unslept_ns.store(unslept, Ordering::Relaxed);
    }

    /// Tells whether others of the priority are to go on, now that they were told of the end of the turn.
    pub(super) fn is_turn_over(&self) -> bool {
        self.policy() == Policy::RoundRobin && self.turn_ns.load(Ordering::Relaxed) == 0
    }

    pub(super) fn renew_turn(&self) {
        self.turn_ns.store(ROUND_ROBIN_NS, Ordering::Relaxed);
    }

    /// Returns the time that the thread has taken as a real-time one since it last waited.
    pub(crate) fn unslept_ns(&self) -> u64 {
        self.unslept_ns.load(Ordering::Relaxed)
    }

    /// Notes that the thread has waited.
    #[inline]
    pub(super) fn has_slept(&self) {
        self.unslept_ns.store(0, Ordering::Relaxed);
    }

    /// Returns the CPUs that the thread may run on.
    pub(crate) fn affinity(&self) -> u64 {
        self.affinity.load(Ordering::Relaxed)
    }

    pub(crate) fn set_affinity(&self, mask: u64) {
        self.affinity.store(mask, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::SeqCst) {
            0 => State::Runnable,
            1 => State::Parked,
            _ => State::Dead,
        }
    }

    #[inline]
    pub(crate) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::SeqCst);
    }

    /// Makes a parked thread runnable; false when it is not parked (any more).
    #[inline]
    pub(crate) fn claim_parked(&self) -> bool {
        let (parked, runnable) = (State::Parked as u8, State::Runnable as u8);
        self.state
            .compare_exchange(parked, runnable, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    #[inline]
    pub(crate) fn virtual_ns(&self) -> u64 {
        self.virtual_ns.load(Ordering::Relaxed)
    }

    /// Raises the virtual runtime to at least this.
    #[inline]
    pub(crate) fn start_at(&self, virtual_ns: u64) {
        let start = self.virtual_ns().max(virtual_ns);
        self.virtual_ns.store(start, Ordering::Relaxed);
    }

    /// Advances the virtual runtime by time that the thread has run.
    #[inline]
    pub(crate) fn advance(&self, ran_ns: u64) {
        if let Some(left_ns) = self.slice_left_ns() {
            self.slice_left_ns
                .store(left_ns.saturating_sub(ran_ns), Ordering::Relaxed);
        }
        let nice = self.nice();
        let is_idle = self.policy.load(Ordering::Relaxed) == Policy::Idle as u8;
        let virtual_ns = if nice == 0 && !is_idle {
            ran_ns
        } else {
            let weight = if is_idle { WEIGHT_IDLE } else { weight(nice) };
            ran_ns.saturating_mul(WEIGHT_UNIT) / u64::from(weight)
        };
        self.virtual_ns
            .store(self.virtual_ns() + virtual_ns, Ordering::Relaxed);
    }

    pub(crate) fn nice(&self) -> i32 {
        self.nice.load(Ordering::Relaxed)
    }

    fn set_nice(&self, nice: i32) {
        self.nice.store(nice.clamp(NICE_MIN, NICE_MAX), Ordering::Relaxed);
    }
}

fn weight(nice: i32) -> u32 {
    WEIGHTS[(nice.clamp(NICE_MIN, NICE_MAX) - NICE_MIN) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nice_threads_age_faster() {
        let ages = [-20, 0, 19].map(|nice| {
            let entity = Entity::new();
            entity.set_nice(nice);
            entity.advance(1_000_000);
            entity.virtual_ns()
        });
        assert!(ages[0] < ages[1] && ages[1] < ages[2]);
        assert_eq!(ages[1], 1_000_000);
    }

    #[test]
    fn idle_threads_age_fastest_of_all() {
        let idle = Entity::new();
        idle.set_schedule(Schedule {
            policy: Policy::Idle,
            ..Schedule::default()
        });
        let nicest = Entity::new();
        nicest.set_nice(19);
        for entity in [&idle, &nicest] {
            entity.advance(1_000_000);
        }
        assert!(idle.virtual_ns() > nicest.virtual_ns());
    }

    #[test]
    fn turns_end_for_those_who_take_turns() {
        let entity = Entity::new();
        for (policy, ends) in [(Policy::RoundRobin, true), (Policy::Fifo, false)] {
            entity.set_schedule(Schedule {
                policy,
                priority: 1,
                ..Schedule::default()
            });
            entity.renew_turn();
            entity.take_turn(ROUND_ROBIN_NS - 1);
            assert!(!entity.is_turn_over());
            entity.take_turn(2);
            assert_eq!(entity.is_turn_over(), ends);
        }
        assert_eq!(entity.unslept_ns(), 2 * (ROUND_ROBIN_NS + 1));
        entity.has_slept();
        assert_eq!(entity.unslept_ns(), 0);
    }

    #[test]
    fn sleepers_do_not_save_time_up() {
        let entity = Entity::new();
        entity.start_at(500);
        entity.start_at(100);
        assert_eq!(entity.virtual_ns(), 500);
    }
}
