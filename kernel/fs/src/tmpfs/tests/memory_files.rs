//! Files of memfd_create: seals, and what they cost; and that a failed fallocate costs nothing.

use los_abi::fs::SealFlags;
use mm::{Access, Pager};

use super::*;
use crate::tmpfs::{memory_file, memory_file_pages};

fn sealed(seals: SealFlags) -> Arc<dyn Inode> {
    mm::testing::start();
    memory_file(&node(FileKind::Regular), seals).unwrap()
}

#[test]
fn seals_guard_size_and_contents() {
    let inode = sealed(SealFlags::empty());
    let file = open(&inode);
    assert_eq!(write(&file, 0, &[7; 5000]), Ok(5000));
    inode.add_seals(SealFlags::GROW).unwrap();
    assert_eq!(inode.truncate(6000), Err(Errno::EPERM));
    // The second page would grow.
    assert_eq!(write(&file, 0, &[8; 8192]), Ok(4096));
    assert_eq!(write(&file, 4096, &[8; 4096]), Err(Errno::EPERM.into()));
    assert_eq!(write(&file, 4096, &[8; 904]), Ok(904));
    assert_eq!(file.allocate(0, 0, 6000), Err(Errno::EPERM));
    inode.add_seals(SealFlags::SHRINK).unwrap();
    assert_eq!(inode.truncate(100), Err(Errno::EPERM));
    assert_eq!(inode.truncate(5000), Ok(()));
    inode.add_seals(SealFlags::WRITE | SealFlags::SEAL).unwrap();
    assert_eq!(write(&file, 0, b"x"), Err(Errno::EPERM.into()));
    assert_eq!(file.allocate(3, 0, 4096), Err(Errno::EPERM));
    assert_eq!(inode.add_seals(SealFlags::EXEC), Err(Errno::EPERM));
}

#[test]
fn a_writable_mapping_and_the_seal_exclude_each_other() {
    let inode = sealed(SealFlags::empty());
    let pager: Arc<dyn Pager> = inode.clone().pager().unwrap();
    pager.mapped(true).unwrap();
    assert_eq!(inode.add_seals(SealFlags::WRITE), Err(Errno::EBUSY));
    pager.unmapped(true);
    inode.add_seals(SealFlags::WRITE).unwrap();
    assert_eq!(pager.mapped(true), Err(Errno::EPERM));
    assert_eq!(pager.mapped(false), Ok(()));
}

#[test]
fn pages_are_counted_while_the_file_exists() {
    let _turn = mm::testing::exclusive();
    let before = memory_file_pages();
    let inode = sealed(SealFlags::SEAL);
    let file = open(&inode);
    write(&file, 0, &[1; 3 * 4096]).unwrap();
    let pager = inode.clone().pager().unwrap();
    inode.truncate(10 * 4096).unwrap();
    pager.page(9, Access::Write).unwrap();
    assert_eq!(memory_file_pages(), before + 4);
    pager.discard(1..3).unwrap();
    assert_eq!(memory_file_pages(), before + 2);
    drop((file, pager, inode));
    assert_eq!(memory_file_pages(), before);
}

#[test]
fn room_that_cannot_be_made_is_given_back() {
    let fs = file_system();
    let inode = regular(&fs.root(), b"file");
    let file = open(&inode);
    // Every second page exists, and another file has 20: 24 of the 64 that there are are left.
    for page in (0..40).step_by(2) {
        write(&file, page * 4096, b"x").unwrap();
    }
    write(&open(&regular(&fs.root(), b"other")), 0, &[1; 20 * 4096]).unwrap();
    let state = || {
        (
            fs.statfs().f_bfree,
            inode.metadata().blocks,
            inode.metadata().size,
        )
    };
    let before = state();
    assert_eq!(before.0, 24);
    assert_eq!(file.allocate(0, 0, 64 * 4096), Err(Errno::ENOSPC));
    assert_eq!(state(), before);
    assert_eq!(read(&file, 38 * 4096, 1), b"x");
    file.allocate(0, 0, 44 * 4096).unwrap();
    assert_eq!(fs.statfs().f_bfree, 0);
}
