//! Devices: which driver a device number belongs to, and the file system of their nodes (devtmpfs).
//!
//! A driver [`register`]s a [`Device`]. Then a node with its number opens it, whatever file system the node
//! is in ([`open_device`]), and /dev shows it under its name. [`memory`] are the devices without hardware,
//! [`random`] the generator behind two of them.

pub mod memory;
pub mod random;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use sync::{Mutex, Rank, SpinLock};
use vfs::{
    Credentials, FileKind, FileOps, FileSystem, FileSystemType, Inode, MountRequest, NewNode, SuperBlock,
};

use crate::tmpfs::{Options, TmpFs};

/// A device, as its driver sees it.
pub trait Device: Send + Sync {
    /// Opens the device. May wait.
    ///
    /// # Errors
    /// Those of open(2) that the driver has reason for.
    fn open(&self, flags: OpenFlags, credentials: &Credentials) -> sync::Result<Arc<dyn FileOps>>;
}

/// What /dev shows of a device.
#[derive(Clone, Debug)]
struct Node {
    name: Vec<u8>,
    node: NewNode,
}

/// Whether a number is a block device's, and the number.
type Key = (bool, u64);

static DEVICES: SpinLock<BTreeMap<Key, Arc<dyn Device>>> = SpinLock::new(Rank::FileSystem, BTreeMap::new());

/// /dev: the nodes in order of registration until it is made, then the file system too.
static NODES: Mutex<Tree> = Mutex::new(
    Rank::Inode,
    Tree {
        nodes: Vec::new(),
        superblock: None,
    },
);

struct Tree {
    nodes: Vec<Node>,
    superblock: Option<Arc<SuperBlock>>,
}

/// Makes a device known under its number, and shows it in /dev as `name`, which may have slashes.
///
/// # Errors
/// EEXIST for a number that is taken; ENOMEM.
pub fn register(
    name: &str,
    kind: FileKind,
    rdev: u64,
    mode: u16,
    device: Arc<dyn Device>,
) -> Result<(), Errno> {
    let key = key(kind, rdev);
    {
        let mut devices = DEVICES.lock();
        if devices.contains_key(&key) {
            return Err(Errno::EEXIST);
        }
        devices.insert(key, device);
    }
    let node = Node {
        name: name.into(),
        node: NewNode {
            kind,
            mode,
            uid: 0,
            gid: 0,
            rdev,
        },
    };
    let mut tree = NODES.lock();
    if let Some(superblock) = &tree.superblock {
        place(&superblock.file_system().root(), &node)?;
    }
    tree.nodes.push(node);
    Ok(())
}

/// Opens a device by its number.
///
/// # Errors
/// ENXIO without a driver, and what the driver answers.
pub fn open_device(
    kind: FileKind,
    rdev: u64,
    flags: OpenFlags,
    credentials: &Credentials,
) -> sync::Result<Arc<dyn FileOps>> {
    let device = DEVICES
        .lock()
        .get(&key(kind, rdev))
        .cloned()
        .ok_or(Errno::ENXIO)?;
    device.open(flags, credentials)
}

/// Returns the file system of all devices' nodes; there is one, however often it is mounted.
///
/// # Errors
/// ENOMEM.
pub fn superblock() -> Result<Arc<SuperBlock>, Errno> {
    let mut tree = NODES.lock();
    if let Some(superblock) = &tree.superblock {
        return Ok(superblock.clone());
    }
    let file_system = TmpFs::for_devices(&Options {
        mode: 0o755,
        ..Options::default()
    })?;
    let root = file_system.root();
    for node in &tree.nodes {
        place(&root, node)?;
    }
    for (name, mode) in [("pts", 0o755), ("shm", 0o1777)] {
        root.create(name.as_bytes(), &directory(mode))?;
    }
    let link = NewNode {
        kind: FileKind::SymbolicLink,
        mode: 0o777,
        uid: 0,
        gid: 0,
        rdev: 0,
    };
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        root.symlink(name.as_bytes(), target.as_bytes(), &link)?;
    }
    let superblock = SuperBlock::new(file_system);
    tree.superblock = Some(superblock.clone());
    Ok(superblock)
}

/// The type `devtmpfs` of mount(2).
pub(crate) struct DevTmpFsType;

impl FileSystemType for DevTmpFsType {
    fn name(&self) -> &'static str {
        "devtmpfs"
    }

    fn open(&self, _request: &MountRequest<'_>) -> Result<Arc<SuperBlock>, Errno> {
        superblock()
    }
}

/// Makes a node, with the directories above it.
fn place(root: &Arc<dyn Inode>, node: &Node) -> Result<(), Errno> {
    let mut at = root.clone();
    let mut names = node.name.split(|&byte| byte == b'/').peekable();
    while let Some(name) = names.next() {
        if names.peek().is_none() {
            return at.create(name, &node.node).map(drop);
        }
        at = match at.lookup(name) {
            Err(Errno::ENOENT) => at.create(name, &directory(0o755))?,
            found => found?,
        };
    }
    Ok(())
}

const fn directory(mode: u16) -> NewNode {
    NewNode {
        kind: FileKind::Directory,
        mode,
        uid: 0,
        gid: 0,
        rdev: 0,
    }
}

fn key(kind: FileKind, rdev: u64) -> Key {
    (kind == FileKind::BlockDevice, rdev)
}

#[cfg(test)]
mod tests;
