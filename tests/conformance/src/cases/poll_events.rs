//! Which conditions files report, and whom their changes wake: poll(2), epoll_ctl(2).

use alloc::format;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::isa::WireEpollEvent;
use los_abi::poll::{EPOLL_CTL_ADD, EPOLLET, EPOLLEXCLUSIVE, PollEvents, PollFd};
use los_abi::signal::SIGKILL;
use los_abi::syscall::Sysno;
use rt::fs::{self, File};
use rt::{io, process};

use crate::arch::EpollEvent as Event;
use crate::cases::ended;
use crate::harness::{Failure, Outcome, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure_eq};

cases![
    kinds_of_files_have_their_conditions,
    edges_are_of_one_side,
    exclusive_sets_share_wake_ups,
    exclusive_sets_pass_on_what_nobody_waits_for,
];

const IN: u32 = PollEvents::IN.bits() as u32;
const OUT: u32 = PollEvents::OUT.bits() as u32;
const EFD_SEMAPHORE: u64 = 1;

/// Everything that there is to ask for.
fn conditions(fd: u64) -> Result<u16, Errno> {
    let mut item = PollFd {
        fd: fd as i32,
        events: !0,
        revents: 0,
    };
    let no_time = [0_u64; 2];
    call(Sysno::ppoll, &[addr_mut(&mut item), 1, addr(&no_time), 0, 8])?;
    Ok(item.revents)
}

fn kinds_of_files_have_their_conditions() -> Outcome {
    const READ: u16 = 0x41;
    const WRITE: u16 = 0x104;
    let (reader, writer) = process::pipe()?;
    let ends = [&reader, &writer].map(|end| end.descriptor() as u64);
    ensure_eq!(conditions(ends[0])?, 0);
    ensure_eq!(conditions(ends[1])?, WRITE);
    io::write(writer.descriptor(), b"x")?;
    ensure_eq!(conditions(ends[0])?, READ);
    drop(writer);
    ensure_eq!(conditions(ends[0])?, READ | PollEvents::HUP.bits());
    // Counters and timers have the plain conditions only.
    let counter = call(Sysno::eventfd2, &[0, 0])?;
    ensure_eq!(conditions(counter)?, PollEvents::OUT.bits());
    io::write(counter as i32, &1_u64.to_ne_bytes())?;
    ensure_eq!(conditions(counter)?, (PollEvents::IN | PollEvents::OUT).bits());
    let set = call(Sysno::epoll_create1, &[0])?;
    ensure_eq!(conditions(set)?, 0);
    add(set, counter, IN)?;
    ensure_eq!(conditions(set)?, READ);
    File::open_with(b"file", OpenFlags::RDWR | OpenFlags::CREAT, 0o600)?;
    for path in [&b"file"[..], b".", b"/dev/null", b"/dev/zero", b"/dev/urandom"] {
        let file = File::open(path)?;
        let found = conditions(file.descriptor() as u64)?;
        ensure_eq!((path, found), (path, READ | WRITE));
    }
    let path = File::open_with(b"/", OpenFlags::PATH, 0)?;
    ensure_eq!(conditions(path.descriptor() as u64)?, PollEvents::NVAL.bits());
    Ok(())
}

fn add(set: u64, fd: u64, events: u32) -> Result<u64, Errno> {
    let event = Event::new(events, fd);
    call(Sysno::epoll_ctl, &[set, EPOLL_CTL_ADD.into(), fd, addr(&event)])
}

/// Waits for one event and returns its conditions, if there is one.
fn wait(set: u64, timeout_ms: u64) -> Result<Option<u32>, Errno> {
    let mut event = Event::default();
    let count = call(
        Sysno::epoll_pwait,
        &[set, addr_mut(&mut event), 1, timeout_ms, 0, 8],
    )?;
    Ok((count > 0).then(|| event.events()))
}

/// A read makes room for writers, which is no news to readers, and the other way round.
fn edges_are_of_one_side() -> Outcome {
    let counter = call(Sysno::eventfd2, &[3, EFD_SEMAPHORE])?;
    let [for_reading, for_writing] = [
        call(Sysno::epoll_create1, &[0])?,
        call(Sysno::epoll_create1, &[0])?,
    ];
    add(for_reading, counter, IN | EPOLLET)?;
    add(for_writing, counter, OUT | EPOLLET)?;
    let news = || -> Result<_, Errno> { Ok((wait(for_reading, 0)?, wait(for_writing, 0)?)) };
    ensure_eq!(news()?, (Some(IN), Some(OUT)));
    ensure_eq!(news()?, (None, None));
    let mut value = [0; 8];
    io::read(counter as i32, &mut value)?;
    ensure_eq!(news()?, (None, Some(OUT)));
    io::write(counter as i32, &1_u64.to_ne_bytes())?;
    ensure_eq!(news()?, (Some(IN), None));
    Ok(())
}

fn is_sleeping(pid: i32) -> Result<bool, Errno> {
    let stat = fs::read(format!("/proc/{pid}/stat").as_bytes())?;
    let state = stat.iter().rposition(|&byte| byte == b')').map(|at| at + 2);
    Ok(state.and_then(|at| stat.get(at)) == Some(&b'S'))
}

/// Lets two processes wait for a set each, without limit, and writes to a counter in both. One that hears of it ends
/// with 1.
fn listeners(manner: u32) -> Result<[i32; 2], Failure> {
    const NO_LIMIT: u64 = u64::MAX;
    let counter = call(Sysno::eventfd2, &[0, 0])?;
    let mut waiting = [0; 2];
    for pid in &mut waiting {
        let set = call(Sysno::epoll_create1, &[0])?;
        add(set, counter, IN | manner)?;
        *pid = spawn(|| match wait(set, NO_LIMIT) {
            Ok(heard) => i32::from(heard.is_some()),
            Err(_) => 10,
        })?;
        while !is_sleeping(*pid)? {
            rt::time::sleep_ms(5);
        }
    }
    io::write(counter as i32, &1_u64.to_ne_bytes())?;
    Ok(waiting)
}

fn exclusive_sets_share_wake_ups() -> Outcome {
    for pid in listeners(EPOLLET)? {
        ensure_eq!(ended(wait_for(pid)?), 1);
    }
    let waiting = listeners(EPOLLET | EPOLLEXCLUSIVE)?;
    let mut status = 0_u32;
    let first = call(Sysno::wait4, &[u64::MAX, addr_mut(&mut status), 0, 0])? as i32;
    let other = waiting[usize::from(waiting[0] == first)];
    // The write has woken everyone that it wakes.
    let is_left = is_sleeping(other)?;
    call(Sysno::kill, &[other as u64, SIGKILL.into()])?;
    wait_for(other)?;
    ensure_eq!((status, is_left), (1 << 8, true));
    Ok(())
}

/// A set that nobody waits for takes no wake-up from the next one.
fn exclusive_sets_pass_on_what_nobody_waits_for() -> Outcome {
    let counter = call(Sysno::eventfd2, &[0, 0])?;
    let sets = [
        call(Sysno::epoll_create1, &[0])?,
        call(Sysno::epoll_create1, &[0])?,
    ];
    for set in sets {
        add(set, counter, IN | EPOLLET | EPOLLEXCLUSIVE)?;
    }
    io::write(counter as i32, &1_u64.to_ne_bytes())?;
    ensure_eq!(sets.map(|set| wait(set, 0)), [Ok(Some(IN)), Ok(Some(IN))]);
    Ok(())
}
