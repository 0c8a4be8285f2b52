//! The kernel's own half of the address space: its image with write and execute kept apart, the direct map
//! of all RAM, devices, and stacks with guard pages.

mod stack;

use arrayvec::ArrayVec;
use los_abi::errno::Errno;
use los_arch::hal::boot::BootInfo;
use los_arch::hal::paging::{Leaf, MapError, PageFlags, PageTable};
use los_arch::hal::prelude::*;
use los_arch::hal::{PAGE_SIZE, PhysAddr, PhysRange, VirtAddr};
use los_arch::{Current, Pte};
use sync::{Rank, SpinLock};

use crate::frames::{self, MAX_RANGES};
use crate::tables::{self, Tables};

pub use stack::{KernelStack, STACK_BYTES, allocate_stack};

/// A part of the kernel image, page-aligned, as the linker laid it out.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Where it runs.
    pub virt: VirtAddr,
    /// Where it was loaded.
    pub phys: PhysAddr,
    /// Its size; rounded up to whole pages.
    pub bytes: u64,
    /// What the kernel may do there; GLOBAL is added.
    pub flags: PageFlags,
}

/// The kernel's tables, and where the next device mapping goes in the dynamic range.
struct KernelSpace {
    table: PageTable<Pte>,
    tables: Tables,
    next_device: u64,
}

static SPACE: SpinLock<KernelSpace> = SpinLock::new(
    Rank::KernelSpace,
    KernelSpace {
        table: PageTable::from_root(PhysAddr::new(0)),
        tables: Tables::new(),
        next_device: Current::DYNAMIC_END,
    },
);

/// Plain memory of the kernel.
const DATA: PageFlags = PageFlags::READ
    .union(PageFlags::WRITE)
    .union(PageFlags::GLOBAL)
    .union(PageFlags::ACCESSED)
    .union(PageFlags::DIRTY);

/// Builds the kernel's final tables, switches to them, and gives the rest of RAM to the allocator. Called
/// once, after `frames::init`. All root entries that will ever be used are made now, so that copies of
/// the root in user address spaces stay valid.
///
/// # Panics
/// When there is no memory for the tables, or the boot information contradicts itself.
pub fn init(boot: &BootInfo, segments: &[Segment]) {
    let mut space = SPACE.lock();
    let root = tables::allocate_table().expect("memory for the kernel's root table");
    space.table = PageTable::from_root(root);
    space.map_image(segments);
    space.map_direct(boot, segments);
    for range in Current::device_ranges() {
        space.map_device_in_place(*range);
    }
    let KernelSpace { table, tables, .. } = &mut *space;
    table
        .reserve(tables, VirtAddr::new(Current::DYNAMIC_START), Pte::LEVELS - 2)
        .expect("memory for the dynamic range");
    // SAFETY: the tables map the kernel image (with the running stack, which is in its data) as the linker
    // laid it out, and all RAM in the direct map.
    unsafe { Current::activate_kernel_root(root) };
    drop(space);
    frames::add_out_of_reach();
}

/// Maps device memory for a driver, for good, and returns where its first byte is.
///
/// # Errors
/// ENOMEM.
pub fn map_device(range: PhysRange) -> Result<VirtAddr, Errno> {
    let first = range.start.page_base();
    let end = range.end.checked_page_up().ok_or(Errno::EINVAL)?;
    let bytes = end - first;
    let mut space = SPACE.lock();
    // Devices are placed downwards from the end, stacks upwards from the start.
    let start = space
        .next_device
        .checked_sub(bytes)
        .filter(|&start| start >= stack::END)
        .ok_or(Errno::ENOMEM)?;
    let flags = DATA | PageFlags::DEVICE;
    let KernelSpace { table, tables, .. } = &mut *space;
    table
        .map_range(tables, VirtAddr::new(start), first, bytes, flags)
        .map_err(|_| Errno::ENOMEM)?;
    space.next_device = start;
    for page in (start..start + bytes).step_by(PAGE_SIZE) {
        Current::flush_kernel_page(VirtAddr::new(page));
    }
    Ok(VirtAddr::new(start) + range.start.page_offset() as u64)
}

impl KernelSpace {
    fn map_image(&mut self, segments: &[Segment]) {
        for segment in segments {
            let always = PageFlags::GLOBAL | PageFlags::ACCESSED | PageFlags::DIRTY;
            self.map(
                segment.virt,
                segment.phys,
                page_bytes(segment.bytes),
                segment.flags | always,
            );
        }
    }

    /// Maps all RAM, and what the boot protocol left outside of it, never executable. Read-only parts of
    /// the image are read-only here as well.
    fn map_direct(&mut self, boot: &BootInfo, segments: &[Segment]) {
        let mut read_only: ArrayVec<PhysRange, 8> = segments
            .iter()
            .filter(|segment| !segment.flags.contains(PageFlags::WRITE))
            .map(|segment| PhysRange::from_start_len(segment.phys.as_u64(), page_bytes(segment.bytes)))
            .take(8)
            .collect();
        read_only.sort_unstable_by_key(|range| range.start);
        for range in direct_ranges(boot) {
            let mut at = range.start;
            for hole in read_only.iter().filter(|hole| hole.overlaps(&range)) {
                self.map_direct_range(at, hole.start, DATA);
                self.map_direct_range(
                    hole.start.max(at),
                    hole.end.min(range.end),
                    DATA - PageFlags::WRITE,
                );
                at = hole.end.max(at);
            }
            self.map_direct_range(at, range.end, DATA);
        }
    }

    fn map_direct_range(&mut self, start: PhysAddr, end: PhysAddr, flags: PageFlags) {
        if start < end {
            self.map(
                VirtAddr::new(Current::DIRECT_MAP_BASE) + start.as_u64(),
                start,
                end - start,
                flags,
            );
        }
    }

    /// Maps a device page by page, since pages may be shared by devices or lie in RAM.
    fn map_device_in_place(&mut self, range: PhysRange) {
        let flags = DATA | PageFlags::DEVICE;
        let mut page = range.start.page_base();
        while page < range.end {
            let at = VirtAddr::new(Current::DIRECT_MAP_BASE) + page.as_u64();
            let left = range.end - page;
            let large = Leaf::bytes(1);
            let fits = page.as_u64().is_multiple_of(large) && left >= large;
            let level = u8::from(fits && Pte::max_leaf_level() > 0);
            match self.table.map(&mut self.tables, at, page, flags, level) {
                Ok(()) | Err(MapError::Occupied) => {}
                Err(MapError::NoMemory) => panic!("no memory for the kernel's tables"),
            }
            page = page + Leaf::bytes(level);
        }
    }

    fn map(&mut self, virt: VirtAddr, phys: PhysAddr, bytes: u64, flags: PageFlags) {
        let result = self.table.map_range(&mut self.tables, virt, phys, bytes, flags);
        result.unwrap_or_else(|error| panic!("kernel mapping of {phys:?} at {virt:?}: {error:?}"));
    }
}

fn page_bytes(bytes: u64) -> u64 {
    bytes.next_multiple_of(PAGE_SIZE as u64)
}

/// Returns what the direct map holds, in whole pages, sorted and without overlaps.
fn direct_ranges(boot: &BootInfo) -> ArrayVec<PhysRange, MAX_RANGES> {
    let extra = boot
        .initramfs
        .into_iter()
        .chain(boot.device_tree)
        .chain([boot.kernel]);
    let mut ranges: ArrayVec<PhysRange, MAX_RANGES> = boot
        .memory
        .iter()
        .copied()
        .chain(extra)
        .filter(|range| !range.is_empty())
        .map(|range| PhysRange {
            start: range.start.page_base(),
            end: range.end.checked_page_up().unwrap_or(range.end.page_base()),
        })
        .collect();
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: ArrayVec<PhysRange, MAX_RANGES> = ArrayVec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
