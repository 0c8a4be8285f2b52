//! The storage of a pipe: bytes in a ring that grows as needed, up to the pipe's capacity, and where the packets
//! among them end.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use mm::io::{Sink, Source};

pub(super) const PAGE_BYTES: usize = 4096;

/// What written bytes are to their reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Part of a stream.
    Stream,
    /// A packet: one read takes it alone, and what the reader has no room for is lost (pipe(2), O_DIRECT).
    Packet,
}

/// Bytes in flight. The storage's size is 0 or a power of two.
pub(super) struct Ring {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
    /// The bytes in pieces, while there is a packet among them; else they are one stream.
    pieces: VecDeque<(usize, Form)>,
}

impl Ring {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            length: 0,
            pieces: VecDeque::new(),
        }
    }

    /// Returns the number of bytes in it.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Returns the number of pieces, none for a mere stream.
    pub(super) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// Moves bytes to `out`, as many as it takes, up to the end of a packet.
    ///
    /// # Errors
    /// EFAULT if there were bytes and not one could be stored.
    pub(super) fn take(&mut self, out: &mut dyn Sink) -> Result<usize, Errno> {
        if self.pieces.is_empty() {
            return self.take_bytes(out, self.length);
        }
        let mut total = 0;
        while let Some(&(bytes, form)) = self.pieces.front()
            && out.remaining() > 0
        {
            let taken = match self.take_bytes(out, bytes) {
                Ok(taken) => taken,
                Err(_) if total > 0 => break,
                Err(errno) => return Err(errno),
            };
            total += taken;
            let left = bytes - taken;
            match form {
                Form::Packet => self.skip(left),
                Form::Stream if left > 0 => {
                    self.pieces[0].0 = left;
                    break;
                }
                Form::Stream => {}
            }
            self.pieces.pop_front();
            if form == Form::Packet {
                break;
            }
        }
        Ok(total)
    }

    fn skip(&mut self, count: usize) {
        self.start = (self.start + count) & (self.bytes.len() - 1);
        self.length -= count;
    }

    fn take_bytes(&mut self, out: &mut dyn Sink, limit: usize) -> Result<usize, Errno> {
        let mut total = 0;
        while total < limit && out.remaining() > 0 {
            let chunk = (limit - total)
                .min(self.bytes.len() - self.start)
                .min(out.remaining());
            let stored = match out.put(&self.bytes[self.start..self.start + chunk]) {
                Ok(stored) => stored,
                Err(_) if total > 0 => break,
                Err(errno) => return Err(errno),
            };
            self.skip(stored);
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

    /// Moves bytes from `input`, as many as there is room for in `capacity`; a packet has a page at most.
    ///
    /// # Errors
    /// EFAULT if not one byte could be read; ENOMEM.
    pub(super) fn give(
        &mut self,
        input: &mut dyn Source,
        capacity: usize,
        form: Form,
    ) -> Result<usize, Errno> {
        if form == Form::Stream && self.pieces.is_empty() {
            return self.give_bytes(input, capacity, usize::MAX);
        }
        // What is there becomes a piece, and what comes is one.
        self.pieces.try_reserve(2).map_err(|_| Errno::ENOMEM)?;
        if self.pieces.is_empty() && self.length > 0 {
            self.pieces.push_back((self.length, Form::Stream));
        }
        let limit = match form {
            Form::Packet => PAGE_BYTES,
            Form::Stream => usize::MAX,
        };
        let given = self.give_bytes(input, capacity, limit)?;
        match self.pieces.back_mut() {
            Some((bytes, Form::Stream)) if form == Form::Stream => *bytes += given,
            _ if given > 0 => self.pieces.push_back((given, form)),
            _ => {}
        }
        Ok(given)
    }

    fn give_bytes(&mut self, input: &mut dyn Source, capacity: usize, limit: usize) -> Result<usize, Errno> {
        self.make_storage(input.remaining().min(limit), capacity)?;
        let mut total = 0;
        while self.length < self.bytes.len() && input.remaining() > 0 && total < limit {
            let at = (self.start + self.length) & (self.bytes.len() - 1);
            let room = (self.bytes.len() - self.length).min(self.bytes.len() - at);
            let chunk = room.min(input.remaining()).min(limit - total);
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
        if !mm::frames::headroom() {
            return Err(Errno::ENOMEM);
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

    fn take(ring: &mut Ring, count: usize) -> Vec<u8> {
        let mut sink = VecSink::new(count);
        ring.take(&mut sink).unwrap();
        sink.into_vec()
    }

    #[test]
    fn packets_are_read_one_by_one() {
        let mut ring = Ring::new();
        let mut give = |bytes: &[u8], form| {
            ring.give(&mut SliceSource::new(bytes), 4 * PAGE_BYTES, form)
                .unwrap()
        };
        assert_eq!(give(b"stream", Form::Stream), 6);
        assert_eq!(give(b"one", Form::Packet), 3);
        assert_eq!(give(b"second", Form::Packet), 6);
        assert_eq!(give(b"a", Form::Stream), 1);
        assert_eq!(give(b"b", Form::Stream), 1);
        assert_eq!(give(&[1; PAGE_BYTES + 1], Form::Packet), PAGE_BYTES);
        assert_eq!(take(&mut ring, 4), b"stre");
        // As in Linux, a read goes on from a stream into the next packet.
        assert_eq!(take(&mut ring, 100), b"amone");
        assert_eq!(take(&mut ring, 3), b"sec");
        assert_eq!((ring.length(), ring.pieces()), (PAGE_BYTES + 2, 2));
        assert_eq!(take(&mut ring, 2), b"ab");
        assert_eq!(take(&mut ring, usize::MAX).len(), PAGE_BYTES);
        assert_eq!((ring.length(), ring.pieces()), (0, 0));
    }

    proptest! {
        #[test]
        fn a_ring_is_a_queue(steps in proptest::collection::vec((any::<bool>(), 0_usize..9000), 1..60)) {
            const CAPACITY: usize = 16 * 1024;
            let (mut ring, mut model) = (Ring::new(), VecDeque::new());
            let mut next = 0_u8;
            for (gives, count) in steps {
                if gives {
                    let bytes: Vec<u8> = (0..count).map(|_| { next = next.wrapping_add(7); next }).collect();
                    let given = ring.give(&mut SliceSource::new(&bytes), CAPACITY, Form::Stream).unwrap();
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
