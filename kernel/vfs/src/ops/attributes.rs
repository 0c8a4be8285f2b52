//! chmod(2), chown(2), utimensat(2), truncate(2), access(2).

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::fs::MountFlags;
use los_abi::inotify::InotifyMask;
use los_abi::time::Timespec;

use super::check_writable;
use crate::attributes::{FileKind, SetAttributes};
use crate::clock;
use crate::credentials::{Capability, Credentials};
use crate::dentry::Dentry;
use crate::inode::Inode;
use crate::notify;
use crate::path::{Caller, Path};
use crate::permission::{self, Permission};
use crate::text::WriteAccess;

const SET_GID: u16 = 0o2000;

/// Sets the permission bits.
///
/// # Errors
/// EPERM unless the caller owns the file; EROFS.
pub fn change_mode(credentials: &Credentials, path: &Path, mode: u16) -> Result<(), Errno> {
    check_writable(path)?;
    let inode = path.inode()?;
    let access = inode.access();
    if !permission::is_owner(credentials, &**inode) {
        return Err(Errno::EPERM);
    }
    if inode.kind() == FileKind::SymbolicLink {
        return Err(Errno::EOPNOTSUPP);
    }
    let mut mode = mode & 0o7777;
    if !credentials.in_group(access.gid) && !credentials.capable(Capability::Fsetid) {
        mode &= !SET_GID;
    }
    inode.set_attributes(&SetAttributes {
        mode: Some(mode),
        ..SetAttributes::default()
    })?;
    notify::happened(&path.dentry, InotifyMask::ATTRIB);
    Ok(())
}

/// Sets owner and group; `None` leaves one alone.
///
/// # Errors
/// EPERM without CAP_CHOWN, but for the owner giving the file to another of its own groups; EROFS.
pub fn change_owner(
    credentials: &Credentials,
    path: &Path,
    uid: Option<u32>,
    gid: Option<u32>,
) -> Result<(), Errno> {
    check_writable(path)?;
    let inode = path.inode()?;
    let access = inode.access();
    let owns = credentials.fsuid == access.uid;
    let privileged = credentials.capable(Capability::Chown);
    let uid_allowed = uid.is_none_or(|uid| owns && uid == access.uid);
    let gid_allowed = gid.is_none_or(|gid| owns && (credentials.in_group(gid) || gid == access.gid));
    let is_allowed = privileged || uid_allowed && gid_allowed;
    if !is_allowed {
        return Err(Errno::EPERM);
    }
    inode.set_attributes(&SetAttributes {
        uid,
        gid,
        ..SetAttributes::default()
    })?;
    if inode.kind() != FileKind::Directory {
        inode.clear_set_id();
        inode.clear_capabilities();
    }
    if uid.is_some() || gid.is_some() {
        notify::happened(&path.dentry, InotifyMask::ATTRIB);
    }
    Ok(())
}

/// A time to set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewTime {
    /// The current time.
    Now,
    /// This one.
    At(Timespec),
    /// The old one.
    Keep,
}

impl NewTime {
    fn resolve(self, now: Timespec) -> Option<Timespec> {
        match self {
            Self::Now => Some(now),
            Self::At(time) => Some(time),
            Self::Keep => None,
        }
    }
}

/// Sets the times of the last access and the last modification.
///
/// # Errors
/// EACCES for the current time without permission to write; EPERM for another time unless the caller owns the
/// file; EROFS.
pub fn set_times(
    credentials: &Credentials,
    path: &Path,
    accessed: NewTime,
    modified: NewTime,
) -> Result<(), Errno> {
    if accessed == NewTime::Keep && modified == NewTime::Keep {
        return Ok(());
    }
    check_writable(path)?;
    let inode = path.inode()?;
    if !permission::is_owner(credentials, &**inode) {
        if accessed != NewTime::Now || modified != NewTime::Now {
            return Err(Errno::EPERM);
        }
        permission::check(credentials, &**inode, Permission::WRITE)?;
    }
    let now = clock::realtime_now();
    inode.set_attributes(&SetAttributes {
        accessed: accessed.resolve(now),
        modified: modified.resolve(now),
        ..SetAttributes::default()
    })?;
    let what = match (accessed, modified) {
        (_, NewTime::Keep) => InotifyMask::ACCESS,
        (NewTime::Keep, _) => InotifyMask::MODIFY,
        _ => InotifyMask::ATTRIB,
    };
    notify::happened(&path.dentry, what);
    Ok(())
}

/// Checks that a new size is not larger than both the old one and a limit (RLIMIT_FSIZE).
///
/// # Errors
/// EFBIG.
pub(crate) fn check_growth(inode: &dyn Inode, size: u64, size_limit: u64) -> Result<(), Errno> {
    if size > size_limit && size > inode.metadata().size {
        return Err(Errno::EFBIG);
    }
    Ok(())
}

/// Sets the size of a file by its path. Nothing becomes larger than `size_limit`.
///
/// # Errors
/// EISDIR; EINVAL for what has no size; EACCES; EROFS; ETXTBSY; EFBIG.
pub fn truncate(credentials: &Credentials, path: &Path, size: u64, size_limit: u64) -> Result<(), Errno> {
    let inode = path.inode()?;
    match inode.kind() {
        FileKind::Directory => return Err(Errno::EISDIR),
        FileKind::Regular => {}
        _ => return Err(Errno::EINVAL),
    }
    check_writable(path)?;
    permission::check(credentials, &**inode, Permission::WRITE)?;
    let _write_access = WriteAccess::new(inode)?;
    check_growth(&**inode, size, size_limit)?;
    set_size(credentials, &path.dentry, size)
}

/// Sets the size, which takes the file's privileges away.
///
/// # Errors
/// Those of the file system.
pub(super) fn set_size(credentials: &Credentials, dentry: &Arc<Dentry>, size: u64) -> Result<(), Errno> {
    let inode = dentry.inode().ok_or(Errno::ENOENT)?;
    inode.truncate(size)?;
    inode.clear_capabilities();
    if !credentials.capable(Capability::Fsetid) {
        inode.clear_set_id();
    }
    notify::happened(dentry, InotifyMask::MODIFY);
    Ok(())
}

/// Checks what the caller may do with a file, as access(2); nothing asks only whether it exists.
///
/// # Errors
/// EACCES; EROFS.
pub fn access(caller: &Caller<'_>, path: &Path, wanted: Permission) -> Result<(), Errno> {
    let inode = path.inode()?;
    let kind = inode.kind();
    let is_executed = wanted.contains(Permission::EXECUTE) && kind == FileKind::Regular;
    if is_executed && path.mount.flags().contains(MountFlags::NOEXEC) {
        return Err(Errno::EACCES);
    }
    if !wanted.is_empty() {
        permission::check(caller.credentials, &**inode, wanted)?;
    }
    let is_special = !matches!(
        kind,
        FileKind::Regular | FileKind::Directory | FileKind::SymbolicLink
    );
    if wanted.contains(Permission::WRITE) && !is_special {
        check_writable(path)
    } else {
        Ok(())
    }
}
