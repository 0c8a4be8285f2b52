//! How many signals wait in queues, by user: what RLIMIT_SIGPENDING bounds (getrlimit(2)).

use alloc::vec::Vec;

use sync::{Rank, SpinLock};

/// Users with queued signals, and how many those are. Only a few users ever are in it.
static QUEUED: SpinLock<Vec<(u32, u64)>> = SpinLock::new(Rank::SignalQuota, Vec::new());

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
#[derive(Debug)]
pub(crate) struct Charge {
    uid: u32,
}

impl Charge {
    /// Counts one more signal; `None` beyond the limit, or without memory to count.
    pub(crate) fn take(allowance: Allowance) -> Option<Self> {
        let Allowance { uid, limit } = allowance;
        let mut users = QUEUED.lock();
        match users.iter_mut().find(|(user, _)| *user == uid) {
            Some((_, count)) if *count >= limit => return None,
            Some((_, count)) => *count += 1,
            None if limit == 0 => return None,
            None => {
                users.try_reserve(1).ok()?;
                users.push((uid, 1));
            }
        }
        Some(Self { uid })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut users = QUEUED.lock();
        let Some(index) = users.iter().position(|(user, _)| *user == self.uid) else {
            return;
        };
        users[index].1 -= 1;
        if users[index].1 == 0 {
            users.swap_remove(index);
        }
    }
}

/// Returns the number of signals that are queued for a user's processes.
pub fn queued(uid: u32) -> u64 {
    let users = QUEUED.lock();
    let entry = users.iter().find(|(user, _)| *user == uid);
    entry.map_or(0, |(_, count)| *count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_users_and_charges_return() {
        let allowance = Allowance {
            uid: 71_001,
            limit: 2,
        };
        let first = Charge::take(allowance).unwrap();
        let second = Charge::take(allowance).unwrap();
        assert!(Charge::take(allowance).is_none());
        let beyond = Charge::take(allowance.unlimited()).unwrap();
        assert_eq!(queued(71_001), 3);
        let other = Allowance {
            uid: 71_002,
            limit: 1,
        };
        drop(Charge::take(other).unwrap());
        drop((first, second, beyond));
        assert_eq!((queued(71_001), queued(71_002)), (0, 0));
    }
}
