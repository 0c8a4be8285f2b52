//! madvise.

use core::ops::Range;

use los_abi::errno::Errno;
use los_abi::mm as abi;
use los_arch::hal::paging::Access;
use los_arch::hal::{PAGE_SIZE, VirtAddr};

use super::zap::Flush;
use super::{AddressSpace, FaultError, Inner, MAX_MAPPINGS, page_align};
use crate::vma::{Attributes, Backing, Vma};

/// What an advice does to a mapping.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing, but the range must be mapped.
    Nothing,
    /// The pages go.
    Drop,
    /// The pages go, if they are private memory.
    DropAnonymous,
    /// The pages go from the object as well, which no object supports.
    Remove,
    /// Sets attributes.
    Set(Attributes),
    /// Clears attributes.
    Clear(Attributes),
    /// Touches every page.
    Touch(Access),
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
        self.with(|inner, flush| inner.advise(address..end, effect, flush))
    }

    fn touch(&self, range: Range<u64>, access: Access) -> Result<(), Errno> {
        for page in range.step_by(PAGE_SIZE) {
            self.handle_fault(VirtAddr::new(page), access)
                .map_err(|error| match error {
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
        | abi::MADV_NOHUGEPAGE
        | abi::MADV_COLD
        | abi::MADV_PAGEOUT => Effect::Nothing,
        abi::MADV_DONTNEED => Effect::Drop,
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
            match effect {
                Effect::Nothing | Effect::Touch(_) => {}
                Effect::Drop => self.parts().1.zap(part, flush),
                Effect::DropAnonymous if private_memory => self.parts().1.zap(part, flush),
                Effect::DropAnonymous => return Err(Errno::EINVAL),
                Effect::Remove if private_memory => return Err(Errno::EINVAL),
                Effect::Remove if !vma.is_shared() => return Err(Errno::EACCES),
                Effect::Remove => return Err(Errno::EOPNOTSUPP),
                Effect::Set(Attributes::WIPE_ON_FORK) if !private_memory => return Err(Errno::EINVAL),
                Effect::Set(set) => self.change(part, |vma| vma.attributes |= set)?,
                Effect::Clear(cleared) => self.change(part, |vma| vma.attributes -= cleared)?,
            }
        }
        if whole { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// Changes what has no effect on leaves, for a part of one mapping.
    fn change(&mut self, part: Range<u64>, change: impl FnOnce(&mut Vma)) -> Result<(), Errno> {
        if self.mappings.len() + 2 > MAX_MAPPINGS || !self.mappings.reserve(2) {
            return Err(Errno::ENOMEM);
        }
        if let Some(mut vma) = self.mappings.take_part(part) {
            change(&mut vma);
            self.mappings.insert(*vma);
        }
        Ok(())
    }
}
