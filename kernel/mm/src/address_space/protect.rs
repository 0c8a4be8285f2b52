//! mprotect: splits mappings where the protection changes, joins them where it no longer differs.

use core::ops::Range;

use los_abi::errno::Errno;
use los_abi::mm::ProtFlags;
use los_arch::hal::paging::{LeafAction, PageFlags};
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE, PhysAddr, VirtAddr};

use super::map::PROTECTION;
use super::zap::Flush;
use super::{AddressSpace, Inner, is_zero_frame, max_mappings, page_align};
use crate::commit;
use crate::frames::Frame;
use crate::vma::{Attributes, Backing, Vma};

const KNOWN: ProtFlags = PROTECTION
    .union(ProtFlags::SEM)
    .union(ProtFlags::GROWSDOWN)
    .union(ProtFlags::GROWSUP);

impl AddressSpace {
    /// Changes the protection of all pages in a range.
    ///
    /// # Errors
    /// As mprotect(2): EINVAL; ENOMEM when a part is not mapped, after the parts below it were changed;
    /// EACCES when a mapping's object does not permit it.
    pub fn protect(&self, address: u64, length: u64, protection: ProtFlags) -> Result<(), Errno> {
        let grows = protection & (ProtFlags::GROWSDOWN | ProtFlags::GROWSUP);
        if grows == ProtFlags::GROWSDOWN | ProtFlags::GROWSUP || !address.is_multiple_of(PAGE_SIZE as u64) {
            return Err(Errno::EINVAL);
        }
        if length == 0 {
            return Ok(());
        }
        let bytes = page_align(length).ok_or(Errno::ENOMEM)?;
        let end = address
            .checked_add(bytes)
            .filter(|&end| end > address)
            .ok_or(Errno::ENOMEM)?;
        if !KNOWN.contains(protection) {
            return Err(Errno::EINVAL);
        }
        self.with(|inner, flush| {
            let start = inner.grown_start(address, end, grows)?;
            inner.protect(start..end, protection & PROTECTION, flush)
        })
    }
}

impl Inner {
    /// Returns where the change starts: with PROT_GROWSDOWN at the start of the mapping.
    fn grown_start(&self, address: u64, end: u64, grows: ProtFlags) -> Result<u64, Errno> {
        if grows.is_empty() {
            return Ok(address);
        }
        let vma = self.mappings.ending_above(address).ok_or(Errno::ENOMEM)?;
        match vma {
            vma if grows == ProtFlags::GROWSUP && vma.start > address => Err(Errno::ENOMEM),
            _ if grows == ProtFlags::GROWSUP => Err(Errno::EINVAL),
            vma if vma.start >= end => Err(Errno::ENOMEM),
            vma if !vma.grows_down() => Err(Errno::EINVAL),
            vma => Ok(vma.start),
        }
    }

    fn protect(&mut self, range: Range<u64>, protection: ProtFlags, flush: &mut Flush) -> Result<(), Errno> {
        let mut at = range.start;
        while at < range.end {
            let vma = self.mappings.find(at).ok_or(Errno::ENOMEM)?;
            if !vma.max_protection.contains(protection) {
                return Err(Errno::EACCES);
            }
            self.check_exec_gain(vma.protection, protection)?;
            if vma.is_sealed() {
                return Err(Errno::EPERM);
            }
            let end = vma.end.min(range.end);
            if vma.protection != protection {
                let promised = self.check_promise(vma, (end - at) >> PAGE_SHIFT, protection)?;
                if self.mappings.len() + 2 > max_mappings() || !self.mappings.reserve(2) {
                    return Err(Errno::ENOMEM);
                }
                let Some(mut vma) = self.mappings.take_part(at..end) else {
                    return Err(Errno::ENOMEM);
                };
                vma.protection = protection;
                vma.attributes |= promised;
                self.update_leaves(&vma, flush);
                self.mappings.insert(*vma);
            }
            at = end;
        }
        Ok(())
    }

    /// Judges a part of a mapping that becomes writable as a new one; returns the attribute that it gets. As on
    /// Linux, it stays promised when it is no longer writable.
    fn check_promise(&self, vma: &Vma, pages: u64, protection: ProtFlags) -> Result<Attributes, Errno> {
        if vma.is_data_with(protection) && !vma.is_data() {
            self.check_growth(true, pages as usize, pages as usize)?;
        }
        if !vma.is_accountable_with(protection) || vma.attributes.contains(Attributes::ACCOUNTED) {
            return Ok(Attributes::empty());
        }
        commit::check(pages as usize)?;
        Ok(Attributes::ACCOUNTED)
    }

    /// Makes the leaves of a mapping as its protection says.
    fn update_leaves(&mut self, vma: &Vma, flush: &mut Flush) {
        let store_tells = vma.is_shared()
            && matches!(&vma.backing, Backing::Object { mapped, .. } if mapped.pager().write_protect_on_read());
        let (start, end) = (VirtAddr::new(vma.start), VirtAddr::new(vma.end));
        self.table
            .for_each_leaf(&mut self.tables, start, end, &mut |_, leaf| {
                flush.pass();
                let writable = match vma.is_shared() {
                    true => !store_tells || leaf.flags.contains(PageFlags::WRITE),
                    false => is_only_owner(leaf.phys),
                };
                let flags = vma.leaf_flags(writable);
                let allowing = PageFlags::READ | PageFlags::WRITE | PageFlags::EXECUTE;
                if leaf.flags & allowing == flags & allowing {
                    return LeafAction::Keep;
                }
                if !(flags & allowing).contains(leaf.flags & allowing) {
                    flush.page(leaf.virt);
                }
                if flags.contains(PageFlags::EXECUTE) {
                    with_frame(leaf.phys, Frame::synchronise_instructions);
                }
                // What was written to stays so (smaps(5)).
                LeafAction::Replace(leaf.phys, flags | leaf.flags & PageFlags::DIRTY)
            });
    }
}

/// Reports whether the leaf that maps a frame holds its only reference, so that a private mapping may
/// write to it.
pub(super) fn is_only_owner(phys: PhysAddr) -> bool {
    !is_zero_frame(phys) && with_frame(phys, Frame::count) == 1
}

/// Looks at the frame of a leaf without taking its reference.
pub(super) fn with_frame<R>(phys: PhysAddr, look: impl FnOnce(&Frame) -> R) -> R {
    // SAFETY: the leaf, in a locked tree, holds a reference that came from `into_phys`; it is given back
    // right away.
    let frame = unsafe { Frame::from_phys(phys) };
    let result = look(&frame);
    frame.into_phys();
    result
}
