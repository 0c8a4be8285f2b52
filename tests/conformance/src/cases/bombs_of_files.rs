//! Bombs of what belongs to open files: members of sets, pages of pipes, locks, open files themselves. See
//! [`super::bombs`].

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{
    F_DUPFD, F_GETPIPE_SZ, F_SETLK, F_SETPIPE_SZ, F_UNLCK, F_WRLCK, Flock, OpenFlags, SEEK_SET,
};
use los_abi::isa::WireEpollEvent;
use los_abi::poll::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, PollEvents};
use los_abi::syscall::Sysno;
use rt::fs;

use crate::arch::EpollEvent;
use crate::cases::bombs::{again_and_again, is_levitate, only_on_levitate, set_limit};
use crate::cases::ended;
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    members_of_sets_are_counted,
    pages_of_pipes_are_counted,
    pipes_that_are_filled_later_leave_the_kernel_its_memory,
    open_files_are_counted,
    locks_return_their_memory,
    limits_can_be_told,
    limits_can_be_changed,
];

const RLIMIT_NOFILE: u64 = 7;
/// A user of whom nobody else runs anything.
const USER: u64 = 4245;
const NONBLOCK: u64 = 0o4000;

fn become_user() -> Result<(), Errno> {
    call(Sysno::setresgid, &[USER, USER, USER])?;
    call(Sysno::setresuid, &[USER, USER, USER]).map(drop)
}

fn number_in(path: &[u8]) -> Result<u64, Errno> {
    let text = fs::read(path)?;
    let text = core::str::from_utf8(&text).map_err(|_| Errno::EINVAL)?;
    let first = text.split_whitespace().next().ok_or(Errno::EINVAL)?;
    first.parse().map_err(|_| Errno::EINVAL)
}

/// Runs a check as another user, who may have so many descriptors. The check returns the number of the step that
/// fails.
fn as_user(descriptors: u64, check: impl Fn() -> Result<(), i32>) -> Outcome {
    const NOT_ROOT: i32 = 77;
    let status = in_child(|| {
        if set_limit(RLIMIT_NOFILE, descriptors).is_err() || become_user().is_err() {
            return NOT_ROOT;
        }
        check().err().unwrap_or(0)
    })?;
    match ended(status) {
        NOT_ROOT => Err(Failure::Skip("not root")),
        status => {
            ensure_eq!(status, 0);
            Ok(())
        }
    }
}

fn step(number: i32) -> impl Fn(Errno) -> i32 {
    move |_| number
}

fn control(set: u64, operation: u32, fd: u64) -> Result<u64, Errno> {
    let event = EpollEvent::new(PollEvents::IN.bits().into(), fd);
    call(Sysno::epoll_ctl, &[set, operation.into(), fd, addr(&event)])
}

/// A user's sets have so many members in all, and what goes makes room for others.
fn members_of_sets_are_counted() -> Outcome {
    const DESCRIPTORS: u64 = 1000;
    let most = number_in(b"/proc/sys/fs/epoll/max_user_watches")?;
    if most > 300_000 {
        return Err(Failure::Skip("fs.epoll.max_user_watches is high"));
    }
    again_and_again(|| {
        as_user(DESCRIPTORS + 2 * most / DESCRIPTORS, || {
            fill_sets(most, DESCRIPTORS)
        })
    })
}

/// Makes sets with so many members each until there can be no more of them.
fn fill_sets(most: u64, members: u64) -> Result<(), i32> {
    let counter = call(Sysno::eventfd2, &[0, 0]).map_err(step(1))?;
    let mut last = counter;
    for _ in 1..members {
        last = call(Sysno::fcntl, &[counter, F_DUPFD.into(), counter]).map_err(step(2))?;
    }
    let mut made = 0;
    let (first_set, refused) = fill(&mut made, counter, last)?;
    if refused != Errno::ENOSPC || made != most {
        return Err(3);
    }
    let spare = call(Sysno::epoll_create1, &[0]).map_err(step(4))?;
    let add = || control(spare, EPOLL_CTL_ADD, counter);
    // What is there already is told before that.
    let known = control(first_set, EPOLL_CTL_ADD, counter).err();
    if add() != Err(Errno::ENOSPC) || known != Some(Errno::EEXIST) {
        return Err(5);
    }
    control(first_set, EPOLL_CTL_DEL, counter).map_err(step(6))?;
    add().map_err(step(7))?;
    // A set that goes takes its members along.
    call(Sysno::close, &[first_set]).map_err(step(8))?;
    control(spare, EPOLL_CTL_ADD, last).map_err(step(9))?;
    // And so does a file.
    call(Sysno::close_range, &[counter, last, 0]).map_err(step(10))?;
    let counter = call(Sysno::eventfd2, &[0, 0]).map_err(step(11))?;
    for _ in 0..most / members {
        let set = call(Sysno::epoll_create1, &[0]).map_err(step(12))?;
        control(set, EPOLL_CTL_ADD, counter).map_err(step(13))?;
    }
    Ok(())
}

/// Returns the first set, and why there was no further member.
fn fill(made: &mut u64, first: u64, last: u64) -> Result<(u64, Errno), i32> {
    let mut first_set = None;
    loop {
        let set = call(Sysno::epoll_create1, &[0]).map_err(step(20))?;
        first_set.get_or_insert(set);
        for fd in first..=last {
            match control(set, EPOLL_CTL_ADD, fd) {
                Ok(_) => *made += 1,
                Err(errno) => return Ok((first_set.unwrap_or(set), errno)),
            }
        }
    }
}

fn pipe() -> Result<[i32; 2], Errno> {
    let mut ends = [0; 2];
    call(Sysno::pipe2, &[addr_mut(&mut ends), NONBLOCK])?;
    Ok(ends)
}

fn size_of_pipe(end: i32) -> Result<u64, Errno> {
    call(Sysno::fcntl, &[end as u64, F_GETPIPE_SZ.into()])
}

fn resize_pipe(end: i32, bytes: u64) -> Result<u64, Errno> {
    call(Sysno::fcntl, &[end as u64, F_SETPIPE_SZ.into(), bytes])
}

/// Who has many full-sized pipes gets small ones, and may not let any grow (pipe(7)).
fn pages_of_pipes_are_counted() -> Outcome {
    const FULL: u64 = 65_536;
    const SMALL: u64 = 8192;
    let most = number_in(b"/proc/sys/fs/pipe-user-pages-soft")?;
    let hard = number_in(b"/proc/sys/fs/pipe-user-pages-hard")?;
    if most == 0 || most > 20_000 || hard != 0 {
        return Err(Failure::Skip("not the usual limits of pipes"));
    }
    let pipes = most / 16;
    again_and_again(|| {
        as_user(2 * pipes + 20, || {
            let first = pipe().map_err(step(1))?[0];
            for _ in 1..pipes {
                let end = pipe().map_err(step(2))?[0];
                if size_of_pipe(end) != Ok(FULL) {
                    return Err(3);
                }
            }
            let small = pipe().map_err(step(4))?[0];
            if size_of_pipe(small) != Ok(SMALL) || resize_pipe(small, 2 * SMALL) != Err(Errno::EPERM) {
                return Err(5);
            }
            // Any may shrink, and then not even grow again.
            let shrunk = (resize_pipe(small, 0), resize_pipe(small, SMALL));
            if shrunk != (Ok(4096), Err(Errno::EPERM)) {
                return Err(6);
            }
            resize_pipe(first, 4096).map_err(step(7))?;
            let grown = (resize_pipe(small, SMALL), resize_pipe(small, 1 << 20));
            if grown != (Ok(SMALL), Err(Errno::EPERM)) {
                return Err(8);
            }
            Ok(())
        })
    })
}

/// Pipes that are made while there is memory and filled when there is none.
fn pipes_that_are_filled_later_leave_the_kernel_its_memory() -> Outcome {
    const PIPES: usize = 900;
    const PROCESSES: usize = 8;
    if !is_levitate()? {
        return Err(Failure::Skip("it would take all that the host has"));
    }
    let bomb = || {
        let mut ends = [[0; 2]; PIPES];
        for ends in &mut ends {
            *ends = pipe().map_err(step(1))?;
        }
        let bytes = [7_u8; 4096];
        for [_, writer] in ends {
            loop {
                match call(Sysno::write, &[writer as u64, addr(&bytes), 4096]) {
                    Ok(_) => {}
                    Err(Errno::EAGAIN | Errno::ENOMEM) => break,
                    Err(_) => return Err(2),
                }
            }
        }
        Ok(())
    };
    again_and_again(|| {
        let status = in_child(|| {
            let users = (0..PROCESSES as u64).map(|user| {
                crate::harness::spawn(|| {
                    let id = USER + user;
                    let is_user = set_limit(RLIMIT_NOFILE, 2 * PIPES as u64 + 20).is_ok()
                        && call(Sysno::setresuid, &[id, id, id]).is_ok();
                    let outcome = if is_user { bomb() } else { Err(3) };
                    // All at once.
                    rt::time::sleep_ms(500);
                    outcome.err().unwrap_or(0)
                })
            });
            let users: Result<Vec<_>, _> = users.collect();
            let Ok(users) = users else { return 10 };
            users
                .into_iter()
                .map(|pid| crate::harness::wait_for(pid).map_or(11, ended))
                .find(|&status| status != 0 && status != 128 + 9)
                .unwrap_or(0)
        })?;
        ensure_eq!(ended(status), 0);
        Ok(())
    })
}

/// A user's files may be as many as `fs.file-max` in all; the superuser is not held to that.
fn open_files_are_counted() -> Outcome {
    let most = number_in(b"/proc/sys/fs/file-max")?;
    ensure!(number_in(b"/proc/sys/fs/file-nr")? > 0);
    if most > 100_000 {
        return Err(Failure::Skip("fs.file-max is high"));
    }
    again_and_again(|| {
        as_user(most + 10, || {
            let open = || fs::File::open_with(b"/", OpenFlags::PATH, 0);
            let mut made = 0;
            let refused = loop {
                match open() {
                    Ok(file) => core::mem::forget(file),
                    Err(errno) => break errno,
                }
                made += 1;
            };
            if refused != Errno::ENFILE || made > most || made + 200 < most {
                return Err(1);
            }
            let others = [
                fs::File::open(b"/nothing-there").err(),
                pipe().err(),
                call(Sysno::eventfd2, &[0, 0]).err(),
                call(Sysno::epoll_create1, &[0]).err(),
                call(Sysno::inotify_init1, &[0]).err(),
                call(Sysno::memfd_create, &[addr(b"a\0"), 0]).err(),
                call(Sysno::timerfd_create, &[1, 0]).err(),
            ];
            if others != [Some(Errno::ENFILE); 7] {
                return Err(2);
            }
            // Another number for an open file is no further one.
            call(Sysno::dup, &[0]).map_err(step(3))?;
            Ok(())
        })
    })
}

/// Locks on every other byte cannot merge.
fn locks_return_their_memory() -> Outcome {
    const LOCKS: i64 = 3000;
    let file = fs::File::open_with(b"locked", OpenFlags::RDWR | OpenFlags::CREAT, 0o600)?;
    let lock = |kind: i16, start: i64, length: i64| {
        let wish = Flock {
            l_type: kind,
            l_whence: SEEK_SET as i16,
            l_start: start,
            l_len: length,
            ..Flock::default()
        };
        call(
            Sysno::fcntl,
            &[file.descriptor() as u64, F_SETLK.into(), addr(&wish)],
        )
    };
    again_and_again(|| {
        let status = in_child(|| {
            for at in 0..LOCKS {
                if lock(F_WRLCK, 2 * at, 1).is_err() {
                    return 1;
                }
            }
            // A hole in the middle, and everything that is left.
            let holes = (0..LOCKS / 2).all(|at| lock(F_UNLCK, 4 * at, 1).is_ok());
            i32::from(!holes) * 2
        })?;
        ensure_eq!(ended(status), 0);
        // They went with the process.
        ensure_eq!(lock(F_WRLCK, 0, 0), Ok(0));
        ensure_eq!(lock(F_UNLCK, 0, 0), Ok(0));
        Ok(())
    })
}

fn store(path: &[u8], value: &[u8]) -> Result<(), Errno> {
    fs::File::open_with(path, OpenFlags::WRONLY, 0)?.write_all(value)
}

/// Each is a number, takes itself and nothing that is none.
fn limits_can_be_told() -> Outcome {
    const LIMITS: [&[u8]; 9] = [
        b"/proc/sys/fs/file-max",
        b"/proc/sys/fs/nr_open",
        b"/proc/sys/fs/pipe-max-size",
        b"/proc/sys/fs/pipe-user-pages-soft",
        b"/proc/sys/fs/pipe-user-pages-hard",
        b"/proc/sys/fs/epoll/max_user_watches",
        b"/proc/sys/fs/inotify/max_queued_events",
        b"/proc/sys/fs/inotify/max_user_instances",
        b"/proc/sys/fs/inotify/max_user_watches",
    ];
    for path in LIMITS {
        let value = number_in(path)?;
        let text = alloc::format!("{value}\n");
        match store(path, text.as_bytes()) {
            Err(Errno::EACCES | Errno::EPERM | Errno::EROFS) => return Err(Failure::Skip("not root")),
            stored => ensure_eq!((path, stored), (path, Ok(()))),
        }
        ensure_eq!((path, store(path, b"x")), (path, Err(Errno::EINVAL)));
        ensure_eq!((path, number_in(path)), (path, Ok(value)));
    }
    Ok(())
}

/// Changes a limit while a check runs as another user.
fn with_limit(path: &[u8], value: &[u8], check: impl Fn() -> Result<(), i32>) -> Outcome {
    let before = fs::read(path)?;
    store(path, value)?;
    let outcome = as_user(100, check);
    store(path, &before)?;
    outcome
}

/// Limits hold from when they are changed. On Levitate only, where the machine is the test's own.
fn limits_can_be_changed() -> Outcome {
    only_on_levitate()?;
    with_limit(b"/proc/sys/fs/epoll/max_user_watches", b"2", || {
        let set = call(Sysno::epoll_create1, &[0]).map_err(step(1))?;
        let mut outcomes = [Ok(0); 3];
        for outcome in &mut outcomes {
            let counter = call(Sysno::eventfd2, &[0, 0]).map_err(step(2))?;
            *outcome = control(set, EPOLL_CTL_ADD, counter);
        }
        let wanted = [Ok(0), Ok(0), Err(Errno::ENOSPC)];
        if outcomes == wanted { Ok(()) } else { Err(3) }
    })?;
    with_limit(b"/proc/sys/fs/pipe-user-pages-hard", b"40", || {
        let made = [pipe(), pipe(), pipe()].map(|made| made.err());
        let wanted = [None, None, Some(Errno::ENFILE)];
        if made == wanted { Ok(()) } else { Err(4) }
    })?;
    with_limit(b"/proc/sys/fs/pipe-max-size", b"5000", || {
        let end = pipe().map_err(step(5))?[0];
        let found = (size_of_pipe(end), resize_pipe(end, 8193));
        if found == (Ok(8192), Err(Errno::EPERM)) {
            Ok(())
        } else {
            Err(6)
        }
    })?;
    const NR_OPEN: &[u8] = b"/proc/sys/fs/nr_open";
    let before = fs::read(NR_OPEN)?;
    let status = in_child(|| {
        if set_limit(RLIMIT_NOFILE, 200).is_err() || store(NR_OPEN, b"128").is_err() {
            return 1;
        }
        let far = call(Sysno::fcntl, &[0, F_DUPFD.into(), 128]);
        let near = call(Sysno::fcntl, &[0, F_DUPFD.into(), 127]);
        let again = set_limit(RLIMIT_NOFILE, 200);
        i32::from((near, far, again) != (Ok(127), Err(Errno::EMFILE), Err(Errno::EPERM))) * 2
    })?;
    store(NR_OPEN, &before)?;
    ensure_eq!(ended(status), 0);
    Ok(())
}
