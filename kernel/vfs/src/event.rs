//! Event counters (eventfd(2)): a number that writes add to and reads take from.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::poll::PollEvents;
use mm::io::{Sink, Source};
use sync::{News, WaitQueue};

use crate::anonymous::{AnonymousInode, anonymous_file};
use crate::attributes::FileKind;
use crate::credentials::Credentials;
use crate::file::OpenFile;
use crate::inode::{FileOps, Io};
use crate::poll::{PollTable, READABLE, WRITABLE};

/// Largest value of a counter.
const COUNT_MAX: u64 = u64::MAX - 1;
const VALUE_BYTES: usize = size_of::<u64>();

/// What one read takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counting {
    /// Everything.
    Whole,
    /// One (`EFD_SEMAPHORE`).
    Single,
}

/// A counter.
struct EventCounter {
    count: AtomicU64,
    counting: Counting,
    /// Readers, writers that wait for room, and pollers.
    queue: Arc<WaitQueue>,
}

/// Makes an open counter.
///
/// # Errors
/// ENFILE; ENOMEM.
pub fn create(
    initial: u32,
    counting: Counting,
    flags: OpenFlags,
    credentials: &Credentials,
) -> Result<Arc<OpenFile>, Errno> {
    if !mm::frames::headroom() {
        return Err(Errno::ENOMEM);
    }
    let counter = Arc::new(EventCounter {
        count: AtomicU64::new(initial.into()),
        counting,
        queue: Arc::new(WaitQueue::new()),
    });
    let inode = AnonymousInode::new(FileKind::Regular, 0o600);
    anonymous_file(
        b"anon_inode:[eventfd]",
        inode,
        counter,
        flags | OpenFlags::RDWR,
        credentials,
    )
}

impl EventCounter {
    /// Takes what a read takes, or nothing from zero.
    fn take(&self) -> Option<u64> {
        let taken = |count: u64| match self.counting {
            Counting::Whole => count,
            Counting::Single => 1,
        };
        let old = self
            .count
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
                (count > 0).then(|| count - taken(count))
            });
        old.ok().map(taken)
    }

    /// Adds, unless that would be too much.
    fn add(&self, value: u64) -> Option<()> {
        let added = self
            .count
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
                count.checked_add(value).filter(|&count| count <= COUNT_MAX)
            });
        added.ok().map(|_| ())
    }

    /// Waits for what `step` wants, and tells others what that makes possible.
    fn wait<R>(&self, io: &Io, news: News, mut step: impl FnMut() -> Option<R>) -> sync::Result<R> {
        let result = match step() {
            Some(result) => result,
            None if io.nonblocking() => return Err(Errno::EAGAIN.into()),
            None => self.queue.wait_interruptible(None, step)?,
        };
        self.queue.wake_all_for(news);
        Ok(result)
    }
}

impl FileOps for EventCounter {
    fn read_at(&self, out: &mut dyn Sink, _offset: u64, io: &Io) -> sync::Result<usize> {
        if out.remaining() < VALUE_BYTES {
            return Err(Errno::EINVAL.into());
        }
        let value = self.wait(io, WRITABLE, || self.take())?;
        if out.put(&value.to_ne_bytes())? < VALUE_BYTES {
            return Err(Errno::EFAULT.into());
        }
        Ok(VALUE_BYTES)
    }

    fn write_at(&self, input: &mut dyn Source, _offset: u64, io: &Io) -> sync::Result<usize> {
        let mut bytes = [0; VALUE_BYTES];
        if input.remaining() < VALUE_BYTES {
            return Err(Errno::EINVAL.into());
        }
        if input.take(&mut bytes)? < VALUE_BYTES {
            return Err(Errno::EFAULT.into());
        }
        let value = u64::from_ne_bytes(bytes);
        if value > COUNT_MAX {
            return Err(Errno::EINVAL.into());
        }
        self.wait(io, READABLE, || self.add(value))?;
        Ok(VALUE_BYTES)
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn ignores_seeking(&self) -> bool {
        true
    }

    fn poll(&self, table: &mut PollTable<'_>) -> PollEvents {
        table.register(&self.queue);
        let count = self.count.load(Ordering::SeqCst);
        let mut events = PollEvents::empty();
        events.set(PollEvents::IN, count > 0);
        events.set(PollEvents::OUT, count < COUNT_MAX);
        events
    }

    fn sync(&self) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}

#[cfg(test)]
mod tests {
    use mm::io::{SliceSource, VecSink};

    use super::*;

    fn add(file: &OpenFile, value: u64) -> sync::Result<usize> {
        file.write(&mut SliceSource::new(&value.to_ne_bytes()), u64::MAX)
    }

    fn take(file: &OpenFile) -> sync::Result<u64> {
        let mut sink = VecSink::new(VALUE_BYTES);
        file.read(&mut sink)?;
        Ok(u64::from_ne_bytes(sink.into_vec().try_into().unwrap()))
    }

    #[test]
    fn reads_take_everything_or_one() {
        mm::testing::start();
        let whole = create(3, Counting::Whole, OpenFlags::NONBLOCK, &Credentials::root()).unwrap();
        assert_eq!(add(&whole, 4), Ok(8));
        assert_eq!(take(&whole), Ok(7));
        assert_eq!(take(&whole), Err(Errno::EAGAIN.into()));
        let single = create(2, Counting::Single, OpenFlags::NONBLOCK, &Credentials::root()).unwrap();
        assert_eq!((take(&single), take(&single)), (Ok(1), Ok(1)));
        assert_eq!(take(&single), Err(Errno::EAGAIN.into()));
    }

    #[test]
    fn a_counter_is_never_more_than_its_largest_value() {
        mm::testing::start();
        let file = create(0, Counting::Whole, OpenFlags::NONBLOCK, &Credentials::root()).unwrap();
        assert_eq!(add(&file, u64::MAX), Err(Errno::EINVAL.into()));
        assert_eq!(add(&file, COUNT_MAX), Ok(8));
        assert_eq!(add(&file, 1), Err(Errno::EAGAIN.into()));
        let events = file.poll(&mut PollTable::new(None));
        assert!(events.contains(PollEvents::IN) && !events.contains(PollEvents::OUT));
        let short = file.read(&mut VecSink::new(7));
        assert_eq!(short, Err(Errno::EINVAL.into()));
    }
}
