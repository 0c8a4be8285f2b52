//! What an address space holds, for /proc and getrusage.

use alloc::vec::Vec;

use los_abi::mm::ProtFlags;
use los_arch::hal::paging::LeafAction;
use los_arch::hal::{PAGE_SHIFT, VirtAddr};

use super::protect::with_frame;
use super::{AddressSpace, name};
use crate::frames::Frame;
use crate::vma::{Attributes, Backing, Vma, VmaKind};

/// One mapping, as /proc/PID/maps shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VmaInfo {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// What the program may do.
    pub protection: ProtFlags,
    /// What mprotect may give.
    pub max_protection: ProtFlags,
    /// Other properties.
    pub attributes: Attributes,
    /// Whether stores reach the object.
    pub shared: bool,
    /// What it is for.
    pub kind: VmaKind,
    /// Bytes into the object, 0 for anonymous memory.
    pub offset: u64,
    /// Device number of the object's file system, 0 for anonymous memory.
    pub device: u64,
    /// The object's inode number, 0 for anonymous memory.
    pub inode: u64,
    /// The object's path, empty for anonymous memory.
    pub name: Vec<u8>,
}

/// Sizes of an address space, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SpaceStatistics {
    /// Mapped.
    pub total_pages: usize,
    /// In memory.
    pub resident_pages: usize,
    /// In memory, and the program's own.
    pub anonymous_pages: usize,
    /// In memory, and those of a file that is mapped.
    pub file_pages: usize,
    /// In memory, and those of shared memory that is mapped.
    pub shared_memory_pages: usize,
    /// Mapped from objects to be executed.
    pub text_pages: usize,
    /// Private and writable.
    pub data_pages: usize,
    /// Mapped as stacks.
    pub stack_pages: usize,
    /// Locked in memory.
    pub locked_pages: usize,
    /// Used for page tables, the root included.
    pub table_pages: usize,
    /// Most that was mapped at any time.
    pub peak_total_pages: usize,
    /// Most that was in memory at any time.
    pub peak_resident_pages: usize,
}

impl AddressSpace {
    /// Calls `visit` for every mapping in ascending order. The space is locked meanwhile, so `visit` does
    /// not touch user memory.
    pub fn for_each_vma(&self, visit: &mut dyn FnMut(&VmaInfo)) {
        let inner = self.inner.lock();
        inner.mappings.iter().for_each(|vma| visit(&describe(vma)));
    }

    /// Returns start and end of the break area.
    pub fn break_range(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        (inner.break_start, inner.break_end)
    }

    /// Reports whether there is a mapping at an address or above it.
    pub fn is_any_mapped_from(&self, address: u64) -> bool {
        let inner = self.inner.lock();
        let above = address..Self::USER_END;
        inner.mappings.overlapping(above).next().is_some()
    }

    /// Returns what the space holds.
    pub fn statistics(&self) -> SpaceStatistics {
        let mut inner = self.inner.lock();
        let mut sizes = SpaceStatistics {
            total_pages: inner.mappings.pages(),
            resident_pages: inner.resident.pages,
            table_pages: inner.tables.count + 1,
            data_pages: inner.mappings.totals().data,
            locked_pages: inner.mappings.totals().locked,
            peak_total_pages: inner.mappings.peak_pages(),
            peak_resident_pages: inner.resident.peak,
            ..SpaceStatistics::default()
        };
        let super::Inner {
            mappings,
            table,
            tables,
            ..
        } = &mut *inner;
        for vma in mappings.iter() {
            let pages = vma.pages();
            sizes.stack_pages += if vma.grows_down() { pages } else { 0 };
            let Backing::Object { mapped, .. } = &vma.backing else {
                continue;
            };
            let is_text = vma.protection.contains(ProtFlags::EXEC) && !vma.is_data();
            sizes.text_pages += if is_text { pages } else { 0 };
            let (start, end) = (VirtAddr::new(vma.start), VirtAddr::new(vma.end));
            let mut cached = 0;
            table.for_each_leaf(tables, start, end, &mut |_, leaf| {
                cached += usize::from(with_frame(leaf.phys, Frame::is_cached));
                LeafAction::Keep
            });
            if mapped.pager().is_shared_memory() {
                sizes.shared_memory_pages += cached;
            } else {
                sizes.file_pages += cached;
            }
        }
        let objects = sizes.file_pages + sizes.shared_memory_pages;
        sizes.anonymous_pages = sizes.resident_pages.saturating_sub(objects);
        sizes
    }

    /// Returns the pages that would be free without the space, those of objects counted as if they were its own:
    /// what is in memory, and the page tables.
    pub fn footprint_pages(&self) -> usize {
        let inner = self.inner.lock();
        inner.resident.pages + inner.tables.count + 1
    }

    /// Returns the most pages that were in memory at any time.
    pub fn peak_resident_pages(&self) -> usize {
        self.inner.lock().resident.peak
    }
}

impl SpaceStatistics {
    /// Returns the pages of objects that are in memory and mapped.
    pub fn shared_pages(&self) -> usize {
        self.file_pages + self.shared_memory_pages
    }
}

pub(super) fn describe(vma: &Vma) -> VmaInfo {
    let (offset, device, inode, mut shown) = match &vma.backing {
        Backing::Anonymous => (0, 0, 0, Vec::new()),
        Backing::Object { mapped, page } => {
            let pager = mapped.pager();
            (page << PAGE_SHIFT, pager.device(), pager.inode(), pager.name())
        }
    };
    if let Some(own) = &vma.name {
        shown = name::shown(vma, own);
    }
    let Vma {
        start,
        end,
        protection,
        max_protection,
        attributes,
        kind,
        ..
    } = *vma;
    VmaInfo {
        start,
        end,
        protection,
        max_protection,
        attributes,
        shared: vma.is_shared(),
        kind,
        offset,
        device,
        inode,
        name: shown,
    }
}
