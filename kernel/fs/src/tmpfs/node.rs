//! Inodes of a tmpfs.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::{OpenFlags, RenameFlags, SealFlags, XattrFlags};
use mm::{Copies, Pager};
use sync::{Mutex, Rank, SpinLock};
use vfs::pipe::Pipe;
use vfs::text::WriteCount;
use vfs::{
    Access, Attributes, Credentials, ExtendedAttributes, FileKind, FileOps, Inode, Metadata, NewNode,
    SetAttributes, file_capabilities,
};

use super::Volume;
use super::contents::{Contents, PAGE_BYTES};
use super::directory::Entries;
use super::rename;
use crate::devfs;

/// Bytes that Linux counts for each name in a directory.
const ENTRY_BYTES: u64 = 20;

/// An inode: also its own open file and page cache, which all openings share.
pub(super) struct Node {
    pub(super) volume: Arc<Volume>,
    pub(super) number: u64,
    pub(super) attributes: Attributes,
    pub(super) extended: ExtendedAttributes,
    pub(super) body: Body,
}

/// What an inode holds, by kind.
pub(super) enum Body {
    /// A regular file.
    File(File),
    /// A directory.
    Directory(Directory),
    /// The target of a symbolic link.
    Link(Box<[u8]>),
    /// A device by number.
    Device(FileKind, u64),
    /// A FIFO; the pipe exists while somebody has it open.
    Fifo(SpinLock<Weak<Pipe>>),
    /// A socket's name.
    Socket,
}

/// A regular file.
pub(super) struct File {
    pub(super) contents: Contents,
    writes: WriteCount,
}

/// A directory.
pub(super) struct Directory {
    pub(super) entries: Mutex<Entries>,
    /// Inode number of `..`.
    pub(super) parent: AtomicU64,
}

impl File {
    fn new(seals: SealFlags) -> Self {
        Self {
            contents: Contents::new(seals),
            writes: WriteCount::new(),
        }
    }
}

impl Node {
    /// Makes an inode; `target` is a symbolic link's.
    ///
    /// # Errors
    /// ENOSPC, ENOMEM.
    pub(super) fn new(
        volume: &Arc<Volume>,
        node: &NewNode,
        parent: u64,
        target: &[u8],
    ) -> Result<Arc<Self>, Errno> {
        let charge = volume.budget.charge_inode()?;
        let body = match node.kind {
            FileKind::Regular => Body::File(File::new(SealFlags::SEAL)),
            FileKind::Directory => Body::Directory(Directory {
                entries: Mutex::new(Rank::Inode, Entries::new()),
                parent: AtomicU64::new(parent),
            }),
            FileKind::SymbolicLink => Body::Link(copy(target)?),
            FileKind::CharacterDevice | FileKind::BlockDevice => Body::Device(node.kind, node.rdev),
            FileKind::Fifo => Body::Fifo(SpinLock::new(Rank::FileSystem, Weak::new())),
            FileKind::Socket => Body::Socket,
        };
        charge.keep();
        Ok(Self::with_body(volume, node, body))
    }

    /// Makes a regular file that is in no directory and has these seals.
    ///
    /// # Errors
    /// ENOSPC, ENOMEM.
    pub(super) fn unnamed(
        volume: &Arc<Volume>,
        node: &NewNode,
        seals: SealFlags,
    ) -> Result<Arc<Self>, Errno> {
        volume.budget.charge_inode()?.keep();
        let node = Self::with_body(volume, node, Body::File(File::new(seals)));
        node.attributes.remove_link();
        Ok(node)
    }

    /// Makes an inode that is charged already.
    fn with_body(volume: &Arc<Volume>, node: &NewNode, body: Body) -> Arc<Self> {
        let number = volume.next_number.fetch_add(1, Ordering::Relaxed);
        let volume = volume.clone();
        Arc::new(Self {
            volume,
            number,
            attributes: Attributes::new(node),
            extended: ExtendedAttributes::new(),
            body,
        })
    }

    /// Recognises an inode of this file system among all.
    ///
    /// # Errors
    /// EXDEV for one of another file system.
    pub(super) fn of(&self, inode: &Arc<dyn Inode>) -> Result<Arc<Self>, Errno> {
        let any: Arc<dyn Any + Send + Sync> = inode.clone();
        let node = any.downcast::<Self>().map_err(|_| Errno::EXDEV)?;
        if Arc::ptr_eq(&node.volume, &self.volume) {
            Ok(node)
        } else {
            Err(Errno::EXDEV)
        }
    }

    pub(super) fn directory(&self) -> Result<&Directory, Errno> {
        match &self.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory(_))
    }

    /// Adds an inode that `make` makes under a new name.
    fn add(
        &self,
        name: &[u8],
        make: impl FnOnce() -> Result<Arc<Self>, Errno>,
    ) -> Result<Arc<dyn Inode>, Errno> {
        let mut entries = self.directory()?.entries.lock();
        let room = entries.room(name)?;
        let node = make()?;
        entries.insert(room, node.clone());
        drop(entries);
        if node.is_directory() {
            self.attributes.add_link();
        }
        self.attributes.note_modification();
        Ok(node)
    }

    fn open_fifo(pipe: &SpinLock<Weak<Pipe>>, credentials: &Credentials) -> Result<Arc<Pipe>, Errno> {
        if let Some(pipe) = pipe.lock().upgrade() {
            return Ok(pipe);
        }
        let new = Pipe::new(credentials).ok_or(Errno::ENOMEM)?;
        let mut slot = pipe.lock();
        // Another opener may have been faster. The pipe that is then too much takes locks at its end.
        let faster = slot.upgrade();
        if faster.is_none() {
            *slot = Arc::downgrade(&new);
        }
        drop(slot);
        Ok(faster.unwrap_or(new))
    }
}

impl Inode for Node {
    fn kind(&self) -> FileKind {
        match &self.body {
            Body::File(_) => FileKind::Regular,
            Body::Directory(_) => FileKind::Directory,
            Body::Link(_) => FileKind::SymbolicLink,
            Body::Device(kind, _) => *kind,
            Body::Fifo(_) => FileKind::Fifo,
            Body::Socket => FileKind::Socket,
        }
    }

    fn access(&self) -> Access {
        self.attributes.access()
    }

    fn metadata(&self) -> Metadata {
        let mut metadata = self.attributes.metadata(self.kind());
        metadata.device = self.volume.device;
        metadata.inode = self.number;
        match &self.body {
            Body::File(file) => {
                metadata.size = file.contents.size();
                metadata.blocks = file.contents.stored_pages() * (PAGE_BYTES as u64 / 512);
            }
            Body::Directory(directory) => {
                metadata.size = (directory.entries.lock().len() as u64 + 2) * ENTRY_BYTES;
            }
            Body::Link(target) => metadata.size = target.len() as u64,
            Body::Device(_, rdev) => metadata.rdev = *rdev,
            Body::Fifo(_) | Body::Socket => {}
        }
        metadata
    }

    fn set_attributes(&self, changes: &SetAttributes) -> Result<(), Errno> {
        if let (Body::File(file), Some(mode)) = (&self.body, changes.mode) {
            let executable = (self.attributes.access().mode ^ mode) & 0o111 != 0;
            if executable && file.contents.seals().get().contains(SealFlags::EXEC) {
                return Err(Errno::EPERM);
            }
        }
        self.attributes.set(changes);
        Ok(())
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let node = self
            .directory()?
            .entries
            .lock()
            .get(name)
            .cloned()
            .ok_or(Errno::ENOENT)?;
        Ok(node)
    }

    fn create(&self, name: &[u8], node: &NewNode) -> Result<Arc<dyn Inode>, Errno> {
        self.add(name, || Self::new(&self.volume, node, self.number, b""))
    }

    fn create_unnamed(&self, node: &NewNode) -> Result<Arc<dyn Inode>, Errno> {
        let node = Self::new(&self.volume, node, self.number, b"")?;
        node.attributes.remove_link();
        Ok(node)
    }

    fn symlink(&self, name: &[u8], target: &[u8], node: &NewNode) -> Result<Arc<dyn Inode>, Errno> {
        self.add(name, || Self::new(&self.volume, node, self.number, target))
    }

    fn link(&self, name: &[u8], inode: &Arc<dyn Inode>) -> Result<(), Errno> {
        let node = self.of(inode)?;
        if node.is_directory() {
            return Err(Errno::EPERM);
        }
        self.add(name, || {
            node.attributes.add_link();
            Ok(node.clone())
        })
        .map(drop)
    }

    fn unlink(&self, name: &[u8]) -> Result<(), Errno> {
        let mut entries = self.directory()?.entries.lock();
        if entries.get(name).ok_or(Errno::ENOENT)?.is_directory() {
            return Err(Errno::EISDIR);
        }
        let node = entries.remove(name);
        drop(entries);
        self.attributes.note_modification();
        if let Some(node) = node {
            node.attributes.remove_link();
        }
        Ok(())
    }

    fn rmdir(&self, name: &[u8]) -> Result<(), Errno> {
        let mut entries = self.directory()?.entries.lock();
        let child = entries.get(name).ok_or(Errno::ENOENT)?.clone();
        rename::retire(&child)?;
        entries.remove(name);
        drop(entries);
        self.attributes.remove_link();
        self.attributes.note_modification();
        Ok(())
    }

    fn rename(
        &self,
        name: &[u8],
        new_directory: &Arc<dyn Inode>,
        new_name: &[u8],
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let new_directory = self.of(new_directory)?;
        rename::rename(self, name, &new_directory, new_name, flags)
    }

    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        match &self.body {
            Body::Link(target) => copy(target).map(Vec::from),
            _ => Err(Errno::EINVAL),
        }
    }

    fn truncate(&self, size: u64) -> Result<(), Errno> {
        let Body::File(file) = &self.body else {
            return Err(if self.is_directory() {
                Errno::EISDIR
            } else {
                Errno::EINVAL
            });
        };
        let gone = file.contents.truncate(&self.volume.budget, size)?;
        file.contents.mappings.unmap(self.object(), gone, Copies::Drop);
        self.attributes.note_modification();
        Ok(())
    }

    fn open(self: Arc<Self>, flags: OpenFlags, credentials: &Credentials) -> sync::Result<Arc<dyn FileOps>> {
        match &self.body {
            Body::File(_) | Body::Directory(_) => Ok(self),
            Body::Device(kind, rdev) => devfs::open_device(*kind, *rdev, flags, credentials),
            Body::Fifo(pipe) => Self::open_fifo(pipe, credentials)?.open(flags),
            Body::Link(_) => Err(Errno::ELOOP.into()),
            Body::Socket => Err(Errno::ENXIO.into()),
        }
    }

    fn pager(self: Arc<Self>) -> Option<Arc<dyn Pager>> {
        match &self.body {
            Body::File(_) => Some(self),
            _ => None,
        }
    }

    fn seals(&self) -> Option<SealFlags> {
        match &self.body {
            Body::File(file) => Some(file.contents.seals().get()),
            _ => None,
        }
    }

    fn add_seals(&self, seals: SealFlags) -> Result<(), Errno> {
        match &self.body {
            Body::File(file) => file.contents.add_seals(seals, self.attributes.access().mode),
            _ => Err(Errno::EINVAL),
        }
    }

    fn note_access(&self) {
        self.attributes.note_access();
    }

    fn clear_set_id(&self) {
        self.attributes.clear_set_id();
    }

    fn extended_attribute(&self, name: &[u8]) -> Result<Vec<u8>, Errno> {
        self.get_extended(name)
    }

    fn set_extended_attribute(&self, name: &[u8], value: &[u8], flags: XattrFlags) -> Result<(), Errno> {
        self.set_extended(name, value, flags)
    }

    fn remove_extended_attribute(&self, name: &[u8]) -> Result<(), Errno> {
        self.remove_extended(name)
    }

    fn extended_attribute_names(&self, visit: &mut dyn FnMut(&[u8])) {
        self.extended.names(visit);
    }

    fn clear_capabilities(&self) {
        if self.extended.has_capabilities() {
            // Somebody else may have been faster.
            let _gone = self.remove_extended(file_capabilities::NAME);
        }
    }

    fn caches_absence(&self) -> bool {
        !self.volume.has_drivers
    }

    fn write_count(&self) -> Option<&WriteCount> {
        match &self.body {
            Body::File(file) => Some(&file.writes),
            _ => None,
        }
    }
}

impl Drop for Node {
    /// Gives back what the inode has cost. What is left in a directory, at unmount, goes one by one: a deep
    /// tree must not use up the kernel's stack.
    fn drop(&mut self) {
        self.volume.budget.uncharge_inode();
        self.uncharge_extended();
        match &mut self.body {
            Body::File(file) => file.contents.release(&self.volume.budget),
            Body::Directory(directory) => {
                let mut left = Vec::new();
                take_all(directory.entries.get_mut(), &mut left);
                while let Some(node) = left.pop() {
                    let Some(mut node) = Arc::into_inner(node) else {
                        continue;
                    };
                    if let Body::Directory(directory) = &mut node.body {
                        take_all(directory.entries.get_mut(), &mut left);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Moves a directory's inodes to the list of those that go. Without memory for it they stay, and go with the
/// directory.
fn take_all(entries: &mut Entries, left: &mut Vec<Arc<Node>>) {
    if left.try_reserve(entries.len()).is_ok() {
        left.extend(entries.drain());
    }
}

/// Copies bytes whose number a program chose.
fn copy(bytes: &[u8]) -> Result<Box<[u8]>, Errno> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| Errno::ENOMEM)?;
    copy.extend_from_slice(bytes);
    Ok(copy.into_boxed_slice())
}
