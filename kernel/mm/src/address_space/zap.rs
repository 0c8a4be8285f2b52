//! Taking leaves out of the tables: frames go only after the CPU has forgotten the translations.

use alloc::vec::Vec;
use core::ops::Range;

use arrayvec::ArrayVec;
use los_arch::hal::VirtAddr;
use los_arch::hal::paging::{Leaf, LeafAction, PageTable};
use los_arch::hal::prelude::*;
use los_arch::{Current, Pte};

use super::{Inner, Resident, is_zero_frame};
use crate::frames::Frame;
use crate::tables::Tables;
use crate::vma::Mappings;

/// Above this number of pages, everything is flushed at once.
const MAX_SINGLE_FLUSHES: usize = 16;
/// Frames that wait for the flush.
const BATCH: usize = 64;
/// Leaves between two chances for others to run.
const LEAVES_AT_A_TIME: usize = 512;
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
    /// Leaves since others could run.
    passed: usize,
}

impl Flush {
    pub(super) fn new(active: bool) -> Self {
        Self {
            active,
            everything: false,
            pages: ArrayVec::new(),
            frames: ArrayVec::new(),
            passed: 0,
        }
    }

    /// Notes that a leaf was looked at, and lets others run from time to time: a program may have made the range as
    /// large as it likes. False for a thread that is to die. Memory that is in use nowhere goes in one piece, since
    /// who drops it last may be anybody.
    #[inline]
    pub(super) fn pass(&mut self) -> bool {
        self.passed += 1;
        !self.active || self.passed < LEAVES_AT_A_TIME || self.give_way()
    }

    #[cold]
    fn give_way(&mut self) -> bool {
        self.passed = 0;
        sync::give_way()
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

/// The tables of a space, without its mappings.
pub(super) struct Leaves<'a> {
    pub(super) table: &'a mut PageTable<Pte>,
    pub(super) tables: &'a mut Tables,
    pub(super) resident: &'a mut Resident,
}

impl Leaves<'_> {
    /// Removes all leaves in a range. Tables stay.
    pub(super) fn zap(&mut self, range: Range<u64>, flush: &mut Flush) {
        let resident = &mut *self.resident;
        let (start, end) = (VirtAddr::new(range.start), VirtAddr::new(range.end));
        self.table.for_each_leaf(self.tables, start, end, &mut |_, leaf| {
            if !is_zero_frame(leaf.phys) {
                resident.pages -= 1;
            }
            flush.page(leaf.virt);
            // SAFETY: every user leaf was written with a reference of its frame from `into_phys`, and this
            // one is being removed.
            flush.free_later(unsafe { Frame::from_phys(leaf.phys) });
            // What has begun is done in full.
            flush.pass();
            LeafAction::Remove
        });
    }
}

impl Inner {
    /// Separates the mappings from the tables.
    pub(super) fn parts(&mut self) -> (&mut Mappings, Leaves<'_>) {
        let Self {
            mappings,
            table,
            tables,
            resident,
            ..
        } = self;
        (
            mappings,
            Leaves {
                table,
                tables,
                resident,
            },
        )
    }

    /// Frees the tables that cover a range of which nothing is mapped any more.
    pub(super) fn free_tables(&mut self, range: Range<u64>, flush: &mut Flush) {
        let free = self.mappings.free_around(&range);
        let before = self.tables.count;
        self.free_tables_within(range, free);
        if self.tables.count != before && flush.active {
            // The processor may cache tables as well.
            flush.everything = true;
            flush.flush();
        }
    }

    /// Removes everything; the space is active nowhere.
    pub(super) fn clear(&mut self) {
        let mut flush = Flush::new(false);
        let (mappings, mut leaves) = self.parts();
        let all: Vec<_> = mappings.take(0..u64::MAX).collect();
        all.iter()
            .for_each(|vma| leaves.zap(vma.start..vma.end, &mut flush));
        for (index, vma) in all.iter().enumerate() {
            // Tables that the next one uses too go with it.
            let next = all.get(index + 1).map_or(Current::USER_END, |next| next.start);
            self.free_tables_within(vma.start..vma.end, 0..next);
        }
    }

    fn free_tables_within(&mut self, range: Range<u64>, free: Range<u64>) {
        let ceiling = if free.end == Current::USER_END {
            TOP
        } else {
            free.end
        };
        let bounds = (VirtAddr::new(free.start), VirtAddr::new(ceiling));
        let (start, end) = (VirtAddr::new(range.start), VirtAddr::new(range.end));
        self.table.free_tables(&mut self.tables, start, end, bounds);
    }
}
