//! Names of anonymous memory (PR_SET_VMA_ANON_NAME), which /proc/PID/maps shows.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;

use super::AddressSpace;
use super::placement::page_range;
use crate::vma::{Backing, Vma};

impl AddressSpace {
    /// Gives the anonymous mappings of a range a name, or takes it away.
    ///
    /// # Errors
    /// EINVAL; EBADF for a file's mapping; ENOMEM when a part is not mapped (the rest is done).
    pub fn set_name(&self, address: u64, length: u64, name: Option<&Arc<[u8]>>) -> Result<(), Errno> {
        let Some(range) = page_range(address, length)? else {
            return Ok(());
        };
        self.with(|inner, _| {
            let has_hole = inner.has_hole(&range);
            let mut at = range.start;
            while let Some((vma, part)) = inner.mappings.part_from(at, range.end) {
                at = part.end;
                if !is_anonymous(vma) {
                    return Err(Errno::EBADF);
                }
                if vma.name.as_ref() != name {
                    inner.change(part, |vma| vma.name = name.cloned())?;
                }
            }
            if has_hole { Err(Errno::ENOMEM) } else { Ok(()) }
        })
    }
}

/// Returns the name as it is shown, beside what the kernel knows better.
pub(super) fn shown(vma: &Vma, name: &[u8]) -> Vec<u8> {
    let prefix: &[u8] = if vma.is_shared() {
        b"[anon_shmem:"
    } else {
        b"[anon:"
    };
    [prefix, name, b"]"].concat()
}

fn is_anonymous(vma: &Vma) -> bool {
    match &vma.backing {
        Backing::Anonymous => true,
        Backing::Object { mapped, .. } => mapped.pager().is_anonymous(),
    }
}
