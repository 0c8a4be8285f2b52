//! mlock and its family. There is no swap, so what is in memory stays: locking a page means touching it and
//! counting it against RLIMIT_MEMLOCK.

use core::ops::Range;

use los_abi::errno::Errno;
use los_abi::mm::MlockallFlags;
use los_arch::Current;
use los_arch::hal::paging::Access;
use los_arch::hal::prelude::*;
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE, VirtAddr};

use super::{AddressSpace, FaultError, Inner, Limits, max_mappings, page_align};
use crate::vma::{Attributes, Vma};

const OFFSET_MASK: u64 = PAGE_SIZE as u64 - 1;
const LOCK: Attributes = Attributes::LOCKED.union(Attributes::LOCK_ON_FAULT);

/// When locked pages come to memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockMode {
    /// At once.
    Now,
    /// When they are touched.
    OnFault,
}

impl LockMode {
    /// Returns how a mapping with these attributes is locked.
    pub(super) fn of(attributes: Attributes) -> Option<Self> {
        match attributes {
            _ if !attributes.contains(Attributes::LOCKED) => None,
            _ if attributes.contains(Attributes::LOCK_ON_FAULT) => Some(Self::OnFault),
            _ => Some(Self::Now),
        }
    }

    fn attributes(self) -> Attributes {
        match self {
            Self::Now => Attributes::LOCKED,
            Self::OnFault => LOCK,
        }
    }
}

/// Who locks memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Locker {
    /// Somebody with CAP_IPC_LOCK: without limit.
    Privileged,
    /// Somebody whom RLIMIT_MEMLOCK limits.
    Limited,
}

/// What an address space remembers about locking.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Locking {
    /// How mappings to come are locked (MCL_FUTURE).
    future: Attributes,
    /// The last who locked memory was privileged. What grows by itself, as the break area after mlockall,
    /// goes by that.
    is_unlimited: bool,
}

impl Locking {
    pub(super) fn future(&self) -> Option<LockMode> {
        LockMode::of(self.future)
    }

    /// Reports whether so many pages may be locked in all.
    pub(super) fn permits(&self, limits: &Limits, pages: u64) -> bool {
        self.is_unlimited || pages <= limits.locked >> PAGE_SHIFT
    }
}

impl AddressSpace {
    /// Notes who is about to map memory with MAP_LOCKED.
    pub fn set_locker(&self, locker: Locker) {
        self.inner.lock().locking.is_unlimited = locker == Locker::Privileged;
    }

    /// Locks all pages that a range touches.
    ///
    /// # Errors
    /// As mlock2(2): EPERM when nothing may be locked; ENOMEM beyond the limit, or when a part is not mapped
    /// or cannot be accessed (it is locked all the same); EAGAIN when there is no memory; EINVAL when the
    /// range overflows.
    pub fn lock(&self, address: u64, length: u64, mode: LockMode, locker: Locker) -> Result<(), Errno> {
        let mut inner = self.inner.lock();
        inner.locking.is_unlimited = locker == Locker::Privileged;
        inner.may_lock()?;
        let range = touched_pages(address, length)?;
        let pages = (range.end - range.start) >> PAGE_SHIFT;
        let already = inner.locked_pages_in(range.clone());
        if !inner.lock_fits(pages.saturating_sub(already)) {
            return Err(Errno::ENOMEM);
        }
        inner.set_lock(range.clone(), mode.attributes())?;
        drop(inner);
        match mode {
            LockMode::OnFault => Ok(()),
            LockMode::Now => self.try_populate(range).map_err(|error| match error {
                FaultError::NoMemory => Errno::EAGAIN,
                _ => Errno::ENOMEM,
            }),
        }
    }

    /// Unlocks all pages that a range touches.
    ///
    /// # Errors
    /// As munlock(2): ENOMEM when a part is not mapped; EINVAL when the range overflows.
    pub fn unlock(&self, address: u64, length: u64) -> Result<(), Errno> {
        let range = touched_pages(address, length)?;
        self.inner.lock().set_lock(range, Attributes::empty())
    }

    /// Locks all that is mapped, or will be.
    ///
    /// # Errors
    /// As mlockall(2): EINVAL for flags that make no sense; EPERM when nothing may be locked; ENOMEM beyond
    /// the limit.
    pub fn lock_all(&self, flags: MlockallFlags, locker: Locker) -> Result<(), Errno> {
        let known = MlockallFlags::CURRENT | MlockallFlags::FUTURE | MlockallFlags::ONFAULT;
        if flags.is_empty() || !known.contains(flags) || flags == MlockallFlags::ONFAULT {
            return Err(Errno::EINVAL);
        }
        let mode = if flags.contains(MlockallFlags::ONFAULT) {
            LockMode::OnFault
        } else {
            LockMode::Now
        };
        let mut inner = self.inner.lock();
        inner.locking.is_unlimited = locker == Locker::Privileged;
        inner.may_lock()?;
        let current = flags.contains(MlockallFlags::CURRENT);
        if current
            && !inner
                .locking
                .permits(&inner.limits, inner.mappings.pages() as u64)
        {
            return Err(Errno::ENOMEM);
        }
        inner.locking.future = if flags.contains(MlockallFlags::FUTURE) {
            mode.attributes()
        } else {
            Attributes::empty()
        };
        if !current {
            return Ok(());
        }
        inner.set_lock_everywhere(mode.attributes());
        drop(inner);
        if mode == LockMode::Now {
            self.populate(0..Current::USER_END);
        }
        Ok(())
    }

    /// Unlocks all that is mapped, and what will be is not locked.
    pub fn unlock_all(&self) {
        let mut inner = self.inner.lock();
        inner.locking.future = Attributes::empty();
        inner.set_lock_everywhere(Attributes::empty());
    }

    /// Touches the pages of all mappings in a range as far as possible.
    pub(super) fn populate(&self, range: Range<u64>) {
        let mut at = range.start;
        // A mapping may reach beyond the range, as after joining with the one above.
        while at < range.end
            && let Some(part) = self.next_part(at..range.end)
        {
            at = part.end;
            // What cannot be had now is had, or told about, when the program touches it.
            let _best_effort = self.try_populate(part);
        }
    }

    /// Touches the pages of a range, which is mapped all through; stops at the first that cannot be had, and for a
    /// thread that is to die.
    fn try_populate(&self, range: Range<u64>) -> Result<(), FaultError> {
        range
            .step_by(PAGE_SIZE)
            .take_while(|_| sync::give_way())
            .try_for_each(|page| self.populate_page(page))
    }

    fn populate_page(&self, page: u64) -> Result<(), FaultError> {
        let access = {
            let inner = self.inner.lock();
            let vma = inner.mappings.find(page).ok_or(FaultError::NotMapped)?;
            if vma.permits(Access::Write) && !vma.is_shared() {
                Access::Write
            } else {
                Access::Read
            }
        };
        self.handle_fault(VirtAddr::new(page), access)
    }

    /// Returns the first part of a range, which is not empty, that one mapping holds.
    fn next_part(&self, range: Range<u64>) -> Option<Range<u64>> {
        let inner = self.inner.lock();
        let vma = inner.mappings.overlapping(range.clone()).next()?;
        Some(vma.start.max(range.start)..vma.end.min(range.end))
    }
}

impl Inner {
    /// Returns the attributes with which a new mapping is locked; `asked` is MAP_LOCKED.
    ///
    /// # Errors
    /// EPERM when it asks and nothing may be locked; EAGAIN beyond the limit.
    pub(super) fn lock_of_new(&self, asked: bool, range: Range<u64>) -> Result<Attributes, Errno> {
        let mut lock = self.locking.future;
        if asked {
            self.may_lock()?;
            lock |= Attributes::LOCKED;
        }
        if !lock.is_empty() && !self.lock_fits((range.end - range.start) >> PAGE_SHIFT) {
            return Err(Errno::EAGAIN);
        }
        Ok(lock)
    }

    /// Reports whether so many pages more may be locked.
    pub(super) fn lock_fits(&self, pages: u64) -> bool {
        let locked = pages.saturating_add(self.mappings.totals().locked as u64);
        self.locking.permits(&self.limits, locked)
    }

    fn may_lock(&self) -> Result<(), Errno> {
        if self.locking.is_unlimited || self.limits.locked > 0 {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }

    fn locked_pages_in(&self, range: Range<u64>) -> u64 {
        let locked = self
            .mappings
            .overlapping(range.clone())
            .filter(|vma| vma.attributes.contains(Attributes::LOCKED));
        let bytes: u64 = locked
            .map(|vma| vma.end.min(range.end) - vma.start.max(range.start))
            .sum();
        bytes >> PAGE_SHIFT
    }

    /// Locks or unlocks a range up to the first page that is not mapped.
    fn set_lock(&mut self, range: Range<u64>, lock: Attributes) -> Result<(), Errno> {
        let mut at = range.start;
        while at < range.end {
            let vma = self.mappings.find(at).ok_or(Errno::ENOMEM)?;
            let part = at..vma.end.min(range.end);
            let as_wanted = vma.attributes & LOCK == lock || keeps_lock(vma);
            at = part.end;
            if !as_wanted {
                self.set_lock_of(part, lock)?;
            }
        }
        Ok(())
    }

    fn set_lock_everywhere(&mut self, lock: Attributes) {
        let mut at = 0;
        while let Some(vma) = self.mappings.ending_above(at) {
            let (whole, special) = (vma.start..vma.end, keeps_lock(vma));
            at = whole.end;
            if !special {
                // A whole mapping is not split, and neighbours may join: no memory is needed.
                let _cannot_fail = self.set_lock_of(whole, lock);
            }
        }
    }

    fn set_lock_of(&mut self, part: Range<u64>, lock: Attributes) -> Result<(), Errno> {
        self.change(part, |vma| {
            vma.attributes -= LOCK;
            vma.attributes |= lock;
        })
    }

    /// Changes what has no effect on leaves, for a part of one mapping.
    pub(super) fn change(&mut self, part: Range<u64>, change: impl FnOnce(&mut Vma)) -> Result<(), Errno> {
        let is_whole = self
            .mappings
            .find(part.start)
            .is_some_and(|vma| vma.start == part.start && vma.end == part.end);
        if !is_whole && (self.mappings.len() + 2 > max_mappings() || !self.mappings.reserve(2)) {
            return Err(Errno::ENOMEM);
        }
        if let Some(mut vma) = self.mappings.take_part(part) {
            change(&mut vma);
            self.mappings.insert(*vma);
        }
        Ok(())
    }
}

/// Reports whether a mapping stays locked, or not locked, for ever.
fn keeps_lock(vma: &Vma) -> bool {
    is_special(vma) || vma.is_secret() || vma.attributes.contains(Attributes::DROPPABLE)
}

/// Reports whether a mapping is the kernel's own and never locked.
pub(super) fn is_special(vma: &Vma) -> bool {
    use crate::vma::VmaKind;
    matches!(vma.kind, VmaKind::Vdso | VmaKind::Vvar)
}

/// Returns the pages that a range of bytes touches.
fn touched_pages(address: u64, length: u64) -> Result<Range<u64>, Errno> {
    let start = address & !OFFSET_MASK;
    // Linux's rounding up may wrap to nothing.
    let bytes = page_align(length.wrapping_add(address & OFFSET_MASK)).unwrap_or(0);
    let end = start.checked_add(bytes).ok_or(Errno::EINVAL)?;
    Ok(start..end)
}
