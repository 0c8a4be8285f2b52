//! mseal: mappings that stay as they are.

use los_abi::errno::Errno;

use super::AddressSpace;
use super::placement::page_range;
use crate::vma::Attributes;

impl AddressSpace {
    /// Seals all mappings of a range.
    ///
    /// # Errors
    /// As mseal(2): EINVAL; ENOMEM when a part is not mapped, and nothing is done.
    pub fn seal(&self, address: u64, length: u64) -> Result<(), Errno> {
        let is_too_long = length != 0 && super::page_align(length).is_none_or(|bytes| bytes == 0);
        if is_too_long {
            return Err(Errno::EINVAL);
        }
        let Some(range) = page_range(address, length)? else {
            return Ok(());
        };
        self.with(|inner, _| {
            if inner.has_hole(&range) {
                return Err(Errno::ENOMEM);
            }
            let mut at = range.start;
            while let Some((vma, part)) = inner.mappings.part_from(at, range.end) {
                at = part.end;
                if !vma.is_sealed() {
                    inner.change(part, |vma| vma.attributes |= Attributes::SEALED)?;
                }
            }
            Ok(())
        })
    }
}
