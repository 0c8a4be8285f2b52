//! Futexes: sleeping, waking, moving sleepers (futex(2)).

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use los_abi::errno::Errno;
use los_abi::futex::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_LOCK_PI, FUTEX_OP_ADD,
    FUTEX_OP_ANDN, FUTEX_OP_CMP_EQ, FUTEX_OP_CMP_GE, FUTEX_OP_CMP_GT, FUTEX_OP_CMP_LE, FUTEX_OP_CMP_LT,
    FUTEX_OP_CMP_NE, FUTEX_OP_OPARG_SHIFT, FUTEX_OP_OR, FUTEX_OP_SET, FUTEX_OP_XOR, FUTEX_REQUEUE,
    FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
};
use los_abi::signal::SIGUSR1;
use los_abi::syscall::Sysno;
use rt::time;

use crate::arch::KERNEL_ADDRESS;
use crate::cases::ended;
use crate::clock::clock_ns;
use crate::harness::{Failure, Outcome, catch, wait_for};
use crate::raw::{addr, call};
use crate::worker::{Thread, await_sleepers, futex, interrupt_sleep, wake};
use crate::{cases, ensure, ensure_eq};

cases![
    another_value_is_eagain,
    bad_words_are_refused,
    arguments_are_checked_in_order,
    times_are_of_their_clock,
    wake_counts_sleepers,
    masks_choose_sleepers,
    requeue_moves_sleepers,
    requeue_checks_its_numbers,
    wake_op_changes_the_word,
    wake_op_wakes_by_the_old_value,
    a_signal_ends_the_sleep,
];

pub(super) const PAST: [i64; 2] = [0, 1];
pub(super) const ALL: u32 = i32::MAX as u32;

fn another_value_is_eagain() -> Outcome {
    let word = AtomicU32::new(5);
    ensure_eq!(futex(&word, FUTEX_WAIT, 4, 0, 0, 0).err(), Some(Errno::EAGAIN));
    let requeue = futex(&word, FUTEX_CMP_REQUEUE, 1, 1, addr(&word), 4);
    ensure_eq!(requeue.err(), Some(Errno::EAGAIN));
    ensure_eq!(wake(&word, 1)?, 0);
    Ok(())
}

fn bad_words_are_refused() -> Outcome {
    let word = [AtomicU32::new(0), AtomicU32::new(0)];
    let hole = call(Sysno::mmap, &[0, 4096, 0, 0x22, u64::MAX, 0])?;
    let shared = |operation: u32, address: u64| call(Sysno::futex, &[address, u64::from(operation), 0, 0]);
    let private = |operation, address| shared(operation | 128, address);
    for operation in [FUTEX_WAIT, FUTEX_WAKE] {
        ensure_eq!(private(operation, addr(&word) + 2).err(), Some(Errno::EINVAL));
        ensure_eq!(private(operation, KERNEL_ADDRESS).err(), Some(Errno::EFAULT));
        ensure_eq!(private(operation, KERNEL_ADDRESS + 1).err(), Some(Errno::EINVAL));
        ensure_eq!(shared(operation, hole).err(), Some(Errno::EFAULT));
        ensure_eq!(shared(operation, KERNEL_ADDRESS).err(), Some(Errno::EFAULT));
    }
    ensure_eq!(private(FUTEX_WAIT, hole).err(), Some(Errno::EFAULT));
    // Nobody can sleep there, and nobody looks.
    ensure_eq!(private(FUTEX_WAKE, hole)?, 0);
    Ok(())
}

fn arguments_are_checked_in_order() -> Outcome {
    let word = AtomicU32::new(0);
    let error = |operation, time: u64, mask| futex(&word, operation, 1, time, 0, mask).err();
    let bad_time = [0_i64, 1_000_000_000];
    // The time first, then the operation, then the mask, then the word.
    ensure_eq!(error(FUTEX_WAIT, 1, 0), Some(Errno::EFAULT));
    ensure_eq!(error(FUTEX_WAIT, addr(&bad_time), 0), Some(Errno::EINVAL));
    ensure_eq!(error(FUTEX_WAIT, addr(&[-1_i64, 0]), 0), Some(Errno::EINVAL));
    ensure_eq!(error(FUTEX_WAIT_BITSET, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(error(FUTEX_WAKE_BITSET, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(error(FUTEX_WAIT_BITSET, 0, 1), Some(Errno::EAGAIN));
    for operation in [FUTEX_WAIT, FUTEX_WAKE, FUTEX_CMP_REQUEUE, FUTEX_LOCK_PI, 99] {
        ensure_eq!(error(operation | FUTEX_CLOCK_REALTIME, 0, 1), Some(Errno::ENOSYS));
    }
    let bad_and_realtime = error(FUTEX_WAIT | FUTEX_CLOCK_REALTIME, addr(&bad_time), 0);
    ensure_eq!(bad_and_realtime, Some(Errno::EINVAL));
    for unknown in [2, 14, 99, 0x40, 0x1000] {
        ensure_eq!(error(unknown, 1, 1), Some(Errno::ENOSYS));
    }
    Ok(())
}

fn times_are_of_their_clock() -> Outcome {
    let word = AtomicU32::new(0);
    let sleep = |operation, time: &[i64; 2]| futex(&word, operation, 0, addr(time), 0, u32::MAX).err();
    let timed_out = Some(Errno::ETIMEDOUT);
    let real_bitset = FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME;
    ensure_eq!(sleep(FUTEX_WAIT, &[0, 0]), timed_out);
    ensure_eq!(sleep(FUTEX_WAIT_BITSET, &PAST), timed_out);
    ensure_eq!(sleep(real_bitset, &PAST), timed_out);
    let begin = time::monotonic();
    ensure_eq!(sleep(FUTEX_WAIT, &[0, 20_000_000]), timed_out);
    ensure!(since(begin) >= 20_000_000, "too early: {} ns", since(begin));
    let begin = time::monotonic();
    let soon = begin.tv_nsec + 20_000_000;
    let soon = [begin.tv_sec + soon / 1_000_000_000, soon % 1_000_000_000];
    ensure_eq!(sleep(FUTEX_WAIT_BITSET, &soon), timed_out);
    ensure!(since(begin) >= 20_000_000, "too early: {} ns", since(begin));
    let begin = time::monotonic();
    let soon = clock_ns(0)? + 20_000_000;
    let soon = [soon / 1_000_000_000, soon % 1_000_000_000];
    ensure_eq!(sleep(real_bitset, &soon), timed_out);
    ensure!(since(begin) >= 19_000_000, "too early: {} ns", since(begin));
    Ok(())
}

fn since(begin: los_abi::time::Timespec) -> i64 {
    let now = time::monotonic();
    (now.tv_sec - begin.tv_sec) * 1_000_000_000 + now.tv_nsec - begin.tv_nsec
}

pub(super) static WORDS: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];
static MASKS: AtomicU32 = AtomicU32::new(0);
static WOKEN: AtomicU32 = AtomicU32::new(0);

/// Sleeps once on a word.
extern "C" fn sleeper(word: u64) -> i32 {
    let slept = futex(&WORDS[word as usize], FUTEX_WAIT, 0, 0, 0, 0);
    if slept == Ok(0) {
        WOKEN.fetch_add(1, Ordering::SeqCst);
    }
    0
}

pub(super) fn sleepers(count: usize, word: u64) -> Result<Vec<Thread>, Failure> {
    let threads = (0..count).map(|_| Thread::start(sleeper, word)).collect();
    await_sleepers(&WORDS[word as usize], count as u64)?;
    threads
}

pub(super) fn join_all(threads: Vec<Thread>) -> Outcome {
    threads.into_iter().try_for_each(Thread::join)
}

fn wake_counts_sleepers() -> Outcome {
    let threads = sleepers(6, 0)?;
    ensure_eq!(wake(&WORDS[1], ALL)?, 0);
    // As Linux does, a number that is not positive wakes one.
    ensure_eq!(wake(&WORDS[0], 0)?, 1);
    ensure_eq!(wake(&WORDS[0], u32::MAX)?, 1);
    ensure_eq!(wake(&WORDS[0], 2)?, 2);
    ensure_eq!(wake(&WORDS[0], ALL)?, 2);
    ensure_eq!(wake(&WORDS[0], ALL)?, 0);
    join_all(threads)?;
    ensure_eq!(WOKEN.load(Ordering::SeqCst), 6);
    Ok(())
}

/// Sleeps on word 0 with a mask, and notes it when woken.
extern "C" fn masked_sleeper(mask: u64) -> i32 {
    let slept = futex(&WORDS[0], FUTEX_WAIT_BITSET, 0, 0, 0, mask as u32);
    if slept == Ok(0) {
        MASKS.fetch_or(mask as u32, Ordering::SeqCst);
    }
    0
}

fn masks_choose_sleepers() -> Outcome {
    let mut threads = Vec::new();
    for mask in [1, 2, 4, 8] {
        threads.push(Thread::start(masked_sleeper, mask)?);
    }
    await_sleepers(&WORDS[0], 4)?;
    let wake_masked = |mask| futex(&WORDS[0], FUTEX_WAKE_BITSET, ALL, 0, 0, mask);
    ensure_eq!(wake_masked(0x100)?, 0);
    ensure_eq!(wake_masked(5)?, 2);
    ensure_eq!(wake_masked(5)?, 0);
    threads.remove(2).join()?;
    threads.remove(0).join()?;
    ensure_eq!(MASKS.load(Ordering::SeqCst), 5);
    ensure_eq!(wake_masked(FUTEX_BITSET_MATCH_ANY)?, 2);
    join_all(threads)
}

fn requeue_moves_sleepers() -> Outcome {
    let threads = sleepers(6, 0)?;
    let to = addr(&WORDS[1]);
    // One is woken and two are moved; both count.
    ensure_eq!(futex(&WORDS[0], FUTEX_CMP_REQUEUE, 1, 2, to, 0)?, 3);
    await_sleepers(&WORDS[0], 3)?;
    await_sleepers(&WORDS[1], 2)?;
    ensure_eq!(futex(&WORDS[0], FUTEX_REQUEUE, 1, 1, to, 0)?, 2);
    await_sleepers(&WORDS[1], 3)?;
    ensure_eq!(futex(&WORDS[0], FUTEX_REQUEUE, 0, 0, to, 0)?, 0);
    ensure_eq!(wake(&WORDS[0], ALL)?, 1);
    ensure_eq!(wake(&WORDS[1], ALL)?, 3);
    join_all(threads)?;
    ensure_eq!(WOKEN.load(Ordering::SeqCst), 6);
    Ok(())
}

fn requeue_checks_its_numbers() -> Outcome {
    let word = AtomicU32::new(0);
    let negative = u32::MAX;
    let error = |wake, limit: u32, value| {
        futex(
            &word,
            FUTEX_CMP_REQUEUE,
            wake,
            u64::from(limit),
            addr(&word),
            value,
        )
        .err()
    };
    ensure_eq!(error(negative, 0, 9), Some(Errno::EINVAL));
    ensure_eq!(error(0, negative, 9), Some(Errno::EINVAL));
    ensure_eq!(error(0, 0, 9), Some(Errno::EAGAIN));
    let misaligned = futex(&word, FUTEX_CMP_REQUEUE, 0, 0, addr(&word) + 1, 9).err();
    ensure_eq!(misaligned, Some(Errno::EINVAL));
    Ok(())
}

fn operation(operation: u32, operand: u32, comparison: u32, compared: u32) -> u32 {
    operation << 28 | comparison << 24 | (operand & 0xfff) << 12 | compared & 0xfff
}

fn wake_op_changes_the_word() -> Outcome {
    let (word, target) = (AtomicU32::new(0), AtomicU32::new(0));
    let minus_two = -2_i32 as u32;
    let shift = FUTEX_OP_OPARG_SHIFT;
    for (code, operand, result) in [
        (FUTEX_OP_SET, 7, 7),
        (FUTEX_OP_SET, minus_two, minus_two),
        (FUTEX_OP_ADD, 3, 13),
        (FUTEX_OP_ADD, minus_two, 8),
        (FUTEX_OP_OR, 5, 15),
        (FUTEX_OP_ANDN, 2, 8),
        (FUTEX_OP_XOR, 3, 9),
        (shift | FUTEX_OP_SET, 31, 1 << 31),
        (shift | FUTEX_OP_OR, 4, 26),
        (shift | FUTEX_OP_ADD, 33, 12),
    ] {
        target.store(10, Ordering::SeqCst);
        let code = operation(code, operand, FUTEX_OP_CMP_EQ, 1);
        ensure_eq!(futex(&word, FUTEX_WAKE_OP, 1, 1, addr(&target), code)?, 0);
        ensure_eq!(target.load(Ordering::SeqCst), result);
    }
    let error = |code| futex(&word, FUTEX_WAKE_OP, 1, 1, addr(&target), code).err();
    target.store(10, Ordering::SeqCst);
    ensure_eq!(error(operation(5, 0, 0, 0)), Some(Errno::ENOSYS));
    ensure_eq!(target.load(Ordering::SeqCst), 10);
    // An unknown comparison is found after the change.
    ensure_eq!(error(operation(FUTEX_OP_SET, 4, 6, 0)), Some(Errno::ENOSYS));
    ensure_eq!(target.load(Ordering::SeqCst), 4);
    let nowhere = futex(&word, FUTEX_WAKE_OP, 1, 1, 16, operation(0, 0, 0, 0)).err();
    ensure_eq!(nowhere, Some(Errno::EFAULT));
    Ok(())
}

fn wake_op_wakes_by_the_old_value() -> Outcome {
    for (comparison, wakes) in [
        (FUTEX_OP_CMP_EQ, [false, true, false]),
        (FUTEX_OP_CMP_NE, [true, false, true]),
        (FUTEX_OP_CMP_LT, [false, false, true]),
        (FUTEX_OP_CMP_LE, [false, true, true]),
        (FUTEX_OP_CMP_GT, [true, false, false]),
        (FUTEX_OP_CMP_GE, [true, true, false]),
    ] {
        // The word is 0, compared with less, the same and more.
        for (compared, wakes) in [-1_i32, 0, 1].into_iter().zip(wakes) {
            let first = sleepers(1, 0)?;
            let second = sleepers(1, 1)?;
            let code = operation(FUTEX_OP_OR, 0, comparison, compared as u32);
            let woken = futex(&WORDS[0], FUTEX_WAKE_OP, 1, 1, addr(&WORDS[1]), code)?;
            ensure_eq!(
                (comparison, compared, woken),
                (comparison, compared, 1 + u64::from(wakes))
            );
            ensure_eq!(wake(&WORDS[1], ALL)?, u64::from(!wakes));
            join_all(first)?;
            join_all(second)?;
        }
    }
    Ok(())
}

fn a_signal_ends_the_sleep() -> Outcome {
    catch(SIGUSR1);
    let word = AtomicU32::new(0);
    for time in [0, addr(&[60_i64, 0])] {
        let child = interrupt_sleep(SIGUSR1)?;
        ensure_eq!(futex(&word, FUTEX_WAIT, 0, time, 0, 0).err(), Some(Errno::EINTR));
        ensure_eq!(ended(wait_for(child)?), 0);
    }
    Ok(())
}
