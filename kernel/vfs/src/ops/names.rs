//! Making, linking and removing names.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::PATH_MAX;

use super::{Target, check_create, check_writable, new_node};
use crate::attributes::{Access, FileKind};
use crate::credentials::Capability;
use crate::inode::Inode;
use crate::notify;
use crate::path::{Caller, Path};
use crate::permission;
use crate::walk::{At, LastKind, Lookup, resolve};

/// Makes a directory.
///
/// # Errors
/// As mkdir(2).
pub fn make_directory(caller: &Caller<'_>, at: At, path: &[u8], mode: u16) -> Result<(), Errno> {
    // Only permission bits and the sticky bit count (mkdir(2)).
    let mode = mode & 0o1777;
    let target = Target::new(caller, at, path, Errno::EEXIST)?;
    add(caller, &target, |access, directory, name| {
        directory.create(name, &new_node(caller, access, FileKind::Directory, mode, 0))
    })
}

/// Makes a regular file, FIFO, socket or device node.
///
/// # Errors
/// As mknod(2).
pub fn make_node(
    caller: &Caller<'_>,
    at: At,
    path: &[u8],
    kind: FileKind,
    mode: u16,
    rdev: u64,
) -> Result<(), Errno> {
    if matches!(kind, FileKind::Directory | FileKind::SymbolicLink) {
        return Err(Errno::EPERM);
    }
    let target = Target::new(caller, at, path, Errno::EEXIST)?;
    refuse_slash(&target)?;
    add(caller, &target, |access, directory, name| {
        // Device 0:0 is a whiteout, which anybody may make.
        if kind.is_device() && rdev != 0 && !caller.credentials.capable(Capability::Mknod) {
            return Err(Errno::EPERM);
        }
        directory.create(name, &new_node(caller, access, kind, mode, rdev))
    })
}

/// Makes a symbolic link.
///
/// # Errors
/// As symlink(2).
pub fn symlink(caller: &Caller<'_>, link_target: &[u8], at: At, path: &[u8]) -> Result<(), Errno> {
    if link_target.is_empty() {
        return Err(Errno::ENOENT);
    }
    if link_target.len() >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let target = Target::new(caller, at, path, Errno::EEXIST)?;
    refuse_slash(&target)?;
    add(caller, &target, |access, directory, name| {
        let mut node = new_node(caller, access, FileKind::SymbolicLink, 0o777, 0);
        node.mode = 0o777;
        directory.symlink(name, link_target, &node)
    })
}

/// Gives a file another name.
///
/// # Errors
/// As link(2).
pub fn link(caller: &Caller<'_>, source: &Path, at: At, path: &[u8]) -> Result<(), Errno> {
    let target = Target::new(caller, at, path, Errno::EEXIST)?;
    let inode = source.inode()?.clone();
    refuse_slash(&target)?;
    add(caller, &target, |_, directory, name| {
        if !Arc::ptr_eq(&source.mount, &target.parent.mount) {
            return Err(Errno::EXDEV);
        }
        if inode.kind() == FileKind::Directory {
            return Err(Errno::EPERM);
        }
        if source.is_removed() && inode.metadata().links == 0 {
            return Err(Errno::ENOENT);
        }
        directory.link(name, &inode)?;
        notify::linked(&inode);
        Ok(inode.clone())
    })
}

/// A trailing slash asks for a directory, which this is not going to be.
fn refuse_slash(target: &Target<'_>) -> Result<(), Errno> {
    if !target.has_slash() {
        return Ok(());
    }
    let _guard = target.parent.dentry.lock()?;
    let exists = target.parent.dentry.child_locked(target.name())?.is_some();
    Err(if exists { Errno::EEXIST } else { Errno::ENOENT })
}

/// Adds a name that does not exist, made by `make`.
fn add(
    caller: &Caller<'_>,
    target: &Target<'_>,
    make: impl FnOnce(Access, &Arc<dyn Inode>, &[u8]) -> Result<Arc<dyn Inode>, Errno>,
) -> Result<(), Errno> {
    let parent = &target.parent.dentry;
    let _guard = parent.lock()?;
    if parent.child_locked(target.name())?.is_some() {
        return Err(Errno::EEXIST);
    }
    let access = check_create(caller, &target.parent)?;
    let directory = target.parent.inode()?;
    let inode = make(access, directory, target.name())?;
    let kind = inode.kind();
    parent.remember(target.name(), Some(inode));
    notify::created(directory, target.name(), kind);
    Ok(())
}

/// Removes the name of anything but a directory.
///
/// # Errors
/// As unlink(2).
pub fn unlink(caller: &Caller<'_>, at: At, path: &[u8]) -> Result<(), Errno> {
    let target = Target::new(caller, at, path, Errno::EISDIR)?;
    remove(caller, &target, |victim, directory, name| {
        if victim.kind() == FileKind::Directory {
            return Err(Errno::EISDIR);
        }
        if target.has_slash() {
            return Err(Errno::ENOTDIR);
        }
        directory.unlink(name)
    })
}

/// Removes an empty directory.
///
/// # Errors
/// As rmdir(2).
pub fn remove_directory(caller: &Caller<'_>, at: At, path: &[u8]) -> Result<(), Errno> {
    let target = Target::of_any_kind(caller, at, path)?;
    match target.last.kind {
        LastKind::Name => {}
        LastKind::Dot => return Err(Errno::EINVAL),
        LastKind::DotDot => return Err(Errno::ENOTEMPTY),
        LastKind::Root => return Err(Errno::EBUSY),
    }
    remove(caller, &target, |victim, directory, name| {
        if victim.kind() != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        directory.rmdir(name)
    })
}

/// Removes a name that exists, by `take`.
fn remove(
    caller: &Caller<'_>,
    target: &Target<'_>,
    take: impl FnOnce(&Arc<dyn Inode>, &Arc<dyn Inode>, &[u8]) -> Result<(), Errno>,
) -> Result<(), Errno> {
    check_writable(&target.parent)?;
    let parent = &target.parent.dentry;
    let directory = target.parent.inode()?;
    let guard = parent.lock()?;
    let victim = parent.child_locked(target.name())?.ok_or(Errno::ENOENT)?;
    let inode = victim.inode().ok_or(Errno::ENOENT)?;
    permission::check_delete(caller.credentials, &**directory, &**inode)?;
    if victim.is_mount_point() {
        return Err(Errno::EBUSY);
    }
    let kind = inode.kind();
    take(inode, directory, target.name())?;
    if kind != FileKind::Directory {
        notify::linked(inode);
    }
    parent.forget(&victim);
    drop(guard);
    // If nobody uses it, watches of the file hear of its end first.
    drop(victim);
    notify::removed(directory, target.name(), kind);
    Ok(())
}

/// Returns the path in a symbolic link.
///
/// # Errors
/// As readlink(2).
pub fn read_link(caller: &Caller<'_>, at: At, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let found = resolve(caller, at, path, Lookup::EMPTY_PATH)?;
    let inode = found.inode()?;
    if inode.kind() != FileKind::SymbolicLink {
        return Err(if path.is_empty() {
            Errno::ENOENT
        } else {
            Errno::EINVAL
        });
    }
    inode.note_access();
    match inode.follow_link(caller.credentials) {
        Some(place) => Ok(place?.to_bytes(&caller.root)),
        None => inode.read_link(),
    }
}
