//! Chains of owners: threads that own locks and wait for the locks of others, and how urgent that makes them.

use alloc::sync::Arc;

use mm::FutexKey;

use super::table::{Table, bucket_of};
use crate::sched;
use crate::thread::Thread;

/// Longest chain of owners that wait for each other's locks, as on Linux; a longer one counts as a circle.
const CHAIN_MAX: usize = 1024;

impl Table {
    pub(super) fn owner_of(&self, key: FutexKey) -> Option<Arc<Thread>> {
        self.buckets[bucket_of(key)].lock(key)?.owner.clone()
    }

    /// Gives a thread the priority of those who wait for its locks, and so on along the chain of owners.
    pub(super) fn pass_priority_on(&mut self, owner: Arc<Thread>) {
        let mut at = owner;
        for _ in 0..CHAIN_MAX {
            let priority = self.waiting_for(&at);
            if at.entity.inherited_priority() == priority {
                return;
            }
            sched::inherit_priority(&at, priority);
            let Some(next) = self.move_in_line(&at) else {
                return;
            };
            at = next;
        }
    }

    /// Returns the highest priority among those who wait for a thread's locks.
    fn waiting_for(&self, owner: &Arc<Thread>) -> u32 {
        if !owner.futex.holds_locks() {
            return 0;
        }
        let locks = self.buckets.iter().flat_map(|bucket| &bucket.locks);
        locks
            .filter(|lock| lock.is_owned_by(owner))
            .map(|lock| lock.waiters[0].entity.priority())
            .max()
            .unwrap_or(0)
    }

    /// Puts a thread whose priority has changed in its place among a lock's waiters, and returns the owner.
    fn move_in_line(&mut self, thread: &Arc<Thread>) -> Option<Arc<Thread>> {
        let bucket = &mut self.buckets[thread.futex.lock_bucket()?];
        let mut locks = bucket.locks.iter_mut();
        let lock = locks.find(|lock| lock.place_of(thread).is_some())?;
        let place = lock.place_of(thread)?;
        let waiter = lock.waiters.remove(place);
        lock.insert(waiter);
        lock.owner.clone()
    }

    /// Acts on a change of a thread's own priority.
    pub(super) fn priority_changed(&mut self, thread: &Arc<Thread>) {
        if let Some(owner) = self.move_in_line(thread) {
            self.pass_priority_on(owner);
        }
    }

    /// Reports whether a thread is, or waits for a lock of somebody who in the end is or waits for, `other`.
    pub(super) fn waits_for(&self, thread: &Arc<Thread>, other: &Arc<Thread>) -> bool {
        let mut at = thread;
        for _ in 0..CHAIN_MAX {
            if Arc::ptr_eq(at, other) {
                return true;
            }
            let owner = at.futex.lock_bucket().and_then(|bucket| {
                let mut locks = self.buckets[bucket].locks.iter();
                locks.find(|lock| lock.place_of(at).is_some())?.owner.as_ref()
            });
            match owner {
                Some(owner) => at = owner,
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use los_abi::errno::Errno;

    use crate::futex::owners::tests::{chain, key, real_time};
    use crate::testing;

    #[test]
    fn a_circle_of_any_length_is_refused() {
        let threads = [(); 4].map(|()| testing::thread());
        let mut table = chain(&threads);
        let closing = table.join(key(400), &threads[0], Some(&threads[3]));
        assert_eq!(closing, Err(Errno::EDEADLK));
        assert!(threads[0].futex.lock_bucket().is_none());
        // The end of the row may wait for its start.
        let other = testing::thread();
        assert_eq!(table.join(key(400), &other, Some(&threads[3])), Ok(()));
    }

    #[test]
    fn priority_goes_along_the_chain_and_back() {
        let threads = [(); 3].map(|()| testing::thread());
        let mut table = chain(&threads[..2]);
        real_time(&threads[2], 7);
        table.join(key(64), &threads[2], Some(&threads[1])).unwrap();
        assert_eq!([0, 1].map(|at: usize| threads[at].entity.priority()), [7, 7]);
        table.give_up(key(64), &threads[2]);
        assert_eq!([0, 1].map(|at: usize| threads[at].entity.priority()), [0, 0]);
    }
}
