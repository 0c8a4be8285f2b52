//! All locks, for /proc/locks.

use alloc::vec::Vec;

use los_abi::errno::Errno;

use super::{Owner, Range, Strength, table};

/// Which call took a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// flock(2).
    Flock,
    /// F_SETLK.
    Posix,
    /// F_OFD_SETLK.
    OpenFile,
}

/// A lock of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Which call took it.
    pub kind: Kind,
    /// Strength.
    pub strength: Strength,
    /// The process that took it, -1 for [`Kind::OpenFile`].
    pub pid: i32,
    /// The file's device.
    pub device: u64,
    /// The file's inode number.
    pub inode: u64,
    /// Bytes.
    pub range: Range,
}

/// Returns all locks.
///
/// # Errors
/// ENOMEM.
pub fn list() -> Result<Vec<Listed>, Errno> {
    let table = table().lock();
    let count = table
        .files
        .values()
        .map(|locks| locks.whole.len() + locks.records.len());
    let mut all = Vec::new();
    all.try_reserve(count.sum()).map_err(|_| Errno::ENOMEM)?;
    for (&(device, inode), locks) in &table.files {
        all.extend(locks.whole.iter().map(|lock| Listed {
            kind: Kind::Flock,
            strength: lock.strength,
            pid: lock.pid,
            device,
            inode,
            range: Range::WHOLE,
        }));
        all.extend(locks.records.iter().map(|record| Listed {
            kind: match record.owner {
                Owner::Process(_) => Kind::Posix,
                Owner::File(_) => Kind::OpenFile,
            },
            strength: record.strength,
            pid: record.pid,
            device,
            inode,
            range: record.range,
        }));
    }
    Ok(all)
}
