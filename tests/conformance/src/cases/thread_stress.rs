//! Eight threads over mutexes, condition variables, barriers, read-write locks, semaphores and locks with priority
//! inheritance, made of futexes as C libraries make them, and threads that come and go. Every result is checked.
//!
//! `conformance --helper stress SECONDS` runs all of it again and again for that long.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use los_abi::futex::{FUTEX_CMP_REQUEUE, FUTEX_LOCK_PI, FUTEX_UNLOCK_PI};
use los_abi::syscall::Sysno;
use rt::time;

use crate::harness::{Failure, Outcome};
use crate::raw::{addr, call};
use crate::worker::{Thread, futex, wait, wake};
use crate::{cases, ensure, ensure_eq};

cases![
    mutexes_exclude,
    condition_variables_lose_nothing,
    barriers_keep_step,
    read_write_locks_exclude_writers,
    semaphores_bound,
    inheriting_locks_exclude,
    threads_come_and_go,
];

const THREADS: u64 = 8;
const TURNS: u64 = 400;
const ALL: u32 = i32::MAX as u32;

/// Runs every case for some seconds; returns the exit status.
pub(super) fn run_for(seconds: &[u8]) -> i32 {
    let seconds = core::str::from_utf8(seconds)
        .ok()
        .and_then(|text| text.parse().ok());
    let end = time::monotonic().tv_sec + seconds.unwrap_or(60);
    let mut rounds = 0;
    while time::monotonic().tv_sec < end {
        for case in CASES {
            if let Err(Failure::Wrong(why)) = (case.run)() {
                rt::println!("not ok {}: {why} in round {rounds}", case.short_name());
                return 1;
            }
        }
        rounds += 1;
    }
    rt::println!("ok: {rounds} rounds");
    0
}

fn run(function: extern "C" fn(u64) -> i32) -> Outcome {
    let threads: Result<Vec<_>, _> = (0..THREADS)
        .map(|number| Thread::start(function, number))
        .collect();
    threads?.into_iter().try_for_each(Thread::join)
}

/// A mutex: 0 free, 1 held, 2 held with perhaps somebody asleep.
struct Mutex(AtomicU32);

impl Mutex {
    const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    fn lock(&self) {
        if self.0.compare_exchange(0, 1, SeqCst, SeqCst).is_err() {
            self.lock_contended();
        }
    }

    fn lock_contended(&self) {
        while self.0.swap(2, SeqCst) != 0 {
            wait(&self.0, 2);
        }
    }

    fn unlock(&self) {
        if self.0.swap(0, SeqCst) == 2 {
            let _ = wake(&self.0, 1);
        }
    }
}

/// A condition variable: a number that every signal changes.
struct Condition(AtomicU32);

impl Condition {
    const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    fn wait(&self, mutex: &Mutex) {
        let seen = self.0.load(SeqCst);
        mutex.unlock();
        wait(&self.0, seen);
        mutex.lock_contended();
    }

    /// Wakes one and moves the rest to the mutex.
    fn broadcast(&self, mutex: &Mutex) {
        let seen = self.0.fetch_add(1, SeqCst) + 1;
        let moved = futex(
            &self.0,
            FUTEX_CMP_REQUEUE,
            1,
            u64::from(ALL),
            addr(&mutex.0),
            seen,
        );
        if moved.is_err() {
            let _ = wake(&self.0, ALL);
        }
    }
}

static MUTEX: Mutex = Mutex::new();
static INHERITING: AtomicU32 = AtomicU32::new(0);
/// Counted up by a load and a store, so that two in the section at once lose a turn.
static COUNT: AtomicU64 = AtomicU64::new(0);
static WRONG: AtomicU64 = AtomicU64::new(0);

fn count_slowly(turn: u64) {
    let before = COUNT.load(SeqCst);
    if turn.is_multiple_of(8) {
        crate::worker::pause();
    }
    COUNT.store(before + 1, SeqCst);
}

extern "C" fn mutex_turns(_: u64) -> i32 {
    for turn in 0..TURNS {
        MUTEX.lock();
        count_slowly(turn);
        MUTEX.unlock();
    }
    0
}

fn mutexes_exclude() -> Outcome {
    COUNT.store(0, SeqCst);
    run(mutex_turns)?;
    ensure_eq!(COUNT.load(SeqCst), THREADS * TURNS);
    ensure_eq!(MUTEX.0.load(SeqCst), 0);
    Ok(())
}

extern "C" fn inheriting_turns(_: u64) -> i32 {
    let tid = call(Sysno::gettid, &[]).unwrap_or(0) as u32;
    for turn in 0..TURNS {
        if INHERITING.compare_exchange(0, tid, SeqCst, SeqCst).is_err()
            && futex(&INHERITING, FUTEX_LOCK_PI, 0, 0, 0, 0).is_err()
        {
            WRONG.fetch_add(1, SeqCst);
        }
        count_slowly(turn);
        if INHERITING.compare_exchange(tid, 0, SeqCst, SeqCst).is_err()
            && futex(&INHERITING, FUTEX_UNLOCK_PI, 0, 0, 0, 0).is_err()
        {
            WRONG.fetch_add(1, SeqCst);
        }
    }
    0
}

fn inheriting_locks_exclude() -> Outcome {
    COUNT.store(0, SeqCst);
    run(inheriting_turns)?;
    ensure_eq!(WRONG.load(SeqCst), 0);
    ensure_eq!(COUNT.load(SeqCst), THREADS * TURNS);
    ensure_eq!(INHERITING.load(SeqCst), 0);
    Ok(())
}

static FILLED: Condition = Condition::new();
static EMPTIED: Condition = Condition::new();
static STORED: AtomicU64 = AtomicU64::new(0);
static TAKEN: AtomicU64 = AtomicU64::new(0);
const ROOM: u64 = 3;

/// The even ones put something in, the odd ones take it out.
extern "C" fn buffer_turns(number: u64) -> i32 {
    for _ in 0..TURNS {
        MUTEX.lock();
        if number.is_multiple_of(2) {
            while STORED.load(SeqCst) == ROOM {
                EMPTIED.wait(&MUTEX);
            }
            STORED.fetch_add(1, SeqCst);
            FILLED.broadcast(&MUTEX);
        } else {
            while STORED.load(SeqCst) == 0 {
                FILLED.wait(&MUTEX);
            }
            STORED.fetch_sub(1, SeqCst);
            TAKEN.fetch_add(1, SeqCst);
            EMPTIED.broadcast(&MUTEX);
        }
        MUTEX.unlock();
    }
    0
}

fn condition_variables_lose_nothing() -> Outcome {
    TAKEN.store(0, SeqCst);
    run(buffer_turns)?;
    ensure_eq!(TAKEN.load(SeqCst), THREADS / 2 * TURNS);
    ensure_eq!(STORED.load(SeqCst), 0);
    Ok(())
}

static ARRIVED: AtomicU32 = AtomicU32::new(0);
static ROUND: AtomicU32 = AtomicU32::new(0);

/// Waits until all threads are here.
fn barrier() {
    let round = ROUND.load(SeqCst);
    if ARRIVED.fetch_add(1, SeqCst) + 1 == THREADS as u32 {
        ARRIVED.store(0, SeqCst);
        ROUND.fetch_add(1, SeqCst);
        let _ = wake(&ROUND, ALL);
    } else {
        while ROUND.load(SeqCst) == round {
            wait(&ROUND, round);
        }
    }
}

extern "C" fn barrier_turns(number: u64) -> i32 {
    for turn in 0..TURNS / 4 {
        COUNT.fetch_add(1, SeqCst);
        barrier();
        // All have counted this turn, and nobody the next one.
        if COUNT.load(SeqCst) != (turn + 1) * THREADS {
            WRONG.fetch_add(1, SeqCst);
        }
        if turn % THREADS == number {
            crate::worker::pause();
        }
        barrier();
    }
    0
}

fn barriers_keep_step() -> Outcome {
    COUNT.store(0, SeqCst);
    run(barrier_turns)?;
    ensure_eq!(WRONG.load(SeqCst), 0);
    ensure_eq!(COUNT.load(SeqCst), THREADS * (TURNS / 4));
    Ok(())
}

/// The number of readers, or `WRITER`.
static READERS: AtomicU32 = AtomicU32::new(0);
const WRITER: u32 = u32::MAX;
static PAIR: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

fn lock_to_read() {
    loop {
        let readers = READERS.load(SeqCst);
        if readers == WRITER {
            wait(&READERS, readers);
        } else if READERS
            .compare_exchange(readers, readers + 1, SeqCst, SeqCst)
            .is_ok()
        {
            return;
        }
    }
}

fn lock_to_write() {
    while let Err(readers) = READERS.compare_exchange(0, WRITER, SeqCst, SeqCst) {
        wait(&READERS, readers);
    }
}

extern "C" fn read_write_turns(number: u64) -> i32 {
    for turn in 0..TURNS {
        if turn % 4 == number % 4 {
            lock_to_write();
            let next = PAIR[0].load(SeqCst) + 1;
            PAIR[0].store(next, SeqCst);
            if turn.is_multiple_of(8) {
                crate::worker::pause();
            }
            PAIR[1].store(next, SeqCst);
            READERS.store(0, SeqCst);
            let _ = wake(&READERS, ALL);
        } else {
            lock_to_read();
            let first = PAIR[0].load(SeqCst);
            if turn.is_multiple_of(16) {
                crate::worker::pause();
            }
            if first != PAIR[1].load(SeqCst) {
                WRONG.fetch_add(1, SeqCst);
            }
            READERS.fetch_sub(1, SeqCst);
            let _ = wake(&READERS, ALL);
        }
    }
    0
}

fn read_write_locks_exclude_writers() -> Outcome {
    PAIR[0].store(0, SeqCst);
    PAIR[1].store(0, SeqCst);
    run(read_write_turns)?;
    ensure_eq!(WRONG.load(SeqCst), 0);
    ensure_eq!(PAIR[0].load(SeqCst), THREADS * TURNS / 4);
    ensure_eq!(READERS.load(SeqCst), 0);
    Ok(())
}

static PERMITS: AtomicU32 = AtomicU32::new(0);
const MOST_INSIDE: u32 = 3;
static INSIDE: AtomicU32 = AtomicU32::new(0);

extern "C" fn semaphore_turns(_: u64) -> i32 {
    for turn in 0..TURNS {
        loop {
            let permits = PERMITS.load(SeqCst);
            if permits == 0 {
                wait(&PERMITS, 0);
            } else if PERMITS
                .compare_exchange(permits, permits - 1, SeqCst, SeqCst)
                .is_ok()
            {
                break;
            }
        }
        if INSIDE.fetch_add(1, SeqCst) >= MOST_INSIDE {
            WRONG.fetch_add(1, SeqCst);
        }
        COUNT.fetch_add(1, SeqCst);
        if turn.is_multiple_of(4) {
            crate::worker::pause();
        }
        INSIDE.fetch_sub(1, SeqCst);
        PERMITS.fetch_add(1, SeqCst);
        let _ = wake(&PERMITS, 1);
    }
    0
}

fn semaphores_bound() -> Outcome {
    COUNT.store(0, SeqCst);
    PERMITS.store(MOST_INSIDE, SeqCst);
    run(semaphore_turns)?;
    ensure_eq!(WRONG.load(SeqCst), 0);
    ensure_eq!(COUNT.load(SeqCst), THREADS * TURNS);
    ensure_eq!(PERMITS.load(SeqCst), MOST_INSIDE);
    Ok(())
}

/// Starts short-lived threads, each of which counts once, and joins them.
extern "C" fn parent_turns(_: u64) -> i32 {
    for _ in 0..TURNS / 16 {
        let pair = [Thread::start(count_once, 0), Thread::start(count_once, 0)];
        for child in pair {
            if child.is_err() || child.is_ok_and(|child| child.join().is_err()) {
                WRONG.fetch_add(1, SeqCst);
            }
        }
    }
    0
}

extern "C" fn count_once(_: u64) -> i32 {
    COUNT.fetch_add(1, SeqCst);
    0
}

fn threads_come_and_go() -> Outcome {
    COUNT.store(0, SeqCst);
    run(parent_turns)?;
    ensure_eq!(WRONG.load(SeqCst), 0);
    ensure!(COUNT.load(SeqCst) == THREADS * (TURNS / 16) * 2);
    Ok(())
}
