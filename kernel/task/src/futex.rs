//! Futexes: sleeping until a word of user memory is said to have changed (futex(2)).
//!
//! The word is looked at and the sleeper queued under one lock, which a waker takes too: a change between
//! the look and the sleep is not missed.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use los_abi::task::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, RobustListHead};
use los_arch::Current;
use los_arch::hal::prelude::Uaccess;
use mm::{AddressSpace, FutexKey};
use sync::{Rank, SpinLock, WaitError, now_ns};

use crate::context::Context;
use crate::sched;
use crate::thread::Thread;

/// Number of lists that sleepers are spread over.
const BUCKETS: usize = 64;
/// Most locks that a dying thread's list may name, against loops (ROBUST_LIST_LIMIT).
const ROBUST_LIST_MAX: usize = 2048;

/// Who may sleep on a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Threads that share the memory (`FUTEX_PRIVATE_FLAG`).
    Private,
    /// Whoever has mapped the object.
    Shared,
}

/// A thread that sleeps on a word.
struct Sleeper {
    key: FutexKey,
    bits: u32,
    thread: Arc<Thread>,
}

static SLEEPERS: SpinLock<[Vec<Sleeper>; BUCKETS]> =
    SpinLock::new(Rank::Futex, [const { Vec::new() }; BUCKETS]);

/// A thread's part in futexes.
pub(crate) struct FutexState {
    /// Whether a waker has taken the thread off its list.
    woken: AtomicBool,
}

impl FutexState {
    pub(crate) const fn new() -> Self {
        Self {
            woken: AtomicBool::new(false),
        }
    }
}

/// Names the word.
fn key_of(memory: &AddressSpace, word: UserPtr<u32>, scope: Scope) -> Result<FutexKey, Errno> {
    if !word.addr().is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    match scope {
        Scope::Private => Ok(memory.private_futex_key(word.addr())),
        Scope::Shared => memory.shared_futex_key(word.addr()),
    }
}

/// Returns the list for a key. Words lie close together, spaces and objects far apart.
fn bucket_of(key: FutexKey) -> usize {
    let (object, place) = match key {
        FutexKey::Private { space, address } => (space, address),
        FutexKey::Shared { object, offset } => (object, offset),
    };
    let mixed = (place >> 2) ^ (object as u64 >> 6);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % BUCKETS
}

/// Sleeps while the word has this value, until a waker whose bits overlap comes: FUTEX_WAIT_BITSET.
///
/// # Errors
/// EAGAIN for another value; EINVAL for a misaligned word or no bits; EFAULT; ETIMEDOUT; a restart after a
/// signal.
pub fn wait(
    ctx: &Context<'_>,
    word: UserPtr<u32>,
    scope: Scope,
    expected: u32,
    bits: u32,
    deadline_ns: Option<u64>,
) -> Result<(), WaitFailure> {
    if bits == 0 {
        return Err(Errno::EINVAL.into());
    }
    let key = key_of(ctx.memory(), word, scope)?;
    enqueue(ctx, key, word, expected, bits)?;
    let thread = ctx.thread;
    loop {
        if thread.futex.woken.load(Ordering::SeqCst) {
            return Ok(());
        }
        let failure = if thread.is_interrupted() {
            WaitFailure::Wait(WaitError::Interrupted)
        } else if deadline_ns.is_some_and(|deadline| now_ns() >= deadline) {
            WaitFailure::Wait(WaitError::TimedOut)
        } else {
            sched::park(deadline_ns);
            continue;
        };
        return if withdraw(thread) { Err(failure) } else { Ok(()) };
    }
}

/// Why a wait for a futex ended without a waker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitFailure {
    /// It did not start.
    Errno(Errno),
    /// A signal or the time ended it.
    Wait(WaitError),
}

impl From<Errno> for WaitFailure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// Queues the thread if the word still has the value.
fn enqueue(
    ctx: &Context<'_>,
    key: FutexKey,
    word: UserPtr<u32>,
    expected: u32,
    bits: u32,
) -> Result<(), Errno> {
    loop {
        {
            let mut sleepers = SLEEPERS.lock();
            // The active address space is the caller's. A fault only says that the page must be brought in.
            if let Ok(value) = Current::load_user_u32(word.addr()) {
                if value != expected {
                    return Err(Errno::EAGAIN);
                }
                let bucket = &mut sleepers[bucket_of(key)];
                bucket.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                ctx.thread.futex.woken.store(false, Ordering::SeqCst);
                bucket.push(Sleeper {
                    key,
                    bits,
                    thread: ctx.thread.clone(),
                });
                return Ok(());
            }
        }
        ctx.memory().read(word)?;
    }
}

/// Takes a thread off its list; false when a waker already has.
fn withdraw(thread: &Arc<Thread>) -> bool {
    let mut sleepers = SLEEPERS.lock();
    // The list may have changed by a requeue.
    for bucket in sleepers.iter_mut() {
        let place = bucket
            .iter()
            .position(|sleeper| Arc::ptr_eq(&sleeper.thread, thread));
        if let Some(index) = place {
            bucket.remove(index);
            return true;
        }
    }
    false
}

/// Wakes up to `count` sleepers of a word whose bits overlap, and returns how many: FUTEX_WAKE_BITSET.
///
/// # Errors
/// EINVAL for a misaligned word or no bits; EFAULT.
pub fn wake(
    memory: &AddressSpace,
    word: UserPtr<u32>,
    scope: Scope,
    count: usize,
    bits: u32,
) -> Result<usize, Errno> {
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    let key = key_of(memory, word, scope)?;
    Ok(wake_in(&mut SLEEPERS.lock()[bucket_of(key)], key, count, bits))
}

/// Wakes one sleeper of a word in the name of a dying thread.
pub(crate) fn wake_for_the_dead(memory: &AddressSpace, word: UserPtr<u32>) {
    // Linux treats these words as shared ones, which covers private memory. A bad one has no sleepers.
    let _woken = wake(memory, word, Scope::Shared, 1, u32::MAX);
}

fn wake_in(bucket: &mut Vec<Sleeper>, key: FutexKey, count: usize, bits: u32) -> usize {
    let mut woken = 0;
    // Not `retain`: the common case is an empty list, or the first one.
    let mut index = 0;
    while woken < count && index < bucket.len() {
        if bucket[index].key == key && bucket[index].bits & bits != 0 {
            let sleeper = bucket.remove(index);
            sleeper.thread.futex.woken.store(true, Ordering::SeqCst);
            sleeper.thread.kick();
            woken += 1;
        } else {
            index += 1;
        }
    }
    woken
}

/// Wakes up to `wake` sleepers of a word and moves up to `requeue` others to another word, if the first still
/// has the value: FUTEX_CMP_REQUEUE, or FUTEX_REQUEUE without a value. Returns how many were woken, and how
/// many were moved.
///
/// # Errors
/// EAGAIN for another value; EINVAL for a misaligned word; EFAULT; ENOMEM.
pub fn requeue(
    ctx: &Context<'_>,
    from: UserPtr<u32>,
    to: UserPtr<u32>,
    scope: Scope,
    wake: usize,
    requeue: usize,
    expected: Option<u32>,
) -> Result<(usize, usize), Errno> {
    let old = key_of(ctx.memory(), from, scope)?;
    let new = key_of(ctx.memory(), to, scope)?;
    loop {
        {
            let mut sleepers = SLEEPERS.lock();
            let value = expected.map(|_| Current::load_user_u32(from.addr())).transpose();
            if let Ok(value) = value {
                if value != expected {
                    return Err(Errno::EAGAIN);
                }
                let woken = wake_in(&mut sleepers[bucket_of(old)], old, wake, u32::MAX);
                let moved = requeue_in(&mut sleepers, old, new, requeue)?;
                return Ok((woken, moved));
            }
        }
        ctx.memory().read(from)?;
    }
}

fn requeue_in(
    sleepers: &mut [Vec<Sleeper>; BUCKETS],
    old: FutexKey,
    new: FutexKey,
    count: usize,
) -> Result<usize, Errno> {
    let (source, target) = (bucket_of(old), bucket_of(new));
    let mut moved = 0;
    let mut index = 0;
    while moved < count && index < sleepers[source].len() {
        if sleepers[source][index].key != old || old == new {
            index += 1;
            continue;
        }
        sleepers[target].try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let mut sleeper = sleepers[source].remove(index);
        sleeper.key = new;
        sleepers[target].push(sleeper);
        moved += 1;
    }
    Ok(moved)
}

/// Marks the locks that a dying thread holds as orphaned, and wakes a sleeper of each (set_robust_list(2)).
pub(crate) fn release_robust_list(ctx: &Context<'_>) {
    let head_address = ctx.thread.robust_list.swap(0, Ordering::Relaxed);
    if head_address == 0 {
        return;
    }
    let Ok(head) = ctx.memory().read(UserPtr::<RobustListHead>::new(head_address)) else {
        return;
    };
    let mut entry = head.list;
    for _ in 0..ROBUST_LIST_MAX {
        // The lowest bit tells locks with priority inheritance.
        let address = entry & !1;
        if address == head_address {
            break;
        }
        let next = ctx.memory().read(UserPtr::<u64>::new(address));
        if entry != head.list_op_pending {
            release_robust(ctx, address.wrapping_add_signed(head.futex_offset), Pending::No);
        }
        match next {
            Ok(next) => entry = next,
            Err(_) => return,
        }
    }
    let pending = head.list_op_pending & !1;
    if pending != 0 {
        release_robust(ctx, pending.wrapping_add_signed(head.futex_offset), Pending::Yes);
    }
}

/// Whether a lock was being taken or dropped when the thread died.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Yes,
    No,
}

fn release_robust(ctx: &Context<'_>, address: u64, pending: Pending) {
    let word = UserPtr::<u32>::new(address);
    if !address.is_multiple_of(4) {
        return;
    }
    let Ok(mut value) = ctx.memory().read(word) else {
        return;
    };
    loop {
        if pending == Pending::Yes && value == 0 {
            wake_for_the_dead(ctx.memory(), word);
            return;
        }
        if value & FUTEX_TID_MASK != ctx.thread.tid() {
            return;
        }
        let orphaned = value & FUTEX_WAITERS | FUTEX_OWNER_DIED;
        match ctx.memory().compare_exchange_u32(word, value, orphaned) {
            Ok(found) if found == value => break,
            Ok(found) => value = found,
            Err(_) => return,
        }
    }
    if value & FUTEX_WAITERS != 0 {
        wake_for_the_dead(ctx.memory(), word);
    }
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
        }
    }

    #[test]
    fn wakers_take_the_oldest_whose_bits_overlap() {
        let mut bucket: Vec<_> = [(8, 1), (8, 2), (12, 3), (8, 3)]
            .map(|(address, bits)| sleeper(address, bits))
            .into();
        let tids: Vec<_> = bucket.iter().map(|sleeper| sleeper.thread.tid()).collect();
        assert_eq!(wake_in(&mut bucket, key(8), 1, 2), 1);
        let left: Vec<_> = bucket.iter().map(|sleeper| sleeper.thread.tid()).collect();
        assert_eq!(left, [tids[0], tids[2], tids[3]]);
        assert_eq!(wake_in(&mut bucket, key(8), 9, u32::MAX), 2);
        assert_eq!(bucket.len(), 1);
    }

    #[test]
    fn requeued_sleepers_wait_for_the_other_word() {
        let mut sleepers = [const { Vec::new() }; BUCKETS];
        for _ in 0..3 {
            sleepers[bucket_of(key(8))].push(sleeper(8, u32::MAX));
        }
        assert_eq!(requeue_in(&mut sleepers, key(8), key(64), 2), Ok(2));
        assert_eq!(
            wake_in(&mut sleepers[bucket_of(key(64))], key(64), 9, u32::MAX),
            2
        );
        assert_eq!(wake_in(&mut sleepers[bucket_of(key(8))], key(8), 9, u32::MAX), 1);
    }

    #[test]
    fn keys_spread_over_all_buckets() {
        let used: alloc::collections::BTreeSet<_> =
            (0..4096).map(|index| bucket_of(key(index * 4))).collect();
        assert_eq!(used.len(), BUCKETS);
    }
}
