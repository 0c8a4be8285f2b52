//! A thread's part in the scheduling by deadlines: what it may take, and what it has left. The run queue's lock
//! orders all changes; others only read.

use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use super::deadline::{Budget, Reservation};

/// A [`Reservation`] and its [`Budget`].
pub(super) struct Served {
    runtime_ns: AtomicU64,
    relative_deadline_ns: AtomicU64,
    period_ns: AtomicU64,
    reclaims: AtomicBool,
    tells_overrun: AtomicBool,
    left_ns: AtomicI64,
    deadline_ns: AtomicU64,
    is_yielded: AtomicBool,
    /// Whether the bandwidth counts as used.
    is_active: AtomicBool,
    /// Whether the thread has run for longer than it may, and is to be told.
    has_overrun: AtomicBool,
}

impl Served {
    pub(super) const fn new() -> Self {
        Self {
            runtime_ns: AtomicU64::new(0),
            relative_deadline_ns: AtomicU64::new(0),
            period_ns: AtomicU64::new(0),
            reclaims: AtomicBool::new(false),
            tells_overrun: AtomicBool::new(false),
            left_ns: AtomicI64::new(0),
            deadline_ns: AtomicU64::new(0),
            is_yielded: AtomicBool::new(false),
            is_active: AtomicBool::new(false),
            has_overrun: AtomicBool::new(false),
        }
    }

    /// Returns what the thread may take.
    pub(super) fn reservation(&self) -> Reservation {
        Reservation {
            runtime_ns: self.runtime_ns.load(Ordering::Relaxed),
            deadline_ns: self.relative_deadline_ns.load(Ordering::Relaxed),
            period_ns: self.period_ns.load(Ordering::Relaxed),
            reclaims: self.reclaims.load(Ordering::Relaxed),
            tells_overrun: self.tells_overrun.load(Ordering::Relaxed),
        }
    }

    pub(super) fn set_reservation(&self, new: &Reservation) {
        self.runtime_ns.store(new.runtime_ns, Ordering::Relaxed);
        self.relative_deadline_ns
            .store(new.deadline_ns, Ordering::Relaxed);
        self.period_ns.store(new.period_ns, Ordering::Relaxed);
        self.reclaims.store(new.reclaims, Ordering::Relaxed);
        self.tells_overrun.store(new.tells_overrun, Ordering::Relaxed);
    }

    /// Returns what the thread has left.
    pub(super) fn budget(&self) -> Budget {
        Budget {
            left_ns: self.left_ns.load(Ordering::Relaxed),
            deadline_ns: self.deadline_ns.load(Ordering::Relaxed),
            is_yielded: self.is_yielded.load(Ordering::Relaxed),
        }
    }

    fn set_budget(&self, new: Budget) {
        self.left_ns.store(new.left_ns, Ordering::Relaxed);
        self.deadline_ns.store(new.deadline_ns, Ordering::Relaxed);
        self.is_yielded.store(new.is_yielded, Ordering::Relaxed);
    }

    /// Returns the part of a CPU that the thread may take.
    pub(super) fn bandwidth(&self) -> u64 {
        self.reservation().bandwidth()
    }

    /// Starts the first period.
    pub(super) fn start(&self, now_ns: u64) {
        self.set_budget(Budget::start(&self.reservation(), now_ns));
    }

    /// Starts the next period, whose time has come.
    pub(super) fn replenish(&self, now_ns: u64) {
        self.set_budget(self.budget().replenished(&self.reservation(), now_ns));
    }

    /// Adapts what is left to the time that the thread has slept.
    pub(super) fn wake_up(&self, now_ns: u64) {
        self.set_budget(self.budget().woken(&self.reservation(), now_ns));
    }

    /// Takes time off the budget.
    pub(super) fn spend(&self, spent_ns: u64) {
        let left_ns = self.budget().left_ns.saturating_sub_unsigned(spent_ns);
        self.left_ns.store(left_ns, Ordering::Relaxed);
        if left_ns <= 0 && self.tells_overrun.load(Ordering::Relaxed) {
            self.has_overrun.store(true, Ordering::Relaxed);
        }
    }

    /// Gives what is left of this period away.
    pub(super) fn give_rest_away(&self) {
        self.is_yielded.store(true, Ordering::Relaxed);
    }

    /// Tells once that the thread has run for longer than it may.
    pub(super) fn take_overrun(&self) -> bool {
        self.has_overrun.load(Ordering::Relaxed) && self.has_overrun.swap(false, Ordering::Relaxed)
    }

    /// Returns when the next period starts.
    pub(super) fn next_period_ns(&self) -> u64 {
        self.budget().next_period_ns(&self.reservation())
    }

    /// Returns from when on the bandwidth of a thread that sleeps now counts as free.
    pub(super) fn inactive_from_ns(&self) -> u64 {
        self.budget().used_up_ns(&self.reservation())
    }

    /// Notes whether the bandwidth counts as used, and returns whether it did.
    pub(super) fn set_active(&self, is_active: bool) -> bool {
        self.is_active.swap(is_active, Ordering::Relaxed)
    }
}
