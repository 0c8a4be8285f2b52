//! Files, directories and what is known about them.
//!
//! Paths are byte strings. Everything goes through the `*at` calls and statx(2), which are the same on
//! both machines.

mod metadata;
mod path;

use alloc::vec;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use los_abi::fs::{AtFlags, DIRENT64_NAME_OFFSET, PATH_MAX, RenameFlags};
use los_abi::syscall::{Fd, UserPtr};
use los_abi::time::Timespec;

use crate::c_string::CString;
use crate::io::{self, Read};
use crate::{Errno, Result, arch, sys};

pub use los_abi::fs::{AccessMode, OpenFlags, Statx};
pub use metadata::{FileKind, Metadata, metadata, symlink_metadata};
pub use path::{file_name, join, parent};

/// An open file, closed when dropped.
#[derive(Debug)]
pub struct File(i32);

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open(path: &[u8]) -> Result<Self> {
        Self::open_with(path, OpenFlags::empty(), 0)
    }

    /// Creates a file, or empties one that exists, for writing.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn create(path: &[u8], mode: u32) -> Result<Self> {
        Self::open_with(
            path,
            OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::TRUNC,
            mode,
        )
    }

    /// Opens a file; execve closes it.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open_with(path: &[u8], flags: OpenFlags, mode: u32) -> Result<Self> {
        let path = CString::new(path)?;
        let flags = (flags | OpenFlags::CLOEXEC).to_raw(arch::ISA);
        // SAFETY: the call reads the path, which lives until it returns.
        let fd = unsafe { sys::openat(Fd::CWD, path.as_user(), flags, mode) }?;
        Ok(Self(fd as i32))
    }

    /// Takes over a descriptor, which closes with the file.
    pub fn from_descriptor(fd: i32) -> Self {
        Self(fd)
    }

    /// Returns the descriptor, which stays the file's.
    pub fn descriptor(&self) -> i32 {
        self.0
    }

    /// Gives the descriptor away; nothing closes it any more.
    pub fn into_descriptor(self) -> i32 {
        let fd = self.0;
        core::mem::forget(self);
        fd
    }

    /// Writes everything.
    ///
    /// # Errors
    /// Those of write(2).
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        io::write_all(self.0, bytes)
    }

    /// Returns what is known about the file.
    ///
    /// # Errors
    /// Those of statx(2).
    pub fn metadata(&self) -> Result<Metadata> {
        metadata::statx(Fd(self.0), b"", AtFlags::EMPTY_PATH)
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        io::read(self.0, buffer)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // An error of close(2) comes too late to act on.
        let _ = io::close(self.0);
    }
}

/// Reads a whole file.
///
/// # Errors
/// Those of open(2) and read(2).
pub fn read(path: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Tells whether the caller may access a file, by its effective ids.
///
/// # Errors
/// Those of faccessat2(2).
pub fn access(path: &[u8], mode: AccessMode) -> Result<()> {
    let c_path = CString::new(path)?;
    // SAFETY: the call only reads the path.
    let answer = unsafe { sys::faccessat2(Fd::CWD, c_path.as_user(), mode, los_abi::fs::AT_EACCESS) };
    match answer {
        // The older call goes by the real ids, which are the same for these programs.
        // SAFETY: as above.
        Err(Errno::ENOSYS) => unsafe { sys::faccessat(Fd::CWD, c_path.as_user(), mode) }.map(drop),
        answer => answer.map(drop),
    }
}

/// One entry of a directory.
#[derive(Clone, Debug)]
pub struct DirectoryEntry {
    /// Its name, without a path.
    pub name: Vec<u8>,
    /// Its inode's number.
    pub inode: u64,
}

/// Returns the entries of a directory in the file system's order, without `.` and `..`.
///
/// # Errors
/// Those of open(2) and getdents64(2).
pub fn read_directory(path: &[u8]) -> Result<Vec<DirectoryEntry>> {
    let directory = File::open_with(path, OpenFlags::DIRECTORY, 0)?;
    let mut entries = Vec::new();
    let mut buffer = vec![0_u8; io::BUFFER_BYTES];
    loop {
        let into = UserPtr::new(buffer.as_mut_ptr() as u64);
        // SAFETY: the buffer is ours for as many bytes as the call may write.
        let filled = unsafe { sys::getdents64(Fd(directory.0), into, buffer.len() as u32) }? as usize;
        if filled == 0 {
            return Ok(entries);
        }
        let mut records = &buffer[..filled];
        while let ControlFlow::Continue(rest) = next_record(records, &mut entries) {
            records = rest;
        }
    }
}

/// Takes one record off a buffer of getdents64(2); stops at the end or at one that is cut off.
fn next_record<'b>(records: &'b [u8], entries: &mut Vec<DirectoryEntry>) -> ControlFlow<(), &'b [u8]> {
    let Some((inode, rest)) = records.split_first_chunk::<8>() else {
        return ControlFlow::Break(());
    };
    let Some(length) = rest
        .get(8..10)
        .map(|bytes| usize::from(u16::from_ne_bytes([bytes[0], bytes[1]])))
    else {
        return ControlFlow::Break(());
    };
    let Some(name) = records.get(DIRENT64_NAME_OFFSET..length) else {
        return ControlFlow::Break(());
    };
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    if name != b"." && name != b".." {
        entries.push(DirectoryEntry {
            name: name.to_vec(),
            inode: u64::from_ne_bytes(*inode),
        });
    }
    ControlFlow::Continue(&records[length..])
}

/// Creates a directory.
///
/// # Errors
/// Those of mkdir(2).
pub fn create_directory(path: &[u8], mode: u32) -> Result<()> {
    let path = CString::new(path)?;
    // SAFETY: the call only reads the path.
    unsafe { sys::mkdirat(Fd::CWD, path.as_user(), mode) }.map(drop)
}

/// Removes a name of a file.
///
/// # Errors
/// Those of unlink(2).
pub fn remove_file(path: &[u8]) -> Result<()> {
    unlink(path, AtFlags::empty())
}

/// Removes an empty directory.
///
/// # Errors
/// Those of rmdir(2).
pub fn remove_directory(path: &[u8]) -> Result<()> {
    unlink(path, AtFlags::REMOVEDIR)
}

fn unlink(path: &[u8], flags: AtFlags) -> Result<()> {
    let path = CString::new(path)?;
    // SAFETY: the call only reads the path.
    unsafe { sys::unlinkat(Fd::CWD, path.as_user(), flags) }.map(drop)
}

/// Gives a file another name.
///
/// # Errors
/// Those of rename(2).
pub fn rename(old: &[u8], new: &[u8]) -> Result<()> {
    let (old, new) = (CString::new(old)?, CString::new(new)?);
    let none = RenameFlags::empty();
    // SAFETY: the call only reads the paths.
    unsafe { sys::renameat2(Fd::CWD, old.as_user(), Fd::CWD, new.as_user(), none) }.map(drop)
}

/// Gives a file one more name; a symbolic link is linked itself.
///
/// # Errors
/// Those of link(2).
pub fn hard_link(target: &[u8], name: &[u8]) -> Result<()> {
    let (target, name) = (CString::new(target)?, CString::new(name)?);
    let none = AtFlags::empty();
    // SAFETY: the call only reads the paths.
    unsafe { sys::linkat(Fd::CWD, target.as_user(), Fd::CWD, name.as_user(), none) }.map(drop)
}

/// Creates a symbolic link.
///
/// # Errors
/// Those of symlink(2).
pub fn symlink(target: &[u8], name: &[u8]) -> Result<()> {
    let (target, name) = (CString::new(target)?, CString::new(name)?);
    // SAFETY: the call only reads the paths.
    unsafe { sys::symlinkat(target.as_user(), Fd::CWD, name.as_user()) }.map(drop)
}

/// Returns where a symbolic link leads.
///
/// # Errors
/// Those of readlink(2).
pub fn read_link(path: &[u8]) -> Result<Vec<u8>> {
    let path = CString::new(path)?;
    let mut target = vec![0_u8; PATH_MAX];
    let into = UserPtr::new(target.as_mut_ptr() as u64);
    // SAFETY: the path is read, the buffer written within its length.
    let length = unsafe { sys::readlinkat(Fd::CWD, path.as_user(), into, PATH_MAX as i32) }?;
    target.truncate(length as usize);
    Ok(target)
}

/// Creates a FIFO or, with privilege, a device.
///
/// # Errors
/// Those of mknod(2).
pub fn make_node(path: &[u8], mode: u32, device: u32) -> Result<()> {
    let path = CString::new(path)?;
    // SAFETY: the call only reads the path.
    unsafe { sys::mknodat(Fd::CWD, path.as_user(), mode, device) }.map(drop)
}

/// Sets the permissions of a file.
///
/// # Errors
/// Those of chmod(2).
pub fn set_permissions(path: &[u8], mode: u32) -> Result<()> {
    let path = CString::new(path)?;
    // SAFETY: the call only reads the path.
    unsafe { sys::fchmodat(Fd::CWD, path.as_user(), mode) }.map(drop)
}

/// Sets the owner and the group of a file, or of the link itself.
///
/// # Errors
/// Those of lchown(2).
pub fn set_owner(path: &[u8], uid: u32, gid: u32) -> Result<()> {
    let path = CString::new(path)?;
    // SAFETY: the call only reads the path.
    unsafe { sys::fchownat(Fd::CWD, path.as_user(), uid, gid, AtFlags::SYMLINK_NOFOLLOW) }.map(drop)
}

/// Sets the times of access and change, or of the link itself; `None` is now.
///
/// # Errors
/// Those of utimensat(2).
pub fn set_times(path: &[u8], times: Option<[Timespec; 2]>) -> Result<()> {
    let path = CString::new(path)?;
    let address = times
        .as_ref()
        .map_or(UserPtr::NULL, |times| UserPtr::new(&raw const *times as u64));
    let flags = if times.is_some() {
        AtFlags::SYMLINK_NOFOLLOW
    } else {
        AtFlags::empty()
    };
    // SAFETY: the call only reads the path and the times.
    unsafe { sys::utimensat(Fd::CWD, path.as_user(), address, flags) }.map(drop)
}

/// Changes the working directory.
///
/// # Errors
/// Those of chdir(2).
pub fn change_directory(path: &[u8]) -> Result<()> {
    let path = CString::new(path)?;
    // SAFETY: the call only reads the path.
    unsafe { sys::chdir(path.as_user()) }.map(drop)
}

/// Returns the working directory.
///
/// # Errors
/// Those of getcwd(2); ENOENT when it lies outside the root.
pub fn current_directory() -> Result<Vec<u8>> {
    let mut path = vec![0_u8; PATH_MAX];
    let into = UserPtr::new(path.as_mut_ptr() as u64);
    // SAFETY: the buffer is ours for as many bytes as the call may write.
    let length = unsafe { sys::getcwd(into, path.len()) }? as usize;
    path.truncate(length.saturating_sub(1));
    if path.first() == Some(&b'/') {
        Ok(path)
    } else {
        Err(Errno::ENOENT)
    }
}

#[cfg(test)]
mod tests;
