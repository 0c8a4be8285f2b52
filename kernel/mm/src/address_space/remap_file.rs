//! remap_file_pages: a new mapping of the same object in place of a part of an old one, as Linux has it since 4.0.

use los_abi::errno::Errno;
use los_abi::mm::MapFlags;
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE};

use super::{AddressSpace, Inner};
use crate::address_space::{MapRequest, Source};
use crate::vma::{Attributes, Backing, VmaKind};

const OFFSET_MASK: u64 = PAGE_SIZE as u64 - 1;

impl AddressSpace {
    /// Maps other pages of an object that is mapped shared.
    ///
    /// # Errors
    /// As remap_file_pages(2): EINVAL; those of [`map`](Self::map).
    pub fn remap_file_pages(
        &self,
        address: u64,
        length: u64,
        page: u64,
        flags: MapFlags,
    ) -> Result<(), Errno> {
        let (start, length) = (address & !OFFSET_MASK, length & !OFFSET_MASK);
        let end = start.checked_add(length).filter(|&end| end > start);
        let end = end.ok_or(Errno::EINVAL)?;
        page.checked_add(length >> PAGE_SHIFT).ok_or(Errno::EINVAL)?;
        let offset = page.checked_mul(PAGE_SIZE as u64).ok_or(Errno::EOVERFLOW)?;
        let request = self.inner.lock().same_object(start, end, offset)?;
        self.map(MapRequest {
            flags: request.flags | flags & MapFlags::NONBLOCK,
            ..request
        })?;
        Ok(())
    }
}

impl Inner {
    /// Describes a mapping of what is mapped in a range, which must be one object without a gap.
    fn same_object(&self, start: u64, end: u64, offset: u64) -> Result<MapRequest, Errno> {
        let first = self.mappings.find(start).ok_or(Errno::EINVAL)?;
        let Backing::Object { mapped, .. } = &first.backing else {
            return Err(Errno::EINVAL);
        };
        let is_same = |backing: &Backing| matches!(backing, Backing::Object { mapped: other, .. } if other.pager().object() == mapped.pager().object());
        let mut parts = self.mappings.overlapping(start..end);
        let all_same = parts.all(|vma| is_same(&vma.backing) && vma.attributes == first.attributes);
        if !first.is_shared() || !all_same || self.has_hole(&(start..end)) {
            return Err(Errno::EINVAL);
        }
        let mut flags = MapFlags::SHARED | MapFlags::FIXED | MapFlags::POPULATE;
        flags.set(MapFlags::LOCKED, first.attributes.contains(Attributes::LOCKED));
        Ok(MapRequest {
            address: start,
            length: end - start,
            protection: first.protection,
            flags,
            source: Source::File {
                pager: mapped.pager().clone(),
                offset,
                max_protection: first.max_protection,
            },
            kind: VmaKind::Plain,
        })
    }
}
