//! Taking leaves out of the tables: frames go only after the CPU has forgotten the translations.

use core::ops::Range;

use arrayvec::ArrayVec;
use los_arch::hal::VirtAddr;
use los_arch::hal::paging::{Leaf, LeafAction};
use los_arch::hal::prelude::*;
use los_arch::{Current, Pte};

use super::{Inner, is_zero_frame};
use crate::frames::Frame;

/// Above this number of pages, everything is flushed at once.
const MAX_SINGLE_FLUSHES: usize = 16;
/// Frames that wait for the flush.
const BATCH: usize = 64;
/// End of the user half, rounded up to a whole entry of the root table; the kernel's half begins no lower.
const TOP: u64 = {
    let root_entry = Leaf::bytes(<Pte as PteFormat>::LEVELS - 1);
    Current::USER_END.next_multiple_of(root_entry)
};

/// Translations to forget, and the frames that are to be freed then. Does so when dropped.
pub(super) struct Flush {
    /// The space is active here; otherwise no translation is cached.
    active: bool,
    everything: bool,
    pages: ArrayVec<VirtAddr, MAX_SINGLE_FLUSHES>,
    frames: ArrayVec<Frame, BATCH>,
}

impl Flush {
    pub(super) fn new(active: bool) -> Self {
        Self {
            active,
            everything: false,
            pages: ArrayVec::new(),
            frames: ArrayVec::new(),
        }
    }

    /// Notes that the leaf of a page was removed or lost a permission.
    #[inline]
    pub(super) fn page(&mut self, page: VirtAddr) {
        if self.active && !self.everything && self.pages.try_push(page).is_err() {
            self.everything = true;
        }
    }

    /// Keeps a frame until the flush.
    #[inline]
    pub(super) fn free_later(&mut self, frame: Frame) {
        if self.frames.is_full() {
            self.flush();
        }
        self.frames.push(frame);
    }

    fn flush(&mut self) {
        if self.everything {
            Current::flush_user();
        } else {
            self.pages.iter().for_each(|&page| Current::flush_user_page(page));
        }
        self.everything = false;
        self.pages.clear();
        self.frames.clear();
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Inner {
    /// Removes all leaves in a range. Tables stay.
    pub(super) fn zap(&mut self, range: Range<u64>, flush: &mut Flush) {
        let Self {
            table,
            tables,
            resident,
            ..
        } = self;
        let (start, end) = (VirtAddr::new(range.start), VirtAddr::new(range.end));
        table.for_each_leaf(tables, start, end, &mut |_, leaf| {
            if !is_zero_frame(leaf.phys) {
                resident.pages -= 1;
            }
            flush.page(leaf.virt);
            // SAFETY: every user leaf was written with a reference of its frame from `into_phys`, and this
            // one is being removed.
            flush.free_later(unsafe { Frame::from_phys(leaf.phys) });
            LeafAction::Remove
        });
    }

    /// Frees the tables that cover a range without leaves and nothing that is mapped.
    pub(super) fn free_tables(&mut self, range: Range<u64>, flush: &mut Flush) {
        let free = self.mappings.free_around(range.start, range.end);
        let ceiling = if free.end == Current::USER_END {
            TOP
        } else {
            free.end
        };
        let bounds = (VirtAddr::new(free.start), VirtAddr::new(ceiling));
        let before = self.tables.count;
        let (start, end) = (VirtAddr::new(range.start), VirtAddr::new(range.end));
        self.table.free_tables(&mut self.tables, start, end, bounds);
        if self.tables.count != before && flush.active {
            // The processor may cache tables as well.
            Current::flush_user();
        }
    }

    /// Removes everything; the space is active nowhere.
    pub(super) fn clear(&mut self) {
        let mut flush = Flush::new(false);
        while let Some(vma) = self.mappings.take_first(0..u64::MAX) {
            self.zap(vma.start..vma.end, &mut flush);
            // Tables that others still use stay for them.
            self.free_tables(vma.start..vma.end, &mut flush);
        }
    }
}
