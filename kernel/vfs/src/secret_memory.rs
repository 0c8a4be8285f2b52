//! Files of memory that only the programs which map them can look at (memfd_secret(2)): no call reads or writes them, and
//! nobody looks at them through another process's memory.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use mm::{AnonymousPager, Frame, Pager, PagerError, ReverseMap, frames};

use crate::anonymous::{anonymous_file, next_inode_number};
use crate::attributes::{Access, Attributes, FileKind, Metadata, NewNode, SetAttributes, make_device};
use crate::credentials::Credentials;
use crate::file::OpenFile;
use crate::inode::{FileOps, Inode};

const PAGE_BYTES: u64 = hal::PAGE_SIZE as u64;

/// The device of these files.
const DEVICE: u64 = make_device(0, 14);

/// Makes an empty file and opens it for reading and writing.
///
/// # Errors
/// ENOMEM.
pub fn create(credentials: &Credentials) -> sync::Result<Arc<OpenFile>> {
    let node = NewNode {
        kind: FileKind::Regular,
        mode: 0o600,
        uid: credentials.fsuid,
        gid: credentials.fsgid,
        rdev: 0,
    };
    let number = next_inode_number();
    let memory = Arc::new(SecretMemory {
        number,
        bytes: AtomicU64::new(0),
        pages: AnonymousPager::endless(),
    });
    let inode = Arc::new(SecretInode {
        attributes: Attributes::new(&node),
        memory,
    });
    let flags = OpenFlags::RDWR | OpenFlags::LARGEFILE;
    Ok(anonymous_file(
        b"/secretmem (deleted)",
        inode,
        Arc::new(SecretFile),
        flags,
        credentials,
    )?)
}

/// The memory, as mappings find it.
struct SecretMemory {
    number: u64,
    bytes: AtomicU64,
    pages: AnonymousPager,
}

impl Pager for SecretMemory {
    fn page(&self, index: u64, access: mm::Access) -> Result<Frame, PagerError> {
        let pages = self.bytes.load(Ordering::Relaxed).div_ceil(PAGE_BYTES);
        if index >= pages {
            return Err(PagerError::BeyondEnd);
        }
        // A page stays in the file when nobody maps it any more, and so when who made it is ended for memory.
        if self.pages.cached(index).is_none() && !frames::room_for_files() {
            return Err(Errno::ENOSPC.into());
        }
        self.pages.page(index, access)
    }

    fn cached(&self, index: u64) -> Option<Frame> {
        self.pages.cached(index)
    }

    fn name(&self) -> Vec<u8> {
        Vec::new()
    }

    fn device(&self) -> u64 {
        DEVICE
    }

    fn inode(&self) -> u64 {
        self.number
    }

    fn mappings(&self) -> Option<&ReverseMap> {
        self.pages.mappings()
    }

    fn is_secret(&self) -> bool {
        true
    }
}

struct SecretInode {
    attributes: Attributes,
    memory: Arc<SecretMemory>,
}

impl Inode for SecretInode {
    fn kind(&self) -> FileKind {
        FileKind::Regular
    }

    fn access(&self) -> Access {
        self.attributes.access()
    }

    fn metadata(&self) -> Metadata {
        Metadata {
            device: DEVICE,
            inode: self.memory.number,
            size: self.memory.bytes.load(Ordering::Relaxed),
            ..self.attributes.metadata(FileKind::Regular)
        }
    }

    fn set_attributes(&self, changes: &SetAttributes) -> Result<(), Errno> {
        self.attributes.set(changes);
        Ok(())
    }

    fn truncate(&self, size: u64) -> Result<(), Errno> {
        // The size is set once.
        let first = self
            .memory
            .bytes
            .compare_exchange(0, size, Ordering::Relaxed, Ordering::Relaxed);
        first.map(drop).map_err(|_| Errno::EINVAL)
    }

    fn open(
        self: Arc<Self>,
        _flags: OpenFlags,
        _credentials: &Credentials,
    ) -> sync::Result<Arc<dyn FileOps>> {
        Ok(Arc::new(SecretFile))
    }

    fn pager(self: Arc<Self>) -> Option<Arc<dyn Pager>> {
        Some(self.memory.clone())
    }
}

struct SecretFile;

impl FileOps for SecretFile {
    fn is_seekable(&self) -> bool {
        false
    }

    fn sync(&self) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_set_once() {
        let _turn = mm::testing::exclusive();
        let file = create(&Credentials::root()).unwrap();
        let inode = file.inode();
        assert_eq!(inode.truncate(0), Ok(()));
        assert_eq!(inode.truncate(5000), Ok(()));
        assert_eq!(inode.truncate(5000), Err(Errno::EINVAL));
        assert_eq!(inode.metadata().size, 5000);
        let pager = inode.clone().pager().unwrap();
        assert!(pager.is_secret());
        assert!(pager.page(1, mm::Access::Write).is_ok());
        let beyond = pager.page(2, mm::Access::Read).map(drop);
        assert_eq!(beyond, Err(PagerError::BeyondEnd));
    }

    #[test]
    fn programs_keep_what_files_leave_them() {
        let _turn = mm::testing::exclusive();
        let file = create(&Credentials::root()).unwrap();
        file.inode().truncate(1 << 40).unwrap();
        let pager = file.inode().clone().pager().unwrap();
        pager.page(0, mm::Access::Write).unwrap();
        let mut taken = Vec::new();
        while frames::room_for_files() {
            taken.push(frames::allocate_uninit().unwrap());
        }
        let further = pager.page(1, mm::Access::Write).map(drop);
        assert_eq!(further, Err(PagerError::Errno(Errno::ENOSPC)));
        // What it has it keeps.
        assert!(pager.page(0, mm::Access::Write).is_ok());
        drop(taken);
        assert!(pager.page(1, mm::Access::Write).is_ok());
    }
}
