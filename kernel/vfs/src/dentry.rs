//! The name cache: names that were looked up, with the inodes that they stand for, or the knowledge that
//! there is none.
//!
//! A directory's dentry holds its cached children, a child its parent. What a dentry stands for never
//! changes: making or removing a name replaces it, so the inode is read without a lock. Only its place (name
//! and parent) changes, by rename. The cache is bounded: beyond a limit, names that nobody uses are dropped
//! in the order of a clock.

mod cache;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hashbrown::HashTable;
use los_abi::errno::Errno;
use sync::{Mutex, MutexGuard, Rank, SpinLock};

use crate::attributes::FileKind;
use crate::inode::Inode;
use crate::name;
use crate::notify;

pub use cache::drop_unused_names;

/// A name. Without an inode it is negative: the name is known not to exist.
pub struct Dentry {
    inode: Option<Arc<dyn Inode>>,
    kind: Option<FileKind>,
    place: SpinLock<Place>,
    directory: Option<Box<Directory>>,
    /// Mounts whose mount point this is.
    mounts: AtomicU32,
    /// Whether the name has been removed.
    is_removed: AtomicBool,
    /// Whether the name was looked up since the clock's hand passed.
    is_used: AtomicBool,
}

struct Place {
    name: Arc<[u8]>,
    parent: Option<Arc<Dentry>>,
}

/// What only directories have.
struct Directory {
    children: SpinLock<HashTable<Child>>,
    /// Held while names are looked up in or changed by the file system.
    lock: Mutex<()>,
}

struct Child {
    hash: u64,
    name: Arc<[u8]>,
    dentry: Arc<Dentry>,
}

impl Dentry {
    /// Makes a root, or the name of something that is in no directory.
    pub fn detached(name: &[u8], inode: Arc<dyn Inode>) -> Arc<Self> {
        Self::new(Arc::from(name), None, Some(inode))
    }

    fn new(name: Arc<[u8]>, parent: Option<Arc<Self>>, inode: Option<Arc<dyn Inode>>) -> Arc<Self> {
        let kind = inode.as_ref().map(|inode| inode.kind());
        let directory = (kind == Some(FileKind::Directory)).then(|| {
            Box::new(Directory {
                children: SpinLock::new(Rank::Dentry, HashTable::new()),
                lock: Mutex::new(Rank::Inode, ()),
            })
        });
        Arc::new(Self {
            inode,
            kind,
            place: SpinLock::new(Rank::Dentry, Place { name, parent }),
            directory,
            mounts: AtomicU32::new(0),
            is_removed: AtomicBool::new(false),
            is_used: AtomicBool::new(false),
        })
    }

    /// Returns the inode; `None` if the name does not exist.
    #[inline]
    pub fn inode(&self) -> Option<&Arc<dyn Inode>> {
        self.inode.as_ref()
    }

    /// Returns the inode's kind; `None` if the name does not exist.
    #[inline]
    pub fn kind(&self) -> Option<FileKind> {
        self.kind
    }

    /// Returns the last component; empty for a root.
    pub fn name(&self) -> Arc<[u8]> {
        self.place.lock().name.clone()
    }

    /// Returns the directory that holds the name; `None` for a root.
    pub fn parent(&self) -> Option<Arc<Self>> {
        self.place.lock().parent.clone()
    }

    /// Tells whether the name has been removed while the file is still in use.
    pub fn is_removed(&self) -> bool {
        self.is_removed.load(Ordering::Acquire)
    }

    /// Tells whether something is mounted here.
    #[inline]
    pub(crate) fn is_mount_point(&self) -> bool {
        self.mounts.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn note_mount(&self) {
        self.mounts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_unmount(&self) {
        self.mounts.fetch_sub(1, Ordering::Relaxed);
    }

    /// Tells whether this is `ancestor` or below it in the same file system.
    pub(crate) fn is_within(self: &Arc<Self>, ancestor: &Arc<Self>) -> bool {
        let mut current = self.clone();
        while !Arc::ptr_eq(&current, ancestor) {
            match current.parent() {
                Some(parent) => current = parent,
                None => return false,
            }
        }
        true
    }

    fn directory(&self) -> Result<&Directory, Errno> {
        self.directory.as_deref().ok_or(Errno::ENOTDIR)
    }

    /// Keeps others from looking up or changing this directory's names in the file system.
    ///
    /// # Errors
    /// ENOTDIR.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, ()>, Errno> {
        Ok(self.directory()?.lock.lock())
    }

    /// Finds a name in the cache.
    #[inline]
    fn cached(&self, name: &[u8], hash: u64) -> Option<Arc<Self>> {
        let children = self.directory.as_ref()?.children.lock();
        let child = children.find(hash, |child| child.hash == hash && *child.name == *name)?;
        if !child.dentry.is_used.load(Ordering::Relaxed) {
            child.dentry.is_used.store(true, Ordering::Relaxed);
        }
        Some(child.dentry.clone())
    }

    /// Tells whether the cache knows that a name exists.
    pub(crate) fn knows(&self, name: &[u8], hash: u64) -> bool {
        self.cached(name, hash).is_some_and(|child| child.inode.is_some())
    }

    /// Finds a name in this directory; the result may be negative.
    ///
    /// # Errors
    /// ENOTDIR, ENAMETOOLONG, and those of the file system but for ENOENT.
    #[inline]
    pub(crate) fn child(self: &Arc<Self>, name: &[u8], hash: u64) -> Result<Arc<Self>, Errno> {
        if let Some(child) = self.cached(name, hash) {
            return Ok(child);
        }
        let _guard = self.lock()?;
        if let Some(child) = self.cached(name, hash) {
            return Ok(child);
        }
        let inode = self.ask(name)?;
        let caches = match (&inode, &self.inode) {
            (Some(inode), _) => inode.is_cacheable(),
            (None, Some(directory)) => directory.caches_absence() && !self.is_removed(),
            (None, None) => false,
        };
        Ok(if caches {
            self.remember(name, inode)
        } else {
            self.unremembered(name, inode)
        })
    }

    /// Finds a name, with the directory locked by the caller, who will change it: its absence is not cached.
    ///
    /// # Errors
    /// As [`child`](Self::child).
    pub(crate) fn child_locked(self: &Arc<Self>, name: &[u8]) -> Result<Option<Arc<Self>>, Errno> {
        if let Some(child) = self.cached(name, name::hash(name)) {
            return Ok(child.inode.is_some().then_some(child));
        }
        Ok(match self.ask(name)? {
            Some(inode) if inode.is_cacheable() => Some(self.remember(name, Some(inode))),
            Some(inode) => Some(self.unremembered(name, Some(inode))),
            None => None,
        })
    }

    fn ask(&self, name: &[u8]) -> Result<Option<Arc<dyn Inode>>, Errno> {
        if name.len() > los_abi::fs::NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        match self.inode.as_ref().ok_or(Errno::ENOENT)?.lookup(name) {
            Ok(inode) => Ok(Some(inode)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn unremembered(self: &Arc<Self>, name: &[u8], inode: Option<Arc<dyn Inode>>) -> Arc<Self> {
        Self::new(Arc::from(name), Some(self.clone()), inode)
    }

    /// Enters what a name stands for from now on, with the directory locked. Without memory for the entry
    /// the name is just not cached.
    pub(crate) fn remember(self: &Arc<Self>, name: &[u8], inode: Option<Arc<dyn Inode>>) -> Arc<Self> {
        let child = self.unremembered(name, inode);
        if self.hold(&child, child.name(), name::hash(name)) {
            cache::note(&child);
        }
        child
    }

    /// Puts a child in the table, in place of one of the same name.
    fn hold(&self, child: &Arc<Self>, name: Arc<[u8]>, hash: u64) -> bool {
        let Some(directory) = &self.directory else {
            return false;
        };
        let entry = Child {
            hash,
            name,
            dentry: child.clone(),
        };
        let mut children = directory.children.lock();
        let old = take(&mut children, &entry.name, hash);
        let has_room = children.try_reserve(1, |child| child.hash).is_ok();
        if has_room {
            children.insert_unique(hash, entry, |child| child.hash);
        }
        drop(children);
        drop(old);
        has_room
    }

    /// Takes a child out of the table.
    fn release(&self, name: &[u8]) -> Option<Arc<Self>> {
        let mut children = self.directory.as_ref()?.children.lock();
        take(&mut children, name, name::hash(name)).map(|child| child.dentry)
    }

    /// Notes that `child` has lost its name in this directory, which is locked.
    pub(crate) fn forget(&self, child: &Self) {
        child.is_removed.store(true, Ordering::Release);
        let released = self.release(&child.name());
        drop(released);
        child.clear();
    }

    /// Moves `child` to another name and directory; both directories are locked. What was there is gone.
    pub(crate) fn move_to(child: &Arc<Self>, new_parent: &Arc<Self>, new_name: &[u8]) {
        let old_parent = child.parent();
        let released = old_parent
            .as_ref()
            .and_then(|parent| parent.release(&child.name()));
        drop(released);
        let name: Arc<[u8]> = Arc::from(new_name);
        Self::set_place(child, name.clone(), new_parent.clone());
        new_parent.hold(child, name, name::hash(new_name));
    }

    /// Lets two names change places; their directories are locked.
    pub(crate) fn exchange(one: &Arc<Self>, other: &Arc<Self>) {
        let (Some(one_parent), Some(other_parent)) = (one.parent(), other.parent()) else {
            return;
        };
        let (one_name, other_name) = (one.name(), other.name());
        Self::set_place(one, other_name.clone(), other_parent.clone());
        Self::set_place(other, one_name.clone(), one_parent.clone());
        other_parent.hold(one, other_name.clone(), name::hash(&other_name));
        one_parent.hold(other, one_name.clone(), name::hash(&one_name));
    }

    fn set_place(child: &Self, name: Arc<[u8]>, parent: Arc<Self>) {
        let mut place = child.place.lock();
        let old = core::mem::replace(
            &mut *place,
            Place {
                name,
                parent: Some(parent),
            },
        );
        drop(place);
        drop(old);
    }

    /// Drops everything cached below; what is in use stays alive by itself.
    pub(crate) fn clear(&self) {
        let mut pending: Vec<Arc<Self>> = self.release_all();
        while let Some(child) = pending.pop() {
            pending.append(&mut child.release_all());
        }
    }

    fn release_all(&self) -> Vec<Arc<Self>> {
        let Some(directory) = &self.directory else {
            return Vec::new();
        };
        let children = core::mem::take(&mut *directory.children.lock());
        children.into_iter().map(|child| child.dentry).collect()
    }

    /// Drops this name from the cache if nobody uses it; `this` is one reference of the two it then has.
    fn evict(this: Arc<Self>) {
        let Some(parent) = this.parent() else {
            return;
        };
        let Some(directory) = &parent.directory else {
            return;
        };
        let name = this.name();
        let mut children = directory.children.lock();
        // The table's and ours: with the table locked, nobody can come by a third one.
        let evicted = (Arc::strong_count(&this) == 2).then(|| take(&mut children, &name, name::hash(&name)));
        drop(children);
        drop(evicted);
    }
}

fn take(children: &mut HashTable<Child>, name: &[u8], hash: u64) -> Option<Child> {
    let found = children.find_entry(hash, |child| child.hash == hash && *child.name == *name);
    found.ok().map(|entry| entry.remove().0)
}

impl Drop for Dentry {
    /// Tells that a removed name is out of use, and lets go of the ancestors one after the other, since a deep tree would exhaust the stack.
    fn drop(&mut self) {
        if *self.is_removed.get_mut()
            && let Some(inode) = &self.inode
        {
            notify::unused(inode);
        }
        let mut next = self.place.get_mut().parent.take();
        while let Some(mut parent) = next.and_then(Arc::into_inner) {
            next = parent.place.get_mut().parent.take();
        }
    }
}
