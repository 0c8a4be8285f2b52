//! What memory there is: the boot protocol's ranges, sorted, without overlaps and without what is in use.
//! Pure arithmetic.

use arrayvec::ArrayVec;
use los_arch::hal::boot::{BootInfo, MAX_MEMORY_REGIONS};
use los_arch::hal::{PAGE_SIZE, PhysAddr, PhysRange};

use super::info;

/// Most ranges that are left when the reserved ones are cut out of the usable ones.
pub(crate) const MAX_RANGES: usize = 2 * MAX_MEMORY_REGIONS + 16;

/// Frame numbers are 32 bits wide: memory above 16 TiB is not used.
const TOP: u64 = (1 << 44) - PAGE_SIZE as u64;
/// Spans that are closer than this share one array of page infos (which wastes at most 64 KiB).
const NEAR: u64 = 16 << 20;

/// A list of ranges.
pub(super) type Ranges = ArrayVec<PhysRange, MAX_RANGES>;

/// The memory to manage.
#[derive(Debug)]
pub(super) struct Layout {
    /// What page infos are needed for: all RAM, that in use at start included.
    pub(super) spans: Ranges,
    /// Where the page infos go, if there is room.
    pub(super) infos: Option<PhysAddr>,
    /// Free RAM within reach of the boot mappings.
    pub(super) usable: Ranges,
    /// Free RAM beyond their reach.
    pub(super) out_of_reach: Ranges,
}

impl Layout {
    pub(super) fn new(boot: &BootInfo, keep: &[PhysRange], reach: PhysRange) -> Self {
        let memory = sorted(&boot.memory, 0);
        let in_use = [boot.kernel]
            .into_iter()
            .chain(boot.initramfs)
            .chain(boot.device_tree);
        let mut free = memory.clone();
        let page_zero = PhysRange::from_start_len(0, PAGE_SIZE as u64);
        for range in in_use
            .chain(boot.reserved.iter().copied())
            .chain(keep.iter().copied())
        {
            cut(&mut free, range);
        }
        cut(&mut free, page_zero);

        let above = PhysRange {
            start: reach.end,
            end: PhysAddr::new(u64::MAX),
        };
        let below = PhysRange {
            start: PhysAddr::new(0),
            end: reach.start,
        };
        let mut usable = free.clone();
        cut(&mut usable, above);
        cut(&mut usable, below);
        let mut out_of_reach = free;
        cut(&mut out_of_reach, reach);

        let spans = sorted(&memory, NEAR);
        let infos = carve(&mut usable, info::bytes_for(&spans));
        Self {
            spans,
            infos,
            usable,
            out_of_reach,
        }
    }
}

/// Returns the whole pages in a range, if any.
pub(super) fn whole_pages(range: PhysRange) -> Option<PhysRange> {
    let start = range.start.checked_page_up()?;
    let end = PhysAddr::new(range.end.as_u64().min(TOP)).page_base();
    (start < end).then_some(PhysRange { start, end })
}

/// Returns the whole pages of the ranges in ascending order, joining those that overlap or are at most
/// `gap` bytes apart.
fn sorted(ranges: &[PhysRange], gap: u64) -> Ranges {
    let mut sorted: Ranges = ranges.iter().copied().filter_map(whole_pages).collect();
    sorted.sort_unstable_by_key(|range| range.start);
    let mut joined = Ranges::new();
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.start.as_u64() <= last.end.as_u64().saturating_add(gap) => {
                last.end = last.end.max(range.end);
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// Removes every page that shares a byte with `hole`. What no longer fits in the list is dropped.
fn cut(ranges: &mut Ranges, hole: PhysRange) {
    if hole.is_empty() {
        return;
    }
    let hole_start = hole.start.page_base();
    let hole_end = hole
        .end
        .checked_page_up()
        .unwrap_or(PhysAddr::new(u64::MAX).page_base());
    for range in core::mem::take(ranges) {
        let before = PhysRange {
            start: range.start,
            end: range.end.min(hole_start),
        };
        let after = PhysRange {
            start: range.start.max(hole_end),
            end: range.end,
        };
        for part in [before, after] {
            if !part.is_empty() && !ranges.is_full() {
                ranges.push(part);
            }
        }
    }
}

/// Takes `bytes` bytes, in whole pages, off the end of the last range that is large enough.
fn carve(ranges: &mut Ranges, bytes: u64) -> Option<PhysAddr> {
    let bytes = bytes.next_multiple_of(PAGE_SIZE as u64);
    let range = ranges
        .iter_mut()
        .rev()
        .find(|range| bytes > 0 && range.len() >= bytes)?;
    range.end = PhysAddr::new(range.end.as_u64() - bytes);
    Some(range.end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: PhysRange = PhysRange {
        start: PhysAddr::new(0),
        end: PhysAddr::new(u64::MAX),
    };

    fn range(start: u64, end: u64) -> PhysRange {
        PhysRange {
            start: PhysAddr::new(start),
            end: PhysAddr::new(end),
        }
    }

    #[test]
    fn a_pc_with_a_hole_and_a_ramdisk() {
        let boot = BootInfo {
            memory: [range(0x10_0000, 0x8000_0000), range(0, 0x9_fc00)]
                .into_iter()
                .collect(),
            reserved: [range(0xf_0000, 0x10_0000)].into_iter().collect(),
            kernel: range(0x10_0000, 0x34_5678),
            initramfs: Some(range(0x7f00_0123, 0x7fff_f000)),
            ..BootInfo::default()
        };
        let layout = Layout::new(&boot, &[], range(0, 1 << 30));
        assert_eq!(&layout.spans[..], &[range(0, 0x8000_0000)]);
        let infos = layout.infos.unwrap();
        assert_eq!(infos.as_u64(), (1 << 30) - (0x8000_0000 / 4096 * 16));
        assert_eq!(
            &layout.usable[..],
            &[range(0x1000, 0x9_f000), range(0x34_6000, infos.as_u64())]
        );
        let beyond = [range(1 << 30, 0x7f00_0000), range(0x7fff_f000, 0x8000_0000)];
        assert_eq!(&layout.out_of_reach[..], &beyond);
    }

    #[test]
    fn no_memory_is_no_memory() {
        let layout = Layout::new(&BootInfo::default(), &[], ALL);
        assert!(layout.infos.is_none() && layout.usable.is_empty() && layout.spans.is_empty());
    }

    proptest! {
        /// Compared page by page with the definition.
        #[test]
        fn usable_is_memory_without_what_is_in_use(
            memory in prop::collection::vec((0_u64..64, 0_u64..32), 0..6),
            reserved in prop::collection::vec((0_u64..64 * 4096, 0_u64..9000), 0..6),
        ) {
            let boot = BootInfo {
                memory: memory.iter().map(|&(at, len)| range(at * 4096, (at + len) * 4096)).collect(),
                reserved: reserved.iter().map(|&(at, len)| PhysRange::from_start_len(at, len)).collect(),
                ..BootInfo::default()
            };
            let layout = Layout::new(&boot, &[], ALL);
            let infos = layout.infos.map(|at| {
                PhysRange::from_start_len(at.as_u64(), info::bytes_for(&layout.spans).next_multiple_of(4096))
            });
            for page in 0..128 {
                let page = PhysRange::from_start_len(page * 4096, 4096);
                let expected = page.start.as_u64() != 0
                    && boot.memory.iter().any(|range| range.contains(page.start))
                    && !boot.reserved.iter().any(|range| !range.is_empty() && range.overlaps(&page))
                    && !infos.is_some_and(|range| range.overlaps(&page));
                let actual = layout.usable.iter().any(|range| range.contains(page.start));
                prop_assert_eq!(actual, expected, "{:?}", page);
            }
        }
    }
}
