//! Tests of unpacking with archives made by hand.

mod archive;
mod damage;

use alloc::vec::Vec;

use los_abi::fs::{OpenFlags, make_device};
use mm::io::VecSink;
use vfs::{At, Caller, Credentials, FileKind, Lookup, Metadata, ops, walk};

use super::{Image, Summary, UnpackError, unpack};
use crate::tmpfs::{Options, TmpFs};
use archive::{Archive, compressed};

/// A root file system of its own, with the identity that looks at it.
struct World {
    credentials: Credentials,
    root: vfs::Path,
}

impl World {
    fn new() -> Self {
        mm::testing::start();
        let options = Options {
            pages: 256,
            inodes: 0,
            mode: 0o755,
            uid: 0,
            gid: 0,
        };
        let root = ops::mount_root(TmpFs::new(&options).unwrap());
        Self {
            credentials: Credentials::root(),
            root,
        }
    }

    fn caller(&self) -> Caller<'_> {
        Caller {
            credentials: &self.credentials,
            root: self.root.clone(),
            cwd: self.root.clone(),
            umask: 0o077,
        }
    }

    fn unpack(&self, mut image: &[u8]) -> Result<Summary, UnpackError> {
        unpack(&mut image, &self.caller())
    }

    fn metadata(&self, path: &[u8]) -> Option<Metadata> {
        let found = walk::resolve(&self.caller(), At::Cwd, path, Lookup::empty()).ok()?;
        Some(found.metadata().unwrap())
    }

    fn read(&self, path: &[u8]) -> Vec<u8> {
        let file = ops::open(&self.caller(), At::Cwd, path, OpenFlags::empty(), 0).unwrap();
        let mut sink = VecSink::new(1 << 20);
        while file.read(&mut sink).unwrap() > 0 {}
        sink.into_vec()
    }
}

#[test]
fn files_get_what_the_archive_says() {
    let world = World::new();
    let big: Vec<u8> = (0..10_000_u32).map(|index| index as u8).collect();
    let image = Archive::new()
        .directory("etc", 0o1755)
        .file("etc/motd", 0o4640, b"hello\n")
        .file("./big", 0o600, &big)
        .link("etc/link", "motd")
        .special("null", 0o020_666, (1, 3))
        .special("fifo", 0o010_644, (0, 0))
        .end();
    let summary = world.unpack(&image).unwrap();
    assert_eq!(
        summary,
        Summary {
            archives: 1,
            entries: 6,
            bytes: 10_006
        }
    );
    let motd = world.metadata(b"/etc/motd").unwrap();
    assert_eq!(
        (motd.kind, motd.mode, motd.uid, motd.gid),
        (FileKind::Regular, 0o4640, 10, 20)
    );
    assert_eq!((motd.modified.tv_sec, motd.links), (1_000_000, 1));
    let etc = world.metadata(b"/etc").unwrap();
    assert_eq!(
        (etc.mode, etc.modified.tv_sec),
        (0o1755, 1_000_000),
        "times of directories come last"
    );
    assert_eq!(world.read(b"/big"), big);
    assert_eq!(world.read(b"/etc/link"), b"hello\n");
    let link = world.metadata(b"/etc/link").unwrap();
    assert_eq!(
        (link.kind, link.uid, link.modified.tv_sec),
        (FileKind::SymbolicLink, 10, 1_000_000)
    );
    let null = world.metadata(b"/null").unwrap();
    assert_eq!(
        (null.kind, null.rdev, null.mode),
        (FileKind::CharacterDevice, make_device(1, 3), 0o666)
    );
    assert_eq!(world.metadata(b"/fifo").unwrap().kind, FileKind::Fifo);
}

/// An image that forgets what was passed.
struct Forgetful {
    bytes: Vec<u8>,
    /// The longest part that was passed at once.
    longest: usize,
}

impl Image for Forgetful {
    fn rest(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, bytes: usize) {
        self.bytes.drain(..bytes);
        self.longest = self.longest.max(bytes);
    }
}

#[test]
fn what_was_unpacked_is_passed_entry_by_entry() {
    let world = World::new();
    let first = Archive::new()
        .file("a", 0o644, &[1; 5000])
        .file("b", 0o644, &[2; 6000])
        .end();
    let second = Archive::new().file("c", 0o644, b"c").end();
    let mut image = Forgetful {
        bytes: [first, second].concat(),
        longest: 0,
    };
    let summary = unpack(&mut image, &world.caller()).unwrap();
    assert_eq!((summary.archives, summary.entries), (2, 3));
    assert!(image.bytes.is_empty() && image.longest < 7000);
    assert_eq!(world.read(b"/b"), [2; 6000]);
}

#[test]
fn absent_parents_are_made() {
    let world = World::new();
    world
        .unpack(&Archive::new().file("a/b/c", 0o644, b"x").end())
        .unwrap();
    assert_eq!(world.read(b"/a/b/c"), b"x");
    assert_eq!(world.metadata(b"/a/b").unwrap().mode, 0o755);
}

#[test]
fn names_of_one_file_share_its_data_wherever_they_stand() {
    for data_at in 0..3 {
        let world = World::new();
        let mut archive = Archive::new();
        for (index, name) in ["x", "y", "z"].into_iter().enumerate() {
            let data: &[u8] = if index == data_at { b"shared" } else { b"" };
            archive = archive.hard_link(name, 77, 3, data);
        }
        world.unpack(&archive.end()).unwrap();
        let inodes = [b"/x", b"/y", b"/z"].map(|name| world.metadata(name).unwrap());
        assert!(
            inodes
                .iter()
                .all(|found| found.inode == inodes[0].inode && found.links == 3)
        );
        assert_eq!(world.read(b"/y"), b"shared");
    }
}

#[test]
fn numbers_do_not_link_files_of_different_archives() {
    let world = World::new();
    let mut image = Archive::new().hard_link("x", 77, 2, b"one").end();
    image.extend(Archive::new().hard_link("y", 77, 2, b"two").end());
    assert_eq!(world.unpack(&image).unwrap().archives, 2);
    assert_eq!(
        (world.read(b"/x"), world.read(b"/y")),
        (b"one".to_vec(), b"two".to_vec())
    );
}

#[test]
fn later_entries_replace_earlier_ones_of_any_kind() {
    let world = World::new();
    let image = Archive::new()
        .file("a", 0o644, b"a long first version")
        .file("a", 0o600, b"short")
        .directory("d", 0o755)
        .file("d", 0o644, b"was a directory")
        .file("l", 0o644, b"was a file")
        .link("l", "a")
        .link("k", "a")
        .file("k", 0o644, b"was a link")
        .special("n", 0o020_600, (1, 3))
        .special("n", 0o020_600, (1, 5))
        .end();
    world.unpack(&image).unwrap();
    assert_eq!(
        (world.read(b"/a"), world.metadata(b"/a").unwrap().mode),
        (b"short".to_vec(), 0o600)
    );
    assert_eq!(world.read(b"/d"), b"was a directory");
    assert_eq!(world.metadata(b"/l").unwrap().kind, FileKind::SymbolicLink);
    assert_eq!(world.read(b"/k"), b"was a link");
    assert_eq!(world.metadata(b"/n").unwrap().rdev, make_device(1, 5));
}

#[test]
fn archives_join_plain_and_compressed_with_zeros_between() {
    let world = World::new();
    let plain = |name: &str| Archive::new().file(name, 0o644, name.as_bytes()).end();
    let mut inner = plain("b1");
    inner.extend([0; 512]);
    inner.extend(plain("b2"));
    let mut image = plain("a");
    image.extend([0; 8]);
    image.extend(compressed(&inner));
    image.extend(compressed(&plain("c")));
    while !image.len().is_multiple_of(4) {
        image.push(0);
    }
    image.extend(plain("d"));
    image.extend([0; 100]);
    assert_eq!(world.unpack(&image).unwrap().archives, 5);
    for name in ["a", "b1", "b2", "c", "d"] {
        assert_eq!(world.read(name.as_bytes()), name.as_bytes());
    }
}

#[test]
fn a_link_among_the_parents_is_followed() {
    let world = World::new();
    let image = Archive::new()
        .directory("usr", 0o755)
        .directory("usr/bin", 0o755)
        .link("bin", "usr/bin")
        .file("bin/sh", 0o755, b"#!")
        .end();
    world.unpack(&image).unwrap();
    assert_eq!(world.read(b"/usr/bin/sh"), b"#!");
}
