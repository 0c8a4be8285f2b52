//! Reading, writing and printing.
//!
//! Standard output is buffered: a line at a time on a terminal, by blocks elsewhere. It is flushed at
//! exit and before a fork, and a failed write shows as exit status 1 with a message, so that a full
//! disk does not pass unseen. Standard error is not buffered.

use alloc::vec::Vec;
use core::fmt;

use los_abi::poll::{PollEvents, PollFd};
use los_abi::signal::{SIGSET_SIZE, SigSet};
use los_abi::syscall::{Fd, UserPtr};
use spin::Mutex;

use crate::{Errno, Result, sys, tty};

/// Standard input.
pub const STDIN: i32 = 0;
/// Standard output.
pub const STDOUT: i32 = 1;
/// Standard error.
pub const STDERR: i32 = 2;

/// Bytes that a buffer collects before they are written, and that one read asks for.
pub const BUFFER_BYTES: usize = 16 * 1024;

/// Something that bytes can be read from.
pub trait Read {
    /// Reads up to a buffer's length; 0 is the end.
    ///
    /// # Errors
    /// Those of the source.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize>;

    /// Appends everything up to the end.
    ///
    /// # Errors
    /// Those of the source.
    fn read_to_end(&mut self, into: &mut Vec<u8>) -> Result<()> {
        let mut wanted = BUFFER_BYTES;
        loop {
            let start = into.len();
            into.try_reserve(wanted).map_err(|_| Errno::ENOMEM)?;
            into.resize(start + wanted, 0);
            let read = self.read(&mut into[start..]);
            into.truncate(start + read.unwrap_or(0));
            match read {
                Ok(0) => return Ok(()),
                Ok(_) => wanted = into.len().max(BUFFER_BYTES),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

impl<R: Read + ?Sized> Read for &mut R {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        (**self).read(buffer)
    }
}

/// A descriptor number, which does not close by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor(pub i32);

impl Read for Descriptor {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        read(self.0, buffer)
    }
}

/// Reads once from a descriptor.
///
/// # Errors
/// Those of read(2).
pub fn read(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    let address = UserPtr::new(buffer.as_mut_ptr() as u64);
    // SAFETY: the buffer is ours for as many bytes as the call may write.
    unsafe { sys::read(Fd(fd), address, buffer.len()) }.map(|count| count as usize)
}

/// Waits until a read would not block, with another set of signals blocked meanwhile.
///
/// # Errors
/// EINTR when a signal was caught, and those of ppoll(2).
pub fn wait_readable(fd: i32, mask: SigSet) -> Result<()> {
    let mut poll = PollFd {
        fd,
        events: PollEvents::IN.bits(),
        ..PollFd::default()
    };
    let (fds, mask) = (
        UserPtr::new(&raw mut poll as u64),
        UserPtr::new(&raw const mask as u64),
    );
    // SAFETY: the call reads the mask and changes the one entry, which live until it returns.
    unsafe { sys::ppoll(fds, 1, UserPtr::NULL, mask, SIGSET_SIZE) }.map(drop)
}

/// Writes once to a descriptor and returns how much was taken.
///
/// # Errors
/// Those of write(2).
pub fn write(fd: i32, bytes: &[u8]) -> Result<usize> {
    let address = UserPtr::new(bytes.as_ptr() as u64);
    // SAFETY: the call only reads, within the slice.
    unsafe { sys::write(Fd(fd), address, bytes.len()) }.map(|count| count as usize)
}

/// Writes everything to a descriptor.
///
/// # Errors
/// Those of write(2) but EINTR.
pub fn write_all(fd: i32, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(0) => return Err(Errno::EIO),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Closes a descriptor.
///
/// # Errors
/// Those of close(2).
pub fn close(fd: i32) -> Result<()> {
    // SAFETY: the call touches no memory.
    unsafe { sys::close(Fd(fd)) }.map(drop)
}

/// A source with a buffer, from which lines are read.
pub struct BufReader<R> {
    source: R,
    buffer: Vec<u8>,
    position: usize,
    length: usize,
}

impl<R: Read> BufReader<R> {
    /// Wraps a source.
    pub fn new(source: R) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            position: 0,
            length: 0,
        }
    }

    /// Appends bytes up to and with the next `end`, or to the end of the source; returns how many.
    ///
    /// # Errors
    /// Those of the source.
    pub fn read_until(&mut self, end: u8, into: &mut Vec<u8>) -> Result<usize> {
        let start = into.len();
        loop {
            let available = self.fill()?;
            if available.is_empty() {
                return Ok(into.len() - start);
            }
            let found = available.iter().position(|byte| *byte == end);
            let taken = found.map_or(available.len(), |index| index + 1);
            into.extend_from_slice(&available[..taken]);
            self.position += taken;
            if found.is_some() {
                return Ok(into.len() - start);
            }
        }
    }

    /// Returns what is buffered, after a read when that was nothing; empty at the end.
    ///
    /// # Errors
    /// Those of the source.
    pub fn fill(&mut self) -> Result<&[u8]> {
        if self.position == self.length {
            self.buffer.resize(BUFFER_BYTES, 0);
            self.position = 0;
            self.length = 0;
            self.length = self.source.read(&mut self.buffer)?;
        }
        Ok(&self.buffer[self.position..self.length])
    }

    /// Marks buffered bytes as read.
    pub fn consume(&mut self, count: usize) {
        self.position = (self.position + count).min(self.length);
    }
}

impl<R: Read> Read for BufReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let available = self.fill()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// Standard output's buffer.
struct Output {
    pending: Vec<u8>,
    /// Whether lines go out at once; unknown before the first write.
    by_lines: Option<bool>,
    error: Option<Errno>,
}

static OUTPUT: Mutex<Output> = Mutex::new(Output {
    pending: Vec::new(),
    by_lines: None,
    error: None,
});

impl Output {
    fn put(&mut self, bytes: &[u8]) {
        let by_lines = *self.by_lines.get_or_insert_with(|| tty::is_terminal(STDOUT));
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= BUFFER_BYTES || by_lines && bytes.contains(&b'\n') {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.error.is_none() {
            self.error = write_all(STDOUT, &self.pending).err();
        }
        self.pending.clear();
    }
}

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

/// Writes bytes to standard output.
pub fn put(bytes: &[u8]) {
    OUTPUT.lock().put(bytes);
}

/// Writes what standard output has buffered.
///
/// # Errors
/// The first error since the last call.
pub fn flush() -> Result<()> {
    let mut output = OUTPUT.lock();
    output.flush();
    match output.error.take() {
        Some(errno) => Err(errno),
        None => Ok(()),
    }
}

/// Drops what standard output has buffered, as a forked child that inherited it must.
pub fn discard() {
    OUTPUT.lock().pending.clear();
}

/// Forgets whether standard output is a terminal, after a descriptor was put in its place.
pub fn output_replaced() {
    OUTPUT.lock().by_lines = None;
}

/// Prints to standard output; the function behind [`print!`](crate::print).
pub fn print(arguments: fmt::Arguments<'_>) {
    // The buffer's writer never fails; errors of the descriptor come back from `flush`.
    let _ = fmt::Write::write_fmt(&mut *OUTPUT.lock(), arguments);
}

/// Prints to standard error; the function behind [`eprint!`](crate::eprint).
pub fn eprint(arguments: fmt::Arguments<'_>) {
    let mut writer = ErrorWriter {
        buffer: [0; 256],
        length: 0,
    };
    let _ = fmt::Write::write_fmt(&mut writer, arguments);
    writer.flush();
}

/// Collects a message so that it reaches standard error in one piece, without the allocator.
struct ErrorWriter {
    buffer: [u8; 256],
    length: usize,
}

impl ErrorWriter {
    fn flush(&mut self) {
        // There is nowhere to report that standard error fails.
        let _ = write_all(STDERR, &self.buffer[..self.length]);
        self.length = 0;
    }
}

impl fmt::Write for ErrorWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.length == self.buffer.len() {
                self.flush();
            }
            self.buffer[self.length] = byte;
            self.length += 1;
        }
        Ok(())
    }
}

/// Prints to standard output, as in `std`.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::io::print(::core::format_args!($($argument)*)) };
}

/// Prints a line to standard output, as in `std`.
#[macro_export]
macro_rules! println {
    () => { $crate::io::put(b"\n") };
    ($($argument:tt)*) => { $crate::io::print(::core::format_args!("{}\n", ::core::format_args!($($argument)*))) };
}

/// Prints to standard error, as in `std`.
#[macro_export]
macro_rules! eprint {
    ($($argument:tt)*) => { $crate::io::eprint(::core::format_args!($($argument)*)) };
}

/// Prints a line to standard error, as in `std`.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::io::eprint(::core::format_args!("\n")) };
    ($($argument:tt)*) => { $crate::io::eprint(::core::format_args!("{}\n", ::core::format_args!($($argument)*))) };
}

#[cfg(test)]
mod tests {
    use super::{BufReader, Read};
    use crate::Result;
    use alloc::vec::Vec;

    /// Gives out its bytes three at a time.
    struct Trickle(&'static [u8]);

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let count = self.0.len().min(3).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn lines_are_joined_from_short_reads() {
        let mut reader = BufReader::new(Trickle(b"first line\nsecond\nlast"));
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            if reader.read_until(b'\n', &mut line) == Ok(0) {
                break;
            }
            lines.push(line);
        }
        assert_eq!(lines, [&b"first line\n"[..], b"second\n", b"last"]);
    }

    #[test]
    fn everything_is_read_to_the_end() {
        let mut bytes = b"0".to_vec();
        Trickle(b"123456789")
            .read_to_end(&mut bytes)
            .expect("the source does not fail");
        assert_eq!(bytes, b"0123456789");
    }
}
