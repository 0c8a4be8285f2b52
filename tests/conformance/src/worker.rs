//! Threads that are joined and leave nothing behind, and futexes between them.

use core::sync::atomic::{AtomicU32, Ordering};

use los_abi::errno::Errno;
use los_abi::futex::{FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAKE};
use los_abi::syscall::Sysno;
use los_abi::task::CloneFlags;

use crate::ensure;
use crate::harness::{Failure, Outcome};
use crate::raw::{addr, call, peek};
use crate::thread::{STACK_BYTES, THREAD, Words, clone_on, stack};

/// A thread that was started and must be joined.
pub(crate) struct Thread {
    /// Its stack; the first words hold its number twice: as set at its birth, and until its death.
    stack: u64,
}

impl Thread {
    /// Starts a thread that runs `function` and ends.
    pub(crate) fn start(function: extern "C" fn(u64) -> i32, argument: u64) -> Result<Self, Failure> {
        let stack = stack()?;
        // Not empty before the thread runs, so that joining waits.
        crate::raw::poke(stack + 4, u32::MAX);
        let flags = THREAD | CloneFlags::PARENT_SETTID | CloneFlags::CHILD_CLEARTID;
        let words = Words {
            parent_tid: stack,
            child_tid: stack + 4,
            tls: 0,
        };
        match clone_on(stack + STACK_BYTES, flags.bits(), words, function, argument) {
            Ok(_) => Ok(Self { stack }),
            Err(errno) => {
                call(Sysno::munmap, &[stack, STACK_BYTES])?;
                Err(errno.into())
            }
        }
    }

    /// Returns its number.
    pub(crate) fn tid(&self) -> u32 {
        peek(self.stack)
    }

    /// Waits for its end.
    pub(crate) fn join(self) -> Outcome {
        let word = self.stack + 4;
        loop {
            let alive: u32 = peek(word);
            if alive == 0 {
                break;
            }
            let _ = call(Sysno::futex, &[word, u64::from(FUTEX_WAIT), u64::from(alive), 0]);
        }
        call(Sysno::munmap, &[self.stack, STACK_BYTES])?;
        Ok(())
    }

    /// Waits until it sleeps in the kernel.
    pub(crate) fn await_sleep(&self) -> Outcome {
        await_sleep(self.tid())
    }
}

/// Waits until a thread of this process sleeps in the kernel.
pub(crate) fn await_sleep(tid: u32) -> Outcome {
    let path = alloc::format!("/proc/self/task/{tid}/stat");
    for _ in 0..10_000 {
        let text = rt::fs::read(path.as_bytes())?;
        let state = text.iter().rposition(|&byte| byte == b')').map(|at| text[at + 2]);
        if state == Some(b'S') {
            return Ok(());
        }
        // Not by yielding: the caller may have a higher priority than the thread.
        rt::time::sleep_ms(1);
    }
    Err(Failure::Wrong("the thread does not fall asleep".into()))
}

/// Makes a futex call on words of this process, with the private flag.
pub(crate) fn futex(
    word: &AtomicU32,
    operation: u32,
    value: u32,
    timeout_or_value2: u64,
    word2: u64,
    value3: u32,
) -> Result<u64, Errno> {
    let operation = u64::from(operation | FUTEX_PRIVATE_FLAG);
    call(
        Sysno::futex,
        &[
            addr(word),
            operation,
            u64::from(value),
            timeout_or_value2,
            word2,
            u64::from(value3),
        ],
    )
}

/// Sleeps while the word has the value.
pub(crate) fn wait(word: &AtomicU32, value: u32) {
    // Whatever the answer, the caller looks at the word again.
    let _ = futex(word, FUTEX_WAIT, value, 0, 0, 0);
}

/// Wakes up to `count` sleepers and returns how many.
pub(crate) fn wake(word: &AtomicU32, count: u32) -> Result<u64, Errno> {
    futex(word, FUTEX_WAKE, count, 0, 0, 0)
}

/// Waits until this many threads sleep on the word. Moving them to where they are counts them.
pub(crate) fn await_sleepers(word: &AtomicU32, count: u64) -> Outcome {
    for _ in 0..100_000 {
        let value = word.load(Ordering::SeqCst);
        let found = futex(word, FUTEX_CMP_REQUEUE, 0, i32::MAX as u64, addr(word), value)?;
        ensure!(found <= count, "{found} sleepers instead of {count}");
        if found == count {
            return Ok(());
        }
        pause();
    }
    Err(Failure::Wrong("too few sleepers".into()))
}

/// Lets others run.
pub(crate) fn pause() {
    let _ = call(Sysno::sched_yield, &[]);
}
