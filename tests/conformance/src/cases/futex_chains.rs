//! Chains of locks with priority inheritance: random steps of threads of different priorities, each compared with a
//! model that knows who must own, wait, be refused, and how urgent everybody then is.

use alloc::format;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use los_abi::errno::Errno;
use los_abi::futex::{FUTEX_LOCK_PI, FUTEX_UNLOCK_PI};
use los_abi::schedule::{SCHED_FIFO, SchedParam};
use los_abi::syscall::Sysno;
use rt::fs;

use crate::harness::{Failure, Outcome};
use crate::raw::{addr, call};
use crate::thread::eventually;
use crate::worker::{Thread, futex, wait, wake};
use crate::{cases, ensure_eq};

cases![random_chains_are_as_the_model_says];

const THREADS: usize = 5;
const LOCKS: usize = 4;
const STEPS: usize = 80;
const SEEDS: [u64; 2] = [0x1d87_2b41, 0x7f4a_7c15];

static WORDS: [AtomicU32; LOCKS] = [const { AtomicU32::new(0) }; LOCKS];
/// By thread: what it is to do, counted in the higher half so that each is different.
static ORDERS: [AtomicU32; THREADS] = [const { AtomicU32::new(0) }; THREADS];
/// By thread: `BUSY`, or what the call answered.
static ANSWERS: [AtomicU32; THREADS] = [const { AtomicU32::new(IDLE) }; THREADS];

const IDLE: u32 = u32::MAX;
const BUSY: u32 = u32::MAX - 1;
/// An order: to end; else a lock's number, to be taken or released.
const END: u32 = 0xff;
const RELEASE: u32 = 0x80;

/// Does what it is told, until told to end.
extern "C" fn obey(number: u64) -> i32 {
    let number = number as usize;
    let mut last = 0;
    loop {
        while ORDERS[number].load(Ordering::SeqCst) == last {
            wait(&ORDERS[number], last);
        }
        last = ORDERS[number].load(Ordering::SeqCst);
        let order = last & 0xff;
        if order == END {
            return 0;
        }
        let (operation, lock) = match order & RELEASE {
            0 => (FUTEX_LOCK_PI, order),
            _ => (FUTEX_UNLOCK_PI, order & !RELEASE),
        };
        ANSWERS[number].store(BUSY, Ordering::SeqCst);
        let answer = futex(&WORDS[lock as usize], operation, 0, 0, 0, 0);
        let answer = answer.map_or_else(|errno| errno.code().cast_unsigned(), |_| 0);
        ANSWERS[number].store(answer, Ordering::SeqCst);
    }
}

/// What must be the case.
#[derive(Default)]
struct Model {
    /// By lock.
    owners: [Option<usize>; LOCKS],
    /// By thread: the lock that it waits for.
    waits: [Option<usize>; THREADS],
}

impl Model {
    /// Returns how urgent a thread is with those who wait for its locks. Their own priorities are their numbers.
    fn priority(&self, thread: usize) -> usize {
        let waiters = (0..THREADS).filter(|&other| {
            let lock = self.waits[other];
            lock.is_some_and(|lock| self.owners[lock] == Some(thread))
        });
        waiters
            .map(|other| self.priority(other))
            .fold(thread + 1, usize::max)
    }

    /// Tells whether a thread waits for another one, directly or not.
    fn waits_for(&self, thread: usize, other: usize) -> bool {
        let owner = self.waits[thread].and_then(|lock| self.owners[lock]);
        owner.is_some_and(|owner| owner == other || self.waits_for(owner, other))
    }

    /// Gives a lock to the most urgent of those who wait for it.
    fn release(&mut self, lock: usize) -> Option<usize> {
        let waiters = (0..THREADS).filter(|&thread| self.waits[thread] == Some(lock));
        let next = waiters.max_by_key(|&thread| self.priority(thread));
        self.owners[lock] = next;
        if let Some(next) = next {
            self.waits[next] = None;
        }
        next
    }
}

fn tell(thread: usize, order: u32) {
    ANSWERS[thread].store(IDLE, Ordering::SeqCst);
    let last = ORDERS[thread].load(Ordering::SeqCst);
    ORDERS[thread].store((last & !0xff).wrapping_add(0x100) | order, Ordering::SeqCst);
    let _ = wake(&ORDERS[thread], 1);
}

fn expect(thread: usize, answer: u32, what: &str) -> Outcome {
    eventually(what, || ANSWERS[thread].load(Ordering::SeqCst) < BUSY)?;
    ensure_eq!((what, ANSWERS[thread].load(Ordering::SeqCst)), (what, answer));
    Ok(())
}

/// Makes one thread take a lock, or release it if it has it.
fn step(model: &mut Model, threads: &[Thread], thread: usize, lock: usize) -> Outcome {
    let what = format!("thread {thread}, lock {lock}");
    match model.owners[lock] {
        Some(owner) if owner == thread => {
            tell(thread, RELEASE | lock as u32);
            expect(thread, 0, &what)?;
            if let Some(next) = model.release(lock) {
                expect(next, 0, &format!("{what} goes to {next}"))?;
            }
        }
        None => {
            tell(thread, lock as u32);
            expect(thread, 0, &what)?;
            model.owners[lock] = Some(thread);
        }
        Some(owner) if model.waits_for(owner, thread) => {
            tell(thread, lock as u32);
            expect(thread, Errno::EDEADLK.code().cast_unsigned(), &what)?;
        }
        Some(_) => {
            tell(thread, lock as u32);
            eventually(&what, || ANSWERS[thread].load(Ordering::SeqCst) == BUSY)?;
            threads[thread].await_sleep()?;
            model.waits[thread] = Some(lock);
        }
    }
    for (thread, it) in threads.iter().enumerate() {
        // The field tells -2 for priority 1.
        let wanted = -1 - model.priority(thread) as i32;
        let what = format!("{what}: thread {thread} has priority {wanted}");
        eventually(&what, || priority_of(it.tid()) == Some(wanted))?;
    }
    Ok(())
}

/// Returns the 18th field of proc_pid_stat(5).
fn priority_of(tid: u32) -> Option<i32> {
    let text = fs::read(format!("/proc/self/task/{tid}/stat").as_bytes()).ok()?;
    let behind_name = text.iter().rposition(|&byte| byte == b')')? + 2;
    let field = text[behind_name..].split(|&byte| byte == b' ').nth(18 - 3)?;
    core::str::from_utf8(field).ok()?.parse().ok()
}

fn random_chains_are_as_the_model_says() -> Outcome {
    SEEDS.into_iter().try_for_each(run)
}

fn run(seed: u64) -> Outcome {
    let mut threads = Vec::new();
    for number in 0..THREADS {
        let thread = Thread::start(obey, number as u64)?;
        let param = SchedParam {
            sched_priority: number as i32 + 1,
        };
        let arguments = [thread.tid().into(), SCHED_FIFO.into(), addr(&param)];
        match call(Sysno::sched_setscheduler, &arguments) {
            Err(Errno::EPERM) => return Err(Failure::Skip("user 0 may not have real-time priorities here")),
            result => result?,
        };
        threads.push(thread);
    }
    let mut model = Model::default();
    let mut random = seed;
    for _ in 0..STEPS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let idle: Vec<usize> = (0..THREADS).filter(|&it| model.waits[it].is_none()).collect();
        let thread = idle[random as usize % idle.len()];
        let lock = (random >> 32) as usize % LOCKS;
        step(&mut model, &threads, thread, lock)?;
    }
    while let Some((lock, owner)) = free_owner(&model) {
        step(&mut model, &threads, owner, lock)?;
    }
    for (number, thread) in threads.into_iter().enumerate() {
        tell(number, END);
        thread.join()?;
        ORDERS[number].store(0, Ordering::SeqCst);
    }
    Ok(())
}

/// Returns a lock whose owner does not wait.
fn free_owner(model: &Model) -> Option<(usize, usize)> {
    let owned = (0..LOCKS).filter_map(|lock| Some((lock, model.owners[lock]?)));
    owned.into_iter().find(|&(_, owner)| model.waits[owner].is_none())
}
