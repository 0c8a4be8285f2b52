//! Signals: actions, masks, frames, restarting.

use los_abi::errno::Errno;
use los_abi::signal::{
    SIGCHLD, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSTOP, SIGTERM, SIGURG, SIGUSR1, SIGUSR2, SigSet, Signal,
};
use los_abi::syscall::Sysno;
use rt::{io, process, signal, time};

use crate::arch;
use crate::cases::ended;
use crate::harness::{Outcome, catch, in_child, spawn, wait_for};
use crate::raw::{addr, addr_mut, call, peek};
use crate::worker::interrupt_sleep;
use crate::{cases, ensure, ensure_eq};

cases![
    a_handler_runs_and_returns,
    registers_survive_a_handler,
    blocked_signals_wait,
    standard_signals_coalesce,
    suspend_waits_atomically,
    default_actions,
    ignored_signals_do_nothing,
    kill_argument_checks,
    action_argument_checks,
    child_death_is_signalled,
    interrupted_read_is_eintr,
    illegal_instruction,
    segmentation_fault_of_a_blocked_signal_kills,
    stop_and_continue,
    masks_are_inherited,
    tgkill_hits_the_thread,
    kill_to_a_group,
];

const SET_BYTES: u64 = 8;

fn raise(number: u32) -> Result<u64, Errno> {
    call(Sysno::kill, &[process::id() as u64, number.into()])
}

fn set_of(number: u32) -> SigSet {
    Signal::new(number).map_or(SigSet::EMPTY, |signal| SigSet::EMPTY.with(signal))
}

fn a_handler_runs_and_returns() -> Outcome {
    catch(SIGUSR1);
    for _ in 0..100 {
        raise(SIGUSR1)?;
        ensure!(signal::take(SIGUSR1));
    }
    Ok(())
}

fn registers_survive_a_handler() -> Outcome {
    catch(SIGUSR1);
    let pid = process::id();
    let killer = spawn(|| {
        for _ in 0..200 {
            let _ = process::kill(pid, SIGUSR1);
            time::sleep_ms(1);
        }
        0
    })?;
    // A computation whose result any lost register would change.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut rounds = 0_u64;
    while process::wait(killer, process::WaitFlags::NOHANG).is_ok_and(|ended| ended.is_none()) {
        let (mut a, mut b, mut c, mut d) = (hash, rounds, 3_u64, 4_u64);
        for step in 0..1000_u64 {
            a = a.rotate_left(5) ^ b;
            b = b.wrapping_add(c ^ step);
            c = c.wrapping_mul(31).wrapping_add(d);
            d ^= a >> 7;
        }
        let (mut w, mut x, mut y, mut z) = (hash, rounds, 3_u64, 4_u64);
        for step in 0..1000_u64 {
            w = w.rotate_left(5) ^ x;
            x = x.wrapping_add(y ^ step);
            y = y.wrapping_mul(31).wrapping_add(z);
            z ^= w >> 7;
        }
        ensure_eq!(
            core::hint::black_box((a, b, c, d)),
            core::hint::black_box((w, x, y, z))
        );
        hash = a;
        rounds += 1;
    }
    ensure!(signal::take(SIGUSR1));
    Ok(())
}

fn blocked_signals_wait() -> Outcome {
    catch(SIGUSR1);
    let old = signal::set_mask(set_of(SIGUSR1));
    raise(SIGUSR1)?;
    ensure!(!signal::has_arrived(SIGUSR1));
    let mut pending = SigSet::EMPTY;
    call(Sysno::rt_sigpending, &[addr_mut(&mut pending), SET_BYTES])?;
    ensure_eq!(pending, set_of(SIGUSR1));
    signal::set_mask(old);
    ensure!(signal::take(SIGUSR1));
    Ok(())
}

fn standard_signals_coalesce() -> Outcome {
    signal::set_mask(set_of(SIGUSR1));
    catch(SIGUSR1);
    for _ in 0..5 {
        raise(SIGUSR1)?;
    }
    signal::set_mask(SigSet::EMPTY);
    ensure!(signal::take(SIGUSR1));
    signal::set_mask(SigSet::EMPTY);
    ensure!(!signal::take(SIGUSR1));
    Ok(())
}

fn suspend_waits_atomically() -> Outcome {
    catch(SIGUSR1);
    signal::set_mask(set_of(SIGUSR1));
    let pid = process::id();
    let child = spawn(|| {
        time::sleep_ms(10);
        i32::from(process::kill(pid, SIGUSR1).is_err())
    })?;
    ensure_eq!(
        call(Sysno::rt_sigsuspend, &[addr(&SigSet::EMPTY), SET_BYTES]).err(),
        Some(Errno::EINTR)
    );
    ensure!(signal::take(SIGUSR1));
    ensure_eq!(signal::set_mask(SigSet::EMPTY), set_of(SIGUSR1));
    ensure_eq!(ended(wait_for(child)?), 0);
    Ok(())
}

fn default_actions() -> Outcome {
    for (number, status) in [(SIGTERM, 143), (SIGUSR2, 140), (SIGCHLD, 0), (SIGURG, 0)] {
        let ended_with = ended(in_child(|| raise(number).map_or(99, |_| 0))?);
        ensure_eq!((number, ended_with), (number, status));
    }
    Ok(())
}

fn ignored_signals_do_nothing() -> Outcome {
    signal::ignore(SIGTERM);
    raise(SIGTERM)?;
    Ok(())
}

fn kill_argument_checks() -> Outcome {
    let me = process::id() as u64;
    ensure_eq!(call(Sysno::kill, &[me, 65]).err(), Some(Errno::EINVAL));
    ensure_eq!(call(Sysno::kill, &[me, u64::MAX]).err(), Some(Errno::EINVAL));
    ensure_eq!(call(Sysno::kill, &[0x3fff_ffff, 0]).err(), Some(Errno::ESRCH));
    ensure_eq!(call(Sysno::kill, &[me, 0])?, 0);
    Ok(())
}

fn action_argument_checks() -> Outcome {
    let action = [0_u64; 4];
    let set =
        |number: u32, size: u64| call(Sysno::rt_sigaction, &[number.into(), addr(&action), 0, size]).err();
    ensure_eq!(set(SIGKILL, 8), Some(Errno::EINVAL));
    ensure_eq!(set(SIGSTOP, 8), Some(Errno::EINVAL));
    ensure_eq!(set(0, 8), Some(Errno::EINVAL));
    ensure_eq!(set(65, 8), Some(Errno::EINVAL));
    ensure_eq!(set(SIGUSR1, 16), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::rt_sigaction, &[SIGUSR1.into(), 8, 0, 8]).err(),
        Some(Errno::EFAULT)
    );
    ensure_eq!(
        call(Sysno::rt_sigprocmask, &[9, addr(&SigSet::ALL), 0, 8]).err(),
        Some(Errno::EINVAL)
    );
    // SIGKILL and SIGSTOP cannot be blocked.
    signal::set_mask(SigSet::ALL);
    let mask = signal::set_mask(SigSet::EMPTY);
    ensure_eq!(mask, SigSet::ALL.difference(SigSet::UNSTOPPABLE));
    Ok(())
}

fn child_death_is_signalled() -> Outcome {
    catch(SIGCHLD);
    let pid = spawn(|| 0)?;
    while !signal::take(SIGCHLD) {
        time::sleep_ms(1);
    }
    ensure_eq!(ended(wait_for(pid)?), 0);
    Ok(())
}

fn interrupted_read_is_eintr() -> Outcome {
    catch(SIGUSR1);
    let (reader, _writer) = process::pipe()?;
    let child = interrupt_sleep(SIGUSR1)?;
    let mut byte = [0_u8];
    let result = call(Sysno::read, &[reader.descriptor() as u64, addr_mut(&mut byte), 1]);
    ensure_eq!(result.err(), Some(Errno::EINTR));
    ensure_eq!(ended(wait_for(child)?), 0);
    Ok(())
}

fn illegal_instruction() -> Outcome {
    let status = in_child(|| {
        arch::illegal();
        0
    })?;
    ensure_eq!(ended(status), 128 + SIGILL as i32);
    let status = in_child(|| raise(SIGFPE).map_or(1, |_| 0))?;
    ensure_eq!(ended(status), 128 + SIGFPE as i32);
    Ok(())
}

fn segmentation_fault_of_a_blocked_signal_kills() -> Outcome {
    let status = in_child(|| {
        signal::set_mask(SigSet::ALL);
        signal::ignore(SIGSEGV);
        peek::<u8>(core::hint::black_box(16)).into()
    })?;
    ensure_eq!(ended(status), 128 + SIGSEGV as i32);
    Ok(())
}

fn stop_and_continue() -> Outcome {
    const WUNTRACED: u64 = 2;
    const WCONTINUED: u64 = 8;
    let pid = spawn(|| {
        loop {
            time::sleep_ms(1000);
        }
    })?;
    let mut status = 0_i32;
    process::kill(pid, SIGSTOP)?;
    call(Sysno::wait4, &[pid as u64, addr_mut(&mut status), WUNTRACED, 0])?;
    ensure_eq!(status, 0x137f);
    process::kill(pid, signal::SIGCONT)?;
    call(Sysno::wait4, &[pid as u64, addr_mut(&mut status), WCONTINUED, 0])?;
    ensure_eq!(status, 0xffff);
    process::kill(pid, SIGKILL)?;
    ensure_eq!(ended(wait_for(pid)?), 137);
    Ok(())
}

fn masks_are_inherited() -> Outcome {
    signal::set_mask(set_of(SIGUSR1));
    let status = in_child(|| i32::from(signal::set_mask(SigSet::EMPTY) != set_of(SIGUSR1)))?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

fn tgkill_hits_the_thread() -> Outcome {
    catch(SIGUSR2);
    let me = process::id() as u64;
    let thread = call(Sysno::gettid, &[])?;
    call(Sysno::tgkill, &[me, thread, SIGUSR2.into()])?;
    ensure!(signal::take(SIGUSR2));
    ensure_eq!(
        call(Sysno::tgkill, &[1, thread, SIGUSR2.into()]).err(),
        Some(Errno::ESRCH)
    );
    ensure_eq!(
        call(Sysno::tgkill, &[0, thread, SIGUSR2.into()]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn kill_to_a_group() -> Outcome {
    let (reader, writer) = process::pipe()?;
    let leader = spawn(|| {
        let _ = process::set_group(0, 0);
        for _ in 0..3 {
            let member = spawn(|| {
                loop {
                    time::sleep_ms(1000);
                }
            });
            if member.is_err() {
                return 1;
            }
        }
        let _ = io::write(writer.descriptor(), b"x");
        loop {
            time::sleep_ms(1000);
        }
    })?;
    io::read(reader.descriptor(), &mut [0])?;
    call(Sysno::kill, &[-i64::from(leader) as u64, SIGTERM.into()])?;
    ensure_eq!(ended(wait_for(leader)?), 143);
    // Every writer is gone when all members are dead.
    drop(writer);
    ensure_eq!(io::read(reader.descriptor(), &mut [0])?, 0);
    Ok(())
}
