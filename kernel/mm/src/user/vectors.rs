//! Several ranges of user memory as one, for readv(2), writev(2) and their relatives.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::IoVec;
use los_abi::syscall::{UserPtr, UserSlice};

use super::some_of;
use crate::address_space::AddressSpace;
use crate::frames::Frame;
use crate::io::{Sink, Source};

/// Most elements of an array of `struct iovec` (UIO_MAXIOV).
const MAX_VECTORS: usize = 1024;
/// Most bytes that one system call transfers (Linux's MAX_RW_COUNT).
pub const MAX_TRANSFER_BYTES: usize = 0x7fff_f000;

/// The ranges of an array of `struct iovec`, read from or written to one after the other.
#[derive(Debug)]
pub struct UserIoVec<'a> {
    space: &'a AddressSpace,
    ranges: Vec<IoVec>,
    /// The range at which the transfer stands; what is done of it has been taken off.
    at: usize,
    left: usize,
}

impl AddressSpace {
    /// Reads the array of ranges of readv(2) and writev(2). What exceeds [`MAX_TRANSFER_BYTES`] is left
    /// out silently, as Linux does.
    ///
    /// # Errors
    /// EINVAL for more than 1024 ranges or a negative length, EFAULT, ENOMEM.
    pub fn io_vectors(&self, vectors: UserPtr<IoVec>, count: usize) -> Result<UserIoVec<'_>, Errno> {
        if count > MAX_VECTORS {
            return Err(Errno::EINVAL);
        }
        let mut ranges = Vec::new();
        ranges.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
        let mut reader = self.reader(UserSlice::new(vectors.cast(), count * size_of::<IoVec>()));
        let mut left = 0;
        for _ in 0..count {
            let mut range: IoVec = reader.read_value()?;
            if range.iov_len > i64::MAX as u64 {
                return Err(Errno::EINVAL);
            }
            range.iov_len = range.iov_len.min((MAX_TRANSFER_BYTES - left) as u64);
            left += range.iov_len as usize;
            ranges.push(range);
        }
        Ok(UserIoVec {
            space: self,
            ranges,
            at: 0,
            left,
        })
    }
}

impl<'a> UserIoVec<'a> {
    /// Takes the addresses for those of another space, as process_vm_readv(2) has it.
    #[must_use]
    pub fn of(self, other: &'a AddressSpace) -> Self {
        Self { space: other, ..self }
    }

    /// Returns the ranges.
    pub fn ranges(&self) -> &[IoVec] {
        &self.ranges
    }

    /// Moves up to `wanted` bytes: `transfer` gets an address, the bytes done before and the bytes to do,
    /// and returns how many it did.
    fn transfer(
        &mut self,
        wanted: usize,
        mut transfer: impl FnMut(&AddressSpace, u64, usize, usize) -> usize,
    ) -> Result<usize, Errno> {
        let wanted = wanted.min(self.left);
        let mut done = 0;
        while done < wanted {
            let Some(range) = self.ranges.get_mut(self.at) else {
                break;
            };
            let now = (wanted - done).min(range.iov_len as usize);
            let moved = transfer(self.space, range.iov_base, done, now);
            range.iov_base = range.iov_base.wrapping_add(moved as u64);
            range.iov_len -= moved as u64;
            done += moved;
            if moved < now {
                break;
            }
            if range.iov_len == 0 {
                self.at += 1;
            }
        }
        self.left -= done;
        some_of(done, wanted)
    }
}

impl Source for UserIoVec<'_> {
    fn remaining(&self) -> usize {
        self.left
    }

    fn take(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        self.transfer(into.len(), |space, address, done, now| {
            space.copy_in(address, &mut into[done..done + now])
        })
    }

    fn take_frame(&mut self, frame: &Frame, offset: usize, count: usize) -> Result<usize, Errno> {
        self.transfer(count, |space, address, done, now| {
            space.copy_in_frame(address, frame, offset + done, now)
        })
    }
}

impl Sink for UserIoVec<'_> {
    fn remaining(&self) -> usize {
        self.left
    }

    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        self.transfer(bytes.len(), |space, address, done, now| {
            space.copy_out(address, &bytes[done..done + now])
        })
    }

    fn put_frame(&mut self, frame: &Frame, offset: usize, count: usize) -> Result<usize, Errno> {
        self.transfer(count, |space, address, done, now| {
            space.copy_out_frame(address, frame, offset + done, now)
        })
    }

    fn put_zeros(&mut self, count: usize) -> Result<usize, Errno> {
        self.transfer(count, |space, address, _, now| space.zero_out(address, now))
    }
}
