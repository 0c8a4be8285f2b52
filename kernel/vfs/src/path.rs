//! A place in the tree of mounts, and who looks for one.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;

use crate::attributes::{FileKind, Metadata};
use crate::credentials::Credentials;
use crate::dentry::Dentry;
use crate::inode::Inode;
use crate::mount::Mount;

/// A name in a mount.
#[derive(Clone)]
pub struct Path {
    /// The mount.
    pub mount: Arc<Mount>,
    /// The name.
    pub dentry: Arc<Dentry>,
}

/// Where a process's paths start, and the permissions that its new files lack (CLONE_FS shares it).
#[derive(Clone)]
pub struct FsContext {
    /// `/`.
    pub root: Path,
    /// `.`.
    pub cwd: Path,
    /// Mode bits that creation removes.
    pub umask: u16,
}

/// Who asks for a path operation.
#[derive(Clone)]
pub struct Caller<'a> {
    /// Identity.
    pub credentials: &'a Credentials,
    /// `/`.
    pub root: Path,
    /// `.`.
    pub cwd: Path,
    /// Mode bits that creation removes.
    pub umask: u16,
}

impl PartialEq for Path {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.dentry, &other.dentry) && Arc::ptr_eq(&self.mount, &other.mount)
    }
}

impl Path {
    /// Returns the inode.
    ///
    /// # Errors
    /// ENOENT for a name that does not exist.
    #[inline]
    pub fn inode(&self) -> Result<&Arc<dyn Inode>, Errno> {
        self.dentry.inode().ok_or(Errno::ENOENT)
    }

    /// Returns the attributes.
    ///
    /// # Errors
    /// ENOENT for a name that does not exist.
    pub fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.inode()?.metadata())
    }

    /// Tells whether it is a directory.
    #[inline]
    pub fn is_directory(&self) -> bool {
        self.dentry.kind() == Some(FileKind::Directory)
    }

    /// Steps onto what is mounted here, again and again.
    #[inline]
    pub(crate) fn cross_mounts(&mut self) {
        while self.dentry.is_mount_point() {
            let mounted = self
                .mount
                .namespace()
                .and_then(|all| all.mounted_at(&self.mount, &self.dentry));
            let Some(mounted) = mounted else {
                return;
            };
            *self = mounted.root();
        }
    }

    /// Steps to the parent directory, but not above `root`.
    pub(crate) fn ascend(&mut self, root: &Self) {
        while *self != *root {
            if !Arc::ptr_eq(&self.dentry, self.mount.root_dentry())
                && let Some(parent) = self.dentry.parent()
            {
                self.dentry = parent;
                self.cross_mounts();
                return;
            }
            match self.mount.place() {
                Some(place) => *self = place,
                None => return,
            }
        }
    }

    /// Tells whether the place has been removed from its directory.
    pub fn is_removed(&self) -> bool {
        self.dentry.is_removed()
    }

    /// Returns the path as seen from `root`, with Linux's ` (deleted)` behind a removed name; what has no
    /// place, such as `pipe:[12]`, gives its name.
    pub fn to_bytes(&self, root: &Self) -> Vec<u8> {
        let (mut bytes, _) = self.walk_up(root);
        if self.is_removed() {
            bytes.extend_from_slice(b" (deleted)");
        }
        bytes
    }

    /// Returns the path as getcwd(2) does, with `(unreachable)` before one that is not below `root`.
    ///
    /// # Errors
    /// ENOENT for a removed directory.
    pub fn to_cwd_bytes(&self, root: &Self) -> Result<Vec<u8>, Errno> {
        if self.is_removed() {
            return Err(Errno::ENOENT);
        }
        let (bytes, was_met) = self.walk_up(root);
        if was_met {
            return Ok(bytes);
        }
        let mut unreachable = b"(unreachable)".to_vec();
        unreachable.extend_from_slice(&bytes);
        Ok(unreachable)
    }

    /// Collects the names up to `root`; tells whether it was met.
    fn walk_up(&self, root: &Self) -> (Vec<u8>, bool) {
        let mut names = Vec::new();
        let mut current = self.clone();
        let was_met = loop {
            if current == *root {
                break true;
            }
            let is_top = Arc::ptr_eq(&current.dentry, current.mount.root_dentry());
            if let Some(parent) = current.dentry.parent().filter(|_| !is_top) {
                names.push(current.dentry.name());
                current.dentry = parent;
            } else if let Some(place) = current.mount.place() {
                current = place;
            } else {
                break false;
            }
        };
        if names.is_empty() && !current.dentry.name().is_empty() {
            return (current.dentry.name().to_vec(), false);
        }
        let mut bytes = Vec::new();
        for name in names.iter().rev() {
            bytes.push(b'/');
            bytes.extend_from_slice(name);
        }
        if bytes.is_empty() {
            bytes.push(b'/');
        }
        (bytes, was_met)
    }
}
