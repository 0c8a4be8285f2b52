//! What a futex word is the same as: in one address space by its address, in shared memory by the object.

use los_abi::errno::Errno;
use los_abi::mm::ProtFlags;
use los_arch::Current;
use los_arch::hal::PAGE_SIZE;
use los_arch::hal::VirtAddr;
use los_arch::hal::prelude::Paging;

use super::AddressSpace;
use super::protect::with_frame;
use crate::frames::Frame;
use crate::vma::Backing;

/// Names a futex word, equal for all who mean the same word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FutexKey {
    /// A word of private memory: the space (by its address in memory) and the word's address.
    Private {
        /// Identifies the space while it lives.
        space: usize,
        /// Address of the word.
        address: u64,
    },
    /// A word of shared memory: the object (by its address in memory) and the word's place in it.
    Shared {
        /// Identifies the object while it is mapped.
        object: usize,
        /// Bytes into the object.
        offset: u64,
    },
}

impl AddressSpace {
    /// Names a word for waits within this space (FUTEX_PRIVATE_FLAG), mapped or not.
    ///
    /// # Errors
    /// EFAULT for a word that is not in the user half.
    pub fn private_futex_key(&self, address: u64) -> Result<FutexKey, Errno> {
        let end = address.checked_add(size_of::<u32>() as u64);
        if end.is_none_or(|end| end > Current::USER_END) {
            return Err(Errno::EFAULT);
        }
        let space = core::ptr::from_ref(self).addr();
        Ok(FutexKey::Private { space, address })
    }

    /// Names a word for waits that other processes may share.
    ///
    /// # Errors
    /// EFAULT when nothing is mapped there, or private memory that cannot be written.
    pub fn shared_futex_key(&self, address: u64) -> Result<FutexKey, Errno> {
        let inner = self.inner.lock();
        let vma = inner.mappings.find(address).ok_or(Errno::EFAULT)?;
        match &vma.backing {
            Backing::Object { mapped, .. } if vma.is_shared() => {
                let address = VirtAddr::new(address);
                let offset = vma.page_index(address.page_base()) * PAGE_SIZE as u64;
                let object = mapped.pager().object();
                Ok(FutexKey::Shared {
                    object,
                    offset: offset + address.page_offset() as u64,
                })
            }
            // What nobody can write through this mapping is the object's own page, which others may write.
            Backing::Object { mapped, page } if !vma.protection.contains(ProtFlags::WRITE) => {
                let at = VirtAddr::new(address).page_base();
                let leaf = inner.table.query(&inner.tables, at).ok_or(Errno::EFAULT)?;
                if !with_frame(leaf.phys, Frame::is_cached) {
                    return Err(Errno::EFAULT);
                }
                let into = (page * PAGE_SIZE as u64).wrapping_add(address - vma.start);
                Ok(FutexKey::Shared {
                    object: mapped.pager().object(),
                    offset: into,
                })
            }
            Backing::Anonymous if !vma.protection.contains(ProtFlags::WRITE) => Err(Errno::EFAULT),
            _ => self.private_futex_key(address),
        }
    }
}
