//! Locks that the kernel hands over: FUTEX_LOCK_PI and its kin.
//!
//! The word of a free lock is 0, of a lock that is held the owner's thread number. The kernel knows a lock only
//! while there are waiters; it has marked the word with FUTEX_WAITERS then, so that the owner comes to the kernel
//! to unlock. Unlocking makes the most urgent waiter the owner in one step: nobody else can take the lock.
//!
//! The lock of an owner that died is an orphan until its first waiter claims it. The waiter does it itself, since
//! it knows the word's address in its own memory.

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::futex::FUTEX_TID_MASK;
use los_abi::syscall::UserPtr;
use mm::FutexKey;
use sync::{Error, Restart};

use super::key::{key_of, make_writable};
use super::owners::{Mark, Progress};
use super::table::Table;
use super::wait::failure;
use super::{TABLE, Word};
use crate::clock::Deadline;
use crate::context::Context;
use crate::thread::Thread;
use crate::{pid, sched};

/// The value of a lock's word, and the thread that it names.
pub(super) struct Sighting {
    pub(super) value: u32,
    pub(super) owner: Option<Arc<Thread>>,
}

impl Sighting {
    /// Looks at a word of the active address space.
    ///
    /// # Errors
    /// EFAULT.
    pub(super) fn of(ctx: &Context<'_>, word: UserPtr<u32>) -> Result<Self, Errno> {
        let value = ctx.memory().load_u32(word)?;
        let tid = value & FUTEX_TID_MASK;
        let owner = if tid == 0 { None } else { pid::thread(tid) };
        Ok(Self { value, owner })
    }
}

/// Takes a lock, waiting for it if needed: FUTEX_LOCK_PI2. Returns 0; the word may have FUTEX_OWNER_DIED.
///
/// # Errors
/// EDEADLK when the caller holds it or would wait for itself; EINVAL for a misaligned word or one that is used
/// otherwise; ESRCH when the owner is gone; EPERM when it is the kernel's; EFAULT; ETIMEDOUT; ENOMEM; a restart
/// after a signal.
pub fn lock(ctx: &Context<'_>, word: Word, deadline: Option<Deadline>) -> sync::Result<usize> {
    let key = key_of(ctx.memory(), word)?;
    let begin = |table: &mut Table, sighting: &Sighting| table.join(key, ctx.thread, sighting.owner.as_ref());
    if acquire(ctx, key, word.address, begin)? == Progress::Done {
        return Ok(0);
    }
    match wait_for(ctx, key, word.address, deadline) {
        Err(Error::Restart(_)) => Err(Error::Restart(Restart::NoIntr)),
        result => result,
    }
}

/// Takes a lock if it is free: FUTEX_TRYLOCK_PI. Returns 0.
///
/// # Errors
/// EAGAIN when it is not; as [`lock`].
pub fn try_lock(ctx: &Context<'_>, word: Word) -> Result<usize, Errno> {
    let key = key_of(ctx.memory(), word)?;
    match acquire(ctx, key, word.address, |_, _| Ok(()))? {
        Progress::Done => Ok(0),
        _ => Err(Errno::EAGAIN),
    }
}

/// Tries to take a lock for the caller; if it is contended, does `otherwise` in the same step.
fn acquire(
    ctx: &Context<'_>,
    key: FutexKey,
    word: UserPtr<u32>,
    mut otherwise: impl FnMut(&mut Table, &Sighting) -> Result<(), Errno>,
) -> Result<Progress, Errno> {
    loop {
        // Declared before the table is locked, since it may have the last reference to a thread.
        let sighting = Sighting::of(ctx, word)?;
        let progress = {
            let mut table = TABLE.lock();
            let progress = table.acquire(key, word, ctx.thread, &sighting, Mark::Nothing)?;
            if progress == Progress::Contended {
                otherwise(&mut table, &sighting)?;
            }
            progress
        };
        match progress {
            Progress::Changed => {}
            Progress::Untouched => make_writable(ctx.memory(), word)?,
            Progress::Done | Progress::Contended => return Ok(progress),
        }
    }
}

/// Releases a lock, to its first waiter if there is one: FUTEX_UNLOCK_PI. Returns 0.
///
/// # Errors
/// EPERM when the word does not name the caller; EINVAL for a misaligned word or one that is used otherwise;
/// EAGAIN when the word changes without the kernel; EFAULT.
pub fn unlock(ctx: &Context<'_>, word: Word) -> Result<usize, Errno> {
    loop {
        let value = ctx.memory().read(word.address)?;
        if value & FUTEX_TID_MASK != ctx.thread.tid() {
            return Err(Errno::EPERM);
        }
        let key = key_of(ctx.memory(), word)?;
        let progress = TABLE.lock().release(key, word.address, ctx.thread, value)?;
        match progress {
            Progress::Done => return Ok(0),
            Progress::Untouched => make_writable(ctx.memory(), word.address)?,
            Progress::Changed | Progress::Contended => {}
        }
    }
}

/// Acts on a change of a thread's own priority, which counts for the owner of the lock that it waits for.
pub(crate) fn priority_changed(thread: &Arc<Thread>) {
    TABLE.lock().priority_changed(thread);
}

/// Waits, as one of a lock's waiters, until the caller owns it.
///
/// # Errors
/// ETIMEDOUT; `Restart::Sys` after a signal; EFAULT when the lock of a dead owner cannot be claimed.
pub(super) fn wait_for(
    ctx: &Context<'_>,
    key: FutexKey,
    word: UserPtr<u32>,
    deadline: Option<Deadline>,
) -> sync::Result<usize> {
    loop {
        let failure = failure(ctx.thread, deadline);
        let mut table = TABLE.lock();
        if ctx.thread.futex.woken().is_some() {
            return Ok(0);
        }
        match table.claim(key, word, ctx.thread) {
            Progress::Done => return Ok(0),
            Progress::Untouched => {
                drop(table);
                if let Err(errno) = make_writable(ctx.memory(), word) {
                    TABLE.lock().give_up(key, ctx.thread);
                    return Err(errno.into());
                }
                continue;
            }
            Progress::Contended | Progress::Changed => {}
        }
        if let Some(failure) = failure {
            table.give_up(key, ctx.thread);
            return Err(failure.into());
        }
        drop(table);
        sched::park(deadline.map(Deadline::monotonic_ns));
    }
}
