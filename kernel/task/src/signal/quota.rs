//! How many signals wait in queues, by user: what RLIMIT_SIGPENDING bounds (getrlimit(2)).

use crate::user_count::{Share, UserCount};

/// Queued signals.
static QUEUED: UserCount = UserCount::new();

/// Whose signal is queued, and how many such may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// The receiver's real user.
    pub(crate) uid: u32,
    /// The receiver's RLIMIT_SIGPENDING.
    pub(crate) limit: u64,
}

impl Allowance {
    /// The same user's, without a limit.
    pub(crate) const fn unlimited(self) -> Self {
        Self {
            limit: u64::MAX,
            ..self
        }
    }
}

/// One queued signal in a user's count; leaves it when dropped.
pub(crate) struct Charge(#[expect(dead_code, reason = "its drop counts")] Share);

impl Charge {
    /// Counts one more signal; `None` beyond the limit, or without memory to count.
    pub(crate) fn take(allowance: Allowance) -> Option<Self> {
        QUEUED.take(allowance.uid, allowance.limit).map(Self)
    }
}

/// Returns the number of signals that are queued for a user's processes.
pub fn queued(uid: u32) -> u64 {
    QUEUED.of(uid)
}
