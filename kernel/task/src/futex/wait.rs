//! Sleeping on a word, or on several.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_arch::Current;
use los_arch::hal::prelude::Uaccess;
use mm::FutexKey;
use sync::{Error, Restart, WaitError, now_ns};

use super::key::key_of;
use super::table::{Role, Sleeper, Table};
use super::{TABLE, Word};
use crate::clock::Deadline;
use crate::context::Context;
use crate::sched;
use crate::thread::Thread;

/// A word and the value that it must have for a sleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WordRequest {
    /// The word.
    pub word: Word,
    /// Its value.
    pub expected: u32,
}

/// What FUTEX_WAIT_BITSET asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitRequest {
    /// Where to sleep.
    pub on: WordRequest,
    /// Which wakers count.
    pub bits: u32,
    /// When the sleep ends by itself.
    pub deadline: Option<Deadline>,
}

/// Sleeps while the word has the value, until a waker whose bits overlap comes. Returns 0.
///
/// # Errors
/// EINVAL for a misaligned word or no bits; EFAULT; EAGAIN for another value; ETIMEDOUT; a restart of the whole
/// call after a signal.
pub fn wait(ctx: &Context<'_>, request: &WaitRequest) -> sync::Result<usize> {
    if request.bits == 0 {
        return Err(Errno::EINVAL.into());
    }
    let key = key_of(ctx.memory(), request.on.word)?;
    enqueue(ctx, request.on, key, request.bits, Role::Word(0))?;
    Ok(sleep(ctx.thread, 1, request.deadline)?)
}

/// As [`wait`], but with a deadline the call goes on after a signal by `restart_syscall`, so that a relative
/// time does not start anew.
///
/// # Errors
/// As [`wait`]; `Restart::Block`.
pub fn wait_resuming(ctx: &Context<'_>, request: &WaitRequest) -> sync::Result<usize> {
    let result = wait(ctx, request);
    if request.deadline.is_none() || !matches!(result, Err(Error::Restart(_))) {
        return result;
    }
    let request = *request;
    ctx.thread
        .set_restart(Box::new(move |ctx| wait_resuming(ctx, &request)));
    Err(Error::Restart(Restart::Block))
}

/// Sleeps while every word has its value, until one of them is woken, and returns which: futex_waitv.
///
/// # Errors
/// As [`wait`]; ENOMEM.
pub fn wait_any(
    ctx: &Context<'_>,
    requests: &[WordRequest],
    deadline: Option<Deadline>,
) -> sync::Result<usize> {
    let mut keys = Vec::new();
    keys.try_reserve_exact(requests.len())
        .map_err(|_| Errno::ENOMEM)?;
    for request in requests {
        keys.push(key_of(ctx.memory(), request.word)?);
    }
    while let Err(untouched) = enqueue_all(ctx.thread, requests, &keys)? {
        ctx.memory().load_u32(untouched.address)?;
    }
    Ok(sleep(ctx.thread, requests.len(), deadline)?)
}

/// Enters the thread at every word; none of them if one has another value or is not in memory.
fn enqueue_all(
    thread: &Arc<Thread>,
    requests: &[WordRequest],
    keys: &[FutexKey],
) -> Result<Result<(), Word>, Errno> {
    let mut table = TABLE.lock();
    thread.futex.fall_asleep();
    for ((number, request), key) in (0..).zip(requests).zip(keys) {
        let entered = match Current::load_user_u32(request.word.address.addr()) {
            Ok(value) if value == request.expected => {
                add(&mut table, thread, *key, u32::MAX, Role::Word(number)).map(Ok)
            }
            Ok(_) => Err(Errno::EAGAIN),
            Err(_) => Ok(Err(request.word)),
        };
        if entered != Ok(Ok(())) {
            table.withdraw(thread);
            return entered;
        }
    }
    Ok(Ok(()))
}

/// Enters the thread at a word if that still has the value.
pub(super) fn enqueue(
    ctx: &Context<'_>,
    on: WordRequest,
    key: FutexKey,
    bits: u32,
    role: Role,
) -> Result<(), Errno> {
    loop {
        {
            let mut table = TABLE.lock();
            // The active address space is the caller's. A fault only says that the page must be brought in.
            if let Ok(value) = Current::load_user_u32(on.word.address.addr()) {
                if value != on.expected {
                    return Err(Errno::EAGAIN);
                }
                ctx.thread.futex.fall_asleep();
                return add(&mut table, ctx.thread, key, bits, role);
            }
        }
        ctx.memory().load_u32(on.word.address)?;
    }
}

fn add(table: &mut Table, thread: &Arc<Thread>, key: FutexKey, bits: u32, role: Role) -> Result<(), Errno> {
    table.add(Sleeper {
        key,
        bits,
        thread: thread.clone(),
        role,
    })
}

/// Sleeps until one of the thread's words is woken, and returns its number.
fn sleep(thread: &Arc<Thread>, words: usize, deadline: Option<Deadline>) -> Result<usize, WaitError> {
    let failure = loop {
        if thread.futex.woken().is_some() {
            break None;
        }
        let failure = failure(thread, deadline);
        if failure.is_some() {
            break failure;
        }
        sched::park(deadline.map(Deadline::monotonic_ns));
    };
    // A waker lets go of the thread while it has the table, so no reference of its is left once this has it.
    let mut table = TABLE.lock();
    let woken = thread.futex.woken();
    if woken.is_none() || words > 1 {
        table.withdraw(thread);
    }
    match woken {
        Some(number) => Ok(number as usize),
        None => Err(failure.unwrap_or(WaitError::Interrupted)),
    }
}

/// Returns why a wait must end without its waker.
pub(super) fn failure(thread: &Thread, deadline: Option<Deadline>) -> Option<WaitError> {
    if thread.is_interrupted() {
        Some(WaitError::Interrupted)
    } else if deadline.is_some_and(|deadline| now_ns() >= deadline.monotonic_ns()) {
        Some(WaitError::TimedOut)
    } else {
        None
    }
}
