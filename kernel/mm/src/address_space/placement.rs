//! On which nodes memory is: policies of mappings, and where pages are. All are on node 0.

use core::ops::Range;

use los_abi::errno::Errno;
use los_arch::hal::paging::Access;
use los_arch::hal::{PAGE_SIZE, VirtAddr};

use super::{Accessor, AddressSpace, Inner, is_zero_frame, page_align};
use crate::policy::{NODES, Policy};

impl AddressSpace {
    /// Gives the mappings of a range a policy.
    ///
    /// # Errors
    /// As mbind(2): EINVAL; EFAULT for holes, which the default policy ignores; ENOMEM.
    pub fn bind(&self, address: u64, length: u64, policy: Policy) -> Result<(), Errno> {
        let Some(range) = page_range(address, length)? else {
            return Ok(());
        };
        self.with(|inner, _| {
            let is_empty = inner.mappings.overlapping(range.clone()).next().is_none();
            if is_empty || policy != Policy::DEFAULT && inner.has_hole(&range) {
                return Err(Errno::EFAULT);
            }
            inner.set_policy(range, policy)
        })
    }

    /// Tells whether a range that is to get a policy has no pages.
    ///
    /// # Errors
    /// EINVAL.
    pub fn is_empty_range(&self, address: u64, length: u64) -> Result<bool, Errno> {
        Ok(page_range(address, length)?.is_none())
    }

    /// Chooses a home node for the policies of a range.
    ///
    /// # Errors
    /// As set_mempolicy_home_node(2): EINVAL; ENOENT where there is no policy; EOPNOTSUPP for those of other modes;
    /// ENOMEM.
    pub fn set_home_node(&self, address: u64, length: u64, node: u64) -> Result<(), Errno> {
        let is_aligned = address.is_multiple_of(PAGE_SIZE as u64);
        if !is_aligned || node >= u64::from(u64::BITS) || NODES >> node & 1 == 0 {
            return Err(Errno::EINVAL);
        }
        let Some(range) = page_range(address, length)? else {
            return Ok(());
        };
        let inner = self.inner.lock();
        let mut result = Err(Errno::ENOENT);
        for vma in inner.mappings.overlapping(range) {
            if vma.policy != Policy::DEFAULT {
                if !vma.policy.has_home() {
                    return Err(Errno::EOPNOTSUPP);
                }
                result = Ok(());
            }
        }
        result
    }

    /// Returns the policy of the mapping at an address.
    ///
    /// # Errors
    /// EFAULT where nothing is mapped.
    pub fn policy_at(&self, address: u64) -> Result<Policy, Errno> {
        let inner = self.inner.lock();
        Ok(inner.mappings.find(address).ok_or(Errno::EFAULT)?.policy)
    }

    /// Returns the node of the page at an address, which is read in if it is absent.
    ///
    /// # Errors
    /// EFAULT.
    pub fn node_at(&self, address: u64) -> Result<u32, Errno> {
        let page = VirtAddr::new(address).page_base();
        let found = self.with_page(page, Access::Read, Accessor::Program, |_| 0);
        found.map_err(|_| Errno::EFAULT)
    }

    /// Returns the node of the page at an address, if it is in memory.
    ///
    /// # Errors
    /// EFAULT where nothing is mapped, and for a page of zeros that all share; ENOENT for an absent page.
    pub fn node_of_present(&self, address: u64) -> Result<u32, Errno> {
        let inner = self.inner.lock();
        inner.mappings.find(address).ok_or(Errno::EFAULT)?;
        let page = VirtAddr::new(address).page_base();
        let leaf = inner.table.query(&inner.tables, page).ok_or(Errno::ENOENT)?;
        if is_zero_frame(leaf.phys) {
            return Err(Errno::EFAULT);
        }
        Ok(0)
    }
}

impl Inner {
    /// Tells whether a part of a range is not mapped.
    pub(super) fn has_hole(&self, range: &Range<u64>) -> bool {
        let mut at = range.start;
        for vma in self.mappings.overlapping(range.clone()) {
            if vma.start > at {
                return true;
            }
            at = vma.end;
        }
        at < range.end
    }

    fn set_policy(&mut self, range: Range<u64>, policy: Policy) -> Result<(), Errno> {
        let mut at = range.start;
        while let Some((vma, part)) = self.mappings.part_from(at, range.end) {
            at = part.end;
            if vma.policy != policy {
                self.change(part, |vma| vma.policy = policy)?;
            }
        }
        Ok(())
    }
}

/// Returns the pages of a range as Linux rounds it; nothing for an empty one.
pub(super) fn page_range(address: u64, length: u64) -> Result<Option<Range<u64>>, Errno> {
    if !address.is_multiple_of(PAGE_SIZE as u64) {
        return Err(Errno::EINVAL);
    }
    // Rounding up may wrap to nothing.
    let bytes = page_align(length).unwrap_or(0);
    let end = address.checked_add(bytes).ok_or(Errno::EINVAL)?;
    Ok((end > address).then_some(address..end))
}
