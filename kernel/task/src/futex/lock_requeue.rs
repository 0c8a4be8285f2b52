//! Sleeping on a word until moved to a lock, as the waiters of a condition variable are to its mutex:
//! FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI.

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_arch::Current;
use los_arch::hal::prelude::Uaccess;
use mm::FutexKey;
use sync::{Error, Restart, WaitError};

use super::key::{key_of, make_writable};
use super::lock::{Sighting, wait_for};
use super::owners::{Mark, Progress};
use super::table::{Role, Table};
use super::wait::{WordRequest, enqueue, failure};
use super::{TABLE, Word};
use crate::clock::Deadline;
use crate::context::Context;
use crate::sched;
use crate::thread::Thread;

/// Sleeps on a word until [`requeue_to_lock`] moves the caller to the lock, then takes that. Returns 0.
///
/// # Errors
/// EINVAL when both words are the same, misaligned or used otherwise; EAGAIN for another value, or for a signal
/// while waiting for the lock; EFAULT; ETIMEDOUT; ENOMEM; a restart after a signal before.
pub fn wait_for_lock_requeue(
    ctx: &Context<'_>,
    on: WordRequest,
    lock: Word,
    deadline: Option<Deadline>,
) -> sync::Result<usize> {
    if on.word.address == lock.address {
        return Err(Errno::EINVAL.into());
    }
    let lock_key = key_of(ctx.memory(), lock)?;
    let key = key_of(ctx.memory(), on.word)?;
    enqueue(ctx, on, key, u32::MAX, Role::ForLock(lock_key))?;
    if key == lock_key {
        TABLE.lock().withdraw(ctx.thread);
        return Err(Errno::EINVAL.into());
    }
    if sleep_until_moved(ctx.thread, deadline)? == Moved::Owner {
        return Ok(0);
    }
    match wait_for(ctx, lock_key, lock.address, deadline) {
        // To start again would find another value: the program must look for itself.
        Err(Error::Restart(_)) => Err(Errno::EAGAIN.into()),
        result => result,
    }
}

/// What a sleeper has become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moved {
    /// The owner of the lock.
    Owner,
    /// One that waits for it.
    Waiter,
}

fn sleep_until_moved(thread: &Arc<Thread>, deadline: Option<Deadline>) -> sync::Result<Moved> {
    loop {
        let failure = failure(thread, deadline);
        let mut table = TABLE.lock();
        if thread.futex.woken().is_some() {
            return Ok(Moved::Owner);
        }
        if thread.futex.lock_bucket().is_some() {
            return Ok(Moved::Waiter);
        }
        if let Some(failure) = failure {
            table.withdraw(thread);
            return Err(match failure {
                WaitError::TimedOut => Errno::ETIMEDOUT.into(),
                WaitError::Interrupted => Error::Restart(Restart::NoIntr),
            });
        }
        drop(table);
        sched::park(deadline.map(Deadline::monotonic_ns));
    }
}

/// Gives a lock to the first sleeper of a word, or makes it the lock's waiter, and makes up to `limit` others
/// waiters, if the word still has the value. Returns how many.
///
/// # Errors
/// EINVAL when both words are the same, misaligned or used otherwise, for a negative number, or when the
/// sleepers wait for another lock or none; EAGAIN for another value; EDEADLK; ESRCH; EPERM; EFAULT; ENOMEM.
pub fn requeue_to_lock(
    ctx: &Context<'_>,
    from: Word,
    lock: Word,
    (wake, limit): (i32, i32),
    expected: u32,
) -> Result<usize, Errno> {
    let limit = usize::try_from(limit).map_err(|_| Errno::EINVAL)?;
    if from.address == lock.address || wake != 1 {
        return Err(Errno::EINVAL);
    }
    let key = key_of(ctx.memory(), from)?;
    let lock_key = key_of(ctx.memory(), lock)?;
    if key == lock_key {
        return Err(Errno::EINVAL);
    }
    loop {
        // Who owns the lock matters only if somebody sleeps.
        let sighting = Sighting::of(ctx, lock.address);
        let progress = {
            let mut table = TABLE.lock();
            match Current::load_user_u32(from.address.addr()) {
                Ok(value) if value != expected => return Err(Errno::EAGAIN),
                Ok(_) => {
                    let Some(first) = table.next_sleeper(key, lock_key)? else {
                        return match sighting {
                            Err(Errno::EFAULT) => Err(Errno::EFAULT),
                            _ => Ok(0),
                        };
                    };
                    let sighting = sighting.as_ref().map_err(|errno| *errno)?;
                    let mark = if limit > 0 { Mark::Waiters } else { Mark::Nothing };
                    let progress = table.acquire(lock_key, lock.address, &first, sighting, mark)?;
                    let owner = match progress {
                        Progress::Done => Some(&first),
                        _ => sighting.owner.as_ref(),
                    };
                    if matches!(progress, Progress::Done | Progress::Contended) {
                        let woken = usize::from(progress == Progress::Done);
                        if woken == 1 {
                            table.give_lock(key, &first);
                        }
                        return table
                            .move_to_lock(key, lock_key, owner, limit + 1 - woken)
                            .map(|n| n + woken);
                    }
                    Some(progress)
                }
                Err(_) => None,
            }
        };
        match progress {
            None => ctx.memory().load_u32(from.address).map(|_| ())?,
            Some(Progress::Untouched) => make_writable(ctx.memory(), lock.address)?,
            Some(_) => {}
        }
    }
}

impl Table {
    /// Returns the next sleeper of a word.
    ///
    /// # Errors
    /// EINVAL when it does not wait for this lock.
    fn next_sleeper(&mut self, key: FutexKey, lock: FutexKey) -> Result<Option<Arc<Thread>>, Errno> {
        let bucket = self.bucket(key);
        let Some(index) = bucket.first_sleeper(key) else {
            return Ok(None);
        };
        let sleeper = &bucket.sleepers[index];
        if sleeper.role == Role::ForLock(lock) {
            Ok(Some(sleeper.thread.clone()))
        } else {
            Err(Errno::EINVAL)
        }
    }

    /// Wakes the first sleeper of a word, which owns its lock now.
    fn give_lock(&mut self, key: FutexKey, thread: &Thread) {
        let bucket = self.bucket(key);
        if let Some(index) = bucket.first_sleeper(key) {
            bucket.sleepers.remove(index);
        }
        thread.futex.set_woken(0);
        thread.kick();
    }

    /// Makes up to `count` sleepers of a word waiters of a lock, and returns how many.
    fn move_to_lock(
        &mut self,
        key: FutexKey,
        lock: FutexKey,
        owner: Option<&Arc<Thread>>,
        count: usize,
    ) -> Result<usize, Errno> {
        let mut moved = 0;
        while moved < count
            && let Some(thread) = self.next_sleeper(key, lock)?
        {
            self.join(lock, &thread, owner)?;
            let bucket = self.bucket(key);
            if let Some(index) = bucket.first_sleeper(key) {
                bucket.sleepers.remove(index);
            }
            moved += 1;
        }
        Ok(moved)
    }
}
