//! Threads that are joined and leave nothing behind, and futexes between them.

use core::sync::atomic::{AtomicU32, Ordering};

use los_abi::errno::Errno;
use los_abi::futex::{FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAKE};
use los_abi::syscall::Sysno;
use los_abi::task::CloneFlags;

use crate::ensure_eq;
use crate::harness::{Failure, Outcome, spawn};
use crate::raw::{addr, call, peek};
use crate::thread::{STACK_BYTES, THREAD, Words, clone_on, eventually, stack};

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
    await_rest(&alloc::format!("/proc/self/task/{tid}/stat"))
}

/// Waits until the first thread of a process sleeps in the kernel, or has ended.
pub(crate) fn await_sleep_of(pid: i32) -> Outcome {
    await_rest(&alloc::format!("/proc/{pid}/stat"))
}

/// Waits until a thread rests for longer than the kernel itself has it wait for a moment.
fn await_rest(stat: &str) -> Outcome {
    let mut before = None;
    eventually("the thread falls asleep", || {
        let text = rt::fs::read(stat.as_bytes()).unwrap_or_default();
        let state = text
            .iter()
            .rposition(|&byte| byte == b')')
            .and_then(|at| text.get(at + 2).copied());
        let last = core::mem::replace(&mut before, state);
        state == Some(b'Z') || state == Some(b'S') && last == state
    })
}

/// Starts a child that sends the caller a signal once that sleeps in the kernel.
pub(crate) fn interrupt_sleep(number: u32) -> Result<i32, Failure> {
    let sleeper = rt::process::id();
    spawn(|| {
        let is_sent = await_sleep_of(sleeper).is_ok() && rt::process::kill(sleeper, number).is_ok();
        i32::from(!is_sent)
    })
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
    let mut found = Ok(0);
    eventually("enough sleepers", || {
        let value = word.load(Ordering::SeqCst);
        found = futex(word, FUTEX_CMP_REQUEUE, 0, i32::MAX as u64, addr(word), value);
        !found.is_ok_and(|found| found < count)
    })?;
    ensure_eq!(found, Ok(count));
    Ok(())
}

/// Lets others run.
pub(crate) fn pause() {
    let _ = call(Sysno::sched_yield, &[]);
}
