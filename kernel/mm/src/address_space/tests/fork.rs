//! fork under both policies: the same result, and nothing left behind.

use super::*;
use los_abi::mm::{MADV_DONTFORK, MADV_WIPEONFORK};

const POLICIES: [ForkPolicy; 2] = [ForkPolicy::Eager, ForkPolicy::CopyOnWrite];

#[test]
fn parent_and_child_are_independent_both_ways() {
    let _turn = testing::exclusive();
    for policy in POLICIES {
        let parent = space_with_memory(START, 4 * PAGE);
        put(&parent, START, 1).unwrap();
        put(&parent, START + PAGE, 2).unwrap();
        assert_eq!(get(&parent, START + 2 * PAGE), Ok(0));
        let child = parent.fork(policy).unwrap();
        put(&parent, START, 10).unwrap();
        put(&parent, START + 2 * PAGE, 30).unwrap();
        put(&parent, START + 3 * PAGE, 40).unwrap();
        child.activate();
        put(&child, START + PAGE, 20).unwrap();
        let words = |space: &AddressSpace| {
            (0..4)
                .map(|page| get(space, START + page * PAGE).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(words(&child), [1, 20, 0, 0], "{policy:?}");
        parent.activate();
        assert_eq!(words(&parent), [10, 2, 30, 40], "{policy:?}");
        // The other space, walked in software.
        assert_eq!(words(&child), [1, 20, 0, 0], "{policy:?}");
    }
}

#[test]
fn copy_on_write_copies_what_is_written_and_nothing_else() {
    let _turn = testing::exclusive();
    let parent = space_with_memory(START, 8 * PAGE);
    (0..8).for_each(|page| put(&parent, START + page * PAGE, page).unwrap());
    let before = free_pages();
    let child = parent.fork(ForkPolicy::CopyOnWrite).unwrap();
    let tables = 4;
    assert_eq!(free_pages(), before - tables);
    put(&parent, START, 100).unwrap();
    assert_eq!(free_pages(), before - tables - 1);
    drop(child);
    // The only owner writes without a copy.
    (0..8).for_each(|page| put(&parent, START + page * PAGE, page).unwrap());
    assert_eq!(free_pages(), before);
}

#[test]
fn many_generations_return_everything() {
    let _turn = testing::exclusive();
    let _ = zero_frame();
    let before = free_pages();
    for policy in POLICIES {
        let first = space_with_memory(START, 16 * PAGE);
        (0..8).for_each(|page| put(&first, START + page * PAGE, page).unwrap());
        let mut spaces = alloc::vec![first];
        for round in 0..12 {
            let parent = &spaces[round * 7 % spaces.len()];
            let child = parent.fork(policy).unwrap();
            put(&child, START + round as u64 * PAGE, 1000 + round as u64).unwrap();
            put(parent, START + 9 * PAGE, 5).unwrap();
            spaces.push(child);
            if round % 3 == 2 {
                spaces.swap_remove(round % spaces.len());
            }
        }
        AddressSpace::deactivate();
        drop(spaces);
        assert_eq!(free_pages(), before, "{policy:?}");
    }
}

#[test]
fn shared_memory_stays_shared() {
    let _turn = testing::exclusive();
    for policy in POLICIES {
        let parent = space_with_memory(START, PAGE);
        let shared = parent
            .map(anonymous(
                0,
                2,
                READ_WRITE,
                MapFlags::SHARED | MapFlags::ANONYMOUS,
            ))
            .unwrap();
        put(&parent, shared, 1).unwrap();
        let child = parent.fork(policy).unwrap();
        put(&parent, shared, 2).unwrap();
        put(&child, shared + PAGE, 3).unwrap();
        assert_eq!((get(&child, shared), get(&parent, shared + PAGE)), (Ok(2), Ok(3)));
        assert_eq!(
            child.shared_futex_key(shared + 4),
            parent.shared_futex_key(shared + 4)
        );
        assert_ne!(child.shared_futex_key(START), parent.shared_futex_key(START));
    }
}

#[test]
fn advice_says_what_a_child_gets() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, 3 * PAGE);
    (0..3).for_each(|page| put(&space, START + page * PAGE, 7).unwrap());
    space.advise(START, PAGE, MADV_DONTFORK).unwrap();
    space.advise(START + PAGE, PAGE, MADV_WIPEONFORK).unwrap();
    let child = space.fork(ForkPolicy::CopyOnWrite).unwrap();
    let words: Vec<_> = (0..3).map(|page| get(&child, START + page * PAGE)).collect();
    assert_eq!(words, [Err(Errno::EFAULT), Ok(0), Ok(7)]);
}

#[test]
fn a_fork_without_memory_leaves_nothing_behind() {
    let _turn = testing::exclusive();
    let pages = 1500;
    let parent = space_with_memory(START, pages * PAGE);
    (0..pages).for_each(|page| put(&parent, START + page * PAGE, page).unwrap());
    let mut hoard: Vec<_> = core::iter::from_fn(|| frames::allocate_uninit().ok()).collect();
    for spared in [0, 1, 700, 1400] {
        let kept = hoard.len() - spared;
        hoard.truncate(kept);
        let before = free_pages();
        assert_eq!(parent.fork(ForkPolicy::Eager).err(), Some(Errno::ENOMEM));
        assert_eq!(free_pages(), before);
        hoard.extend(core::iter::from_fn(|| frames::allocate_uninit().ok()));
    }
    (0..pages).for_each(|page| assert_eq!(get(&parent, START + page * PAGE), Ok(page)));
    // A page fault without memory is an error as well.
    map_fixed(&parent, START - PAGE, 1, READ_WRITE);
    let fault = parent.handle_fault(VirtAddr::new(START - PAGE), Access::Write);
    assert_eq!(fault, Err(FaultError::NoMemory));
}
