//! What of each mapping is in memory, for /proc/PID/smaps (proc_pid_smaps(5)).

use los_abi::mm::ProtFlags;
use los_arch::hal::paging::{Leaf, LeafAction, PageFlags};
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE, VirtAddr};

use super::account::{VmaInfo, describe};
use super::lock::is_special;
use super::protect::with_frame;
use super::{AddressSpace, Inner, is_zero_frame};
use crate::vma::{Attributes, Backing};

/// Bytes of one mapping that are in memory, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VmaUsage {
    /// All.
    pub resident: u64,
    /// Each page divided by the number of mappings that share it.
    pub proportional: u64,
    /// The same, of pages that were written to.
    pub proportional_dirty: u64,
    /// Mapped elsewhere too, and not written to.
    pub shared_clean: u64,
    /// Mapped elsewhere too, and written to.
    pub shared_dirty: u64,
    /// Mapped here alone, and not written to.
    pub private_clean: u64,
    /// Mapped here alone, and written to.
    pub private_dirty: u64,
    /// The program's own memory.
    pub anonymous: u64,
    /// `proportional`, if the mapping is locked.
    pub locked: u64,
    /// The pages are those of shared memory, and not of a file.
    pub is_shared_memory: bool,
}

impl VmaUsage {
    /// Adds what another mapping has.
    pub fn add(&mut self, other: &Self) {
        self.resident += other.resident;
        self.proportional += other.proportional;
        self.proportional_dirty += other.proportional_dirty;
        self.shared_clean += other.shared_clean;
        self.shared_dirty += other.shared_dirty;
        self.private_clean += other.private_clean;
        self.private_dirty += other.private_dirty;
        self.anonymous += other.anonymous;
        self.locked += other.locked;
    }

    fn add_page(&mut self, leaf: &Leaf) {
        let bytes = PAGE_SIZE as u64;
        let (sharers, is_cached) = sharers(leaf);
        let part = bytes / sharers;
        let is_dirty = leaf.flags.contains(PageFlags::DIRTY);
        self.resident += bytes;
        self.proportional += part;
        self.anonymous += if is_cached { 0 } else { bytes };
        self.proportional_dirty += if is_dirty { part } else { 0 };
        let counter = match (sharers > 1, is_dirty) {
            (true, false) => &mut self.shared_clean,
            (true, true) => &mut self.shared_dirty,
            (false, false) => &mut self.private_clean,
            (false, true) => &mut self.private_dirty,
        };
        *counter += bytes;
    }
}

impl AddressSpace {
    /// Calls `visit` for every mapping in ascending order with what of it is in memory. The space is locked
    /// meanwhile.
    pub fn for_each_vma_usage(&self, visit: &mut dyn FnMut(&VmaInfo, &VmaUsage)) {
        let mut inner = self.inner.lock();
        let Inner {
            mappings,
            table,
            tables,
            ..
        } = &mut *inner;
        for vma in mappings.iter() {
            let mut usage = VmaUsage::default();
            let (start, end) = (VirtAddr::new(vma.start), VirtAddr::new(vma.end));
            table.for_each_leaf(tables, start, end, &mut |_, leaf| {
                if !is_zero_frame(leaf.phys) {
                    usage.add_page(&leaf);
                }
                LeafAction::Keep
            });
            if vma.attributes.contains(Attributes::LOCKED) {
                usage.locked = usage.proportional;
            }
            if let Backing::Object { mapped, .. } = &vma.backing {
                usage.is_shared_memory = mapped.pager().is_shared_memory();
            }
            visit(&describe(vma), &usage);
        }
    }
}

/// The page is in memory (proc_pid_pagemap(5)).
const PAGE_PRESENT: u64 = 1 << 63;
/// The page is a file's, or shared memory.
const PAGE_OF_FILE: u64 = 1 << 61;
/// Nobody else has the page mapped.
const PAGE_EXCLUSIVE: u64 = 1 << 56;

/// Whether somebody is told where in the machine's memory pages are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameNumbers {
    /// They are.
    Shown,
    /// They are not, as it would help an attack.
    Hidden,
}

impl AddressSpace {
    /// Fills in what /proc/PID/pagemap says of the pages from an address on.
    pub fn describe_pages(&self, first: u64, numbers: FrameNumbers, entries: &mut [u64]) {
        let inner = self.inner.lock();
        for (entry, page) in entries.iter_mut().zip((first..).step_by(PAGE_SIZE)) {
            let leaf = inner.table.query(&inner.tables, VirtAddr::new(page));
            *entry = leaf.map_or(0, |leaf| page_entry(&leaf, numbers));
        }
    }

    /// Forgets how much was in memory at any time before (`clear_refs` of proc(5)).
    pub fn reset_peak(&self) {
        let mut inner = self.inner.lock();
        inner.resident.peak = inner.resident.pages;
    }

    /// Takes away all that is the program's own, as nobody needs it any more. Whoever still looks finds zeros.
    pub fn reap(&self) {
        self.with(|inner, flush| {
            let (mappings, mut leaves) = inner.parts();
            let own = mappings.iter().filter(|vma| !vma.is_shared() && !is_special(vma));
            for vma in own {
                leaves.zap(vma.start..vma.end, flush);
            }
        });
    }
}

fn page_entry(leaf: &Leaf, numbers: FrameNumbers) -> u64 {
    let number = match numbers {
        FrameNumbers::Shown => leaf.phys.as_u64() >> PAGE_SHIFT,
        FrameNumbers::Hidden => 0,
    };
    if is_zero_frame(leaf.phys) {
        return PAGE_PRESENT | number;
    }
    let (sharers, is_cached) = sharers(leaf);
    let of_file = if is_cached { PAGE_OF_FILE } else { 0 };
    let exclusive = if sharers == 1 { PAGE_EXCLUSIVE } else { 0 };
    PAGE_PRESENT | of_file | exclusive | number
}

/// Returns how many mappings show a leaf's frame, and whether it is a page of an object, which holds one
/// reference more.
fn sharers(leaf: &Leaf) -> (u64, bool) {
    with_frame(leaf.phys, |frame| {
        let is_cached = frame.is_cached();
        let count = u64::from(frame.count()) - u64::from(is_cached);
        (count.max(1), is_cached)
    })
}

impl VmaInfo {
    /// Calls `visit` with the letters that smaps shows for the mapping's properties (`VmFlags`).
    pub fn for_each_flag(&self, visit: &mut dyn FnMut(&'static str)) {
        let (may, is, has) = (self.max_protection, self.protection, self.attributes);
        let letters = [
            (is.contains(ProtFlags::READ), "rd"),
            (is.contains(ProtFlags::WRITE), "wr"),
            (is.contains(ProtFlags::EXEC), "ex"),
            // Only what may be written counts as shared in every respect.
            (self.shared && may.contains(ProtFlags::WRITE), "sh"),
            (may.contains(ProtFlags::READ), "mr"),
            (may.contains(ProtFlags::WRITE), "mw"),
            (may.contains(ProtFlags::EXEC), "me"),
            (self.shared, "ms"),
            (has.contains(Attributes::GROWS_DOWN), "gd"),
            (has.contains(Attributes::LOCKED), "lo"),
            (has.contains(Attributes::NO_FORK), "dc"),
            (has.contains(Attributes::LOCK_ON_FAULT), "lf"),
            (has.contains(Attributes::ACCOUNTED), "ac"),
            (has.contains(Attributes::NO_RESERVE), "nr"),
            (has.contains(Attributes::WIPE_ON_FORK), "wf"),
            (has.contains(Attributes::NO_DUMP), "dd"),
            (has.contains(Attributes::SEALED), "sl"),
            (has.contains(Attributes::DROPPABLE), "dp"),
        ];
        letters
            .iter()
            .filter(|(shown, _)| *shown)
            .for_each(|(_, letters)| visit(letters));
    }
}
