//! Locks on ranges, and their form in `struct flock`.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{F_RDLCK, F_UNLCK, F_WRLCK, Flock, SEEK_CUR, SEEK_END, SEEK_SET};

use super::{Owner, Strength, conflict};
use crate::file::OpenFile;

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

/// Returns a lock that keeps an owner from locking a range.
pub(super) fn blocker(records: &[Record], owner: Owner, range: Range, wanted: Strength) -> Option<Record> {
    let blocks = |record: &&Record| {
        record.owner != owner && record.range.overlaps(range) && conflict(record.strength, wanted)
    };
    records.iter().find(blocks).copied()
}

/// Makes an owner's locks on a range what `strength` says, and leaves the rest of them.
pub(super) fn replace(
    records: &mut Vec<Record>,
    (owner, pid): (Owner, i32),
    range: Range,
    strength: Option<Strength>,
) -> Result<(), Errno> {
    let mut kept = Vec::new();
    kept.try_reserve(records.len() + 2).map_err(|_| Errno::ENOLCK)?;
    let mut new = range;
    for record in &*records {
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
    *records = kept;
    Ok(())
}

impl Range {
    /// Last byte of what ends with the file.
    const END: u64 = i64::MAX as u64;
    /// All bytes.
    pub(super) const WHOLE: Self = Self {
        first: 0,
        last: Self::END,
    };

    /// Reports whether it goes to the end of the file, wherever that is.
    pub fn is_open_ended(self) -> bool {
        self.last >= Self::END
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
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
        let strength = match lock.l_type {
            F_RDLCK => Some(Strength::Shared),
            F_WRLCK => Some(Strength::Exclusive),
            F_UNLCK => None,
            _ => return Err(Errno::EINVAL),
        };
        Ok((Self { first, last }, strength))
    }
}

impl Record {
    /// Returns the lock as F_GETLK tells it.
    pub fn to_flock(&self) -> Flock {
        Flock {
            l_type: if self.strength == Strength::Shared {
                F_RDLCK
            } else {
                F_WRLCK
            },
            l_start: self.range.first as i64,
            l_len: if self.range.is_open_ended() {
                0
            } else {
                (self.range.last - self.range.first + 1) as i64
            },
            l_pid: self.pid,
            ..Flock::default()
        }
    }
}
