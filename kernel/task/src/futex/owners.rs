//! What the table knows of locks: their owners and waiters, and the words that say so.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::futex::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};
use los_abi::syscall::UserPtr;
use los_arch::Current;
use los_arch::hal::prelude::Uaccess;
use mm::FutexKey;

use super::lock::Sighting;
use super::table::{Bucket, Table, bucket_of};
use crate::thread::Thread;

/// A lock that has waiters.
pub(super) struct Lock {
    pub(super) key: FutexKey,
    /// Who holds it; nobody if the owner died.
    pub(super) owner: Option<Arc<Thread>>,
    /// Who gets it next first. Never empty.
    pub(super) waiters: Vec<Arc<Thread>>,
}

/// How far a change of a lock's word got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// It is done; the thread owns the lock, or has released it.
    Done,
    /// The thread must wait.
    Contended,
    /// The word is not what it was seen to be.
    Changed,
    /// The word must be brought in for writing.
    Untouched,
}

/// Whether a lock that is taken at once is marked as one with waiters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mark {
    /// More waiters may follow.
    Waiters,
    /// Nobody waits.
    Nothing,
}

impl Table {
    /// Takes a lock for a thread if nobody owns it, else marks its word as one with waiters.
    ///
    /// # Errors
    /// EDEADLK, EINVAL, ESRCH, EPERM as [`lock`](super::lock()).
    pub(super) fn acquire(
        &mut self,
        key: FutexKey,
        word: UserPtr<u32>,
        thread: &Arc<Thread>,
        sighting: &Sighting,
        mark: Mark,
    ) -> Result<Progress, Errno> {
        let value = sighting.value;
        match Current::load_user_u32(word.addr()) {
            Ok(found) if found == value => {}
            Ok(_) => return Ok(Progress::Changed),
            Err(_) => return Ok(Progress::Untouched),
        }
        if value & FUTEX_TID_MASK == thread.tid() {
            return Err(Errno::EDEADLK);
        }
        let bucket = self.bucket(key);
        if let Some(lock) = bucket.lock(key) {
            return lock.check_word(value).map(|()| Progress::Contended);
        }
        if bucket.first_sleeper(key).is_some() {
            return Err(Errno::EINVAL);
        }
        if value & FUTEX_TID_MASK == 0 {
            let mark = if mark == Mark::Waiters { FUTEX_WAITERS } else { 0 };
            let taken = value & FUTEX_OWNER_DIED | thread.tid() | mark;
            return Ok(replace(word, value, taken));
        }
        match replace(word, value, value | FUTEX_WAITERS) {
            Progress::Done => {}
            progress => return Ok(progress),
        }
        match &sighting.owner {
            Some(owner) if owner.process().is_kernel() => Err(Errno::EPERM),
            Some(owner) if !owner.futex.is_released() => Ok(Progress::Contended),
            _ => Err(Errno::ESRCH),
        }
    }

    /// Makes a thread one of the waiters of a lock. `owner` counts if it is the first.
    ///
    /// # Errors
    /// EDEADLK when the owner waits for the thread; ENOMEM.
    pub(super) fn join(
        &mut self,
        key: FutexKey,
        thread: &Arc<Thread>,
        owner: Option<&Arc<Thread>>,
    ) -> Result<(), Errno> {
        let index = bucket_of(key);
        let known = self.buckets[index].lock_index(key);
        let holder = match known {
            Some(place) => self.buckets[index].locks[place].owner.as_ref(),
            None => owner,
        };
        if holder.is_some_and(|holder| self.waits_for(holder, thread)) {
            return Err(Errno::EDEADLK);
        }
        let bucket = &mut self.buckets[index];
        match known {
            Some(place) => {
                let lock = &mut bucket.locks[place];
                lock.waiters.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                lock.insert(thread.clone());
            }
            None => bucket.add_lock(key, owner, thread)?,
        }
        thread.futex.fall_asleep();
        thread.futex.set_lock_bucket(Some(index));
        if thread.entity.priority() != 0
            && let Some(owner) = self.owner_of(key)
        {
            self.pass_priority_on(owner);
        }
        Ok(())
    }

    /// Changes the word of a lock that a thread owns to free or to the next owner.
    pub(super) fn release(
        &mut self,
        key: FutexKey,
        word: UserPtr<u32>,
        thread: &Arc<Thread>,
        value: u32,
    ) -> Result<Progress, Errno> {
        let bucket = self.bucket(key);
        let Some(place) = bucket.lock_index(key) else {
            if bucket.first_sleeper(key).is_some() {
                return Err(Errno::EINVAL);
            }
            return match replace(word, value, 0) {
                Progress::Changed => Err(Errno::EAGAIN),
                progress => Ok(progress),
            };
        };
        let lock = &bucket.locks[place];
        if !lock
            .owner
            .as_ref()
            .is_some_and(|owner| Arc::ptr_eq(owner, thread))
        {
            return Err(Errno::EINVAL);
        }
        let progress = replace(word, value, lock.waiters[0].tid() | FUTEX_WAITERS);
        if progress == Progress::Done {
            let heir = bucket.hand_over(place);
            self.pass_priority_on(thread.clone());
            self.pass_priority_on(heir);
        }
        Ok(progress)
    }

    /// Makes a thread the owner of a lock whose owner died, if it is the first waiter.
    pub(super) fn claim(&mut self, key: FutexKey, word: UserPtr<u32>, thread: &Arc<Thread>) -> Progress {
        let bucket = self.bucket(key);
        let Some(place) = bucket.lock_index(key) else {
            return Progress::Contended;
        };
        let lock = &bucket.locks[place];
        if lock.owner.is_some() || lock.place_of(thread) != Some(0) {
            return Progress::Contended;
        }
        let claimed = thread.tid() | FUTEX_WAITERS | FUTEX_OWNER_DIED;
        loop {
            let Ok(value) = Current::load_user_u32(word.addr()) else {
                return Progress::Untouched;
            };
            match replace(word, value, claimed) {
                Progress::Changed => {}
                Progress::Done => break,
                progress => return progress,
            }
        }
        let heir = bucket.hand_over(place);
        self.pass_priority_on(heir);
        Progress::Done
    }

    /// Ends a thread's wait for a lock.
    pub(super) fn give_up(&mut self, key: FutexKey, thread: &Arc<Thread>) {
        thread.futex.set_lock_bucket(None);
        let bucket = self.bucket(key);
        let Some(place) = bucket.lock_index(key) else {
            return;
        };
        let lock = &mut bucket.locks[place];
        let owner = lock.owner.clone();
        lock.waiters.retain(|waiter| !Arc::ptr_eq(waiter, thread));
        match (lock.waiters.first(), &lock.owner) {
            (None, owner) => {
                if let Some(owner) = owner {
                    owner.futex.remove_held();
                }
                bucket.locks.swap_remove(place);
            }
            // The lock of a dead owner is now for another one to claim.
            (Some(next), None) => next.kick(),
            (Some(_), Some(_)) => {}
        }
        if let Some(owner) = owner {
            self.pass_priority_on(owner);
        }
    }

    /// Lets the waiters of all locks of a dying thread claim them.
    pub(super) fn orphan_locks(&mut self, thread: &Arc<Thread>) {
        if !thread.futex.holds_locks() {
            return;
        }
        for lock in self.buckets.iter_mut().flat_map(|bucket| &mut bucket.locks) {
            if lock
                .owner
                .as_ref()
                .is_some_and(|owner| Arc::ptr_eq(owner, thread))
            {
                lock.owner = None;
                thread.futex.remove_held();
                lock.waiters[0].kick();
            }
        }
    }
}

impl Bucket {
    fn add_lock(
        &mut self,
        key: FutexKey,
        owner: Option<&Arc<Thread>>,
        waiter: &Arc<Thread>,
    ) -> Result<(), Errno> {
        let mut waiters = Vec::new();
        waiters.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.locks.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        waiters.push(waiter.clone());
        if let Some(owner) = owner {
            owner.futex.add_held();
        }
        self.locks.push(Lock {
            key,
            owner: owner.cloned(),
            waiters,
        });
        Ok(())
    }

    /// Makes the first waiter the owner of a lock, whose word says so already, and returns it.
    fn hand_over(&mut self, place: usize) -> Arc<Thread> {
        let lock = &mut self.locks[place];
        if let Some(owner) = lock.owner.take() {
            owner.futex.remove_held();
        }
        let heir = lock.waiters.remove(0);
        heir.futex.set_lock_bucket(None);
        heir.futex.set_woken(0);
        heir.kick();
        if lock.waiters.is_empty() {
            self.locks.swap_remove(place);
        } else {
            heir.futex.add_held();
            lock.owner = Some(heir.clone());
        }
        heir
    }
}

impl Lock {
    /// Makes all waiters look whether their time is over.
    pub(super) fn wake_to_look(&self) {
        self.waiters.iter().for_each(|waiter| waiter.kick());
    }

    pub(super) fn is_owned_by(&self, thread: &Arc<Thread>) -> bool {
        self.owner
            .as_ref()
            .is_some_and(|owner| Arc::ptr_eq(owner, thread))
    }

    /// Adds a waiter behind those that are as urgent. There is room.
    pub(super) fn insert(&mut self, thread: Arc<Thread>) {
        let priority = thread.entity.priority();
        let mut others = self.waiters.iter();
        let place = others.position(|other| other.entity.priority() < priority);
        self.waiters.insert(place.unwrap_or(self.waiters.len()), thread);
    }

    /// Refuses a word that the program has changed behind the kernel's back.
    fn check_word(&self, value: u32) -> Result<(), Errno> {
        let named = value & FUTEX_TID_MASK;
        match &self.owner {
            Some(owner) if named == owner.tid() => Ok(()),
            Some(_) if named == 0 && value & FUTEX_OWNER_DIED != 0 => Ok(()),
            Some(_) => Err(Errno::EINVAL),
            None => Ok(()),
        }
    }

    /// Returns how many waiters are before a thread, if it is one.
    pub(super) fn place_of(&self, thread: &Arc<Thread>) -> Option<usize> {
        self.waiters.iter().position(|waiter| Arc::ptr_eq(waiter, thread))
    }
}

/// Replaces the value of a word of the active address space.
fn replace(word: UserPtr<u32>, value: u32, new: u32) -> Progress {
    match Current::compare_exchange_user_u32(word.addr(), value, new) {
        Ok(found) if found == value => Progress::Done,
        Ok(_) => Progress::Changed,
        Err(_) => Progress::Untouched,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{sched, testing};

    pub(in crate::futex) fn key(address: u64) -> FutexKey {
        FutexKey::Private { space: 1, address }
    }

    /// Makes a table in which each thread of a row waits for the lock of the one before it.
    pub(in crate::futex) fn chain(threads: &[Arc<Thread>]) -> Table {
        let mut table = Table::new();
        for (address, pair) in (0..).zip(threads.windows(2)) {
            table.join(key(address * 4), &pair[1], Some(&pair[0])).unwrap();
        }
        table
    }

    /// Makes a thread urgent.
    pub(in crate::futex) fn real_time(thread: &Arc<Thread>, priority: u32) {
        let schedule = sched::Schedule {
            policy: sched::Policy::Fifo,
            priority,
            ..Default::default()
        };
        sched::set_schedule(thread, schedule).unwrap();
    }

    #[test]
    fn handing_over_keeps_count_of_what_is_held() {
        let threads = [(); 3].map(|()| testing::thread());
        let mut table = Table::new();
        table.join(key(8), &threads[1], Some(&threads[0])).unwrap();
        table.join(key(8), &threads[2], Some(&threads[0])).unwrap();
        assert!(threads[0].futex.holds_locks());
        table.bucket(key(8)).hand_over(0);
        assert_eq!(threads[1].futex.woken(), Some(0));
        assert!(threads[1].futex.holds_locks() && !threads[0].futex.holds_locks());
        table.bucket(key(8)).hand_over(0);
        // Nobody waits any more, so the kernel knows nothing of the lock.
        assert!(!threads[2].futex.holds_locks());
        assert!(table.bucket(key(8)).lock(key(8)).is_none());
    }

    #[test]
    fn giving_up_ends_a_lock_without_waiters() {
        let threads = [(); 2].map(|()| testing::thread());
        let mut table = chain(&threads);
        table.give_up(key(0), &threads[1]);
        assert!(table.bucket(key(0)).lock(key(0)).is_none());
        assert!(!threads[0].futex.holds_locks());
    }

    #[test]
    fn the_dead_leave_orphans_that_the_word_need_not_name() {
        let threads = [(); 2].map(|()| testing::thread());
        let mut table = chain(&threads);
        let living = threads[0].tid();
        let lock = table.bucket(key(0)).lock(key(0)).unwrap();
        assert_eq!(lock.check_word(living), Ok(()));
        assert_eq!(lock.check_word(FUTEX_OWNER_DIED), Ok(()));
        assert_eq!(lock.check_word(living + 1), Err(Errno::EINVAL));
        table.orphan_locks(&threads[0]);
        assert!(!threads[0].futex.holds_locks());
        let lock = table.bucket(key(0)).lock(key(0)).unwrap();
        assert_eq!(lock.check_word(living), Ok(()));
    }

    #[test]
    fn the_most_urgent_waiter_is_first() {
        let threads = [(); 4].map(|()| testing::thread());
        let mut table = Table::new();
        for (thread, priority) in threads[1..].iter().zip([0, 3, 3]) {
            if priority != 0 {
                real_time(thread, priority);
            }
            table.join(key(8), thread, Some(&threads[0])).unwrap();
        }
        let order = [0; 3].map(|_| table.bucket(key(8)).hand_over(0).tid());
        assert_eq!(order, [2, 3, 1].map(|at: usize| threads[at].tid()));
    }
}
