//! Sets of files to wait for: epoll(7).

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::isa::WireEpollEvent;
use los_abi::poll::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLONESHOT, PollEvents};
use los_abi::syscall::Sysno;
use rt::fs::File;
use rt::{io, process};

use crate::arch::EpollEvent as Event;
use crate::harness::{Outcome, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    epoll_reports_what_holds,
    epoll_reports_edges_once,
    epoll_one_shot,
    epoll_waits_and_times_out,
    epoll_hears_the_other_end_go,
    epoll_argument_checks,
    epoll_descriptors_are_watched_by_file,
    epoll_in_epoll,
    epoll_hears_of_files_added_to_an_inner_set,
    epoll_keeps_what_cannot_be_stored,
    epoll_one_shot_hears_of_the_end,
    epoll_gives_every_file_its_turn,
    epoll_counts_the_ways_up,
];

const IN: u32 = PollEvents::IN.bits() as u32;
const OUT: u32 = PollEvents::OUT.bits() as u32;

fn create() -> Result<u64, Errno> {
    call(Sysno::epoll_create1, &[0])
}

fn control(set: u64, operation: u32, fd: i32, events: u32, data: u64) -> Result<u64, Errno> {
    let event = Event::new(events, data);
    call(
        Sysno::epoll_ctl,
        &[set, operation.into(), fd as u64, addr(&event)],
    )
}

/// Waits for up to four events and returns them.
fn wait(set: u64, timeout_ms: i32) -> Result<Vec<(u32, u64)>, Errno> {
    let mut events = [Event::default(); 4];
    let arguments = [set, addr_mut(&mut events), 4, timeout_ms as u64, 0, 8];
    let count = call(Sysno::epoll_pwait, &arguments)?;
    let found = &events[..count as usize];
    Ok(found.iter().map(|event| (event.events(), event.data())).collect())
}

fn epoll_reports_what_holds() -> Outcome {
    let set = create()?;
    let (reader, writer) = process::pipe()?;
    control(set, EPOLL_CTL_ADD, reader.descriptor(), IN, 1 << 40)?;
    control(set, EPOLL_CTL_ADD, writer.descriptor(), OUT, 2)?;
    ensure_eq!(wait(set, 0)?, [(OUT, 2)]);
    control(set, EPOLL_CTL_MOD, writer.descriptor(), IN, 2)?;
    ensure_eq!(wait(set, 0)?, []);
    io::write(writer.descriptor(), b"x")?;
    ensure_eq!(wait(set, 0)?, [(IN, 1 << 40)]);
    ensure_eq!(wait(set, 0)?, [(IN, 1 << 40)]);
    control(set, EPOLL_CTL_DEL, reader.descriptor(), 0, 0)?;
    ensure_eq!(wait(set, 0)?, []);
    Ok(())
}

fn epoll_reports_edges_once() -> Outcome {
    let set = create()?;
    let (reader, writer) = process::pipe()?;
    control(set, EPOLL_CTL_ADD, reader.descriptor(), IN | EPOLLET, 1)?;
    io::write(writer.descriptor(), b"x")?;
    ensure_eq!(wait(set, 0)?, [(IN, 1)]);
    ensure_eq!(wait(set, 0)?, []);
    io::write(writer.descriptor(), b"y")?;
    ensure_eq!(wait(set, 0)?, [(IN, 1)]);
    // Less than all is read, and nothing new comes.
    let mut byte = [0];
    ensure_eq!(io::read(reader.descriptor(), &mut byte)?, 1);
    ensure_eq!(wait(set, 0)?, []);
    // Room is no news to a writer that had room.
    control(set, EPOLL_CTL_ADD, writer.descriptor(), OUT | EPOLLET, 2)?;
    ensure_eq!(wait(set, 0)?, [(OUT, 2)]);
    ensure_eq!(io::read(reader.descriptor(), &mut byte)?, 1);
    ensure_eq!(wait(set, 0)?, []);
    Ok(())
}

fn epoll_one_shot() -> Outcome {
    let set = create()?;
    let (reader, writer) = process::pipe()?;
    io::write(writer.descriptor(), b"x")?;
    let wanted = IN | EPOLLONESHOT;
    control(set, EPOLL_CTL_ADD, reader.descriptor(), wanted, 1)?;
    ensure_eq!(wait(set, 0)?, [(IN, 1)]);
    ensure_eq!(wait(set, 0)?, []);
    control(set, EPOLL_CTL_MOD, reader.descriptor(), wanted, 2)?;
    ensure_eq!(wait(set, 0)?, [(IN, 2)]);
    Ok(())
}

fn epoll_waits_and_times_out() -> Outcome {
    let set = create()?;
    let (reader, writer) = process::pipe()?;
    control(set, EPOLL_CTL_ADD, reader.descriptor(), IN, 1)?;
    ensure_eq!(wait(set, 20)?, []);
    let fd = writer.descriptor();
    let child = spawn(|| {
        rt::time::sleep_ms(20);
        i32::from(io::write(fd, b"x").is_err())
    })?;
    ensure_eq!(wait(set, -1)?, [(IN, 1)]);
    ensure_eq!(process::shell_status(wait_for(child)?), 0);
    Ok(())
}

fn epoll_hears_the_other_end_go() -> Outcome {
    let set = create()?;
    let (reader, writer) = process::pipe()?;
    control(set, EPOLL_CTL_ADD, reader.descriptor(), 0, 1)?;
    ensure_eq!(wait(set, 0)?, []);
    drop(writer);
    ensure_eq!(wait(set, -1)?, [(PollEvents::HUP.bits().into(), 1)]);
    Ok(())
}

fn epoll_argument_checks() -> Outcome {
    let set = create()?;
    let (reader, _writer) = process::pipe()?;
    let fd = reader.descriptor();
    ensure_eq!(call(Sysno::epoll_create1, &[1]), Err(Errno::EINVAL));
    ensure_eq!(control(set, EPOLL_CTL_MOD, fd, IN, 0), Err(Errno::ENOENT));
    ensure_eq!(control(set, EPOLL_CTL_DEL, fd, IN, 0), Err(Errno::ENOENT));
    ensure_eq!(control(set, 9, fd, IN, 0), Err(Errno::EINVAL));
    control(set, EPOLL_CTL_ADD, fd, IN, 0)?;
    ensure_eq!(control(set, EPOLL_CTL_ADD, fd, IN, 0), Err(Errno::EEXIST));
    ensure_eq!(control(set, EPOLL_CTL_ADD, set as i32, IN, 0), Err(Errno::EINVAL));
    ensure_eq!(control(fd as u64, EPOLL_CTL_ADD, fd, IN, 0), Err(Errno::EINVAL));
    ensure_eq!(control(999, EPOLL_CTL_ADD, fd, IN, 0), Err(Errno::EBADF));
    ensure_eq!(control(set, EPOLL_CTL_ADD, 999, IN, 0), Err(Errno::EBADF));
    let no_event = call(Sysno::epoll_ctl, &[set, EPOLL_CTL_ADD.into(), 999, 0]);
    ensure_eq!(no_event, Err(Errno::EFAULT));
    let file = File::open_with(b"f", OpenFlags::RDWR | OpenFlags::CREAT, 0o600)?;
    let regular = control(set, EPOLL_CTL_ADD, file.descriptor(), IN, 0);
    ensure_eq!(regular, Err(Errno::EPERM));
    let mut event = Event::default();
    let mut wait = |fd: u64, max: u64| call(Sysno::epoll_pwait, &[fd, addr_mut(&mut event), max, 0, 0, 8]);
    ensure_eq!(wait(set, 0), Err(Errno::EINVAL));
    ensure_eq!(wait(set, u64::from(u32::MAX)), Err(Errno::EINVAL));
    ensure_eq!(wait(fd as u64, 1), Err(Errno::EINVAL));
    ensure_eq!(wait(999, 1), Err(Errno::EBADF));
    Ok(())
}

fn epoll_descriptors_are_watched_by_file() -> Outcome {
    let set = create()?;
    let (reader, writer) = process::pipe()?;
    io::write(writer.descriptor(), b"x")?;
    control(set, EPOLL_CTL_ADD, reader.descriptor(), IN, 1)?;
    let copy = call(Sysno::dup, &[reader.descriptor() as u64])?;
    // The copy is a member of its own, and keeps the first one alive.
    control(set, EPOLL_CTL_ADD, copy as i32, IN, 2)?;
    drop(reader);
    ensure_eq!(wait(set, 0)?.len(), 2);
    call(Sysno::close, &[copy])?;
    ensure_eq!(wait(set, 0)?, []);
    Ok(())
}

fn epoll_in_epoll() -> Outcome {
    let (outer, inner) = (create()?, create()?);
    let (reader, writer) = process::pipe()?;
    control(inner, EPOLL_CTL_ADD, reader.descriptor(), IN, 1)?;
    control(outer, EPOLL_CTL_ADD, inner as i32, IN, 2)?;
    ensure_eq!(
        control(inner, EPOLL_CTL_ADD, outer as i32, IN, 0),
        Err(Errno::ELOOP)
    );
    ensure_eq!(wait(outer, 0)?, []);
    io::write(writer.descriptor(), b"x")?;
    ensure!(wait(outer, -1)? == [(IN, 2)]);
    Ok(())
}

fn epoll_hears_of_files_added_to_an_inner_set() -> Outcome {
    let (outer, inner) = (create()?, create()?);
    let (reader, writer) = process::pipe()?;
    control(outer, EPOLL_CTL_ADD, inner as i32, IN | EPOLLET, 2)?;
    ensure_eq!(wait(outer, 0)?, []);
    let (set, watched, fd) = (inner, reader.descriptor(), writer.descriptor());
    let child = spawn(|| {
        rt::time::sleep_ms(20);
        let added = control(set, EPOLL_CTL_ADD, watched, IN, 1);
        i32::from(added.is_err() || io::write(fd, b"x").is_err())
    })?;
    ensure_eq!(wait(outer, -1)?, [(IN, 2)]);
    ensure_eq!(process::shell_status(wait_for(child)?), 0);
    // The inner set is as ready as before.
    ensure_eq!(wait(outer, 0)?, []);
    io::write(fd, b"y")?;
    ensure_eq!(wait(outer, 0)?, [(IN, 2)]);
    Ok(())
}

fn epoll_keeps_what_cannot_be_stored() -> Outcome {
    let set = create()?;
    let (reader, writer) = process::pipe()?;
    let wanted = IN | EPOLLET | EPOLLONESHOT;
    control(set, EPOLL_CTL_ADD, reader.descriptor(), wanted, 1)?;
    io::write(writer.descriptor(), b"x")?;
    let nowhere = call(Sysno::epoll_pwait, &[set, 16, 4, 0, 0, 8]);
    ensure_eq!(nowhere, Err(Errno::EFAULT));
    ensure_eq!(wait(set, 0)?, [(IN, 1)]);
    ensure_eq!(wait(set, 0)?, []);
    Ok(())
}

fn epoll_one_shot_hears_of_the_end() -> Outcome {
    let set = create()?;
    let (reader, writer) = process::pipe()?;
    control(set, EPOLL_CTL_ADD, reader.descriptor(), EPOLLONESHOT, 1)?;
    drop(writer);
    ensure_eq!(wait(set, 0)?, [(PollEvents::HUP.bits().into(), 1)]);
    ensure_eq!(wait(set, 0)?, []);
    Ok(())
}

fn epoll_gives_every_file_its_turn() -> Outcome {
    let set = create()?;
    let mut pipes = Vec::new();
    for data in 0..3 {
        let (reader, writer) = process::pipe()?;
        control(set, EPOLL_CTL_ADD, reader.descriptor(), IN, data)?;
        io::write(writer.descriptor(), b"x")?;
        pipes.push((reader, writer));
    }
    for turn in 0..6 {
        let mut event = Event::default();
        let count = call(Sysno::epoll_pwait, &[set, addr_mut(&mut event), 1, 0, 0, 8])?;
        ensure_eq!((count, event.data()), (1, turn % 3));
    }
    Ok(())
}

/// A file may be told of through so many chains of sets, the longer the fewer.
fn epoll_counts_the_ways_up() -> Outcome {
    const WAYS: usize = 500;
    let counter = call(Sysno::eventfd2, &[0, 0])? as i32;
    let (inner, empty) = (create()?, create()?);
    control(inner, EPOLL_CTL_ADD, counter, IN, 1)?;
    for _ in 0..WAYS {
        let outer = create()?;
        control(outer, EPOLL_CTL_ADD, inner as i32, IN, 2)?;
        control(outer, EPOLL_CTL_ADD, empty as i32, IN, 3)?;
    }
    let beyond = create()?;
    ensure_eq!(
        control(beyond, EPOLL_CTL_ADD, inner as i32, IN, 2).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(
        control(beyond, EPOLL_CTL_DEL, inner as i32, 0, 0).err(),
        Some(Errno::ENOENT)
    );
    // As many as allowed lead to the next one, too; but to a set without files, any number may.
    let other = call(Sysno::eventfd2, &[0, 0])? as i32;
    control(inner, EPOLL_CTL_ADD, other, IN, 4)?;
    control(beyond, EPOLL_CTL_ADD, empty as i32, IN, 5)?;
    ensure_eq!(
        control(empty, EPOLL_CTL_ADD, counter, IN, 6).err(),
        Some(Errno::EINVAL)
    );
    control(beyond, EPOLL_CTL_DEL, empty as i32, 0, 0)?;
    // Those by way of the other set count as well.
    ensure_eq!(
        control(empty, EPOLL_CTL_ADD, counter, IN, 6).err(),
        Some(Errno::EINVAL)
    );
    control(
        empty,
        EPOLL_CTL_ADD,
        call(Sysno::eventfd2, &[0, 0])? as i32,
        IN,
        7,
    )?;
    Ok(())
}
