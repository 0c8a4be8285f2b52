//! Locks on files: whole files with flock(2), ranges with fcntl(2).
//!
//! All are advisory and live here, by device and inode number, only while somebody holds or wants one; a
//! file without locks costs one load when it is closed. Deadlocks among waiting processes are not detected.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;
use los_abi::errno::Errno;
use los_abi::fs::{F_RDLCK, F_UNLCK, F_WRLCK, Flock, SEEK_CUR, SEEK_END, SEEK_SET};
use sync::{Once, Rank, SpinLock, WaitQueue};

use crate::file::OpenFile;

/// Who holds a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// An open file, shared by all of its descriptors (flock, F_OFD_SETLK).
    File(usize),
    /// A process, by a number that tells it from all others (F_SETLK).
    Process(u64),
}

impl Owner {
    /// Returns the owner of locks that belong to an open file.
    pub fn of_file(file: &OpenFile) -> Self {
        Self::File(core::ptr::from_ref(file).addr())
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

/// Bytes of a file, the last one included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// First byte.
    pub first: u64,
    /// Last byte; `i64::MAX` stands for the end of the file, wherever it is.
    pub last: u64,
}

/// A lock on a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// Who holds it.
    pub owner: Owner,
    /// What F_GETLK tells of the owner: the process, -1 for an open file.
    pub pid: i32,
    /// Strength.
    pub strength: Strength,
    /// Bytes.
    pub range: Range,
}

#[derive(Default)]
struct State {
    whole: Vec<(Owner, Strength)>,
    records: Vec<Record>,
}

struct Locks {
    state: SpinLock<State>,
    queue: WaitQueue,
}

type Key = (u64, u64);
type Table = HashMap<Key, Arc<Locks>>;

/// Files in the table.
static LOCKED_FILES: AtomicUsize = AtomicUsize::new(0);

fn table() -> &'static SpinLock<Table> {
    static TABLE: Once<SpinLock<Table>> = Once::new();
    TABLE.call_once(|| SpinLock::new(Rank::FdTable, HashMap::new()))
}

fn key(file: &OpenFile) -> Key {
    let metadata = file.inode().metadata();
    (metadata.device, metadata.inode)
}

/// Takes or changes a lock on the whole file; `None` unlocks.
///
/// # Errors
/// EBADF for O_PATH, EAGAIN, ENOMEM; a restart when interrupted.
pub fn flock(file: &OpenFile, strength: Option<Strength>, patience: Patience) -> sync::Result<()> {
    file.ops()?;
    let owner = Owner::of_file(file);
    change(key(file), patience, |state| {
        state.whole.retain(|(holder, _)| *holder != owner);
        let Some(wanted) = strength else {
            return Ok(true);
        };
        if state.whole.iter().any(|(_, held)| conflict(*held, wanted)) {
            return Ok(false);
        }
        state.whole.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        state.whole.push((owner, wanted));
        Ok(true)
    })
}

/// Takes, changes or (without a strength) drops the locks of an owner on a range.
///
/// # Errors
/// EBADF unless open for reading (shared) or writing (exclusive), EAGAIN, ENOMEM; a restart when interrupted.
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
    change(key(file), patience, |state| {
        if strength.is_some_and(|wanted| state.blocker(owner, range, wanted).is_some()) {
            return Ok(false);
        }
        state.replace(owner, pid, range, strength)?;
        Ok(true)
    })
}

/// Returns a lock that keeps an owner from locking a range.
pub fn blocking_record(file: &OpenFile, owner: Owner, range: Range, wanted: Strength) -> Option<Record> {
    let key = key(file);
    let locks = table().lock().get(&key).cloned()?;
    let state = locks.state.lock();
    state.blocker(owner, range, wanted)
}

/// Drops all locks that an owner has on a file: when a descriptor of the process, or the open file itself, is
/// closed.
pub fn release(file: &OpenFile, owner: Owner) {
    if LOCKED_FILES.load(Ordering::Relaxed) == 0 {
        return;
    }
    // Dropping locks neither waits nor fails.
    let _done = change(key(file), Patience::None, |state| {
        state.whole.retain(|(holder, _)| *holder != owner);
        state.records.retain(|record| record.owner != owner);
        Ok(true)
    });
}

/// Applies `attempt` to a file's locks until it succeeds.
fn change(
    key: Key,
    patience: Patience,
    mut attempt: impl FnMut(&mut State) -> Result<bool, Errno>,
) -> sync::Result<()> {
    let locks = {
        let mut table = table().lock();
        table.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let locks = table.entry(key).or_insert_with(|| {
            let state = SpinLock::new(Rank::FileSystem, State::default());
            Arc::new(Locks {
                state,
                queue: WaitQueue::new(),
            })
        });
        let locks = locks.clone();
        LOCKED_FILES.store(table.len(), Ordering::Relaxed);
        locks
    };
    let mut look = || {
        attempt(&mut locks.state.lock())
            .map(|done| done.then_some(()))
            .transpose()
    };
    let outcome = match look() {
        Some(outcome) => outcome.map_err(Into::into),
        None if patience == Patience::None => Err(Errno::EAGAIN.into()),
        None => match locks.queue.wait_interruptible(None, look) {
            Ok(outcome) => outcome.map_err(Into::into),
            Err(error) => Err(error.into()),
        },
    };
    // Whatever changed may have made room for others; each of them looks for itself.
    locks.queue.wake_all();
    let mut table = table().lock();
    let is_unused = {
        let state = locks.state.lock();
        state.whole.is_empty() && state.records.is_empty() && Arc::strong_count(&locks) == 2
    };
    let removed = if is_unused { table.remove(&key) } else { None };
    LOCKED_FILES.store(table.len(), Ordering::Relaxed);
    drop(table);
    drop(removed);
    outcome
}

fn conflict(one: Strength, other: Strength) -> bool {
    one == Strength::Exclusive || other == Strength::Exclusive
}

impl State {
    fn blocker(&self, owner: Owner, range: Range, wanted: Strength) -> Option<Record> {
        let blocks = |record: &&Record| {
            record.owner != owner && record.range.overlaps(range) && conflict(record.strength, wanted)
        };
        self.records.iter().find(blocks).copied()
    }

    /// Makes an owner's locks on a range what `strength` says, and leaves the rest of them.
    fn replace(
        &mut self,
        owner: Owner,
        pid: i32,
        range: Range,
        strength: Option<Strength>,
    ) -> Result<(), Errno> {
        let mut kept = Vec::new();
        kept.try_reserve(self.records.len() + 2)
            .map_err(|_| Errno::ENOMEM)?;
        let mut new = range;
        for record in &self.records {
            let old = record.range;
            let merges = record.owner == owner && Some(record.strength) == strength && old.touches(range);
            if merges {
                new = Range {
                    first: new.first.min(old.first),
                    last: new.last.max(old.last),
                };
            } else if record.owner == owner && old.overlaps(range) {
                if old.first < range.first {
                    kept.push(Record {
                        range: Range {
                            last: range.first - 1,
                            ..old
                        },
                        ..*record
                    });
                }
                if old.last > range.last {
                    kept.push(Record {
                        range: Range {
                            first: range.last + 1,
                            ..old
                        },
                        ..*record
                    });
                }
            } else {
                kept.push(*record);
            }
        }
        kept.extend(strength.map(|strength| Record {
            owner,
            pid,
            strength,
            range: new,
        }));
        self.records = kept;
        Ok(())
    }
}

impl Range {
    const END: u64 = i64::MAX as u64;

    fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    fn touches(self, other: Self) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
    }

    /// Reads the range and strength of a `struct flock`; no strength is F_UNLCK.
    ///
    /// # Errors
    /// EINVAL for what is no lock or lies before the file's start, EOVERFLOW.
    pub fn parse(file: &OpenFile, lock: &Flock) -> Result<(Self, Option<Strength>), Errno> {
        let strength = match lock.l_type {
            F_RDLCK => Some(Strength::Shared),
            F_WRLCK => Some(Strength::Exclusive),
            F_UNLCK => None,
            _ => return Err(Errno::EINVAL),
        };
        let base = match u32::try_from(lock.l_whence) {
            Ok(SEEK_SET) => 0,
            Ok(SEEK_CUR) => file.position(),
            Ok(SEEK_END) => file.inode().metadata().size,
            _ => return Err(Errno::EINVAL),
        };
        let base = i64::try_from(base).map_err(|_| Errno::EOVERFLOW)?;
        let start = base.checked_add(lock.l_start).ok_or(Errno::EOVERFLOW)?;
        let (first, last) = match lock.l_len {
            0 => (start, i64::MAX),
            1.. => (start, start.checked_add(lock.l_len - 1).ok_or(Errno::EOVERFLOW)?),
            _ => (start.checked_add(lock.l_len).ok_or(Errno::EINVAL)?, start - 1),
        };
        let first = u64::try_from(first).map_err(|_| Errno::EINVAL)?;
        let last = u64::try_from(last).map_err(|_| Errno::EINVAL)?;
        Ok((Self { first, last }, strength))
    }
}

impl Record {
    /// Returns the lock as F_GETLK tells it.
    pub fn to_flock(&self) -> Flock {
        let is_open_ended = self.range.last >= Range::END;
        Flock {
            l_type: if self.strength == Strength::Shared {
                F_RDLCK
            } else {
                F_WRLCK
            },
            l_start: self.range.first as i64,
            l_len: if is_open_ended {
                0
            } else {
                (self.range.last - self.range.first + 1) as i64
            },
            l_pid: self.pid,
            ..Flock::default()
        }
    }
}

#[cfg(test)]
mod tests;
