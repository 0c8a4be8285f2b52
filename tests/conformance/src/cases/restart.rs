//! Interrupted calls: which start again, which return EINTR, and that stopping disturbs nothing.

use los_abi::errno::Errno;
use los_abi::futex::FUTEX_WAIT;
use los_abi::signal::{SIGCONT, SIGSTOP, SIGUSR1, SaFlags, SigSet};
use los_abi::syscall::Sysno;
use rt::{io, process, signal, time};

use crate::cases::ended;
use crate::handler::{SET_BYTES, install, set_of};
use crate::harness::{Failure, Outcome, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    reads_restart_if_the_handler_wants_it,
    waits_restart_if_the_handler_wants_it,
    sleeps_never_restart_after_a_handler,
    ignored_signals_do_not_interrupt,
    stopping_does_not_end_a_sleep,
    stopping_does_not_end_an_absolute_sleep,
    stopping_does_not_end_a_poll,
    a_poll_whose_rest_cannot_be_told_ends,
    stopping_does_not_end_a_futex_wait,
    stopping_does_not_end_a_read,
    stopping_does_not_end_a_suspension,
    stopping_ends_a_wait_for_signals,
    sleeps_in_handlers_do_not_disturb,
];

const MS: i64 = 1_000_000;

/// Has a handler run in the middle of a call, and returns the call's result.
fn interrupted(
    flags: SaFlags,
    blocking: impl FnOnce() -> Result<u64, Errno>,
) -> Result<Result<u64, Errno>, Failure> {
    install(SIGUSR1, flags, SigSet::EMPTY, |_, _, _| {})?;
    let me = process::id();
    let sender = spawn(|| {
        time::sleep_ms(20);
        i32::from(process::kill(me, SIGUSR1).is_err())
    })?;
    let result = blocking();
    wait_for(sender)?;
    Ok(result)
}

fn reads_restart_if_the_handler_wants_it() -> Outcome {
    for (flags, expected) in [(SaFlags::RESTART, Ok(1)), (SaFlags::empty(), Err(Errno::EINTR))] {
        let (reader, writer) = process::pipe()?;
        let late = spawn(|| {
            time::sleep_ms(60);
            i32::from(io::write(writer.descriptor(), b"x").is_err())
        })?;
        let mut byte = [0_u8];
        let result = interrupted(flags, || {
            call(Sysno::read, &[reader.descriptor() as u64, addr_mut(&mut byte), 1])
        })?;
        ensure_eq!(result, expected);
        ensure_eq!(ended(wait_for(late)?), 0);
    }
    Ok(())
}

fn waits_restart_if_the_handler_wants_it() -> Outcome {
    for flags in [SaFlags::RESTART, SaFlags::empty()] {
        let late = spawn(|| {
            time::sleep_ms(60);
            7
        })?;
        let mut status = 0_i32;
        let result = interrupted(flags, || {
            call(Sysno::wait4, &[late as u64, addr_mut(&mut status), 0, 0])
        })?;
        if flags.is_empty() {
            ensure_eq!(result, Err(Errno::EINTR));
            wait_for(late)?;
        } else {
            ensure_eq!((result, status), (Ok(late as u64), 0x700));
        }
    }
    Ok(())
}

fn sleeps_never_restart_after_a_handler() -> Outcome {
    let long = [5_i64, 0];
    let eintr = Err(Errno::EINTR);
    let restart = SaFlags::RESTART;
    let mut rest = [0_i64; 2];
    let at = addr_mut(&mut rest);
    ensure_eq!(
        interrupted(restart, || call(Sysno::nanosleep, &[addr(&long), at]))?,
        eintr
    );
    ensure!(rest[0] == 4, "{rest:?} left");
    ensure_eq!(
        interrupted(restart, || call(Sysno::clock_nanosleep, &[1, 0, addr(&long), 0]))?,
        eintr
    );
    let far = [1_i64 << 40, 0];
    // An absolute sleep stores nothing.
    rest = [-1, -1];
    ensure_eq!(
        interrupted(restart, || call(Sysno::clock_nanosleep, &[1, 1, addr(&far), at]))?,
        eintr
    );
    ensure_eq!(rest, [-1, -1]);
    ensure_eq!(
        interrupted(restart, || call(Sysno::ppoll, &[0, 0, addr(&long), 0, 0]))?,
        eintr
    );
    ensure_eq!(
        interrupted(restart, || call(
            Sysno::rt_sigsuspend,
            &[addr(&SigSet::EMPTY), SET_BYTES]
        ))?,
        eintr
    );
    let set = set_of(&[40]);
    ensure_eq!(
        interrupted(restart, || {
            call(Sysno::rt_sigtimedwait, &[addr(&set), 0, addr(&long), SET_BYTES])
        })?,
        eintr
    );
    let word = 5_u32;
    let wait = |timeout: u64| call(Sysno::futex, &[addr(&word), FUTEX_WAIT.into(), 5, timeout, 0, 0]);
    ensure_eq!(interrupted(restart, || wait(addr(&long)))?, eintr);
    ensure_eq!(interrupted(SaFlags::empty(), || wait(0))?, eintr);
    Ok(())
}

fn ignored_signals_do_not_interrupt() -> Outcome {
    signal::ignore(SIGUSR1);
    let me = process::id();
    let sender = spawn(|| {
        for _ in 0..5 {
            let _ = process::kill(me, SIGUSR1);
            time::sleep_ms(2);
        }
        0
    })?;
    call(Sysno::nanosleep, &[addr(&[0_i64, 30 * MS]), 0])?;
    ensure_eq!(ended(wait_for(sender)?), 0);
    Ok(())
}

/// Runs a call in a child that is stopped and continued meanwhile; returns what `judge` makes of the result.
fn stopped(blocking: impl FnOnce() -> i32) -> Result<i32, Failure> {
    const WUNTRACED: u64 = 2;
    let child = spawn(blocking)?;
    let mut status = 0_i32;
    time::sleep_ms(20);
    for _ in 0..3 {
        process::kill(child, SIGSTOP)?;
        call(Sysno::wait4, &[child as u64, addr_mut(&mut status), WUNTRACED, 0])?;
        ensure_eq!(status, 0x137f);
        time::sleep_ms(5);
        process::kill(child, SIGCONT)?;
        time::sleep_ms(5);
    }
    Ok(ended(wait_for(child)?))
}

fn clock_ns(clock: u64) -> i64 {
    let mut time = [0_i64; 2];
    let _ = call(Sysno::clock_gettime, &[clock, addr_mut(&mut time)]);
    time[0] * 1_000_000_000 + time[1]
}

/// Reports by its status whether a call took at least 150 ms and had this result.
fn takes_its_time(expected: Result<u64, Errno>, call: impl FnOnce() -> Result<u64, Errno>) -> i32 {
    let before = clock_ns(1);
    let result = call();
    let is_long = clock_ns(1) - before >= 150 * MS;
    i32::from(result != expected) + 2 * i32::from(!is_long)
}

fn stopping_does_not_end_a_sleep() -> Outcome {
    let status =
        stopped(|| takes_its_time(Ok(0), || call(Sysno::nanosleep, &[addr(&[0_i64, 150 * MS]), 0])))?;
    ensure_eq!(status, 0);
    Ok(())
}

fn stopping_does_not_end_an_absolute_sleep() -> Outcome {
    for clock in [0, 1] {
        let status = stopped(|| {
            let until = clock_ns(clock) + 150 * MS;
            let point = [until / 1_000_000_000, until % 1_000_000_000];
            takes_its_time(Ok(0), || {
                call(Sysno::clock_nanosleep, &[clock, 1, addr(&point), 0])
            })
        })?;
        ensure_eq!(status, 0);
    }
    Ok(())
}

fn stopping_does_not_end_a_poll() -> Outcome {
    let status = stopped(|| {
        let mut timeout = [0_i64, 150 * MS];
        takes_its_time(Ok(0), || {
            call(Sysno::ppoll, &[0, 0, addr_mut(&mut timeout), 0, 0])
        })
    })?;
    ensure_eq!(status, 0);
    Ok(())
}

/// Linux goes on with the time that is left, which it stores; where it cannot, the call ends.
fn a_poll_whose_rest_cannot_be_told_ends() -> Outcome {
    static CONSTANT: [i64; 2] = [0, 150 * MS];
    let status = stopped(|| {
        let result = call(Sysno::ppoll, &[0, 0, addr(&CONSTANT), 0, 0]);
        time::sleep_ms(150);
        i32::from(result != Err(Errno::EINTR))
    })?;
    ensure_eq!(status, 0);
    Ok(())
}

fn stopping_does_not_end_a_futex_wait() -> Outcome {
    let status = stopped(|| {
        let word = 5_u32;
        takes_its_time(Err(Errno::ETIMEDOUT), || {
            let timeout = [0_i64, 150 * MS];
            call(
                Sysno::futex,
                &[addr(&word), FUTEX_WAIT.into(), 5, addr(&timeout), 0, 0],
            )
        })
    })?;
    ensure_eq!(status, 0);
    Ok(())
}

fn stopping_does_not_end_a_read() -> Outcome {
    let (reader, writer) = process::pipe()?;
    let late = spawn(|| {
        time::sleep_ms(150);
        i32::from(io::write(writer.descriptor(), b"x").is_err())
    })?;
    let status = stopped(|| {
        let mut byte = [0_u8];
        i32::from(io::read(reader.descriptor(), &mut byte) != Ok(1))
    })?;
    ensure_eq!(status, 0);
    ensure_eq!(ended(wait_for(late)?), 0);
    Ok(())
}

fn stopping_does_not_end_a_suspension() -> Outcome {
    let status = stopped(|| {
        let me = process::id();
        signal::set_mask(set_of(&[SIGUSR1]));
        if install(SIGUSR1, SaFlags::empty(), SigSet::EMPTY, |_, _, _| {}).is_err() {
            return 9;
        }
        let sender = spawn(|| {
            time::sleep_ms(150);
            i32::from(process::kill(me, SIGUSR1).is_err())
        });
        let status = takes_its_time(Err(Errno::EINTR), || {
            call(Sysno::rt_sigsuspend, &[addr(&SigSet::EMPTY), SET_BYTES])
        });
        if sender.is_err() { 8 } else { status & 1 }
    })?;
    ensure_eq!(status, 0);
    Ok(())
}

fn stopping_ends_a_wait_for_signals() -> Outcome {
    // As signal(7) says, this call returns EINTR even so.
    let status = stopped(|| {
        let set = set_of(&[40]);
        let timeout = [5_i64, 0];
        let result = call(
            Sysno::rt_sigtimedwait,
            &[addr(&set), 0, addr(&timeout), SET_BYTES],
        );
        // To be there for the other stops.
        time::sleep_ms(150);
        i32::from(result != Err(Errno::EINTR))
    })?;
    ensure_eq!(status, 0);
    Ok(())
}

fn sleeps_in_handlers_do_not_disturb() -> Outcome {
    // The handler's own sleep is stopped and goes on; the interrupted one returns EINTR.
    let status = stopped(|| {
        let me = process::id();
        let ready = install(SIGUSR1, SaFlags::RESTART, SigSet::EMPTY, |_, _, _| {
            let _ = call(Sysno::nanosleep, &[addr(&[0_i64, 150 * MS]), 0]);
        });
        let sender = spawn(|| {
            time::sleep_ms(10);
            i32::from(process::kill(me, SIGUSR1).is_err())
        });
        if ready.is_err() || sender.is_err() {
            return 9;
        }
        takes_its_time(Err(Errno::EINTR), || {
            call(Sysno::nanosleep, &[addr(&[5_i64, 0]), 0])
        })
    })?;
    ensure_eq!(status, 0);
    Ok(())
}
