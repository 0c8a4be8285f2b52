//! The system calls on paths, with Linux's permission checks and order of errors.

mod attributes;
mod mounts;
mod names;
mod open;
mod rename;
pub mod xattr;

pub(crate) use attributes::check_growth;
pub use attributes::{NewTime, access, change_mode, change_owner, set_times, truncate};
pub use mounts::{mount, mount_root, statfs, sync_all, unmount};
pub use names::{link, make_directory, make_node, read_link, remove_directory, symlink, unlink};
pub use open::{open, open_executable};
pub use rename::rename;

use alloc::borrow::Cow;

use los_abi::errno::Errno;

use crate::attributes::{Access, FileKind, NewNode};
use crate::credentials::Capability;
use crate::notify;
use crate::path::{Caller, Path};
use crate::permission::{self, Permission};
use crate::walk::{At, Last, LastKind, Walk};

/// A directory and the name in it that is about to change.
struct Target<'p> {
    parent: Path,
    last: Last<'p>,
}

impl<'p> Target<'p> {
    /// Walks to the directory of a path's last component, whatever that is.
    fn of_any_kind(caller: &Caller<'_>, at: At, path: &'p [u8]) -> Result<Self, Errno> {
        let mut walk = Walk::new(caller, at, path)?;
        let last = walk.advance_to_last(Cow::Borrowed(path))?;
        Ok(Self {
            parent: walk.current,
            last,
        })
    }

    /// Walks to the directory of a path's last component. `no_name` is the error for paths that end in `.`,
    /// `..` or `/`.
    fn new(caller: &Caller<'_>, at: At, path: &'p [u8], no_name: Errno) -> Result<Self, Errno> {
        let target = Self::of_any_kind(caller, at, path)?;
        if target.last.kind == LastKind::Name {
            Ok(target)
        } else {
            Err(no_name)
        }
    }

    fn name(&self) -> &[u8] {
        self.last.name()
    }

    /// Returns the directory and the name as watchers are told of them.
    fn place(&self) -> Result<notify::Place<'_>, Errno> {
        Ok((self.parent.inode()?, self.name()))
    }

    fn has_slash(&self) -> bool {
        self.last.has_slash
    }
}

fn check_writable(path: &Path) -> Result<(), Errno> {
    if path.mount.is_read_only() {
        Err(Errno::EROFS)
    } else {
        Ok(())
    }
}

/// Checks that names may be added to a directory, and that there is memory for what they stand for.
fn check_create(caller: &Caller<'_>, parent: &Path) -> Result<Access, Errno> {
    let directory = parent.inode()?;
    directory.check_new_names()?;
    check_writable(parent)?;
    if parent.is_removed() {
        return Err(Errno::ENOENT);
    }
    permission::check(
        caller.credentials,
        &**directory,
        Permission::WRITE | Permission::EXECUTE,
    )?;
    if !mm::frames::headroom() {
        return Err(Errno::ENOMEM);
    }
    Ok(directory.access())
}

/// Describes a new file: the umask, and the group of a set-group-id directory.
fn new_node(caller: &Caller<'_>, directory: Access, kind: FileKind, mode: u16, rdev: u64) -> NewNode {
    const GROUP_PROGRAM: u16 = permission::SET_GID | 0o010;
    let inherits = directory.mode & permission::SET_GID != 0;
    let is_directory = kind == FileKind::Directory;
    let lends_group = inherits && !is_directory && mode & GROUP_PROGRAM == GROUP_PROGRAM;
    let mut mode = mode & 0o7777 & !(caller.umask & 0o777);
    if inherits && is_directory {
        mode |= permission::SET_GID;
    }
    let credentials = caller.credentials;
    if lends_group && !credentials.in_group(directory.gid) && !credentials.capable(Capability::Fsetid) {
        // Nobody makes programs of a group that it is not in.
        mode &= !permission::SET_GID;
    }
    let gid = if inherits {
        directory.gid
    } else {
        caller.credentials.fsgid
    };
    NewNode {
        kind,
        mode,
        uid: caller.credentials.fsuid,
        gid,
        rdev,
    }
}

#[cfg(test)]
mod coherence;
#[cfg(test)]
mod tests;
