//! What an open file stores: its size, room, seals and pages (ftruncate(2), fallocate(2), mmap(2)).

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::fs::{FallocateFlags, SealFlags};
use mm::Pager;

use super::OpenFile;
use crate::attributes::FileKind;
use crate::credentials::Credentials;
use crate::inode::Extent;
use crate::mapped::MappedFile;
use crate::ops;
use crate::permission::{self, Permission};

impl OpenFile {
    /// Sets the size. Nothing becomes larger than `size_limit`.
    ///
    /// # Errors
    /// EINVAL unless open for writing, or for what has no size; EBADF for O_PATH; EFBIG.
    pub fn truncate(&self, size: u64, size_limit: u64) -> Result<(), Errno> {
        self.ops()?;
        if !self.is_writable() {
            return Err(Errno::EINVAL);
        }
        ops::check_growth(&*self.inode, size, size_limit)?;
        self.inode.truncate(size)?;
        self.note_write(1);
        Ok(())
    }

    /// Makes room or holes as fallocate(2). Nothing becomes larger than `size_limit`.
    ///
    /// # Errors
    /// EINVAL for no range; EOPNOTSUPP; EBADF unless open for writing; ESPIPE, EISDIR, ENODEV for what has no
    /// storage; EFBIG.
    pub fn allocate(
        &self,
        mode: FallocateFlags,
        offset: i64,
        length: i64,
        size_limit: u64,
    ) -> Result<(), Errno> {
        if offset < 0 || length <= 0 {
            return Err(Errno::EINVAL);
        }
        let keeps_size = mode.contains(FallocateFlags::KEEP_SIZE);
        let kind = mode.difference(FallocateFlags::KEEP_SIZE);
        let sizes_fit = match kind {
            FallocateFlags::PUNCH_HOLE => keeps_size,
            FallocateFlags::COLLAPSE_RANGE | FallocateFlags::INSERT_RANGE => !keeps_size,
            _ => {
                kind.is_empty() || kind == FallocateFlags::UNSHARE_RANGE || kind == FallocateFlags::ZERO_RANGE
            }
        };
        if !sizes_fit {
            return Err(Errno::EOPNOTSUPP);
        }
        let ops = self.writable()?;
        match self.inode.kind() {
            FileKind::Regular | FileKind::BlockDevice => {}
            FileKind::Fifo => return Err(Errno::ESPIPE),
            FileKind::Directory => return Err(Errno::EISDIR),
            _ => return Err(Errno::ENODEV),
        }
        let end = offset.checked_add(length).ok_or(Errno::EFBIG)?;
        if !keeps_size && end as u64 > size_limit.max(self.inode.metadata().size) {
            return Err(Errno::EFBIG);
        }
        ops.allocate(mode.bits(), offset as u64, length as u64)?;
        self.note_write(1);
        Ok(())
    }

    /// Adds seals.
    ///
    /// # Errors
    /// EPERM unless open for writing, or when the seals are sealed; EINVAL for unknown seals and files that have
    /// none; EBUSY; EBADF for O_PATH.
    pub fn add_seals(&self, seals: SealFlags) -> Result<(), Errno> {
        self.ops()?;
        if !self.is_writable() {
            return Err(Errno::EPERM);
        }
        if !SealFlags::all().contains(seals) {
            return Err(Errno::EINVAL);
        }
        self.inode.add_seals(seals)
    }

    /// Writes data back.
    ///
    /// # Errors
    /// EINVAL for what has no storage; EBADF for O_PATH.
    pub fn sync(&self) -> Result<(), Errno> {
        self.ops()?.sync()
    }

    /// Returns what a memory map shows.
    ///
    /// # Errors
    /// ENODEV; EBADF for O_PATH.
    pub fn pager(&self) -> Result<Arc<dyn Pager>, Errno> {
        let own = self.ops()?.pager();
        let pages = own.or_else(|| self.inode.clone().pager()).ok_or(Errno::ENODEV)?;
        // New memory, as from /dev/zero, is each mapping's own.
        let is_new = pages.is_anonymous();
        let mapped = || Arc::new(MappedFile::new(self.path.clone(), pages));
        Ok(if is_new {
            mapped()
        } else {
            self.mapped.call_once(mapped).clone()
        })
    }

    /// Checks that the caller may know what of the file is in memory, as cachestat(2) has it: who could write it.
    ///
    /// # Errors
    /// EPERM.
    pub fn check_cache_inspection(&self, credentials: &Credentials) -> Result<(), Errno> {
        let may = self.is_writable()
            || permission::is_owner(credentials, &*self.inode)
            || permission::check(credentials, &*self.inode, Permission::WRITE).is_ok();
        if may { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// Counts the pages with a byte in a range that the file has in memory.
    pub fn stored_pages(&self, start: u64, end: u64) -> u64 {
        const PAGE_BYTES: u64 = hal::PAGE_SIZE as u64;
        let Some((ops, size)) = self.ops.as_ref().and_then(|ops| Some((ops, ops.end().ok()?))) else {
            return 0;
        };
        if self.inode.kind() != FileKind::Regular {
            return 0;
        }
        let (mut at, end) = (start / PAGE_BYTES * PAGE_BYTES, end.min(size));
        let mut pages = 0;
        while at < end {
            let Ok(data) = ops.next_extent(at, size, Extent::Data) else {
                break;
            };
            let hole = ops.next_extent(data, size, Extent::Hole).unwrap_or(size);
            let (first, last) = (data / PAGE_BYTES, hole.min(end).div_ceil(PAGE_BYTES));
            pages += last.saturating_sub(first);
            at = hole.max(data + 1);
        }
        pages
    }
}
