//! Numbers of things by user, each of which counts until it is dropped.

use alloc::vec::Vec;

use sync::{Rank, SpinLock};

/// How many of something users have. Only a few users ever are in it.
pub(crate) struct UserCount(SpinLock<Vec<(u32, u64)>>);

impl UserCount {
    /// Makes a count of nothing.
    pub(crate) const fn new() -> Self {
        Self(SpinLock::new(Rank::UserCount, Vec::new()))
    }

    /// Counts one more for a user; `None` if he has so many as `limit` already, or without memory to count.
    pub(crate) fn take(&'static self, uid: u32, limit: u64) -> Option<Share> {
        let mut users = self.0.lock();
        match users.iter_mut().find(|(user, _)| *user == uid) {
            Some((_, count)) if *count >= limit => return None,
            Some((_, count)) => *count += 1,
            None if limit == 0 => return None,
            None => {
                users.try_reserve(1).ok()?;
                users.push((uid, 1));
            }
        }
        Some(Share { of: self, uid })
    }

    /// Returns how many a user has.
    pub(crate) fn of(&self, uid: u32) -> u64 {
        let users = self.0.lock();
        let entry = users.iter().find(|(user, _)| *user == uid);
        entry.map_or(0, |(_, count)| *count)
    }
}

/// One thing in a user's count; leaves it when dropped.
pub(crate) struct Share {
    of: &'static UserCount,
    uid: u32,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut users = self.of.0.lock();
        let Some(index) = users.iter().position(|(user, _)| *user == self.uid) else {
            return;
        };
        users[index].1 -= 1;
        if users[index].1 == 0 {
            users.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn the_limit_is_the_users_and_shares_return() {
        static COUNT: UserCount = UserCount::new();
        let first = COUNT.take(1, 2).unwrap();
        let second = COUNT.take(1, 2).unwrap();
        assert!(COUNT.take(1, 2).is_none());
        let beyond = COUNT.take(1, u64::MAX).unwrap();
        assert_eq!(COUNT.of(1), 3);
        drop(COUNT.take(2, 1).unwrap());
        drop((first, second, beyond));
        assert_eq!((COUNT.of(1), COUNT.of(2)), (0, 0));
    }

    #[test]
    fn many_at_once_never_are_more_than_the_limit() {
        static COUNT: UserCount = UserCount::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5000 {
                        let share = COUNT.take(1, 3);
                        assert!(COUNT.of(1) <= 3);
                        drop(share);
                    }
                });
            }
        });
        assert_eq!(COUNT.of(1), 0);
    }
}
