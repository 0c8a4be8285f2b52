//! A small file system in memory, for the tests of everything above file systems.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{OpenFlags, RenameFlags, Statfs};
use mm::io::{Sink, Source};
use sync::{Mutex, Rank};

use crate::attributes::{Access, Attributes, FileKind, Metadata, NewNode, SetAttributes};
use crate::credentials::Credentials;
use crate::inode::{FileOps, FileSystem, Inode, Io};
use crate::ops;
use crate::path::{Caller, Path};
use crate::text::WriteCount;

pub(crate) struct MemoryFs(Arc<dyn Inode>);

impl MemoryFs {
    pub(crate) fn new() -> Arc<Self> {
        mm::testing::start();
        Arc::new(Self(Node::new(&NewNode {
            kind: FileKind::Directory,
            mode: 0o755,
            uid: 0,
            gid: 0,
            rdev: 0,
        })))
    }
}

/// Mounts a fresh file system as the root of everything.
pub(crate) fn root() -> Path {
    ops::mount_root(MemoryFs::new())
}

/// Returns a caller at the root.
pub(crate) fn caller<'a>(root: &Path, credentials: &'a Credentials) -> Caller<'a> {
    Caller {
        credentials,
        root: root.clone(),
        cwd: root.clone(),
        umask: 0o022,
    }
}

impl FileSystem for MemoryFs {
    fn root(&self) -> Arc<dyn Inode> {
        self.0.clone()
    }
    fn name(&self) -> &'static str {
        "memory"
    }
    fn statfs(&self) -> Statfs {
        Statfs::default()
    }
    fn device(&self) -> u64 {
        1
    }
}

struct Node {
    kind: FileKind,
    number: u64,
    attributes: Attributes,
    writers: WriteCount,
    names: Mutex<BTreeMap<Vec<u8>, Arc<dyn Inode>>>,
    bytes: Mutex<Vec<u8>>,
}

impl Node {
    fn new(node: &NewNode) -> Arc<Self> {
        Arc::new(Self {
            kind: node.kind,
            number: crate::next_inode_number(),
            attributes: Attributes::new(node),
            writers: WriteCount::new(),
            names: Mutex::new(Rank::Inode, BTreeMap::new()),
            bytes: Mutex::new(Rank::Inode, Vec::new()),
        })
    }

    fn of(inode: &Arc<dyn Inode>) -> &Self {
        let any: &dyn core::any::Any = &**inode;
        any.downcast_ref().unwrap()
    }
}

impl Inode for Node {
    fn kind(&self) -> FileKind {
        self.kind
    }
    fn access(&self) -> Access {
        self.attributes.access()
    }
    fn metadata(&self) -> Metadata {
        let size = self.bytes.lock().len() as u64;
        Metadata {
            inode: self.number,
            size,
            ..self.attributes.metadata(self.kind)
        }
    }
    fn set_attributes(&self, changes: &SetAttributes) -> Result<(), Errno> {
        self.attributes.set(changes);
        Ok(())
    }
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        self.names.lock().get(name).cloned().ok_or(Errno::ENOENT)
    }
    fn create(&self, name: &[u8], node: &NewNode) -> Result<Arc<dyn Inode>, Errno> {
        let inode = Node::new(node);
        self.names.lock().insert(name.to_vec(), inode.clone());
        Ok(inode)
    }
    fn create_unnamed(&self, node: &NewNode) -> Result<Arc<dyn Inode>, Errno> {
        let inode = Node::new(node);
        inode.attributes.remove_link();
        Ok(inode)
    }
    fn symlink(&self, name: &[u8], target: &[u8], node: &NewNode) -> Result<Arc<dyn Inode>, Errno> {
        let inode = self.create(name, node)?;
        *Self::of(&inode).bytes.lock() = target.to_vec();
        Ok(inode)
    }
    fn link(&self, name: &[u8], inode: &Arc<dyn Inode>) -> Result<(), Errno> {
        Self::of(inode).attributes.add_link();
        self.names.lock().insert(name.to_vec(), inode.clone());
        Ok(())
    }
    fn unlink(&self, name: &[u8]) -> Result<(), Errno> {
        let gone = self.names.lock().remove(name).ok_or(Errno::ENOENT)?;
        Self::of(&gone).attributes.remove_link();
        Ok(())
    }
    fn rmdir(&self, name: &[u8]) -> Result<(), Errno> {
        let victim = self.lookup(name)?;
        if !Self::of(&victim).names.lock().is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.names.lock().remove(name);
        Ok(())
    }
    fn rename(&self, name: &[u8], to: &Arc<dyn Inode>, new: &[u8], flags: RenameFlags) -> Result<(), Errno> {
        let moved = self.lookup(name)?;
        let old = Self::of(to).names.lock().get(new).cloned();
        if let Some(old) = &old
            && !flags.contains(RenameFlags::EXCHANGE)
            && !Self::of(old).names.lock().is_empty()
        {
            return Err(Errno::ENOTEMPTY);
        }
        self.names.lock().remove(name);
        Self::of(to).names.lock().insert(new.to_vec(), moved);
        match old {
            Some(old) if flags.contains(RenameFlags::EXCHANGE) => {
                self.names.lock().insert(name.to_vec(), old);
            }
            Some(old) => Self::of(&old).attributes.remove_link(),
            None => {}
        }
        Ok(())
    }
    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        Ok(self.bytes.lock().clone())
    }
    fn truncate(&self, size: u64) -> Result<(), Errno> {
        self.bytes.lock().resize(size as usize, 0);
        self.attributes.note_modification();
        Ok(())
    }
    fn open(self: Arc<Self>, _: OpenFlags, _: &Credentials) -> sync::Result<Arc<dyn FileOps>> {
        Ok(self)
    }
    fn clear_set_id(&self) {
        self.attributes.clear_set_id();
    }
    fn write_count(&self) -> Option<&WriteCount> {
        Some(&self.writers)
    }
}

impl FileOps for Node {
    fn read_at(&self, out: &mut dyn Sink, offset: u64, _: &Io) -> sync::Result<usize> {
        let bytes = self.bytes.lock();
        Ok(out.put(bytes.get(offset as usize..).unwrap_or_default())?)
    }
    fn write_at(&self, input: &mut dyn Source, offset: u64, _: &Io) -> sync::Result<usize> {
        let mut bytes = self.bytes.lock();
        let (start, end) = (offset as usize, offset as usize + input.remaining());
        let size = bytes.len().max(end);
        bytes.resize(size, 0);
        Ok(input.take(&mut bytes[start..end])?)
    }
    fn append(&self, input: &mut dyn Source, io: &Io) -> sync::Result<(usize, u64)> {
        let end = self.end()?;
        let count = self.write_at(input, end, io)?;
        Ok((count, end + count as u64))
    }
    fn end(&self) -> Result<u64, Errno> {
        Ok(self.bytes.lock().len() as u64)
    }
}
