//! The allocator against the simplest one there is: a set of the frames in use.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use los_arch::hal::prelude::*;
use proptest::prelude::*;

use super::*;
use crate::testing;

fn free_pages() -> usize {
    statistics().free_pages
}

#[test]
fn frames_are_zeroed_counted_and_returned() {
    let _turn = testing::exclusive();
    let before = free_pages();
    let frame = allocate().unwrap();
    let mut bytes = [1; PAGE_SIZE];
    frame.read(0, &mut bytes);
    assert_eq!(bytes, [0; PAGE_SIZE]);
    frame.write(PAGE_SIZE - 2, b"ab");
    let other = frame.clone();
    assert_eq!((frame.count(), other.phys()), (2, frame.phys()));
    drop(frame);
    other.read(PAGE_SIZE - 3, &mut bytes[..3]);
    assert_eq!((&bytes[..3], other.count()), (&b"\0ab"[..], 1));
    assert_eq!(free_pages(), before - 1);
    drop(other);
    assert_eq!(free_pages(), before);
}

#[test]
fn frames_that_are_known_to_be_zero_are_free_like_all() {
    let _turn = testing::exclusive();
    drain();
    let before = free_pages();
    let numbers: Vec<_> = (0..100).map(|_| allocate_raw(Purpose::Kernel).unwrap()).collect();
    assert_eq!(allocate_known_zero(), None);
    numbers.iter().for_each(|number| free_zeroed(*number));
    assert_eq!(free_pages(), before);
    let zeroed = allocate_known_zero().unwrap();
    assert!(numbers.contains(&zeroed));
    free_zeroed(zeroed);
    drain();
    assert_eq!((allocate_known_zero(), free_pages()), (None, before));
}

#[test]
#[should_panic(expected = "PAGE_SIZE")]
fn bytes_beyond_a_frame_are_refused() {
    let _turn = testing::exclusive();
    allocate().unwrap().write(PAGE_SIZE - 1, b"ab");
}

#[test]
fn programs_leave_the_reserve_to_the_kernel() {
    let _turn = testing::exclusive();
    let before = free_pages();
    let frames: Vec<_> = core::iter::from_fn(|| allocate_uninit().ok()).collect();
    let statistics = statistics();
    assert!(statistics.free_pages <= statistics.reserve_pages && headroom());
    assert_eq!(frames.len() + statistics.free_pages, before);
    let reserve: Vec<_> = core::iter::from_fn(|| allocate_raw(Purpose::Kernel)).collect();
    assert_eq!((reserve.len(), free_pages()), (statistics.free_pages, 0));
    assert!(!headroom() && allocate_run(2, 1).is_none());
    assert_eq!(allocate().err(), Some(Errno::ENOMEM));
    reserve.into_iter().for_each(free_raw);
    drop(frames);
    assert_eq!(free_pages(), before);
    // All of it went through the pool: a long run needs it joined again.
    let run = allocate_run(1000, 1).unwrap();
    free_run(run, 1000);
    assert_eq!(free_pages(), before);
}

#[test]
fn memory_is_what_the_machine_has_and_what_is_released() {
    let _turn = testing::exclusive();
    // SAFETY: the mock does nothing unsafe.
    let boot = unsafe { Current::boot_info(0) };
    let ram: u64 = boot.memory.iter().map(|range| range.len()).sum();
    let infos = los_arch_mock::RAM_BYTES / 256;
    let before = statistics();
    assert_eq!(
        before.total_pages as u64,
        (ram - boot.kernel.len() - infos) / PAGE_SIZE as u64
    );
    let image = PhysRange::from_start_len(boot.kernel.start.as_u64() + 0x8_0123, 0x3000);
    // SAFETY: the second half of the mock's "kernel image" is used by nothing.
    unsafe { release(image) };
    let after = statistics();
    assert_eq!(after.total_pages - before.total_pages, 2);
    assert_eq!(after.free_pages - before.free_pages, 2);
}

#[derive(Clone, Debug)]
enum Step {
    Allocate,
    Run(usize, usize),
    Free(usize),
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Allocate),
        2 => (1_usize..70, 0_usize..5).prop_map(|(frames, align)| Step::Run(frames, PAGE_SIZE << align)),
        6 => any::<usize>().prop_map(Step::Free),
        1 => Just(Step::Drain),
    ]
}

proptest! {
    #[test]
    fn no_frame_is_given_twice_and_all_return(steps in prop::collection::vec(step(), 1..300)) {
        let _turn = testing::exclusive();
        let before = free_pages();
        let mut in_use = BTreeSet::new();
        let mut held: Vec<(FrameNumber, usize)> = Vec::new();
        for step in steps {
            match step {
                Step::Allocate => held.push((allocate_raw(Purpose::User).unwrap(), 1)),
                Step::Run(frames, align) => {
                    let first = allocate_run(frames, align).unwrap();
                    let address = Current::direct_map(PhysAddr::new(u64::from(first.get()) << PAGE_SHIFT));
                    prop_assert_eq!(address.addr() % align, 0);
                    held.push((first, frames));
                }
                Step::Drain => {
                    drain();
                    continue;
                }
                Step::Free(_) if held.is_empty() => continue,
                Step::Free(which) => {
                    let (first, frames) = held.swap_remove(which % held.len());
                    (first.get()..).take(frames).for_each(|number| assert!(in_use.remove(&number)));
                    if frames == 1 { free_raw(first) } else { free_run(first, frames) }
                    prop_assert_eq!(free_pages(), before - in_use.len());
                    continue;
                }
            }
            let &(first, frames) = held.last().unwrap();
            for number in (first.get()..).take(frames) {
                prop_assert!(in_use.insert(number), "frame {number} is in use already");
                prop_assert_eq!(info(number).count.load(Ordering::Relaxed), 1);
            }
            prop_assert_eq!(free_pages(), before - in_use.len());
        }
        for (first, frames) in held {
            free_run(first, frames);
        }
        prop_assert_eq!(free_pages(), before);
    }
}
