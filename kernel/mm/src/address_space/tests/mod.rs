//! Address spaces on the mock machine, whose cache of translations goes stale where a flush is missing.

mod discard;
mod dump;
mod errors;
mod fork;
mod model;
mod objects;
mod others;
mod parts;
mod processors;
mod remap;

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::mm::{MADV_DONTNEED, MapFlags, ProtFlags};
use los_abi::syscall::UserPtr;
use los_arch::hal::PAGE_SIZE;

use super::*;
use crate::testing::{self, space_with_memory};
use crate::{Access, RemapRequest, VmaKind};

const PAGE: u64 = PAGE_SIZE as u64;
const START: u64 = 0x10_0000;
const READ_WRITE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);
const PRIVATE: MapFlags = MapFlags::PRIVATE.union(MapFlags::ANONYMOUS);

fn anonymous(address: u64, pages: u64, protection: ProtFlags, flags: MapFlags) -> MapRequest {
    let (length, source, kind) = (pages * PAGE, Source::Anonymous, VmaKind::Plain);
    MapRequest {
        address,
        length,
        protection,
        flags,
        source,
        kind,
    }
}

fn map_fixed(space: &AddressSpace, address: u64, pages: u64, protection: ProtFlags) {
    let request = anonymous(address, pages, protection, PRIVATE | MapFlags::FIXED);
    assert_eq!(space.map(request), Ok(address));
}

fn get(space: &AddressSpace, address: u64) -> Result<u64, Errno> {
    space.read(UserPtr::new(address))
}

fn put(space: &AddressSpace, address: u64, value: u64) -> Result<(), Errno> {
    space.write(UserPtr::new(address), &value)
}

fn free_pages() -> usize {
    frames::statistics().free_pages
}

fn ranges(space: &AddressSpace) -> Vec<(u64, u64)> {
    let mut ranges = Vec::new();
    space.for_each_vma(&mut |vma| ranges.push((vma.start, vma.end)));
    ranges
}

#[test]
fn pages_appear_on_demand_and_all_return() {
    let _turn = testing::exclusive();
    let _ = zero_frame();
    let before = free_pages();
    let space = space_with_memory(START, 100 * PAGE);
    let root = 1;
    assert_eq!(free_pages(), before - root);
    assert_eq!(get(&space, START + 8), Ok(0));
    // A page that was only read shares the frame of zeros: three tables were needed.
    assert_eq!(
        (free_pages(), space.statistics().resident_pages),
        (before - root - 3, 0)
    );
    put(&space, START + 8, 7).unwrap();
    put(&space, START + 99 * PAGE, 8).unwrap();
    assert_eq!(
        (free_pages(), space.statistics().resident_pages),
        (before - root - 5, 2)
    );
    assert_eq!((get(&space, START + 8), get(&space, START)), (Ok(7), Ok(0)));
    space.unmap(START, 100 * PAGE).unwrap();
    assert_eq!(
        (free_pages(), space.statistics().resident_pages),
        (before - root, 0)
    );
    assert_eq!(get(&space, START), Err(Errno::EFAULT));
    map_fixed(&space, START, 3, READ_WRITE);
    put(&space, START + PAGE - 4, u64::MAX).unwrap();
    AddressSpace::deactivate();
    drop(space);
    assert_eq!(free_pages(), before);
}

#[test]
fn the_active_space_is_kept_alive() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let other = space_with_memory(START, PAGE);
    assert!(!space.is_active() && other.is_active());
    space.activate();
    Current::take_record();
    space.activate();
    assert!(Current::take_record().activated_roots.is_empty());
    let before = Arc::strong_count(&space);
    AddressSpace::deactivate();
    assert_eq!(
        (Arc::strong_count(&space), Current::active_user_root()),
        (before - 1, None)
    );
}

#[test]
fn permissions_hold_for_the_program_and_the_kernel() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    put(&space, START, 5).unwrap();
    let address = VirtAddr::new(START);
    for (protection, read, write, execute) in [
        (ProtFlags::empty(), false, false, false),
        (ProtFlags::READ, true, false, false),
        (ProtFlags::WRITE, true, true, false),
        (ProtFlags::EXEC, true, false, true),
        (READ_WRITE, true, true, false),
    ] {
        space.protect(START, PAGE, protection).unwrap();
        for (access, allowed) in [
            (Access::Read, read),
            (Access::Write, write),
            (Access::Execute, execute),
        ] {
            let expected = if allowed {
                Ok(())
            } else {
                Err(FaultError::NotAllowed)
            };
            assert_eq!(
                space.handle_fault(address, access),
                expected,
                "{protection:?} {access:?}"
            );
        }
        assert_eq!(get(&space, START).is_ok(), read, "{protection:?}");
        assert_eq!(put(&space, START, 5).is_ok(), write, "{protection:?}");
    }
    assert_eq!(
        space.handle_fault(VirtAddr::new(START + PAGE), Access::Read),
        Err(FaultError::NotMapped)
    );
}

#[test]
fn instructions_are_made_visible_once() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    put(&space, START, 0xc3).unwrap();
    Current::take_record();
    space
        .protect(START, PAGE, ProtFlags::READ | ProtFlags::EXEC)
        .unwrap();
    space.protect(START, PAGE, ProtFlags::READ).unwrap();
    space
        .protect(START, PAGE, ProtFlags::READ | ProtFlags::EXEC)
        .unwrap();
    assert_eq!(Current::take_record().synchronised_pages.len(), 1);
}

#[test]
fn new_pages_need_no_flush() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, 4 * PAGE);
    Current::take_record();
    put(&space, START, 1).unwrap();
    assert_eq!(get(&space, START + PAGE), Ok(0));
    let record = Current::take_record();
    assert_eq!((record.user_flushes, record.flushed_user_pages.len()), (0, 0));
    put(&space, START + PAGE, 1).unwrap();
    assert_eq!(
        Current::take_record().flushed_user_pages,
        [VirtAddr::new(START + PAGE)]
    );
}

#[test]
fn mappings_are_placed_from_the_top_as_on_linux() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let base = Current::USER_END - STACK_ROOM_BYTES - GUARD_GAP_BYTES;
    let map = |address, pages| space.map(anonymous(address, pages, READ_WRITE, PRIVATE));
    assert_eq!(map(0, 2), Ok(base - 2 * PAGE));
    assert_eq!(map(0, 1), Ok(base - 3 * PAGE));
    // Joined with each other, and hints are taken when they are free.
    assert_eq!(ranges(&space), [(START, START + PAGE), (base - 3 * PAGE, base)]);
    assert_eq!(map(0x7000_0001, 1), Ok(0x7000_1000));
    assert_eq!(map(0x7000_1000, 1), Ok(base - 4 * PAGE));
    assert_eq!(map(1, 1), Ok(Current::USER_START));
    space.unmap(base - 2 * PAGE, PAGE).unwrap();
    assert_eq!(map(0, 1), Ok(base - 2 * PAGE));
    let low = space
        .map(anonymous(0, 1, READ_WRITE, PRIVATE | MapFlags::_32BIT))
        .unwrap();
    assert!(low < 1 << 31);
}

#[test]
fn protection_splits_and_joins() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, 5 * PAGE);
    space.protect(START + PAGE, PAGE, ProtFlags::READ).unwrap();
    space.protect(START + 3 * PAGE, PAGE, ProtFlags::READ).unwrap();
    assert_eq!(ranges(&space).len(), 5);
    space.protect(START + PAGE, 3 * PAGE, ProtFlags::READ).unwrap();
    assert_eq!(ranges(&space).len(), 3);
    space.protect(START, 5 * PAGE, READ_WRITE).unwrap();
    assert_eq!(ranges(&space), [(START, START + 5 * PAGE)]);
}

#[test]
fn stacks_grow_to_their_limit_and_keep_their_distance() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let top = START + 600 * PAGE;
    let flags = PRIVATE | MapFlags::FIXED | MapFlags::GROWSDOWN;
    space.map(anonymous(top - PAGE, 1, READ_WRITE, flags)).unwrap();
    space.set_limits(Limits {
        stack: 300 * PAGE,
        ..Limits::default()
    });
    put(&space, top - 100 * PAGE, 1).unwrap();
    assert_eq!(ranges(&space)[1], (top - 100 * PAGE, top));
    put(&space, top - 300 * PAGE, 1).unwrap();
    assert_eq!(put(&space, top - 300 * PAGE - 8, 1), Err(Errno::EFAULT));
    space.set_limits(Limits::default());
    let nearest = START + PAGE + GUARD_GAP_BYTES;
    put(&space, nearest, 1).unwrap();
    assert_eq!(put(&space, nearest - 8, 1), Err(Errno::EFAULT));
    assert_eq!(space.statistics().stack_pages as u64, (top - nearest) / PAGE);
}

#[test]
fn the_break_moves_both_ways() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let start = START + 16 * PAGE + 0x123;
    space.init_break(start);
    assert_eq!(space.set_break(0), start);
    assert_eq!(space.set_break(start + 3 * PAGE), start + 3 * PAGE);
    put(&space, start + 2 * PAGE, 9).unwrap();
    assert_eq!(space.set_break(start + PAGE), start + PAGE);
    assert_eq!(space.set_break(start + 3 * PAGE), start + 3 * PAGE);
    assert_eq!(get(&space, start + 2 * PAGE), Ok(0));
    map_fixed(&space, START + 40 * PAGE, 1, READ_WRITE);
    assert_eq!(space.set_break(START + 39 * PAGE + 1), start + 3 * PAGE);
    assert_eq!(space.set_break(START + 39 * PAGE), START + 39 * PAGE);
    space.set_limits(Limits {
        data: 10 * PAGE,
        ..Limits::default()
    });
    assert_eq!(space.set_break(start + 11 * PAGE), START + 39 * PAGE);
    assert_eq!(space.set_break(start + 9 * PAGE), start + 9 * PAGE);
}

#[test]
fn advice_can_empty_pages() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, 4 * PAGE);
    put(&space, START, 1).unwrap();
    put(&space, START + PAGE, 2).unwrap();
    space.advise(START, PAGE, MADV_DONTNEED).unwrap();
    assert_eq!((get(&space, START), get(&space, START + PAGE)), (Ok(0), Ok(2)));
    assert_eq!(
        space.advise(START + 2 * PAGE, 4 * PAGE, MADV_DONTNEED),
        Err(Errno::ENOMEM)
    );
}

#[test]
fn populated_memory_is_there() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let flags = PRIVATE | MapFlags::POPULATE;
    let address = space.map(anonymous(0, 10, READ_WRITE, flags)).unwrap();
    assert_eq!(space.statistics().resident_pages, 10);
    let rest = space.statistics();
    assert_eq!(
        (rest.total_pages, rest.data_pages, rest.peak_resident_pages),
        (11, 11, 10)
    );
    put(&space, address, 1).unwrap();
    assert_eq!(space.statistics().resident_pages, 10);
    // Below it: both are one mapping then, of which only a part is filled.
    let fixed = flags | MapFlags::FIXED;
    space
        .map(anonymous(address - 2 * PAGE, 2, READ_WRITE, fixed))
        .unwrap();
    assert_eq!(
        ranges(&space)
            .iter()
            .filter(|range| range.0 == address - 2 * PAGE)
            .count(),
        1
    );
    assert_eq!(space.statistics().resident_pages, 12);
}

#[test]
fn populating_ends_where_the_request_does_even_in_a_mapping_that_joined() {
    let _turn = testing::exclusive();
    let space = AddressSpace::new().unwrap();
    let flags = PRIVATE | MapFlags::POPULATE;
    let upper = space.map(anonymous(0, 3, READ_WRITE, PRIVATE)).unwrap();
    let lower = space.map(anonymous(0, 2, READ_WRITE, flags)).unwrap();
    assert_eq!(lower + 2 * PAGE, upper);
    assert_eq!(space.statistics().resident_pages, 2);
}
