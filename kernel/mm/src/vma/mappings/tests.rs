//! Placement against a search of every place, and splitting and joining.

use alloc::vec::Vec;

use los_abi::mm::ProtFlags;
use proptest::prelude::*;

use super::*;
use crate::vma::{Attributes, Backing, VmaKind};

const PAGE: u64 = PAGE_SIZE as u64;
const BASE: u64 = 2000 * PAGE;
const LOWEST: u64 = 16 * PAGE;

fn vma(range: Range<u64>, grows_down: bool) -> Vma {
    Vma {
        start: range.start,
        end: range.end,
        protection: ProtFlags::READ,
        max_protection: ProtFlags::READ,
        attributes: if grows_down {
            Attributes::GROWS_DOWN
        } else {
            Attributes::empty()
        },
        kind: VmaKind::Plain,
        backing: Backing::Anonymous,
        policy: crate::policy::Policy::DEFAULT,
        name: None,
    }
}

/// The definition of [`Mappings::find_free`].
fn highest_place(mappings: &Mappings, bytes: u64) -> Option<u64> {
    let places = (LOWEST / PAGE..BASE / PAGE).rev().map(|page| page * PAGE);
    places
        .filter(|start| start + bytes <= BASE)
        .find(|&start| mappings.is_free(start..start + bytes))
}

#[test]
fn neighbours_join_and_split() {
    let mut mappings = Mappings::new(BASE);
    mappings.insert(vma(10 * PAGE..12 * PAGE, false));
    mappings.insert(vma(14 * PAGE..16 * PAGE, false));
    assert_eq!((mappings.len(), mappings.pages()), (2, 4));
    mappings.insert(vma(12 * PAGE..14 * PAGE, false));
    assert_eq!((mappings.len(), mappings.pages()), (1, 6));
    let taken = *mappings.take_part(11 * PAGE..13 * PAGE).unwrap();
    assert_eq!((taken.start, taken.end), (11 * PAGE, 13 * PAGE));
    assert_eq!((mappings.len(), mappings.pages()), (2, 4));
    mappings.insert(Vma {
        protection: ProtFlags::WRITE,
        ..taken
    });
    let starts: Vec<_> = mappings.iter().map(|vma| vma.start / PAGE).collect();
    assert_eq!(starts, [10, 11, 13]);
    let overlapping: Vec<_> = mappings
        .overlapping(12 * PAGE..14 * PAGE)
        .map(|vma| vma.start / PAGE)
        .collect();
    assert_eq!(overlapping, [11, 13]);
    assert!(mappings.find(16 * PAGE).is_none());
    assert_eq!(mappings.ending_above(0).map(|vma| vma.start), Some(10 * PAGE));
}

#[derive(Clone, Debug)]
enum Step {
    Place(u64, bool),
    Insert(u64, u64),
    Remove(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..300, prop::bool::weighted(0.1)).prop_map(|(pages, down)| Step::Place(pages, down)),
        1 => (16_u64..2100, 1_u64..100).prop_map(|(at, pages)| Step::Insert(at, pages)),
        3 => (16_u64..2100, 1_u64..200).prop_map(|(at, pages)| Step::Remove(at, pages)),
    ]
}

proptest! {
    #[test]
    fn the_highest_place_is_found(steps in prop::collection::vec(step(), 1..60)) {
        let mut mappings = Mappings::new(BASE);
        for step in steps {
            match step {
                Step::Place(pages, grows_down) => {
                    let bytes = pages * PAGE;
                    let expected = highest_place(&mappings, bytes);
                    let found = mappings.find_free(bytes, LOWEST);
                    prop_assert_eq!(found, expected);
                    prop_assert_eq!(mappings.find_free_within(bytes, LOWEST..BASE), expected);
                    if let Some(start) = found {
                        mappings.insert(vma(start..start + bytes, grows_down));
                    }
                }
                Step::Insert(at, pages) => {
                    let range = at * PAGE..(at + pages) * PAGE;
                    if mappings.overlapping(range.clone()).next().is_none() {
                        mappings.insert(vma(range, false));
                    }
                }
                Step::Remove(at, pages) => {
                    let range = at * PAGE..(at + pages) * PAGE;
                    drop(mappings.take(range.clone()));
                    mappings.freed(range.end);
                }
            }
        }
    }
}
