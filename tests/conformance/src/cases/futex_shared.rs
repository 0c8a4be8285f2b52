//! Futex words that processes share, in anonymous memory and in files (futex(2)).

use los_abi::errno::Errno;
use los_abi::futex::{FUTEX_WAIT, FUTEX_WAKE};
use los_abi::syscall::Sysno;
use rt::fs;

use crate::cases::ended;
use crate::harness::{Outcome, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::thread::eventually;
use crate::{cases, ensure_eq};

cases![
    shared_words_are_one_in_two_processes,
    file_words_are_told_apart_by_offset,
    private_and_shared_words_differ_in_shared_memory,
    a_stop_does_not_end_the_sleep,
    words_that_nobody_can_write,
];

const SHARED: u64 = 1;
const SHARED_ANONYMOUS: u64 = 0x21;
const READ_WRITE: u64 = 3;

/// Wakes the sleepers of a word that processes share until one was there.
fn wake_one_shared(word: u64) -> Outcome {
    let mut woken = Ok(0);
    eventually("somebody sleeps", || {
        woken = call(Sysno::futex, &[word, u64::from(FUTEX_WAKE), 1]);
        woken != Ok(0)
    })?;
    ensure_eq!(woken, Ok(1));
    Ok(())
}

fn sleep_shared(word: u64) -> i32 {
    let slept = call(Sysno::futex, &[word, u64::from(FUTEX_WAIT), 0, 0]);
    i32::from(slept != Ok(0))
}

fn shared_words_are_one_in_two_processes() -> Outcome {
    let page = call(Sysno::mmap, &[0, 4096, READ_WRITE, SHARED_ANONYMOUS, u64::MAX, 0])?;
    let child = spawn(|| sleep_shared(page + 8))?;
    wake_one_shared(page + 8)?;
    ensure_eq!(ended(wait_for(child)?), 0);
    Ok(())
}

fn file_words_are_told_apart_by_offset() -> Outcome {
    let flags = los_abi::fs::OpenFlags::RDWR | los_abi::fs::OpenFlags::CREAT;
    let mut file = fs::File::open_with(b"words", flags, 0o600)?;
    file.write_all(&[0; 8192])?;
    let fd = file.descriptor() as u64;
    let map = |offset| call(Sysno::mmap, &[0, 4096, READ_WRITE, SHARED, fd, offset]);
    let (first, second, again) = (map(0)?, map(4096)?, map(4096)?);
    let child = spawn(|| sleep_shared(second + 12))?;
    wake_one_shared(again + 12)?;
    ensure_eq!(call(Sysno::futex, &[first + 12, u64::from(FUTEX_WAKE), 1])?, 0);
    ensure_eq!(ended(wait_for(child)?), 0);
    Ok(())
}

fn private_and_shared_words_differ_in_shared_memory() -> Outcome {
    let page = call(Sysno::mmap, &[0, 4096, READ_WRITE, SHARED_ANONYMOUS, u64::MAX, 0])?;
    let child = spawn(|| sleep_shared(page))?;
    for _ in 0..100 {
        ensure_eq!(call(Sysno::futex, &[page, u64::from(FUTEX_WAKE) | 128, 1])?, 0);
        crate::worker::pause();
    }
    wake_one_shared(page)?;
    ensure_eq!(ended(wait_for(child)?), 0);
    Ok(())
}

fn a_stop_does_not_end_the_sleep() -> Outcome {
    const SIGSTOP: u64 = 19;
    const SIGCONT: u64 = 18;
    let page = call(Sysno::mmap, &[0, 4096, READ_WRITE, SHARED_ANONYMOUS, u64::MAX, 0])?;
    let sleeper = spawn(|| {
        let time = [50_i64, 0];
        let slept = call(Sysno::futex, &[page, u64::from(FUTEX_WAIT), 0, addr(&time)]);
        i32::from(slept != Ok(0))
    })?;
    for _ in 0..3 {
        call(Sysno::kill, &[sleeper as u64, SIGSTOP])?;
        let mut status = 0_i32;
        const WUNTRACED: u64 = 2;
        call(
            Sysno::wait4,
            &[sleeper as u64, addr_mut(&mut status), WUNTRACED, 0],
        )?;
        ensure_eq!(status, 0x137f);
        call(Sysno::kill, &[sleeper as u64, SIGCONT])?;
    }
    wake_one_shared(page)?;
    ensure_eq!(ended(wait_for(sleeper)?), 0);
    Ok(())
}

/// Without FUTEX_PRIVATE_FLAG, private memory that cannot be written has no word to wait for; a file's page has.
fn words_that_nobody_can_write() -> Outcome {
    const WAIT: u64 = 0;
    const WAKE: u64 = 1;
    const PRIVATE: u64 = 128;
    let futex = |at: u64, operation: u64, value: u64| call(Sysno::futex, &[at, operation, value, 0, 0, 0]);
    let anonymous = call(Sysno::mmap, &[0, 4096, 1, 0x22, u64::MAX, 0])?;
    ensure_eq!(futex(anonymous, WAKE, 1), Err(Errno::EFAULT));
    ensure_eq!(futex(anonymous, WAIT, 5), Err(Errno::EFAULT));
    ensure_eq!(futex(anonymous, WAKE | PRIVATE, 1), Ok(0));
    ensure_eq!(futex(anonymous, WAIT | PRIVATE, 5), Err(Errno::EAGAIN));
    let mut file = fs::File::create(b"words", 0o644)?;
    file.write_all(&[0; 4096])?;
    let file = fs::File::open(b"words")?;
    let fd = file.descriptor() as u64;
    let read_only = call(Sysno::mmap, &[0, 4096, 1, 2, fd, 0])?;
    ensure_eq!(futex(read_only, WAKE, 1), Ok(0));
    ensure_eq!(futex(read_only, WAIT, 5), Err(Errno::EAGAIN));
    Ok(())
}
