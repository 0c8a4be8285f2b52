//! What an address space holds, for /proc and getrusage.

use alloc::vec::Vec;

use los_abi::mm::ProtFlags;
use los_arch::hal::paging::LeafAction;
use los_arch::hal::{PAGE_SHIFT, VirtAddr};

use super::AddressSpace;
use super::protect::with_frame;
use crate::frames::Frame;
use crate::vma::{Backing, Vma, VmaKind};

/// One mapping, as /proc/PID/maps shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VmaInfo {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// What the program may do.
    pub protection: ProtFlags,
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
    /// In memory, and those of an object that is mapped.
    pub shared_pages: usize,
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
            let is_object = matches!(vma.backing, Backing::Object { .. });
            let pages = vma.pages();
            sizes.stack_pages += if vma.grows_down() { pages } else { 0 };
            if !is_object {
                continue;
            }
            let is_text = vma.protection.contains(ProtFlags::EXEC) && !vma.is_data();
            sizes.text_pages += if is_text { pages } else { 0 };
            let (start, end) = (VirtAddr::new(vma.start), VirtAddr::new(vma.end));
            table.for_each_leaf(tables, start, end, &mut |_, leaf| {
                sizes.shared_pages += usize::from(with_frame(leaf.phys, Frame::is_cached));
                LeafAction::Keep
            });
        }
        sizes
    }
}

fn describe(vma: &Vma) -> VmaInfo {
    let (offset, device, inode, name) = match &vma.backing {
        Backing::Anonymous => (0, 0, 0, Vec::new()),
        Backing::Object { mapped, page } => {
            let pager = mapped.pager();
            (page << PAGE_SHIFT, pager.device(), pager.inode(), pager.name())
        }
    };
    let Vma {
        start,
        end,
        protection,
        kind,
        ..
    } = *vma;
    VmaInfo {
        start,
        end,
        protection,
        shared: vma.is_shared(),
        kind,
        offset,
        device,
        inode,
        name,
    }
}
