//! Tests of the calls on paths, on a file system in memory.

use alloc::sync::Arc;
use std::vec::Vec;

use los_abi::fs::{MountFlags, OpenFlags, RenameFlags, UmountFlags};
use mm::io::{SliceSource, VecSink};

use super::*;
use crate::credentials::Credentials;
use crate::file::{OpenFile, Whence};
use crate::filesystems::{self, FileSystemType, MountRequest};
use crate::mount::SuperBlock;
use crate::testing::{self, MemoryFs};
use crate::walk::{Lookup, resolve};

/// A process with a file system of its own.
struct World {
    root: Path,
    cwd: Path,
    credentials: Credentials,
}

impl World {
    fn new() -> Self {
        let root = testing::root();
        Self {
            cwd: root.clone(),
            root,
            credentials: Credentials::root(),
        }
    }

    fn caller(&self) -> Caller<'_> {
        Caller {
            cwd: self.cwd.clone(),
            ..testing::caller(&self.root, &self.credentials)
        }
    }

    fn open(&self, path: &str, flags: OpenFlags) -> sync::Result<Arc<OpenFile>> {
        open(&self.caller(), At::Cwd, path.as_bytes(), flags, 0o666)
    }

    fn make(&self, path: &str) {
        self.open(path, OpenFlags::CREAT | OpenFlags::EXCL).unwrap();
    }

    fn mkdir(&self, path: &str) -> Result<(), Errno> {
        make_directory(&self.caller(), At::Cwd, path.as_bytes(), 0o777)
    }

    fn symlink(&self, target: &str, path: &str) {
        symlink(&self.caller(), target.as_bytes(), At::Cwd, path.as_bytes()).unwrap();
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        unlink(&self.caller(), At::Cwd, path.as_bytes())
    }

    fn rmdir(&self, path: &str) -> Result<(), Errno> {
        remove_directory(&self.caller(), At::Cwd, path.as_bytes())
    }

    fn rename(&self, from: &str, to: &str, flags: RenameFlags) -> Result<(), Errno> {
        rename(
            &self.caller(),
            At::Cwd,
            from.as_bytes(),
            At::Cwd,
            to.as_bytes(),
            flags,
        )
    }

    fn find(&self, path: &str) -> Result<Path, Errno> {
        resolve(&self.caller(), At::Cwd, path.as_bytes(), Lookup::FOLLOW)
    }

    fn find_link(&self, path: &str) -> Result<Path, Errno> {
        resolve(&self.caller(), At::Cwd, path.as_bytes(), Lookup::empty())
    }

    fn inode(&self, path: &str) -> u64 {
        self.find(path).unwrap().metadata().unwrap().inode
    }

    fn name(&self, path: &str) -> Vec<u8> {
        self.find(path).unwrap().to_bytes(&self.root)
    }
}

fn errno<T>(result: sync::Result<T>) -> Errno {
    match result.err() {
        Some(sync::Error::Errno(errno)) => errno,
        other => panic!("expected an errno, got {other:?}"),
    }
}

#[test]
fn paths_are_walked() {
    let world = World::new();
    world.mkdir("/a").unwrap();
    world.mkdir("/a/b/").unwrap();
    world.make("/a/b/file");
    for path in [
        "/a/b/file",
        "a//b/./file",
        "a/../a/b/../b/file",
        "/../../a/b/file",
    ] {
        assert_eq!(world.name(path), b"/a/b/file");
    }
    assert_eq!(world.name("/a/b/."), b"/a/b");
    assert_eq!(world.name("/a/.."), b"/");
    for (path, expected) in [
        ("", Errno::ENOENT),
        ("/a/x", Errno::ENOENT),
        ("/a/x/y", Errno::ENOENT),
        ("/a/b/file/", Errno::ENOTDIR),
        ("/a/b/file/x", Errno::ENOTDIR),
        ("/a/b/file/..", Errno::ENOTDIR),
        (&"x".repeat(256), Errno::ENAMETOOLONG),
        (&"/a".repeat(2048), Errno::ENAMETOOLONG),
    ] {
        assert_eq!(world.find(path).err(), Some(expected), "{path}");
    }
}

#[test]
fn symbolic_links_are_followed() {
    let mut world = World::new();
    world.mkdir("/d").unwrap();
    world.make("/d/file");
    world.symlink("/d", "/abs");
    world.symlink("d/", "/rel");
    world.symlink("../d/file", "/d/up");
    world.symlink("loop", "/loop");
    world.symlink("nowhere", "/dangling");
    for path in ["/abs/file", "/rel/file", "/d/up", "/abs/up", "/rel/../d/file"] {
        assert_eq!(world.name(path), b"/d/file", "{path}");
    }
    assert_eq!(world.find("/loop").err(), Some(Errno::ELOOP));
    assert_eq!(world.find("/dangling").err(), Some(Errno::ENOENT));
    assert_eq!(world.find_link("/abs").unwrap().to_bytes(&world.root), b"/abs");
    // A slash behind the name follows the link even so.
    assert_eq!(world.find_link("/abs/").unwrap().to_bytes(&world.root), b"/d");
    assert_eq!(world.find_link("/d/up/").err(), Some(Errno::ENOTDIR));
    assert_eq!(read_link(&world.caller(), At::Cwd, b"/rel").unwrap(), b"d/");
    assert_eq!(
        read_link(&world.caller(), At::Cwd, b"/d").err(),
        Some(Errno::EINVAL)
    );
    assert_eq!(errno(world.open("/abs", OpenFlags::NOFOLLOW)), Errno::ELOOP);
    world.open("/abs", OpenFlags::NOFOLLOW | OpenFlags::PATH).unwrap();
    world
        .open("/dangling", OpenFlags::CREAT | OpenFlags::WRONLY)
        .unwrap();
    assert_eq!(world.name("/nowhere"), b"/nowhere");
    // Exactly 40 links are followed.
    for index in 0..41 {
        world.symlink(&std::format!("l{}", index + 1), &std::format!("/l{index}"));
    }
    world.make("/l41");
    world.find("/l1").unwrap();
    assert_eq!(world.find("/l0").err(), Some(Errno::ELOOP));
    world.cwd = world.find("/d").unwrap();
    assert_eq!(world.name("file"), b"/d/file");
}

#[test]
fn open_creates_truncates_and_refuses() {
    let world = World::new();
    let write = OpenFlags::WRONLY | OpenFlags::CREAT;
    assert_eq!(errno(world.open("/f", OpenFlags::empty())), Errno::ENOENT);
    let file = world.open("/f", write).unwrap();
    assert_eq!(file.metadata().unwrap().mode, 0o644);
    file.write(&mut SliceSource::new(b"contents"), u64::MAX).unwrap();
    assert_eq!(errno(world.open("/f", write | OpenFlags::EXCL)), Errno::EEXIST);
    assert_eq!(
        world
            .open("/f", OpenFlags::empty())
            .unwrap()
            .metadata()
            .unwrap()
            .size,
        8
    );
    world.open("/f", write | OpenFlags::TRUNC).unwrap();
    assert_eq!(file.metadata().unwrap().size, 0);
    assert_eq!(errno(world.open("/g/", write)), Errno::EISDIR);
    assert_eq!(errno(world.open("/", write)), Errno::EISDIR);
    assert_eq!(errno(world.open("/", OpenFlags::WRONLY)), Errno::EISDIR);
    assert_eq!(errno(world.open("/f", OpenFlags::DIRECTORY)), Errno::ENOTDIR);
    assert_eq!(errno(world.open("/x/y", write)), Errno::ENOENT);
    world.open("/", OpenFlags::DIRECTORY).unwrap();
    let unnamed = world
        .open("/", OpenFlags::TMPFILE | OpenFlags::DIRECTORY | OpenFlags::RDWR)
        .unwrap();
    link(&world.caller(), unnamed.path(), At::Cwd, b"/named").unwrap();
    assert_eq!(world.inode("/named"), unnamed.metadata().unwrap().inode);
}

#[test]
fn positions_and_appending() {
    let world = World::new();
    let file = world.open("/f", OpenFlags::RDWR | OpenFlags::CREAT).unwrap();
    let appending = world.open("/f", OpenFlags::WRONLY | OpenFlags::APPEND).unwrap();
    file.write(&mut SliceSource::new(b"one"), u64::MAX).unwrap();
    appending.write(&mut SliceSource::new(b"two"), u64::MAX).unwrap();
    assert_eq!(file.seek(-3, Whence::End), Ok(3));
    let mut sink = VecSink::new(10);
    assert_eq!(file.read(&mut sink), Ok(3));
    assert_eq!(sink.into_vec(), b"two");
    assert_eq!(file.seek(-7, Whence::Current), Err(Errno::EINVAL));
    assert_eq!(file.position(), 6);
}

#[test]
fn names_come_and_go() {
    let world = World::new();
    world.mkdir("/d").unwrap();
    assert_eq!(world.mkdir("/d"), Err(Errno::EEXIST));
    assert_eq!(world.mkdir("/"), Err(Errno::EEXIST));
    world.make("/d/f");
    assert_eq!(world.unlink("/d"), Err(Errno::EISDIR));
    assert_eq!(world.rmdir("/d"), Err(Errno::ENOTEMPTY));
    assert_eq!(world.rmdir("/d/f"), Err(Errno::ENOTDIR));
    assert_eq!(world.rmdir("/d/."), Err(Errno::EINVAL));
    assert_eq!(world.rmdir("/d/.."), Err(Errno::ENOTEMPTY));
    assert_eq!(world.rmdir("/"), Err(Errno::EBUSY));
    assert_eq!(world.unlink("/d/f/"), Err(Errno::ENOTDIR));
    let file = world.open("/d/f", OpenFlags::empty()).unwrap();
    world.unlink("/d/f").unwrap();
    assert_eq!(world.unlink("/d/f"), Err(Errno::ENOENT));
    assert_eq!(file.path().to_bytes(&world.root), b"/d/f (deleted)");
    let directory = world.find("/d").unwrap();
    world.rmdir("/d").unwrap();
    assert_eq!(directory.to_cwd_bytes(&world.root), Err(Errno::ENOENT));
    let inside = World {
        cwd: directory,
        root: world.root.clone(),
        credentials: Credentials::root(),
    };
    assert_eq!(inside.mkdir("x"), Err(Errno::ENOENT));
    assert_eq!(inside.find(".").map(drop), Ok(()));
}

#[test]
fn hard_links_are_the_same_file() {
    let world = World::new();
    world.make("/f");
    world.mkdir("/d").unwrap();
    let source = world.find("/f").unwrap();
    link(&world.caller(), &source, At::Cwd, b"/d/g").unwrap();
    assert_eq!(world.inode("/d/g"), world.inode("/f"));
    assert_eq!(source.metadata().unwrap().links, 2);
    assert_eq!(
        link(&world.caller(), &source, At::Cwd, b"/d/g"),
        Err(Errno::EEXIST)
    );
    let directory = world.find("/d").unwrap();
    assert_eq!(
        link(&world.caller(), &directory, At::Cwd, b"/e"),
        Err(Errno::EPERM)
    );
}

#[test]
fn renames_move_replace_and_exchange() {
    let world = World::new();
    let none = RenameFlags::empty();
    for path in ["/a", "/a/b", "/a/b/c", "/e"] {
        world.mkdir(path).unwrap();
    }
    world.make("/f");
    world.make("/a/g");
    let inside = world.find("/a/b/c").unwrap();
    world.rename("/a/b", "/e/moved", none).unwrap();
    assert_eq!(inside.to_bytes(&world.root), b"/e/moved/c");
    assert_eq!(world.find("/a/b").err(), Some(Errno::ENOENT));
    assert_eq!(world.rename("/e", "/e/moved/x", none), Err(Errno::EINVAL));
    assert_eq!(world.rename("/e/moved", "/e", none), Err(Errno::ENOTEMPTY));
    assert_eq!(world.rename("/f", "/a", none), Err(Errno::EISDIR));
    assert_eq!(world.rename("/e", "/f", none), Err(Errno::ENOTDIR));
    assert_eq!(world.rename("/e", "/a", none), Err(Errno::ENOTEMPTY));
    assert_eq!(world.rename("/e/.", "/x", none), Err(Errno::EBUSY));
    assert_eq!(
        world.rename("/f", "/a/g", RenameFlags::NOREPLACE),
        Err(Errno::EEXIST)
    );
    assert_eq!(world.rename("/f/", "/x", none), Err(Errno::ENOTDIR));
    let (f, g) = (world.inode("/f"), world.inode("/a/g"));
    world.rename("/f", "/a/g", RenameFlags::EXCHANGE).unwrap();
    assert_eq!((world.inode("/a/g"), world.inode("/f")), (f, g));
    let replaced = world.open("/f", OpenFlags::empty()).unwrap();
    world.rename("/a/g", "/f", none).unwrap();
    assert_eq!(world.inode("/f"), f);
    assert!(replaced.path().is_removed());
    assert_eq!(world.rename("/a/g", "/f", none), Err(Errno::ENOENT));
}

#[test]
fn permissions_hold() {
    let mut world = World::new();
    world.mkdir("/open").unwrap();
    world.mkdir("/sticky").unwrap();
    world.make("/sticky/roots");
    world.make("/secret");
    let set_mode = |world: &World, path: &str, mode| {
        change_mode(&Credentials::root(), &world.find(path).unwrap(), mode).unwrap();
    };
    set_mode(&world, "/open", 0o2777);
    set_mode(&world, "/sticky", 0o1777);
    set_mode(&world, "/secret", 0o600);
    change_owner(
        &Credentials::root(),
        &world.find("/open").unwrap(),
        None,
        Some(77),
    )
    .unwrap();
    world.credentials = Credentials::user(1000, 1000);
    assert_eq!(errno(world.open("/secret", OpenFlags::empty())), Errno::EACCES);
    assert_eq!(world.mkdir("/no"), Err(Errno::EACCES));
    assert_eq!(world.unlink("/sticky/roots"), Err(Errno::EPERM));
    world.mkdir("/open/mine").unwrap();
    let mine = world.find("/open/mine").unwrap();
    let metadata = mine.metadata().unwrap();
    assert_eq!((metadata.uid, metadata.gid, metadata.mode), (1000, 77, 0o2755));
    change_mode(&world.credentials, &mine, 0o000).unwrap();
    assert_eq!(world.find("/open/mine/x").err(), Some(Errno::EACCES));
    let secret = world.find("/secret").unwrap();
    assert_eq!(change_mode(&world.credentials, &secret, 0o777), Err(Errno::EPERM));
    assert_eq!(
        change_owner(&world.credentials, &mine, Some(0), None),
        Err(Errno::EPERM)
    );
    assert_eq!(
        set_times(&world.credentials, &secret, NewTime::Now, NewTime::Now),
        Err(Errno::EACCES)
    );
}

#[test]
fn running_programs_are_not_written() {
    let world = World::new();
    world.make("/program");
    change_mode(&world.credentials, &world.find("/program").unwrap(), 0o755).unwrap();
    let writer = world.open("/program", OpenFlags::WRONLY).unwrap();
    assert_eq!(
        open_executable(&world.caller(), At::Cwd, b"/program", Lookup::FOLLOW).err(),
        Some(Errno::ETXTBSY)
    );
    drop(writer);
    let program = open_executable(&world.caller(), At::Cwd, b"/program", Lookup::FOLLOW).unwrap();
    let running = crate::text::DenyWrite::new(program.inode()).unwrap();
    assert_eq!(errno(world.open("/program", OpenFlags::RDWR)), Errno::ETXTBSY);
    drop(running);
    world.open("/program", OpenFlags::RDWR).unwrap();
}

struct MemoryType;

impl FileSystemType for MemoryType {
    fn name(&self) -> &'static str {
        "memory"
    }
    fn open(&self, _: &MountRequest<'_>) -> Result<Arc<SuperBlock>, Errno> {
        Ok(SuperBlock::new(MemoryFs::new()))
    }
}

#[test]
fn mounts_cover_and_come_off() {
    let world = World::new();
    filesystems::register(&MemoryType);
    world.mkdir("/mnt").unwrap();
    world.make("/mnt/covered");
    let mount_at = |path: &str, source: &str, flags| {
        let request = MountRequest {
            source: source.as_bytes(),
            data: b"",
        };
        mount(
            &world.caller(),
            &world.find(path).unwrap(),
            b"memory",
            &request,
            flags,
        )
    };
    let unmount_at = |path: &str, flags| unmount(&world.caller(), path.as_bytes(), flags);
    mount_at("/mnt", "none", MountFlags::empty()).unwrap();
    assert_eq!(world.find("/mnt/covered").err(), Some(Errno::ENOENT));
    world.make("/mnt/inner");
    assert_eq!(world.name("/mnt/inner"), b"/mnt/inner");
    assert_eq!(world.name("/mnt/.."), b"/");
    assert_eq!(world.rmdir("/mnt"), Err(Errno::EBUSY));
    assert_eq!(
        world.rename("/mnt/inner", "/inner", RenameFlags::empty()),
        Err(Errno::EXDEV)
    );
    let held = world.open("/mnt/inner", OpenFlags::empty()).unwrap();
    assert_eq!(unmount_at("/mnt", UmountFlags::empty()), Err(Errno::EBUSY));
    drop(held);
    mount_at("/mnt", "none", MountFlags::REMOUNT | MountFlags::RDONLY).unwrap();
    assert_eq!(world.unlink("/mnt/inner"), Err(Errno::EROFS));
    assert_eq!(errno(world.open("/mnt/inner", OpenFlags::WRONLY)), Errno::EROFS);
    world.mkdir("/other").unwrap();
    mount_at("/other", "/mnt", MountFlags::BIND).unwrap();
    assert_eq!(world.inode("/other/inner"), world.inode("/mnt/inner"));
    world.mkdir("/third").unwrap();
    mount_at("/third", "/other", MountFlags::MOVE).unwrap();
    assert_eq!(world.find("/other/inner").err(), Some(Errno::ENOENT));
    unmount_at("/third", UmountFlags::empty()).unwrap();
    unmount_at("/mnt", UmountFlags::empty()).unwrap();
    world.find("/mnt/covered").unwrap();
    assert_eq!(unmount_at("/mnt", UmountFlags::empty()), Err(Errno::EINVAL));
    assert_eq!(unmount_at("/", UmountFlags::empty()), Err(Errno::EINVAL));
    assert_eq!(world.root.mount.namespace().unwrap().mounts().len(), 1);
}

/// Drops names until one has gone: the other tests' hands may hold it for a moment.
fn drop_until(has_gone: impl Fn() -> bool) {
    let has_gone_now = |_| {
        crate::drop_unused_names();
        has_gone()
    };
    assert!((0..1000).any(has_gone_now));
}

#[test]
fn unused_names_are_dropped() {
    let world = World::new();
    world.mkdir("/unused").unwrap();
    world.make("/unused/file");
    let held = world.find("/unused").unwrap();
    let name = Arc::downgrade(&world.find("/unused/file").unwrap().dentry);
    assert!(name.upgrade().is_some());
    drop_until(|| name.upgrade().is_none());
    assert!(Arc::ptr_eq(&held.dentry, &world.find("/unused").unwrap().dentry));
    world.find("/unused/file").unwrap();
    drop(held);
    let directory = Arc::downgrade(&world.find("/unused").unwrap().dentry);
    // What is in it goes first.
    drop_until(|| directory.upgrade().is_none());
    world.find("/unused/file").unwrap();
}

#[test]
fn the_cache_stays_bounded_and_right() {
    let world = World::new();
    world.mkdir("/d").unwrap();
    for index in 0..300 {
        let path = std::format!("/d/{index}");
        assert!(world.find(&path).is_err());
        world.make(&path);
        assert_eq!(world.name(&path), path.as_bytes());
        if index % 2 == 0 {
            world.unlink(&path).unwrap();
            assert!(world.find(&path).is_err());
        }
    }
    // A tree that is deeper than a recursive drop could bear.
    let mut deep = world.find("/d").unwrap();
    for _ in 0..20_000 {
        let inside = World {
            cwd: deep,
            root: world.root.clone(),
            credentials: Credentials::root(),
        };
        inside.mkdir("x").unwrap();
        deep = inside.find("x").unwrap();
    }
    drop(deep);
    drop(world);
}
