//! What is known about a file: its kind, size, owner and times, by statx(2).

use los_abi::fs::{AtFlags, Statx, StatxMask};
use los_abi::syscall::{Fd, UserPtr};
use los_abi::time::Timespec;

use crate::c_string::CString;
use crate::{Result, sys};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Bytes.
    Regular,
    /// Names.
    Directory,
    /// A path.
    Symlink,
    /// A device of bytes.
    CharacterDevice,
    /// A device of blocks.
    BlockDevice,
    /// A pipe with a name.
    Fifo,
    /// A socket with a name.
    Socket,
    /// Anything else.
    Unknown,
}

impl FileKind {
    /// Reads the type from a mode.
    fn from_mode(mode: u32) -> Self {
        match mode & los_abi::fs::S_IFMT {
            los_abi::fs::S_IFREG => Self::Regular,
            los_abi::fs::S_IFDIR => Self::Directory,
            los_abi::fs::S_IFLNK => Self::Symlink,
            los_abi::fs::S_IFCHR => Self::CharacterDevice,
            los_abi::fs::S_IFBLK => Self::BlockDevice,
            los_abi::fs::S_IFIFO => Self::Fifo,
            los_abi::fs::S_IFSOCK => Self::Socket,
            _ => Self::Unknown,
        }
    }
}

/// What is known about a file.
#[derive(Clone, Copy, Debug)]
pub struct Metadata(Statx);

impl Metadata {
    /// Returns what the file is.
    pub fn kind(&self) -> FileKind {
        FileKind::from_mode(u32::from(self.0.stx_mode))
    }

    /// Tells whether the file is a directory.
    pub fn is_directory(&self) -> bool {
        self.kind() == FileKind::Directory
    }

    /// Returns the twelve permission bits.
    pub fn permissions(&self) -> u32 {
        u32::from(self.0.stx_mode) & 0o7777
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.0.stx_size
    }

    /// Returns the owner and the group.
    pub fn owner(&self) -> (u32, u32) {
        (self.0.stx_uid, self.0.stx_gid)
    }

    /// Returns what tells the file from all others: its device and inode numbers.
    pub fn identity(&self) -> ((u32, u32), u64) {
        ((self.0.stx_dev_major, self.0.stx_dev_minor), self.0.stx_ino)
    }

    /// Returns the numbers of the device that the file stands for.
    pub fn device(&self) -> (u32, u32) {
        (self.0.stx_rdev_major, self.0.stx_rdev_minor)
    }

    /// Returns the time of the last change of the contents.
    pub fn modified(&self) -> Timespec {
        Timespec {
            tv_sec: self.0.stx_mtime.tv_sec,
            tv_nsec: i64::from(self.0.stx_mtime.tv_nsec),
        }
    }

    /// Returns the time of the last access.
    pub fn accessed(&self) -> Timespec {
        Timespec {
            tv_sec: self.0.stx_atime.tv_sec,
            tv_nsec: i64::from(self.0.stx_atime.tv_nsec),
        }
    }

    /// Returns everything as statx(2) told it.
    pub fn raw(&self) -> &Statx {
        &self.0
    }
}

/// Returns what is known about a file, through symbolic links.
///
/// # Errors
/// Those of statx(2).
pub fn metadata(path: &[u8]) -> Result<Metadata> {
    statx(Fd::CWD, path, AtFlags::empty())
}

/// Returns what is known about a file, or about the link itself.
///
/// # Errors
/// Those of statx(2).
pub fn symlink_metadata(path: &[u8]) -> Result<Metadata> {
    statx(Fd::CWD, path, AtFlags::SYMLINK_NOFOLLOW)
}

pub(super) fn statx(directory: Fd, path: &[u8], flags: AtFlags) -> Result<Metadata> {
    let path = CString::new(path)?;
    let basic = StatxMask::from_bits_retain(0x7ff);
    let mut statx = Statx::default();
    let into = UserPtr::new(&raw mut statx as u64);
    // SAFETY: the path is read, the structure written; both live until the call returns.
    unsafe { sys::statx(directory, path.as_user(), flags, basic, into) }?;
    Ok(Metadata(statx))
}
