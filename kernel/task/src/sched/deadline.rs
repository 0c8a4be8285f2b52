//! Threads with a deadline (SCHED_DEADLINE of sched(7)): each may run for so long in every period, and the one
//! whose deadline is the nearest goes first, before all other policies.
//!
//! A [`Reservation`] is what a thread asks for, a [`Budget`] what it has left of it until when: a constant
//! bandwidth server, so that a thread that asks for less than it takes harms itself only. [`Bandwidth`] counts what
//! all of them ask for, and refuses more than there is.

use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;

use super::real_time::{BUDGET_NS, PERIOD_NS};

/// Least runtime: smaller ones would be lost in the fixed-point numbers.
const RUNTIME_MIN_NS: u64 = 1 << SCALE_BITS;
/// Bits by which times are scaled down before they are multiplied.
const SCALE_BITS: u32 = 10;
/// Least and greatest period (`sched_deadline_period_min_us`, `sched_deadline_period_max_us`).
const PERIODS_NS: core::ops::RangeInclusive<u64> = 100_000..=(1 << 22) * 1000;
/// Times have no more than this, so that they can be subtracted.
const TIME_MAX_NS: u64 = i64::MAX as u64;

/// Bits of fraction of a bandwidth: 1 is a whole CPU.
const FRACTION_BITS: u32 = 20;

/// What a thread may take: `runtime_ns` within `deadline_ns` from the start of each `period_ns`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reservation {
    /// Time that it may run.
    pub runtime_ns: u64,
    /// Until when after the start of a period it has run so long.
    pub deadline_ns: u64,
    /// When it may run again.
    pub period_ns: u64,
    /// Whether it takes what others leave (`SCHED_FLAG_RECLAIM`).
    pub reclaims: bool,
    /// Whether it is told by SIGXCPU when it wants more (`SCHED_FLAG_DL_OVERRUN`).
    pub tells_overrun: bool,
}

impl Reservation {
    /// Checks what sched_setattr(2) was given; no period is one as long as the deadline.
    ///
    /// # Errors
    /// EINVAL.
    pub fn checked(self) -> Result<Self, Errno> {
        let period_ns = match self.period_ns {
            0 => self.deadline_ns,
            period_ns => period_ns,
        };
        let is_sane = self.deadline_ns != 0
            && self.runtime_ns >= RUNTIME_MIN_NS
            && self.deadline_ns <= TIME_MAX_NS
            && period_ns <= TIME_MAX_NS
            && period_ns >= self.deadline_ns
            && self.deadline_ns >= self.runtime_ns
            && PERIODS_NS.contains(&period_ns);
        if !is_sane {
            return Err(Errno::EINVAL);
        }
        Ok(Self { period_ns, ..self })
    }

    /// Returns the part of a CPU that this is.
    pub(super) fn bandwidth(&self) -> u64 {
        ratio(self.runtime_ns, self.period_ns)
    }
}

/// Returns a part as a bandwidth; of nothing, nothing.
fn ratio(part_ns: u64, whole_ns: u64) -> u64 {
    let fraction = u128::from(part_ns) << FRACTION_BITS;
    fraction
        .checked_div(whole_ns.into())
        .map_or(0, |ratio| ratio as u64)
}

/// The bandwidth that threads with deadlines may take of a CPU: what the limit of real-time threads leaves.
pub(super) fn bandwidth_of_cpu() -> u64 {
    ratio(BUDGET_NS, PERIOD_NS)
}

/// What a thread has left, and until when.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Budget {
    /// Time that is left; below 0 where it has run longer.
    pub(super) left_ns: i64,
    /// The deadline, in monotonic time.
    pub(super) deadline_ns: u64,
    /// Whether the rest of it was given away (sched_yield(2)).
    pub(super) is_yielded: bool,
}

impl Budget {
    /// Starts a period now.
    pub(super) fn start(reservation: &Reservation, now_ns: u64) -> Self {
        Self {
            left_ns: reservation.runtime_ns.cast_signed(),
            deadline_ns: now_ns.saturating_add(reservation.deadline_ns),
            is_yielded: false,
        }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.left_ns <= 0 || self.is_yielded
    }

    /// Returns when the budget is used up if the thread runs from now on.
    pub(super) fn end_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_add(self.left_ns.max(0).unsigned_abs())
    }

    /// Returns when the next period starts.
    pub(super) fn next_period_ns(&self, reservation: &Reservation) -> u64 {
        let start_ns = self.deadline_ns.saturating_sub(reservation.deadline_ns);
        start_ns.saturating_add(reservation.period_ns)
    }

    /// Returns when the rest is used up if that goes on at the rate of the reservation.
    pub(super) fn used_up_ns(&self, reservation: &Reservation) -> u64 {
        let left_ns = u128::from(self.left_ns.max(0).unsigned_abs());
        let ahead_ns =
            (left_ns * u128::from(reservation.period_ns)).checked_div(reservation.runtime_ns.into());
        let ahead_ns = u64::try_from(ahead_ns.unwrap_or(0)).unwrap_or(u64::MAX);
        self.deadline_ns.saturating_sub(ahead_ns)
    }

    /// Returns what the thread has in the next period, now that it has come. What it took too much is owed.
    pub(super) fn replenished(self, reservation: &Reservation, now_ns: u64) -> Self {
        let left_ns = if self.is_yielded {
            self.left_ns.min(0)
        } else {
            self.left_ns
        };
        // At least one period, also where something was left.
        let owed_ns = left_ns.min(0).unsigned_abs();
        let periods = owed_ns / reservation.runtime_ns.max(1) + 1;
        let given_ns = periods.saturating_mul(reservation.runtime_ns).cast_signed();
        let next = Self {
            left_ns: left_ns
                .saturating_add(given_ns)
                .min(reservation.runtime_ns.cast_signed()),
            deadline_ns: self
                .deadline_ns
                .saturating_add(periods.saturating_mul(reservation.period_ns)),
            is_yielded: false,
        };
        // Too late: what was missed is forgotten, on both sides.
        if next.deadline_ns < now_ns {
            Self::start(reservation, now_ns)
        } else {
            next
        }
    }

    /// Returns what the thread has when it wakes up. Time that it did not use it does not have any more.
    pub(super) fn woken(self, reservation: &Reservation, now_ns: u64) -> Self {
        let is_implicit = reservation.deadline_ns == reservation.period_ns;
        if self.deadline_ns <= now_ns {
            if !is_implicit && now_ns < self.next_period_ns(reservation) {
                // The deadline is over, the period is not.
                return Self {
                    left_ns: self.left_ns.min(0),
                    ..self
                };
            }
            return Self::start(reservation, now_ns);
        }
        if self.is_exhausted() || !self.exceeds_bandwidth(reservation, now_ns) {
            return self;
        }
        if is_implicit {
            return Self::start(reservation, now_ns);
        }
        // As much as keeps the density until the deadline.
        let laxity_ns = u128::from(self.deadline_ns - now_ns);
        let left_ns =
            laxity_ns * u128::from(reservation.runtime_ns) / u128::from(reservation.deadline_ns.max(1));
        Self {
            left_ns: i64::try_from(left_ns).unwrap_or(i64::MAX),
            ..self
        }
    }

    /// Tells whether what is left until the deadline is more than the reservation has room for.
    fn exceeds_bandwidth(&self, reservation: &Reservation, now_ns: u64) -> bool {
        let scaled = |ns: u64| u128::from(ns >> SCALE_BITS);
        let left_ns = self.left_ns.max(0).unsigned_abs();
        let wanted = scaled(reservation.deadline_ns) * scaled(left_ns);
        let available = scaled(self.deadline_ns.saturating_sub(now_ns)) * scaled(reservation.runtime_ns);
        wanted > available
    }
}

/// What all reservations together take.
pub(super) struct Bandwidth(AtomicU64);

impl Bandwidth {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Exchanges one reservation for another, either of which may be none.
    ///
    /// # Errors
    /// EBUSY when the sum would be more than the CPUs have.
    pub(super) fn exchange(&self, old: u64, new: u64, cpus: u64) -> Result<(), Errno> {
        let room = bandwidth_of_cpu().saturating_mul(cpus);
        let changed = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |sum| {
            let sum = sum - old + new;
            (new <= old || sum <= room).then_some(sum)
        });
        changed.map(drop).map_err(|_| Errno::EBUSY)
    }

    /// Returns the bandwidth that nobody has reserved.
    pub(super) fn free(&self, cpus: u64) -> u64 {
        let room = bandwidth_of_cpu().saturating_mul(cpus);
        room.saturating_sub(self.0.load(Ordering::Relaxed))
    }
}

/// Returns how much of its budget a thread spends that ran so long and takes what others leave: the more of the
/// CPU is reserved by those who do not use it, the less (greedy reclamation of unused bandwidth).
///
/// `idle` is the bandwidth of the threads with deadlines that are not active here, `free` what nobody has reserved.
pub(super) fn reclaiming(ran_ns: u64, own: u64, idle: u64, free: u64) -> u64 {
    let room = bandwidth_of_cpu();
    let active = if idle + free > room.saturating_sub(own) {
        own
    } else {
        room - idle - free
    };
    (u128::from(ran_ns) * u128::from(active) / u128::from(room)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn reservation(runtime_ms: u64, deadline_ms: u64, period_ms: u64) -> Reservation {
        Reservation {
            runtime_ns: runtime_ms * MS,
            deadline_ns: deadline_ms * MS,
            period_ns: period_ms * MS,
            ..Reservation::default()
        }
    }

    #[test]
    fn the_three_times_are_in_order_and_in_range() {
        assert_eq!(reservation(1, 2, 3).checked(), Ok(reservation(1, 2, 3)));
        assert_eq!(reservation(1, 2, 0).checked(), Ok(reservation(1, 2, 2)));
        for wrong in [
            reservation(0, 2, 2),
            reservation(2, 1, 3),
            reservation(1, 3, 2),
            reservation(1, 0, 0),
            reservation(1, 2, 5000),
            Reservation {
                runtime_ns: 1023,
                ..reservation(1, 2, 2)
            },
            Reservation {
                runtime_ns: 5000,
                deadline_ns: 99_999,
                ..Reservation::default()
            },
            Reservation {
                period_ns: u64::MAX,
                ..reservation(1, 2, 2)
            },
        ] {
            assert_eq!(wrong.checked(), Err(Errno::EINVAL), "{wrong:?}");
        }
    }

    #[test]
    fn what_was_taken_too_much_is_owed() {
        let of = reservation(2, 10, 10);
        let spent = |left_ms: i64| Budget {
            left_ns: left_ms * MS as i64,
            ..Budget::start(&of, 0)
        };
        let next = spent(-1).replenished(&of, 10 * MS);
        assert_eq!((next.left_ns, next.deadline_ns), (MS as i64, 20 * MS));
        let next = spent(-5).replenished(&of, 10 * MS);
        assert_eq!((next.left_ns, next.deadline_ns), (MS as i64, 40 * MS));
        let late = spent(-1).replenished(&of, 95 * MS);
        assert_eq!(late, Budget::start(&of, 95 * MS));
        let yielded = Budget {
            is_yielded: true,
            ..spent(2)
        };
        assert!(yielded.is_exhausted());
        assert_eq!(yielded.replenished(&of, 10 * MS).left_ns, 2 * MS as i64);
    }

    #[test]
    fn sleepers_get_no_more_than_their_bandwidth() {
        let of = reservation(2, 10, 10);
        let fresh = Budget::start(&of, 0);
        // Two of the five milliseconds that are left would be more than a fifth.
        assert_eq!(fresh.woken(&of, 5 * MS), Budget::start(&of, 5 * MS));
        let partly = Budget {
            left_ns: MS as i64,
            ..fresh
        };
        assert_eq!(partly.woken(&of, 5 * MS), partly);
        assert_eq!(partly.woken(&of, 11 * MS), Budget::start(&of, 11 * MS));
        let constrained = reservation(2, 4, 10);
        let fresh = Budget::start(&constrained, 0);
        assert_eq!(fresh.woken(&constrained, 2 * MS).left_ns, MS as i64);
        let late = fresh.woken(&constrained, 6 * MS);
        assert!(late.is_exhausted());
        assert_eq!(late.next_period_ns(&constrained), 10 * MS);
    }

    #[test]
    fn no_more_is_admitted_than_there_is() {
        let bandwidth = Bandwidth::new();
        let half = reservation(5, 10, 10).bandwidth();
        assert_eq!(bandwidth.exchange(0, half, 1), Ok(()));
        assert_eq!(bandwidth.exchange(0, half, 1), Err(Errno::EBUSY));
        assert_eq!(bandwidth.exchange(0, half, 2), Ok(()));
        assert_eq!(
            bandwidth.exchange(half, half, 1),
            Ok(()),
            "less or as much always fits"
        );
        assert_eq!(bandwidth.exchange(half, 0, 1), Ok(()));
        assert_eq!(bandwidth.free(1), bandwidth_of_cpu() - half);
    }

    #[test]
    fn who_reclaims_spends_less_while_others_sleep() {
        let own = reservation(1, 10, 10).bandwidth();
        let room = bandwidth_of_cpu();
        let alone = reclaiming(1000, own, 0, room - own);
        assert!((100..=110).contains(&alone), "{alone}");
        let crowded = reclaiming(1000, own, 0, 0);
        assert_eq!(crowded, 1000);
    }
}
