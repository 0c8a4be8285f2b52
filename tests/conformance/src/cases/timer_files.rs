//! Timers whose expiries are read from a file: timerfd_create(2).

use los_abi::errno::Errno;
use los_abi::isa::WireEpollEvent;
use los_abi::poll::{EPOLL_CTL_ADD, EPOLLET, PollEvents};
use los_abi::signal::SIGUSR1;
use los_abi::syscall::Sysno;
use los_abi::time::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM, CLOCK_TAI, TFD_IOC_SET_TICKS, TimerfdFlags, TimerfdSetFlags,
};
use rt::{process, time};

use crate::arch::EpollEvent;
use crate::cases::program;
use crate::clock::clock_ns;
use crate::descriptors::{is_readable, read_number, readiness, shows_fact, target};
use crate::harness::{Outcome, catch, in_child, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::worker::interrupt_sleep;
use crate::{cases, ensure, ensure_eq};

cases![
    expiries_are_counted,
    every_clock_runs,
    a_point_of_time,
    a_point_that_has_passed,
    settings_are_told,
    a_timer_is_stopped_and_set_anew,
    nonblocking_reads_fail,
    signals_interrupt_a_read,
    readiness_is_told,
    sets_of_files_hear_of_every_expiry,
    children_share_the_timer,
    timers_survive_exec,
    facts_are_shown,
    expiries_can_be_restored,
    argument_checks,
    waking_clocks_need_a_capability,
];

const MS: i64 = 1_000_000;

fn create(clock: i32) -> Result<u64, Errno> {
    create_with(clock, TimerfdFlags::empty())
}

fn create_with(clock: i32, flags: TimerfdFlags) -> Result<u64, Errno> {
    call(Sysno::timerfd_create, &[clock as u64, flags.bits().into()])
}

/// Sets a timer, in nanoseconds, and returns the old interval and value.
fn set_with(fd: u64, flags: TimerfdSetFlags, interval: i64, value: i64) -> Result<[i64; 4], Errno> {
    const SECOND: i64 = 1000 * MS;
    let new = [
        interval / SECOND,
        interval % SECOND,
        value / SECOND,
        value % SECOND,
    ];
    let mut old = [-1_i64; 4];
    call(
        Sysno::timerfd_settime,
        &[fd, flags.bits().into(), addr(&new), addr_mut(&mut old)],
    )?;
    Ok(old)
}

fn set(fd: u64, interval: i64, value: i64) -> Result<[i64; 4], Errno> {
    set_with(fd, TimerfdSetFlags::empty(), interval, value)
}

fn get(fd: u64) -> Result<[i64; 4], Errno> {
    let mut value = [-1_i64; 4];
    call(Sysno::timerfd_gettime, &[fd, addr_mut(&mut value)])?;
    Ok(value)
}

/// Reads a clock, or for one that wakes its like, since it can be read only where there is a device for it.
fn now(clock: i32) -> Result<i64, Errno> {
    let clock = match clock {
        CLOCK_REALTIME_ALARM => CLOCK_REALTIME,
        CLOCK_BOOTTIME_ALARM => CLOCK_BOOTTIME,
        _ => clock,
    };
    clock_ns(clock as u64)
}

fn expiries_are_counted() -> Outcome {
    let fd = create(CLOCK_MONOTONIC)?;
    set(fd, 0, MS)?;
    ensure_eq!(read_number(fd)?, 1);
    set(fd, MS, MS)?;
    time::sleep_ms(20);
    ensure!(read_number(fd)? >= 20);
    ensure!(read_number(fd)? >= 1);
    Ok(())
}

fn every_clock_runs() -> Outcome {
    for clock in [
        CLOCK_REALTIME,
        CLOCK_MONOTONIC,
        CLOCK_BOOTTIME,
        CLOCK_REALTIME_ALARM,
        CLOCK_BOOTTIME_ALARM,
    ] {
        let fd = create(clock)?;
        set(fd, 0, MS)?;
        ensure_eq!(read_number(fd)?, 1);
        let start = now(clock)?;
        set_with(fd, TimerfdSetFlags::ABSTIME, 0, start + 5 * MS)?;
        ensure_eq!(read_number(fd)?, 1);
        ensure!(now(clock)? >= start + 5 * MS);
    }
    Ok(())
}

fn a_point_of_time() -> Outcome {
    let fd = create(CLOCK_REALTIME)?;
    let flags = TimerfdSetFlags::ABSTIME | TimerfdSetFlags::CANCEL_ON_SET;
    let start = now(CLOCK_REALTIME)?;
    set_with(fd, flags, 0, start + 3 * MS)?;
    ensure_eq!(read_number(fd)?, 1);
    ensure!(now(CLOCK_REALTIME)? >= start + 3 * MS);
    Ok(())
}

fn a_point_that_has_passed() -> Outcome {
    let fd = create(CLOCK_MONOTONIC)?;
    let start = now(CLOCK_MONOTONIC)?;
    set_with(fd, TimerfdSetFlags::ABSTIME, MS, (start - 10 * MS).max(1))?;
    ensure!(read_number(fd)? >= 1);
    set_with(fd, TimerfdSetFlags::ABSTIME, 0, 1)?;
    ensure_eq!(read_number(fd)?, 1);
    ensure_eq!(get(fd)?, [0; 4]);
    Ok(())
}

fn settings_are_told() -> Outcome {
    let fd = create(CLOCK_MONOTONIC)?;
    ensure_eq!(get(fd)?, [0; 4]);
    ensure_eq!(set(fd, 7000 * MS, 3_600_000 * MS)?, [0; 4]);
    let [interval, interval_ns, value, _] = get(fd)?;
    ensure_eq!((interval, interval_ns), (7, 0));
    ensure!(value == 3599 || value == 3600);
    let [interval, _, value, _] = set(fd, 0, 0)?;
    ensure!(interval == 7 && value > 3000);
    ensure_eq!(get(fd)?, [0; 4]);
    // An interval without a value is kept and does nothing.
    set(fd, 5000 * MS, 0)?;
    ensure_eq!(get(fd)?, [5, 0, 0, 0]);
    // Asking a periodic timer counts what it missed.
    set(fd, 3_600_000 * MS, MS)?;
    ensure_eq!(readiness(fd, PollEvents::IN, 20_000)?, PollEvents::IN);
    ensure!(get(fd)?[2] >= 3590);
    ensure_eq!(read_number(fd)?, 1);
    Ok(())
}

fn a_timer_is_stopped_and_set_anew() -> Outcome {
    let fd = create_with(CLOCK_MONOTONIC, TimerfdFlags::NONBLOCK)?;
    set(fd, 0, MS)?;
    ensure_eq!(readiness(fd, PollEvents::IN, 20_000)?, PollEvents::IN);
    // The expiry is forgotten.
    set(fd, 0, 3_600_000 * MS)?;
    ensure!(!is_readable(fd)?);
    ensure_eq!(read_number(fd).err(), Some(Errno::EAGAIN));
    set(fd, 0, MS)?;
    set(fd, 0, 0)?;
    time::sleep_ms(5);
    ensure!(!is_readable(fd)?);
    Ok(())
}

fn nonblocking_reads_fail() -> Outcome {
    let fd = create_with(CLOCK_MONOTONIC, TimerfdFlags::NONBLOCK)?;
    ensure_eq!(read_number(fd).err(), Some(Errno::EAGAIN));
    set(fd, 0, MS)?;
    ensure_eq!(readiness(fd, PollEvents::IN, 20_000)?, PollEvents::IN);
    ensure_eq!(read_number(fd)?, 1);
    ensure_eq!(read_number(fd).err(), Some(Errno::EAGAIN));
    Ok(())
}

fn signals_interrupt_a_read() -> Outcome {
    let fd = create(CLOCK_MONOTONIC)?;
    catch(SIGUSR1);
    let child = interrupt_sleep(SIGUSR1)?;
    ensure_eq!(read_number(fd).err(), Some(Errno::EINTR));
    wait_for(child)?;
    Ok(())
}

fn readiness_is_told() -> Outcome {
    let fd = create(CLOCK_MONOTONIC)?;
    ensure_eq!(readiness(fd, PollEvents::all(), 0)?, PollEvents::empty());
    set(fd, 0, 10 * MS)?;
    ensure_eq!(readiness(fd, PollEvents::all(), 20_000)?, PollEvents::IN);
    let mut set = [0_u64; 16];
    set[fd as usize / 64] |= 1 << (fd % 64);
    let found = call(Sysno::pselect6, &[fd + 1, addr_mut(&mut set), 0, 0, 0, 0]);
    ensure_eq!(found, Ok(1));
    Ok(())
}

fn sets_of_files_hear_of_every_expiry() -> Outcome {
    let fd = create(CLOCK_MONOTONIC)?;
    let set_fd = call(Sysno::epoll_create1, &[0])?;
    let event = EpollEvent::new(u32::from(PollEvents::IN.bits()) | EPOLLET, 5);
    call(
        Sysno::epoll_ctl,
        &[set_fd, EPOLL_CTL_ADD.into(), fd, addr(&event)],
    )?;
    let mut found = EpollEvent::default();
    let mut wait = || {
        call(
            Sysno::epoll_pwait,
            &[set_fd, addr_mut(&mut found), 1, 20_000, 0, 8],
        )
    };
    // Not read in between: every setting is news.
    for _ in 0..3 {
        set(fd, 0, MS)?;
        ensure_eq!(wait()?, 1);
    }
    Ok(())
}

fn children_share_the_timer() -> Outcome {
    let fd = create(CLOCK_MONOTONIC)?;
    let status = in_child(|| i32::from(set(fd, 0, MS).is_err()))?;
    ensure_eq!(process::shell_status(status), 0);
    ensure_eq!(read_number(fd)?, 1);
    Ok(())
}

fn timers_survive_exec() -> Outcome {
    let fd = create(CLOCK_MONOTONIC)?;
    set(fd, 0, MS)?;
    let path = program();
    let status = in_child(|| {
        let number = alloc::format!("{fd}").into_bytes();
        let words = [path.clone(), b"--helper".to_vec(), b"read-timer".to_vec(), number];
        let _ = process::execute(&path, &words, &[]);
        99
    })?;
    ensure_eq!(process::shell_status(status), 1);
    Ok(())
}

/// Reads a timer that was inherited, and exits with what it gave.
pub(super) fn helper(number: &[u8]) -> i32 {
    let number = core::str::from_utf8(number)
        .ok()
        .and_then(|text| text.parse().ok());
    number
        .and_then(|fd| read_number(fd).ok())
        .map_or(98, |ticks| ticks as i32)
}

fn facts_are_shown() -> Outcome {
    let fd = create(CLOCK_BOOTTIME)?;
    ensure_eq!(target(fd)?, b"anon_inode:[timerfd]");
    for line in [
        "clockid: 7",
        "ticks: 0",
        "settime flags: 00",
        "it_value: (0, 0)",
        "it_interval: (0, 0)",
    ] {
        ensure!(shows_fact(fd, line)?, "{line}");
    }
    set_with(fd, TimerfdSetFlags::ABSTIME, 1500 * MS, 1)?;
    ensure_eq!(readiness(fd, PollEvents::IN, 20_000)?, PollEvents::IN);
    for line in [
        "ticks: 1",
        "settime flags: 01",
        "it_value: (0, 0)",
        "it_interval: (1, 500000000)",
    ] {
        ensure!(shows_fact(fd, line)?, "{line}");
    }
    Ok(())
}

fn expiries_can_be_restored() -> Outcome {
    let fd = create(CLOCK_MONOTONIC)?;
    let restore = |ticks: u64| call(Sysno::ioctl, &[fd, TFD_IOC_SET_TICKS.into(), addr(&ticks)]);
    ensure_eq!(restore(0).err(), Some(Errno::EINVAL));
    restore(12)?;
    ensure!(is_readable(fd)?);
    ensure_eq!(read_number(fd)?, 12);
    ensure_eq!(call(Sysno::ioctl, &[fd, 0x5401, 16]).err(), Some(Errno::ENOTTY));
    Ok(())
}

fn argument_checks() -> Outcome {
    for clock in [CLOCK_PROCESS_CPUTIME_ID, CLOCK_TAI, 99, -1] {
        ensure_eq!(create(clock).err(), Some(Errno::EINVAL));
    }
    let unknown = TimerfdFlags::from_bits_retain(1);
    ensure_eq!(create_with(CLOCK_MONOTONIC, unknown).err(), Some(Errno::EINVAL));
    let fd = create_with(CLOCK_MONOTONIC, TimerfdFlags::CLOEXEC)?;
    ensure_eq!(call(Sysno::fcntl, &[fd, 1, 0]), Ok(1));
    let unknown = TimerfdSetFlags::from_bits_retain(4);
    ensure_eq!(set_with(fd, unknown, 0, 0).err(), Some(Errno::EINVAL));
    ensure_eq!(set_with(999, unknown, 0, 0).err(), Some(Errno::EINVAL));
    ensure_eq!(set(999, 0, 0).err(), Some(Errno::EBADF));
    ensure_eq!(set(fd, 0, -1).err(), Some(Errno::EINVAL));
    let pipe = process::pipe()?;
    let other = pipe.0.descriptor() as u64;
    ensure_eq!(set(other, 0, 0).err(), Some(Errno::EINVAL));
    ensure_eq!(get(other).err(), Some(Errno::EINVAL));
    ensure_eq!(get(999).err(), Some(Errno::EBADF));
    ensure_eq!(call(Sysno::timerfd_gettime, &[fd, 16]).err(), Some(Errno::EFAULT));
    ensure_eq!(
        call(Sysno::timerfd_settime, &[999, 9, 16, 0]).err(),
        Some(Errno::EFAULT)
    );
    // The timer is set though the old setting cannot be stored.
    let hour = [0_i64, 0, 3600, 0];
    let lost = call(Sysno::timerfd_settime, &[fd, 0, addr(&hour), 16]);
    ensure_eq!(lost.err(), Some(Errno::EFAULT));
    ensure!(get(fd)?[2] >= 3590);
    ensure_eq!(call(Sysno::read, &[fd, 16, 7]).err(), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::write, &[fd, addr(&hour), 8]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn waking_clocks_need_a_capability() -> Outcome {
    let fd = create(CLOCK_BOOTTIME_ALARM)?;
    call(Sysno::setresuid, &[1000, 1000, 1000])?;
    ensure_eq!(create(CLOCK_REALTIME_ALARM).err(), Some(Errno::EPERM));
    ensure_eq!(set(fd, 0, MS).err(), Some(Errno::EPERM));
    ensure_eq!(get(fd)?, [0; 4]);
    create(CLOCK_REALTIME)?;
    Ok(())
}
