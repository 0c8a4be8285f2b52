//! Pages that an object has given up: truncated, or punched out.

use core::ops::Range;

use los_arch::hal::paging::LeafAction;
use los_arch::hal::{PAGE_SHIFT, VirtAddr};

use super::protect::with_frame;
use super::zap::{Flush, Leaves};
use super::{AddressSpace, Inner};
use crate::frames::Frame;
use crate::reverse_map::Copies;
use crate::vma::{Backing, Vma};

impl AddressSpace {
    /// Takes pages of an object out of all its mappings here. `object` is
    /// [`Pager::object`](crate::Pager::object)'s.
    pub(crate) fn unmap_object(&self, object: usize, pages: Range<u64>, copies: Copies) {
        self.with(|inner, flush| inner.unmap_object(object, &pages, copies, flush));
    }
}

impl Inner {
    fn unmap_object(&mut self, object: usize, pages: &Range<u64>, copies: Copies, flush: &mut Flush) {
        let (mappings, mut leaves) = self.parts();
        for vma in mappings.iter() {
            let Some(range) = part_of(vma, object, pages) else {
                continue;
            };
            if vma.is_shared() || copies == Copies::Drop {
                leaves.zap(range, flush);
            } else {
                leaves.zap_cached(range, flush);
            }
        }
    }
}

impl Leaves<'_> {
    /// Removes the leaves of an object's own pages; copies stay.
    fn zap_cached(&mut self, range: Range<u64>, flush: &mut Flush) {
        let resident = &mut *self.resident;
        let (start, end) = (VirtAddr::new(range.start), VirtAddr::new(range.end));
        self.table.for_each_leaf(self.tables, start, end, &mut |_, leaf| {
            if !with_frame(leaf.phys, Frame::is_cached) {
                return LeafAction::Keep;
            }
            resident.pages -= 1;
            // SAFETY: every user leaf was written with a reference of its frame from `into_phys`, and this
            // one is being removed.
            flush.removed(leaf.virt, unsafe { Frame::from_phys(leaf.phys) });
            LeafAction::Remove
        });
    }
}

/// Returns the addresses at which a mapping shows these pages of the object.
fn part_of(vma: &Vma, object: usize, pages: &Range<u64>) -> Option<Range<u64>> {
    let Backing::Object { mapped, page } = &vma.backing else {
        return None;
    };
    let first = pages.start.max(*page);
    let last = pages.end.min(page.saturating_add(vma.pages() as u64));
    if first >= last || mapped.pager().object() != object {
        return None;
    }
    let address = |index: u64| vma.start + ((index - page) << PAGE_SHIFT);
    Some(address(first)..address(last))
}
