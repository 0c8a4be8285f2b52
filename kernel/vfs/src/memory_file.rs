//! Where memfd_create(2) gets its files: one file system in memory, registered at start.

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::fs::{OpenFlags, SealFlags};
use sync::Once;

use crate::anonymous::anonymous_file;
use crate::attributes::{FileKind, NewNode};
use crate::credentials::Credentials;
use crate::file::OpenFile;
use crate::inode::Inode;

/// Makes an empty file that is in no directory, with these seals.
pub type MakeInode = fn(&NewNode, SealFlags) -> Result<Arc<dyn Inode>, Errno>;

static SOURCE: Once<MakeInode> = Once::new();

/// Registers the file system. Called once.
pub fn set_source(make: MakeInode) {
    SOURCE.call_once(|| make);
}

/// Makes a memory file and opens it for reading and writing. `name` tells people what it is for.
///
/// # Errors
/// ENOMEM; ENOSYS before a file system is registered.
pub fn create(
    name: &[u8],
    mode: u16,
    seals: SealFlags,
    credentials: &Credentials,
) -> sync::Result<Arc<OpenFile>> {
    let make = SOURCE.get().ok_or(Errno::ENOSYS)?;
    let node = NewNode {
        kind: FileKind::Regular,
        mode,
        uid: credentials.fsuid,
        gid: credentials.fsgid,
        rdev: 0,
    };
    let inode = make(&node, seals)?;
    let flags = OpenFlags::RDWR | OpenFlags::LARGEFILE;
    let ops = inode.clone().open(flags, credentials)?;
    // As /proc/PID/fd shows it: a path that was unlinked.
    let shown = [b"/memfd:", name, b" (deleted)"].concat();
    Ok(anonymous_file(&shown, inode, ops, flags, credentials)?)
}
