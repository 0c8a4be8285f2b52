//! mincore and msync: what is in memory, and what must be written back.

use core::ops::Range;

use los_abi::errno::Errno;
use los_abi::mm::MsyncFlags;
use los_arch::hal::{PAGE_SIZE, VirtAddr};

use super::{AddressSpace, Inner, page_align};
use crate::vma::{Attributes, Backing, Vma};

impl AddressSpace {
    /// Fills in for pages from `address` on whether they are in memory, 1 or 0, to the end of the mapping at most;
    /// returns how many. The address is a page's.
    ///
    /// # Errors
    /// ENOMEM when the first page is not mapped.
    pub fn residency(&self, address: u64, pages: &mut [u8]) -> Result<usize, Errno> {
        let inner = self.inner.lock();
        let vma = inner.mappings.find(address).ok_or(Errno::ENOMEM)?;
        let places = (address..vma.end).step_by(PAGE_SIZE);
        let mut done = 0;
        for (page, at) in pages.iter_mut().zip(places) {
            *page = u8::from(inner.is_resident(vma, VirtAddr::new(at)));
            done += 1;
        }
        Ok(done)
    }

    /// Checks what msync is asked for. Stores to a shared mapping are stores to the object's only copy of the
    /// page, so there is nothing to do for other mappings.
    ///
    /// # Errors
    /// As msync(2): EINVAL; ENOMEM when a part is not mapped; EBUSY to invalidate what is locked.
    pub fn sync(&self, address: u64, length: u64, flags: MsyncFlags) -> Result<(), Errno> {
        let known = MsyncFlags::ASYNC | MsyncFlags::INVALIDATE | MsyncFlags::SYNC;
        if !known.contains(flags)
            || !address.is_multiple_of(PAGE_SIZE as u64)
            || flags.contains(MsyncFlags::ASYNC | MsyncFlags::SYNC)
        {
            return Err(Errno::EINVAL);
        }
        // Linux's rounding up may wrap to nothing.
        let bytes = page_align(length).unwrap_or(0);
        let end = address.checked_add(bytes).ok_or(Errno::ENOMEM)?;
        self.inner.lock().check_sync(address..end, flags)
    }
}

impl Inner {
    fn is_resident(&self, vma: &Vma, page: VirtAddr) -> bool {
        if self.table.query(&self.tables, page).is_some() {
            return true;
        }
        match &vma.backing {
            Backing::Anonymous => false,
            Backing::Object { mapped, .. } => mapped.pager().cached(vma.page_index(page)).is_some(),
        }
    }

    fn check_sync(&self, range: Range<u64>, flags: MsyncFlags) -> Result<(), Errno> {
        let mut at = range.start;
        let mut has_hole = false;
        for vma in self.mappings.overlapping(range.clone()) {
            has_hole |= vma.start > at;
            // Linux looks no further than a hole then.
            if has_hole && flags == MsyncFlags::ASYNC {
                break;
            }
            if flags.contains(MsyncFlags::INVALIDATE) && vma.attributes.contains(Attributes::LOCKED) {
                return Err(Errno::EBUSY);
            }
            at = vma.end;
        }
        if has_hole || at < range.end {
            Err(Errno::ENOMEM)
        } else {
            Ok(())
        }
    }
}
