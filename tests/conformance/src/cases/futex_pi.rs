//! Locks in futex words that the kernel hands over (futex(2), "Priority-inheritance futexes").

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::futex::{
    FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI, FUTEX_LOCK_PI2,
    FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_WAIT, FUTEX_WAIT_REQUEUE_PI,
    FUTEX_WAITERS, FUTEX_WAKE,
};
use los_abi::signal::SIGUSR1;
use los_abi::syscall::Sysno;

use crate::cases::ended;
use crate::harness::{Failure, Outcome, catch, spawn, wait_for};
use crate::raw::{addr, addr_mut, call, peek, poke};
use crate::worker::{Thread, futex, wake};
use crate::{cases, ensure, ensure_eq};

cases![
    a_free_lock_is_taken_and_released,
    wrong_owners_are_refused,
    a_lock_is_handed_over_in_order,
    waiting_for_a_lock_times_out,
    a_circle_is_edeadlk,
    the_lock_of_the_dead_is_claimed,
    the_robust_lock_of_the_dead_is_claimed,
    plain_wakers_are_refused,
    a_signal_does_not_end_the_wait,
    requeued_sleepers_get_the_lock,
    requeueing_checks_its_arguments,
    the_most_urgent_waiter_is_next,
    an_owner_inherits_the_priority_of_its_waiters,
];

static LOCKS: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];
static CONDITION: AtomicU32 = AtomicU32::new(0);
static GATE: AtomicU32 = AtomicU32::new(0);
static ORDER: AtomicU64 = AtomicU64::new(0);
static RESULT: AtomicU64 = AtomicU64::new(0);

fn tid() -> u32 {
    call(Sysno::gettid, &[]).unwrap_or(0) as u32
}

fn operate(word: &AtomicU32, operation: u32) -> Result<u64, Errno> {
    futex(word, operation, 0, 0, 0, 0)
}

fn lock(index: usize) -> Result<u64, Errno> {
    operate(&LOCKS[index], FUTEX_LOCK_PI)
}

fn unlock(index: usize) -> Result<u64, Errno> {
    operate(&LOCKS[index], FUTEX_UNLOCK_PI)
}

fn value(index: usize) -> u32 {
    LOCKS[index].load(Ordering::SeqCst)
}

/// Waits until the gate is open.
fn pass_gate(open: u32) {
    while GATE.load(Ordering::SeqCst) < open {
        crate::worker::wait(&GATE, open - 1);
    }
}

fn open_gate() {
    GATE.fetch_add(1, Ordering::SeqCst);
    let _ = wake(&GATE, i32::MAX as u32);
}

fn a_free_lock_is_taken_and_released() -> Outcome {
    for take in [FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_TRYLOCK_PI] {
        ensure_eq!(operate(&LOCKS[0], take)?, 0);
        ensure_eq!(value(0), tid());
        ensure_eq!(unlock(0)?, 0);
        ensure_eq!(value(0), 0);
    }
    // The mark of a dead owner stays for the next one.
    LOCKS[0].store(FUTEX_OWNER_DIED, Ordering::SeqCst);
    lock(0)?;
    ensure_eq!(value(0), tid() | FUTEX_OWNER_DIED);
    unlock(0)?;
    ensure_eq!(value(0), 0);
    Ok(())
}

fn wrong_owners_are_refused() -> Outcome {
    ensure_eq!(unlock(0).err(), Some(Errno::EPERM));
    lock(0)?;
    ensure_eq!(lock(0).err(), Some(Errno::EDEADLK));
    ensure_eq!(operate(&LOCKS[0], FUTEX_TRYLOCK_PI).err(), Some(Errno::EDEADLK));
    unlock(0)?;
    const NOBODY: u32 = 0x3fff_fff0;
    LOCKS[0].store(NOBODY, Ordering::SeqCst);
    ensure_eq!(lock(0).err(), Some(Errno::ESRCH));
    ensure_eq!(value(0), NOBODY | FUTEX_WAITERS);
    let page = call(Sysno::mmap, &[0, 4096, 1, 0x22, u64::MAX, 0])?;
    let raw = |address: u64, operation: u32| call(Sysno::futex, &[address, u64::from(operation) | 128, 0, 0]);
    ensure_eq!(raw(page, FUTEX_LOCK_PI).err(), Some(Errno::EFAULT));
    ensure_eq!(raw(addr(&LOCKS) + 1, FUTEX_LOCK_PI).err(), Some(Errno::EINVAL));
    ensure_eq!(raw(16, FUTEX_UNLOCK_PI).err(), Some(Errno::EFAULT));
    Ok(())
}

/// Takes lock 0, notes its turn, and releases.
extern "C" fn locker(number: u64) -> i32 {
    if lock(0).is_ok() {
        ORDER.store(ORDER.load(Ordering::SeqCst) * 10 + number, Ordering::SeqCst);
        let _ = unlock(0);
    }
    0
}

fn a_lock_is_handed_over_in_order() -> Outcome {
    lock(0)?;
    let mut threads = Vec::new();
    for number in 1..=4 {
        let thread = Thread::start(locker, number)?;
        thread.await_sleep()?;
        ensure_eq!(value(0), tid() | FUTEX_WAITERS);
        threads.push(thread);
    }
    let first = threads[0].tid();
    unlock(0)?;
    // The lock never was free, though the new owner may not have run yet.
    let now = value(0);
    ensure!(now != 0 || ORDER.load(Ordering::SeqCst) == 1234, "{now:#x}");
    ensure!(
        now == first | FUTEX_WAITERS || ORDER.load(Ordering::SeqCst) > 0,
        "{now:#x}"
    );
    threads.into_iter().try_for_each(Thread::join)?;
    ensure_eq!(ORDER.load(Ordering::SeqCst), 1234);
    ensure_eq!(value(0), 0);
    Ok(())
}

/// Takes a lock and keeps it until the gate opens.
extern "C" fn keeper(index: u64) -> i32 {
    let _ = lock(index as usize);
    RESULT.store(1, Ordering::SeqCst);
    pass_gate(1);
    let _ = unlock(index as usize);
    0
}

fn start_keeper(index: u64) -> Result<Thread, Failure> {
    let thread = Thread::start(keeper, index)?;
    while RESULT.load(Ordering::SeqCst) == 0 {
        crate::worker::pause();
    }
    thread.await_sleep()?;
    Ok(thread)
}

fn waiting_for_a_lock_times_out() -> Outcome {
    let keeper = start_keeper(0)?;
    let past = [0_i64, 1];
    let timed = |operation, time: u64| futex(&LOCKS[0], operation, 0, time, 0, 0).err();
    ensure_eq!(timed(FUTEX_LOCK_PI, addr(&past)), Some(Errno::ETIMEDOUT));
    ensure_eq!(timed(FUTEX_LOCK_PI2, addr(&past)), Some(Errno::ETIMEDOUT));
    let real = FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME;
    ensure_eq!(timed(real, addr(&past)), Some(Errno::ETIMEDOUT));
    let mut soon = [0_i64; 2];
    call(Sysno::clock_gettime, &[1, addr_mut(&mut soon)])?;
    soon[1] = (soon[1] + 10_000_000) % 1_000_000_000;
    ensure_eq!(timed(FUTEX_LOCK_PI2, addr(&soon)), Some(Errno::ETIMEDOUT));
    ensure_eq!(timed(FUTEX_LOCK_PI, addr(&[0_i64, -1])), Some(Errno::EINVAL));
    ensure_eq!(timed(FUTEX_LOCK_PI, 1), Some(Errno::EFAULT));
    ensure_eq!(operate(&LOCKS[0], FUTEX_TRYLOCK_PI).err(), Some(Errno::EAGAIN));
    ensure_eq!(value(0), keeper.tid() | FUTEX_WAITERS);
    open_gate();
    keeper.join()?;
    ensure_eq!(value(0), 0);
    Ok(())
}

/// Takes lock 1 and then lock 0.
extern "C" fn crosser(_: u64) -> i32 {
    let _ = lock(1);
    RESULT.store(1, Ordering::SeqCst);
    let _ = lock(0);
    let _ = unlock(0);
    let _ = unlock(1);
    0
}

fn a_circle_is_edeadlk() -> Outcome {
    lock(0)?;
    let thread = Thread::start(crosser, 0)?;
    while RESULT.load(Ordering::SeqCst) == 0 {
        crate::worker::pause();
    }
    thread.await_sleep()?;
    ensure_eq!(lock(1).err(), Some(Errno::EDEADLK));
    unlock(0)?;
    thread.join()?;
    // The failed wait has left its mark, but the lock is free.
    ensure_eq!(value(1) & FUTEX_TID_MASK, 0);
    ensure_eq!(value(0), 0);
    Ok(())
}

/// Takes lock 0 and dies with it once the gate opens.
extern "C" fn mortal(list: u64) -> i32 {
    if list != 0 {
        let _ = call(Sysno::set_robust_list, &[list, 24]);
    }
    let _ = lock(0);
    RESULT.store(1, Ordering::SeqCst);
    pass_gate(1);
    0
}

/// Opens the gate once the main thread sleeps.
extern "C" fn opener(main: u64) -> i32 {
    if crate::worker::await_sleep(main as u32).is_ok() {
        open_gate();
    }
    0
}

fn outlive_the_owner(list: u64) -> Outcome {
    let owner = Thread::start(mortal, list)?;
    while RESULT.load(Ordering::SeqCst) == 0 {
        crate::worker::pause();
    }
    owner.await_sleep()?;
    let opener = Thread::start(opener, u64::from(tid()))?;
    ensure_eq!(lock(0)?, 0);
    ensure_eq!(value(0), tid() | FUTEX_WAITERS | FUTEX_OWNER_DIED);
    unlock(0)?;
    ensure_eq!(value(0), 0);
    opener.join()?;
    owner.join()
}

fn the_lock_of_the_dead_is_claimed() -> Outcome {
    outlive_the_owner(0)
}

fn the_robust_lock_of_the_dead_is_claimed() -> Outcome {
    // One entry, whose lock is of this kind; its word lies at a distance from it.
    let mut list = [0_u64; 4];
    let at = addr_mut(&mut list);
    let entry = at + 24;
    poke(at, entry | 1);
    poke(at + 8, addr(&LOCKS[0]).wrapping_sub(entry));
    poke(entry, at);
    outlive_the_owner(at)?;
    ensure_eq!(peek::<u64>(at + 16), 0);
    Ok(())
}

fn plain_wakers_are_refused() -> Outcome {
    lock(0)?;
    let thread = Thread::start(locker, 1)?;
    thread.await_sleep()?;
    ensure_eq!(operate(&LOCKS[0], FUTEX_WAKE).err(), Some(Errno::EINVAL));
    unlock(0)?;
    thread.join()
}

static TARGET: AtomicU32 = AtomicU32::new(0);

/// Interrupts the main thread once it sleeps, then opens the gate.
extern "C" fn interrupter(_: u64) -> i32 {
    let tid = TARGET.load(Ordering::SeqCst);
    let pid = rt::process::id() as u64;
    if crate::worker::await_sleep(tid).is_ok() {
        let _ = call(Sysno::tgkill, &[pid, u64::from(tid), u64::from(SIGUSR1)]);
        while !rt::signal::has_arrived(SIGUSR1) {
            crate::worker::pause();
        }
        let _ = crate::worker::await_sleep(tid);
        open_gate();
    }
    0
}

fn a_signal_does_not_end_the_wait() -> Outcome {
    catch(SIGUSR1);
    let keeper = start_keeper(0)?;
    TARGET.store(tid(), Ordering::SeqCst);
    let thread = Thread::start(interrupter, 0)?;
    ensure_eq!(lock(0)?, 0);
    ensure!(rt::signal::take(SIGUSR1));
    ensure_eq!(value(0) & FUTEX_TID_MASK, tid());
    unlock(0)?;
    thread.join()?;
    keeper.join()
}

/// Sleeps on the condition until it owns lock 0, and notes its turn.
extern "C" fn condition_waiter(number: u64) -> i32 {
    let slept = futex(&CONDITION, FUTEX_WAIT_REQUEUE_PI, 0, 0, addr(&LOCKS[0]), 0);
    let owns = value(0) & FUTEX_TID_MASK == tid();
    if slept == Ok(0) && owns {
        ORDER.store(ORDER.load(Ordering::SeqCst) * 10 + number, Ordering::SeqCst);
        let _ = unlock(0);
    }
    0
}

fn start_condition_waiters(count: u64) -> Result<Vec<Thread>, Failure> {
    let mut threads = Vec::new();
    for number in 1..=count {
        let thread = Thread::start(condition_waiter, number)?;
        thread.await_sleep()?;
        threads.push(thread);
    }
    Ok(threads)
}

fn requeue(limit: u64) -> Result<u64, Errno> {
    futex(&CONDITION, FUTEX_CMP_REQUEUE_PI, 1, limit, addr(&LOCKS[0]), 0)
}

fn requeued_sleepers_get_the_lock() -> Outcome {
    // A free lock goes to the first at once, and from hand to hand.
    let threads = start_condition_waiters(3)?;
    ensure_eq!(requeue(i32::MAX as u64)?, 3);
    threads.into_iter().try_for_each(Thread::join)?;
    ensure_eq!(ORDER.load(Ordering::SeqCst), 123);
    ensure_eq!(value(0), 0);
    // One that is held goes to them in turn after its owner.
    ORDER.store(0, Ordering::SeqCst);
    lock(0)?;
    let threads = start_condition_waiters(4)?;
    ensure_eq!(requeue(1)?, 2);
    ensure_eq!(ORDER.load(Ordering::SeqCst), 0);
    ensure_eq!(value(0), tid() | FUTEX_WAITERS);
    ensure_eq!(requeue(9)?, 2);
    ensure_eq!(requeue(9)?, 0);
    unlock(0)?;
    threads.into_iter().try_for_each(Thread::join)?;
    ensure_eq!(ORDER.load(Ordering::SeqCst), 1234);
    ensure_eq!(value(0), 0);
    Ok(())
}

fn requeueing_checks_its_arguments() -> Outcome {
    let to = addr(&LOCKS[0]);
    let wait = |value, time: u64, to| futex(&CONDITION, FUTEX_WAIT_REQUEUE_PI, value, time, to, 0).err();
    ensure_eq!(wait(1, 0, to), Some(Errno::EAGAIN));
    ensure_eq!(wait(0, 0, addr(&CONDITION)), Some(Errno::EINVAL));
    ensure_eq!(wait(0, addr(&[0_i64, 1]), to), Some(Errno::ETIMEDOUT));
    ensure_eq!(wait(0, 0, to + 1), Some(Errno::EINVAL));
    let requeue_with =
        |wake, limit: u64, value, to| futex(&CONDITION, FUTEX_CMP_REQUEUE_PI, wake, limit, to, value).err();
    ensure_eq!(requeue_with(2, 0, 0, to), Some(Errno::EINVAL));
    ensure_eq!(requeue_with(1, u64::from(u32::MAX), 0, to), Some(Errno::EINVAL));
    ensure_eq!(requeue_with(1, 0, 1, to), Some(Errno::EAGAIN));
    ensure_eq!(requeue_with(1, 0, 0, addr(&CONDITION)), Some(Errno::EINVAL));
    let threads = start_condition_waiters(1)?;
    // Such a sleeper is moved by its own operation only, and to its own lock only.
    ensure_eq!(operate(&CONDITION, FUTEX_WAKE).err(), Some(Errno::EINVAL));
    let plain = futex(&CONDITION, FUTEX_CMP_REQUEUE, 0, 1, to, 0).err();
    ensure_eq!(plain, Some(Errno::EINVAL));
    ensure_eq!(requeue_with(1, 0, 0, addr(&LOCKS[1])), Some(Errno::EINVAL));
    ensure_eq!(requeue(0)?, 1);
    threads.into_iter().try_for_each(Thread::join)?;
    let thread = Thread::start(plain_waiter, 0)?;
    thread.await_sleep()?;
    ensure_eq!(requeue(1).err(), Some(Errno::EINVAL));
    ensure_eq!(wake(&CONDITION, 1)?, 1);
    thread.join()
}

/// Takes real-time priority, then lock 0 as [`locker`] does.
extern "C" fn urgent_locker(priority: u64) -> i32 {
    take_priority(priority);
    locker(priority)
}

/// Makes the calling thread one of SCHED_FIFO, whatever it was.
fn take_priority(priority: u64) {
    const SCHED_FIFO: u64 = 1;
    let _ = call(
        Sysno::sched_setscheduler,
        &[0, SCHED_FIFO, addr(&(priority as u32))],
    );
}

fn may_be_urgent() -> Outcome {
    let pid = spawn(|| i32::from(call(Sysno::sched_setscheduler, &[0, 1, addr(&1_u32)]).is_err()))?;
    match ended(wait_for(pid)?) {
        0 => Ok(()),
        _ => Err(Failure::Skip("no real-time priority for this user")),
    }
}

fn the_most_urgent_waiter_is_next() -> Outcome {
    may_be_urgent()?;
    lock(0)?;
    // First, while this thread does not yet have the priority of those who wait.
    let ordinary = Thread::start(locker, 1)?;
    ordinary.await_sleep()?;
    let mut threads = Vec::new();
    for priority in [2, 5, 3, 5] {
        let thread = Thread::start(urgent_locker, priority)?;
        thread.await_sleep()?;
        threads.push(thread);
    }
    unlock(0)?;
    ordinary.join()?;
    threads.into_iter().try_for_each(Thread::join)?;
    ensure_eq!(ORDER.load(Ordering::SeqCst), 55321);
    Ok(())
}

/// Returns the priority that /proc tells of a thread of this process.
fn told_priority(tid: u32) -> Result<i64, Failure> {
    const PRIORITY: usize = 15;
    let text = rt::fs::read(alloc::format!("/proc/self/task/{tid}/stat").as_bytes())?;
    let behind_name = text.iter().rposition(|&byte| byte == b')').unwrap_or(0) + 2;
    let field = text[behind_name..].split(|&byte| byte == b' ').nth(PRIORITY);
    let number = field.and_then(|field| core::str::from_utf8(field).ok()?.parse().ok());
    number.ok_or(Failure::Wrong("no priority".into()))
}

/// Keeps lock 1 and waits for lock 0.
extern "C" fn middle(_: u64) -> i32 {
    let _ = lock(1);
    let _ = lock(0);
    let _ = unlock(0);
    let _ = unlock(1);
    0
}

/// Takes real-time priority, then lock 1.
extern "C" fn urgent_end(priority: u64) -> i32 {
    take_priority(priority);
    let _ = lock(1);
    let _ = unlock(1);
    0
}

fn an_owner_inherits_the_priority_of_its_waiters() -> Outcome {
    may_be_urgent()?;
    let ordinary = told_priority(tid())?;
    lock(0)?;
    let middle = Thread::start(middle, 0)?;
    middle.await_sleep()?;
    let end = Thread::start(urgent_end, 7)?;
    end.await_sleep()?;
    // Along the chain; a real-time priority is told as its negative, less one.
    ensure_eq!(told_priority(middle.tid())?, -8);
    ensure_eq!(told_priority(tid())?, -8);
    // A change of the waiter's own counts too.
    call(
        Sysno::sched_setscheduler,
        &[u64::from(end.tid()), 1, addr(&9_u32)],
    )?;
    ensure_eq!(told_priority(tid())?, -10);
    unlock(0)?;
    ensure_eq!(told_priority(tid())?, ordinary);
    middle.join()?;
    end.join()
}

extern "C" fn plain_waiter(_: u64) -> i32 {
    let _ = futex(&CONDITION, FUTEX_WAIT, 0, 0, 0, 0);
    0
}
