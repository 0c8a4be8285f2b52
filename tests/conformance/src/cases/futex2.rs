//! The later futex calls: several words at once, and one call for each operation (futex_waitv(2), futex_wait,
//! futex_wake, futex_requeue).

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::futex::{FUTEX2_PRIVATE, FUTEX2_SIZE_U32, FutexWaitv};
use los_abi::syscall::Sysno;

use super::futex::{ALL, PAST, WORDS, join_all, sleepers};
use crate::harness::{Failure, Outcome};
use crate::raw::{addr, call};
use crate::worker::{Thread, await_sleepers, wake};
use crate::{cases, ensure_eq};

cases![
    waitv_tells_which_word,
    waitv_checks_its_arguments,
    single_operation_calls,
];

fn wanted(word: &AtomicU32, value: u64) -> FutexWaitv {
    FutexWaitv {
        val: value,
        uaddr: addr(word),
        flags: FUTEX2_SIZE_U32 | FUTEX2_PRIVATE,
        reserved: 0,
    }
}

static WHICH: AtomicU64 = AtomicU64::new(0);

/// Sleeps on three words at once.
extern "C" fn sleeper_on_three(_: u64) -> i32 {
    let words = [0, 1, 2].map(|index: usize| wanted(&WORDS[index], 0));
    let result = call(Sysno::futex_waitv, &[addr(&words), 3, 0, 0, 0]);
    WHICH.store(result.unwrap_or(99), Ordering::SeqCst);
    0
}

fn waitv_tells_which_word() -> Outcome {
    for which in [0, 2, 1] {
        let thread = Thread::start(sleeper_on_three, 0)?;
        await_sleepers(&WORDS[0], 1)?;
        ensure_eq!(wake(&WORDS[which], ALL)?, 1);
        thread.join()?;
        ensure_eq!(WHICH.load(Ordering::SeqCst), which as u64);
        for word in &WORDS {
            ensure_eq!(wake(word, ALL)?, 0);
        }
    }
    Ok(())
}

fn waitv_checks_its_arguments() -> Outcome {
    let word = AtomicU32::new(1);
    let wait = |list: &[FutexWaitv], count: u64, flags: u64, time: u64, clock: u64| {
        call(Sysno::futex_waitv, &[addr(list), count, flags, time, clock]).err()
    };
    let good = [wanted(&word, 1), wanted(&word, 1)];
    ensure_eq!(wait(&good, 2, 0, addr(&PAST), 0), Some(Errno::ETIMEDOUT));
    ensure_eq!(wait(&good, 2, 0, addr(&PAST), 1), Some(Errno::ETIMEDOUT));
    ensure_eq!(wait(&good, 2, 1, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(wait(&good, 0, 0, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(wait(&good, 129, 0, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(wait(&good, 2, 0, 1, 0), Some(Errno::EFAULT));
    ensure_eq!(wait(&good, 2, 0, 1, 7), Some(Errno::EINVAL));
    ensure_eq!(wait(&good, 2, 0, addr(&[0_i64, -1]), 0), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::futex_waitv, &[0, 1, 0, 0, 0]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(
        call(Sysno::futex_waitv, &[8, 1, 0, 0, 0]).err(),
        Some(Errno::EFAULT)
    );
    let change = |change: fn(&mut FutexWaitv)| {
        let mut list = [wanted(&word, 1), wanted(&word, 1)];
        change(&mut list[1]);
        wait(&list, 2, 0, addr(&PAST), 0)
    };
    ensure_eq!(change(|entry| entry.val = 2), Some(Errno::EAGAIN));
    ensure_eq!(change(|entry| entry.val = 1 << 32), Some(Errno::EINVAL));
    ensure_eq!(change(|entry| entry.flags = 0), Some(Errno::EINVAL));
    ensure_eq!(change(|entry| entry.flags |= 0x100), Some(Errno::EINVAL));
    ensure_eq!(change(|entry| entry.reserved = 1), Some(Errno::EINVAL));
    ensure_eq!(change(|entry| entry.uaddr += 1), Some(Errno::EINVAL));
    ensure_eq!(change(|entry| entry.uaddr = 16), Some(Errno::EFAULT));
    Ok(())
}

fn single_operation_calls() -> Outcome {
    const PRIVATE: u64 = (FUTEX2_SIZE_U32 | FUTEX2_PRIVATE) as u64;
    let word = AtomicU32::new(3);
    let at = addr(&word);
    let every = u64::from(u32::MAX);
    if call(Sysno::futex_wake, &[at, every, 1, PRIVATE]) == Err(Errno::ENOSYS) {
        return Err(Failure::Skip("before Linux 6.7"));
    }
    let wait = |value: u64, mask: u64, flags: u64, time: u64, clock: u64| {
        call(Sysno::futex_wait, &[at, value, mask, flags, time, clock]).err()
    };
    ensure_eq!(wait(4, every, PRIVATE, 0, 0), Some(Errno::EAGAIN));
    ensure_eq!(wait(3, 0, PRIVATE, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(wait(1 << 32, every, PRIVATE, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(wait(3, 1 << 32, PRIVATE, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(wait(3, every, 0, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(wait(3, every, PRIVATE, addr(&PAST), 1), Some(Errno::ETIMEDOUT));
    ensure_eq!(wait(3, every, PRIVATE, addr(&PAST), 5), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::futex_wake, &[at, 0, 1, PRIVATE]).err(),
        Some(Errno::EINVAL)
    );
    let threads = sleepers(3, 0)?;
    let at = addr(&WORDS[0]);
    ensure_eq!(call(Sysno::futex_wake, &[at, every, 0, PRIVATE])?, 0);
    ensure_eq!(call(Sysno::futex_wake, &[at, every, 1, PRIVATE])?, 1);
    let words = [wanted(&WORDS[0], 0), wanted(&WORDS[1], 0)];
    ensure_eq!(call(Sysno::futex_requeue, &[addr(&words), 0, 1, 1])?, 2);
    ensure_eq!(
        call(Sysno::futex_requeue, &[addr(&words), 1, 1, 1]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(wake(&WORDS[1], ALL)?, 1);
    join_all(threads)
}
