//! Pipes and FIFOs (pipe(7)): a ring of bytes with two ends.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use los_abi::errno::Errno;
use los_abi::fs::{Access as AccessMode, OpenFlags, PIPE_BUF};
use los_abi::poll::PollEvents;
use los_abi::syscall::UserPtr;
use los_abi::tty::FIONREAD;
use mm::io::{Sink, Source};
use sync::{Mutex, Rank, Result, SpinLock, WaitQueue};

use crate::anonymous::{AnonymousInode, anonymous_file};
use crate::attributes::FileKind;
use crate::file::OpenFile;
use crate::inode::{FileOps, Io, IoctlContext};
use crate::poll::PollTable;

/// Bytes that a pipe holds unless F_SETPIPE_SZ says otherwise.
const DEFAULT_CAPACITY_BYTES: usize = 64 * 1024;
/// Most bytes that F_SETPIPE_SZ gives without privilege (`/proc/sys/fs/pipe-max-size`).
pub const CAPACITY_MAX_BYTES: usize = 1024 * 1024;
const PAGE_BYTES: usize = 4096;

/// What both ends share.
pub struct Pipe {
    /// Sleeping, since bytes move to and from user memory under it.
    ring: Mutex<Ring>,
    ends: SpinLock<Ends>,
    /// Readers that wait for bytes or for the last writer to go, and pollers.
    readers: Arc<WaitQueue>,
    /// Writers that wait for room or for the last reader to go, and pollers.
    writers: Arc<WaitQueue>,
    /// Openers of a FIFO that wait for the other end.
    openers: WaitQueue,
}

#[derive(Clone, Copy, Default)]
struct Ends {
    readers: usize,
    writers: usize,
    /// How many of each there ever were, so that an opener notices one that came and went.
    readers_ever: u64,
    writers_ever: u64,
}

/// The bytes in flight. Storage grows as needed and stays.
struct Ring {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
    capacity: usize,
}

/// Makes a pipe and returns its two ends: for reading, for writing.
///
/// # Errors
/// ENOMEM.
pub fn create(flags: OpenFlags) -> core::result::Result<(Arc<OpenFile>, Arc<OpenFile>), Errno> {
    let pipe = Pipe::new();
    let inode = AnonymousInode::new(FileKind::Fifo, 0o600);
    let name = format!("pipe:[{}]", inode.number());
    let end = |access: OpenFlags| {
        let ops = End::new(&pipe, access.access());
        anonymous_file(name.as_bytes(), inode.clone(), ops, access | flags)
    };
    Ok((end(OpenFlags::empty())?, end(OpenFlags::WRONLY)?))
}

impl Pipe {
    /// Makes a pipe without ends.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            ring: Mutex::new(
                Rank::Pipe,
                Ring {
                    bytes: Vec::new(),
                    start: 0,
                    length: 0,
                    capacity: DEFAULT_CAPACITY_BYTES,
                },
            ),
            ends: SpinLock::new(Rank::Pipe, Ends::default()),
            readers: Arc::new(WaitQueue::new()),
            writers: Arc::new(WaitQueue::new()),
            openers: WaitQueue::new(),
        })
    }

    /// Opens one end of a FIFO, waiting for the other (fifo(7)).
    ///
    /// # Errors
    /// ENXIO for writing without waiting when nobody reads; a restart.
    pub fn open(self: &Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        let access = flags.access();
        let nonblocking = flags.contains(OpenFlags::NONBLOCK);
        if access == AccessMode::Write && nonblocking && self.ends.lock().readers == 0 {
            return Err(Errno::ENXIO.into());
        }
        let end = End::new(self, access);
        let before = *self.ends.lock();
        if access != AccessMode::ReadWrite && !nonblocking {
            self.openers.wait_interruptible(None, || {
                let now = *self.ends.lock();
                let met = match access {
                    AccessMode::Read => now.writers > 0 || now.writers_ever != before.writers_ever,
                    _ => now.readers > 0 || now.readers_ever != before.readers_ever,
                };
                met.then_some(())
            })?;
        }
        Ok(end)
    }

    /// Returns the bytes that it can hold: F_GETPIPE_SZ.
    pub fn capacity(&self) -> usize {
        self.ring.lock().capacity
    }

    /// Sets the bytes that it can hold, rounded up to a power of two of pages: F_SETPIPE_SZ.
    ///
    /// # Errors
    /// EINVAL for 0; EPERM above the limit; EBUSY when more is in it; ENOMEM.
    pub fn set_capacity(&self, bytes: usize) -> core::result::Result<usize, Errno> {
        if bytes == 0 || bytes > i32::MAX as usize {
            return Err(Errno::EINVAL);
        }
        let capacity = bytes.next_power_of_two().max(PAGE_BYTES);
        if capacity > CAPACITY_MAX_BYTES {
            return Err(Errno::EPERM);
        }
        let mut ring = self.ring.lock();
        if ring.length > capacity {
            return Err(Errno::EBUSY);
        }
        ring.resize(capacity)?;
        drop(ring);
        self.writers.wake_all();
        Ok(capacity)
    }

    fn has_writers(&self) -> bool {
        self.ends.lock().writers > 0
    }

    fn has_readers(&self) -> bool {
        self.ends.lock().readers > 0
    }

    /// Takes bytes; `None` when it is empty but not at its end.
    fn try_read(&self, out: &mut dyn Sink) -> Option<Result<usize>> {
        let at_end = !self.has_writers();
        let mut ring = self.ring.lock();
        if ring.length == 0 {
            return at_end.then_some(Ok(0));
        }
        let taken = ring.take(out);
        drop(ring);
        if taken.is_ok() {
            self.writers.wake_all();
        }
        Some(taken)
    }

    fn read(&self, out: &mut dyn Sink, io: &Io) -> Result<usize> {
        if out.remaining() == 0 {
            return Ok(0);
        }
        if let Some(result) = self.try_read(out) {
            return result;
        }
        if io.nonblocking() {
            return Err(Errno::EAGAIN.into());
        }
        self.readers.wait_interruptible(None, || self.try_read(out))?
    }

    /// Gives bytes: up to PIPE_BUF all or nothing, more as fits. `None` when there is no room.
    fn try_write(&self, input: &mut dyn Source) -> Option<Result<usize>> {
        if !self.has_readers() {
            return Some(Err(Errno::EPIPE.into()));
        }
        let mut ring = self.ring.lock();
        let room = ring.capacity - ring.length;
        let needed = if input.remaining() <= PIPE_BUF {
            input.remaining()
        } else {
            1
        };
        if room < needed {
            return None;
        }
        let given = ring.give(input);
        drop(ring);
        if given.is_ok() {
            self.readers.wake_all();
        }
        Some(given)
    }

    fn write(&self, input: &mut dyn Source, io: &Io) -> Result<usize> {
        let mut total = 0;
        // What remains after a part was written may be small: it is still written piece by piece.
        while input.remaining() > 0 {
            let outcome = match self.try_write(input) {
                Some(outcome) => outcome,
                None if io.nonblocking() => Err(Errno::EAGAIN.into()),
                None => self
                    .writers
                    .wait_interruptible(None, || self.try_write(input))
                    .unwrap_or_else(|error| Err(error.into())),
            };
            match outcome {
                Ok(count) => total += count,
                Err(_) if total > 0 => return Ok(total),
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }
}

impl Ring {
    /// Moves the bytes to a storage of another size.
    fn resize(&mut self, capacity: usize) -> core::result::Result<(), Errno> {
        let mut bytes = Vec::new();
        if !self.bytes.is_empty() {
            bytes.try_reserve_exact(capacity).map_err(|_| Errno::ENOMEM)?;
            let (first, second) = self.filled();
            bytes.extend_from_slice(first);
            bytes.extend_from_slice(second);
            bytes.resize(capacity, 0);
        }
        self.bytes = bytes;
        self.start = 0;
        self.capacity = capacity;
        Ok(())
    }

    fn filled(&self) -> (&[u8], &[u8]) {
        let end = self.start + self.length;
        if end <= self.bytes.len() {
            (&self.bytes[self.start..end], &[])
        } else {
            (&self.bytes[self.start..], &self.bytes[..end - self.bytes.len()])
        }
    }

    fn take(&mut self, out: &mut dyn Sink) -> Result<usize> {
        let mut total = 0;
        while self.length > 0 && out.remaining() > 0 {
            let chunk = self
                .length
                .min(self.bytes.len() - self.start)
                .min(out.remaining());
            let stored = match out.put(&self.bytes[self.start..self.start + chunk]) {
                Ok(stored) => stored,
                Err(_) if total > 0 => break,
                Err(errno) => return Err(errno.into()),
            };
            self.start = (self.start + stored) % self.bytes.len();
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

    fn give(&mut self, input: &mut dyn Source) -> Result<usize> {
        self.make_storage(input.remaining())?;
        let mut total = 0;
        while self.length < self.bytes.len() && input.remaining() > 0 {
            let at = (self.start + self.length) % self.bytes.len();
            let room = (self.bytes.len() - self.length).min(self.bytes.len() - at);
            let chunk = room.min(input.remaining());
            let read = match input.take(&mut self.bytes[at..at + chunk]) {
                Ok(read) => read,
                Err(_) if total > 0 => break,
                Err(errno) => return Err(errno.into()),
            };
            self.length += read;
            total += read;
            if read < chunk {
                break;
            }
        }
        Ok(total)
    }

    /// Makes storage for that many more bytes, or as many as may ever be in the pipe.
    fn make_storage(&mut self, more: usize) -> core::result::Result<(), Errno> {
        let wanted = (self.length + more).min(self.capacity);
        if wanted <= self.bytes.len() {
            return Ok(());
        }
        // A page serves short messages; what is larger gets it all at once.
        let size = if wanted <= PAGE_BYTES {
            PAGE_BYTES.min(self.capacity)
        } else {
            self.capacity
        };
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        let (first, second) = self.filled();
        bytes.extend_from_slice(first);
        bytes.extend_from_slice(second);
        bytes.resize(size, 0);
        self.bytes = bytes;
        self.start = 0;
        Ok(())
    }
}

/// Returns the pipe behind the operations of an open file, for fcntl(2).
pub fn of(ops: &dyn FileOps) -> Option<&Arc<Pipe>> {
    let any: &dyn Any = ops;
    any.downcast_ref::<End>().map(|end| &end.pipe)
}

/// One end of a pipe, or both of a FIFO that is open for reading and writing.
struct End {
    pipe: Arc<Pipe>,
    reads: bool,
    writes: bool,
}

impl End {
    fn new(pipe: &Arc<Pipe>, access: AccessMode) -> Arc<Self> {
        let (reads, writes) = (access != AccessMode::Write, access != AccessMode::Read);
        {
            let mut ends = pipe.ends.lock();
            ends.readers += usize::from(reads);
            ends.readers_ever += u64::from(reads);
            ends.writers += usize::from(writes);
            ends.writers_ever += u64::from(writes);
        }
        pipe.openers.wake_all();
        Arc::new(Self {
            pipe: pipe.clone(),
            reads,
            writes,
        })
    }
}

impl Drop for End {
    fn drop(&mut self) {
        {
            let mut ends = self.pipe.ends.lock();
            ends.readers -= usize::from(self.reads);
            ends.writers -= usize::from(self.writes);
        }
        self.pipe.readers.wake_all();
        self.pipe.writers.wake_all();
    }
}

impl FileOps for End {
    fn read_at(&self, out: &mut dyn Sink, _offset: u64, io: &Io) -> Result<usize> {
        self.pipe.read(out, io)
    }

    fn write_at(&self, input: &mut dyn Source, _offset: u64, io: &Io) -> Result<usize> {
        self.pipe.write(input, io)
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn poll(&self, table: &mut PollTable<'_>) -> PollEvents {
        let mut events = PollEvents::empty();
        if self.reads {
            table.register(&self.pipe.readers);
        }
        if self.writes {
            table.register(&self.pipe.writers);
        }
        let ends = *self.pipe.ends.lock();
        let ring = self.pipe.ring.lock();
        if self.reads {
            if ring.length > 0 {
                events |= PollEvents::IN | PollEvents::RDNORM;
            }
            if ends.writers == 0 && ends.writers_ever > 0 {
                events |= PollEvents::HUP;
            }
        }
        if self.writes {
            if ring.capacity - ring.length >= PIPE_BUF {
                events |= PollEvents::OUT | PollEvents::WRNORM;
            }
            if ends.readers == 0 {
                events |= PollEvents::ERR;
            }
        }
        events
    }

    fn ioctl(&self, context: &IoctlContext<'_>, request: u32, argument: u64) -> Result<usize> {
        if request != FIONREAD {
            return Err(Errno::ENOTTY.into());
        }
        let length = self.pipe.ring.lock().length as i32;
        context.memory.write(UserPtr::new(argument), &length)?;
        Ok(0)
    }
}
