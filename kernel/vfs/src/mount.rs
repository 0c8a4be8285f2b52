//! Mounts: which file system's tree continues where (mount_namespaces(7)).

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use hashbrown::HashMap;
use los_abi::errno::Errno;
use los_abi::fs::MountFlags;
use sync::{Rank, SpinLock};

use crate::dentry::Dentry;
use crate::inode::FileSystem;
use crate::notify;
use crate::path::Path;

/// A file system in use, with the root of its names. One for all of its mounts.
pub struct SuperBlock {
    file_system: Arc<dyn FileSystem>,
    root: Arc<Dentry>,
}

impl SuperBlock {
    /// Puts a file system in use.
    pub fn new(file_system: Arc<dyn FileSystem>) -> Arc<Self> {
        let root = Dentry::detached(b"", file_system.root());
        Arc::new(Self { file_system, root })
    }

    /// Returns the file system.
    pub fn file_system(&self) -> &Arc<dyn FileSystem> {
        &self.file_system
    }
}

impl Drop for SuperBlock {
    fn drop(&mut self) {
        notify::unmounted(self);
        self.root.clear();
    }
}

/// A tree of names, or a part of one, at a place in a namespace.
pub struct Mount {
    id: u64,
    superblock: Arc<SuperBlock>,
    root: Arc<Dentry>,
    source: Vec<u8>,
    flags: AtomicU32,
    namespace: Weak<Namespace>,
    /// The place that it covers; `None` for a root and for what is mounted nowhere.
    place: SpinLock<Option<Path>>,
}

/// Flags of mount(2) that stay with the mount.
const KEPT: MountFlags = MountFlags::RDONLY
    .union(MountFlags::NOSUID)
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC)
    .union(MountFlags::NOSYMFOLLOW)
    .union(MountFlags::NOATIME)
    .union(MountFlags::NODIRATIME)
    .union(MountFlags::STRICTATIME);

impl Mount {
    fn new(
        superblock: Arc<SuperBlock>,
        root: Arc<Dentry>,
        source: &[u8],
        flags: MountFlags,
        namespace: Weak<Namespace>,
    ) -> Arc<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            superblock,
            root,
            source: source.to_vec(),
            flags: AtomicU32::new(flags.intersection(KEPT).bits()),
            namespace,
            place: SpinLock::new(Rank::FileSystem, None),
        })
    }

    /// Makes a mount that is in no namespace, for files without a place.
    pub(crate) fn detached(superblock: Arc<SuperBlock>) -> Arc<Self> {
        let root = superblock.root.clone();
        Self::new(superblock, root, b"none", MountFlags::empty(), Weak::new())
    }

    /// Returns the number that tells it from all others.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the file system.
    pub fn file_system(&self) -> &Arc<dyn FileSystem> {
        &self.superblock.file_system
    }

    /// Returns the file system with its names.
    pub fn superblock(&self) -> &Arc<SuperBlock> {
        &self.superblock
    }

    /// Returns what mount(2) called the source.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// Returns the flags in force.
    #[inline]
    pub fn flags(&self) -> MountFlags {
        MountFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    pub(crate) fn set_flags(&self, flags: MountFlags) {
        self.flags
            .store(flags.intersection(KEPT).bits(), Ordering::Relaxed);
    }

    /// Tells whether nothing on it may be changed.
    #[inline]
    pub fn is_read_only(&self) -> bool {
        self.flags().contains(MountFlags::RDONLY)
    }

    /// Returns the mount's topmost directory.
    pub fn root(self: &Arc<Self>) -> Path {
        Path {
            mount: self.clone(),
            dentry: self.root.clone(),
        }
    }

    #[inline]
    pub(crate) fn root_dentry(&self) -> &Arc<Dentry> {
        &self.root
    }

    /// Returns the place that the mount covers.
    pub fn place(&self) -> Option<Path> {
        self.place.lock().clone()
    }

    /// Returns the namespace, unless it or the mount's place in it is gone.
    pub fn namespace(&self) -> Option<Arc<Namespace>> {
        self.namespace.upgrade()
    }

    /// Returns the options as /proc/mounts shows them.
    pub fn options(&self) -> Vec<u8> {
        let flags = self.flags();
        let mut options = Vec::new();
        options.extend_from_slice(if flags.contains(MountFlags::RDONLY) {
            b"ro"
        } else {
            b"rw"
        });
        let words: [(MountFlags, &[u8]); 6] = [
            (MountFlags::NOSUID, b",nosuid"),
            (MountFlags::NODEV, b",nodev"),
            (MountFlags::NOEXEC, b",noexec"),
            (MountFlags::NOATIME, b",noatime"),
            (MountFlags::NODIRATIME, b",nodiratime"),
            (MountFlags::NOSYMFOLLOW, b",nosymfollow"),
        ];
        for (flag, word) in words {
            if flags.contains(flag) {
                options.extend_from_slice(word);
            }
        }
        if !flags.intersects(MountFlags::NOATIME | MountFlags::STRICTATIME) {
            options.extend_from_slice(b",relatime");
        }
        options.extend_from_slice(&self.superblock.file_system.options());
        options
    }
}

/// A tree of mounts.
pub struct Namespace {
    table: SpinLock<Table>,
}

#[derive(Default)]
struct Table {
    /// By mount and dentry of the place covered.
    by_place: HashMap<(u64, usize), Arc<Mount>>,
    /// All, oldest first; the root comes first of all.
    list: Vec<Arc<Mount>>,
}

fn key(mount: &Mount, dentry: &Arc<Dentry>) -> (u64, usize) {
    (mount.id, Arc::as_ptr(dentry).addr())
}

impl Namespace {
    /// Makes a namespace of one mount and returns that mount's root, from which all else is found.
    pub fn new(superblock: Arc<SuperBlock>, source: &[u8], flags: MountFlags) -> (Arc<Self>, Path) {
        let namespace = Arc::new(Self {
            table: SpinLock::new(Rank::Dentry, Table::default()),
        });
        let mount = namespace.make(superblock.clone(), superblock.root.clone(), source, flags);
        namespace.table.lock().list.push(mount.clone());
        (namespace, mount.root())
    }

    fn make(
        self: &Arc<Self>,
        superblock: Arc<SuperBlock>,
        root: Arc<Dentry>,
        source: &[u8],
        flags: MountFlags,
    ) -> Arc<Mount> {
        Mount::new(superblock, root, source, flags, Arc::downgrade(self))
    }

    /// Returns all mounts, oldest first.
    pub fn mounts(&self) -> Vec<Arc<Mount>> {
        self.table.lock().list.clone()
    }

    /// Returns what is mounted right on a place.
    pub(crate) fn mounted_at(&self, mount: &Mount, dentry: &Arc<Dentry>) -> Option<Arc<Mount>> {
        self.table.lock().by_place.get(&key(mount, dentry)).cloned()
    }

    /// Mounts a file system over a place.
    ///
    /// # Errors
    /// ENOMEM; EBUSY when the same file system is mounted right there already.
    pub(crate) fn attach(
        self: &Arc<Self>,
        superblock: Arc<SuperBlock>,
        at: &Path,
        source: &[u8],
        flags: MountFlags,
    ) -> Result<Arc<Mount>, Errno> {
        let is_same = Arc::ptr_eq(&at.mount.superblock, &superblock);
        if is_same && Arc::ptr_eq(at.mount.root_dentry(), &at.dentry) && at.mount.place().is_some() {
            return Err(Errno::EBUSY);
        }
        let root = superblock.root.clone();
        let mount = self.make(superblock, root, source, flags);
        self.enter(&mount, at)?;
        Ok(mount)
    }

    /// Makes a place appear a second time (MS_BIND), with the mounts below it if `recursive` is given.
    ///
    /// # Errors
    /// ENOMEM.
    pub(crate) fn bind(self: &Arc<Self>, from: &Path, at: &Path, below: Below) -> Result<(), Errno> {
        let inner = if below == Below::Too {
            self.mounts_within(from)
        } else {
            Vec::new()
        };
        let copy = |mount: &Mount, root: &Arc<Dentry>| {
            self.make(
                mount.superblock.clone(),
                root.clone(),
                &mount.source,
                mount.flags(),
            )
        };
        let top = copy(&from.mount, &from.dentry);
        self.enter(&top, at)?;
        let mut copies = alloc::vec![(from.mount.id, top)];
        for mount in inner {
            let Some(place) = mount.place() else { continue };
            let parent = copies
                .iter()
                .find(|(id, _)| *id == place.mount.id)
                .map(|(_, copy)| copy.clone());
            let Some(parent) = parent else { continue };
            let made = copy(&mount, &mount.root);
            self.enter(
                &made,
                &Path {
                    mount: parent,
                    dentry: place.dentry,
                },
            )?;
            copies.push((mount.id, made));
        }
        Ok(())
    }

    /// Returns the mounts whose places are within `top`, outer ones first.
    fn mounts_within(&self, top: &Path) -> Vec<Arc<Mount>> {
        let mut within: Vec<Arc<Mount>> = Vec::new();
        for mount in self.mounts() {
            let Some(place) = mount.place() else { continue };
            let is_direct = Arc::ptr_eq(&place.mount, &top.mount) && place.dentry.is_within(&top.dentry);
            if is_direct || within.iter().any(|outer| Arc::ptr_eq(outer, &place.mount)) {
                within.push(mount);
            }
        }
        within
    }

    fn enter(&self, mount: &Arc<Mount>, at: &Path) -> Result<(), Errno> {
        *mount.place.lock() = Some(at.clone());
        let mut table = self.table.lock();
        table.list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        table.by_place.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        table.list.push(mount.clone());
        let covered = table.by_place.insert(key(&at.mount, &at.dentry), mount.clone());
        at.dentry.note_mount();
        drop(table);
        drop(covered);
        Ok(())
    }

    /// Takes a mount off its place. Lazily, those below go with it and what is in use lives on unseen.
    ///
    /// # Errors
    /// EINVAL for a root or what is in another namespace; EBUSY when something on it is in use.
    pub(crate) fn detach(&self, mount: &Arc<Mount>, manner: Detach) -> Result<(), Errno> {
        let place = mount.place().ok_or(Errno::EINVAL)?;
        let below = if manner == Detach::Lazily {
            self.mounts_within(&mount.root())
        } else {
            Vec::new()
        };
        for inner in below.iter().rev() {
            if let Some(place) = inner.place() {
                self.leave(inner, &place, Detach::Lazily)?;
            }
        }
        self.leave(mount, &place, manner)
    }

    fn leave(&self, mount: &Arc<Mount>, place: &Path, manner: Detach) -> Result<(), Errno> {
        // The list, the map and the caller hold one reference each; any other is a file in use or a mount
        // below.
        const UNUSED: usize = 3;
        let mut table = self.table.lock();
        let index = table
            .list
            .iter()
            .position(|other| Arc::ptr_eq(other, mount))
            .ok_or(Errno::EINVAL)?;
        if manner == Detach::IfUnused && Arc::strong_count(mount) > UNUSED {
            return Err(Errno::EBUSY);
        }
        let listed = table.list.remove(index);
        let mapped = table.by_place.remove(&key(&place.mount, &place.dentry));
        place.dentry.note_unmount();
        drop(table);
        drop((listed, mapped));
        let old = mount.place.lock().take();
        drop(old);
        Ok(())
    }

    /// Moves a mount to another place (MS_MOVE).
    ///
    /// # Errors
    /// EINVAL for a root; ELOOP for a place on the mount itself; ENOMEM.
    pub(crate) fn relocate(&self, mount: &Arc<Mount>, at: &Path) -> Result<(), Errno> {
        let place = mount.place().ok_or(Errno::EINVAL)?;
        let mut outer = Some(at.clone());
        while let Some(path) = outer {
            if Arc::ptr_eq(&path.mount, mount) {
                return Err(Errno::ELOOP);
            }
            outer = path.mount.place();
        }
        self.leave(mount, &place, Detach::Lazily)?;
        self.enter(mount, at)
    }
}

/// Whether a bind takes the mounts below along.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Below {
    /// Only the one tree.
    Not,
    /// All (MS_REC).
    Too,
}

/// How a mount is taken off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Detach {
    /// Only if nothing on it is in use.
    IfUnused,
    /// Out of sight in any case (MNT_DETACH).
    Lazily,
}
