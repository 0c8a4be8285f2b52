//! What of a program's memory a dump has (core(5), "Controlling which mappings are written to the core dump").

use alloc::vec::Vec;

use bitflags::bitflags;
use los_abi::core_dump::{ELF_IDENT, PF_R, PF_W, PF_X};
use los_abi::errno::Errno;
use los_abi::mm::ProtFlags;
use los_arch::hal::{PAGE_SIZE, VirtAddr};
use mm::{AddressSpace, VmaAttributes, VmaInfo, VmaKind, VmaUsage};

const PAGE_BYTES: u64 = PAGE_SIZE as u64;
/// Bytes that an ELF file starts with.
const MAGIC_BYTES: usize = 4;

bitflags! {
    /// The kinds of memory that are dumped (/proc/PID/coredump_filter).
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Filter: u32 {
        /// Private memory of the program's own.
        const ANONYMOUS_PRIVATE = 1 << 0;
        /// Shared memory without a file.
        const ANONYMOUS_SHARED = 1 << 1;
        /// Private mappings of files.
        const MAPPED_PRIVATE = 1 << 2;
        /// Shared mappings of files.
        const MAPPED_SHARED = 1 << 3;
        /// The first page of a mapped ELF file.
        const ELF_HEADERS = 1 << 4;
        /// Private huge pages, of which there are none.
        const HUGE_PRIVATE = 1 << 5;
        /// Shared huge pages.
        const HUGE_SHARED = 1 << 6;
        /// Private mappings of memory that is a disk.
        const DAX_PRIVATE = 1 << 7;
        /// Shared ones.
        const DAX_SHARED = 1 << 8;
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::ANONYMOUS_PRIVATE | Self::ANONYMOUS_SHARED | Self::ELF_HEADERS | Self::HUGE_PRIVATE
    }
}

/// How much of a mapping is dumped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Extent {
    Nothing,
    Whole,
    FirstPage,
    /// The first page, if an ELF file starts there.
    Header,
}

/// A mapping in a dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Segment {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Bytes from the start that the dump has.
    pub(super) dumped: u64,
    /// `PF_*`.
    pub(super) flags: u32,
}

/// Lists the mappings, with a page to read into.
///
/// # Errors
/// ENOMEM.
pub(super) fn collect(
    memory: &AddressSpace,
    filter: Filter,
    page: &mut [u8; PAGE_SIZE],
) -> Result<Vec<Segment>, Errno> {
    let mut found = Vec::new();
    let mut outcome = Ok(());
    memory.for_each_vma_usage(&mut |vma, usage| {
        if outcome.is_err() || found.try_reserve(1).is_err() {
            outcome = Err(Errno::ENOMEM);
            return;
        }
        found.push((segment_of(vma), extent(vma, usage, filter)));
    });
    outcome?;
    let mut segments = Vec::new();
    segments
        .try_reserve_exact(found.len())
        .map_err(|_| Errno::ENOMEM)?;
    for (mut segment, extent) in found {
        segment.dumped = match extent {
            Extent::Nothing => 0,
            Extent::Whole => segment.end - segment.start,
            Extent::FirstPage => PAGE_BYTES,
            Extent::Header if is_elf(memory, segment.start, page) => PAGE_BYTES,
            Extent::Header => 0,
        };
        segments.push(segment);
    }
    Ok(segments)
}

fn segment_of(vma: &VmaInfo) -> Segment {
    let flags = [
        (ProtFlags::READ, PF_R),
        (ProtFlags::WRITE, PF_W),
        (ProtFlags::EXEC, PF_X),
    ];
    let given = flags
        .iter()
        .filter(|(protection, _)| vma.protection.contains(*protection));
    Segment {
        start: vma.start,
        end: vma.end,
        dumped: 0,
        flags: given.map(|(_, flag)| flag).sum(),
    }
}

fn extent(vma: &VmaInfo, usage: &VmaUsage, filter: Filter) -> Extent {
    let whole_if = |kind| {
        if filter.contains(kind) {
            Extent::Whole
        } else {
            Extent::Nothing
        }
    };
    let has_file = !vma.name.is_empty();
    // As Linux, which counts as shared only what may be written.
    let is_shared = vma.shared && vma.max_protection.contains(ProtFlags::WRITE);
    if matches!(vma.kind, VmaKind::Vdso | VmaKind::Vvar) {
        Extent::Whole
    } else if vma.attributes.contains(VmaAttributes::NO_DUMP) {
        Extent::Nothing
    } else if is_shared {
        // Shared memory is mapped from a file that has no name any more, or never had one.
        let is_named = has_file && !vma.name.ends_with(b" (deleted)");
        whole_if(if is_named {
            Filter::MAPPED_SHARED
        } else {
            Filter::ANONYMOUS_SHARED
        })
    } else if usage.anonymous > 0 && filter.contains(Filter::ANONYMOUS_PRIVATE) {
        Extent::Whole
    } else if !has_file {
        Extent::Nothing
    } else if filter.contains(Filter::MAPPED_PRIVATE) {
        Extent::Whole
    } else if filter.contains(Filter::ELF_HEADERS)
        && vma.offset == 0
        && vma.protection.contains(ProtFlags::READ)
    {
        let is_code = vma.protection.contains(ProtFlags::EXEC);
        if is_code {
            Extent::FirstPage
        } else {
            Extent::Header
        }
    } else {
        Extent::Nothing
    }
}

fn is_elf(memory: &AddressSpace, start: u64, page: &mut [u8; PAGE_SIZE]) -> bool {
    memory.dump_page(VirtAddr::new(start), page) && page[..MAGIC_BYTES] == ELF_IDENT[..MAGIC_BYTES]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> VmaInfo {
        VmaInfo {
            start: 0x40_0000,
            end: 0x45_2000,
            protection: ProtFlags::READ | ProtFlags::EXEC,
            max_protection: ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC,
            attributes: VmaAttributes::empty(),
            shared: false,
            kind: VmaKind::Plain,
            offset: 0,
            device: 1,
            inode: 2,
            name: b"/bin/program".to_vec(),
        }
    }

    fn default_extent(vma: &VmaInfo, own_bytes: u64) -> Extent {
        let usage = VmaUsage {
            anonymous: own_bytes,
            ..VmaUsage::default()
        };
        extent(vma, &usage, Filter::default())
    }

    #[test]
    fn of_files_only_the_header_is_dumped_by_default() {
        assert_eq!(default_extent(&program(), 0), Extent::FirstPage);
        let data = VmaInfo {
            protection: ProtFlags::READ,
            ..program()
        };
        assert_eq!(default_extent(&data, 0), Extent::Header);
        let rest = VmaInfo {
            offset: 0x1000,
            ..program()
        };
        assert_eq!(default_extent(&rest, 0), Extent::Nothing);
        assert_eq!(default_extent(&rest, 4096), Extent::Whole);
        let shared = VmaInfo {
            shared: true,
            ..program()
        };
        assert_eq!(default_extent(&shared, 0), Extent::Nothing);
    }

    #[test]
    fn memory_is_dumped_once_it_was_touched_and_not_excepted() {
        let heap = VmaInfo {
            name: Vec::new(),
            ..program()
        };
        assert_eq!(default_extent(&heap, 0), Extent::Nothing);
        assert_eq!(default_extent(&heap, 4096), Extent::Whole);
        let excepted = VmaInfo {
            attributes: VmaAttributes::NO_DUMP,
            ..heap.clone()
        };
        assert_eq!(default_extent(&excepted, 4096), Extent::Nothing);
        let shared = VmaInfo {
            shared: true,
            name: b"/dev/zero (deleted)".to_vec(),
            ..heap
        };
        assert_eq!(default_extent(&shared, 0), Extent::Whole);
    }
}
