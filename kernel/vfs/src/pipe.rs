//! Pipes and FIFOs (pipe(7)): a ring of bytes with two ends.
//!
//! Bytes move under a sleeping lock, since that touches user memory. What waiting and polling look at is
//! kept in atomics beside it, so that a condition never sleeps itself.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::{Access as AccessMode, OpenFlags, PIPE_BUF};
use los_abi::poll::PollEvents;
use los_abi::syscall::UserPtr;
use los_abi::tty::FIONREAD;
use mm::io::{Sink, Source};
use sync::{Mutex, Rank, WaitQueue};

use crate::anonymous::{AnonymousInode, anonymous_file};
use crate::attributes::FileKind;
use crate::credentials::Credentials;
use crate::file::OpenFile;
use crate::inode::{FileOps, Io, IoctlContext};
use crate::owner::{Reason, SignalList};
use crate::poll::{PollTable, READABLE, WRITABLE};
use crate::user_limits::Share;
use ring::{Form, PAGE_BYTES, Ring};

pub use capacity::round_size;

mod capacity;
mod ring;

/// What both ends share.
pub struct Pipe {
    ring: Mutex<Ring>,
    /// Bytes in the ring.
    filled: AtomicUsize,
    /// Packets in the ring and the streams between them; none while there is no packet.
    pieces: AtomicUsize,
    capacity: AtomicUsize,
    /// The pages of its capacity, which its user has.
    share: Mutex<Share>,
    /// Open ends.
    readers: AtomicUsize,
    writers: AtomicUsize,
    /// How many ends there ever were, so that an opener notices one that came and went.
    readers_ever: AtomicU64,
    writers_ever: AtomicU64,
    /// Readers that wait for bytes or for the last writer to go, and pollers.
    read_queue: Arc<WaitQueue>,
    /// Writers that wait for room or for the last reader to go, and pollers.
    write_queue: Arc<WaitQueue>,
    /// Who gets signals about readable bytes.
    read_signals: SignalList,
    /// Who gets signals about room.
    write_signals: SignalList,
    /// Openers of a FIFO that wait for the other end.
    openers: WaitQueue,
}

/// Makes a pipe and returns its two ends: for reading, for writing.
///
/// # Errors
/// ENFILE when there are too many files, or its user has too many pages in pipes; ENOMEM.
pub fn create(flags: OpenFlags, credentials: &Credentials) -> Result<(Arc<OpenFile>, Arc<OpenFile>), Errno> {
    if !mm::frames::headroom() {
        return Err(Errno::ENOMEM);
    }
    let pipe = Pipe::new(credentials).ok_or(Errno::ENFILE)?;
    let reopened = pipe.clone();
    let reopen = Box::new(move |flags: OpenFlags| {
        // Unlike a FIFO, a pipe does not wait for its other end.
        let end: Arc<dyn FileOps> = End::new(&reopened, flags.access());
        Ok(end)
    });
    let inode = AnonymousInode::with_reopen(FileKind::Fifo, 0o600, Some(reopen));
    let name = format!("pipe:[{}]", inode.number());
    let end = |access: OpenFlags| {
        let ops = End::new(&pipe, access.access());
        anonymous_file(name.as_bytes(), inode.clone(), ops, access | flags, credentials)
    };
    Ok((end(OpenFlags::empty())?, end(OpenFlags::WRONLY)?))
}

/// Returns the pipe behind the operations of an open file, for fcntl(2).
pub fn of(ops: &dyn FileOps) -> Option<&Arc<Pipe>> {
    let any: &dyn Any = ops;
    any.downcast_ref::<End>().map(|end| &end.pipe)
}

impl Pipe {
    /// Makes a pipe without ends; `None` if its user has too many pages in pipes.
    pub fn new(credentials: &Credentials) -> Option<Arc<Self>> {
        let share = capacity::pages_of_new_pipe(credentials)?;
        Some(Arc::new(Self {
            ring: Mutex::new(Rank::Pipe, Ring::new()),
            filled: AtomicUsize::new(0),
            pieces: AtomicUsize::new(0),
            capacity: AtomicUsize::new(share.amount() * PAGE_BYTES),
            share: Mutex::new(Rank::Pipe, share),
            readers: AtomicUsize::new(0),
            writers: AtomicUsize::new(0),
            readers_ever: AtomicU64::new(0),
            writers_ever: AtomicU64::new(0),
            read_queue: Arc::new(WaitQueue::new()),
            write_queue: Arc::new(WaitQueue::new()),
            read_signals: SignalList::new(),
            write_signals: SignalList::new(),
            openers: WaitQueue::new(),
        }))
    }

    /// Opens one end of a FIFO, waiting for the other (fifo(7)).
    ///
    /// # Errors
    /// ENXIO for writing without waiting when nobody reads; a restart.
    pub fn open(self: &Arc<Self>, flags: OpenFlags) -> sync::Result<Arc<dyn FileOps>> {
        let access = flags.access();
        let nonblocking = flags.contains(OpenFlags::NONBLOCK);
        if access == AccessMode::Write && nonblocking && self.readers.load(Ordering::SeqCst) == 0 {
            return Err(Errno::ENXIO.into());
        }
        let (other, other_ever) = match access {
            AccessMode::Read => (&self.writers, &self.writers_ever),
            _ => (&self.readers, &self.readers_ever),
        };
        let before = other_ever.load(Ordering::SeqCst);
        let end = End::new(self, access);
        if matches!(access, AccessMode::Read | AccessMode::Write) && !nonblocking {
            self.openers.wait_interruptible(None, || {
                let is_there = other.load(Ordering::SeqCst) > 0;
                (is_there || other_ever.load(Ordering::SeqCst) != before).then_some(())
            })?;
        }
        Ok(end)
    }

    /// Returns the bytes that it can hold: F_GETPIPE_SZ.
    pub fn capacity(&self) -> usize {
        self.capacity.load(Ordering::Relaxed)
    }

    fn resize(&self, capacity: usize) -> Result<(), Errno> {
        let mut ring = self.ring.lock();
        if ring.length() > capacity || ring.pieces() > capacity / PAGE_BYTES {
            return Err(Errno::EBUSY);
        }
        ring.shrink(capacity)?;
        self.capacity.store(capacity, Ordering::SeqCst);
        drop(ring);
        self.write_queue.wake_all();
        Ok(())
    }

    fn filled(&self) -> usize {
        self.filled.load(Ordering::SeqCst)
    }

    /// Returns the bytes that can be written: each piece takes at least a page, as in Linux.
    fn room(&self) -> usize {
        let capacity = self.capacity.load(Ordering::SeqCst);
        room(capacity, self.filled(), self.pieces.load(Ordering::SeqCst))
    }

    /// Notes what is in the ring for those who wait and poll.
    fn note(&self, ring: &Ring) {
        self.pieces.store(ring.pieces(), Ordering::SeqCst);
        self.filled.store(ring.length(), Ordering::SeqCst);
    }

    /// Waits until nobody has the pipe open for reading, or a signal comes.
    pub fn wait_until_unread(&self) {
        let is_unread = || (!self.has_readers()).then_some(());
        let _interrupted = self.write_queue.wait_interruptible(None, is_unread);
    }

    fn has_readers(&self) -> bool {
        self.readers.load(Ordering::SeqCst) > 0
    }

    fn has_writers(&self) -> bool {
        self.writers.load(Ordering::SeqCst) > 0
    }

    fn read(&self, out: &mut dyn Sink, io: &Io) -> sync::Result<usize> {
        if out.remaining() == 0 {
            return Ok(0);
        }
        let outcome = self.read_some(out, io);
        // As on Linux even if there was nothing to read.
        self.write_signals.tell(Reason::Writable);
        outcome
    }

    fn read_some(&self, out: &mut dyn Sink, io: &Io) -> sync::Result<usize> {
        loop {
            let mut ring = self.ring.lock();
            if ring.length() > 0 {
                let was_writable = self.room() >= PIPE_BUF;
                let taken = ring.take(out);
                let left = ring.length();
                self.note(&ring);
                drop(ring);
                if was_writable {
                    self.write_queue.pass_on();
                } else {
                    self.write_queue.wake_one_for(WRITABLE);
                }
                if left > 0 {
                    self.read_queue.pass_on();
                }
                return Ok(taken?);
            }
            drop(ring);
            if !self.has_writers() {
                // Bytes may have come between the look at the ring and the last writer's end.
                if self.filled() > 0 {
                    continue;
                }
                return Ok(0);
            }
            if io.nonblocking() {
                return Err(Errno::EAGAIN.into());
            }
            self.read_queue
                .wait_interruptible(None, || (self.filled() > 0 || !self.has_writers()).then_some(()))?;
        }
    }

    fn write(&self, input: &mut dyn Source, io: &Io) -> sync::Result<usize> {
        let size = input.remaining();
        let form = if io.flags.contains(OpenFlags::DIRECT) {
            Form::Packet
        } else {
            Form::Stream
        };
        let mut total = 0;
        while input.remaining() > 0 {
            let needed = match form {
                // Up to PIPE_BUF bytes go all or not at all; more goes as there is room.
                Form::Stream if size <= PIPE_BUF => size,
                Form::Stream => 1,
                Form::Packet => input.remaining().min(PIPE_BUF),
            };
            let outcome = self.write_some(input, needed, form, io);
            match outcome {
                Ok(0) => break,
                Ok(count) => total += count,
                Err(_) if total > 0 => break,
                Err(error) => {
                    self.read_signals.tell(Reason::Readable);
                    return Err(error);
                }
            }
        }
        if total > 0 {
            self.read_signals.tell(Reason::Readable);
        }
        Ok(total)
    }

    fn write_some(&self, input: &mut dyn Source, needed: usize, form: Form, io: &Io) -> sync::Result<usize> {
        loop {
            if !self.has_readers() {
                return Err(Errno::EPIPE.into());
            }
            let mut ring = self.ring.lock();
            let capacity = self.capacity();
            if room(capacity, ring.length(), ring.pieces()) >= needed {
                let given = ring.give(input, capacity, form);
                let length = ring.length();
                self.note(&ring);
                drop(ring);
                if length > 0 {
                    self.read_queue.wake_one_for(READABLE);
                }
                if length < capacity {
                    self.write_queue.pass_on();
                }
                return Ok(given?);
            }
            drop(ring);
            if io.nonblocking() {
                return Err(Errno::EAGAIN.into());
            }
            self.read_signals.tell(Reason::Readable);
            self.write_queue.wait_interruptible(None, || {
                (self.room() >= needed || !self.has_readers()).then_some(())
            })?;
        }
    }
}

/// Returns the bytes that can be written to a pipe that holds some in so many pieces.
fn room(capacity: usize, filled: usize, pieces: usize) -> usize {
    if pieces >= capacity / PAGE_BYTES {
        return 0;
    }
    capacity.saturating_sub(filled)
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
        if reads {
            pipe.readers.fetch_add(1, Ordering::SeqCst);
            pipe.readers_ever.fetch_add(1, Ordering::SeqCst);
        }
        if writes {
            pipe.writers.fetch_add(1, Ordering::SeqCst);
            pipe.writers_ever.fetch_add(1, Ordering::SeqCst);
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
        let pipe = &self.pipe;
        if self.reads && pipe.readers.fetch_sub(1, Ordering::SeqCst) == 1 {
            pipe.write_queue.wake_all();
        }
        if self.writes && pipe.writers.fetch_sub(1, Ordering::SeqCst) == 1 {
            pipe.read_queue.wake_all();
        }
        if pipe.has_readers() != pipe.has_writers() {
            pipe.read_signals.tell(Reason::Readable);
            pipe.write_signals.tell(Reason::Writable);
        }
    }
}

impl FileOps for End {
    fn read_at(&self, out: &mut dyn Sink, _offset: u64, io: &Io) -> sync::Result<usize> {
        self.pipe.read(out, io)
    }

    fn write_at(&self, input: &mut dyn Source, _offset: u64, io: &Io) -> sync::Result<usize> {
        self.pipe.write(input, io)
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn poll(&self, table: &mut PollTable<'_>) -> PollEvents {
        let pipe = &self.pipe;
        let mut events = PollEvents::empty();
        if self.reads {
            table.register(&pipe.read_queue);
            events.set(PollEvents::IN | PollEvents::RDNORM, pipe.filled() > 0);
            let had_writers = pipe.writers_ever.load(Ordering::SeqCst) > 0;
            events.set(PollEvents::HUP, had_writers && !pipe.has_writers());
        }
        if self.writes {
            table.register(&pipe.write_queue);
            events.set(PollEvents::OUT | PollEvents::WRNORM, pipe.room() >= PIPE_BUF);
            events.set(PollEvents::ERR, !pipe.has_readers());
        }
        events
    }

    fn signal_lists(&self) -> [Option<&SignalList>; 2] {
        let pipe = &self.pipe;
        [
            self.reads.then_some(&pipe.read_signals),
            self.writes.then_some(&pipe.write_signals),
        ]
    }

    fn ioctl(&self, context: &IoctlContext<'_>, request: u32, argument: u64) -> sync::Result<usize> {
        if request != FIONREAD {
            return Err(Errno::ENOTTY.into());
        }
        let filled = self.pipe.filled() as i32;
        context.memory.write(UserPtr::new(argument), &filled)?;
        Ok(0)
    }

    fn sync(&self) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}

#[cfg(test)]
mod tests;
