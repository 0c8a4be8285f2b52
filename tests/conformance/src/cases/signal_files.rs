//! Signals that are read from a file: signalfd(2).

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::isa::WireEpollEvent;
use los_abi::poll::{EPOLL_CTL_ADD, PollEvents};
use los_abi::signal::{
    CLD_EXITED, SI_QUEUE, SI_TIMER, SI_TKILL, SI_USER, SIGALRM, SIGCHLD, SIGKILL, SIGSET_SIZE, SIGUSR1,
    SIGUSR2, SigEvent, SigSet, SignalfdFlags, SignalfdSiginfo,
};
use los_abi::syscall::Sysno;
use rt::{process, signal, time};
use zerocopy::FromBytes;

use crate::arch::EpollEvent;
use crate::descriptors::{is_readable, readiness, shows_fact, target};
use crate::handler::{queue, raise, set_of};
use crate::harness::{Outcome, catch, in_child, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::worker::interrupt_sleep;
use crate::{cases, ensure, ensure_eq};

cases![
    pending_signals_are_read,
    real_time_signals_queue,
    a_read_waits_for_a_signal,
    other_signals_interrupt_a_read,
    the_set_can_be_changed,
    children_and_timers_tell_about_themselves,
    readiness_is_the_askers,
    sets_of_files_hear_of_signals,
    a_child_reads_its_own_signals,
    facts_are_shown,
    argument_checks,
];

const RT: u32 = 40;
const RECORD: usize = size_of::<SignalfdSiginfo>();
const NEW: u64 = u64::MAX;

/// Blocks signals and makes a file of them.
fn open(numbers: &[u32], flags: SignalfdFlags) -> Result<u64, Errno> {
    signal::set_mask(set_of(numbers));
    open_set(NEW, set_of(numbers), flags)
}

fn open_set(fd: u64, set: SigSet, flags: SignalfdFlags) -> Result<u64, Errno> {
    let flags = u64::from(flags.bits());
    call(Sysno::signalfd4, &[fd, addr(&set), SIGSET_SIZE as u64, flags])
}

/// Reads up to so many signals.
fn read(fd: u64, count: usize) -> Result<Vec<SignalfdSiginfo>, Errno> {
    let mut bytes = [0xaa; 4 * RECORD];
    let length = call(Sysno::read, &[fd, addr_mut(&mut bytes), (count * RECORD) as u64])?;
    let records = bytes[..length as usize].chunks(RECORD);
    Ok(records
        .filter_map(|record| SignalfdSiginfo::read_from_bytes(record).ok())
        .collect())
}

fn pending_signals_are_read() -> Outcome {
    let fd = open(&[SIGUSR1, SIGUSR2], SignalfdFlags::NONBLOCK)?;
    ensure_eq!(read(fd, 1).err(), Some(Errno::EAGAIN));
    raise(SIGUSR2)?;
    raise(SIGUSR1)?;
    raise(SIGUSR1)?;
    let found = read(fd, 4)?;
    ensure_eq!(found.len(), 2);
    let expected = SignalfdSiginfo {
        ssi_signo: SIGUSR1,
        ssi_code: SI_USER,
        ssi_pid: process::id() as u32,
        ssi_uid: call(Sysno::getuid, &[])? as u32,
        ..SignalfdSiginfo::default()
    };
    ensure_eq!(found[0], expected);
    ensure_eq!(found[1].ssi_signo, SIGUSR2);
    ensure_eq!(read(fd, 1).err(), Some(Errno::EAGAIN));
    Ok(())
}

fn real_time_signals_queue() -> Outcome {
    let fd = open(&[RT, SIGUSR1], SignalfdFlags::NONBLOCK)?;
    for value in [1_u64 << 40 | 5, 6, 7] {
        queue(process::id(), RT, value)?;
    }
    call(Sysno::tkill, &[call(Sysno::gettid, &[])?, SIGUSR1.into()])?;
    let first = read(fd, 2)?;
    ensure_eq!((first[0].ssi_signo, first[0].ssi_code), (SIGUSR1, SI_TKILL));
    let second = &first[1];
    ensure_eq!(
        (second.ssi_code, second.ssi_int, second.ssi_ptr),
        (SI_QUEUE, 5, 1 << 40 | 5)
    );
    let rest: Vec<_> = read(fd, 4)?.iter().map(|info| info.ssi_int).collect();
    ensure_eq!(rest, [6, 7]);
    Ok(())
}

fn a_read_waits_for_a_signal() -> Outcome {
    let fd = open(&[SIGUSR1], SignalfdFlags::empty())?;
    let parent = process::id();
    let child = spawn(|| {
        time::sleep_ms(20);
        i32::from(process::kill(parent, SIGUSR1).is_err())
    })?;
    let found = read(fd, 4)?;
    ensure_eq!(found.len(), 1);
    ensure_eq!(found[0].ssi_pid, child as u32);
    wait_for(child)?;
    Ok(())
}

fn other_signals_interrupt_a_read() -> Outcome {
    let fd = open(&[SIGUSR1], SignalfdFlags::empty())?;
    catch(SIGUSR2);
    let child = interrupt_sleep(SIGUSR2)?;
    ensure_eq!(read(fd, 1).err(), Some(Errno::EINTR));
    wait_for(child)?;
    Ok(())
}

fn the_set_can_be_changed() -> Outcome {
    let fd = open(&[SIGUSR1, SIGUSR2], SignalfdFlags::NONBLOCK)?;
    ensure_eq!(open_set(fd, set_of(&[SIGUSR2]), SignalfdFlags::empty())?, fd);
    raise(SIGUSR1)?;
    ensure!(!is_readable(fd)?);
    ensure_eq!(read(fd, 1).err(), Some(Errno::EAGAIN));
    open_set(fd, set_of(&[SIGUSR1]), SignalfdFlags::empty())?;
    ensure!(is_readable(fd)?);
    ensure_eq!(read(fd, 1)?[0].ssi_signo, SIGUSR1);
    // What is not in the set stays pending for others.
    raise(SIGUSR2)?;
    ensure_eq!(read(fd, 1).err(), Some(Errno::EAGAIN));
    let taken = call(
        Sysno::rt_sigtimedwait,
        &[
            addr(&set_of(&[SIGUSR2])),
            0,
            addr(&[0_u64; 2]),
            SIGSET_SIZE as u64,
        ],
    );
    ensure_eq!(taken, Ok(SIGUSR2.into()));
    Ok(())
}

fn children_and_timers_tell_about_themselves() -> Outcome {
    let fd = open(&[SIGCHLD, SIGALRM], SignalfdFlags::empty())?;
    let child = spawn(|| 42)?;
    let found = read(fd, 1)?;
    let told = (found[0].ssi_code, found[0].ssi_pid, found[0].ssi_status);
    ensure_eq!(told, (CLD_EXITED, child as u32, 42));
    wait_for(child)?;
    let event = SigEvent {
        sigev_value: 77,
        sigev_signo: SIGALRM as i32,
        ..SigEvent::default()
    };
    let mut timer = -1_i32;
    call(Sysno::timer_create, &[1, addr(&event), addr_mut(&mut timer)])?;
    let soon = [0_u64, 0, 0, 1_000_000];
    call(Sysno::timer_settime, &[timer as u64, 0, addr(&soon), 0])?;
    let found = read(fd, 1)?;
    let told = (found[0].ssi_code, found[0].ssi_tid, found[0].ssi_int);
    ensure_eq!(told, (SI_TIMER, timer as u32, 77));
    ensure_eq!((found[0].ssi_pid, found[0].ssi_overrun), (0, 0));
    Ok(())
}

fn readiness_is_the_askers() -> Outcome {
    let fd = open(&[SIGUSR1], SignalfdFlags::empty())?;
    ensure_eq!(
        readiness(fd, PollEvents::IN | PollEvents::OUT, 0)?,
        PollEvents::empty()
    );
    raise(SIGUSR1)?;
    ensure_eq!(readiness(fd, PollEvents::all(), 0)?, PollEvents::IN);
    // The child has nothing pending.
    let status = in_child(|| i32::from(is_readable(fd) != Ok(false)))?;
    ensure_eq!(process::shell_status(status), 0);
    read(fd, 1)?;
    ensure!(!is_readable(fd)?);
    let parent = process::id();
    let child = spawn(|| {
        time::sleep_ms(20);
        i32::from(process::kill(parent, SIGUSR1).is_err())
    })?;
    ensure_eq!(readiness(fd, PollEvents::IN, 20_000)?, PollEvents::IN);
    wait_for(child)?;
    Ok(())
}

fn sets_of_files_hear_of_signals() -> Outcome {
    let fd = open(&[SIGUSR1], SignalfdFlags::empty())?;
    let set = call(Sysno::epoll_create1, &[0])?;
    let event = EpollEvent::new(PollEvents::IN.bits().into(), 5);
    call(Sysno::epoll_ctl, &[set, EPOLL_CTL_ADD.into(), fd, addr(&event)])?;
    let wait = |timeout_ms: i64| {
        let mut found = EpollEvent::default();
        let arguments = [set, addr_mut(&mut found), 1, timeout_ms as u64, 0, 8];
        let count = call(Sysno::epoll_pwait, &arguments)?;
        Ok::<_, Errno>((count, found.data()))
    };
    ensure_eq!(wait(0)?, (0, 0));
    let parent = process::id();
    let child = spawn(|| {
        time::sleep_ms(20);
        i32::from(process::kill(parent, SIGUSR1).is_err())
    })?;
    ensure_eq!(wait(20_000)?, (1, 5));
    read(fd, 1)?;
    ensure_eq!(wait(0)?, (0, 0));
    wait_for(child)?;
    Ok(())
}

fn a_child_reads_its_own_signals() -> Outcome {
    let fd = open(&[SIGUSR1], SignalfdFlags::empty())?;
    let status = in_child(|| {
        let sent = raise(SIGUSR1).is_ok();
        let found = read(fd, 1).is_ok_and(|found| found[0].ssi_pid == process::id() as u32);
        i32::from(!(sent && found))
    })?;
    ensure_eq!(process::shell_status(status), 0);
    ensure!(!is_readable(fd)?);
    Ok(())
}

fn facts_are_shown() -> Outcome {
    let fd = open(&[SIGUSR1, RT, SIGKILL], SignalfdFlags::empty())?;
    ensure!(shows_fact(fd, "sigmask:\t0000008000000200")?);
    ensure_eq!(target(fd)?, b"anon_inode:[signalfd]");
    Ok(())
}

fn argument_checks() -> Outcome {
    let set = set_of(&[SIGUSR1]);
    let unknown = SignalfdFlags::from_bits_retain(1);
    ensure_eq!(open_set(NEW, set, unknown).err(), Some(Errno::EINVAL));
    ensure_eq!(open_set(999, set, unknown).err(), Some(Errno::EINVAL));
    ensure_eq!(
        open_set(999, set, SignalfdFlags::empty()).err(),
        Some(Errno::EBADF)
    );
    let (reader, _writer) = process::pipe()?;
    let other = open_set(reader.descriptor() as u64, set, SignalfdFlags::empty());
    ensure_eq!(other.err(), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::signalfd4, &[NEW, 16, 4, 0]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(
        call(Sysno::signalfd4, &[NEW, 16, 8, 0]).err(),
        Some(Errno::EFAULT)
    );
    let fd = open(&[SIGUSR1], SignalfdFlags::CLOEXEC)?;
    ensure_eq!(call(Sysno::fcntl, &[fd, 1, 0]), Ok(1));
    let mut byte = 0_u8;
    let small = call(Sysno::read, &[fd, addr_mut(&mut byte), RECORD as u64 - 1]);
    ensure_eq!(small.err(), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::write, &[fd, addr(&[0_u8; RECORD]), RECORD as u64]).err(),
        Some(Errno::EINVAL)
    );
    raise(SIGUSR1)?;
    ensure_eq!(
        call(Sysno::read, &[fd, 16, RECORD as u64]).err(),
        Some(Errno::EFAULT)
    );
    // It is gone all the same.
    ensure!(!is_readable(fd)?);
    Ok(())
}
