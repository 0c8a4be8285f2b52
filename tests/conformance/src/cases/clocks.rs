//! Clocks of processes and threads, sleeping by them, and setting clocks (clock_getcpuclockid(3),
//! clock_nanosleep(2), clock_settime(2)).

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;
use rt::{process, signal, time};

use crate::cases::ended;
use crate::clock::clock_ns;
use crate::harness::{Outcome, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    clocks_of_processes_and_threads,
    clocks_without_timers,
    sleeping_by_the_time_of_another_process,
    setting_clocks_is_checked,
];

pub(super) const MONOTONIC: u64 = 1;
pub(super) const PROCESS_TIME: u64 = 2;
pub(super) const THREAD_TIME: u64 = 3;
pub(super) const BOOT: u64 = 7;
pub(super) const MS: i64 = 1_000_000;

/// Returns the clock of a process or thread.
pub(super) fn dynamic(pid: i32, bits: i32) -> u64 {
    i64::from((!pid << 3) | bits).cast_unsigned()
}

fn clocks_of_processes_and_threads() -> Outcome {
    let me = process::id();
    for kind in 0..3 {
        for pid in [0, me] {
            ensure!(clock_ns(dynamic(pid, kind))? >= 0);
            ensure!(clock_ns(dynamic(pid, 4 | kind))? >= 0);
        }
    }
    ensure!(clock_ns(dynamic(me, 2))? >= clock_ns(PROCESS_TIME)? - 1000 * MS);
    let child = spawn(|| {
        time::sleep_ms(10_000);
        0
    })?;
    ensure!(clock_ns(dynamic(child, 2))? < 5_000 * MS);
    // A thread must be the caller's own.
    ensure_eq!(clock_ns(dynamic(child, 4 | 2)).err(), Some(Errno::EINVAL));
    process::kill(child, signal::SIGKILL)?;
    wait_for(child)?;
    for wrong in [dynamic(child, 2), dynamic(me, 3), dynamic(0x3f_ffff, 2)] {
        ensure_eq!(clock_ns(wrong).err(), Some(Errno::EINVAL));
    }
    Ok(())
}

fn clocks_without_timers() -> Outcome {
    let sleep = |clock: u64| call(Sysno::clock_nanosleep, &[clock, 0, addr(&[0_i64, 1]), 0]).err();
    for clock in [0, MONOTONIC, BOOT, 11] {
        ensure_eq!(sleep(clock), None);
    }
    for clock in [THREAD_TIME, 4, 5, 6] {
        ensure_eq!(sleep(clock), Some(Errno::EOPNOTSUPP));
    }
    for clock in [10, 12, dynamic(0, 4 | 2), dynamic(process::id(), 4 | 2)] {
        ensure_eq!(sleep(clock), Some(Errno::EINVAL));
    }
    let mut resolution = [9_i64; 2];
    for (clock, expected) in [(PROCESS_TIME, 1), (BOOT, 1), (5, 4 * MS)] {
        call(Sysno::clock_getres, &[clock, addr_mut(&mut resolution)])?;
        ensure!(
            resolution[1] == expected || clock == 5,
            "clock {clock}: {resolution:?}"
        );
    }
    Ok(())
}

fn sleeping_by_the_time_of_another_process() -> Outcome {
    let child = spawn(|| {
        loop {
            core::hint::black_box(0);
        }
    })?;
    let clock = dynamic(child, 2);
    let before = clock_ns(clock)?;
    call(Sysno::clock_nanosleep, &[clock, 0, addr(&[0_i64, 20 * MS]), 0])?;
    ensure!(clock_ns(clock)? - before >= 19 * MS);
    let until = clock_ns(clock)? + 10 * MS;
    let point = [until / 1_000_000_000, until % 1_000_000_000];
    call(Sysno::clock_nanosleep, &[clock, 1, addr(&point), 0])?;
    ensure!(clock_ns(clock)? >= until);
    process::kill(child, signal::SIGKILL)?;
    ensure_eq!(ended(wait_for(child)?), 137);
    Ok(())
}

fn setting_clocks_is_checked() -> Outcome {
    let set = |clock: u64, time: [i64; 2]| call(Sysno::clock_settime, &[clock, addr(&time)]).err();
    for clock in [MONOTONIC, PROCESS_TIME, THREAD_TIME, 5, BOOT, 11, 12] {
        ensure_eq!(set(clock, [1, 0]), Some(Errno::EINVAL));
    }
    ensure_eq!(set(dynamic(0, 2), [1, 0]), Some(Errno::EPERM));
    for bad in [[-1, 0], [0, -1], [1, 1_000_000_000], [i64::MAX, 0]] {
        ensure_eq!(set(0, bad), Some(Errno::EINVAL));
    }
    ensure_eq!(call(Sysno::clock_settime, &[0, 8]).err(), Some(Errno::EFAULT));
    let of_day = |time: [i64; 2]| call(Sysno::settimeofday, &[addr(&time), 0]).err();
    ensure_eq!(of_day([1, 1_000_000]), Some(Errno::EINVAL));
    ensure_eq!(of_day([1, -1]), Some(Errno::EINVAL));
    ensure_eq!(of_day([-1, 0]), Some(Errno::EINVAL));
    ensure_eq!(call(Sysno::settimeofday, &[8, 0]).err(), Some(Errno::EFAULT));
    if call(Sysno::setuid, &[54_321]).is_ok() {
        ensure_eq!(set(0, [1_000_000_000, 0]), Some(Errno::EPERM));
        ensure_eq!(of_day([1_000_000_000, 0]), Some(Errno::EPERM));
    }
    Ok(())
}
