//! What others do to a space: debuggers, /proc, and whoever takes the memory of the dying.

use super::*;
use crate::{Accessor, FrameNumbers, VmaAttributes};

fn space(protection: ProtFlags, flags: MapFlags) -> Arc<AddressSpace> {
    let space = AddressSpace::new().unwrap();
    let request = anonymous(START, 3, protection, flags | MapFlags::FIXED);
    space.map(request).unwrap();
    space
}

fn read(space: &AddressSpace, accessor: Accessor, address: u64) -> Option<u8> {
    let mut byte = [0];
    (space.read_as(accessor, address, &mut byte) == 1).then_some(byte[0])
}

#[test]
fn debuggers_do_what_mprotect_could_permit() {
    let _turn = testing::exclusive();
    let fixed = space(ProtFlags::READ, PRIVATE);
    assert_eq!(fixed.write_as(Accessor::Other, START, &[7]), 0);
    assert_eq!(fixed.write_as(Accessor::Debugger, START, &[7]), 1);
    assert_eq!(read(&fixed, Accessor::Other, START), Some(7));
    assert_eq!(fixed.write_as(Accessor::Program, START, &[8]), 0);
    let closed = space(ProtFlags::empty(), PRIVATE);
    assert_eq!(read(&closed, Accessor::Other, START), None);
    assert_eq!(read(&closed, Accessor::Debugger, START), Some(0));
    let shared = space(ProtFlags::READ, MapFlags::SHARED | MapFlags::ANONYMOUS);
    assert_eq!(shared.write_as(Accessor::Debugger, START, &[7]), 0);
}

#[test]
fn pages_are_described_and_taken_away() {
    let _turn = testing::exclusive();
    let space = space(READ_WRITE, PRIVATE);
    space.write_foreign(START, &[1]);
    read(&space, Accessor::Other, START + PAGE);
    let words = || {
        let mut words = [9; 4];
        space.describe_pages(START, FrameNumbers::Hidden, &mut words);
        words
    };
    let (present, exclusive) = (1 << 63, 1 << 56);
    assert_eq!(words(), [present | exclusive, present, 0, 0]);
    space.reap();
    assert_eq!(words(), [0; 4]);
    assert_eq!(space.statistics().resident_pages, 0);
    assert_eq!(space.peak_resident_pages(), 1);
    space.reset_peak();
    assert_eq!(space.peak_resident_pages(), 0);
    assert_eq!(read(&space, Accessor::Program, START), Some(0));
}

#[test]
fn low_addresses_are_for_some() {
    let _turn = testing::exclusive();
    let space = AddressSpace::new().unwrap();
    let request = || anonymous(0, 1, READ_WRITE, PRIVATE | MapFlags::FIXED);
    assert_eq!(space.map(request()), Err(Errno::EPERM));
    assert_eq!(space.map_above(request(), 0), Ok(0));
}

#[test]
fn droppable_memory_is_never_locked() {
    let _turn = testing::exclusive();
    let kind = MapFlags::from_bits_retain(MapFlags::DROPPABLE) | MapFlags::ANONYMOUS;
    let space = space(READ_WRITE, kind);
    space
        .lock(START, PAGE, LockMode::Now, Locker::Privileged)
        .unwrap();
    space.for_each_vma(&mut |vma| {
        assert!(!vma.attributes.contains(VmaAttributes::LOCKED));
        assert!(
            vma.attributes
                .contains(VmaAttributes::DROPPABLE | VmaAttributes::WIPE_ON_FORK)
        );
    });
    let locked = anonymous(START + 8 * PAGE, 1, READ_WRITE, kind | MapFlags::LOCKED);
    assert_eq!(space.map(locked), Err(Errno::EINVAL));
}
