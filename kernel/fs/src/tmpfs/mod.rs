//! tmpfs: files in memory (tmpfs(5)). The root file system is one, and so are /dev and /tmp.
//!
//! [`TmpFs`] is the file system, [`Options`] what it is mounted with. Inside: [`node`] the inodes,
//! [`directory`] their names, [`extended`] their attributes, [`contents`] their pages and [`pager`] those as mappings
//! find them, [`ops`] what open files do, [`budget`] the limits.

mod budget;
mod contents;
mod directory;
mod extended;
mod node;
mod ops;
mod pager;
mod rename;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU64;

use los_abi::errno::Errno;
use los_abi::fs::{NAME_MAX, SealFlags, Statfs, TMPFS_MAGIC};
use sync::Once;
use vfs::{FileKind, FileSystem, FileSystemType, Inode, MountRequest, NewNode, SuperBlock};

use budget::Budget;
pub use budget::Options;
use contents::PAGE_BYTES;
use node::Node;

/// Number of the root directory's inode, which is its own parent.
const ROOT_NUMBER: u64 = 1;

/// What all inodes of one file system share.
struct Volume {
    device: u64,
    /// Whether names are added behind the virtual file system's back, as drivers do in devtmpfs.
    has_drivers: bool,
    budget: Budget,
    next_number: AtomicU64,
}

/// A file system in memory.
pub struct TmpFs {
    name: &'static str,
    options: Options,
    volume: Arc<Volume>,
    root: Arc<Node>,
}

impl TmpFs {
    /// Makes an empty file system.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new(options: &Options) -> Result<Arc<Self>, Errno> {
        Self::make("tmpfs", options)
    }

    /// Makes an empty file system whose nodes drivers make.
    pub(crate) fn for_devices(options: &Options) -> Result<Arc<Self>, Errno> {
        Self::make("devtmpfs", options)
    }

    fn make(name: &'static str, options: &Options) -> Result<Arc<Self>, Errno> {
        let volume = Arc::new(Volume {
            device: crate::anonymous_device(),
            has_drivers: name != "tmpfs",
            budget: Budget::new(options.pages, options.inodes),
            next_number: AtomicU64::new(ROOT_NUMBER),
        });
        let node = NewNode {
            kind: FileKind::Directory,
            mode: options.mode,
            uid: options.uid,
            gid: options.gid,
            rdev: 0,
        };
        let root = Node::new(&volume, &node, ROOT_NUMBER, b"")?;
        Ok(Arc::new(Self {
            name,
            options: *options,
            volume,
            root,
        }))
    }
}

impl FileSystem for TmpFs {
    fn root(&self) -> Arc<dyn Inode> {
        self.root.clone()
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn statfs(&self) -> Statfs {
        let (blocks, free_blocks) = self.volume.budget.pages();
        let (inodes, free_inodes) = self.volume.budget.inodes();
        Statfs {
            f_type: TMPFS_MAGIC,
            f_bsize: PAGE_BYTES as u64,
            f_blocks: blocks,
            f_bfree: free_blocks,
            f_bavail: free_blocks,
            f_files: inodes,
            f_ffree: free_inodes,
            f_fsid: [self.volume.device as i32, 0],
            f_namelen: NAME_MAX as u64,
            f_frsize: PAGE_BYTES as u64,
            f_flags: 0,
            f_spare: [0; 4],
        }
    }

    fn device(&self) -> u64 {
        self.volume.device
    }

    fn options(&self) -> Vec<u8> {
        let default = Options::default();
        let mut text = String::new();
        if self.options.pages != default.pages {
            text += &format!(",size={}k", self.options.pages * (PAGE_BYTES as u64 / 1024));
        }
        if self.options.inodes != default.inodes {
            text += &format!(",nr_inodes={}", self.options.inodes);
        }
        if self.options.mode != default.mode {
            text += &format!(",mode={:o}", self.options.mode);
        }
        for (name, value) in [("uid", self.options.uid), ("gid", self.options.gid)] {
            if value != 0 {
                text += &format!(",{name}={value}");
            }
        }
        text.into_bytes()
    }
}

/// Makes a file for memfd_create(2): on a file system that is mounted nowhere and has no limits but memory.
///
/// # Errors
/// ENOMEM.
pub(crate) fn memory_file(node: &NewNode, seals: SealFlags) -> Result<Arc<dyn Inode>, Errno> {
    let volume = match MEMORY_FILES.get() {
        Some(fs) => fs,
        None => {
            let fs = TmpFs::new(&Options {
                pages: 0,
                inodes: 0,
                ..Options::default()
            })?;
            MEMORY_FILES.call_once(|| fs)
        }
    };
    Ok(Node::unnamed(&volume.volume, node, seals)?)
}

/// Returns the number of pages that the files of [`memory_file`] have.
pub(crate) fn memory_file_pages() -> u64 {
    MEMORY_FILES.get().map_or(0, |fs| fs.volume.budget.used_pages())
}

static MEMORY_FILES: Once<Arc<TmpFs>> = Once::new();

/// The type `tmpfs` of mount(2).
pub(crate) struct TmpFsType;

impl FileSystemType for TmpFsType {
    fn name(&self) -> &'static str {
        "tmpfs"
    }

    fn open(&self, request: &MountRequest<'_>) -> Result<Arc<SuperBlock>, Errno> {
        Ok(SuperBlock::new(TmpFs::new(&Options::parse(request.data)?)?))
    }
}

#[cfg(test)]
mod tests;
