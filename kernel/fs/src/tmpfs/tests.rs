//! Tests of tmpfs: against models for contents and names, and case by case for what models do not show.

mod contents;
mod memory_files;
mod names;

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{OpenFlags, XattrFlags};
use mm::io::{SliceSource, VecSink};
use vfs::{Credentials, FileKind, FileOps, FileSystem, Inode, Io, NewNode};

use super::{Options, TmpFs};

const TEST_OPTIONS: Options = Options {
    pages: 64,
    inodes: 200,
    mode: 0o755,
    uid: 0,
    gid: 0,
};

fn file_system() -> Arc<TmpFs> {
    mm::testing::start();
    TmpFs::new(&TEST_OPTIONS).unwrap()
}

fn node(kind: FileKind) -> NewNode {
    NewNode {
        kind,
        mode: 0o644,
        uid: 1,
        gid: 2,
        rdev: 0,
    }
}

fn regular(directory: &Arc<dyn Inode>, name: &[u8]) -> Arc<dyn Inode> {
    directory.create(name, &node(FileKind::Regular)).unwrap()
}

fn open(inode: &Arc<dyn Inode>) -> Arc<dyn FileOps> {
    inode.clone().open(OpenFlags::RDWR, &Credentials::root()).unwrap()
}

fn write(file: &Arc<dyn FileOps>, offset: u64, bytes: &[u8]) -> sync::Result<usize> {
    file.write_at(&mut SliceSource::new(bytes), offset, &Io::KERNEL)
}

fn read(file: &Arc<dyn FileOps>, offset: u64, count: usize) -> Vec<u8> {
    let mut sink = VecSink::new(count);
    file.read_at(&mut sink, offset, &Io::KERNEL).unwrap();
    sink.into_vec()
}

#[test]
fn options_are_read_as_mount_passes_them() {
    mm::testing::start();
    let options = Options::parse(b"size=64k,mode=1700,uid=5,gid=6,nr_inodes=1k,huge=never").unwrap();
    assert_eq!(
        (options.pages, options.mode, options.uid, options.gid),
        (16, 0o1700, 5, 6)
    );
    assert_eq!(options.inodes, 1024);
    let total = mm::frames::statistics().total_pages as u64;
    assert_eq!(Options::parse(b"size=25%").unwrap().pages, total / 4);
    for bad in [
        &b"size=x"[..],
        b"mode=99",
        b"mode=100000",
        b"unknown",
        b"size=",
        b"size=99999999999999g",
    ] {
        assert_eq!(Options::parse(bad).err(), Some(Errno::EINVAL), "{bad:?}");
    }
}

#[test]
fn the_state_counts_pages_and_inodes() {
    let fs = file_system();
    let free = |fs: &TmpFs| (fs.statfs().f_bfree, fs.statfs().f_ffree);
    assert_eq!(free(&fs), (64, 199));
    let root = fs.root();
    let inode = regular(&root, b"a");
    write(&open(&inode), 5 * 4096 - 1, b"xy").unwrap();
    assert_eq!(free(&fs), (62, 198));
    assert_eq!(
        (inode.metadata().size, inode.metadata().blocks),
        (5 * 4096 + 1, 16)
    );
    root.unlink(b"a").unwrap();
    assert_eq!(free(&fs), (62, 198), "still open");
    drop(inode);
    assert_eq!(free(&fs), (64, 199));
}

#[test]
fn limits_are_enospc_and_leave_what_was_written() {
    let fs = file_system();
    let inode = regular(&fs.root(), b"a");
    let file = open(&inode);
    let bytes = alloc::vec![7; 65 * 4096];
    assert_eq!(write(&file, 0, &bytes), Ok(64 * 4096));
    assert_eq!(write(&file, 64 * 4096, b"x"), Err(Errno::ENOSPC.into()));
    assert_eq!(inode.metadata().size, 64 * 4096);
    inode.truncate(4096).unwrap();
    assert_eq!(write(&file, 4096, b"x"), Ok(1));
    let root = fs.root();
    for index in 0..198_u32 {
        regular(&root, alloc::format!("f{index}").as_bytes());
    }
    assert_eq!(
        root.create(b"more", &node(FileKind::Regular)).err(),
        Some(Errno::ENOSPC)
    );
}

#[test]
fn extended_attributes_share_the_room_of_inodes() {
    const ANY: XattrFlags = XattrFlags::empty();
    let fs = file_system();
    let root = fs.root();
    let inode = regular(&root, b"a");
    let used = |fs: &TmpFs| fs.volume.budget.used_inode_bytes();
    let before = used(&fs);
    let value = alloc::vec![1; 60_000];
    inode.set_extended_attribute(b"user.a", &value, ANY).unwrap();
    assert_eq!(used(&fs), before + 40 + 6 + 60_000);
    inode.set_extended_attribute(b"user.a", b"", ANY).unwrap();
    inode
        .set_extended_attribute(b"trusted.b", &value[..1000], ANY)
        .unwrap();
    assert_eq!(used(&fs), before + 46 + 49 + 1000);
    let create = inode.set_extended_attribute(b"user.a", &value, XattrFlags::CREATE);
    assert_eq!((create, used(&fs)), (Err(Errno::EEXIST), before + 46 + 49 + 1000));
    for name in [&b"user.1"[..], b"user.2", b"user.3"] {
        inode.set_extended_attribute(name, &value, ANY).unwrap();
    }
    let more = inode.set_extended_attribute(b"user.4", &value, ANY);
    assert_eq!(more, Err(Errno::ENOSPC));
    inode.remove_extended_attribute(b"user.1").unwrap();
    inode.set_extended_attribute(b"user.4", &value, ANY).unwrap();
    root.unlink(b"a").unwrap();
    drop(inode);
    assert_eq!(used(&fs), before - 1024);
}

#[test]
fn a_deep_tree_goes_without_recursion() {
    mm::testing::start();
    let fs = TmpFs::new(&Options {
        inodes: 0,
        ..TEST_OPTIONS
    })
    .unwrap();
    let mut at = fs.root();
    for _ in 0..100_000 {
        at = at.create(b"d", &node(FileKind::Directory)).unwrap();
    }
    drop(at);
    drop(fs);
}
