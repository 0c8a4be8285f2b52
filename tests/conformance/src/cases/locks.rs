//! Locks on files: flock(2), record locks of processes and of open files.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{
    F_DUPFD, F_DUPFD_QUERY, F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_RDLCK, F_SETFD, F_SETLK, F_SETLKW, F_UNLCK,
    F_WRLCK, Flock, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, OpenFlags, SEEK_END,
};
use los_abi::signal::{SIGALRM, SIGKILL};
use los_abi::syscall::Sysno;
use rt::{fs, io, process, time};

use crate::cases::{ended, program};
use crate::harness::{Failure, Outcome, catch, in_child, spawn, wait_for};
use crate::raw::{addr_mut, call};
use crate::thread;
use crate::{cases, ensure, ensure_eq};

cases![
    flock_excludes_other_open_files,
    flock_waits_until_the_holder_ends,
    flock_argument_checks,
    flock_is_shared_by_duplicates,
    records_exclude_other_processes,
    records_are_split_and_merged,
    any_close_drops_the_records,
    children_inherit_no_records,
    records_survive_execve_of_many_threads,
    a_record_is_waited_for,
    waiting_ends_with_a_signal,
    a_circle_is_refused,
    open_file_records,
    record_argument_checks,
    locks_are_listed,
    same_open_file_query,
];

fn open() -> Result<fs::File, Errno> {
    fs::File::open_with(b"locked", OpenFlags::RDWR | OpenFlags::CREAT, 0o600)
}

fn flock(fd: i32, operation: u32) -> Result<u64, Errno> {
    call(Sysno::flock, &[fd as u64, u64::from(operation)])
}

fn fcntl(fd: i32, command: u32, argument: u64) -> Result<u64, Errno> {
    call(Sysno::fcntl, &[fd as u64, u64::from(command), argument])
}

fn record(kind: i16, start: i64, len: i64) -> Flock {
    Flock {
        l_type: kind,
        l_start: start,
        l_len: len,
        ..Flock::default()
    }
}

fn lock(fd: i32, command: u32, kind: i16, start: i64, len: i64) -> Result<u64, Errno> {
    fcntl(fd, command, addr_mut(&mut record(kind, start, len)))
}

/// Asks for a lock in the way of a write lock.
fn in_the_way(fd: i32, command: u32, start: i64, len: i64) -> Result<Flock, Errno> {
    let mut asked = record(F_WRLCK, start, len);
    fcntl(fd, command, addr_mut(&mut asked))?;
    Ok(asked)
}

/// Returns the error of an attempt in a child: a number that is no error stands for success.
fn error_in_child(attempt: impl FnOnce() -> Result<u64, Errno>) -> Result<i32, Failure> {
    let status = in_child(|| attempt().map_or_else(|errno| errno as i32, |_| 0))?;
    Ok(ended(status))
}

const AGAIN: i32 = Errno::EAGAIN as i32;

fn flock_excludes_other_open_files() -> Outcome {
    let (one, other) = (open()?, open()?);
    let (one, other) = (one.descriptor(), other.descriptor());
    flock(one, LOCK_SH)?;
    flock(other, LOCK_SH)?;
    ensure_eq!(flock(one, LOCK_EX | LOCK_NB), Err(Errno::EAGAIN));
    // The attempt to convert lost the first lock.
    flock(other, LOCK_EX | LOCK_NB)?;
    ensure_eq!(flock(one, LOCK_SH | LOCK_NB), Err(Errno::EAGAIN));
    flock(other, LOCK_UN)?;
    flock(one, LOCK_EX | LOCK_NB)?;
    // The two kinds of locks do not know each other.
    lock(other, F_SETLK, F_WRLCK, 0, 0)?;
    Ok(())
}

fn flock_waits_until_the_holder_ends() -> Outcome {
    let (reader, writer) = process::pipe()?;
    let holder = spawn(|| {
        let taken = open().and_then(|file| {
            flock(file.descriptor(), LOCK_EX)?;
            io::write(writer.descriptor(), b"x")?;
            // Until killed.
            call(Sysno::pause, &[]).or_else(|_| call(Sysno::ppoll, &[0, 0, 0, 0, 8]))
        });
        i32::from(taken.is_err())
    })?;
    io::read(reader.descriptor(), &mut [0])?;
    let waiter = spawn(|| {
        open()
            .and_then(|file| flock(file.descriptor(), LOCK_EX))
            .map_or(1, |_| 0)
    })?;
    process::kill(holder, SIGKILL)?;
    wait_for(holder)?;
    ensure_eq!(ended(wait_for(waiter)?), 0);
    Ok(())
}

fn flock_argument_checks() -> Outcome {
    let file = open()?;
    ensure_eq!(flock(file.descriptor(), 0), Err(Errno::EINVAL));
    ensure_eq!(flock(file.descriptor(), LOCK_SH | LOCK_EX), Err(Errno::EINVAL));
    ensure_eq!(flock(-1, LOCK_SH), Err(Errno::EBADF));
    // The operation is looked at first.
    ensure_eq!(flock(-1, 0), Err(Errno::EINVAL));
    let place = fs::File::open_with(b".", OpenFlags::PATH, 0)?;
    ensure_eq!(flock(place.descriptor(), LOCK_SH), Err(Errno::EBADF));
    let directory = fs::File::open_with(b".", OpenFlags::DIRECTORY, 0)?;
    flock(directory.descriptor(), LOCK_EX)?;
    Ok(())
}

fn flock_is_shared_by_duplicates() -> Outcome {
    let file = open()?;
    let other = open()?;
    let duplicate = fcntl(file.descriptor(), F_DUPFD, 0)? as i32;
    flock(file.descriptor(), LOCK_EX)?;
    flock(duplicate, LOCK_EX | LOCK_NB)?;
    drop(file);
    ensure_eq!(flock(other.descriptor(), LOCK_SH | LOCK_NB), Err(Errno::EAGAIN));
    call(Sysno::close, &[duplicate as u64])?;
    flock(other.descriptor(), LOCK_SH | LOCK_NB)?;
    Ok(())
}

fn records_exclude_other_processes() -> Outcome {
    let file = open()?;
    let fd = file.descriptor();
    lock(fd, F_SETLK, F_RDLCK, 0, 10)?;
    lock(fd, F_SETLK, F_WRLCK, 20, 0)?;
    ensure_eq!(error_in_child(|| lock(fd, F_SETLK, F_RDLCK, 5, 1))?, 0);
    ensure_eq!(error_in_child(|| lock(fd, F_SETLK, F_WRLCK, 9, 1))?, AGAIN);
    ensure_eq!(error_in_child(|| lock(fd, F_SETLK, F_WRLCK, 10, 10))?, 0);
    ensure_eq!(error_in_child(|| lock(fd, F_SETLK, F_RDLCK, 1 << 40, 1))?, AGAIN);
    let own = process::id();
    let seen = in_child(|| match in_the_way(fd, F_GETLK, 0, 0) {
        Ok(found) if found.l_type == F_RDLCK && found.l_len == 10 && found.l_pid == own => 0,
        _ => 1,
    })?;
    ensure_eq!(ended(seen), 0);
    // One's own locks are in nobody's way.
    let free = in_the_way(fd, F_GETLK, 0, 0)?;
    ensure_eq!((free.l_type, free.l_start, free.l_len), (F_UNLCK, 0, 0));
    Ok(())
}

fn records_are_split_and_merged() -> Outcome {
    let file = open()?;
    let fd = file.descriptor();
    lock(fd, F_SETLK, F_WRLCK, 0, 100)?;
    lock(fd, F_SETLK, F_UNLCK, 40, 20)?;
    lock(fd, F_SETLK, F_RDLCK, 80, 40)?;
    let probes = [(0, 1), (40, 20), (60, 1), (80, 1)];
    let found = probes.map(|(start, len)| {
        error_in_child(|| {
            let found = in_the_way(fd, F_GETLK, start, len)?;
            // The end of what is in the way, small enough for an exit status.
            Err(match found.l_type {
                F_UNLCK => Errno::EPERM,
                kind if (kind, found.l_start, found.l_len) == (F_WRLCK, 0, 40) => Errno::ENOENT,
                kind if (kind, found.l_start, found.l_len) == (F_WRLCK, 60, 20) => Errno::ESRCH,
                kind if (kind, found.l_start, found.l_len) == (F_RDLCK, 80, 40) => Errno::EINTR,
                _ => Errno::EIO,
            })
        })
    });
    let expected = [Errno::ENOENT, Errno::EPERM, Errno::ESRCH, Errno::EINTR];
    for (found, expected) in found.into_iter().zip(expected) {
        ensure_eq!(found?, expected as i32);
    }
    Ok(())
}

fn any_close_drops_the_records() -> Outcome {
    let file = open()?;
    let fd = file.descriptor();
    lock(fd, F_SETLK, F_WRLCK, 0, 0)?;
    drop(open()?);
    ensure_eq!(error_in_child(|| lock(fd, F_SETLK, F_WRLCK, 0, 0))?, 0);
    lock(fd, F_SETLK, F_WRLCK, 0, 0)?;
    let second = open()?;
    call(Sysno::dup3, &[0, second.descriptor() as u64, 0])?;
    ensure_eq!(error_in_child(|| lock(fd, F_SETLK, F_WRLCK, 0, 0))?, 0);
    Ok(())
}

fn children_inherit_no_records() -> Outcome {
    let file = open()?;
    let fd = file.descriptor();
    lock(fd, F_SETLK, F_WRLCK, 0, 0)?;
    // The child's end does not take the parent's locks away either.
    ensure_eq!(error_in_child(|| lock(fd, F_SETLK, F_UNLCK, 0, 0))?, 0);
    ensure_eq!(error_in_child(|| lock(fd, F_SETLK, F_RDLCK, 0, 1))?, AGAIN);
    Ok(())
}

/// What the other program does in the next case: it is killed.
pub(crate) fn wait_to_be_killed() -> i32 {
    time::sleep_ms(60_000);
    0
}

extern "C" fn sleep_for_ever(page: u64) -> i32 {
    thread::wait_until_changed(page, 0);
    0
}

fn records_survive_execve_of_many_threads() -> Outcome {
    let page = thread::shared_page()?;
    let file = open()?;
    let fd = file.descriptor();
    let pid = spawn(|| {
        let locked = fcntl(fd, F_SETFD, 0).and_then(|_| lock(fd, F_SETLK, F_WRLCK, 0, 0));
        let started = thread::start(sleep_for_ever, page);
        if locked.is_err() || started.is_err() {
            return 1;
        }
        let words = [&b"conformance"[..], b"--helper", b"wait"].map(<[u8]>::to_vec);
        let _errno = process::execute(&program(), &words, &[]);
        98
    })?;
    let is_replaced = || {
        fs::read(&alloc::format!("/proc/{pid}/cmdline").into_bytes())
            .is_ok_and(|line| line.ends_with(b"wait\0"))
    };
    thread::eventually("the program is replaced", is_replaced)?;
    let holder = in_the_way(fd, F_GETLK, 0, 0)?;
    process::kill(pid, SIGKILL)?;
    wait_for(pid)?;
    ensure_eq!((holder.l_type, holder.l_pid), (F_WRLCK, pid));
    Ok(())
}

fn a_record_is_waited_for() -> Outcome {
    let file = open()?;
    let fd = file.descriptor();
    lock(fd, F_SETLK, F_WRLCK, 0, 1)?;
    let (reader, writer) = process::pipe()?;
    let waiter = spawn(|| {
        let told = io::write(writer.descriptor(), b"x").map(|_| 0);
        told.and_then(|_| lock(fd, F_SETLKW, F_RDLCK, 0, 1))
            .map_or(1, |_| 0)
    })?;
    io::read(reader.descriptor(), &mut [0])?;
    lock(fd, F_SETLK, F_UNLCK, 0, 0)?;
    ensure_eq!(ended(wait_for(waiter)?), 0);
    Ok(())
}

fn waiting_ends_with_a_signal() -> Outcome {
    let file = open()?;
    let fd = file.descriptor();
    lock(fd, F_SETLK, F_WRLCK, 0, 1)?;
    let outcome = error_in_child(|| {
        catch(SIGALRM);
        // Again and again: the first may come before the wait.
        call(Sysno::setitimer, &[0, &raw const TICKS as u64, 0])?;
        lock(fd, F_SETLKW, F_WRLCK, 0, 1)
    })?;
    ensure_eq!(outcome, Errno::EINTR as i32);
    Ok(())
}

static TICKS: [u64; 4] = [0, 10_000, 0, 10_000];

fn a_circle_is_refused() -> Outcome {
    let file = open()?;
    let fd = file.descriptor();
    let (reader, writer) = process::pipe()?;
    lock(fd, F_SETLK, F_WRLCK, 0, 1)?;
    // Whichever comes second closes the circle, and lets go by ending.
    let other = spawn(|| {
        let outcome = lock(fd, F_SETLK, F_WRLCK, 1, 1).and_then(|_| {
            io::write(writer.descriptor(), b"x")?;
            lock(fd, F_SETLKW, F_WRLCK, 0, 1)
        });
        outcome.map_or_else(|errno| errno as i32, |_| 0)
    })?;
    io::read(reader.descriptor(), &mut [0])?;
    let outcome = lock(fd, F_SETLKW, F_WRLCK, 1, 1);
    lock(fd, F_SETLK, F_UNLCK, 0, 0)?;
    let theirs = ended(wait_for(other)?);
    match outcome {
        Ok(_) => ensure_eq!(theirs, Errno::EDEADLK as i32),
        Err(errno) => ensure_eq!((errno, theirs), (Errno::EDEADLK, 0)),
    }
    Ok(())
}

fn open_file_records() -> Outcome {
    let (one, other) = (open()?, open()?);
    let (one, other) = (one.descriptor(), other.descriptor());
    lock(one, F_OFD_SETLK, F_WRLCK, 5, 5)?;
    ensure_eq!(lock(other, F_OFD_SETLK, F_RDLCK, 9, 1), Err(Errno::EAGAIN));
    // They and the process's are in each other's way, even in one process.
    ensure_eq!(lock(one, F_SETLK, F_RDLCK, 9, 1), Err(Errno::EAGAIN));
    let found = in_the_way(other, F_OFD_GETLK, 0, 0)?;
    ensure_eq!(
        (found.l_type, found.l_start, found.l_len, found.l_pid),
        (F_WRLCK, 5, 5, -1)
    );
    // A child shares the open file, and so the lock.
    ensure_eq!(error_in_child(|| lock(one, F_OFD_SETLK, F_UNLCK, 0, 0))?, 0);
    lock(other, F_OFD_SETLK, F_WRLCK, 0, 0)?;
    let mut owned = Flock {
        l_pid: 1,
        ..record(F_RDLCK, 0, 0)
    };
    ensure_eq!(fcntl(one, F_OFD_SETLK, addr_mut(&mut owned)), Err(Errno::EINVAL));
    Ok(())
}

fn record_argument_checks() -> Outcome {
    let file = open()?;
    let fd = file.descriptor();
    let check = |command, kind, start, len| lock(fd, command, kind, start, len).err();
    ensure_eq!(check(F_SETLK, 9, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(check(F_GETLK, F_UNLCK, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(check(F_SETLK, F_RDLCK, -1, 1), Some(Errno::EINVAL));
    ensure_eq!(check(F_SETLK, F_RDLCK, 3, -4), Some(Errno::EINVAL));
    ensure_eq!(check(F_SETLK, F_RDLCK, i64::MAX, 2), Some(Errno::EOVERFLOW));
    ensure_eq!(fcntl(fd, F_SETLK, 8), Err(Errno::EFAULT));
    ensure_eq!(lock(-1, F_SETLK, F_RDLCK, 0, 0), Err(Errno::EBADF));
    let mut behind = Flock {
        l_whence: 7,
        ..record(F_RDLCK, 0, 0)
    };
    ensure_eq!(fcntl(fd, F_SETLK, addr_mut(&mut behind)), Err(Errno::EINVAL));
    behind.l_whence = SEEK_END as i16;
    behind.l_start = -1;
    ensure_eq!(fcntl(fd, F_SETLK, addr_mut(&mut behind)), Err(Errno::EINVAL));
    io::write(fd, b"four")?;
    fcntl(fd, F_SETLK, addr_mut(&mut behind))?;
    let reader = fs::File::open(b"locked")?;
    ensure_eq!(
        lock(reader.descriptor(), F_SETLK, F_WRLCK, 0, 0),
        Err(Errno::EBADF)
    );
    let place = fs::File::open_with(b"locked", OpenFlags::PATH, 0)?;
    ensure_eq!(
        lock(place.descriptor(), F_GETLK, F_RDLCK, 0, 0),
        Err(Errno::EBADF)
    );
    Ok(())
}

fn locks_are_listed() -> Outcome {
    let Ok(listing) = fs::read(b"/proc/locks") else {
        return Err(Failure::Skip("no /proc/locks"));
    };
    let before = listing.iter().filter(|byte| **byte == b'\n').count();
    let file = open()?;
    flock(file.descriptor(), LOCK_EX)?;
    lock(file.descriptor(), F_SETLK, F_RDLCK, 3, 4)?;
    let listing = fs::read(b"/proc/locks")?;
    if listing.iter().filter(|byte| **byte == b'\n').count() == before {
        return Err(Failure::Skip("/proc/locks does not list"));
    }
    let (own, inode) = (process::id(), fs::metadata(b"locked")?.identity().1);
    let has = |start: &str, end: &str| {
        listing.split(|byte| *byte == b'\n').any(|line| {
            let line = line.split(|byte| *byte == b':').skip(1).collect::<Vec<_>>();
            let line = line.join(&b':');
            line.starts_with(alloc::format!(" {start} {own} ").as_bytes())
                && line.ends_with(alloc::format!(":{inode} {end}").as_bytes())
        })
    };
    ensure!(has("FLOCK  ADVISORY  WRITE", "0 EOF"));
    ensure!(has("POSIX  ADVISORY  READ", "3 6"));
    Ok(())
}

fn same_open_file_query() -> Outcome {
    let (one, other) = (open()?, open()?);
    let duplicate = fcntl(one.descriptor(), F_DUPFD, 0)?;
    match fcntl(one.descriptor(), F_DUPFD_QUERY, duplicate) {
        Err(Errno::EINVAL) => return Err(Failure::Skip("older than Linux 6.10")),
        answer => ensure_eq!(answer, Ok(1)),
    }
    ensure_eq!(
        fcntl(one.descriptor(), F_DUPFD_QUERY, other.descriptor() as u64),
        Ok(0)
    );
    Ok(())
}
