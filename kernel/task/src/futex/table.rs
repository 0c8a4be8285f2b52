//! Who sleeps on which word, and who waits for which lock.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use mm::FutexKey;

use super::owners::Lock;
use crate::thread::Thread;

/// Number of lists that sleepers are spread over.
const BUCKETS: usize = 64;

/// All sleepers and all locks with waiters, spread by key.
pub(super) struct Table {
    pub(super) buckets: [Bucket; BUCKETS],
}

/// What has keys of one hash value.
pub(super) struct Bucket {
    pub(super) sleepers: Vec<Sleeper>,
    pub(super) locks: Vec<Lock>,
}

/// A thread that sleeps on a word.
pub(super) struct Sleeper {
    pub(super) key: FutexKey,
    pub(super) bits: u32,
    pub(super) thread: Arc<Thread>,
    pub(super) role: Role,
}

/// What a sleeper waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// To be woken. Of several words, this is the one with the number.
    Word(u32),
    /// To be moved to this lock: FUTEX_WAIT_REQUEUE_PI.
    ForLock(FutexKey),
}

impl Table {
    pub(super) const fn new() -> Self {
        Self {
            buckets: [const {
                Bucket {
                    sleepers: Vec::new(),
                    locks: Vec::new(),
                }
            }; BUCKETS],
        }
    }

    pub(super) fn bucket(&mut self, key: FutexKey) -> &mut Bucket {
        &mut self.buckets[bucket_of(key)]
    }

    /// Adds a sleeper behind those that are as urgent.
    ///
    /// # Errors
    /// ENOMEM.
    pub(super) fn add(&mut self, sleeper: Sleeper) -> Result<(), Errno> {
        self.bucket(sleeper.key).add_sleeper(sleeper)
    }

    /// Takes a thread off all words that it sleeps on; false when it slept on none (any more).
    pub(super) fn withdraw(&mut self, thread: &Arc<Thread>) -> bool {
        let mut found = false;
        // A thread may have been moved to another bucket.
        for bucket in &mut self.buckets {
            let before = bucket.sleepers.len();
            bucket
                .sleepers
                .retain(|sleeper| !Arc::ptr_eq(&sleeper.thread, thread));
            found |= bucket.sleepers.len() < before;
        }
        found
    }

    /// Wakes sleepers of a word whose bits overlap, the longest asleep first, until there are `count`; Linux
    /// wakes one where the count is not positive. Returns how many.
    ///
    /// # Errors
    /// EINVAL when the word is that of a lock, or its sleepers wait to be moved to one.
    pub(super) fn wake(&mut self, key: FutexKey, count: i32, bits: u32) -> Result<usize, Errno> {
        let bucket = self.bucket(key);
        if bucket.lock(key).is_some() {
            return Err(Errno::EINVAL);
        }
        let count = usize::try_from(count).unwrap_or(1).max(1);
        let mut woken = 0;
        // Not `retain`: the common case is an empty list, or the first one.
        let mut index = 0;
        while woken < count && index < bucket.sleepers.len() {
            let sleeper = &bucket.sleepers[index];
            if sleeper.key != key {
                index += 1;
                continue;
            }
            if matches!(sleeper.role, Role::ForLock(_)) {
                return Err(Errno::EINVAL);
            }
            if sleeper.bits & bits == 0 {
                index += 1;
                continue;
            }
            bucket.sleepers.remove(index).wake();
            woken += 1;
        }
        Ok(woken)
    }

    /// Makes all sleepers and waiters look whether their time is over.
    pub(super) fn wake_to_look(&self) {
        for bucket in &self.buckets {
            bucket.sleepers.iter().for_each(|sleeper| sleeper.thread.kick());
            bucket.locks.iter().for_each(Lock::wake_to_look);
        }
    }

    /// Wakes up to `wake` sleepers of a word and moves up to `limit` others to another word. Returns how many
    /// were woken or moved.
    ///
    /// # Errors
    /// EINVAL when a sleeper waits to be moved to a lock; ENOMEM.
    pub(super) fn requeue(
        &mut self,
        from: FutexKey,
        to: FutexKey,
        wake: usize,
        limit: usize,
    ) -> Result<usize, Errno> {
        let (source, target) = (bucket_of(from), bucket_of(to));
        let most = wake.saturating_add(limit);
        let mut done = 0;
        let mut index = 0;
        while done < most && index < self.buckets[source].sleepers.len() {
            let sleeper = &self.buckets[source].sleepers[index];
            if sleeper.key != from {
                index += 1;
                continue;
            }
            if matches!(sleeper.role, Role::ForLock(_)) {
                return Err(Errno::EINVAL);
            }
            done += 1;
            if done <= wake {
                self.buckets[source].sleepers.remove(index).wake();
            } else if source == target {
                self.buckets[source].sleepers[index].key = to;
                index += 1;
            } else {
                let sleepers = &mut self.buckets[target].sleepers;
                sleepers.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                let mut sleeper = self.buckets[source].sleepers.remove(index);
                sleeper.key = to;
                self.buckets[target].add_sleeper(sleeper)?;
            }
        }
        Ok(done)
    }
}

impl Bucket {
    fn add_sleeper(&mut self, sleeper: Sleeper) -> Result<(), Errno> {
        self.sleepers.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let priority = sleeper.thread.entity.priority();
        let mut place = self.sleepers.len();
        if priority != 0 {
            let mut others = self.sleepers.iter();
            place = others
                .position(|other| other.thread.entity.priority() < priority)
                .unwrap_or(place);
        }
        self.sleepers.insert(place, sleeper);
        Ok(())
    }

    pub(super) fn lock(&self, key: FutexKey) -> Option<&Lock> {
        self.locks.iter().find(|lock| lock.key == key)
    }

    pub(super) fn lock_index(&self, key: FutexKey) -> Option<usize> {
        self.locks.iter().position(|lock| lock.key == key)
    }

    pub(super) fn first_sleeper(&self, key: FutexKey) -> Option<usize> {
        self.sleepers.iter().position(|sleeper| sleeper.key == key)
    }
}

impl Sleeper {
    /// Ends the sleep of one that is in no list any more.
    fn wake(self) {
        let number = match self.role {
            Role::Word(number) => number,
            Role::ForLock(_) => 0,
        };
        self.thread.futex.set_woken(number);
        self.thread.kick();
    }
}

/// Returns the list for a key. Words lie close together, spaces and objects far apart.
pub(super) fn bucket_of(key: FutexKey) -> usize {
    let (object, place) = match key {
        FutexKey::Private { space, address } => (space, address),
        FutexKey::Shared { object, offset } => (object, offset),
    };
    let mixed = (place >> 2) ^ (object as u64 >> 6);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn key(address: u64) -> FutexKey {
        FutexKey::Private { space: 1, address }
    }

    fn sleeper(address: u64, bits: u32) -> Sleeper {
        Sleeper {
            key: key(address),
            bits,
            thread: testing::thread(),
            role: Role::Word(0),
        }
    }

    #[test]
    fn wakers_take_the_oldest_whose_bits_overlap() {
        let mut table = Table::new();
        let mut tids = Vec::new();
        for (address, bits) in [(8, 1), (8, 2), (12, 3), (8, 3)] {
            let sleeper = sleeper(address, bits);
            tids.push(sleeper.thread.tid());
            table.add(sleeper).unwrap();
        }
        assert_eq!(table.wake(key(8), 1, 2), Ok(1));
        let left = table.bucket(key(8)).sleepers.iter();
        let left: Vec<_> = left.map(|sleeper| sleeper.thread.tid()).collect();
        assert!(left.contains(&tids[0]) && left.contains(&tids[3]) && !left.contains(&tids[1]));
        assert_eq!(table.wake(key(8), i32::MAX, u32::MAX), Ok(2));
        assert_eq!(table.wake(key(12), i32::MAX, u32::MAX), Ok(1));
    }

    #[test]
    fn a_count_that_is_not_positive_wakes_one() {
        let mut table = Table::new();
        for _ in 0..3 {
            table.add(sleeper(8, 1)).unwrap();
        }
        assert_eq!(table.wake(key(8), 0, 1), Ok(1));
        assert_eq!(table.wake(key(8), -1, 1), Ok(1));
    }

    #[test]
    fn requeued_sleepers_wait_for_the_other_word() {
        let mut table = Table::new();
        for _ in 0..4 {
            table.add(sleeper(8, u32::MAX)).unwrap();
        }
        assert_eq!(table.requeue(key(8), key(64), 1, 2), Ok(3));
        assert_eq!(table.wake(key(64), 9, u32::MAX), Ok(2));
        assert_eq!(table.wake(key(8), 9, u32::MAX), Ok(1));
    }

    #[test]
    fn requeuing_to_the_same_word_counts_and_keeps() {
        let mut table = Table::new();
        for _ in 0..3 {
            table.add(sleeper(8, u32::MAX)).unwrap();
        }
        assert_eq!(table.requeue(key(8), key(8), 1, 9), Ok(3));
        assert_eq!(table.wake(key(8), 9, u32::MAX), Ok(2));
    }

    #[test]
    fn sleepers_that_wait_for_a_lock_are_not_woken() {
        let mut table = Table::new();
        let mut waiter = sleeper(8, u32::MAX);
        waiter.role = Role::ForLock(key(64));
        table.add(waiter).unwrap();
        assert_eq!(table.wake(key(8), 1, u32::MAX), Err(Errno::EINVAL));
        assert_eq!(table.requeue(key(8), key(16), 0, 1), Err(Errno::EINVAL));
    }

    #[test]
    fn one_withdrawal_leaves_every_word() {
        let mut table = Table::new();
        let thread = testing::thread();
        for number in 0..4 {
            let mut part = sleeper(u64::from(number) * 64, 1);
            part.thread = thread.clone();
            part.role = Role::Word(number);
            table.add(part).unwrap();
        }
        assert_eq!(table.wake(key(128), 1, 1), Ok(1));
        assert_eq!(thread.futex.woken(), Some(2));
        assert!(table.withdraw(&thread));
        assert!(!table.withdraw(&thread));
    }

    #[test]
    fn keys_spread_over_all_buckets() {
        let used: alloc::collections::BTreeSet<_> =
            (0..4096).map(|index| bucket_of(key(index * 4))).collect();
        assert_eq!(used.len(), BUCKETS);
    }
}
