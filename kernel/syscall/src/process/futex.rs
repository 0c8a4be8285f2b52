//! futex(2), the later calls with one operation each, and the addresses that a thread registers.

use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use los_abi::futex::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI,
    FUTEX_LOCK_PI2, FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_WAIT,
    FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_WAITV_MAX, FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
    FUTEX2_PRIVATE, FUTEX2_SIZE_MASK, FUTEX2_SIZE_U32, FutexWaitv, RobustListHead,
};
use los_abi::syscall::UserPtr;
use los_abi::time::{CLOCK_MONOTONIC, CLOCK_REALTIME, Timespec};
use sync::{Result, now_ns};
use task::clock::Deadline;
use task::futex::{self as subsystem, Scope, WaitRequest, WakeOperation, Word, WordRequest};
use task::{Context, inspect, pid};

pub(crate) fn set_tid_address(ctx: &Context<'_>, address: UserPtr<i32>) -> Result<usize> {
    ctx.thread
        .clear_child_tid
        .store(address.addr(), Ordering::Relaxed);
    Ok(ctx.thread.tid() as usize)
}

pub(crate) fn set_robust_list(
    ctx: &Context<'_>,
    head: UserPtr<RobustListHead>,
    size: usize,
) -> Result<usize> {
    if size != size_of::<RobustListHead>() {
        return Err(Errno::EINVAL.into());
    }
    ctx.thread.robust_list.store(head.addr(), Ordering::Relaxed);
    Ok(0)
}

pub(crate) fn get_robust_list(
    ctx: &Context<'_>,
    tid: i32,
    head: UserPtr<u64>,
    size: UserPtr<usize>,
) -> Result<usize> {
    let address = if tid == 0 {
        ctx.thread.robust_list.load(Ordering::Relaxed)
    } else {
        let thread = pid::task(tid.cast_unsigned()).ok_or(Errno::ESRCH)?;
        inspect::check(ctx, thread.process())?;
        thread.robust_list.load(Ordering::Relaxed)
    };
    ctx.memory().write(size, &size_of::<RobustListHead>())?;
    ctx.memory().write(head, &address)?;
    Ok(0)
}

pub(crate) fn futex(
    ctx: &Context<'_>,
    address: UserPtr<u32>,
    operation: u32,
    value: u32,
    timeout: u64,
    address2: UserPtr<u32>,
    value3: u32,
) -> Result<usize> {
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    let is_realtime = operation & FUTEX_CLOCK_REALTIME != 0;
    let deadline = deadline_of(ctx, command, is_realtime, timeout)?;
    if is_realtime
        && !matches!(
            command,
            FUTEX_WAIT_BITSET | FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2
        )
    {
        return Err(Errno::ENOSYS.into());
    }
    let scope = if operation & FUTEX_PRIVATE_FLAG != 0 {
        Scope::Private
    } else {
        Scope::Shared
    };
    let word = Word { address, scope };
    let word2 = Word {
        address: address2,
        scope,
    };
    let on = WordRequest {
        word,
        expected: value,
    };
    let wait = |bits| WaitRequest { on, bits, deadline };
    // Where there is no time, its argument is the second number.
    let counts = (value.cast_signed(), timeout as i32);
    let memory = ctx.memory();
    Ok(match command {
        FUTEX_WAIT => subsystem::wait_resuming(ctx, &wait(FUTEX_BITSET_MATCH_ANY))?,
        FUTEX_WAIT_BITSET => subsystem::wait_resuming(ctx, &wait(value3))?,
        FUTEX_WAKE => subsystem::wake(memory, word, counts.0, FUTEX_BITSET_MATCH_ANY)?,
        FUTEX_WAKE_BITSET => subsystem::wake(memory, word, counts.0, value3)?,
        FUTEX_REQUEUE => subsystem::requeue(ctx, word, word2, counts, None)?,
        FUTEX_CMP_REQUEUE => subsystem::requeue(ctx, word, word2, counts, Some(value3))?,
        FUTEX_WAKE_OP => subsystem::wake_operation(ctx, word, word2, counts, WakeOperation::decode(value3))?,
        FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => subsystem::lock(ctx, word, deadline)?,
        FUTEX_UNLOCK_PI => subsystem::unlock(ctx, word)?,
        FUTEX_TRYLOCK_PI => subsystem::try_lock(ctx, word)?,
        FUTEX_WAIT_REQUEUE_PI => subsystem::wait_for_lock_requeue(ctx, on, word2, deadline)?,
        FUTEX_CMP_REQUEUE_PI => subsystem::requeue_to_lock(ctx, word, word2, counts, value3)?,
        _ => return Err(Errno::ENOSYS.into()),
    })
}

/// Reads the time of an operation that has one: relative for FUTEX_WAIT, of CLOCK_REALTIME for FUTEX_LOCK_PI.
fn deadline_of(ctx: &Context<'_>, command: u32, is_realtime: bool, timeout: u64) -> Result<Option<Deadline>> {
    let has_time = matches!(
        command,
        FUTEX_WAIT | FUTEX_WAIT_BITSET | FUTEX_LOCK_PI | FUTEX_LOCK_PI2 | FUTEX_WAIT_REQUEUE_PI
    );
    if timeout == 0 || !has_time {
        return Ok(None);
    }
    let ns = read_time(ctx, timeout)?;
    Ok(Some(match command {
        FUTEX_WAIT => Deadline::Monotonic(now_ns().saturating_add(ns)),
        FUTEX_LOCK_PI => Deadline::Real(ns),
        _ if is_realtime => Deadline::Real(ns),
        _ => Deadline::Monotonic(ns),
    }))
}

fn read_time(ctx: &Context<'_>, address: u64) -> Result<u64> {
    let time: Timespec = ctx.memory().read(UserPtr::new(address))?;
    Ok(time.to_ns().ok_or(Errno::EINVAL)?)
}

pub(crate) fn futex_waitv(
    ctx: &Context<'_>,
    waiters: UserPtr<FutexWaitv>,
    count: u32,
    flags: u32,
    timeout: UserPtr<Timespec>,
    clock: i32,
) -> Result<usize> {
    if flags != 0 || count == 0 || count > FUTEX_WAITV_MAX || waiters.is_null() {
        return Err(Errno::EINVAL.into());
    }
    let deadline = absolute_deadline(ctx, timeout, clock)?;
    let words = read_words(ctx, waiters, count as usize)?;
    subsystem::wait_any(ctx, &words, deadline)
}

pub(crate) fn futex_wake(
    ctx: &Context<'_>,
    address: UserPtr<u32>,
    mask: u64,
    count: i32,
    flags: u32,
) -> Result<usize> {
    let word = Word {
        address,
        scope: scope_of(flags)?,
    };
    let bits = u32::try_from(mask).map_err(|_| Errno::EINVAL)?;
    Ok(subsystem::wake_exactly(ctx.memory(), word, count, bits)?)
}

pub(crate) fn futex_wait(
    ctx: &Context<'_>,
    address: UserPtr<u32>,
    value: u64,
    mask: u64,
    flags: u32,
    timeout: UserPtr<Timespec>,
    clock: i32,
) -> Result<usize> {
    let word = Word {
        address,
        scope: scope_of(flags)?,
    };
    let expected = u32::try_from(value).map_err(|_| Errno::EINVAL)?;
    let bits = u32::try_from(mask).map_err(|_| Errno::EINVAL)?;
    let request = WaitRequest {
        on: WordRequest { word, expected },
        bits,
        deadline: absolute_deadline(ctx, timeout, clock)?,
    };
    subsystem::wait(ctx, &request)
}

pub(crate) fn futex_requeue(
    ctx: &Context<'_>,
    waiters: UserPtr<FutexWaitv>,
    flags: u32,
    wake: i32,
    limit: i32,
) -> Result<usize> {
    if flags != 0 || waiters.is_null() {
        return Err(Errno::EINVAL.into());
    }
    match read_words(ctx, waiters, 2)?.as_slice() {
        [from, to] => {
            let counts = (wake, limit);
            Ok(subsystem::requeue(
                ctx,
                from.word,
                to.word,
                counts,
                Some(from.expected),
            )?)
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

fn read_words(ctx: &Context<'_>, from: UserPtr<FutexWaitv>, count: usize) -> Result<Vec<WordRequest>> {
    let mut words = Vec::new();
    words.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    for index in 0..count {
        let entry = from.offset_elements(index).ok_or(Errno::EFAULT)?;
        let entry = ctx.memory().read(entry)?;
        words.push(word_request(&entry)?);
    }
    Ok(words)
}

fn word_request(entry: &FutexWaitv) -> core::result::Result<WordRequest, Errno> {
    if entry.reserved != 0 {
        return Err(Errno::EINVAL);
    }
    let scope = scope_of(entry.flags)?;
    Ok(WordRequest {
        word: Word {
            address: UserPtr::new(entry.uaddr),
            scope,
        },
        expected: u32::try_from(entry.val).map_err(|_| Errno::EINVAL)?,
    })
}

/// Checks the flags of a word; other sizes than four bytes do not exist yet on Linux either.
fn scope_of(flags: u32) -> core::result::Result<Scope, Errno> {
    if flags & !(FUTEX2_SIZE_MASK | FUTEX2_PRIVATE) != 0 || flags & FUTEX2_SIZE_MASK != FUTEX2_SIZE_U32 {
        return Err(Errno::EINVAL);
    }
    Ok(if flags & FUTEX2_PRIVATE != 0 {
        Scope::Private
    } else {
        Scope::Shared
    })
}

fn absolute_deadline(ctx: &Context<'_>, timeout: UserPtr<Timespec>, clock: i32) -> Result<Option<Deadline>> {
    if timeout.is_null() {
        return Ok(None);
    }
    let deadline = match clock {
        CLOCK_REALTIME => Deadline::Real,
        CLOCK_MONOTONIC => Deadline::Monotonic,
        _ => return Err(Errno::EINVAL.into()),
    };
    Ok(Some(deadline(read_time(ctx, timeout.addr())?)))
}
