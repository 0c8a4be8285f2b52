//! Who may use which extended attributes (xattr(7)), in Linux's order of checks.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::XattrFlags;
use los_abi::inotify::InotifyMask;

use crate::attributes::FileKind;
use crate::credentials::{Capability, Credentials};
use crate::file_capabilities;
use crate::inode::Inode;
use crate::notify;
use crate::path::Path;
use crate::permission::{self, Permission, STICKY};

/// Names as listxattr(2) tells them.
#[derive(Debug, Default)]
pub struct Names {
    /// The names that fit, each with a zero behind it.
    pub bytes: Vec<u8>,
    /// Length of all of them.
    pub length: usize,
}

/// Sets an attribute.
///
/// # Errors
/// EROFS; EPERM for names of others; EACCES; EOPNOTSUPP and EINVAL for names that the file system does not store;
/// EINVAL for senseless capabilities; EEXIST and ENODATA as the flags want; ENOSPC, ENOMEM.
pub fn set(
    credentials: &Credentials,
    path: &Path,
    name: &[u8],
    value: &[u8],
    flags: XattrFlags,
) -> Result<(), Errno> {
    super::check_writable(path)?;
    if name == file_capabilities::NAME && !value.is_empty() {
        file_capabilities::check(value, credentials.capable(Capability::Setfcap))?;
    }
    let inode = path.inode()?;
    check(credentials, &**inode, name, Permission::WRITE)?;
    if name != file_capabilities::NAME {
        check_security(credentials, name, Capability::SysAdmin)?;
    }
    inode.set_extended_attribute(name, value, flags)?;
    notify::happened(&path.dentry, InotifyMask::ATTRIB);
    Ok(())
}

/// Removes an attribute.
///
/// # Errors
/// As [`set`].
pub fn remove(credentials: &Credentials, path: &Path, name: &[u8]) -> Result<(), Errno> {
    super::check_writable(path)?;
    let inode = path.inode()?;
    check(credentials, &**inode, name, Permission::WRITE)?;
    let needed = if name == file_capabilities::NAME {
        Capability::Setfcap
    } else {
        Capability::SysAdmin
    };
    check_security(credentials, name, needed)?;
    inode.remove_extended_attribute(name)?;
    notify::happened(&path.dentry, InotifyMask::ATTRIB);
    Ok(())
}

/// Returns an attribute's value.
///
/// # Errors
/// ENODATA, also for names of others; EACCES; EOPNOTSUPP and EINVAL for names that the file system does not store.
pub fn get(credentials: &Credentials, path: &Path, name: &[u8]) -> Result<Vec<u8>, Errno> {
    let inode = path.inode()?;
    check(credentials, &**inode, name, Permission::READ)?;
    let mut value = inode.extended_attribute(name)?;
    if name == file_capabilities::NAME {
        file_capabilities::show(&mut value)?;
    }
    Ok(value)
}

/// Returns the names of the attributes, as far as they fit into so many bytes.
///
/// # Errors
/// ENOENT for a name that does not exist; ENOMEM.
pub fn names(credentials: &Credentials, path: &Path, capacity: usize) -> Result<Names, Errno> {
    let sees_trusted = credentials.capable(Capability::SysAdmin);
    let mut names = Names::default();
    names.bytes.try_reserve(capacity).map_err(|_| Errno::ENOMEM)?;
    path.inode()?.extended_attribute_names(&mut |name| {
        if name.starts_with(b"trusted.") && !sees_trusted {
            return;
        }
        names.length += name.len() + 1;
        if names.length <= capacity {
            names.bytes.extend_from_slice(name);
            names.bytes.push(0);
        }
    });
    Ok(names)
}

/// Checks who may use a name at all, and then the file's permissions.
fn check(credentials: &Credentials, inode: &dyn Inode, name: &[u8], wanted: Permission) -> Result<(), Errno> {
    let refused = if wanted == Permission::WRITE {
        Errno::EPERM
    } else {
        Errno::ENODATA
    };
    if name.starts_with(b"security.") || name.starts_with(b"system.") {
        return Ok(());
    }
    if name.starts_with(b"trusted.") {
        let may = credentials.capable(Capability::SysAdmin);
        return if may { Ok(()) } else { Err(refused) };
    }
    if name.starts_with(b"user.") {
        if !matches!(inode.kind(), FileKind::Regular | FileKind::Directory) {
            return Err(refused);
        }
        let is_shared = inode.kind() == FileKind::Directory && inode.access().mode & STICKY != 0;
        if is_shared && wanted == Permission::WRITE && !permission::is_owner(credentials, inode) {
            return Err(Errno::EPERM);
        }
    }
    permission::check(credentials, inode, wanted)
}

/// Checks that a caller may change what security modules keep.
fn check_security(credentials: &Credentials, name: &[u8], needed: Capability) -> Result<(), Errno> {
    if name.starts_with(b"security.") && !credentials.capable(needed) {
        return Err(Errno::EPERM);
    }
    Ok(())
}
