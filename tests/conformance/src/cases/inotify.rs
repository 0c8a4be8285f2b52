//! What watched files and directories tell of what happens to them (inotify(7)).

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::inotify::InotifyMask as Mask;
use los_abi::syscall::Sysno;
use rt::fs::{self, File};
use rt::{io, process};

use crate::harness::{Outcome, spawn, wait_for};
use crate::inotify::{create, event, make, read, watch};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure_eq};

cases![
    a_directory_hears_of_its_files,
    a_file_hears_of_itself,
    moves_come_in_pairs,
    replaced_files_are_gone,
    exchanged_names_move_both_ways,
    removed_files_end_their_watches,
    open_files_are_gone_when_closed,
    removed_directories_end_their_watches,
    links_change_the_attributes,
    listing_is_an_access,
    attributes_and_times,
    equal_events_are_one,
    programs_are_opened_and_closed,
];

fn a_directory_hears_of_its_files() -> Outcome {
    let fd = create()?;
    ensure_eq!(watch(fd, b".", Mask::ALL_EVENTS)?, 1);
    drop(make(b"f")?);
    let made = [
        event(1, Mask::CREATE, "f"),
        event(1, Mask::OPEN, "f"),
        event(1, Mask::CLOSE_WRITE, "f"),
    ];
    ensure_eq!(read(fd)?, made);
    fs::create_directory(b"d", 0o755)?;
    fs::symlink(b"f", b"l")?;
    fs::make_node(b"p", 0o010_600, 0)?;
    fs::remove_directory(b"d")?;
    fs::remove_file(b"l")?;
    let names = [
        event(1, Mask::CREATE | Mask::ISDIR, "d"),
        event(1, Mask::CREATE, "l"),
        event(1, Mask::CREATE, "p"),
        event(1, Mask::DELETE | Mask::ISDIR, "d"),
        event(1, Mask::DELETE, "l"),
    ];
    ensure_eq!(read(fd)?, names);
    let file = File::open_with(b"f", OpenFlags::WRONLY | OpenFlags::TRUNC, 0)?;
    drop(file);
    let emptied = [
        event(1, Mask::OPEN, "f"),
        event(1, Mask::MODIFY, "f"),
        event(1, Mask::CLOSE_WRITE, "f"),
    ];
    ensure_eq!(read(fd)?, emptied);
    Ok(())
}

fn a_file_hears_of_itself() -> Outcome {
    let fd = create()?;
    let file = make(b"f")?;
    watch(fd, b".", Mask::MODIFY | Mask::ACCESS)?;
    watch(fd, b"f", Mask::ALL_EVENTS)?;
    io::write(file.descriptor(), b"abc")?;
    let mut bytes = [0; 3];
    call(
        Sysno::pread64,
        &[file.descriptor() as u64, addr_mut(&mut bytes), 3, 0],
    )?;
    // At the end there is nothing to be read.
    call(
        Sysno::pread64,
        &[file.descriptor() as u64, addr_mut(&mut bytes), 3, 9],
    )?;
    call(Sysno::ftruncate, &[file.descriptor() as u64, 1])?;
    call(Sysno::fallocate, &[file.descriptor() as u64, 0, 0, 10])?;
    drop(file);
    let expected = [
        event(1, Mask::MODIFY, "f"),
        event(2, Mask::MODIFY, ""),
        event(1, Mask::ACCESS, "f"),
        event(2, Mask::ACCESS, ""),
        event(1, Mask::MODIFY, "f"),
        event(2, Mask::MODIFY, ""),
        event(1, Mask::MODIFY, "f"),
        event(2, Mask::MODIFY, ""),
        event(2, Mask::CLOSE_WRITE, ""),
    ];
    ensure_eq!(read(fd)?, expected);
    drop(File::open_with(b"f", OpenFlags::PATH, 0)?);
    ensure_eq!(read(fd)?, []);
    drop(File::open(b"f")?);
    ensure_eq!(
        read(fd)?,
        [event(2, Mask::OPEN, ""), event(2, Mask::CLOSE_NOWRITE, "")]
    );
    Ok(())
}

fn moves_come_in_pairs() -> Outcome {
    let fd = create()?;
    fs::create_directory(b"d", 0o755)?;
    drop(make(b"f")?);
    watch(fd, b".", Mask::ALL_EVENTS)?;
    watch(fd, b"d", Mask::ALL_EVENTS)?;
    watch(fd, b"f", Mask::ALL_EVENTS)?;
    fs::rename(b"f", b"d/g")?;
    let expected = [
        event(1, Mask::MOVED_FROM, "f"),
        event(2, Mask::MOVED_TO, "g"),
        event(3, Mask::MOVE_SELF, ""),
    ];
    ensure_eq!(read(fd)?, expected);
    fs::rename(b"d", b"e")?;
    let expected = [
        event(1, Mask::MOVED_FROM | Mask::ISDIR, "d"),
        event(1, Mask::MOVED_TO | Mask::ISDIR, "e"),
        event(2, Mask::MOVE_SELF, ""),
    ];
    ensure_eq!(read(fd)?, expected);
    // A watch goes with its directory.
    fs::remove_file(b"e/g")?;
    let found = read(fd)?;
    ensure_eq!(found.last(), Some(&event(2, Mask::DELETE, "g")));
    Ok(())
}

fn replaced_files_are_gone() -> Outcome {
    let fd = create()?;
    drop((make(b"a")?, make(b"b")?));
    watch(fd, b".", Mask::ALL_EVENTS)?;
    watch(fd, b"a", Mask::ALL_EVENTS)?;
    watch(fd, b"b", Mask::ALL_EVENTS)?;
    fs::rename(b"a", b"b")?;
    let expected = [
        event(1, Mask::MOVED_FROM, "a"),
        event(1, Mask::MOVED_TO, "b"),
        event(3, Mask::ATTRIB, ""),
        event(2, Mask::MOVE_SELF, ""),
        event(3, Mask::DELETE_SELF, ""),
        event(3, Mask::IGNORED, ""),
    ];
    ensure_eq!(read(fd)?, expected);
    Ok(())
}

fn exchanged_names_move_both_ways() -> Outcome {
    let fd = create()?;
    drop(make(b"a")?);
    fs::create_directory(b"b", 0o755)?;
    watch(fd, b".", Mask::ALL_EVENTS)?;
    const CWD: u64 = -100_i64 as u64;
    call(Sysno::renameat2, &[CWD, addr(b"a\0"), CWD, addr(b"b\0"), 2])?;
    let expected = [
        event(1, Mask::MOVED_FROM, "a"),
        event(1, Mask::MOVED_TO, "b"),
        event(1, Mask::MOVED_FROM | Mask::ISDIR, "b"),
        event(1, Mask::MOVED_TO | Mask::ISDIR, "a"),
    ];
    ensure_eq!(read(fd)?, expected);
    Ok(())
}

fn removed_files_end_their_watches() -> Outcome {
    let fd = create()?;
    drop(make(b"f")?);
    watch(fd, b".", Mask::DELETE)?;
    watch(fd, b"f", Mask::ALL_EVENTS)?;
    fs::remove_file(b"f")?;
    let expected = [
        event(2, Mask::ATTRIB, ""),
        event(2, Mask::DELETE_SELF, ""),
        event(2, Mask::IGNORED, ""),
        event(1, Mask::DELETE, "f"),
    ];
    ensure_eq!(read(fd)?, expected);
    ensure_eq!(call(Sysno::inotify_rm_watch, &[fd, 2]).err(), Some(Errno::EINVAL));
    Ok(())
}

fn open_files_are_gone_when_closed() -> Outcome {
    let fd = create()?;
    let file = make(b"f")?;
    watch(fd, b"f", Mask::ALL_EVENTS)?;
    fs::remove_file(b"f")?;
    ensure_eq!(read(fd)?, [event(1, Mask::ATTRIB, "")]);
    io::write(file.descriptor(), b"x")?;
    ensure_eq!(read(fd)?, [event(1, Mask::MODIFY, "")]);
    drop(file);
    let expected = [
        event(1, Mask::CLOSE_WRITE, ""),
        event(1, Mask::DELETE_SELF, ""),
        event(1, Mask::IGNORED, ""),
    ];
    ensure_eq!(read(fd)?, expected);
    Ok(())
}

fn removed_directories_end_their_watches() -> Outcome {
    let fd = create()?;
    fs::create_directory(b"d", 0o755)?;
    watch(fd, b".", Mask::ALL_EVENTS)?;
    watch(fd, b"d", Mask::ALL_EVENTS)?;
    fs::remove_directory(b"d")?;
    let expected = [
        event(2, Mask::DELETE_SELF, ""),
        event(2, Mask::IGNORED, ""),
        event(1, Mask::DELETE | Mask::ISDIR, "d"),
    ];
    ensure_eq!(read(fd)?, expected);
    Ok(())
}

fn links_change_the_attributes() -> Outcome {
    let fd = create()?;
    drop(make(b"f")?);
    watch(fd, b".", Mask::ALL_EVENTS)?;
    watch(fd, b"f", Mask::ALL_EVENTS)?;
    fs::hard_link(b"f", b"g")?;
    ensure_eq!(
        read(fd)?,
        [event(2, Mask::ATTRIB, ""), event(1, Mask::CREATE, "g")]
    );
    fs::remove_file(b"f")?;
    ensure_eq!(
        read(fd)?,
        [event(2, Mask::ATTRIB, ""), event(1, Mask::DELETE, "f")]
    );
    Ok(())
}

fn listing_is_an_access() -> Outcome {
    let fd = create()?;
    watch(fd, b".", Mask::ALL_EVENTS)?;
    fs::read_directory(b".")?;
    let expected = [
        event(1, Mask::OPEN | Mask::ISDIR, ""),
        event(1, Mask::ACCESS | Mask::ISDIR, ""),
        event(1, Mask::CLOSE_NOWRITE | Mask::ISDIR, ""),
    ];
    ensure_eq!(read(fd)?, expected);
    Ok(())
}

fn attributes_and_times() -> Outcome {
    let fd = create()?;
    drop(make(b"f")?);
    watch(fd, b"f", Mask::ALL_EVENTS)?;
    watch(fd, b".", Mask::ATTRIB)?;
    fs::set_permissions(b"f", 0o600)?;
    ensure_eq!(
        read(fd)?,
        [event(2, Mask::ATTRIB, "f"), event(1, Mask::ATTRIB, "")]
    );
    fs::set_permissions(b".", 0o700)?;
    ensure_eq!(read(fd)?, [event(2, Mask::ATTRIB | Mask::ISDIR, "")]);
    const CWD: u64 = -100_i64 as u64;
    const OMIT: i64 = (1 << 30) - 2;
    for (times, what) in [
        ([5, 0, 0, OMIT], Mask::ACCESS),
        ([0, OMIT, 5, 0], Mask::MODIFY),
        ([5, 0, 5, 0], Mask::ATTRIB),
    ] {
        call(Sysno::utimensat, &[CWD, addr(b"f\0"), addr(&times), 0])?;
        let found = read(fd)?;
        ensure_eq!(found.last(), Some(&event(1, what, "")));
    }
    call(Sysno::truncate, &[addr(b"f\0"), 5])?;
    ensure_eq!(read(fd)?, [event(1, Mask::MODIFY, "")]);
    Ok(())
}

fn equal_events_are_one() -> Outcome {
    let fd = create()?;
    let file = make(b"f")?;
    watch(fd, b"f", Mask::MODIFY | Mask::ATTRIB)?;
    for _ in 0..5 {
        io::write(file.descriptor(), b"x")?;
    }
    fs::set_permissions(b"f", 0o600)?;
    io::write(file.descriptor(), b"x")?;
    let expected = [Mask::MODIFY, Mask::ATTRIB, Mask::MODIFY].map(|what| event(1, what, ""));
    ensure_eq!(read(fd)?, expected);
    Ok(())
}

fn programs_are_opened_and_closed() -> Outcome {
    let fd = create()?;
    let path = super::program();
    watch(fd, &path, Mask::OPEN | Mask::CLOSE_NOWRITE)?;
    let child = spawn(|| {
        let words = [path.clone(), b"--list".to_vec()];
        for descriptor in [0, 1, 2] {
            let _ = io::close(descriptor);
        }
        let _ = process::execute(&path, &words, &[]);
        99
    })?;
    wait_for(child)?;
    let found = read(fd)?;
    ensure_eq!(found.first(), Some(&event(1, Mask::OPEN, "")));
    ensure_eq!(found.last(), Some(&event(1, Mask::CLOSE_NOWRITE, "")));
    Ok(())
}
