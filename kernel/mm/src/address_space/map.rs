//! mmap, munmap and brk. Errors and their order are those of Linux's `do_mmap` and `do_vmi_munmap`.

use alloc::sync::Arc;
use core::ops::Range;

use los_abi::errno::Errno;
use los_abi::mm::{MapFlags, ProtFlags};
use los_arch::Current;
use los_arch::hal::prelude::*;
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE};

use super::lock::LockMode;
use super::zap::Flush;
use super::{AddressSpace, Inner, lowest_address, max_mappings, page_align};
use crate::commit::{self, Overcommit};
use crate::frames;
use crate::pager::{AnonymousPager, Pager};
use crate::policy::Policy;
use crate::vma::{Attributes, Backing, Mapped, Vma, VmaKind};

const OFFSET_MASK: u64 = PAGE_SIZE as u64 - 1;
/// Where MAP_32BIT places mappings.
const LOW_PLACES: Range<u64> = 0x4000_0000..0x8000_0000;
/// The protection bits that are kept; the rest has no effect here.
pub(super) const PROTECTION: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE).union(ProtFlags::EXEC);
/// The flags that MAP_SHARED_VALIDATE knows (Linux's LEGACY_MAP_MASK).
const VALIDATED: u32 = MapFlags::TYPE
    | MapFlags::FIXED.bits()
    | MapFlags::ANONYMOUS.bits()
    | MapFlags::_32BIT.bits()
    | MapFlags::GROWSDOWN.bits()
    | MapFlags::DENYWRITE.bits()
    | MapFlags::EXECUTABLE.bits()
    | MapFlags::LOCKED.bits()
    | MapFlags::NORESERVE.bits()
    | MapFlags::POPULATE.bits()
    | MapFlags::NONBLOCK.bits()
    | MapFlags::STACK.bits()
    | MapFlags::HUGETLB.bits()
    | MapFlags::FIXED_NOREPLACE.bits()
    | HUGE_PAGE_SIZES;
/// The bits that say with MAP_HUGETLB how large pages are; one of them is MAP_UNINITIALIZED too.
const HUGE_PAGE_SIZES: u32 = 0x3f << 26;

/// The flags that memory which may vanish cannot have.
const UNDROPPABLE: MapFlags = MapFlags::LOCKED
    .union(MapFlags::HUGETLB)
    .union(MapFlags::GROWSDOWN);
/// What memory that may vanish is besides: no promise, and nothing for children and core dumps.
const DROPPABLE: Attributes = Attributes::DROPPABLE
    .union(Attributes::NO_RESERVE)
    .union(Attributes::WIPE_ON_FORK)
    .union(Attributes::NO_DUMP);

/// What to map and how.
#[derive(Clone)]
pub struct MapRequest {
    /// A hint, or with MAP_FIXED a demand.
    pub address: u64,
    /// Bytes; rounded up to whole pages.
    pub length: u64,
    /// What the program may do.
    pub protection: ProtFlags,
    /// MAP_SHARED or MAP_PRIVATE and the rest. MAP_ANONYMOUS itself is ignored: `source` says it.
    pub flags: MapFlags,
    /// Where the pages come from.
    pub source: Source,
    /// What it is for.
    pub kind: VmaKind,
}

/// Where the pages of a mapping come from.
#[derive(Clone)]
pub enum Source {
    /// Zeros; shared with children only if MAP_SHARED says so.
    Anonymous,
    /// An object, usually a file.
    File {
        /// The object's pages.
        pager: Arc<dyn Pager>,
        /// Bytes into the object, a multiple of the page size.
        offset: u64,
        /// What a protection may ever contain, as the file's access mode says.
        max_protection: ProtFlags,
    },
    /// A file that cannot be mapped, which is told if nothing else is wrong.
    Refused {
        /// Why.
        errno: Errno,
        /// Bytes into the file, as above.
        offset: u64,
    },
}

impl AddressSpace {
    /// Maps memory and returns its address.
    ///
    /// # Errors
    /// As mmap(2): EINVAL, ENOMEM, EOVERFLOW, EPERM below the lowest address, EEXIST, EACCES when the
    /// protection exceeds the source's, EOPNOTSUPP for unknown flags with MAP_SHARED_VALIDATE.
    pub fn map(&self, request: MapRequest) -> Result<u64, Errno> {
        self.map_above(request, lowest_address())
    }

    /// Maps memory for somebody who may name addresses from `lowest` on.
    ///
    /// # Errors
    /// As [`map`](Self::map).
    pub fn map_above(&self, request: MapRequest, lowest: u64) -> Result<u64, Errno> {
        let populate =
            request.flags.contains(MapFlags::POPULATE) && !request.flags.contains(MapFlags::NONBLOCK);
        let length = request.length;
        let (start, lock) = self.with(|inner, flush| inner.map(request, lowest, flush))?;
        if populate || lock == Some(LockMode::Now) {
            self.populate(start..start + length);
        }
        Ok(start)
    }

    /// Unmaps all whole or partial mappings in a range.
    ///
    /// # Errors
    /// As munmap(2): EINVAL, ENOMEM when a split exceeds the number of mappings or needs memory.
    pub fn unmap(&self, address: u64, length: u64) -> Result<(), Errno> {
        let range = user_range(address, length).ok_or(Errno::EINVAL)?;
        self.with(|inner, flush| {
            let splits = inner
                .mappings
                .find(range.start)
                .filter(|vma| vma.start < range.start);
            let too_many =
                splits.is_some_and(|vma| range.end < vma.end) && inner.mappings.len() >= max_mappings();
            if too_many || !inner.mappings.reserve(2) {
                return Err(Errno::ENOMEM);
            }
            inner.check_unsealed(range.clone())?;
            inner.unmap(range, flush);
            Ok(())
        })
    }

    /// Sets where the break area begins; it is empty at first.
    pub fn init_break(&self, start: u64) {
        let mut inner = self.inner.lock();
        (inner.break_start, inner.break_end) = (start, start);
    }

    /// Says where the break area is, and changes no mapping.
    pub fn set_break_range(&self, start: u64, end: u64) {
        let mut inner = self.inner.lock();
        (inner.break_start, inner.break_end) = (start, end);
    }

    /// Moves the end of the break area and returns it; where it was when it cannot be moved there.
    pub fn set_break(&self, end: u64) -> u64 {
        let (new, locked) = self.with(|inner, flush| {
            let old = inner.break_end;
            if end < inner.break_start || inner.move_break(end, flush).is_err() {
                return (old, None);
            }
            inner.break_end = end;
            let grown = (old < end && inner.locking.future() == Some(LockMode::Now)).then_some(old..end);
            (end, grown)
        });
        if let Some(grown) = locked {
            self.populate(grown);
        }
        new
    }
}

impl Inner {
    /// Maps, and returns the address and how the mapping is locked.
    fn map(
        &mut self,
        request: MapRequest,
        lowest: u64,
        flush: &mut Flush,
    ) -> Result<(u64, Option<LockMode>), Errno> {
        if request.length == 0 {
            return Err(Errno::EINVAL);
        }
        let bytes = page_align(request.length)
            .filter(|&bytes| bytes > 0)
            .ok_or(Errno::ENOMEM)?;
        let end_of_object = match &request.source {
            Source::Anonymous => Some(0),
            Source::File { offset, .. } | Source::Refused { offset, .. } if offset & OFFSET_MASK != 0 => {
                return Err(Errno::EINVAL);
            }
            Source::File { offset, .. } | Source::Refused { offset, .. } => offset.checked_add(bytes),
        };
        end_of_object.ok_or(Errno::EOVERFLOW)?;
        if self.mappings.len() >= max_mappings() {
            return Err(Errno::ENOMEM);
        }
        let start = self.place(request.address, request.flags, bytes, lowest)?;
        let range = start..start + bytes;
        if request.flags.contains(MapFlags::FIXED_NOREPLACE)
            && self.mappings.overlapping(range.clone()).next().is_some()
        {
            return Err(Errno::EEXIST);
        }
        let lock = self.lock_of_new(request.flags.contains(MapFlags::LOCKED), range.clone())?;
        let fixed = request.flags.contains(MapFlags::FIXED);
        if fixed {
            self.check_unsealed(range.clone())?;
        }
        let mut vma = self.new_vma(request, range.clone())?;
        self.check_exec_gain(vma.protection, vma.protection)?;
        vma.attributes |= lock;
        let replaced = if fixed {
            self.pages_mapped_in(range.clone())
        } else {
            0
        };
        self.check_limits(&mut vma, replaced)?;
        if !self.mappings.reserve(3) {
            return Err(Errno::ENOMEM);
        }
        if fixed {
            self.unmap(range, flush);
        }
        self.mappings.insert(vma);
        Ok((start, LockMode::of(lock)))
    }

    /// Finds the address for a new mapping (Linux's `get_unmapped_area`).
    pub(super) fn place(
        &mut self,
        address: u64,
        flags: MapFlags,
        bytes: u64,
        lowest: u64,
    ) -> Result<u64, Errno> {
        let last = Current::USER_END.checked_sub(bytes).ok_or(Errno::ENOMEM)?;
        if flags.intersects(MapFlags::FIXED | MapFlags::FIXED_NOREPLACE) {
            return match address {
                _ if address > last => Err(Errno::ENOMEM),
                _ if address & OFFSET_MASK != 0 => Err(Errno::EINVAL),
                _ if address < lowest => Err(Errno::EPERM),
                _ => Ok(address),
            };
        }
        let hint = page_align(address).unwrap_or(0).max(lowest_address());
        if address != 0 && hint <= last && self.mappings.is_free(hint..hint + bytes) {
            return Ok(hint);
        }
        if flags.contains(MapFlags::_32BIT) {
            return self
                .mappings
                .find_free_within(bytes, LOW_PLACES)
                .ok_or(Errno::ENOMEM);
        }
        let found = self
            .mappings
            .find_free(bytes, lowest_address().max(PAGE_SIZE as u64));
        let upwards = self.mappings.base()..Current::USER_END;
        found
            .or_else(|| self.mappings.find_free_upwards(bytes, upwards))
            .ok_or(Errno::ENOMEM)
    }

    /// Refuses mappings that exceed a limit or what memory could ever hold, and notes a promise of memory.
    /// `replaced` pages go first.
    pub(super) fn check_limits(&self, vma: &mut Vma, replaced: usize) -> Result<(), Errno> {
        self.check_growth(vma.is_data(), vma.pages(), replaced)?;
        if vma.is_accountable_with(vma.protection) {
            commit::check(vma.pages())?;
            vma.attributes |= Attributes::ACCOUNTED;
        }
        Ok(())
    }

    /// Refuses `pages` pages more, of data or not, when they exceed a limit (Linux's `may_expand_vm`).
    pub(super) fn check_growth(&self, is_data: bool, pages: usize, replaced: usize) -> Result<(), Errno> {
        let totals = self.mappings.totals();
        let total = (totals.pages - replaced).saturating_add(pages);
        let data = totals.data.saturating_add(pages);
        let too_large = total as u64 > self.limits.address_space >> PAGE_SHIFT
            || is_data && data as u64 > self.limits.data >> PAGE_SHIFT;
        if too_large || !frames::headroom() {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    fn pages_mapped_in(&self, range: Range<u64>) -> usize {
        let parts = self.mappings.overlapping(range.clone());
        let bytes: u64 = parts
            .map(|vma| vma.end.min(range.end) - vma.start.max(range.start))
            .sum();
        (bytes >> PAGE_SHIFT) as usize
    }

    /// Refuses to take away or change what is sealed.
    pub(super) fn check_unsealed(&self, range: Range<u64>) -> Result<(), Errno> {
        if self.mappings.overlapping(range).any(Vma::is_sealed) {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// Removes all that is mapped in a range.
    pub(super) fn unmap(&mut self, range: Range<u64>, flush: &mut Flush) {
        self.guards.remove(range.clone());
        let (mappings, mut leaves) = self.parts();
        let mut any = false;
        for vma in mappings.take(range.clone()) {
            leaves.zap(vma.start..vma.end, flush);
            any = true;
        }
        if any {
            self.free_tables(range.clone(), flush);
            self.mappings.freed(range.end);
        }
    }

    fn move_break(&mut self, end: u64, flush: &mut Flush) -> Result<(), Errno> {
        let old = page_align(self.break_end).ok_or(Errno::ENOMEM)?;
        let new = page_align(end)
            .filter(|&new| new <= Current::USER_END)
            .ok_or(Errno::ENOMEM)?;
        if end - self.break_start > self.limits.data {
            return Err(Errno::ENOMEM);
        }
        if new < old {
            self.check_unsealed(new..old)?;
            self.unmap(new..old, flush);
        } else if new > old {
            // One page is kept free below the next mapping, as Linux does.
            if !self.mappings.is_free(old..new + PAGE_SIZE as u64) {
                return Err(Errno::ENOMEM);
            }
            let mut vma = break_vma(old..new);
            vma.attributes |= self.lock_of_new(false, old..new)?;
            self.check_limits(&mut vma, 0)?;
            if !self.mappings.reserve(1) {
                return Err(Errno::ENOMEM);
            }
            self.mappings.insert(vma);
        }
        Ok(())
    }

    /// Describes the mapping that a request asks for.
    fn new_vma(&self, request: MapRequest, range: Range<u64>) -> Result<Vma, Errno> {
        let MapRequest {
            protection,
            flags,
            source,
            kind,
            ..
        } = request;
        let is_file = !matches!(source, Source::Anonymous);
        let is_droppable = flags.bits() & MapFlags::TYPE == MapFlags::DROPPABLE && !is_file;
        let shared = match flags.bits() & MapFlags::TYPE {
            0x1 => true,
            0x2 => false,
            _ if is_droppable => false,
            MapFlags::SHARED_VALIDATE if is_file && flags.bits() & !VALIDATED != 0 => {
                return Err(Errno::EOPNOTSUPP);
            }
            MapFlags::SHARED_VALIDATE if is_file => true,
            _ => return Err(Errno::EINVAL),
        };
        if (shared || is_file) && flags.contains(MapFlags::GROWSDOWN) {
            return Err(Errno::EINVAL);
        }
        if is_droppable && flags.intersects(UNDROPPABLE) {
            return Err(Errno::EINVAL);
        }
        if flags.contains(MapFlags::HUGETLB) {
            return Err(Errno::ENOMEM);
        }
        let protection = protection & PROTECTION;
        let mut attributes = Attributes::empty();
        attributes.set(Attributes::SHARED, shared);
        attributes.set(Attributes::GROWS_DOWN, flags.contains(MapFlags::GROWSDOWN));
        let is_unreserved = flags.contains(MapFlags::NORESERVE) && commit::mode() != Overcommit::Never;
        attributes.set(Attributes::NO_RESERVE, is_unreserved);
        if is_droppable {
            attributes |= DROPPABLE;
        }
        attributes.set(Attributes::STACK, flags.contains(MapFlags::STACK));
        let (backing, max_protection) = match source {
            Source::Refused { errno, .. } => return Err(errno),
            Source::Anonymous if !shared => (Backing::Anonymous, PROTECTION),
            Source::Anonymous => {
                let pages = (range.end - range.start) >> PAGE_SHIFT;
                let promised = if is_unreserved { 0 } else { pages as usize };
                commit::check(promised)?;
                let pager = Arc::new(AnonymousPager::new(pages, promised));
                (
                    Backing::Object {
                        mapped: Mapped::new(pager, true, &self.space)?,
                        page: 0,
                    },
                    PROTECTION,
                )
            }
            Source::File {
                pager,
                offset,
                max_protection,
            } => {
                if !max_protection.contains(protection) {
                    return Err(Errno::EACCES);
                }
                if pager.is_secret() {
                    attributes |= self.secrecy(shared, &range)?;
                }
                let writable_shared = shared && max_protection.contains(ProtFlags::WRITE);
                let mapped = Mapped::new(pager, writable_shared, &self.space)?;
                (
                    Backing::Object {
                        mapped,
                        page: offset >> PAGE_SHIFT,
                    },
                    max_protection & PROTECTION,
                )
            }
        };
        let Range { start, end } = range;
        Ok(Vma {
            start,
            end,
            protection,
            max_protection,
            attributes,
            kind,
            backing,
            policy: Policy::DEFAULT,
            name: None,
        })
    }
}

impl Inner {
    /// Returns what a mapping of memory is that nobody else may look at (memfd_secret(2)): shared, since nothing may be
    /// copied from it, and locked.
    fn secrecy(&self, shared: bool, range: &Range<u64>) -> Result<Attributes, Errno> {
        if !shared {
            return Err(Errno::EINVAL);
        }
        if !self.lock_fits((range.end - range.start) >> PAGE_SHIFT) {
            return Err(Errno::EAGAIN);
        }
        Ok(Attributes::LOCKED | Attributes::NO_DUMP)
    }
}

/// Returns the pages of a range of user addresses, `None` when it is empty, misaligned or not in the
/// user half.
pub(super) fn user_range(address: u64, length: u64) -> Option<Range<u64>> {
    let bytes = page_align(length).filter(|&bytes| bytes > 0)?;
    let end = address
        .checked_add(bytes)
        .filter(|&end| end <= Current::USER_END)?;
    (address & OFFSET_MASK == 0).then_some(address..end)
}

fn break_vma(range: Range<u64>) -> Vma {
    Vma {
        start: range.start,
        end: range.end,
        protection: ProtFlags::READ | ProtFlags::WRITE,
        max_protection: PROTECTION,
        attributes: Attributes::empty(),
        kind: VmaKind::Heap,
        backing: Backing::Anonymous,
        policy: Policy::DEFAULT,
        name: None,
    }
}
