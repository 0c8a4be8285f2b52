//! Moving bytes and entries through an open file, and its position (read(2), lseek(2), getdents(2)).

use los_abi::errno::Errno;
use los_abi::fs::{MountFlags, OpenFlags};
use los_abi::inotify::InotifyMask;
use mm::io::{Sink, Source};
use sync::Result;

use super::{OpenFile, Whence};
use crate::attributes::DirectoryEntry;
use crate::inode::Io;
use crate::notify;

impl OpenFile {
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
        if ops.ignores_seeking() {
            return Ok(0);
        }
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

    #[inline]
    fn io(&self, size_limit: u64) -> Io {
        Io {
            flags: self.flags(),
            size_limit,
        }
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

    pub(super) fn note_write(&self, count: usize) {
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
