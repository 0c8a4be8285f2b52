//! Tests of watching, on a file system in memory.

use std::string::String;
use std::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{OpenFlags, RenameFlags};
use los_abi::inotify::{InotifyEvent, InotifyMask as Mask};
use mm::io::{SliceSource, VecSink};
use zerocopy::FromBytes;

use super::*;
use crate::credentials::Credentials;
use crate::inode::{FileOps, Io};
use crate::path::{Caller, Path};
use crate::user_limits::{Limit, limit};
use crate::walk::{At, Lookup, resolve};
use crate::{OpenFile, ops, testing};

const NONBLOCKING: Io = Io {
    flags: OpenFlags::NONBLOCK,
    size_limit: u64::MAX,
};

/// Users whose limits the other tests do not count.
const USER: u32 = 81_000;

struct World {
    root: Path,
    credentials: Credentials,
}

impl World {
    fn new() -> Self {
        Self {
            root: testing::root(),
            credentials: Credentials::root(),
        }
    }

    fn caller(&self) -> Caller<'_> {
        testing::caller(&self.root, &self.credentials)
    }

    fn open(&self, path: &str, flags: OpenFlags) -> Arc<OpenFile> {
        ops::open(&self.caller(), At::Cwd, path.as_bytes(), flags, 0o666).unwrap()
    }

    fn make(&self, path: &str) {
        self.open(path, OpenFlags::CREAT | OpenFlags::WRONLY);
    }

    fn unlink(&self, path: &str) {
        ops::unlink(&self.caller(), At::Cwd, path.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        ops::rename(&self.caller(), At::Cwd, from, At::Cwd, to, RenameFlags::empty()).unwrap();
    }

    fn watch(&self, inotify: &Inotify, path: &str, mask: Mask) -> Result<i32, Errno> {
        let found = resolve(&self.caller(), At::Cwd, path.as_bytes(), Lookup::FOLLOW)?;
        inotify.add(&found, mask)
    }
}

/// Reads everything: watch, event and name, with the cookies checked for pairs.
fn read(inotify: &Inotify) -> Vec<(i32, Mask, String)> {
    let mut sink = VecSink::new(1 << 16);
    match inotify.read_at(&mut sink, 0, &NONBLOCKING) {
        Ok(_) => {}
        Err(sync::Error::Errno(Errno::EAGAIN)) => return Vec::new(),
        Err(error) => panic!("{error:?}"),
    }
    let bytes = sink.into_vec();
    let mut rest = &bytes[..];
    let mut events = Vec::new();
    let mut cookie = 0;
    while !rest.is_empty() {
        let (event, behind) = InotifyEvent::read_from_prefix(rest).unwrap();
        let (name, next) = behind.split_at(event.len as usize);
        let name = String::from_utf8(name.iter().copied().take_while(|byte| *byte != 0).collect());
        let mask = Mask::from_bits_retain(event.mask);
        if mask.contains(Mask::MOVED_TO) {
            assert_eq!(event.cookie, cookie);
        }
        assert_eq!(
            event.cookie != 0,
            mask.intersects(Mask::MOVED_FROM | Mask::MOVED_TO)
        );
        cookie = event.cookie;
        events.push((event.wd, mask, name.unwrap()));
        rest = next;
    }
    events
}

fn event(wd: i32, mask: Mask, name: &str) -> (i32, Mask, String) {
    (wd, mask, String::from(name))
}

#[test]
fn directories_and_files_hear_of_what_happens() {
    let world = World::new();
    let inotify = Inotify::new(USER).unwrap();
    assert_eq!(world.watch(&inotify, ".", Mask::ALL_EVENTS), Ok(1));
    let file = world.open("f", OpenFlags::CREAT | OpenFlags::RDWR);
    assert_eq!(world.watch(&inotify, "f", Mask::ALL_EVENTS), Ok(2));
    file.write(&mut SliceSource::new(b"abc"), u64::MAX).unwrap();
    file.read_at(&mut VecSink::new(3), 0).unwrap();
    file.read_at(&mut VecSink::new(3), 99).unwrap();
    drop(file);
    let expected = [
        event(1, Mask::CREATE, "f"),
        event(1, Mask::OPEN, "f"),
        event(1, Mask::MODIFY, "f"),
        event(2, Mask::MODIFY, ""),
        event(1, Mask::ACCESS, "f"),
        event(2, Mask::ACCESS, ""),
        event(1, Mask::CLOSE_WRITE, "f"),
        event(2, Mask::CLOSE_WRITE, ""),
    ];
    assert_eq!(read(&inotify), expected);
    world.unlink("f");
    let expected = [
        event(2, Mask::ATTRIB, ""),
        event(2, Mask::DELETE_SELF, ""),
        event(2, Mask::IGNORED, ""),
        event(1, Mask::DELETE, "f"),
    ];
    assert_eq!(read(&inotify), expected);
}

#[test]
fn a_file_in_use_is_gone_when_it_is_closed() {
    let world = World::new();
    let inotify = Inotify::new(USER).unwrap();
    let file = world.open("f", OpenFlags::CREAT | OpenFlags::RDWR);
    let all = Mask::ALL_EVENTS.difference(Mask::CLOSE_WRITE);
    world.watch(&inotify, "f", all).unwrap();
    world
        .watch(&inotify, ".", Mask::MODIFY | Mask::EXCL_UNLINK)
        .unwrap();
    world.unlink("f");
    assert_eq!(read(&inotify), [event(1, Mask::ATTRIB, "")]);
    file.write(&mut SliceSource::new(b"x"), u64::MAX).unwrap();
    assert_eq!(read(&inotify), [event(1, Mask::MODIFY, "")]);
    drop(file);
    let expected = [event(1, Mask::DELETE_SELF, ""), event(1, Mask::IGNORED, "")];
    assert_eq!(read(&inotify), expected);
}

#[test]
fn moves_come_in_pairs() {
    let world = World::new();
    let inotify = Inotify::new(USER).unwrap();
    world.make("a");
    world.make("b");
    let names = Mask::ALL_EVENTS.difference(Mask::OPEN | Mask::CLOSE_WRITE);
    world.watch(&inotify, ".", names).unwrap();
    world.watch(&inotify, "a", names).unwrap();
    world.watch(&inotify, "b", names).unwrap();
    world.rename("a", "b");
    let expected = [
        event(1, Mask::MOVED_FROM, "a"),
        event(1, Mask::MOVED_TO, "b"),
        event(3, Mask::ATTRIB, ""),
        event(2, Mask::MOVE_SELF, ""),
        event(3, Mask::DELETE_SELF, ""),
        event(3, Mask::IGNORED, ""),
    ];
    assert_eq!(read(&inotify), expected);
}

#[test]
fn equal_events_are_one_and_too_many_are_lost() {
    let world = World::new();
    let inotify = Inotify::new(USER).unwrap();
    world.make("a");
    world.watch(&inotify, "a", Mask::MODIFY | Mask::ACCESS).unwrap();
    let file = world.open("a", OpenFlags::RDWR);
    for _ in 0..3 {
        file.write(&mut SliceSource::new(b"x"), u64::MAX).unwrap();
    }
    assert_eq!(read(&inotify).len(), 1);
    let most = limit(Limit::InotifyQueuedEvents);
    for _ in 0..most {
        file.write(&mut SliceSource::new(b"x"), u64::MAX).unwrap();
        file.read_at(&mut VecSink::new(1), 0).unwrap();
    }
    let mut sink = VecSink::new(usize::MAX);
    let bytes = inotify.read_at(&mut sink, 0, &NONBLOCKING).unwrap();
    assert_eq!(bytes, 16 * (most + 1));
    let bytes = sink.into_vec();
    let last = InotifyEvent::read_from_bytes(&bytes[bytes.len() - 16..]).unwrap();
    assert_eq!((last.wd, last.mask), (-1, Mask::Q_OVERFLOW.bits()));
    file.write(&mut SliceSource::new(b"x"), u64::MAX).unwrap();
    assert_eq!(read(&inotify), [event(1, Mask::MODIFY, "")]);
}

#[test]
fn watches_can_be_changed_and_end() {
    let world = World::new();
    let inotify = Inotify::new(USER).unwrap();
    world.make("a");
    assert_eq!(world.watch(&inotify, "a", Mask::ACCESS), Ok(1));
    assert_eq!(
        world.watch(&inotify, "a", Mask::MODIFY | Mask::MASK_CREATE),
        Err(Errno::EEXIST)
    );
    assert_eq!(world.watch(&inotify, "a", Mask::OPEN | Mask::MASK_ADD), Ok(1));
    let mut text = String::new();
    inotify.describe(&mut text).unwrap();
    assert!(text.contains("mask:21 ignored_mask:0"), "{text}");
    assert_eq!(world.watch(&inotify, "a", Mask::OPEN | Mask::ONESHOT), Ok(1));
    drop(world.open("a", OpenFlags::empty()));
    drop(world.open("a", OpenFlags::empty()));
    let expected = [event(1, Mask::OPEN, ""), event(1, Mask::IGNORED, "")];
    assert_eq!(read(&inotify), expected);
    assert_eq!(inotify.remove(1), Err(Errno::EINVAL));
    assert_eq!(world.watch(&inotify, "a", Mask::OPEN), Ok(2));
    assert_eq!(inotify.remove(2), Ok(()));
    assert_eq!(read(&inotify), [event(2, Mask::IGNORED, "")]);
    let short = inotify.read_at(&mut VecSink::new(8), 0, &NONBLOCKING);
    assert_eq!(short, Err(Errno::EAGAIN.into()));
    assert_eq!(world.watch(&inotify, ".", Mask::CREATE), Ok(3));
    world.make("b");
    let short = inotify.read_at(&mut VecSink::new(31), 0, &NONBLOCKING);
    assert_eq!(short, Err(Errno::EINVAL.into()));
}

#[test]
fn watches_end_with_their_file_system() {
    let world = World::new();
    let inotify = Inotify::new(USER).unwrap();
    world.make("a");
    world.watch(&inotify, "a", Mask::OPEN).unwrap();
    let superblock = world.root.mount.superblock().clone();
    unmounted(&superblock);
    let expected = [event(1, Mask::UNMOUNT, ""), event(1, Mask::IGNORED, "")];
    assert_eq!(read(&inotify), expected);
}

#[test]
fn users_have_limits() {
    const OTHER: u32 = USER + 1;
    let instances: Vec<_> = (0..limit(Limit::InotifyInstances))
        .map(|_| Inotify::new(OTHER).unwrap())
        .collect();
    assert_eq!(Inotify::new(OTHER).err(), Some(Errno::EMFILE));
    drop(instances);
    assert!(Inotify::new(OTHER).is_ok());
}
