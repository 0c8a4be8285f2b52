//! Mappings of objects: private and shared, and the end of the object.

use alloc::collections::BTreeMap;
use core::sync::atomic::{AtomicI32, AtomicUsize};
use std::sync::Mutex as HostMutex;

use super::*;
use crate::{Pager, PagerError};

extern crate std;

/// A file of a few pages; each page starts with its index plus 100.
#[derive(Default)]
struct File {
    pages: u64,
    tells_stores: bool,
    frames: HostMutex<BTreeMap<u64, Frame>>,
    stores_told: AtomicUsize,
    reads: AtomicUsize,
    mappings: AtomicI32,
}

impl Pager for File {
    fn page(&self, index: u64, access: Access) -> Result<Frame, PagerError> {
        if index >= self.pages {
            return Err(PagerError::BeyondEnd);
        }
        match access {
            Access::Write => self.stores_told.fetch_add(1, Ordering::Relaxed),
            _ => self.reads.fetch_add(1, Ordering::Relaxed),
        };
        let mut frames = self.frames.lock().unwrap();
        if let Some(frame) = frames.get(&index) {
            return Ok(frame.clone());
        }
        let frame = frames::allocate()?;
        frame.write(0, &(index + 100).to_le_bytes());
        frame.mark_cached();
        frames.insert(index, frame.clone());
        Ok(frame)
    }

    fn cached(&self, index: u64) -> Option<Frame> {
        self.frames.lock().unwrap().get(&index).cloned()
    }

    fn write_protect_on_read(&self) -> bool {
        self.tells_stores
    }

    fn name(&self) -> Vec<u8> {
        b"/file".to_vec()
    }

    fn device(&self) -> u64 {
        3
    }

    fn inode(&self) -> u64 {
        4
    }

    fn mapped(&self, _writable_shared: bool) -> Result<(), Errno> {
        self.mappings.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn unmapped(&self, _writable_shared: bool) {
        self.mappings.fetch_sub(1, Ordering::Relaxed);
    }
}

fn file(pages: u64) -> Arc<File> {
    Arc::new(File {
        pages,
        ..File::default()
    })
}

fn map_file(space: &AddressSpace, file: &Arc<File>, flags: MapFlags, protection: ProtFlags) -> u64 {
    let source = Source::File {
        pager: file.clone(),
        offset: PAGE,
        max_protection: ProtFlags::all(),
    };
    let length = (file.pages - 1) * PAGE + 2 * PAGE;
    space
        .map(MapRequest {
            length,
            source,
            ..anonymous(0, 1, protection, flags)
        })
        .unwrap()
}

fn stored(file: &File, index: u64) -> u64 {
    let mut bytes = [0; 8];
    file.cached(index).unwrap().read(0, &mut bytes);
    u64::from_le_bytes(bytes)
}

#[test]
fn private_stores_stay_private() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let file = file(4);
    let at = map_file(&space, &file, MapFlags::PRIVATE, READ_WRITE);
    assert_eq!((get(&space, at), get(&space, at + PAGE)), (Ok(101), Ok(102)));
    put(&space, at, 1).unwrap();
    put(&space, at + 2 * PAGE + 8, 2).unwrap();
    assert_eq!((get(&space, at), get(&space, at + 2 * PAGE)), (Ok(1), Ok(103)));
    assert_eq!((stored(&file, 1), stored(&file, 3)), (101, 103));
    assert_eq!(file.stores_told.load(Ordering::Relaxed), 0);
    // The cache's own frame is never written, even when it is read first and forked.
    let child = space.fork(ForkPolicy::Eager).unwrap();
    put(&child, at + PAGE, 9).unwrap();
    assert_eq!((get(&space, at + PAGE), stored(&file, 2)), (Ok(102), 102));
}

#[test]
fn shared_stores_reach_the_object_and_other_spaces() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let file = file(3);
    let at = map_file(&space, &file, MapFlags::SHARED, READ_WRITE);
    put(&space, at, 7).unwrap();
    assert_eq!(stored(&file, 1), 7);
    let other = AddressSpace::new().unwrap();
    let there = map_file(&other, &file, MapFlags::SHARED, ProtFlags::READ);
    assert_eq!(get(&other, there), Ok(7));
    file.cached(1).unwrap().write(0, &8_u64.to_le_bytes());
    assert_eq!((get(&space, at), get(&other, there)), (Ok(8), Ok(8)));
}

#[test]
fn an_object_hears_of_the_first_store_to_each_page() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let file = Arc::new(File {
        pages: 3,
        tells_stores: true,
        ..File::default()
    });
    let at = map_file(&space, &file, MapFlags::SHARED, READ_WRITE);
    assert_eq!(get(&space, at), Ok(101));
    assert_eq!(file.stores_told.load(Ordering::Relaxed), 0);
    put(&space, at, 1).unwrap();
    put(&space, at, 2).unwrap();
    assert_eq!(
        (file.stores_told.load(Ordering::Relaxed), stored(&file, 1)),
        (1, 2)
    );
    space.protect(at, PAGE, ProtFlags::READ).unwrap();
    space.protect(at, PAGE, READ_WRITE).unwrap();
    put(&space, at, 3).unwrap();
    assert_eq!(file.stores_told.load(Ordering::Relaxed), 2);
}

#[test]
fn pages_beyond_the_end_are_bus_errors() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let at = map_file(&space, &file(2), MapFlags::PRIVATE, READ_WRITE);
    assert!(get(&space, at).is_ok());
    for access in [Access::Read, Access::Write] {
        let fault = space.handle_fault(VirtAddr::new(at + PAGE), access);
        assert_eq!(fault, Err(FaultError::BeyondEnd));
    }
    assert_eq!(get(&space, at + PAGE), Err(Errno::EFAULT));
}

#[test]
fn neighbours_in_memory_are_mapped_as_well() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let file = file(40);
    (1..40).for_each(|index| drop(file.page(index, Access::Read).unwrap()));
    file.reads.store(0, Ordering::Relaxed);
    let at = map_file(
        &space,
        &file,
        MapFlags::PRIVATE,
        ProtFlags::READ | ProtFlags::EXEC,
    );
    (0..39).for_each(|page| assert_eq!(get(&space, at + page * PAGE), Ok(101 + page)));
    assert!(file.reads.load(Ordering::Relaxed) <= 4);
    assert_eq!(space.statistics().resident_pages, 39);
    assert_eq!(
        (space.statistics().shared_pages(), space.statistics().text_pages),
        (39, 41)
    );
}

#[test]
fn protection_stays_within_the_access_mode() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let file = file(2);
    let source = |offset| Source::File {
        pager: file.clone(),
        offset,
        max_protection: ProtFlags::READ,
    };
    let map = |protection, offset, length| {
        let flags = MapFlags::SHARED;
        space.map(MapRequest {
            source: source(offset),
            length,
            ..anonymous(0, 1, protection, flags)
        })
    };
    assert_eq!(map(READ_WRITE, 0, PAGE), Err(Errno::EACCES));
    assert_eq!(map(ProtFlags::READ, 1, PAGE), Err(Errno::EINVAL));
    assert_eq!(map(ProtFlags::READ, !0xfff, 2 * PAGE), Err(Errno::EOVERFLOW));
    let at = map(ProtFlags::READ, 0, PAGE).unwrap();
    assert_eq!(space.protect(at, PAGE, READ_WRITE), Err(Errno::EACCES));
    let sync = MapFlags::from_bits_retain(MapFlags::SHARED_VALIDATE) | MapFlags::SYNC;
    let request = MapRequest {
        source: source(0),
        ..anonymous(0, 1, ProtFlags::READ, sync)
    };
    assert_eq!(space.map(request), Err(Errno::EOPNOTSUPP));
}

#[test]
fn mappings_are_counted_and_described() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let file = file(4);
    let at = map_file(&space, &file, MapFlags::SHARED, ProtFlags::READ);
    space.unmap(at + PAGE, PAGE).unwrap();
    let child = space.fork(ForkPolicy::CopyOnWrite).unwrap();
    assert_eq!(file.mappings.load(Ordering::Relaxed), 4);
    drop(child);
    let mut infos = Vec::new();
    space.for_each_vma(&mut |vma| infos.push(vma.clone()));
    let last = infos.pop().unwrap();
    assert_eq!(
        (last.start, last.offset, last.device, last.inode),
        (at + 2 * PAGE, 3 * PAGE, 3, 4)
    );
    assert_eq!(
        (&last.name[..], last.shared, last.protection),
        (&b"/file"[..], true, ProtFlags::READ)
    );
    space.unmap(at, 8 * PAGE).unwrap();
    assert_eq!(file.mappings.load(Ordering::Relaxed), 0);
}
