//! madvise.

use core::ops::Range;

use los_abi::errno::Errno;
use los_abi::mm::{self as abi, ProtFlags};
use los_arch::hal::paging::Access;
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE, VirtAddr};

use super::lock::is_special;
use super::zap::Flush;
use super::{AddressSpace, FaultError, Inner, page_align};
use crate::vma::{Attributes, Backing, Vma};

/// What an advice does to a mapping.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing, but the range must be mapped.
    Nothing,
    /// The pages go.
    Drop,
    /// The pages go, even locked ones.
    DropLocked,
    /// The pages go, and nobody may touch the range.
    Guard,
    /// The range is no longer guarded.
    Unguard,
    /// The pages go, if they are private memory.
    DropAnonymous,
    /// Nothing, but the range must be mapped and not locked.
    NothingUnlocked,
    /// The pages go from the object as well.
    Remove,
    /// Sets attributes.
    Set(Attributes),
    /// Clears attributes.
    Clear(Attributes),
    /// Touches every page.
    Touch(Access),
}

impl Effect {
    /// Reports whether contents go, here or in a child.
    fn discards(self) -> bool {
        match self {
            Self::Drop | Self::DropLocked | Self::DropAnonymous | Self::Remove | Self::Guard => true,
            Self::Set(set) => set.intersects(Attributes::NO_FORK | Attributes::WIPE_ON_FORK),
            Self::Nothing | Self::NothingUnlocked | Self::Clear(_) | Self::Touch(_) | Self::Unguard => false,
        }
    }
}

/// Reports whether a sealed mapping must keep contents that the program itself could not overwrite.
fn keeps_contents(vma: &Vma) -> bool {
    vma.is_sealed() && !vma.is_shared() && !vma.protection.contains(ProtFlags::WRITE)
}

impl AddressSpace {
    /// Takes advice (`MADV_*`) about a range.
    ///
    /// # Errors
    /// As madvise(2): EINVAL, ENOMEM when a part is not mapped (the rest is done), and for
    /// MADV_POPULATE_* EFAULT.
    pub fn advise(&self, address: u64, length: u64, advice: i32) -> Result<(), Errno> {
        let effect = effect_of(advice).ok_or(Errno::EINVAL)?;
        if !address.is_multiple_of(PAGE_SIZE as u64) {
            return Err(Errno::EINVAL);
        }
        let bytes = page_align(length).ok_or(Errno::EINVAL)?;
        let end = address.checked_add(bytes).ok_or(Errno::EINVAL)?;
        if end == address {
            return Ok(());
        }
        if let Effect::Touch(access) = effect {
            return self.touch(address..end, access);
        }
        if effect == Effect::Remove {
            return self.remove(address..end);
        }
        self.with(|inner, flush| inner.advise(address..end, effect, flush))
    }

    /// Takes pages out of the objects that are mapped in a range. They unmap them here and elsewhere, so the
    /// space is not locked then.
    fn remove(&self, range: Range<u64>) -> Result<(), Errno> {
        let mut at = range.start;
        let mut whole = true;
        while at < range.end {
            let inner = self.inner.lock();
            let Some(vma) = inner.mappings.overlapping(at..range.end).next() else {
                whole = false;
                break;
            };
            whole &= vma.start <= at;
            let part = vma.start.max(at)..vma.end.min(range.end);
            at = part.end;
            let pages = |mapped: u64| mapped + ((part.end - part.start) >> PAGE_SHIFT);
            let first = vma.page_index(VirtAddr::new(part.start));
            let pager = match &vma.backing {
                _ if vma.attributes.contains(Attributes::LOCKED) => return Err(Errno::EINVAL),
                Backing::Anonymous => return Err(Errno::EINVAL),
                Backing::Object { .. }
                    if !vma.is_shared() || !vma.max_protection.contains(ProtFlags::WRITE) =>
                {
                    return Err(Errno::EACCES);
                }
                Backing::Object { mapped, .. } => mapped.pager().clone(),
            };
            drop(inner);
            pager.discard(first..pages(first))?;
        }
        if whole { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    fn is_guarded(&self, page: u64) -> bool {
        self.inner.lock().guards.contains(page)
    }

    fn touch(&self, range: Range<u64>, access: Access) -> Result<(), Errno> {
        for page in range.step_by(PAGE_SIZE) {
            if !sync::give_way() {
                return Err(Errno::EINTR);
            }
            self.handle_fault(VirtAddr::new(page), access)
                .map_err(|error| match error {
                    FaultError::NotMapped if self.is_guarded(page) => Errno::EFAULT,
                    FaultError::NotMapped | FaultError::NoMemory => Errno::ENOMEM,
                    FaultError::NotAllowed => Errno::EINVAL,
                    FaultError::BeyondEnd => Errno::EFAULT,
                })?;
        }
        Ok(())
    }
}

fn effect_of(advice: i32) -> Option<Effect> {
    Some(match advice {
        abi::MADV_NORMAL
        | abi::MADV_RANDOM
        | abi::MADV_SEQUENTIAL
        | abi::MADV_WILLNEED
        | abi::MADV_MERGEABLE
        | abi::MADV_UNMERGEABLE
        | abi::MADV_HUGEPAGE
        | abi::MADV_NOHUGEPAGE => Effect::Nothing,
        abi::MADV_COLD | abi::MADV_PAGEOUT => Effect::NothingUnlocked,
        abi::MADV_DONTNEED => Effect::Drop,
        abi::MADV_DONTNEED_LOCKED => Effect::DropLocked,
        abi::MADV_GUARD_INSTALL => Effect::Guard,
        abi::MADV_GUARD_REMOVE => Effect::Unguard,
        abi::MADV_FREE => Effect::DropAnonymous,
        abi::MADV_REMOVE => Effect::Remove,
        abi::MADV_DONTFORK => Effect::Set(Attributes::NO_FORK),
        abi::MADV_DOFORK => Effect::Clear(Attributes::NO_FORK),
        abi::MADV_DONTDUMP => Effect::Set(Attributes::NO_DUMP),
        abi::MADV_DODUMP => Effect::Clear(Attributes::NO_DUMP),
        abi::MADV_WIPEONFORK => Effect::Set(Attributes::WIPE_ON_FORK),
        abi::MADV_KEEPONFORK => Effect::Clear(Attributes::WIPE_ON_FORK),
        abi::MADV_POPULATE_READ => Effect::Touch(Access::Read),
        abi::MADV_POPULATE_WRITE => Effect::Touch(Access::Write),
        _ => return None,
    })
}

impl Inner {
    fn advise(&mut self, range: Range<u64>, effect: Effect, flush: &mut Flush) -> Result<(), Errno> {
        let mut at = range.start;
        let mut whole = true;
        while at < range.end {
            let Some(vma) = self.mappings.ending_above(at).filter(|vma| vma.start < range.end) else {
                whole = false;
                break;
            };
            whole &= vma.start <= at;
            let part = vma.start.max(at)..vma.end.min(range.end);
            let private_memory = !vma.is_shared() && matches!(vma.backing, Backing::Anonymous);
            at = part.end;
            let is_locked = vma.attributes.contains(Attributes::LOCKED);
            if effect.discards() && keeps_contents(vma) {
                return Err(Errno::EPERM);
            }
            match effect {
                Effect::Nothing | Effect::Touch(_) | Effect::Remove => {}
                Effect::Drop | Effect::DropAnonymous | Effect::NothingUnlocked if is_locked => {
                    return Err(Errno::EINVAL);
                }
                Effect::NothingUnlocked => {}
                Effect::Drop | Effect::DropLocked => self.parts().1.zap(part, flush),
                Effect::DropAnonymous if private_memory => self.parts().1.zap(part, flush),
                Effect::DropAnonymous => return Err(Errno::EINVAL),
                Effect::Guard => self.install_guard(part, flush)?,
                Effect::Unguard if is_special(vma) => return Err(Errno::EINVAL),
                Effect::Unguard => self.guards.remove(part),
                Effect::Set(Attributes::WIPE_ON_FORK) if !private_memory => return Err(Errno::EINVAL),
                Effect::Clear(Attributes::WIPE_ON_FORK | Attributes::NO_DUMP)
                    if vma.attributes.contains(Attributes::DROPPABLE) =>
                {
                    return Err(Errno::EINVAL);
                }
                Effect::Set(set) => self.change(part, |vma| vma.attributes |= set)?,
                Effect::Clear(cleared) => self.change(part, |vma| vma.attributes -= cleared)?,
            }
        }
        if whole { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}
