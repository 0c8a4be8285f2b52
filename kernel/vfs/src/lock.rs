//! Locks on files: whole files with flock(2), ranges with fcntl(2).
//!
//! All are advisory and live in one table here, by device and inode number, only while somebody holds or
//! wants one; a file is closed at the cost of one load while nobody has locks. Record locks that would wait
//! for each other in a circle are refused ([`deadlock`]).

mod deadlock;
mod listing;
mod record;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use hashbrown::HashMap;
use los_abi::errno::Errno;
use sync::{Once, Rank, SpinLock, WaitQueue};

use crate::file::OpenFile;
use deadlock::Waits;

pub use listing::{Kind, Listed, list};
pub use record::{Range, Record};

/// Who holds a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// An open file, shared by all of its descriptors (flock, F_OFD_SETLK).
    File(usize),
    /// A table of descriptors, by a number that tells it from all others: a process's (F_SETLK).
    Process(u64),
}

impl Owner {
    /// Returns the owner of locks that belong to an open file.
    pub fn of_file(file: &OpenFile) -> Self {
        Self::File(core::ptr::from_ref(file).addr())
    }

    /// Returns an owner for a new table of descriptors, different from all others.
    pub fn new_process() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self::Process(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Strength of a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strength {
    /// Any number at a time.
    Shared,
    /// One at a time.
    Exclusive,
}

/// Whether a call waits for locks in its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// EAGAIN.
    None,
    /// Until they are gone or a signal comes.
    Wait,
}

/// Device and inode number.
type Key = (u64, u64);

/// A lock on a whole file.
#[derive(Clone, Copy)]
struct Whole {
    owner: Owner,
    /// The process that took it, for /proc.
    pid: i32,
    strength: Strength,
}

/// Locks of one file.
#[derive(Default)]
struct FileLocks {
    whole: Vec<Whole>,
    records: Vec<Record>,
    /// Who wants one that is not to be had. Each waiter holds a reference.
    queue: Arc<WaitQueue>,
}

#[derive(Default)]
struct Table {
    files: HashMap<Key, FileLocks>,
    waits: Waits,
}

/// What came of an attempt.
enum Attempt {
    /// The locks are as wished.
    Done,
    /// This owner's lock is in the way.
    Blocked(Owner),
}

/// Files in the table.
static LOCKED_FILES: AtomicUsize = AtomicUsize::new(0);

fn table() -> &'static SpinLock<Table> {
    static TABLE: Once<SpinLock<Table>> = Once::new();
    TABLE.call_once(|| SpinLock::new(Rank::FileLocks, Table::default()))
}

fn key(file: &OpenFile) -> Key {
    let metadata = file.inode().metadata();
    (metadata.device, metadata.inode)
}

/// Takes or changes a lock on the whole file; `None` unlocks. A lock that cannot be had loses the one that it
/// was to replace (flock(2): the conversion is not atomic). `pid` is the caller, for /proc.
///
/// # Errors
/// EBADF for O_PATH and for a lock on what is open for neither reading nor writing, EAGAIN, ENOMEM; a restart
/// when interrupted.
pub fn flock(file: &OpenFile, pid: i32, strength: Option<Strength>, patience: Patience) -> sync::Result<()> {
    file.ops()?;
    if strength.is_some() && !file.is_readable() && !file.is_writable() {
        return Err(Errno::EBADF.into());
    }
    if strength.is_some() && !mm::frames::headroom() {
        return Err(Errno::ENOMEM.into());
    }
    let owner = Owner::of_file(file);
    change(key(file), owner, patience, |locks| {
        let Some(strength) = strength else {
            locks.whole.retain(|lock| lock.owner != owner);
            return Ok(Attempt::Done);
        };
        let unchanged = |lock: &Whole| lock.owner == owner && lock.strength == strength;
        if locks.whole.iter().any(unchanged) {
            return Ok(Attempt::Done);
        }
        locks.whole.retain(|lock| lock.owner != owner);
        let blocks = |lock: &&Whole| conflict(lock.strength, strength);
        if let Some(blocker) = locks.whole.iter().find(blocks) {
            return Ok(Attempt::Blocked(blocker.owner));
        }
        locks.whole.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        locks.whole.push(Whole { owner, pid, strength });
        Ok(Attempt::Done)
    })
}

/// Takes, changes or (without a strength) drops the locks of an owner on a range.
///
/// # Errors
/// EBADF unless open for reading (shared) or writing (exclusive), EAGAIN, EDEADLK for a process that would wait for
/// itself, ENOLCK without memory; a restart when interrupted.
pub fn set_record(
    file: &OpenFile,
    (owner, pid): (Owner, i32),
    range: Range,
    strength: Option<Strength>,
    patience: Patience,
) -> sync::Result<()> {
    let allowed = match strength {
        Some(Strength::Shared) => file.is_readable(),
        Some(Strength::Exclusive) => file.is_writable(),
        None => true,
    };
    if !allowed {
        return Err(Errno::EBADF.into());
    }
    if strength.is_some() && !mm::frames::headroom() {
        return Err(Errno::ENOLCK.into());
    }
    change(key(file), owner, patience, |locks| {
        let blocker = strength.and_then(|strength| record::blocker(&locks.records, owner, range, strength));
        if let Some(blocker) = blocker {
            return Ok(Attempt::Blocked(blocker.owner));
        }
        record::replace(&mut locks.records, (owner, pid), range, strength)?;
        Ok(Attempt::Done)
    })
}

/// Returns a lock that keeps an owner from locking a range.
pub fn blocking_record(file: &OpenFile, owner: Owner, range: Range, wanted: Strength) -> Option<Record> {
    let key = key(file);
    let table = table().lock();
    let locks = table.files.get(&key)?;
    record::blocker(&locks.records, owner, range, wanted)
}

/// Drops all locks that an owner has on a file: when a descriptor of the process, or the open file itself, is
/// closed.
pub fn release(file: &OpenFile, owner: Owner) {
    if LOCKED_FILES.load(Ordering::Relaxed) == 0 || file.ops().is_err() {
        return;
    }
    let key = key(file);
    let mut table = table().lock();
    let Some(locks) = table.files.get_mut(&key) else {
        return;
    };
    let held = locks.whole.len() + locks.records.len();
    locks.whole.retain(|lock| lock.owner != owner);
    locks.records.retain(|record| record.owner != owner);
    if locks.whole.len() + locks.records.len() != held {
        table.changed(key);
    }
}

/// Applies `attempt` to a file's locks until it succeeds.
fn change(
    key: Key,
    owner: Owner,
    patience: Patience,
    mut attempt: impl FnMut(&mut FileLocks) -> Result<Attempt, Errno>,
) -> sync::Result<()> {
    let queue = {
        let mut table = table().lock();
        let locks = table.locks_of(key)?;
        let outcome = attempt(locks);
        let queue = locks.queue.clone();
        if !matches!(outcome, Ok(Attempt::Blocked(_))) || patience == Patience::None {
            drop(queue);
            table.changed(key);
            return match outcome? {
                Attempt::Done => Ok(()),
                Attempt::Blocked(_) => Err(Errno::EAGAIN.into()),
            };
        }
        queue
    };
    let ticket = deadlock::ticket();
    let outcome = queue.wait_interruptible(None, || {
        let mut table = table().lock();
        let Table { files, waits } = &mut *table;
        waits.end(ticket);
        // The waiter's reference to the queue keeps the file in the table.
        let locks = files.get_mut(&key)?;
        match attempt(locks) {
            Ok(Attempt::Done) => Some(Ok(())),
            Ok(Attempt::Blocked(blocker)) => waits.begin(ticket, key, owner, blocker).err().map(Err),
            Err(errno) => Some(Err(errno)),
        }
    });
    drop(queue);
    let mut table = table().lock();
    table.waits.end(ticket);
    table.changed(key);
    Ok(outcome??)
}

fn conflict(one: Strength, other: Strength) -> bool {
    one == Strength::Exclusive || other == Strength::Exclusive
}

impl Table {
    fn locks_of(&mut self, key: Key) -> Result<&mut FileLocks, Errno> {
        self.files.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let locks = self.files.entry(key).or_default();
        // From now on closing looks here; `changed` counts again.
        LOCKED_FILES.fetch_max(1, Ordering::Relaxed);
        Ok(locks)
    }

    /// Lets all who wait for the file look again, since any change may have made room for them, and forgets a
    /// file that nobody locks or wants to lock.
    fn changed(&mut self, key: Key) {
        if let Some(locks) = self.files.get(&key) {
            self.waits.end_all(key);
            locks.queue.wake_all();
            let is_wanted = Arc::strong_count(&locks.queue) > 1;
            if locks.whole.is_empty() && locks.records.is_empty() && !is_wanted {
                self.files.remove(&key);
            }
        }
        LOCKED_FILES.store(self.files.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
