//! Watching files: inotify(7).

use alloc::string::String;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::inotify::{InotifyEvent, InotifyFlags, InotifyMask as Mask};
use los_abi::poll::PollEvents;
use los_abi::syscall::Sysno;
use los_abi::tty::FIONREAD;
use rt::fs::{self, File};
use rt::{io, process, time};
use zerocopy::FromBytes;

use crate::descriptors::{is_readable, readiness, target};
use crate::harness::{Outcome, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

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
    a_watch_can_be_changed,
    a_watch_for_one_event,
    children_without_names_can_be_excluded,
    links_can_be_watched_themselves,
    only_directories,
    a_read_waits,
    small_buffers,
    events_are_counted_in_bytes,
    programs_are_opened_and_closed,
    facts_are_shown,
    argument_checks,
];

type Event = (i32, Mask, String);

fn create() -> Result<u64, Errno> {
    call(Sysno::inotify_init1, &[InotifyFlags::NONBLOCK.bits().into()])
}

fn watch(fd: u64, path: &[u8], mask: Mask) -> Result<i32, Errno> {
    let mut name = path.to_vec();
    name.push(0);
    let wd = call(
        Sysno::inotify_add_watch,
        &[fd, addr(&name[..]), mask.bits().into()],
    )?;
    Ok(wd as i32)
}

/// Reads all events: watch, what, and name.
fn read(fd: u64) -> Result<Vec<Event>, Errno> {
    let mut bytes = [0xaa_u8; 4096];
    let length = match io::read(fd as i32, &mut bytes) {
        Err(Errno::EAGAIN) => 0,
        length => length?,
    };
    let mut rest = &bytes[..length];
    let mut events = Vec::new();
    let mut cookie = 0;
    while let Ok((event, behind)) = InotifyEvent::read_from_prefix(rest) {
        let (name, next) = behind.split_at(event.len as usize);
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        let mask = Mask::from_bits_retain(event.mask);
        let is_move = mask.intersects(Mask::MOVED_FROM | Mask::MOVED_TO);
        let is_second = mask.contains(Mask::MOVED_TO) && cookie != 0;
        if (event.cookie != 0) != is_move || is_second && event.cookie != cookie {
            return Err(Errno::EBADMSG);
        }
        if event.len % 16 != 0 || name[end..].iter().any(|byte| *byte != 0) {
            return Err(Errno::EBADMSG);
        }
        cookie = event.cookie;
        let name = String::from_utf8_lossy(&name[..end]).into_owned();
        events.push((event.wd, mask, name));
        rest = next;
    }
    Ok(events)
}

fn event(wd: i32, mask: Mask, name: &str) -> Event {
    (wd, mask, String::from(name))
}

fn make(path: &[u8]) -> Result<File, Errno> {
    File::open_with(path, OpenFlags::CREAT | OpenFlags::RDWR, 0o644)
}

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

fn a_watch_can_be_changed() -> Outcome {
    let fd = create()?;
    drop(make(b"f")?);
    ensure_eq!(watch(fd, b"f", Mask::ATTRIB)?, 1);
    ensure_eq!(watch(fd, b"./f", Mask::OPEN | Mask::MASK_ADD)?, 1);
    let again = watch(fd, b"f", Mask::OPEN | Mask::MASK_CREATE);
    ensure_eq!(again.err(), Some(Errno::EEXIST));
    fs::set_permissions(b"f", 0o600)?;
    drop(File::open(b"f")?);
    ensure_eq!(read(fd)?, [event(1, Mask::ATTRIB, ""), event(1, Mask::OPEN, "")]);
    ensure_eq!(watch(fd, b"f", Mask::OPEN)?, 1);
    fs::set_permissions(b"f", 0o644)?;
    ensure_eq!(read(fd)?, []);
    call(Sysno::inotify_rm_watch, &[fd, 1])?;
    ensure_eq!(read(fd)?, [event(1, Mask::IGNORED, "")]);
    // Numbers are not used again.
    ensure_eq!(watch(fd, b"f", Mask::OPEN)?, 2);
    Ok(())
}

fn a_watch_for_one_event() -> Outcome {
    let fd = create()?;
    drop(make(b"f")?);
    watch(fd, b"f", Mask::ATTRIB | Mask::ONESHOT)?;
    fs::set_permissions(b"f", 0o600)?;
    fs::set_permissions(b"f", 0o644)?;
    ensure_eq!(
        read(fd)?,
        [event(1, Mask::ATTRIB, ""), event(1, Mask::IGNORED, "")]
    );
    Ok(())
}

fn children_without_names_can_be_excluded() -> Outcome {
    let fd = create()?;
    let file = make(b"f")?;
    watch(fd, b".", Mask::MODIFY)?;
    fs::remove_file(b"f")?;
    io::write(file.descriptor(), b"x")?;
    ensure_eq!(read(fd)?, [event(1, Mask::MODIFY, "f")]);
    watch(fd, b".", Mask::MODIFY | Mask::EXCL_UNLINK)?;
    io::write(file.descriptor(), b"x")?;
    ensure_eq!(read(fd)?, []);
    Ok(())
}

fn links_can_be_watched_themselves() -> Outcome {
    let fd = create()?;
    drop(make(b"f")?);
    fs::symlink(b"f", b"l")?;
    ensure_eq!(watch(fd, b"l", Mask::ALL_EVENTS | Mask::DONT_FOLLOW)?, 1);
    ensure_eq!(watch(fd, b"l", Mask::ATTRIB)?, 2);
    fs::set_permissions(b"l", 0o600)?;
    fs::remove_file(b"l")?;
    let expected = [
        event(2, Mask::ATTRIB, ""),
        event(1, Mask::ATTRIB, ""),
        event(1, Mask::DELETE_SELF, ""),
        event(1, Mask::IGNORED, ""),
    ];
    ensure_eq!(read(fd)?, expected);
    Ok(())
}

fn only_directories() -> Outcome {
    let fd = create()?;
    drop(make(b"f")?);
    let file = watch(fd, b"f", Mask::OPEN | Mask::ONLYDIR);
    ensure_eq!(file.err(), Some(Errno::ENOTDIR));
    watch(fd, b".", Mask::OPEN | Mask::ONLYDIR)?;
    Ok(())
}

fn a_read_waits() -> Outcome {
    let fd = call(Sysno::inotify_init1, &[0])?;
    watch(fd, b".", Mask::CREATE)?;
    ensure!(!is_readable(fd)?);
    let child = spawn(|| {
        time::sleep_ms(20);
        i32::from(make(b"f").is_err())
    })?;
    ensure_eq!(read(fd)?, [event(1, Mask::CREATE, "f")]);
    wait_for(child)?;
    let child = spawn(|| {
        time::sleep_ms(20);
        i32::from(make(b"g").is_err())
    })?;
    let both = PollEvents::IN | PollEvents::RDNORM;
    ensure_eq!(readiness(fd, both, 20_000)?, both);
    wait_for(child)?;
    Ok(())
}

fn small_buffers() -> Outcome {
    let fd = create()?;
    watch(fd, b".", Mask::CREATE)?;
    let mut bytes = [0; 64];
    // Without an event the size does not matter.
    ensure_eq!(io::read(fd as i32, &mut bytes[..1]), Err(Errno::EAGAIN));
    drop((make(b"a")?, make(b"b")?));
    ensure_eq!(io::read(fd as i32, &mut bytes[..31]), Err(Errno::EINVAL));
    ensure_eq!(io::read(fd as i32, &mut bytes[..33]), Ok(32));
    ensure_eq!(io::read(fd as i32, &mut bytes), Ok(32));
    drop(make(b"fifteen-letters")?);
    ensure_eq!(io::read(fd as i32, &mut bytes), Ok(32));
    drop(make(b"sixteen-letters-")?);
    ensure_eq!(io::read(fd as i32, &mut bytes), Ok(48));
    Ok(())
}

fn events_are_counted_in_bytes() -> Outcome {
    let fd = create()?;
    watch(fd, b".", Mask::CREATE)?;
    let mut length = -1_i32;
    call(Sysno::ioctl, &[fd, FIONREAD.into(), addr_mut(&mut length)])?;
    ensure_eq!(length, 0);
    drop((make(b"a")?, make(b"b")?));
    call(Sysno::ioctl, &[fd, FIONREAD.into(), addr_mut(&mut length)])?;
    ensure_eq!(length, 64);
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

fn facts_are_shown() -> Outcome {
    let fd = create()?;
    ensure_eq!(target(fd)?, b"anon_inode:inotify");
    drop(make(b"f")?);
    watch(fd, b"f", Mask::MODIFY | Mask::ONESHOT)?;
    let text = fs::read(alloc::format!("/proc/self/fdinfo/{fd}").as_bytes())?;
    let text = String::from_utf8_lossy(&text).into_owned();
    ensure!(text.contains("\ninotify wd:1 ino:"), "{text}");
    ensure!(text.contains(" mask:80000002 ignored_mask:0"), "{text}");
    for name in ["max_queued_events", "max_user_instances", "max_user_watches"] {
        let value = fs::read(alloc::format!("/proc/sys/fs/inotify/{name}").as_bytes())?;
        let number: Option<u64> = String::from_utf8_lossy(&value).trim().parse().ok();
        ensure!(number.is_some_and(|number| number > 100), "{name}");
    }
    Ok(())
}

fn argument_checks() -> Outcome {
    ensure_eq!(call(Sysno::inotify_init1, &[1]).err(), Some(Errno::EINVAL));
    let fd = call(Sysno::inotify_init1, &[InotifyFlags::CLOEXEC.bits().into()])?;
    ensure_eq!(call(Sysno::fcntl, &[fd, 1, 0]), Ok(1));
    ensure_eq!(watch(fd, b".", Mask::empty()).err(), Some(Errno::EINVAL));
    let unknown = Mask::from_bits_retain(0x1000);
    ensure_eq!(watch(999, b".", unknown).err(), Some(Errno::EINVAL));
    let both = Mask::OPEN | Mask::MASK_ADD | Mask::MASK_CREATE;
    ensure_eq!(watch(999, b".", both).err(), Some(Errno::EBADF));
    ensure_eq!(watch(fd, b".", both).err(), Some(Errno::EINVAL));
    ensure_eq!(watch(fd, b"nothing", Mask::OPEN).err(), Some(Errno::ENOENT));
    let (reader, _writer) = process::pipe()?;
    let other = reader.descriptor() as u64;
    ensure_eq!(watch(other, b"nothing", Mask::OPEN).err(), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::inotify_add_watch, &[fd, 16, 1]).err(),
        Some(Errno::EFAULT)
    );
    ensure_eq!(call(Sysno::inotify_rm_watch, &[fd, 1]).err(), Some(Errno::EINVAL));
    ensure_eq!(
        call(Sysno::inotify_rm_watch, &[other, 1]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(call(Sysno::inotify_rm_watch, &[999, 1]).err(), Some(Errno::EBADF));
    ensure_eq!(io::write(fd as i32, b"x"), Err(Errno::EBADF));
    // Only what may be read may be watched.
    drop(make(b"secret")?);
    fs::set_permissions(b"secret", 0)?;
    let child = spawn(|| {
        let refused =
            call(Sysno::setresuid, &[1000, 1000, 1000]).and_then(|_| watch(fd, b"secret", Mask::OPEN));
        i32::from(refused != Err(Errno::EACCES))
    })?;
    ensure_eq!(process::shell_status(wait_for(child)?), 0);
    Ok(())
}
