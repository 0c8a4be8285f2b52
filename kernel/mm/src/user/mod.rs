//! User memory, which only this module touches. What a program passes is an allegation: it is read once,
//! through a reader that moves on as it reads, and a wrong address is EFAULT.
//!
//! On the active address space the processor does the work and faults are served on the way; any other
//! space (one that exec is building, another process's) is walked in software: see `access`.

mod access;
mod vectors;

use los_abi::errno::Errno;
use los_abi::syscall::UserSlice;
use zerocopy::{FromBytes, IntoBytes};

use crate::address_space::AddressSpace;
use crate::frames::Frame;
use crate::io::{Sink, Source};

pub use access::set_relief;
pub use vectors::{MAX_TRANSFER_BYTES, UserIoVec};

/// Reads a range of user memory from its start to its end, each byte once.
#[derive(Debug)]
pub struct UserReader<'a> {
    space: &'a AddressSpace,
    address: u64,
    left: usize,
}

/// Writes a range of user memory from its start to its end.
#[derive(Debug)]
pub struct UserWriter<'a> {
    space: &'a AddressSpace,
    address: u64,
    left: usize,
}

impl AddressSpace {
    /// Reads the bytes of a slice.
    pub fn reader(&self, slice: UserSlice<u8>) -> UserReader<'_> {
        UserReader {
            space: self,
            address: slice.ptr.addr(),
            left: slice.len,
        }
    }

    /// Writes the bytes of a slice.
    pub fn writer(&self, slice: UserSlice<u8>) -> UserWriter<'_> {
        UserWriter {
            space: self,
            address: slice.ptr.addr(),
            left: slice.len,
        }
    }
}

impl UserReader<'_> {
    /// Reads the next value.
    ///
    /// # Errors
    /// EFAULT, also when fewer bytes than the value's are left.
    pub fn read_value<T: FromBytes + IntoBytes>(&mut self) -> Result<T, Errno> {
        let mut value = T::new_zeroed();
        self.read_exact(value.as_mut_bytes())?;
        Ok(value)
    }

    /// Reads exactly as many bytes as fit into the buffer.
    ///
    /// # Errors
    /// EFAULT, also when fewer bytes are left.
    pub fn read_exact(&mut self, into: &mut [u8]) -> Result<(), Errno> {
        let all = into.len() <= self.left && self.take(into)? == into.len();
        if all { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Passes over bytes.
    pub fn skip(&mut self, bytes: usize) {
        self.advance(bytes.min(self.left));
    }

    fn advance(&mut self, bytes: usize) {
        self.address = self.address.wrapping_add(bytes as u64);
        self.left -= bytes;
    }
}

impl Source for UserReader<'_> {
    fn remaining(&self) -> usize {
        self.left
    }

    fn take(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        let wanted = into.len().min(self.left);
        let done = self.space.copy_in(self.address, &mut into[..wanted]);
        self.advance(done);
        some_of(done, wanted)
    }

    fn take_frame(&mut self, frame: &Frame, offset: usize, count: usize) -> Result<usize, Errno> {
        let wanted = count.min(self.left);
        let done = self.space.copy_in_frame(self.address, frame, offset, wanted);
        self.advance(done);
        some_of(done, wanted)
    }
}

impl UserWriter<'_> {
    fn advance(&mut self, bytes: usize) {
        self.address = self.address.wrapping_add(bytes as u64);
        self.left -= bytes;
    }
}

impl Sink for UserWriter<'_> {
    fn remaining(&self) -> usize {
        self.left
    }

    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let wanted = bytes.len().min(self.left);
        let done = self.space.copy_out(self.address, &bytes[..wanted]);
        self.advance(done);
        some_of(done, wanted)
    }

    fn put_frame(&mut self, frame: &Frame, offset: usize, count: usize) -> Result<usize, Errno> {
        let wanted = count.min(self.left);
        let done = self.space.copy_out_frame(self.address, frame, offset, wanted);
        self.advance(done);
        some_of(done, wanted)
    }

    fn put_zeros(&mut self, count: usize) -> Result<usize, Errno> {
        let wanted = count.min(self.left);
        let done = self.space.zero_out(self.address, wanted);
        self.advance(done);
        some_of(done, wanted)
    }
}

/// EFAULT when nothing was done though something was to do.
fn some_of(done: usize, wanted: usize) -> Result<usize, Errno> {
    if done == 0 && wanted > 0 {
        Err(Errno::EFAULT)
    } else {
        Ok(done)
    }
}

#[cfg(test)]
mod tests;
