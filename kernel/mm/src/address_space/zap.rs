//! Taking leaves out of the tables: frames go only after the CPU has forgotten the translations.

use core::ops::Range;

use arrayvec::ArrayVec;
use los_arch::hal::VirtAddr;
use los_arch::hal::cpu::CpuSet;
use los_arch::hal::paging::{Leaf, LeafAction, PageTable};
use los_arch::hal::prelude::*;
use los_arch::{Current, Pte};

use super::{AddressSpace, Inner, Resident, is_zero_frame};
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
pub(super) struct Flush<'a> {
    /// Whose translations they are; `None` for a space that is active nowhere.
    space: Option<&'a AddressSpace>,
    everything: bool,
    pages: ArrayVec<VirtAddr, MAX_SINGLE_FLUSHES>,
    frames: ArrayVec<Frame, BATCH>,
    /// Leaves since others could run.
    passed: usize,
}

impl<'a> Flush<'a> {
    pub(super) fn new(space: &'a AddressSpace) -> Self {
        Self::of(Some(space))
    }

    /// Has nothing to flush, and does not wait.
    pub(super) fn nowhere() -> Self {
        Self::of(None)
    }

    fn of(space: Option<&'a AddressSpace>) -> Self {
        Self {
            space,
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
        self.space.is_none() || self.passed < LEAVES_AT_A_TIME || self.give_way()
    }

    #[cold]
    fn give_way(&mut self) -> bool {
        self.passed = 0;
        sync::give_way()
    }

    /// Notes that the leaf of a page loses a permission.
    #[inline]
    pub(super) fn page(&mut self, page: VirtAddr) {
        if !self.everything && self.pages.try_push(page).is_err() {
            self.everything = true;
        }
    }

    /// Notes that the leaf of a page goes next, and keeps its frame until the flush.
    #[inline]
    pub(super) fn removed(&mut self, page: VirtAddr, frame: Frame) {
        // First, since this page's leaf is still there.
        if self.frames.is_full() {
            self.flush();
        }
        self.page(page);
        self.frames.push(frame);
    }

    /// Has the CPUs forget, and frees what waited for that.
    fn flush(&mut self) {
        if self.everything || !self.pages.is_empty() {
            // Asked now and not before: the space may have become active elsewhere meanwhile.
            let cpus = self.space.map_or(CpuSet::EMPTY, AddressSpace::active_cpus);
            if cpus.is_empty() {
                // Nobody has translations of it.
            } else if self.everything {
                Current::flush_user(cpus);
            } else {
                self.pages
                    .iter()
                    .for_each(|&page| Current::flush_user_page(page, cpus));
            }
        }
        self.everything = false;
        self.pages.clear();
        self.frames.clear();
    }
}

impl Drop for Flush<'_> {
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
            // SAFETY: every user leaf was written with a reference of its frame from `into_phys`, and this
            // one is being removed.
            flush.removed(leaf.virt, unsafe { Frame::from_phys(leaf.phys) });
            // What has begun is done in full.
            flush.pass();
            LeafAction::Remove
        });
    }

    /// Takes the tables that cover a range out of the tree, where they cover nothing but what is free.
    fn take_tables(&mut self, range: Range<u64>, free: Range<u64>) {
        let ceiling = if free.end == Current::USER_END {
            TOP
        } else {
            free.end
        };
        let bounds = (VirtAddr::new(free.start), VirtAddr::new(ceiling));
        let (start, end) = (VirtAddr::new(range.start), VirtAddr::new(range.end));
        self.table.free_tables(self.tables, start, end, bounds);
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
        self.parts().1.take_tables(range, free);
        self.free_taken_tables(before, flush);
    }

    /// Frees the tables that were taken out of the tree since there were `before`.
    fn free_taken_tables(&mut self, before: usize, flush: &mut Flush) {
        if self.tables.count != before {
            // The processors may cache tables as well.
            flush.everything = true;
            flush.flush();
            self.tables.free_emptied();
        }
    }

    /// Removes everything. As [`Self::unmap`] of the whole, but does not look at what lies between the mappings.
    pub(super) fn clear(&mut self, flush: &mut Flush) {
        self.guards.remove(0..Current::USER_END);
        let before = self.tables.count;
        let (mappings, mut leaves) = self.parts();
        let mut taken = mappings.take(0..Current::USER_END).peekable();
        while let Some(vma) = taken.next() {
            leaves.zap(vma.start..vma.end, flush);
            // Tables that the next one uses too go with it.
            let next = taken.peek().map_or(Current::USER_END, |next| next.start);
            leaves.take_tables(vma.start..vma.end, 0..next);
        }
        drop(taken);
        self.mappings.freed(Current::USER_END);
        self.free_taken_tables(before, flush);
    }
}
