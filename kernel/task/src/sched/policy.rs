//! Policies and priorities: how a thread is scheduled beside others (sched(7)).

use los_abi::schedule::{SCHED_BATCH, SCHED_DEADLINE, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL, SCHED_RR};

use super::deadline::Reservation;

/// Highest priority of a real-time thread; the lowest is 1.
pub const REAL_TIME_PRIORITY_MAX: u32 = 99;
/// The priority that a thread with a deadline counts as, above all others.
pub(super) const DEADLINE_PRIORITY: u32 = REAL_TIME_PRIORITY_MAX + 1;

/// A scheduling policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Policy {
    /// Shares the processor by nice values.
    #[default]
    Normal = SCHED_NORMAL as u8,
    /// Real time: runs until it waits.
    Fifo = SCHED_FIFO as u8,
    /// Real time: takes turns with others of its priority.
    RoundRobin = SCHED_RR as u8,
    /// Shares the processor and never interrupts who runs.
    Batch = SCHED_BATCH as u8,
    /// Takes hardly more than what others leave.
    Idle = SCHED_IDLE as u8,
    /// Runs for so long in every period, before all others.
    Deadline = SCHED_DEADLINE as u8,
}

impl Policy {
    /// Returns the policy with this number, if there is one here.
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            SCHED_NORMAL => Self::Normal,
            SCHED_FIFO => Self::Fifo,
            SCHED_RR => Self::RoundRobin,
            SCHED_BATCH => Self::Batch,
            SCHED_IDLE => Self::Idle,
            SCHED_DEADLINE => Self::Deadline,
            _ => return None,
        })
    }

    /// Returns the number that programs know.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// Tells whether threads of this policy have a real-time priority.
    pub const fn is_real_time(self) -> bool {
        matches!(self, Self::Fifo | Self::RoundRobin)
    }

    /// Tells whether threads of this policy go before all that share.
    pub const fn is_urgent(self) -> bool {
        self.is_real_time() || matches!(self, Self::Deadline)
    }

    /// Tells whether the nice value is part of this policy's parameters.
    pub const fn is_fair(self) -> bool {
        matches!(self, Self::Normal | Self::Batch)
    }
}

/// Returns the slice that a program gets that asks for one, 0 if it asks for none.
pub fn slice_ns(asked_ns: u64) -> u64 {
    const SLICE_MIN_NS: u64 = 100_000;
    const SLICE_MAX_NS: u64 = 100_000_000;
    match asked_ns {
        0 => 0,
        _ => asked_ns.clamp(SLICE_MIN_NS, SLICE_MAX_NS),
    }
}

/// How a thread is scheduled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Schedule {
    /// The policy.
    pub policy: Policy,
    /// 1 to 99 for real time, else 0.
    pub priority: u32,
    /// The nice value, kept even while the policy does not ask for it.
    pub nice: i32,
    /// Whether children get nothing of what this thread has before others.
    pub resets_on_fork: bool,
    /// What a thread of [`Policy::Deadline`] may take; nothing for others.
    pub reservation: Reservation,
    /// How long the thread runs at a time while it shares the processor; 0 for as long as all others.
    pub slice_ns: u64,
}

impl Schedule {
    /// Returns how a child of such a thread is scheduled.
    pub fn of_child(self) -> Self {
        if !self.resets_on_fork {
            return self;
        }
        if self.policy.is_urgent() {
            return Self::default();
        }
        Self {
            nice: self.nice.max(0),
            resets_on_fork: false,
            slice_ns: 0,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_lose_advantages_when_asked() {
        let urgent = Schedule {
            policy: Policy::RoundRobin,
            priority: 7,
            nice: -5,
            resets_on_fork: false,
            reservation: Reservation::default(),
            slice_ns: 0,
        };
        assert_eq!(urgent.of_child(), urgent);
        let resets_on_fork = true;
        assert_eq!(
            Schedule {
                resets_on_fork,
                ..urgent
            }
            .of_child(),
            Schedule::default()
        );
        let nice = |nice| Schedule {
            nice,
            resets_on_fork,
            ..Schedule::default()
        };
        assert_eq!(nice(-5).of_child(), Schedule::default());
        let kept = nice(5).of_child();
        assert_eq!((kept.nice, kept.resets_on_fork), (5, false));
    }

    #[test]
    fn numbers_are_those_of_programs() {
        for number in 0..10 {
            if let Some(policy) = Policy::from_number(number) {
                assert_eq!(policy.number(), number);
            }
        }
        assert_eq!(Policy::from_number(4), None);
    }
}
