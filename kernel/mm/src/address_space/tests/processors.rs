//! Several processors, users and onlookers of one space.

extern crate std;

use core::cell::Cell;
use std::sync::Barrier;

use sync::{Parker, ThreadHandle, Unpark, Use};

use super::super::zap::Flush;
use super::*;

#[test]
fn who_runs_in_the_space_elsewhere_forgets_too() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, 4 * PAGE);
    (0..4).for_each(|page| put(&space, START + page * PAGE, 1).unwrap());
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            Current::become_cpu(1);
            space.activate();
            barrier.wait();
            barrier.wait();
            AddressSpace::deactivate();
        });
        barrier.wait();
        Current::take_record();
        space.unmap(START, PAGE).unwrap();
        space.protect(START + PAGE, PAGE, ProtFlags::READ).unwrap();
        let elsewhere = Current::take_record().flushed_elsewhere;
        assert_eq!(elsewhere, [CpuSet::only(1), CpuSet::only(1)]);
        // A copy replaces the page that a child shares.
        let child = space.fork(ForkPolicy::CopyOnWrite).unwrap();
        put(&space, START + 2 * PAGE, 2).unwrap();
        let elsewhere = Current::take_record().flushed_elsewhere;
        assert!(elsewhere.len() >= 2, "one for the fork and one for the copy");
        drop(child);
        barrier.wait();
    });
    space.unmap(START + PAGE, PAGE).unwrap();
    let record = Current::take_record();
    assert!(record.flushed_elsewhere.is_empty());
    assert_eq!(record.flushed_user_pages, [VirtAddr::new(START + PAGE)]);
}

#[test]
fn the_processors_are_looked_up_when_the_change_is_done() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let mut flush = Flush::new(&space);
    flush.page(VirtAddr::new(START));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            Current::become_cpu(2);
            space.activate();
        });
    });
    Current::take_record();
    drop(flush);
    assert_eq!(Current::take_record().flushed_elsewhere, [CpuSet::only(2)]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            Current::become_cpu(2);
            AddressSpace::deactivate();
        });
    });
}

#[test]
fn no_flush_is_done_for_a_leaf_that_is_still_there() {
    let _turn = testing::exclusive();
    let space = space_with_memory(START, PAGE);
    let page = |index: u64| VirtAddr::new(START + index * PAGE);
    let mut flush = Flush::new(&space);
    Current::take_record();
    (0..64).for_each(|index| flush.removed(page(index), frames::allocate().unwrap()));
    assert_eq!(Current::take_record(), Default::default());
    // The leaf of this page is removed after the call: only those before may be flushed.
    flush.removed(page(64), frames::allocate().unwrap());
    assert_eq!(Current::take_record().user_flushes, 1);
    drop(flush);
    assert_eq!(Current::take_record().flushed_user_pages, [page(64)]);
}

#[test]
fn the_last_user_frees_what_others_look_at() {
    let _turn = testing::exclusive();
    let before = free_pages();
    let space = space_with_memory(START, 8 * PAGE);
    let first = Use::new(space.clone());
    let second = first.clone();
    put(&space, START, 5).unwrap();
    drop(first);
    assert_eq!(get(&space, START), Ok(5));
    drop(second);
    assert_eq!(get(&space, START), Err(Errno::EFAULT));
    assert_eq!((free_pages(), ranges(&space).len()), (before - 1, 0));
    AddressSpace::deactivate();
    drop(space);
    assert_eq!(free_pages(), before);
}

std::thread_local! {
    static TURNS: Cell<usize> = const { Cell::new(0) };
    /// At which turn the thread learns that it is to die.
    static DEATH: Cell<usize> = const { Cell::new(usize::MAX) };
}

static COUNTER: TurnCounter = TurnCounter;

/// Counts how often others could run.
struct TurnCounter;
struct HostThread;

impl Parker for TurnCounter {
    fn current(&self) -> ThreadHandle {
        Arc::new(HostThread)
    }

    fn park(&self, _deadline_ns: Option<u64>) {
        std::thread::yield_now();
    }

    fn interrupted(&self) -> bool {
        false
    }

    fn give_way(&self) -> bool {
        TURNS.set(TURNS.get() + 1);
        TURNS.get() < DEATH.get()
    }
}

impl Unpark for HostThread {
    fn unpark(&self) {}
}

#[test]
fn others_run_while_much_is_unmapped() {
    const PAGES: u64 = 10_000;
    let _turn = testing::exclusive();
    sync::set_parker(&COUNTER);
    let space = space_with_memory(START, PAGES * PAGE);
    // Each has a leaf, and all have the same frame.
    (0..PAGES).for_each(|page| assert_eq!(get(&space, START + page * PAGE), Ok(0)));
    TURNS.set(0);
    space.unmap(START, PAGES * PAGE).unwrap();
    assert_eq!(TURNS.get(), 10_000 / 512);
    AddressSpace::deactivate();
}

#[test]
fn others_run_while_half_a_copy_is_freed() {
    const PAGES: u64 = 10_000;
    const DEATH_TURN: usize = 10;
    let _turn = testing::exclusive();
    sync::set_parker(&COUNTER);
    let space = space_with_memory(START, PAGES * PAGE);
    (0..PAGES).for_each(|page| assert_eq!(get(&space, START + page * PAGE), Ok(0)));
    TURNS.set(0);
    DEATH.set(DEATH_TURN);
    let copy = space.fork(ForkPolicy::CopyOnWrite);
    DEATH.set(usize::MAX);
    assert_eq!(copy.err(), Some(Errno::ENOMEM));
    let copied = DEATH_TURN * 512 - 1;
    assert_eq!(TURNS.get(), DEATH_TURN + copied / 512);
    AddressSpace::deactivate();
}
