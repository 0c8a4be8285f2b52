//! Signals about files: owners, O_ASYNC, and what the signals tell.

use los_abi::errno::Errno;
use los_abi::fs::{
    F_GETFL, F_GETOWN, F_GETOWN_EX, F_GETOWNER_UIDS, F_GETSIG, F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID,
    F_SETFL, F_SETOWN, F_SETOWN_EX, F_SETSIG, FOwnerEx, OpenFlags,
};
use los_abi::signal::{
    POLL_IN, POLL_OUT, SI_KERNEL, SI_SIGIO, SIGCHLD, SIGIO, SIGSET_SIZE, SIGUSR1, SigInfo, SigSet,
};
use los_abi::syscall::Sysno;
use los_abi::tty::FIOASYNC;
use rt::fs::{self, File};
use rt::{io, process, signal};

use crate::arch::ISA;
use crate::handler::set_of;
use crate::harness::{Failure, Outcome, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    directories_tell_by_signals,
    watches_of_directories_are_checked,
    a_pipe_tells_its_readers_owner,
    a_pipe_tells_its_writers_owner,
    the_signal_can_be_chosen,
    a_full_queue_falls_back_to_sigio,
    owners_are_told_by_kind,
    groups_and_threads_can_be_owners,
    an_owner_that_ends_is_nobody,
    fifos_tell_both_sides,
    asynchrony_ends,
    files_without_signals_ignore_it,
    other_users_are_not_told,
    argument_checks,
];

const RT: u32 = 40;
const BAND_IN: u64 = 0x41;
const BAND_OUT: u64 = 0x304;

fn control(fd: u64, command: u32, argument: u64) -> Result<u64, Errno> {
    call(Sysno::fcntl, &[fd, command.into(), argument])
}

fn is_asynchronous(fd: u64) -> Result<bool, Errno> {
    let flags = control(fd, F_GETFL, 0)?;
    Ok(flags & raw(OpenFlags::ASYNC) != 0)
}

fn raw(flags: OpenFlags) -> u64 {
    flags.to_raw(ISA).into()
}

/// Blocks the signals of these cases.
fn block() {
    signal::set_mask(set_of(&[SIGIO, SIGCHLD, SIGUSR1, RT]));
}

/// Makes a file tell this process by a signal.
fn tell_me(fd: u64, number: u32) -> Result<(), Errno> {
    control(fd, F_SETOWN, process::id() as u64)?;
    control(fd, F_SETSIG, number.into())?;
    control(fd, F_SETFL, raw(OpenFlags::ASYNC | OpenFlags::NONBLOCK))?;
    Ok(())
}

/// Takes the next of the signals of these cases, or none.
fn taken() -> Result<Option<SigInfo>, Errno> {
    let set: SigSet = set_of(&[SIGIO, SIGCHLD, SIGUSR1, RT]);
    let mut info = SigInfo::default();
    let arguments = [
        addr(&set),
        addr_mut(&mut info),
        addr(&[0_u64; 2]),
        SIGSET_SIZE as u64,
    ];
    match call(Sysno::rt_sigtimedwait, &arguments) {
        Ok(_) => Ok(Some(info)),
        Err(Errno::EAGAIN) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Number, code, band and descriptor of a signal.
fn facts(info: Option<SigInfo>) -> Option<(u32, i32, u64, u64)> {
    info.map(|info| (info.si_signo as u32, info.si_code, info.fields[0], info.fields[1]))
}

fn fd(file: &File) -> u64 {
    file.descriptor() as u64
}

fn a_pipe_tells_its_readers_owner() -> Outcome {
    block();
    let (reader, writer) = process::pipe()?;
    tell_me(fd(&reader), RT)?;
    ensure!(is_asynchronous(fd(&reader))?);
    ensure_eq!(facts(taken()?), None);
    let expected = Some((RT, POLL_IN, BAND_IN, fd(&reader)));
    io::write(writer.descriptor(), b"x")?;
    ensure_eq!(facts(taken()?), expected);
    // Every write is told, read or not.
    io::write(writer.descriptor(), b"x")?;
    io::write(writer.descriptor(), b"x")?;
    ensure_eq!(facts(taken()?), expected);
    ensure_eq!(facts(taken()?), expected);
    ensure_eq!(facts(taken()?), None);
    drop(writer);
    ensure_eq!(facts(taken()?), expected);
    Ok(())
}

fn a_pipe_tells_its_writers_owner() -> Outcome {
    block();
    let (reader, writer) = process::pipe()?;
    io::write(writer.descriptor(), b"x")?;
    tell_me(fd(&writer), RT)?;
    let expected = Some((RT, POLL_OUT, BAND_OUT, fd(&writer)));
    let mut byte = [0];
    io::read(reader.descriptor(), &mut byte)?;
    ensure_eq!(facts(taken()?), expected);
    drop(reader);
    ensure_eq!(facts(taken()?), expected);
    ensure_eq!(facts(taken()?), None);
    Ok(())
}

fn the_signal_can_be_chosen() -> Outcome {
    block();
    let (reader, writer) = process::pipe()?;
    let (reader_fd, out) = (fd(&reader), writer.descriptor());
    tell_me(reader_fd, 0)?;
    io::write(out, b"x")?;
    ensure_eq!(facts(taken()?), Some((SIGIO, SI_KERNEL, 0, 0)));
    // Codes of SIGCHLD are its own, so another one stands in.
    for (number, code) in [(SIGIO, POLL_IN), (SIGUSR1, POLL_IN), (SIGCHLD, SI_SIGIO)] {
        control(reader_fd, F_SETSIG, number.into())?;
        ensure_eq!(control(reader_fd, F_GETSIG, 0)?, number.into());
        io::write(out, b"x")?;
        ensure_eq!(facts(taken()?), Some((number, code, BAND_IN, reader_fd)));
    }
    Ok(())
}

fn a_full_queue_falls_back_to_sigio() -> Outcome {
    block();
    let (reader, writer) = process::pipe()?;
    tell_me(fd(&reader), RT)?;
    // RLIMIT_SIGPENDING
    let none = [0_u64, 0];
    call(Sysno::setrlimit, &[11, addr(&none)])?;
    io::write(writer.descriptor(), b"x")?;
    let told = taken()?.map(|info| (info.si_signo as u32, info.si_code));
    ensure_eq!(told.map(|told| told.0), Some(SIGIO));
    ensure_eq!(facts(taken()?), None);
    Ok(())
}

fn owners_are_told_by_kind() -> Outcome {
    let (reader, _writer) = process::pipe()?;
    let fd = fd(&reader);
    let me = process::id();
    let mut owner = FOwnerEx { kind: 9, pid: 9 };
    control(fd, F_GETOWN_EX, addr_mut(&mut owner))?;
    ensure_eq!(owner, FOwnerEx::default());
    ensure_eq!(control(fd, F_GETOWN, 0)?, 0);
    control(fd, F_SETOWN, me as u64)?;
    ensure_eq!(control(fd, F_GETOWN, 0)?, me as u64);
    control(fd, F_GETOWN_EX, addr_mut(&mut owner))?;
    ensure_eq!(
        owner,
        FOwnerEx {
            kind: F_OWNER_PID,
            pid: me
        }
    );
    control(fd, F_SETOWN, i64::from(-process::group()).cast_unsigned())?;
    control(fd, F_GETOWN_EX, addr_mut(&mut owner))?;
    ensure_eq!((owner.kind, owner.pid), (F_OWNER_PGRP, process::group()));
    let thread = FOwnerEx {
        kind: F_OWNER_TID,
        pid: me,
    };
    control(fd, F_SETOWN_EX, addr(&thread))?;
    control(fd, F_GETOWN_EX, addr_mut(&mut owner))?;
    ensure_eq!(owner, thread);
    ensure_eq!(control(fd, F_GETOWN, 0)?, me as u64);
    control(fd, F_SETOWN, 0)?;
    ensure_eq!(control(fd, F_GETOWN, 0)?, 0);
    let mut users = [7_u32; 2];
    control(fd, F_GETOWNER_UIDS, addr_mut(&mut users))?;
    ensure_eq!(
        users,
        [
            call(Sysno::getuid, &[])? as u32,
            call(Sysno::geteuid, &[])? as u32
        ]
    );
    Ok(())
}

fn groups_and_threads_can_be_owners() -> Outcome {
    block();
    let (reader, writer) = process::pipe()?;
    tell_me(fd(&reader), RT)?;
    control(
        fd(&reader),
        F_SETOWN,
        i64::from(-process::group()).cast_unsigned(),
    )?;
    let out = writer.descriptor();
    io::write(out, b"x")?;
    let expected = Some((RT, POLL_IN, BAND_IN, fd(&reader)));
    ensure_eq!(facts(taken()?), expected);
    let thread = FOwnerEx {
        kind: F_OWNER_TID,
        pid: call(Sysno::gettid, &[])? as i32,
    };
    control(fd(&reader), F_SETOWN_EX, addr(&thread))?;
    io::write(out, b"x")?;
    ensure_eq!(facts(taken()?), expected);
    Ok(())
}

fn an_owner_that_ends_is_nobody() -> Outcome {
    block();
    let (reader, writer) = process::pipe()?;
    let (mut gate, opened) = process::pipe()?;
    let waits = gate.descriptor();
    let child = spawn(|| {
        let mut byte = [0];
        i32::from(io::read(waits, &mut byte) != Ok(1))
    })?;
    tell_me(fd(&reader), RT)?;
    control(fd(&reader), F_SETOWN, child as u64)?;
    ensure_eq!(control(fd(&reader), F_GETOWN, 0)?, child as u64);
    io::write(opened.descriptor(), b"x")?;
    wait_for(child)?;
    while taken()?.is_some() {}
    ensure_eq!(control(fd(&reader), F_GETOWN, 0)?, 0);
    io::write(writer.descriptor(), b"x")?;
    ensure_eq!(facts(taken()?), None);
    let _ = &mut gate;
    Ok(())
}

fn fifos_tell_both_sides() -> Outcome {
    block();
    fs::make_node(b"fifo", 0o010_600, 0)?;
    let file = File::open_with(b"fifo", OpenFlags::RDWR, 0)?;
    tell_me(fd(&file), RT)?;
    io::write(file.descriptor(), b"x")?;
    let mut byte = [0];
    io::read(file.descriptor(), &mut byte)?;
    ensure_eq!(facts(taken()?), Some((RT, POLL_IN, BAND_IN, fd(&file))));
    ensure_eq!(facts(taken()?), Some((RT, POLL_OUT, BAND_OUT, fd(&file))));
    ensure_eq!(facts(taken()?), None);
    Ok(())
}

fn asynchrony_ends() -> Outcome {
    block();
    let (reader, writer) = process::pipe()?;
    let out = writer.descriptor();
    tell_me(fd(&reader), RT)?;
    control(fd(&reader), F_SETFL, 0)?;
    io::write(out, b"x")?;
    ensure_eq!(facts(taken()?), None);
    let (on, off) = (1_i32, 0_i32);
    call(Sysno::ioctl, &[fd(&reader), FIOASYNC.into(), addr(&on)])?;
    ensure!(is_asynchronous(fd(&reader))?);
    io::write(out, b"x")?;
    ensure!(taken()?.is_some());
    call(Sysno::ioctl, &[fd(&reader), FIOASYNC.into(), addr(&off)])?;
    io::write(out, b"x")?;
    ensure_eq!(facts(taken()?), None);
    // A copy is the same open file, known by the number that made it asynchronous.
    let copy = call(Sysno::dup, &[fd(&reader)])?;
    call(Sysno::ioctl, &[copy, FIOASYNC.into(), addr(&on)])?;
    call(Sysno::close, &[copy])?;
    io::write(out, b"x")?;
    ensure_eq!(facts(taken()?), Some((RT, POLL_IN, BAND_IN, copy)));
    Ok(())
}

fn files_without_signals_ignore_it() -> Outcome {
    let counter = call(Sysno::eventfd2, &[0, 0])?;
    control(counter, F_SETFL, raw(OpenFlags::ASYNC))?;
    ensure!(!is_asynchronous(counter)?);
    let (on, off) = (1_i32, 0_i32);
    let ioctl = |value: &i32| call(Sysno::ioctl, &[counter, FIOASYNC.into(), addr(value)]);
    ensure_eq!(ioctl(&on).err(), Some(Errno::ENOTTY));
    ensure_eq!(ioctl(&off), Ok(0));
    Ok(())
}

fn other_users_are_not_told() -> Outcome {
    block();
    let (reader, writer) = process::pipe()?;
    tell_me(fd(&reader), RT)?;
    let (asks, answers) = (fd(&reader), writer.descriptor());
    let parent = process::id() as u64;
    let child = spawn(|| {
        let set = || {
            call(Sysno::setresuid, &[1000, 1000, 1000])?;
            control(asks, F_SETOWN, parent)?;
            io::write(answers, b"x")
        };
        i32::from(set().is_err())
    })?;
    ensure_eq!(process::shell_status(wait_for(child)?), 0);
    // The child's own end is all that is told.
    let told = taken()?.map(|info| info.si_signo as u32);
    ensure_eq!(told, Some(SIGCHLD));
    ensure_eq!(facts(taken()?), None);
    Ok(())
}

fn argument_checks() -> Outcome {
    let (reader, _writer) = process::pipe()?;
    let fd = fd(&reader);
    ensure_eq!(control(fd, F_SETOWN, i32::MIN as u64).err(), Some(Errno::EINVAL));
    ensure_eq!(control(fd, F_SETOWN, 99_999_999).err(), Some(Errno::ESRCH));
    ensure_eq!(
        control(fd, F_SETOWN, -99_999_999_i64 as u64).err(),
        Some(Errno::ESRCH)
    );
    ensure_eq!(control(fd, F_SETSIG, 65).err(), Some(Errno::EINVAL));
    ensure_eq!(control(fd, F_SETSIG, 64), Ok(0));
    ensure_eq!(control(fd, F_SETOWN_EX, 16).err(), Some(Errno::EFAULT));
    ensure_eq!(control(fd, F_GETOWN_EX, 16).err(), Some(Errno::EFAULT));
    let wrong = FOwnerEx {
        kind: 3,
        pid: process::id(),
    };
    ensure_eq!(control(fd, F_SETOWN_EX, addr(&wrong)).err(), Some(Errno::EINVAL));
    let nobody = FOwnerEx {
        kind: F_OWNER_TID,
        pid: 99_999_999,
    };
    ensure_eq!(control(fd, F_SETOWN_EX, addr(&nobody)).err(), Some(Errno::ESRCH));
    let place = File::open_with(b".", OpenFlags::PATH, 0)?;
    for command in [F_SETOWN, F_GETOWN, F_GETSIG, F_SETSIG, F_GETOWN_EX] {
        ensure_eq!(
            control(place.descriptor() as u64, command, 0).err(),
            Some(Errno::EBADF)
        );
    }
    Ok(())
}

/// Watches the working directory for some events, and returns a file that reads the signals.
fn watch_here(events: u64) -> Result<(File, u64), Failure> {
    let signal = 40_u64;
    let set = 1_u64 << (signal - 1);
    call(Sysno::rt_sigprocmask, &[0, addr(&set), 0, 8])?;
    let directory = File::open(b".")?;
    let fd = directory.descriptor() as u64;
    // F_SETSIG, F_NOTIFY
    call(Sysno::fcntl, &[fd, 10, signal])?;
    match call(Sysno::fcntl, &[fd, 1026, events]) {
        Err(Errno::EINVAL) => return Err(Failure::Skip("a Linux without dnotify")),
        other => other?,
    };
    Ok((directory, set))
}

/// Takes a signal about a directory: its code and descriptor; nothing when there is none.
fn message(set: u64) -> Option<(i32, i32)> {
    let mut info = [0_i32; 32];
    let none = [0_u64; 2];
    let took = call(
        Sysno::rt_sigtimedwait,
        &[addr(&set), addr_mut(&mut info), addr(&none), 8],
    );
    // si_code; si_fd behind the band, which is a long.
    took.ok().map(|_| (info[2], info[6]))
}

fn directories_tell_by_signals() -> Outcome {
    const CREATE: u64 = 4;
    const DELETE: u64 = 8;
    const RENAME: u64 = 0x10;
    const MULTISHOT: u64 = 0x8000_0000;
    const MESSAGE: i32 = 3;
    let (directory, set) = watch_here(CREATE)?;
    let fd = directory.descriptor();
    let make = |name: &[u8]| File::create(name, 0o644).map(drop);
    make(b"one")?;
    ensure_eq!(message(set), Some((MESSAGE, fd)));
    // That was all that was asked for.
    make(b"two")?;
    ensure_eq!(message(set), None);
    let watch = |events: u64| call(Sysno::fcntl, &[fd as u64, 1026, events]);
    watch(DELETE | MULTISHOT)?;
    make(b"three")?;
    ensure_eq!(message(set), None);
    for name in [&b"one"[..], b"two"] {
        fs::remove_file(name)?;
        ensure_eq!(message(set), Some((MESSAGE, fd)));
        ensure_eq!(message(set), None);
    }
    watch(0)?;
    watch(RENAME)?;
    fs::rename(b"three", b"four")?;
    ensure_eq!(message(set), Some((MESSAGE, fd)));
    // Asking for nothing ends it, and so does closing.
    watch(CREATE | MULTISHOT)?;
    watch(MULTISHOT)?;
    make(b"five")?;
    ensure_eq!(message(set), None);
    watch(CREATE | MULTISHOT)?;
    let other = call(Sysno::dup, &[fd as u64])?;
    make(b"six")?;
    ensure_eq!(message(set), Some((MESSAGE, fd)));
    call(Sysno::close, &[other])?;
    make(b"seven")?;
    ensure_eq!(message(set), None);
    Ok(())
}

fn watches_of_directories_are_checked() -> Outcome {
    let (directory, _) = watch_here(4)?;
    let owner = call(Sysno::fcntl, &[directory.descriptor() as u64, 9, 0])?;
    ensure_eq!(owner as i32, process::id());
    let file = File::create(b"file", 0o644)?;
    let notify = |fd: u64, events: u64| call(Sysno::fcntl, &[fd, 1026, events]);
    ensure_eq!(notify(file.descriptor() as u64, 4), Err(Errno::ENOTDIR));
    ensure_eq!(notify(file.descriptor() as u64, 0), Ok(0));
    let path = File::open_with(b".", OpenFlags::PATH, 0)?;
    ensure_eq!(notify(path.descriptor() as u64, 4), Err(Errno::EBADF));
    ensure_eq!(notify(99, 4), Err(Errno::EBADF));
    Ok(())
}
