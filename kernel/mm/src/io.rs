//! Bytes from and to somewhere: what a file reads into and writes from, be it user memory
//! ([`UserWriter`](crate::UserWriter), [`UserReader`](crate::UserReader), [`UserIoVec`](crate::UserIoVec))
//! or the kernel's own.

use alloc::vec::Vec;

use los_abi::errno::Errno;

use crate::frames::Frame;

/// Takes bytes.
pub trait Sink {
    /// Returns how many bytes it still takes.
    fn remaining(&self) -> usize;

    /// Takes up to `bytes.len()` bytes and returns how many. Fewer than offered means that the room is used
    /// up, or that the rest cannot be stored; the next call then fails.
    ///
    /// # Errors
    /// EFAULT when not one byte could be stored though there was room.
    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno>;

    /// Takes `count` bytes of a frame from `offset`, as [`put`](Self::put). No lock is held meanwhile that a
    /// page fault takes.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    fn put_frame(&mut self, frame: &Frame, offset: usize, count: usize) -> Result<usize, Errno> {
        in_pieces(count, |done, piece| {
            let mut buffer = [0; PIECE_BYTES];
            frame.read(offset + done, &mut buffer[..piece]);
            self.put(&buffer[..piece])
        })
    }

    /// Takes `count` zeros, as [`put`](Self::put).
    ///
    /// # Errors
    /// As [`put`](Self::put).
    fn put_zeros(&mut self, count: usize) -> Result<usize, Errno> {
        const ZEROS: [u8; PIECE_BYTES] = [0; PIECE_BYTES];
        in_pieces(count, |_, piece| self.put(&ZEROS[..piece]))
    }
}

/// Gives bytes, each of them once.
pub trait Source {
    /// Returns how many bytes it still gives.
    fn remaining(&self) -> usize;

    /// Fills `into` from its start and returns how many bytes were given. Fewer than asked for means that
    /// no more are left, or that the rest cannot be read; the next call then fails.
    ///
    /// # Errors
    /// EFAULT when not one byte could be read though some were left.
    fn take(&mut self, into: &mut [u8]) -> Result<usize, Errno>;

    /// Fills `count` bytes of a frame from `offset`, as [`take`](Self::take). No lock is held meanwhile that a
    /// page fault takes.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    fn take_frame(&mut self, frame: &Frame, offset: usize, count: usize) -> Result<usize, Errno> {
        in_pieces(count, |done, piece| {
            let mut buffer = [0; PIECE_BYTES];
            let taken = self.take(&mut buffer[..piece])?;
            frame.write(offset + done, &buffer[..taken]);
            Ok(taken)
        })
    }
}

/// What passes through a buffer does so in pieces of this size.
const PIECE_BYTES: usize = 512;

/// Moves `count` bytes in pieces, given what is done and how much to do, until one is not moved in full.
fn in_pieces(
    count: usize,
    mut transfer: impl FnMut(usize, usize) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut done = 0;
    while done < count {
        let piece = (count - done).min(PIECE_BYTES);
        match transfer(done, piece) {
            Ok(now) => {
                done += now;
                if now < piece {
                    break;
                }
            }
            Err(_) if done > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(done)
}

/// Stores bytes in a slice.
#[derive(Debug)]
pub struct SliceSink<'a> {
    left: &'a mut [u8],
}

impl<'a> SliceSink<'a> {
    /// Starts at the slice's first byte.
    pub fn new(slice: &'a mut [u8]) -> Self {
        Self { left: slice }
    }
}

impl Sink for SliceSink<'_> {
    fn remaining(&self) -> usize {
        self.left.len()
    }

    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let count = bytes.len().min(self.left.len());
        let (now, later) = core::mem::take(&mut self.left).split_at_mut(count);
        now.copy_from_slice(&bytes[..count]);
        self.left = later;
        Ok(count)
    }
}

/// Stores bytes at the end of a vector, up to a limit.
#[derive(Debug)]
pub struct VecSink {
    bytes: Vec<u8>,
    limit: usize,
}

impl VecSink {
    /// Starts empty; takes at most `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
        }
    }

    /// Returns what was taken.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }
}

impl Sink for VecSink {
    fn remaining(&self) -> usize {
        self.limit - self.bytes.len()
    }

    /// # Errors
    /// ENOMEM.
    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let count = bytes.len().min(self.remaining());
        self.bytes.try_reserve(count).map_err(|_| Errno::ENOMEM)?;
        self.bytes.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
}

/// Gives the bytes of a slice.
#[derive(Debug)]
pub struct SliceSource<'a> {
    left: &'a [u8],
}

impl<'a> SliceSource<'a> {
    /// Starts at the slice's first byte.
    pub const fn new(slice: &'a [u8]) -> Self {
        Self { left: slice }
    }
}

impl Source for SliceSource<'_> {
    fn remaining(&self) -> usize {
        self.left.len()
    }

    fn take(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        let count = into.len().min(self.left.len());
        let (now, later) = self.left.split_at(count);
        into[..count].copy_from_slice(now);
        self.left = later;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_fill_up_and_run_out() {
        let mut room = [0; 5];
        let mut sink = SliceSink::new(&mut room);
        assert_eq!(sink.put(b"abc"), Ok(3));
        assert_eq!(sink.put(b"defg"), Ok(2));
        assert_eq!(sink.put(b"h"), Ok(0));
        let mut source = SliceSource::new(&room);
        let mut out = [0; 4];
        assert_eq!(source.take(&mut out), Ok(4));
        assert_eq!((&out, source.remaining()), (b"abcd", 1));
        assert_eq!(source.take(&mut out), Ok(1));
        assert_eq!(source.take(&mut out), Ok(0));
    }

    #[test]
    fn vectors_stop_at_their_limit() {
        let mut sink = VecSink::new(600);
        assert_eq!(sink.put(b"ab"), Ok(2));
        assert_eq!(sink.put_zeros(1000), Ok(598));
        assert_eq!(sink.into_vec().len(), 600);
    }
}
