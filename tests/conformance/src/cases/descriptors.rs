//! Descriptors: numbers, duplicates, closing, flags (dup(2), fcntl(2), close_range(2)).

use los_abi::errno::Errno;
use los_abi::fs::{F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFL, OpenFlags};
use los_abi::syscall::Sysno;
use rt::fs::File;
use rt::{io, process};

use crate::arch::ISA;
use crate::cases::files::{new_file, open, seek};
use crate::harness::Outcome;
use crate::raw::{addr, call};
use crate::{cases, ensure, ensure_eq};

cases![
    files_without_a_position,
    lowest_descriptor_is_used,
    standard_descriptors_may_be_closed,
    dup_shares_the_position,
    dup3_rules,
    fcntl_duplicates,
    close_range_closes,
    status_flags,
];

fn lowest_descriptor_is_used() -> Outcome {
    let first = open(b"/dev/null", OpenFlags::empty())?;
    let second = open(b"/dev/null", OpenFlags::empty())?;
    let number = first.descriptor();
    ensure!(second.descriptor() > number);
    drop(first);
    ensure_eq!(open(b"/dev/null", OpenFlags::empty())?.descriptor(), number);
    Ok(())
}

fn standard_descriptors_may_be_closed() -> Outcome {
    for fd in [0, 1, 2] {
        let _ = call(Sysno::close, &[fd]);
    }
    ensure_eq!(open(b"/dev/null", OpenFlags::empty())?.into_descriptor(), 0);
    ensure_eq!(call(Sysno::close, &[99]).err(), Some(Errno::EBADF));
    ensure_eq!(call(Sysno::close, &[u64::MAX]).err(), Some(Errno::EBADF));
    Ok(())
}

fn dup_shares_the_position() -> Outcome {
    let file = new_file(b"a", b"0123456789")?;
    let copy = call(Sysno::dup, &[file.descriptor() as u64])? as i32;
    seek(&file, 3, 0)?;
    let mut byte = [0];
    io::read(copy, &mut byte)?;
    ensure_eq!(byte, *b"3");
    ensure_eq!(seek(&file, 0, 1)?, 4);
    Ok(())
}

fn dup3_rules() -> Outcome {
    let fd = open(b"/dev/null", OpenFlags::empty())?.into_descriptor() as u64;
    ensure_eq!(call(Sysno::dup3, &[fd, fd, 0]).err(), Some(Errno::EINVAL));
    ensure_eq!(call(Sysno::dup3, &[fd, 50, 1]).err(), Some(Errno::EINVAL));
    ensure_eq!(call(Sysno::dup3, &[77, 50, 0]).err(), Some(Errno::EBADF));
    ensure_eq!(call(Sysno::dup3, &[fd, u64::MAX, 0]).err(), Some(Errno::EBADF));
    let cloexec = u64::from(OpenFlags::CLOEXEC.to_raw(ISA));
    ensure_eq!(call(Sysno::dup3, &[fd, 50, cloexec])?, 50);
    ensure_eq!(call(Sysno::fcntl, &[50, u64::from(F_GETFD), 0])?, 1);
    Ok(())
}

fn fcntl_duplicates() -> Outcome {
    let fd = open(b"/dev/null", OpenFlags::empty())?.into_descriptor() as u64;
    ensure_eq!(call(Sysno::fcntl, &[fd, u64::from(F_DUPFD), 40])?, 40);
    ensure_eq!(call(Sysno::fcntl, &[fd, u64::from(F_DUPFD_CLOEXEC), 40])?, 41);
    ensure_eq!(call(Sysno::fcntl, &[41, u64::from(F_GETFD), 0])?, 1);
    ensure_eq!(call(Sysno::fcntl, &[40, u64::from(F_GETFD), 0])?, 0);
    ensure_eq!(call(Sysno::fcntl, &[fd, 0x7777, 0]).err(), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::fcntl, &[fd, u64::from(F_DUPFD), u64::MAX]).err(),
        Some(Errno::EINVAL)
    );
    Ok(())
}

fn close_range_closes() -> Outcome {
    let fd = open(b"/dev/null", OpenFlags::empty())?.into_descriptor() as u64;
    for new in 60..65 {
        call(Sysno::dup3, &[fd, new, 0])?;
    }
    call(Sysno::close_range, &[61, 63, 0])?;
    let is_open = |fd: u64| call(Sysno::fcntl, &[fd, u64::from(F_GETFD), 0]).is_ok();
    ensure_eq!(
        [60, 61, 62, 63, 64].map(is_open),
        [true, false, false, false, true]
    );
    ensure_eq!(call(Sysno::close_range, &[5, 4, 0]).err(), Some(Errno::EINVAL));
    Ok(())
}

fn status_flags() -> Outcome {
    let file = open(b"/dev/null", OpenFlags::RDWR | OpenFlags::APPEND)?;
    let fd = file.descriptor() as u64;
    let flags =
        || call(Sysno::fcntl, &[fd, u64::from(F_GETFL), 0]).map(|raw| OpenFlags::from_raw(ISA, raw as u32));
    let before = flags()?;
    ensure!(before.contains(OpenFlags::RDWR | OpenFlags::APPEND));
    let nonblocking = u64::from(OpenFlags::NONBLOCK.to_raw(ISA));
    call(Sysno::fcntl, &[fd, u64::from(F_SETFL), nonblocking])?;
    let after = flags()?;
    ensure!(after.contains(OpenFlags::NONBLOCK | OpenFlags::RDWR) && !after.contains(OpenFlags::APPEND));
    Ok(())
}

/// lseek does nothing with files that are no stream and have no position, and refuses what has none by its kind.
fn files_without_a_position() -> Outcome {
    const NONBLOCK: u64 = 0o4000;
    let signals = 1_u64 << 9;
    let files = [
        ("eventfd", call(Sysno::eventfd2, &[0, NONBLOCK])?, true),
        ("epoll", call(Sysno::epoll_create1, &[0])?, true),
        ("timerfd", call(Sysno::timerfd_create, &[1, NONBLOCK])?, true),
        (
            "signalfd",
            call(Sysno::signalfd4, &[u64::MAX, addr(&signals), 8, NONBLOCK])?,
            true,
        ),
        ("inotify", call(Sysno::inotify_init1, &[NONBLOCK])?, true),
        ("null", File::open(b"/dev/null")?.into_descriptor() as u64, true),
        ("zero", File::open(b"/dev/zero")?.into_descriptor() as u64, true),
        (
            "urandom",
            File::open(b"/dev/urandom")?.into_descriptor() as u64,
            true,
        ),
        (
            "pidfd",
            call(Sysno::pidfd_open, &[process::id() as u64, 0])?,
            false,
        ),
    ];
    for (name, fd, is_patient) in files {
        let wanted = if is_patient { Ok(0) } else { Err(Errno::ESPIPE) };
        for (offset, whence) in [
            (0, 0),
            (5, 0),
            (5, 1),
            (3, 2),
            (5, 3),
            (5, 4),
            (-1_i64, 0),
            (0, 1),
        ] {
            let answer = call(Sysno::lseek, &[fd, offset as u64, whence]);
            ensure!(answer == wanted, "{name}, {offset}, {whence}: {answer:?}");
        }
        let answer = call(Sysno::lseek, &[fd, 0, 5]);
        ensure!(answer == Err(Errno::EINVAL), "{name}: {answer:?}");
    }
    Ok(())
}
