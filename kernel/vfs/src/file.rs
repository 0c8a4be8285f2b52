//! Open files: what a descriptor refers to (open(2): "open file description").
//!
//! * `transfer`: reading, writing and the position
//! * `storage`: size, room, seals and pages
//! * `signals`: who hears of it by a signal

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::{Access as AccessMode, OpenFlags};
use los_abi::inotify::InotifyMask;
use los_abi::poll::PollEvents;
use sync::{Mutex, Once, Rank, Result};

use crate::attributes::Metadata;
use crate::credentials::{Capability, Credentials};
use crate::epoll::Memberships;
use crate::inode::{Extent, FileOps, Inode, IoctlContext};
use crate::lock::{self, Owner};
use crate::mapped::MappedFile;
use crate::notify;
use crate::owner::Owner as SignalOwner;
use crate::path::Path;
use crate::poll::PollTable;
use crate::text::WriteAccess;
use count::Counted;

mod count;
mod signals;
mod storage;
mod transfer;

pub(crate) use count::check_open_files;
pub use count::open_files;

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
    /// The sets that it is in, from the first one on.
    sets: Once<Arc<Memberships>>,
    _counted: Counted,
}

impl OpenFile {
    /// Makes an open file. `ops` is `None` for O_PATH.
    ///
    /// # Errors
    /// ENFILE when there are too many; ENOENT for a path without an inode; ETXTBSY to write a program that runs.
    pub fn new(
        path: Path,
        ops: Option<Arc<dyn FileOps>>,
        flags: OpenFlags,
        credentials: &Credentials,
    ) -> core::result::Result<Arc<Self>, Errno> {
        let writes = matches!(flags.access(), AccessMode::Write | AccessMode::ReadWrite);
        let write_access = |inode: &_| writes.then(|| WriteAccess::new(inode)).transpose();
        Self::with(path, ops, flags, credentials, write_access)
    }

    /// Makes an open file that nobody opened by a name. As on Linux it does not count as open for writing: a
    /// program in memory (memfd_create(2)) is executed while its maker still has it.
    ///
    /// # Errors
    /// ENFILE when there are too many; ENOENT for a path without an inode.
    pub(crate) fn nameless(
        path: Path,
        ops: Arc<dyn FileOps>,
        flags: OpenFlags,
        credentials: &Credentials,
    ) -> core::result::Result<Arc<Self>, Errno> {
        Self::with(path, Some(ops), flags, credentials, |_| Ok(None))
    }

    fn with(
        path: Path,
        ops: Option<Arc<dyn FileOps>>,
        flags: OpenFlags,
        credentials: &Credentials,
        write_access: impl FnOnce(&Arc<dyn Inode>) -> core::result::Result<Option<WriteAccess>, Errno>,
    ) -> core::result::Result<Arc<Self>, Errno> {
        let counted = Counted::take(credentials)?;
        let inode = path.inode()?.clone();
        Ok(Arc::new(Self {
            _write_access: write_access(&inode)?,
            path,
            inode,
            ops,
            flags: AtomicU32::new(flags.bits()),
            position: Mutex::new(Rank::FilePosition, 0),
            drops_set_id: !credentials.capable(Capability::Fsetid),
            mapped: Once::new(),
            owner: Once::new(),
            sets: Once::new(),
            _counted: counted,
        }))
    }

    /// Returns the sets (epoll) that it is in.
    pub(crate) fn sets(&self) -> &Arc<Memberships> {
        self.sets.call_once(|| Arc::new(Memberships::new()))
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
        self.change_flags(CHANGEABLE, new);
    }

    /// Sets O_NONBLOCK or takes it away; the others stay.
    pub fn set_nonblocking(&self, is_nonblocking: bool) {
        let new = match is_nonblocking {
            true => OpenFlags::NONBLOCK,
            false => OpenFlags::empty(),
        };
        self.change_flags(OpenFlags::NONBLOCK, new);
    }

    /// Changes some flags in one step, since other threads may change others.
    fn change_flags(&self, which: OpenFlags, new: OpenFlags) {
        let change = |flags| {
            let kept = OpenFlags::from_bits_retain(flags).difference(which);
            Some((kept | new.intersection(which)).bits())
        };
        // It always is changed.
        let _old = self
            .flags
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
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
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        lock::release(self, Owner::of_file(self));
        self.leave_signal_lists();
        if let Some(sets) = self.sets.get() {
            sets.leave();
        }
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
