//! Who may use which extended attributes (xattr(7)). No file system here stores any, so what is allowed is not
//! supported.

use los_abi::errno::Errno;

use crate::attributes::FileKind;
use crate::credentials::{Capability, Credentials};
use crate::path::Path;
use crate::permission::{self, Permission, STICKY};

/// Checks that the file system may be changed.
///
/// # Errors
/// EROFS.
pub fn check_writable(path: &Path) -> Result<(), Errno> {
    super::check_writable(path)
}

/// Sets or removes an attribute.
///
/// # Errors
/// EPERM for names of others; EACCES; EOPNOTSUPP.
pub fn change(credentials: &Credentials, path: &Path, name: &[u8]) -> Result<(), Errno> {
    check(credentials, path, name, Permission::WRITE)?;
    Err(Errno::EOPNOTSUPP)
}

/// Reads an attribute and returns its length.
///
/// # Errors
/// ENODATA for names of others; EACCES; EOPNOTSUPP.
pub fn get(credentials: &Credentials, path: &Path, name: &[u8]) -> Result<usize, Errno> {
    check(credentials, path, name, Permission::READ)?;
    Err(Errno::EOPNOTSUPP)
}

fn check(credentials: &Credentials, path: &Path, name: &[u8], wanted: Permission) -> Result<(), Errno> {
    let inode = path.inode()?;
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
        if is_shared && wanted == Permission::WRITE && !permission::is_owner(credentials, &**inode) {
            return Err(Errno::EPERM);
        }
    }
    permission::check(credentials, &**inode, wanted)
}
