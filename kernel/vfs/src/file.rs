//! Open files: what a descriptor refers to (open(2): "open file description").

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::{Access as AccessMode, FallocateFlags, MountFlags, OpenFlags, SealFlags};
use los_abi::inotify::InotifyMask;
use los_abi::poll::PollEvents;
use mm::Pager;
use mm::io::{Sink, Source};
use sync::{Mutex, Once, Rank, Result};

use crate::attributes::{DirectoryEntry, FileKind, Metadata};
use crate::credentials::{Capability, Credentials};
use crate::inode::{Extent, FileOps, Inode, Io, IoctlContext};
use crate::lock::{self, Owner};
use crate::mapped::MappedFile;
use crate::notify;
use crate::ops;
use crate::owner::Owner as SignalOwner;
use crate::path::Path;
use crate::permission::{self, Permission};
use crate::poll::PollTable;
use crate::text::WriteAccess;

mod signals;

/// Flags that F_SETFL can change.
const CHANGEABLE: OpenFlags = OpenFlags::APPEND
    .union(OpenFlags::NONBLOCK)
    .union(OpenFlags::DIRECT)
    .union(OpenFlags::NOATIME);

/// Where lseek(2) counts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whence {
    /// The start.
    Set,
    /// The current position.
    Current,
    /// The end.
    End,
    /// The next data or hole at or behind the offset.
    Next(Extent),
}

/// An open file.
pub struct OpenFile {
    path: Path,
    inode: Arc<dyn Inode>,
    /// `None` for O_PATH.
    ops: Option<Arc<dyn FileOps>>,
    flags: AtomicU32,
    position: Mutex<u64>,
    /// Whether writing takes set-id bits away: the opener lacked CAP_FSETID.
    drops_set_id: bool,
    /// Held while open for writing, so that the file is not executed.
    _write_access: Option<WriteAccess>,
    /// What mappings of this opening share, from the first on.
    mapped: Once<Arc<MappedFile>>,
    /// Who gets signals about the file, from the first question on.
    owner: Once<Arc<SignalOwner>>,
}

impl OpenFile {
    /// Makes an open file. `ops` is `None` for O_PATH.
    ///
    /// # Errors
    /// ENOENT for a path without an inode; ETXTBSY to write a program that runs.
    pub fn new(
        path: Path,
        ops: Option<Arc<dyn FileOps>>,
        flags: OpenFlags,
        credentials: &Credentials,
    ) -> core::result::Result<Arc<Self>, Errno> {
        let inode = path.inode()?.clone();
        let writes = matches!(flags.access(), AccessMode::Write | AccessMode::ReadWrite);
        let write_access = if writes {
            Some(WriteAccess::new(&inode)?)
        } else {
            None
        };
        Ok(Arc::new(Self {
            path,
            inode,
            ops,
            flags: AtomicU32::new(flags.bits()),
            position: Mutex::new(Rank::FilePosition, 0),
            drops_set_id: !credentials.capable(Capability::Fsetid),
            _write_access: write_access,
            mapped: Once::new(),
            owner: Once::new(),
        }))
    }

    /// Returns where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the inode.
    #[inline]
    pub fn inode(&self) -> &Arc<dyn Inode> {
        &self.inode
    }

    /// Returns the operations.
    ///
    /// # Errors
    /// EBADF for O_PATH.
    #[inline]
    pub fn ops(&self) -> core::result::Result<&Arc<dyn FileOps>, Errno> {
        self.ops.as_ref().ok_or(Errno::EBADF)
    }

    /// Returns the attributes.
    ///
    /// # Errors
    /// EIO where they cannot be read.
    pub fn metadata(&self) -> core::result::Result<Metadata, Errno> {
        Ok(self.inode.metadata())
    }

    /// Returns the open flags.
    #[inline]
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// Changes the flags that F_SETFL can change; the others stay.
    pub fn set_flags(&self, new: OpenFlags) {
        let kept = self.flags().difference(CHANGEABLE);
        let flags = kept | new.intersection(CHANGEABLE);
        self.flags.store(flags.bits(), Ordering::Relaxed);
    }

    /// Returns the position, for /proc.
    pub fn position(&self) -> u64 {
        *self.position.lock()
    }

    /// Works with the position, which nobody else changes meanwhile.
    pub(crate) fn with_position<R>(&self, work: impl FnOnce(&mut u64) -> R) -> R {
        work(&mut self.position.lock())
    }

    /// Reports whether it is open for reading.
    #[inline]
    pub fn is_readable(&self) -> bool {
        matches!(self.flags().access(), AccessMode::Read | AccessMode::ReadWrite)
    }

    /// Reports whether it is open for writing.
    #[inline]
    pub fn is_writable(&self) -> bool {
        matches!(self.flags().access(), AccessMode::Write | AccessMode::ReadWrite)
    }

    #[inline]
    fn io(&self, size_limit: u64) -> Io {
        Io {
            flags: self.flags(),
            size_limit,
        }
    }

    fn readable(&self) -> core::result::Result<&Arc<dyn FileOps>, Errno> {
        let ops = self.ops()?;
        if self.is_readable() {
            Ok(ops)
        } else {
            Err(Errno::EBADF)
        }
    }

    fn writable(&self) -> core::result::Result<&Arc<dyn FileOps>, Errno> {
        let ops = self.ops()?;
        if self.is_writable() {
            Ok(ops)
        } else {
            Err(Errno::EBADF)
        }
    }

    /// Reads at the position and advances it.
    ///
    /// # Errors
    /// EBADF unless open for reading; those of the file.
    pub fn read(&self, out: &mut dyn Sink) -> Result<usize> {
        let ops = self.readable()?;
        let io = self.io(u64::MAX);
        let count = if ops.is_seekable() {
            let mut position = self.position.lock();
            let count = ops.read_at(out, *position, &io)?;
            *position += count as u64;
            count
        } else {
            ops.read_at(out, 0, &io)?
        };
        self.note_read(count);
        Ok(count)
    }

    /// Writes at the position, or at the end with O_APPEND, and advances it. Regular files do not grow beyond
    /// `size_limit`.
    ///
    /// # Errors
    /// EBADF unless open for writing; those of the file.
    pub fn write(&self, input: &mut dyn Source, size_limit: u64) -> Result<usize> {
        let ops = self.writable()?;
        let io = self.io(size_limit);
        if !ops.is_seekable() {
            let count = ops.write_at(input, 0, &io)?;
            self.tell_written(count);
            return Ok(count);
        }
        let mut position = self.position.lock();
        let count = if io.append() {
            let (count, end) = ops.append(input, &io)?;
            *position = end;
            count
        } else {
            let count = ops.write_at(input, *position, &io)?;
            *position += count as u64;
            count
        };
        drop(position);
        self.note_write(count);
        Ok(count)
    }

    /// Reads at an offset; the position stays.
    ///
    /// # Errors
    /// ESPIPE for a stream; as [`read`](Self::read).
    pub fn read_at(&self, out: &mut dyn Sink, offset: u64) -> Result<usize> {
        let ops = self.readable()?;
        if !ops.is_seekable() {
            return Err(Errno::ESPIPE.into());
        }
        let count = ops.read_at(out, offset, &self.io(u64::MAX))?;
        self.note_read(count);
        Ok(count)
    }

    /// Writes at an offset, or with O_APPEND at the end as Linux does; the position stays.
    ///
    /// # Errors
    /// ESPIPE for a stream; as [`write`](Self::write).
    pub fn write_at(&self, input: &mut dyn Source, offset: u64, size_limit: u64) -> Result<usize> {
        let ops = self.writable()?;
        if !ops.is_seekable() {
            return Err(Errno::ESPIPE.into());
        }
        let io = self.io(size_limit);
        let count = if io.append() {
            ops.append(input, &io)?.0
        } else {
            ops.write_at(input, offset, &io)?
        };
        self.note_write(count);
        Ok(count)
    }

    /// Moves the position and returns it.
    ///
    /// # Errors
    /// ESPIPE for a stream; EINVAL for a negative result; ENXIO behind the end for data and holes.
    pub fn seek(&self, offset: i64, whence: Whence) -> core::result::Result<u64, Errno> {
        let ops = self.ops()?;
        if !ops.is_seekable() {
            return Err(Errno::ESPIPE);
        }
        let mut position = self.position.lock();
        let base = match whence {
            Whence::Set => 0,
            Whence::Current => *position,
            Whence::End => ops.end()?,
            Whence::Next(extent) => {
                let end = ops.end()?;
                let start = u64::try_from(offset)
                    .ok()
                    .filter(|&start| start < end)
                    .ok_or(Errno::ENXIO)?;
                *position = ops.next_extent(start, end, extent)?;
                return Ok(*position);
            }
        };
        let new = base
            .checked_add_signed(offset)
            .filter(|&new| new <= i64::MAX as u64)
            .ok_or(Errno::EINVAL)?;
        *position = new;
        Ok(new)
    }

    /// Lists a directory from the position on. The position moves behind each entry that `emit` takes.
    ///
    /// # Errors
    /// ENOTDIR; ENOENT for a removed directory; EBADF for O_PATH.
    pub fn read_directory(
        &self,
        mut emit: impl FnMut(DirectoryEntry<'_>) -> bool,
    ) -> core::result::Result<(), Errno> {
        let ops = self.readable()?;
        if self.path.dentry.is_removed() {
            return Err(Errno::ENOENT);
        }
        let mut position = self.position.lock();
        *position = ops.read_directory(*position, &mut emit)?;
        drop(position);
        self.note_read(1);
        Ok(())
    }

    /// Returns what is ready.
    pub fn poll(&self, table: &mut PollTable<'_>) -> PollEvents {
        match &self.ops {
            Some(ops) => ops.poll(table),
            None => PollEvents::NVAL,
        }
    }

    /// Carries out an ioctl.
    ///
    /// # Errors
    /// ENOTTY; those of the file.
    pub fn ioctl(
        &self,
        memory: &mm::AddressSpace,
        credentials: &Credentials,
        request: u32,
        argument: u64,
    ) -> Result<usize> {
        let context = IoctlContext {
            memory,
            credentials,
            flags: self.flags(),
        };
        self.ops()?.ioctl(&context, request, argument)
    }

    /// Sets the size. Nothing becomes larger than `size_limit`.
    ///
    /// # Errors
    /// EINVAL unless open for writing, or for what has no size; EBADF for O_PATH; EFBIG.
    pub fn truncate(&self, size: u64, size_limit: u64) -> core::result::Result<(), Errno> {
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
    ) -> core::result::Result<(), Errno> {
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
    pub fn add_seals(&self, seals: SealFlags) -> core::result::Result<(), Errno> {
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
    pub fn sync(&self) -> core::result::Result<(), Errno> {
        self.ops()?.sync()
    }

    /// Returns what a memory map shows.
    ///
    /// # Errors
    /// ENODEV; EBADF for O_PATH.
    pub fn pager(&self) -> core::result::Result<Arc<dyn Pager>, Errno> {
        let own = self.ops()?.pager();
        let pages = own.or_else(|| self.inode.clone().pager()).ok_or(Errno::ENODEV)?;
        let mapped = self
            .mapped
            .call_once(|| Arc::new(MappedFile::new(self.path.clone(), pages)));
        Ok(mapped.clone())
    }

    /// Checks that the caller may know what of the file is in memory, as cachestat(2) has it: who could write it.
    ///
    /// # Errors
    /// EPERM.
    pub fn check_cache_inspection(&self, credentials: &Credentials) -> core::result::Result<(), Errno> {
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

    fn note_read(&self, count: usize) {
        self.note_access();
        if count > 0 {
            notify::happened(&self.path.dentry, InotifyMask::ACCESS);
        }
    }

    fn note_access(&self) {
        let mount = self.path.mount.flags();
        if !self.flags().contains(OpenFlags::NOATIME)
            && !mount.intersects(MountFlags::RDONLY | MountFlags::NOATIME)
        {
            self.inode.note_access();
        }
    }

    fn note_write(&self, count: usize) {
        if count > 0 {
            self.inode.clear_capabilities();
            if self.drops_set_id {
                self.inode.clear_set_id();
            }
        }
        self.tell_written(count);
    }

    #[inline]
    fn tell_written(&self, count: usize) {
        if count > 0 {
            notify::happened(&self.path.dentry, InotifyMask::MODIFY);
        }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        lock::release(self, Owner::of_file(self));
        self.leave_signal_lists();
        if let Some(ops) = &self.ops {
            let what = match self.is_writable() {
                true => InotifyMask::CLOSE_WRITE,
                false => InotifyMask::CLOSE_NOWRITE,
            };
            notify::happened(&self.path.dentry, what);
            ops.released();
        }
    }
}
