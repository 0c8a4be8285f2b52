//! The storage of a pipe: bytes in a ring that grows as needed, up to the pipe's capacity.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use mm::io::{Sink, Source};

pub(super) const PAGE_BYTES: usize = 4096;

/// Bytes in flight. The storage's size is 0 or a power of two.
pub(super) struct Ring {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl Ring {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            length: 0,
        }
    }

    /// Returns the number of bytes in it.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Moves bytes to `out`, as many as it takes.
    ///
    /// # Errors
    /// EFAULT if there were bytes and not one could be stored.
    pub(super) fn take(&mut self, out: &mut dyn Sink) -> Result<usize, Errno> {
        let mut total = 0;
        while self.length > 0 && out.remaining() > 0 {
            let chunk = self
                .length
                .min(self.bytes.len() - self.start)
                .min(out.remaining());
            let stored = match out.put(&self.bytes[self.start..self.start + chunk]) {
                Ok(stored) => stored,
                Err(_) if total > 0 => break,
                Err(errno) => return Err(errno),
            };
            self.start = (self.start + stored) & (self.bytes.len() - 1);
            self.length -= stored;
            total += stored;
            if stored < chunk {
                break;
            }
        }
        if self.length == 0 {
            self.start = 0;
        }
        Ok(total)
    }

    /// Moves bytes from `input`, as many as there is room for in `capacity`.
    ///
    /// # Errors
    /// EFAULT if not one byte could be read; ENOMEM.
    pub(super) fn give(&mut self, input: &mut dyn Source, capacity: usize) -> Result<usize, Errno> {
        self.make_storage(input.remaining(), capacity)?;
        let mut total = 0;
        while self.length < self.bytes.len() && input.remaining() > 0 {
            let at = (self.start + self.length) & (self.bytes.len() - 1);
            let room = (self.bytes.len() - self.length).min(self.bytes.len() - at);
            let chunk = room.min(input.remaining());
            let read = match input.take(&mut self.bytes[at..at + chunk]) {
                Ok(read) => read,
                Err(_) if total > 0 => break,
                Err(errno) => return Err(errno),
            };
            self.length += read;
            total += read;
            if read < chunk {
                break;
            }
        }
        Ok(total)
    }

    /// Gives storage beyond a capacity back.
    ///
    /// # Errors
    /// ENOMEM.
    pub(super) fn shrink(&mut self, capacity: usize) -> Result<(), Errno> {
        if self.bytes.len() > capacity {
            self.resize(capacity)
        } else {
            Ok(())
        }
    }

    /// Makes storage for that many more bytes, or as many as may ever be in the pipe.
    fn make_storage(&mut self, more: usize, capacity: usize) -> Result<(), Errno> {
        let wanted = self.length.saturating_add(more).min(capacity);
        if wanted <= self.bytes.len() {
            return Ok(());
        }
        // A page serves short messages; what is larger gets it all at once.
        self.resize(if wanted <= PAGE_BYTES {
            PAGE_BYTES
        } else {
            capacity
        })
    }

    fn resize(&mut self, size: usize) -> Result<(), Errno> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        let end = self.start + self.length;
        if end <= self.bytes.len() {
            bytes.extend_from_slice(&self.bytes[self.start..end]);
        } else {
            bytes.extend_from_slice(&self.bytes[self.start..]);
            bytes.extend_from_slice(&self.bytes[..end - self.bytes.len()]);
        }
        bytes.resize(size, 0);
        self.bytes = bytes;
        self.start = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::VecDeque;

    use mm::io::{SliceSource, VecSink};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_ring_is_a_queue(steps in proptest::collection::vec((any::<bool>(), 0_usize..9000), 1..60)) {
            const CAPACITY: usize = 16 * 1024;
            let (mut ring, mut model) = (Ring::new(), VecDeque::new());
            let mut next = 0_u8;
            for (gives, count) in steps {
                if gives {
                    let bytes: Vec<u8> = (0..count).map(|_| { next = next.wrapping_add(7); next }).collect();
                    let given = ring.give(&mut SliceSource::new(&bytes), CAPACITY).unwrap();
                    prop_assert_eq!(given, count.min(CAPACITY - model.len()));
                    model.extend(&bytes[..given]);
                } else {
                    let mut sink = VecSink::new(count);
                    ring.take(&mut sink).unwrap();
                    let expected: Vec<u8> = model.drain(..count.min(model.len())).collect();
                    prop_assert_eq!(sink.into_vec(), expected);
                }
                prop_assert_eq!(ring.length(), model.len());
            }
        }
    }
}
