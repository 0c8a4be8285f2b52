//! Moving bytes from one open file to another inside the kernel: sendfile(2), copy_file_range(2).

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use mm::io::{SliceSink, SliceSource};

use crate::file::OpenFile;

/// Bytes that are under way at a time.
const CHUNK_BYTES: usize = 64 * 1024;

impl OpenFile {
    /// Copies up to `count` bytes to another file, from an offset, which advances, or else from the position,
    /// which then advances. Returns how many; fewer than asked for at the end of the file or when the other
    /// one takes no more.
    ///
    /// # Errors
    /// EINVAL for a stream as the source or O_APPEND on the target; EBADF unless open for reading and the
    /// other for writing; those of the two files if nothing was copied.
    pub fn copy_to(
        &self,
        offset: Option<&mut u64>,
        target: &Self,
        count: usize,
        size_limit: u64,
    ) -> sync::Result<usize> {
        if !self.is_readable() || !target.is_writable() {
            return Err(Errno::EBADF.into());
        }
        if !self.ops()?.is_seekable() {
            return Err(if offset.is_some() {
                Errno::ESPIPE
            } else {
                Errno::EINVAL
            }
            .into());
        }
        if target.flags().contains(OpenFlags::APPEND) {
            return Err(Errno::EINVAL.into());
        }
        match offset {
            Some(offset) => self.copy_from(offset, target, count, size_limit),
            None => self.with_position(|position| self.copy_from(position, target, count, size_limit)),
        }
    }

    fn copy_from(
        &self,
        offset: &mut u64,
        target: &Self,
        count: usize,
        size_limit: u64,
    ) -> sync::Result<usize> {
        let mut buffer = Vec::new();
        let chunk = count.min(CHUNK_BYTES);
        buffer.try_reserve_exact(chunk).map_err(|_| Errno::ENOMEM)?;
        buffer.resize(chunk, 0);
        let mut total = 0;
        while total < count {
            let wanted = (count - total).min(chunk);
            let moved = self
                .read_at(&mut SliceSink::new(&mut buffer[..wanted]), *offset)
                .and_then(|read| {
                    Ok((
                        read,
                        target.write(&mut SliceSource::new(&buffer[..read]), size_limit)?,
                    ))
                });
            match moved {
                Ok((read, written)) => {
                    *offset += written as u64;
                    total += written;
                    if read == 0 || written < read {
                        break;
                    }
                }
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }
}
