//! Who may do what with a file (path_resolution(7), capabilities(7)).

use bitflags::bitflags;
use los_abi::errno::Errno;

use crate::attributes::{Access, FileKind};
use crate::credentials::{Capability, Credentials};
use crate::inode::Inode;

/// The sticky bit.
pub const STICKY: u16 = 0o1000;
/// The set-group-id bit.
pub const SET_GID: u16 = 0o2000;
/// The set-user-id bit.
pub const SET_UID: u16 = 0o4000;
const ANY_EXECUTE: u16 = 0o111;

bitflags! {
    /// What somebody wants to do with a file; the bits are those of a mode's last digit.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Permission: u16 {
        /// Execute, or search a directory.
        const EXECUTE = 1;
        /// Write.
        const WRITE = 2;
        /// Read.
        const READ = 4;
    }
}

/// Checks the permission bits, and the capabilities that override them.
///
/// # Errors
/// EACCES.
pub fn check(credentials: &Credentials, inode: &dyn Inode, wanted: Permission) -> Result<(), Errno> {
    check_access(credentials, inode.kind(), inode.access(), wanted)
}

/// Checks that a directory may be searched.
///
/// # Errors
/// EACCES.
#[inline]
pub(crate) fn check_search(credentials: &Credentials, directory: &dyn Inode) -> Result<(), Errno> {
    let access = directory.access();
    if access.mode & ANY_EXECUTE == ANY_EXECUTE {
        return Ok(());
    }
    check_access(credentials, FileKind::Directory, access, Permission::EXECUTE)
}

fn check_access(
    credentials: &Credentials,
    kind: FileKind,
    access: Access,
    wanted: Permission,
) -> Result<(), Errno> {
    let shift = if credentials.fsuid == access.uid {
        6
    } else if credentials.in_group(access.gid) {
        3
    } else {
        0
    };
    let granted = Permission::from_bits_truncate((access.mode >> shift) & 7);
    if granted.contains(wanted) || overrides(credentials, kind, access.mode, wanted) {
        return Ok(());
    }
    Err(Errno::EACCES)
}

fn overrides(credentials: &Credentials, kind: FileKind, mode: u16, wanted: Permission) -> bool {
    let all = credentials.capable(Capability::DacOverride);
    let search = credentials.capable(Capability::DacReadSearch);
    if kind == FileKind::Directory {
        return all || search && !wanted.contains(Permission::WRITE);
    }
    let is_executable = mode & ANY_EXECUTE != 0;
    all && (!wanted.contains(Permission::EXECUTE) || is_executable) || search && wanted == Permission::READ
}

/// Tells whether the caller may act as the file's owner.
pub fn is_owner(credentials: &Credentials, inode: &dyn Inode) -> bool {
    credentials.fsuid == inode.access().uid || credentials.capable(Capability::Fowner)
}

/// Checks that a name may be removed from a directory: write permission, and the sticky bit.
///
/// # Errors
/// EACCES; EPERM for somebody else's file in a sticky directory.
pub(crate) fn check_delete(
    credentials: &Credentials,
    directory: &dyn Inode,
    victim: &dyn Inode,
) -> Result<(), Errno> {
    check(credentials, directory, Permission::WRITE | Permission::EXECUTE)?;
    let access = directory.access();
    let is_own = credentials.fsuid == access.uid || credentials.fsuid == victim.access().uid;
    if access.mode & STICKY != 0 && !is_own && !credentials.capable(Capability::Fowner) {
        return Err(Errno::EPERM);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(
        credentials: &Credentials,
        kind: FileKind,
        (mode, uid, gid): (u16, u32, u32),
        wanted: Permission,
    ) -> bool {
        check_access(credentials, kind, Access { mode, uid, gid }, wanted).is_ok()
    }

    #[test]
    fn the_first_matching_class_counts() {
        let user = Credentials::user(10, 20);
        // The owner has less than others, and that is what counts.
        assert!(!allowed(
            &user,
            FileKind::Regular,
            (0o077, 10, 20),
            Permission::READ
        ));
        assert!(allowed(
            &user,
            FileKind::Regular,
            (0o640, 1, 20),
            Permission::READ
        ));
        assert!(!allowed(
            &user,
            FileKind::Regular,
            (0o640, 1, 20),
            Permission::WRITE
        ));
        assert!(allowed(
            &user,
            FileKind::Regular,
            (0o001, 1, 1),
            Permission::EXECUTE
        ));
    }

    #[test]
    fn root_executes_only_what_somebody_may_execute() {
        let root = Credentials::root();
        assert!(allowed(
            &root,
            FileKind::Regular,
            (0, 5, 5),
            Permission::READ | Permission::WRITE
        ));
        assert!(!allowed(
            &root,
            FileKind::Regular,
            (0o644, 5, 5),
            Permission::EXECUTE
        ));
        assert!(allowed(
            &root,
            FileKind::Regular,
            (0o010, 5, 5),
            Permission::EXECUTE
        ));
        assert!(allowed(
            &root,
            FileKind::Directory,
            (0, 5, 5),
            Permission::EXECUTE
        ));
    }

    #[test]
    fn reading_is_all_that_dac_read_search_gives() {
        let reader = Credentials {
            effective: Capability::DacReadSearch.bit(),
            ..Credentials::user(10, 10)
        };
        assert!(allowed(&reader, FileKind::Regular, (0, 5, 5), Permission::READ));
        assert!(allowed(
            &reader,
            FileKind::Directory,
            (0, 5, 5),
            Permission::READ | Permission::EXECUTE
        ));
        assert!(!allowed(
            &reader,
            FileKind::Directory,
            (0, 5, 5),
            Permission::WRITE
        ));
    }
}
