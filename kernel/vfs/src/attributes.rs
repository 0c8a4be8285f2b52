//! What is known of a file beside its contents: kind, permissions, owner, links, times.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use los_abi::fs::{
    DT_BLK, DT_CHR, DT_DIR, DT_FIFO, DT_LNK, DT_REG, DT_SOCK, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK,
    S_IFMT, S_IFREG, S_IFSOCK,
};
pub use los_abi::fs::{device_major, device_minor, make_device};
use los_abi::time::Timespec;
use sync::{Rank, SpinLock};

use crate::clock;

/// Kind of an inode.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FileKind {
    /// Bytes.
    Regular,
    /// Names of other inodes.
    Directory,
    /// A path.
    SymbolicLink,
    /// A device of bytes.
    CharacterDevice,
    /// A device of blocks.
    BlockDevice,
    /// A pipe with a name.
    Fifo,
    /// A socket.
    Socket,
}

impl FileKind {
    /// Reads the file type of a mode.
    pub const fn from_mode(mode: u32) -> Option<Self> {
        Some(match mode & S_IFMT {
            S_IFREG => Self::Regular,
            S_IFDIR => Self::Directory,
            S_IFLNK => Self::SymbolicLink,
            S_IFCHR => Self::CharacterDevice,
            S_IFBLK => Self::BlockDevice,
            S_IFIFO => Self::Fifo,
            S_IFSOCK => Self::Socket,
            _ => return None,
        })
    }

    /// Returns the file type as it stands in a mode.
    pub const fn mode_bits(self) -> u32 {
        match self {
            Self::Regular => S_IFREG,
            Self::Directory => S_IFDIR,
            Self::SymbolicLink => S_IFLNK,
            Self::CharacterDevice => S_IFCHR,
            Self::BlockDevice => S_IFBLK,
            Self::Fifo => S_IFIFO,
            Self::Socket => S_IFSOCK,
        }
    }

    /// Returns the file type as it stands in a directory entry.
    pub const fn dirent_type(self) -> u8 {
        match self {
            Self::Regular => DT_REG,
            Self::Directory => DT_DIR,
            Self::SymbolicLink => DT_LNK,
            Self::CharacterDevice => DT_CHR,
            Self::BlockDevice => DT_BLK,
            Self::Fifo => DT_FIFO,
            Self::Socket => DT_SOCK,
        }
    }

    /// Tells whether inodes of this kind are files of a device driver.
    pub const fn is_device(self) -> bool {
        matches!(self, Self::CharacterDevice | Self::BlockDevice)
    }
}

/// What stat(2) tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metadata {
    /// Device number of the file system.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Kind.
    pub kind: FileKind,
    /// The low 12 bits of the mode.
    pub mode: u16,
    /// Number of names.
    pub links: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of the device that this is.
    pub rdev: u64,
    /// Size in bytes.
    pub size: u64,
    /// Allocated blocks of 512 bytes.
    pub blocks: u64,
    /// Best size of transfers.
    pub block_size: u32,
    /// Last read.
    pub accessed: Timespec,
    /// Last change of the contents.
    pub modified: Timespec,
    /// Last change of anything.
    pub changed: Timespec,
    /// Creation.
    pub created: Timespec,
}

impl Metadata {
    /// Returns type and permissions as `st_mode`.
    pub const fn st_mode(&self) -> u32 {
        self.kind.mode_bits() | self.mode as u32
    }
}

/// What decides on access; cheap to get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// The low 12 bits of the mode.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Changes of attributes; `None` leaves alone. The change time follows by itself.
#[derive(Clone, Copy, Default, Debug)]
pub struct SetAttributes {
    /// The low 12 bits of the mode.
    pub mode: Option<u16>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Last read.
    pub accessed: Option<Timespec>,
    /// Last change of the contents.
    pub modified: Option<Timespec>,
}

/// An inode to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewNode {
    /// Kind.
    pub kind: FileKind,
    /// The low 12 bits of the mode, final.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number, for devices.
    pub rdev: u64,
}

/// One name that reading a directory finds.
#[derive(Clone, Copy, Debug)]
pub struct DirectoryEntry<'a> {
    /// Inode number.
    pub inode: u64,
    /// Kind.
    pub kind: FileKind,
    /// Cursor from which reading goes on behind this entry.
    pub next: u64,
    /// Name.
    pub name: &'a [u8],
}

/// The attributes of an inode that lives in memory: a part for file systems to build theirs with.
#[derive(Debug)]
pub struct Attributes {
    mode: AtomicU32,
    /// uid in the low half, gid in the high one, so that both change at once.
    owner: AtomicU64,
    links: AtomicU32,
    /// Whether contents or attributes have changed since the last read (relatime).
    access_is_stale: AtomicBool,
    /// The last recorded read, in nanoseconds of real time, to be looked at without a lock.
    accessed_ns: AtomicU64,
    times: SpinLock<Times>,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    accessed: Timespec,
    modified: Timespec,
    changed: Timespec,
    created: Timespec,
}

/// Age from which relatime records a read that follows no change.
const RELATIME_NS: u64 = 24 * 60 * 60 * 1_000_000_000;

impl Attributes {
    /// Makes the attributes of a new inode.
    pub fn new(node: &NewNode) -> Self {
        let now = clock::realtime_now();
        Self {
            mode: AtomicU32::new(u32::from(node.mode)),
            owner: AtomicU64::new(pack_owner(node.uid, node.gid)),
            links: AtomicU32::new(if node.kind == FileKind::Directory { 2 } else { 1 }),
            access_is_stale: AtomicBool::new(true),
            accessed_ns: AtomicU64::new(0),
            times: SpinLock::new(
                Rank::FileSystem,
                Times {
                    accessed: now,
                    modified: now,
                    changed: now,
                    created: now,
                },
            ),
        }
    }

    /// Returns what decides on access.
    #[inline]
    pub fn access(&self) -> Access {
        let owner = self.owner.load(Ordering::Relaxed);
        Access {
            mode: self.mode.load(Ordering::Relaxed) as u16,
            uid: owner as u32,
            gid: (owner >> 32) as u32,
        }
    }

    /// Returns the number of names.
    pub fn links(&self) -> u32 {
        self.links.load(Ordering::Relaxed)
    }

    /// Adds a name.
    pub fn add_link(&self) {
        self.links.fetch_add(1, Ordering::Relaxed);
        self.note_change();
    }

    /// Takes a name away; at zero nothing happens.
    pub fn remove_link(&self) {
        let less = |links: u32| links.checked_sub(1);
        let _was = self
            .links
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        self.note_change();
    }

    /// Applies changes.
    pub fn set(&self, changes: &SetAttributes) {
        if let Some(mode) = changes.mode {
            self.mode.store(u32::from(mode & 0o7777), Ordering::Relaxed);
        }
        let old = self.access();
        let (uid, gid) = (changes.uid.unwrap_or(old.uid), changes.gid.unwrap_or(old.gid));
        self.owner.store(pack_owner(uid, gid), Ordering::Relaxed);
        let now = clock::realtime_now();
        let mut times = self.times.lock();
        times.accessed = changes.accessed.unwrap_or(times.accessed);
        times.modified = changes.modified.unwrap_or(times.modified);
        times.changed = now;
        self.access_is_stale.store(true, Ordering::Relaxed);
    }

    /// Notes a read, as `relatime` does: the recorded time stays if it is newer than all changes and not a
    /// day old.
    #[inline]
    pub fn note_access(&self) {
        let now_ns = clock::realtime_ns();
        let age_ns = now_ns.wrapping_sub(self.accessed_ns.load(Ordering::Relaxed));
        if self.access_is_stale.load(Ordering::Relaxed) || age_ns >= RELATIME_NS {
            self.access_is_stale.store(false, Ordering::Relaxed);
            self.accessed_ns.store(now_ns, Ordering::Relaxed);
            self.times.lock().accessed = Timespec::from_ns(now_ns);
        }
    }

    /// Notes a change of the contents.
    pub fn note_modification(&self) {
        let now = clock::realtime_now();
        let mut times = self.times.lock();
        times.modified = now;
        times.changed = now;
        self.access_is_stale.store(true, Ordering::Relaxed);
    }

    /// Notes a change of anything but the contents.
    pub fn note_change(&self) {
        let now = clock::realtime_now();
        self.times.lock().changed = now;
        self.access_is_stale.store(true, Ordering::Relaxed);
    }

    /// Takes away what a write by somebody unprivileged must not leave: set-user-id, and set-group-id of a
    /// group-executable file.
    pub fn clear_set_id(&self) {
        let mode = self.mode.load(Ordering::Relaxed) as u16;
        let cleared = without_set_id(mode);
        if cleared != mode {
            self.mode.store(u32::from(cleared), Ordering::Relaxed);
        }
    }

    /// Fills in a [`Metadata`]; device, inode, rdev, size and blocks are the file system's to add.
    pub fn metadata(&self, kind: FileKind) -> Metadata {
        let access = self.access();
        let times = *self.times.lock();
        Metadata {
            device: 0,
            inode: 0,
            kind,
            mode: access.mode,
            links: self.links(),
            uid: access.uid,
            gid: access.gid,
            rdev: 0,
            size: 0,
            blocks: 0,
            block_size: 4096,
            accessed: times.accessed,
            modified: times.modified,
            changed: times.changed,
            created: times.created,
        }
    }
}

/// Returns a mode as it is after a write or chown.
pub(crate) const fn without_set_id(mode: u16) -> u16 {
    const SET_UID: u16 = 0o4000;
    const SET_GID: u16 = 0o2000;
    const GROUP_EXECUTE: u16 = 0o010;
    let mode = mode & !SET_UID;
    if mode & GROUP_EXECUTE != 0 {
        mode & !SET_GID
    } else {
        mode
    }
}

const fn pack_owner(uid: u32, gid: u32) -> u64 {
    uid as u64 | (gid as u64) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_clear_set_id_bits() {
        assert_eq!(without_set_id(0o6755), 0o755);
        assert_eq!(without_set_id(0o6745), 0o2745);
    }

    #[test]
    fn kinds_survive_a_mode() {
        for kind in [
            FileKind::Regular,
            FileKind::Directory,
            FileKind::Fifo,
            FileKind::Socket,
        ] {
            assert_eq!(FileKind::from_mode(kind.mode_bits() | 0o644), Some(kind));
        }
        assert_eq!(FileKind::from_mode(0o644), None);
    }

    #[test]
    fn reads_are_recorded_once_until_a_change() {
        let node = NewNode {
            kind: FileKind::Regular,
            mode: 0o644,
            uid: 1,
            gid: 2,
            rdev: 0,
        };
        let attributes = Attributes::new(&node);
        let read = |attributes: &Attributes| {
            attributes.note_access();
            attributes.metadata(FileKind::Regular).accessed
        };
        let first = read(&attributes);
        assert_eq!(read(&attributes), first);
        attributes.note_modification();
        assert!(read(&attributes) > first);
    }
}
