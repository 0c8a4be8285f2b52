//! mremap, and the books that locking and promises keep.

use los_abi::mm::MremapFlags;

use super::*;
use crate::commit::{self, Overcommit};
use crate::{LockMode, Locker};

fn remap(space: &AddressSpace, from: (u64, u64), new: (u64, u64), flags: MremapFlags) -> Result<u64, Errno> {
    space.remap(RemapRequest {
        address: from.0,
        old_length: from.1 * PAGE,
        new_length: new.1 * PAGE,
        flags,
        new_address: new.0,
        lowest: Current::USER_START,
    })
}

#[test]
fn a_move_without_memory_for_tables_moves_nothing() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, 4 * PAGE);
    // Two tables of leaves are needed where it is to go, and there is memory for one at most.
    let target = 0x4000_0000 + 510 * PAGE;
    (0..4).for_each(|page| put(&space, START + page * PAGE, page + 1).unwrap());
    let mut hoard: Vec<_> = core::iter::from_fn(|| frames::allocate_raw(frames::Purpose::Kernel)).collect();
    let flags = MremapFlags::MAYMOVE | MremapFlags::FIXED;
    for spared in 0..4 {
        (0..spared).for_each(|_| hoard.pop().map_or((), frames::free_raw));
        let before = free_pages();
        let refused = remap(&space, (START, 4), (target, 4), flags);
        if spared < 3 {
            assert_eq!(
                (refused, free_pages()),
                (Err(Errno::ENOMEM), before),
                "{spared} spared"
            );
        }
        let at = refused.unwrap_or(START);
        let words: Vec<_> = (0..4).map(|page| get(&space, at + page * PAGE)).collect();
        assert_eq!(words, [Ok(1), Ok(2), Ok(3), Ok(4)], "{spared} spared");
        hoard.extend(core::iter::from_fn(|| {
            frames::allocate_raw(frames::Purpose::Kernel)
        }));
    }
    hoard.into_iter().for_each(frames::free_raw);
}

#[test]
fn growth_obeys_the_limits() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, 2 * PAGE);
    let grow = |pages| remap(&space, (START, 2), (0, pages), MremapFlags::MAYMOVE);
    space.set_limits(Limits {
        address_space: 4 * PAGE,
        ..Limits::default()
    });
    assert_eq!(grow(5), Err(Errno::ENOMEM));
    space.set_limits(Limits {
        data: 3 * PAGE,
        ..Limits::default()
    });
    assert_eq!(grow(4), Err(Errno::ENOMEM));
    space.set_limits(Limits {
        locked: 3 * PAGE,
        ..Limits::default()
    });
    space
        .lock(START, PAGE, LockMode::OnFault, Locker::Limited)
        .unwrap();
    assert_eq!(grow(3), Err(Errno::EFAULT));
    space
        .lock(START, 2 * PAGE, LockMode::OnFault, Locker::Limited)
        .unwrap();
    assert_eq!(grow(4), Err(Errno::EAGAIN));
    assert_eq!(grow(3), Ok(START));
    assert_eq!(space.statistics().locked_pages, 3);
    space.unmap(START, 2 * PAGE).unwrap();
    assert_eq!(space.statistics().locked_pages, 1);
}

#[test]
fn promises_are_counted_and_kept_within_bounds() {
    let _turn = testing::exclusive();
    let before = commit::committed_pages();
    let promised = || commit::committed_pages() - before;
    let space = space_with_memory(START, 10 * PAGE);
    assert_eq!(promised(), 10);
    space.protect(START, 5 * PAGE, ProtFlags::READ).unwrap();
    assert_eq!(promised(), 10);
    space.protect(START, 5 * PAGE, READ_WRITE).unwrap();
    assert_eq!(promised(), 10);
    let reader = space.map(anonymous(0, 4, ProtFlags::READ, PRIVATE)).unwrap();
    assert_eq!(promised(), 10);
    space.protect(reader, 2 * PAGE, READ_WRITE).unwrap();
    assert_eq!(promised(), 12);
    let moved = remap(&space, (START, 10), (0, 20), MremapFlags::MAYMOVE).unwrap();
    assert_eq!(promised(), 22);
    let shared = MapFlags::SHARED | MapFlags::ANONYMOUS;
    let object = space.map(anonymous(0, 7, READ_WRITE, shared)).unwrap();
    let child = space.fork(ForkPolicy::CopyOnWrite).unwrap();
    assert_eq!(promised(), 22 + 7 + 22);
    drop(child);
    // The object counts as a whole while a page of it is mapped.
    space.unmap(object, 6 * PAGE).unwrap();
    assert_eq!(promised(), 22 + 7);
    space.unmap(object + 6 * PAGE, PAGE).unwrap();
    space.unmap(moved, 20 * PAGE).unwrap();
    assert_eq!(promised(), 2);
    commit::set_mode(Overcommit::Never);
    let all = commit::limit_pages() as u64;
    let refused = space.map(anonymous(0, all, READ_WRITE, PRIVATE | MapFlags::NORESERVE));
    commit::set_mode(Overcommit::Always);
    let granted = space.map(anonymous(0, 2 * frames::total() as u64, READ_WRITE, PRIVATE));
    commit::set_mode(Overcommit::Heuristic);
    // Each mapping is judged by itself: only one that exceeds all memory is in the way of a fork.
    assert_eq!(space.fork(ForkPolicy::CopyOnWrite).err(), Some(Errno::ENOMEM));
    space
        .unmap(granted.unwrap(), frames::total() as u64 * 2 * PAGE)
        .unwrap();
    for _ in 0..3 {
        let part = anonymous(0, frames::total() as u64 / 2, READ_WRITE, PRIVATE);
        let at = space.map(part).unwrap();
        // Neighbours of another kind do not join.
        space.advise(at, PAGE, los_abi::mm::MADV_DONTDUMP).unwrap();
    }
    assert!(space.fork(ForkPolicy::CopyOnWrite).is_ok());
    assert_eq!((refused, granted.is_ok()), (Err(Errno::ENOMEM), true));
    AddressSpace::deactivate();
    drop(space);
    assert_eq!(promised(), 0);
}
