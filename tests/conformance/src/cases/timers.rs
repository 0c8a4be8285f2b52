//! POSIX timers, and interval timers of processor time (timer_create(2), setitimer(2)).

use los_abi::errno::Errno;
use los_abi::signal::{
    SI_TIMER, SIGALRM, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD_ID, SigEvent, SigInfo, SigSet, Signal,
};
use los_abi::syscall::Sysno;
use rt::{process, signal, time};

use super::clocks::{BOOT, MONOTONIC, MS, PROCESS_TIME, THREAD_TIME, dynamic};
use crate::cases::{ended, program};
use crate::clock::clock_ns;
use crate::handler::{SET_BYTES, set_of};
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    a_timer_tells_its_number_and_value,
    overruns_are_counted,
    timers_fire_at_a_point_of_time,
    silent_timers_are_asked,
    timers_of_a_thread,
    timers_of_processor_time,
    create_argument_checks,
    other_timer_argument_checks,
    deleted_timers_take_their_signals_along,
    timers_are_not_inherited,
    timers_end_at_exec,
    timers_count_as_queued_signals,
    virtual_and_profiling_timers,
    interval_timers_are_read,
    the_longest_interval_is_long,
    the_real_timer_rests_until_its_signal_is_taken,
];

const RT: u32 = 40;
/// Longer than what will come takes.
const LONG_MS: i64 = 30_000;

/// Makes a timer that queues a signal with a value, or is silent.
fn create(clock: u64, notify: i32, value: u64) -> Result<u64, Errno> {
    let event = SigEvent {
        sigev_value: value,
        sigev_signo: RT as i32,
        sigev_notify: notify,
        sigev_notify_thread_id: process::id(),
        ..SigEvent::default()
    };
    let mut id = -1_i32;
    call(Sysno::timer_create, &[clock, addr(&event), addr_mut(&mut id)])?;
    Ok(id as u64)
}

/// Interval and first expiry, in the form of the calls.
fn setting(interval_ns: i64, value_ns: i64) -> [i64; 4] {
    const SECOND: i64 = 1_000_000_000;
    [
        interval_ns / SECOND,
        interval_ns % SECOND,
        value_ns / SECOND,
        value_ns % SECOND,
    ]
}

fn set(id: u64, flags: u64, value: [i64; 4]) -> Result<[i64; 4], Errno> {
    let mut old = [-1; 4];
    call(
        Sysno::timer_settime,
        &[id, flags, addr(&value), addr_mut(&mut old)],
    )?;
    Ok(old)
}

fn get(id: u64) -> Result<[i64; 4], Errno> {
    let mut value = [-1; 4];
    call(Sysno::timer_gettime, &[id, addr_mut(&mut value)])?;
    Ok(value)
}

fn take(timeout_ms: i64) -> Result<SigInfo, Errno> {
    let set = set_of(&[RT]);
    let mut info = SigInfo::default();
    let timeout = [timeout_ms / 1000, timeout_ms % 1000 * MS];
    call(
        Sysno::rt_sigtimedwait,
        &[addr(&set), addr_mut(&mut info), addr(&timeout), SET_BYTES],
    )?;
    Ok(info)
}

/// Uses the processor until a signal of the set is pending.
fn compute_until_pending(number: u32) -> Result<(), Errno> {
    let mut pending = SigSet::EMPTY;
    while pending.intersection(set_of(&[number])).is_empty() {
        for turn in 0..10_000_u64 {
            core::hint::black_box(turn);
        }
        call(Sysno::rt_sigpending, &[addr_mut(&mut pending), SET_BYTES])?;
    }
    Ok(())
}

fn a_timer_tells_its_number_and_value() -> Outcome {
    signal::set_mask(set_of(&[RT, SIGALRM]));
    for clock in [0, MONOTONIC, BOOT, 11] {
        let id = create(clock, SIGEV_SIGNAL, 77)?;
        ensure_eq!(get(id)?, [0; 4]);
        ensure_eq!(set(id, 0, setting(0, 10 * MS))?, [0; 4]);
        let left = get(id)?;
        ensure!(left[2] == 0 && left[3] > 0 && left[3] <= 10 * MS, "{left:?}");
        let info = take(5000)?;
        ensure_eq!((info.si_code, info.value()), (SI_TIMER, 77));
        ensure_eq!(info.fields[0], id);
        ensure_eq!(get(id)?, [0; 4]);
        ensure_eq!(call(Sysno::timer_getoverrun, &[id])?, 0);
    }
    // Without an event it is SIGALRM, with the timer's number.
    let mut id = -1_i32;
    call(Sysno::timer_create, &[MONOTONIC, 0, addr_mut(&mut id)])?;
    set(id as u64, 0, setting(0, 1))?;
    let (alarm, mut info) = (set_of(&[SIGALRM]), SigInfo::default());
    call(
        Sysno::rt_sigtimedwait,
        &[addr(&alarm), addr_mut(&mut info), 0, SET_BYTES],
    )?;
    ensure_eq!((info.si_code, info.value() as i32), (SI_TIMER, id));
    Ok(())
}

fn overruns_are_counted() -> Outcome {
    signal::set_mask(set_of(&[RT]));
    let id = create(MONOTONIC, SIGEV_SIGNAL, 5)?;
    let before = clock_ns(MONOTONIC)?;
    set(id, 0, setting(2 * MS, 2 * MS))?;
    time::sleep_ms(30);
    let info = take(LONG_MS)?;
    let most = (clock_ns(MONOTONIC)? - before) / (2 * MS);
    let overrun = (info.fields[0] >> 32) as i64;
    ensure!((13..most).contains(&overrun), "{overrun} overruns of {most}");
    // The next signal changes nothing until it is taken.
    compute_until_pending(RT)?;
    ensure_eq!(call(Sysno::timer_getoverrun, &[id])?, overrun as u64);
    // One signal at a time is queued.
    take(LONG_MS)?;
    let old = set(id, 0, setting(0, 0))?;
    ensure_eq!(old[..2], [0, 2 * MS]);
    // One may have been on its way.
    let _late = take(0);
    ensure_eq!(take(0).err(), Some(Errno::EAGAIN));
    ensure_eq!(get(id)?, [0; 4]);
    Ok(())
}

fn timers_fire_at_a_point_of_time() -> Outcome {
    signal::set_mask(set_of(&[RT]));
    for clock in [0, MONOTONIC] {
        let id = create(clock, SIGEV_SIGNAL, 0)?;
        let point = clock_ns(clock)? + 20 * MS;
        set(id, 1, setting(0, point))?;
        let left = get(id)?;
        ensure!(left[2] == 0 && left[3] <= 20 * MS, "{left:?} left");
        take(LONG_MS)?;
        ensure!(clock_ns(clock)? >= point);
        // One that has passed.
        set(id, 1, setting(0, 5))?;
        take(LONG_MS)?;
    }
    Ok(())
}

fn silent_timers_are_asked() -> Outcome {
    let id = create(MONOTONIC, SIGEV_NONE, 0)?;
    set(id, 0, setting(1000 * MS, MS))?;
    time::sleep_ms(5);
    let left = get(id)?;
    ensure!(left[..2] == [1, 0] && (left[2] == 0 && left[3] > 0), "{left:?}");
    set(id, 0, setting(0, MS))?;
    time::sleep_ms(5);
    ensure_eq!(get(id)?, [0; 4]);
    Ok(())
}

fn timers_of_a_thread() -> Outcome {
    signal::set_mask(set_of(&[RT]));
    let id = create(MONOTONIC, SIGEV_SIGNAL | SIGEV_THREAD_ID, 3)?;
    set(id, 0, setting(0, MS))?;
    ensure_eq!(take(LONG_MS)?.value(), 3);
    Ok(())
}

fn timers_of_processor_time() -> Outcome {
    signal::set_mask(set_of(&[RT]));
    for clock in [
        PROCESS_TIME,
        THREAD_TIME,
        dynamic(0, 0),
        dynamic(process::id(), 4 | 2),
    ] {
        let id = create(clock, SIGEV_SIGNAL, clock)?;
        let before = clock_ns(clock)?;
        set(id, 0, setting(0, 20 * MS))?;
        // Sleeping does not count, unless the machine let that much time pass before it.
        let info = match take(40) {
            Err(Errno::EAGAIN) => {
                compute_until_pending(RT)?;
                take(0)?
            }
            early => early?,
        };
        ensure!(clock_ns(clock)? - before >= 19 * MS);
        ensure_eq!((info.si_code, info.value()), (SI_TIMER, clock));
    }
    Ok(())
}

fn create_argument_checks() -> Outcome {
    let mut id = 0_i32;
    let at = addr_mut(&mut id);
    let make = |clock: u64, event: &SigEvent| call(Sysno::timer_create, &[clock, addr(event), at]).err();
    let event = |notify: i32, signo: i32| SigEvent {
        sigev_notify: notify,
        sigev_signo: signo,
        ..SigEvent::default()
    };
    ensure_eq!(call(Sysno::timer_create, &[99, 8, at]).err(), Some(Errno::EFAULT));
    ensure_eq!(call(Sysno::timer_create, &[99, 0, at]).err(), Some(Errno::EINVAL));
    ensure_eq!(call(Sysno::timer_create, &[1, 0, 8]).err(), Some(Errno::EFAULT));
    for (notify, signo) in [(0, 0), (0, 65), (0, -1), (3, 10), (5, 10), (7, 10), (99, 10)] {
        ensure_eq!(make(MONOTONIC, &event(notify, signo)), Some(Errno::EINVAL));
    }
    // No signal, no check of it.
    ensure_eq!(make(MONOTONIC, &event(SIGEV_NONE, 65)), None);
    let stranger = SigEvent {
        sigev_notify_thread_id: 1,
        ..event(SIGEV_THREAD_ID, 10)
    };
    ensure_eq!(make(MONOTONIC, &stranger), Some(Errno::EINVAL));
    for clock in [4, 5, 6] {
        ensure_eq!(make(clock, &event(0, 10)), Some(Errno::EOPNOTSUPP));
    }
    Ok(())
}

fn other_timer_argument_checks() -> Outcome {
    let id = create(MONOTONIC, SIGEV_NONE, 0)?;
    let nothing = 9999;
    let good = [0_i64; 4];
    let set = |id: u64, new: u64, old: u64| call(Sysno::timer_settime, &[id, 0, new, old]).err();
    ensure_eq!(set(id, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(set(nothing, 8, 0), Some(Errno::EFAULT));
    ensure_eq!(set(nothing, addr(&good), 0), Some(Errno::EINVAL));
    ensure_eq!(set(id, addr(&good), 8), Some(Errno::EFAULT));
    for bad in [
        [0_i64, 0, 0, -1],
        [0, 1_000_000_000, 0, 0],
        [0, 0, -1, 0],
        [-1, 0, 1, 0],
    ] {
        ensure_eq!(set(id, addr(&bad), 0), Some(Errno::EINVAL));
    }
    ensure_eq!(call(Sysno::timer_gettime, &[id, 8]).err(), Some(Errno::EFAULT));
    ensure_eq!(
        call(Sysno::timer_gettime, &[nothing, 8]).err(),
        Some(Errno::EINVAL)
    );
    for wrong in [nothing, u64::MAX] {
        ensure_eq!(call(Sysno::timer_getoverrun, &[wrong]).err(), Some(Errno::EINVAL));
        ensure_eq!(call(Sysno::timer_delete, &[wrong]).err(), Some(Errno::EINVAL));
    }
    call(Sysno::timer_delete, &[id])?;
    ensure_eq!(call(Sysno::timer_delete, &[id]).err(), Some(Errno::EINVAL));
    Ok(())
}

fn deleted_timers_take_their_signals_along() -> Outcome {
    signal::set_mask(set_of(&[RT]));
    let id = create(MONOTONIC, SIGEV_SIGNAL, 0)?;
    set(id, 0, setting(0, MS))?;
    time::sleep_ms(10);
    call(Sysno::timer_delete, &[id])?;
    ensure_eq!(take(0).err(), Some(Errno::EAGAIN));
    Ok(())
}

fn timers_are_not_inherited() -> Outcome {
    let id = create(MONOTONIC, SIGEV_SIGNAL, 0)?;
    set(id, 0, setting(0, 1_000_000 * MS))?;
    let status = in_child(|| {
        let gone = get(id) == Err(Errno::EINVAL);
        let first = create(MONOTONIC, SIGEV_SIGNAL, 0) == Ok(0);
        i32::from(!gone) + 2 * i32::from(!first)
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn timers_end_at_exec() -> Outcome {
    let status = in_child(|| {
        signal::set_mask(set_of(&[RT]));
        let id = create(MONOTONIC, SIGEV_SIGNAL, 0).unwrap_or(99);
        let _ = set(id, 0, setting(10 * MS, 30 * MS));
        let words = [b"conformance".to_vec(), b"--helper".to_vec(), b"timer".to_vec()];
        let _ = process::execute(&program(), &words, &[]);
        99
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

/// What the program does in [`timers_end_at_exec`]: it tells whether it hears of the timer of the one before.
pub(crate) fn await_signal_of_timer() -> i32 {
    i32::from(take(100) != Err(Errno::EAGAIN))
}

fn timers_count_as_queued_signals() -> Outcome {
    const RLIMIT_SIGPENDING: u64 = 11;
    const USER: u64 = 54_322;
    if call(Sysno::setuid, &[USER]).is_err() {
        return Err(Failure::Skip("only root can become another user"));
    }
    call(Sysno::setrlimit, &[RLIMIT_SIGPENDING, addr(&[2_u64, 2])])?;
    let first = create(MONOTONIC, SIGEV_SIGNAL, 0)?;
    create(MONOTONIC, SIGEV_NONE, 0)?;
    ensure_eq!(create(MONOTONIC, SIGEV_SIGNAL, 0).err(), Some(Errno::EAGAIN));
    call(Sysno::timer_delete, &[first])?;
    create(MONOTONIC, SIGEV_SIGNAL, 0)?;
    Ok(())
}

fn virtual_and_profiling_timers() -> Outcome {
    const VTALRM: u32 = 26;
    const PROF: u32 = 27;
    signal::set_mask(set_of(&[VTALRM, PROF]));
    for (which, number) in [(1, VTALRM), (2, PROF)] {
        let value = [0_i64, 10_000, 0, 20_000];
        let before = clock_ns(PROCESS_TIME)?;
        call(Sysno::setitimer, &[which, addr(&value), 0])?;
        let set = set_of(&[number]);
        let wait = |timeout: [i64; 2]| {
            call(
                Sysno::rt_sigtimedwait,
                &[addr(&set), 0, addr(&timeout), SET_BYTES],
            )
        };
        // As with the timers above.
        if wait([0, 40 * MS]) != Err(Errno::EAGAIN) {
            ensure!(clock_ns(PROCESS_TIME)? - before >= 19 * MS);
        }
        for _ in 0..2 {
            compute_until_pending(number)?;
            wait([0, 0])?;
        }
        let mut left = [0_i64; 4];
        call(Sysno::getitimer, &[which, addr_mut(&mut left)])?;
        ensure_eq!(left[..2], [0, 10_000]);
        call(Sysno::setitimer, &[which, addr(&[0_i64; 4]), 0])?;
    }
    Ok(())
}

fn interval_timers_are_read() -> Outcome {
    signal::set_mask(set_of(&[SIGALRM]));
    call(Sysno::setitimer, &[0, addr(&[3_i64, 7, 100, 0]), 0])?;
    let mut left = [0_i64; 4];
    call(Sysno::getitimer, &[0, addr_mut(&mut left)])?;
    ensure!(left[..2] == [3, 7] && left[2] >= 90 && left[2] <= 100, "{left:?}");
    ensure_eq!(call(Sysno::getitimer, &[3, 8]).err(), Some(Errno::EINVAL));
    ensure_eq!(call(Sysno::getitimer, &[0, 8]).err(), Some(Errno::EFAULT));
    Ok(())
}

/// The number of a clock of a process's processor time.
fn interval_timer(interval: [i64; 2], value: [i64; 2]) -> Result<u64, Errno> {
    call(Sysno::setitimer, &[0, addr(&[interval, value]), 0])
}

fn the_longest_interval_is_long() -> Outcome {
    let status = in_child(|| {
        signal::catch(SIGALRM);
        let set = interval_timer([i64::MAX, 0], [0, 20_000]);
        time::sleep_ms(60);
        let mut left = [[0_i64; 2]; 2];
        let read = call(Sysno::getitimer, &[0, addr_mut(&mut left)]);
        let is_right = set.is_ok() && read.is_ok() && signal::take(SIGALRM) && left[1][0] > 1 << 32;
        i32::from(!is_right)
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn the_real_timer_rests_until_its_signal_is_taken() -> Outcome {
    let status = in_child(|| {
        let blocked = SigSet::EMPTY.with(Signal::ALRM);
        signal::set_mask(blocked);
        signal::catch(SIGALRM);
        let set = interval_timer([1000, 0], [0, 10_000]);
        time::sleep_ms(50);
        let mut left = [[0_i64; 2]; 2];
        let read = call(Sysno::getitimer, &[0, addr_mut(&mut left)]);
        let rests = left == [[1000, 0], [0, 0]];
        signal::set_mask(SigSet::EMPTY);
        let again = call(Sysno::getitimer, &[0, addr_mut(&mut left)]);
        let goes_on = signal::take(SIGALRM) && left[1][0] > 900;
        i32::from(!(set.is_ok() && read.is_ok() && again.is_ok() && rests && goes_on))
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}
