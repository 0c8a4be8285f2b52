//! What a core dump shows of memory, whatever the program itself may do with it.

use los_arch::hal::paging::Access;
use los_arch::hal::{PAGE_SIZE, VirtAddr};

use super::protect::with_frame;
use super::{AddressSpace, Inner, is_zero_frame};
use crate::vma::Backing;

impl AddressSpace {
    /// Copies the page that starts at an address; false, and nothing is copied, where there are only zeros, or
    /// nothing.
    pub fn dump_page(&self, page: VirtAddr, into: &mut [u8; PAGE_SIZE]) -> bool {
        let mut inner = self.inner.lock();
        let Inner {
            mappings,
            table,
            tables,
            ..
        } = &mut *inner;
        if let Some(leaf) = table.query(tables, page) {
            let is_own = !is_zero_frame(leaf.phys);
            if is_own {
                with_frame(leaf.phys, |frame| frame.read(0, into));
            }
            return is_own;
        }
        let vma = mappings.find(page.as_u64());
        let Some((vma, Backing::Object { mapped, .. })) = vma.map(|vma| (vma, &vma.backing)) else {
            return false;
        };
        let frame = mapped.pager().page(vma.page_index(page), Access::Read);
        if let Ok(frame) = &frame {
            frame.read(0, into);
        }
        frame.is_ok()
    }
}
