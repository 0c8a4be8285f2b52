//! What a file system implements: inodes, their open files, and the whole.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use los_abi::errno::Errno;
use los_abi::fs::{OpenFlags, RenameFlags, SealFlags, Statfs, XattrFlags};
use los_abi::poll::PollEvents;
use mm::io::{Sink, Source};
use mm::{AddressSpace, Pager};

use crate::attributes::{Access, DirectoryEntry, FileKind, Metadata, NewNode, SetAttributes};
use crate::credentials::Credentials;
use crate::owner::SignalList;
use crate::path::Path;
use crate::poll::PollTable;
use crate::text::WriteCount;

/// A mounted file system.
pub trait FileSystem: Send + Sync {
    /// Returns the topmost directory.
    fn root(&self) -> Arc<dyn Inode>;

    /// Returns the type's name, as in /proc/mounts.
    fn name(&self) -> &'static str;

    /// Returns the state; `f_flags` is added by the mount.
    fn statfs(&self) -> Statfs;

    /// Returns the device number (`st_dev`).
    fn device(&self) -> u64;

    /// Returns the file system's own mount options as /proc/mounts shows them, such as `,size=64k`.
    fn options(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Writes everything to stable storage.
    ///
    /// # Errors
    /// EIO.
    fn sync(&self) -> Result<(), Errno> {
        Ok(())
    }
}

/// A file, directory, or whatever else has an inode number.
///
/// The virtual file system checks permissions, names and kinds before it calls, and serialises changes of
/// one directory's names. The defaults are those of something that is neither a directory nor a link.
pub trait Inode: Send + Sync + Any {
    /// Returns the kind, which never changes.
    fn kind(&self) -> FileKind;

    /// Returns what decides on access.
    fn access(&self) -> Access;

    /// Returns all attributes.
    fn metadata(&self) -> Metadata;

    /// Changes attributes.
    ///
    /// # Errors
    /// EPERM, EROFS, EIO, as the file system needs.
    fn set_attributes(&self, _changes: &SetAttributes) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Finds a name in a directory; `.` and `..` are never asked for.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, EIO.
    fn lookup(&self, _name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::ENOTDIR)
    }

    /// Reports whether names can be made in this directory at all.
    ///
    /// # Errors
    /// What making one answers, before any permission is looked at.
    fn check_new_names(&self) -> Result<(), Errno> {
        Ok(())
    }

    /// Makes an inode of any kind but a symbolic link under a name that does not exist.
    ///
    /// # Errors
    /// EPERM where the file system has no such thing, ENOENT in a removed directory, ENOSPC, ENOMEM.
    fn create(&self, _name: &[u8], _node: &NewNode) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::EPERM)
    }

    /// Makes a regular file without a name, in this directory's file system (O_TMPFILE).
    ///
    /// # Errors
    /// EOPNOTSUPP, ENOSPC, ENOMEM.
    fn create_unnamed(&self, _node: &NewNode) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    fn symlink(&self, _name: &[u8], _target: &[u8], _node: &NewNode) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::EPERM)
    }

    /// Gives an inode of the same file system, no directory, one more name.
    ///
    /// # Errors
    /// EPERM, EMLINK, ENOSPC, ENOMEM.
    fn link(&self, _name: &[u8], _inode: &Arc<dyn Inode>) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Removes the name of something that is no directory.
    ///
    /// # Errors
    /// EPERM, ENOENT, EIO.
    fn unlink(&self, _name: &[u8]) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// ENOTEMPTY, EPERM.
    fn rmdir(&self, _name: &[u8]) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Moves a name to another directory of the same file system, replacing what is there; with
    /// `EXCHANGE` the two change places.
    ///
    /// # Errors
    /// ENOTEMPTY for a directory in the way, EINVAL for flags that the file system lacks, EPERM.
    fn rename(
        &self,
        _name: &[u8],
        _new_directory: &Arc<dyn Inode>,
        _new_name: &[u8],
        _flags: RenameFlags,
    ) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Returns a symbolic link's target.
    ///
    /// # Errors
    /// EINVAL for what is no link.
    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        Err(Errno::EINVAL)
    }

    /// For links that lead to a place and not to a name (/proc/PID/cwd): returns that place.
    ///
    /// # Errors
    /// ENOENT, EACCES.
    fn follow_link(&self, _credentials: &Credentials) -> Option<Result<Path, Errno>> {
        None
    }

    /// Sets a regular file's size.
    ///
    /// # Errors
    /// EINVAL for what has no size, EFBIG, ENOSPC.
    fn truncate(&self, _size: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// Opens. May wait: a FIFO waits for its other end.
    ///
    /// # Errors
    /// ENXIO for a device without a driver, and what the driver answers.
    fn open(self: Arc<Self>, flags: OpenFlags, credentials: &Credentials) -> sync::Result<Arc<dyn FileOps>>;

    /// Returns where mappings of the file find their pages.
    fn pager(self: Arc<Self>) -> Option<Arc<dyn Pager>> {
        None
    }

    /// Returns the seals, where the file system has them.
    fn seals(&self) -> Option<SealFlags> {
        None
    }

    /// Adds seals.
    ///
    /// # Errors
    /// EINVAL where the file system has none; EPERM, EBUSY.
    fn add_seals(&self, _seals: SealFlags) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// Notes that contents were read.
    fn note_access(&self) {}

    /// Notes that somebody without privileges has written: set-id bits go.
    fn clear_set_id(&self) {}

    /// Returns the value of an extended attribute.
    ///
    /// # Errors
    /// EOPNOTSUPP for a name that the file system does not store, EINVAL for a name that is only a prefix, ENODATA.
    fn extended_attribute(&self, _name: &[u8]) -> Result<Vec<u8>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// As [`extended_attribute`](Self::extended_attribute); EEXIST and ENODATA as the flags want; ENOSPC, ENOMEM.
    fn set_extended_attribute(&self, _name: &[u8], _value: &[u8], _flags: XattrFlags) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// As [`extended_attribute`](Self::extended_attribute).
    fn remove_extended_attribute(&self, _name: &[u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Shows the names of all extended attributes.
    fn extended_attribute_names(&self, _visit: &mut dyn FnMut(&[u8])) {}

    /// Notes that the contents or the owner change: the file's capabilities go.
    fn clear_capabilities(&self) {}

    /// Returns the count of writers that keeps programs from being written while they run.
    fn write_count(&self) -> Option<&WriteCount> {
        None
    }

    /// Tells whether the name cache may keep this inode's name: false for names that vanish by themselves.
    fn is_cacheable(&self) -> bool {
        true
    }

    /// Tells whether the name cache may keep the absence of names of this directory: false where names
    /// appear by themselves.
    fn caches_absence(&self) -> bool {
        true
    }
}

/// How one transfer is made.
#[derive(Clone, Copy, Debug)]
pub struct Io {
    /// The file's status flags: `NONBLOCK`, `APPEND`, `DIRECT` and the like.
    pub flags: OpenFlags,
    /// Size that a regular file must not exceed (RLIMIT_FSIZE).
    pub size_limit: u64,
}

impl Io {
    /// A transfer that waits and has no limits, as the kernel's own are.
    pub const KERNEL: Self = Self {
        flags: OpenFlags::empty(),
        size_limit: u64::MAX,
    };

    /// Tells whether the transfer fails rather than waits.
    #[inline]
    pub const fn nonblocking(&self) -> bool {
        self.flags.contains(OpenFlags::NONBLOCK)
    }

    /// Tells whether every write goes to the end.
    #[inline]
    pub const fn append(&self) -> bool {
        self.flags.contains(OpenFlags::APPEND)
    }
}

/// Where and for whom an ioctl works.
pub struct IoctlContext<'a> {
    /// The caller's memory.
    pub memory: &'a AddressSpace,
    /// The caller's identity.
    pub credentials: &'a Credentials,
    /// The file's status flags.
    pub flags: OpenFlags,
}

/// The working side of an open file. One object may serve one opening (a pipe's end) or all of them (a
/// regular file, whose position lives in the [`OpenFile`](crate::OpenFile)).
pub trait FileOps: Send + Sync + Any {
    /// Reads at an offset; 0 is the end of the file. Streams ignore the offset.
    ///
    /// # Errors
    /// EINVAL for what cannot be read, EISDIR, EAGAIN, EIO, EFAULT from the sink if nothing was read.
    fn read_at(&self, _out: &mut dyn Sink, _offset: u64, _io: &Io) -> sync::Result<usize> {
        Err(Errno::EINVAL.into())
    }

    /// Writes at an offset.
    ///
    /// # Errors
    /// EINVAL for what cannot be written, EPIPE, EAGAIN, ENOSPC, EFBIG, EFAULT from the source if nothing
    /// was written.
    fn write_at(&self, _input: &mut dyn Source, _offset: u64, _io: &Io) -> sync::Result<usize> {
        Err(Errno::EINVAL.into())
    }

    /// Appends, and returns how much was written and the offset behind it. Atomic for files that share one
    /// size.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    fn append(&self, input: &mut dyn Source, io: &Io) -> sync::Result<(usize, u64)> {
        let written = self.write_at(input, 0, io)?;
        Ok((written, 0))
    }

    /// Tells whether the file has a position; pread and lseek on one that has none are ESPIPE.
    fn is_seekable(&self) -> bool {
        true
    }

    /// Tells whether lseek does nothing and answers 0, whether or not there is a position.
    fn ignores_seeking(&self) -> bool {
        false
    }

    /// Returns where `SEEK_END` counts from.
    ///
    /// # Errors
    /// EINVAL where the end is unknown.
    fn end(&self) -> Result<u64, Errno> {
        Ok(0)
    }

    /// Finds the next data (`true`) or hole (`false`) at or behind an offset that is below the end.
    ///
    /// # Errors
    /// ENXIO when there is no more data.
    fn next_extent(&self, offset: u64, end: u64, extent: Extent) -> Result<u64, Errno> {
        Ok(match extent {
            Extent::Data => offset,
            Extent::Hole => end,
        })
    }

    /// Registers with what will change the conditions, then returns those that hold. Never waits, not even for
    /// a sleeping lock: that would consume the wake-up that the caller is about to wait for.
    fn poll(&self, _table: &mut PollTable<'_>) -> PollEvents {
        PollEvents::IN | PollEvents::OUT | PollEvents::RDNORM | PollEvents::WRNORM
    }

    /// Returns the lists of those who get signals when the file becomes ready; none for a file without.
    fn signal_lists(&self) -> [Option<&SignalList>; 2] {
        [None, None]
    }

    /// Tells whether waiting for the file makes sense; epoll(7) refuses the others.
    fn is_pollable(&self) -> bool {
        true
    }

    /// Does what ioctl(2) asks of this file in particular.
    ///
    /// # Errors
    /// ENOTTY for an unknown request.
    fn ioctl(&self, _context: &IoctlContext<'_>, _request: u32, _argument: u64) -> sync::Result<usize> {
        Err(Errno::ENOTTY.into())
    }

    /// Emits a directory's entries from a cursor (0 is the start) until `emit` answers false, and returns the
    /// cursor of the first entry that was not taken.
    ///
    /// # Errors
    /// ENOTDIR, ENOENT for a removed directory.
    fn read_directory(
        &self,
        _cursor: u64,
        _emit: &mut dyn FnMut(DirectoryEntry<'_>) -> bool,
    ) -> Result<u64, Errno> {
        Err(Errno::ENOTDIR)
    }

    /// Writes the contents to stable storage.
    ///
    /// # Errors
    /// EINVAL for what has none, EIO.
    fn sync(&self) -> Result<(), Errno> {
        Ok(())
    }

    /// Makes room, as fallocate(2) with this mode.
    ///
    /// # Errors
    /// EOPNOTSUPP, ENOSPC, EFBIG.
    fn allocate(&self, _mode: u32, _offset: u64, _length: u64) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Returns where a mapping finds its pages, if that is not the inode's affair.
    fn pager(&self) -> Option<Arc<dyn Pager>> {
        None
    }

    /// Writes the lines about this kind of file that /proc/PID/fdinfo shows behind those of all files.
    ///
    /// # Errors
    /// Those of the writer.
    fn describe(&self, _out: &mut dyn core::fmt::Write) -> core::fmt::Result {
        Ok(())
    }

    /// Notes that the last descriptor of one opening is gone.
    fn released(&self) {}
}

/// What `SEEK_DATA` and `SEEK_HOLE` look for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// Bytes that are stored.
    Data,
    /// Zeros that are not.
    Hole,
}
