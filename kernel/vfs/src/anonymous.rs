//! Files without a name in any directory: pipes, and later sockets, event counters and the like.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::{OpenFlags, PIPEFS_MAGIC, Statfs};
use sync::Once;

use crate::attributes::{Access, Attributes, FileKind, Metadata, NewNode, SetAttributes, make_device};
use crate::credentials::Credentials;
use crate::dentry::Dentry;
use crate::file::OpenFile;
use crate::inode::{FileOps, FileSystem, Inode};
use crate::mount::{Mount, SuperBlock};
use crate::path::Path;

/// Returns an inode number for a file that is in no directory.
pub fn next_inode_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(2);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Makes an open file of its own kind; `name` is what /proc/PID/fd shows, as in `pipe:[12]`.
///
/// # Errors
/// ENFILE when there are too many files; ENOMEM.
pub fn anonymous_file(
    name: &[u8],
    inode: Arc<dyn Inode>,
    ops: Arc<dyn FileOps>,
    flags: OpenFlags,
    credentials: &Credentials,
) -> Result<Arc<OpenFile>, Errno> {
    OpenFile::nameless(anonymous_path(name, inode), ops, flags, credentials)
}

/// Makes a path that leads nowhere but to its inode.
pub fn anonymous_path(name: &[u8], inode: Arc<dyn Inode>) -> Path {
    static MOUNT: Once<Arc<Mount>> = Once::new();
    let mount = MOUNT.call_once(|| Mount::detached(SuperBlock::new(Arc::new(AnonymousFs))));
    Path {
        mount: mount.clone(),
        dentry: Dentry::detached(name, inode),
    }
}

/// The file system that anonymous files are said to be on.
struct AnonymousFs;

impl FileSystem for AnonymousFs {
    fn name(&self) -> &'static str {
        "anon_inodefs"
    }

    fn root(&self) -> Arc<dyn Inode> {
        AnonymousInode::new(FileKind::Directory, 0o500)
    }

    fn device(&self) -> u64 {
        ANONYMOUS_DEVICE
    }

    fn statfs(&self) -> Statfs {
        Statfs {
            f_type: PIPEFS_MAGIC,
            f_bsize: 4096,
            f_namelen: 255,
            ..Statfs::default()
        }
    }
}

const ANONYMOUS_DEVICE: u64 = make_device(0, 15);

/// Opens a file again, as through /proc/PID/fd.
pub type Reopen = Box<dyn Fn(OpenFlags) -> sync::Result<Arc<dyn FileOps>> + Send + Sync>;

/// An inode with attributes and, if it can be opened again, the way to do it.
pub struct AnonymousInode {
    number: u64,
    kind: FileKind,
    attributes: Attributes,
    reopen: Option<Reopen>,
}

impl AnonymousInode {
    /// Makes an inode of the superuser that cannot be opened again.
    pub fn new(kind: FileKind, mode: u16) -> Arc<Self> {
        Self::with_reopen(kind, mode, None)
    }

    /// Makes an inode of the superuser.
    pub fn with_reopen(kind: FileKind, mode: u16, reopen: Option<Reopen>) -> Arc<Self> {
        let node = NewNode {
            kind,
            mode,
            uid: 0,
            gid: 0,
            rdev: 0,
        };
        Arc::new(Self {
            number: next_inode_number(),
            kind,
            attributes: Attributes::new(&node),
            reopen,
        })
    }

    /// Returns the inode number.
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl Inode for AnonymousInode {
    fn kind(&self) -> FileKind {
        self.kind
    }

    fn access(&self) -> Access {
        self.attributes.access()
    }

    fn metadata(&self) -> Metadata {
        Metadata {
            device: ANONYMOUS_DEVICE,
            inode: self.number,
            ..self.attributes.metadata(self.kind)
        }
    }

    fn set_attributes(&self, changes: &SetAttributes) -> Result<(), Errno> {
        self.attributes.set(changes);
        Ok(())
    }

    fn open(self: Arc<Self>, flags: OpenFlags, _credentials: &Credentials) -> sync::Result<Arc<dyn FileOps>> {
        match &self.reopen {
            Some(reopen) => reopen(flags),
            None => Err(Errno::ENXIO.into()),
        }
    }
}
