//! Interrupted calls: which start again, which return EINTR, and that stopping disturbs nothing.

use core::sync::atomic::{AtomicI64, Ordering};

use los_abi::errno::Errno;
use los_abi::futex::FUTEX_WAIT;
use los_abi::signal::{SIGCONT, SIGSTOP, SIGUSR1, SaFlags, SigSet};
use los_abi::syscall::Sysno;
use los_abi::task::{WaitFlags, WaitStatus};
use rt::{io, process, signal};

use crate::cases::ended;
use crate::clock::clock_ns;
use crate::handler::{SET_BYTES, install, set_of};
use crate::harness::{Failure, Outcome, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::thread::{publish, shared_page, wait_until_changed};
use crate::worker::await_sleep_of;
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

/// Has a handler run in the middle of a call, and returns the call's result. Something is done once the caller waits
/// again: in the same call, or behind it.
fn interrupted_until(
    flags: SaFlags,
    blocking: impl FnOnce() -> Result<u64, Errno>,
    finish: impl FnOnce() -> Result<(), Errno>,
) -> Result<Result<u64, Errno>, Failure> {
    install(SIGUSR1, flags, SigSet::EMPTY, |_, _, _| {})?;
    let me = process::id();
    let sender = spawn(|| {
        let is_sent = await_sleep_of(me).is_ok() && process::kill(me, SIGUSR1).is_ok();
        i32::from(!(is_sent && await_sleep_of(me).is_ok() && finish().is_ok()))
    })?;
    let result = blocking();
    ensure_eq!(ended(wait_for(sender)?), 0);
    Ok(result)
}

fn interrupted(
    flags: SaFlags,
    blocking: impl FnOnce() -> Result<u64, Errno>,
) -> Result<Result<u64, Errno>, Failure> {
    interrupted_until(flags, blocking, || Ok(()))
}

fn reads_restart_if_the_handler_wants_it() -> Outcome {
    for (flags, expected) in [(SaFlags::RESTART, Ok(1)), (SaFlags::empty(), Err(Errno::EINTR))] {
        let (reader, writer) = process::pipe()?;
        let mut byte = [0_u8];
        let result = interrupted_until(
            flags,
            || call(Sysno::read, &[reader.descriptor() as u64, addr_mut(&mut byte), 1]),
            || io::write(writer.descriptor(), b"x").map(drop),
        )?;
        ensure_eq!(result, expected);
    }
    Ok(())
}

fn waits_restart_if_the_handler_wants_it() -> Outcome {
    for flags in [SaFlags::RESTART, SaFlags::empty()] {
        let page = shared_page()?;
        let late = spawn(|| {
            wait_until_changed(page, 0);
            7
        })?;
        let mut status = 0_i32;
        let result = interrupted_until(
            flags,
            || call(Sysno::wait4, &[late as u64, addr_mut(&mut status), 0, 0]),
            || {
                publish(page, 1);
                Ok(())
            },
        )?;
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
    let long = [5000_i64, 0];
    let eintr = Err(Errno::EINTR);
    let restart = SaFlags::RESTART;
    let mut rest = [0_i64; 2];
    let at = addr_mut(&mut rest);
    ensure_eq!(
        interrupted(restart, || call(Sysno::nanosleep, &[addr(&long), at]))?,
        eintr
    );
    ensure!((4900..5000).contains(&rest[0]), "{rest:?} left");
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
            rt::time::sleep_ms(2);
        }
        0
    })?;
    call(Sysno::nanosleep, &[addr(&[0_i64, 30 * MS]), 0])?;
    ensure_eq!(ended(wait_for(sender)?), 0);
    Ok(())
}

/// Stops and continues a child three times while it sleeps; returns how it ended if it did before that.
fn stop_three_times(child: i32) -> Result<Option<i32>, Failure> {
    const WUNTRACED: WaitFlags = WaitFlags::UNTRACED;
    for _ in 0..3 {
        await_sleep_of(child)?;
        process::kill(child, SIGSTOP)?;
        let (_, status) = process::wait(child, WUNTRACED)?.ok_or(Errno::ECHILD)?;
        match status {
            WaitStatus::Stopped(signal) => ensure_eq!(signal, SIGSTOP),
            status => return Ok(Some(ended(status))),
        }
        process::kill(child, SIGCONT)?;
    }
    Ok(None)
}
fn now_ns(clock: u64) -> i64 {
    clock_ns(clock).unwrap_or(0)
}

/// A child that sleeps and is stopped meanwhile.
struct Stopped<B, F> {
    /// What the child does with so much time to take; it returns 0 when all was as it should be.
    blocking: B,
    /// What is done when it sleeps first.
    start: fn(i32) -> Result<(), Errno>,
    /// What is done after the last stop.
    finish: F,
}

impl<B: Fn(i64) -> i32, F: Fn(i32) -> Result<(), Errno>> Stopped<B, F> {
    /// Checks that the child finds all as it should be. It gets more time where it was over before the last stop.
    fn check(&self) -> Outcome {
        for time_ns in [150 * MS, 1500 * MS, 15_000 * MS] {
            let child = spawn(|| (self.blocking)(time_ns))?;
            await_sleep_of(child)?;
            (self.start)(child)?;
            let status = match stop_three_times(child)? {
                Some(0) => continue,
                Some(status) => status,
                None => {
                    (self.finish)(child)?;
                    ended(wait_for(child)?)
                }
            };
            ensure_eq!(status, 0);
            return Ok(());
        }
        Err(Failure::Wrong("it is always over before the last stop".into()))
    }
}

/// Checks a call that ends after its time.
fn check_stopped(blocking: impl Fn(i64) -> i32) -> Outcome {
    let stopped = Stopped {
        blocking,
        start: |_| Ok(()),
        finish: |_| Ok(()),
    };
    stopped.check()
}

/// Checks a call that ends by what is done after the last stop.
fn check_stopped_until(blocking: impl Fn() -> i32, finish: impl Fn(i32) -> Result<(), Errno>) -> Outcome {
    let stopped = Stopped {
        blocking: |_| blocking(),
        start: |_| Ok(()),
        finish,
    };
    stopped.check()
}

/// Reports by its status whether a call took its time and had this result.
fn takes_its_time(
    time_ns: i64,
    expected: Result<u64, Errno>,
    call: impl FnOnce() -> Result<u64, Errno>,
) -> i32 {
    let before = now_ns(1);
    let result = call();
    let is_long = now_ns(1) - before >= time_ns;
    i32::from(result != expected) + 2 * i32::from(!is_long)
}

fn time(time_ns: i64) -> [i64; 2] {
    [time_ns / 1_000_000_000, time_ns % 1_000_000_000]
}

fn stopping_does_not_end_a_sleep() -> Outcome {
    check_stopped(|time_ns| {
        takes_its_time(time_ns, Ok(0), || {
            call(Sysno::nanosleep, &[addr(&time(time_ns)), 0])
        })
    })
}

fn stopping_does_not_end_an_absolute_sleep() -> Outcome {
    for clock in [0, 1] {
        check_stopped(|time_ns| {
            let point = time(now_ns(clock) + time_ns);
            // The clock may have been read a moment before the other one.
            takes_its_time(time_ns - MS, Ok(0), || {
                call(Sysno::clock_nanosleep, &[clock, 1, addr(&point), 0])
            })
        })?;
    }
    Ok(())
}

fn stopping_does_not_end_a_poll() -> Outcome {
    check_stopped(|time_ns| {
        let mut timeout = time(time_ns);
        takes_its_time(time_ns, Ok(0), || {
            call(Sysno::ppoll, &[0, 0, addr_mut(&mut timeout), 0, 0])
        })
    })
}

/// Linux goes on with the time that is left, which it stores; where it cannot, the call ends.
fn a_poll_whose_rest_cannot_be_told_ends() -> Outcome {
    static CONSTANT: [i64; 2] = [5000, 0];
    let page = shared_page()?;
    check_stopped_until(
        || {
            let result = call(Sysno::ppoll, &[0, 0, addr(&CONSTANT), 0, 0]);
            wait_until_changed(page, 0);
            i32::from(result != Err(Errno::EINTR))
        },
        |_| {
            publish(page, 1);
            Ok(())
        },
    )
}

fn stopping_does_not_end_a_futex_wait() -> Outcome {
    check_stopped(|time_ns| {
        let (word, timeout) = (5_u32, time(time_ns));
        takes_its_time(time_ns, Err(Errno::ETIMEDOUT), || {
            call(
                Sysno::futex,
                &[addr(&word), FUTEX_WAIT.into(), 5, addr(&timeout), 0, 0],
            )
        })
    })
}

fn stopping_does_not_end_a_read() -> Outcome {
    let (reader, writer) = process::pipe()?;
    check_stopped_until(
        || i32::from(io::read(reader.descriptor(), &mut [0]) != Ok(1)),
        |_| io::write(writer.descriptor(), b"x").map(drop),
    )
}

fn stopping_does_not_end_a_suspension() -> Outcome {
    check_stopped_until(
        || {
            signal::set_mask(set_of(&[SIGUSR1]));
            if install(SIGUSR1, SaFlags::empty(), SigSet::EMPTY, |_, _, _| {}).is_err() {
                return 9;
            }
            let result = call(Sysno::rt_sigsuspend, &[addr(&SigSet::EMPTY), SET_BYTES]);
            i32::from(result != Err(Errno::EINTR))
        },
        |child| process::kill(child, SIGUSR1),
    )
}

fn stopping_ends_a_wait_for_signals() -> Outcome {
    let page = shared_page()?;
    // As signal(7) says, this call returns EINTR even so.
    check_stopped_until(
        || {
            let (set, timeout) = (set_of(&[40]), [5000_i64, 0]);
            let result = call(
                Sysno::rt_sigtimedwait,
                &[addr(&set), 0, addr(&timeout), SET_BYTES],
            );
            // To be there for the other stops.
            wait_until_changed(page, 0);
            i32::from(result != Err(Errno::EINTR))
        },
        |_| {
            publish(page, 1);
            Ok(())
        },
    )
}

static HANDLER_NS: AtomicI64 = AtomicI64::new(0);

fn sleeps_in_handlers_do_not_disturb() -> Outcome {
    // The handler's own sleep is stopped and goes on; the interrupted one returns EINTR.
    let stopped = Stopped {
        blocking: |time_ns| {
            HANDLER_NS.store(time_ns, Ordering::Relaxed);
            let ready = install(SIGUSR1, SaFlags::RESTART, SigSet::EMPTY, |_, _, _| {
                let time = time(HANDLER_NS.load(Ordering::Relaxed));
                let _ = call(Sysno::nanosleep, &[addr(&time), 0]);
            });
            if ready.is_err() {
                return 9;
            }
            takes_its_time(time_ns, Err(Errno::EINTR), || {
                call(Sysno::nanosleep, &[addr(&[5000_i64, 0]), 0])
            })
        },
        start: |child| process::kill(child, SIGUSR1),
        finish: |_| Ok(()),
    };
    stopped.check()
}
