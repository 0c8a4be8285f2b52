//! The heap against a list of blocks whose contents must not change.

use alloc::vec::Vec;
use core::slice;

use proptest::prelude::*;

use super::*;
use crate::{frames, testing};

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// A block filled with its mark.
struct Block {
    start: *mut u8,
    layout: Layout,
    mark: u8,
}

impl Block {
    fn new(layout: Layout, mark: u8) -> Self {
        // SAFETY: the size is not zero.
        let start = unsafe { KernelHeap.alloc(layout) };
        assert!(!start.is_null() && start.addr() % layout.align() == 0);
        let block = Self { start, layout, mark };
        block.fill();
        block
    }

    fn fill(&self) {
        // SAFETY: the block is this large and this value owns it.
        unsafe { ptr::write_bytes(self.start, self.mark, self.layout.size()) };
    }

    fn is_intact(&self, bytes: usize) -> bool {
        // SAFETY: the block is at least this large, filled, and this value owns it.
        let bytes = unsafe { slice::from_raw_parts(self.start, bytes) };
        bytes.iter().all(|&byte| byte == self.mark)
    }

    fn resize(&mut self, size: usize) {
        // SAFETY: the block is allocated with its layout, and the size is not zero.
        self.start = unsafe { KernelHeap.realloc(self.start, self.layout, size) };
        assert!(!self.start.is_null());
        assert!(self.is_intact(size.min(self.layout.size())));
        self.layout = layout(size, self.layout.align());
        self.fill();
    }

    fn free(self) {
        assert!(self.is_intact(self.layout.size()));
        // SAFETY: the block is allocated with its layout and given up here.
        unsafe { KernelHeap.dealloc(self.start, self.layout) };
    }
}

#[test]
fn classes_hold_what_they_are_chosen_for() {
    for size in 1..=MAX_SMALL {
        for align in [1, 8, 16, 64, 512, 2048] {
            let class = usize::from(CLASSES[class_for(layout(size, align)).unwrap()]);
            assert!(class >= size && class % align.max(GRAIN) == 0 || align > GRAIN && class % align == 0);
        }
    }
    assert_eq!(class_for(layout(1, 4096)), None);
    assert_eq!(class_for(layout(MAX_SMALL + 1, 1)), None);
}

#[test]
fn exhaustion_is_null_and_not_for_ever() {
    let _turn = testing::exclusive();
    trim();
    let before = frames::statistics().free_pages;
    // SAFETY: the size is not zero.
    assert!(unsafe { KernelHeap.alloc(layout(1 << 40, 8)) }.is_null());
    let mut blocks = Vec::new();
    loop {
        // SAFETY: the size is not zero.
        let block = unsafe { KernelHeap.alloc(layout(2000, 8)) };
        if block.is_null() {
            break;
        }
        blocks.push(block);
    }
    assert_eq!(frames::statistics().free_pages, 0);
    for block in blocks {
        // SAFETY: allocated above with this layout.
        unsafe { KernelHeap.dealloc(block, layout(2000, 8)) };
    }
    trim();
    assert_eq!(frames::statistics().free_pages, before);
}

#[derive(Clone, Debug)]
enum Step {
    Allocate(usize, u32),
    Resize(usize, usize),
    Free(usize),
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 1_usize..300, 2 => 300_usize..5000, 1 => 5000_usize..100_000]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (size(), 0_u32..14).prop_map(|(size, align)| Step::Allocate(size, align)),
        1 => (any::<usize>(), size()).prop_map(|(which, size)| Step::Resize(which, size)),
        3 => any::<usize>().prop_map(Step::Free),
    ]
}

proptest! {
    #[test]
    fn blocks_do_not_overlap_and_pages_return(steps in prop::collection::vec(step(), 1..200)) {
        let _turn = testing::exclusive();
        trim();
        let before = frames::statistics().free_pages;
        let mut blocks = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Allocate(size, align) => blocks.push(Block::new(layout(size, 1 << align), number as u8)),
                _ if blocks.is_empty() => {}
                Step::Resize(which, size) => {
                    let which = which % blocks.len();
                    blocks[which].resize(size);
                }
                Step::Free(which) => blocks.swap_remove(which % blocks.len()).free(),
            }
        }
        blocks.into_iter().for_each(Block::free);
        trim();
        prop_assert_eq!(frames::statistics().free_pages, before);
    }
}
