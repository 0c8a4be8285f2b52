//! Who watches which inode: all watches, by the address of what they watch.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use los_abi::inotify::InotifyMask;
use sync::{Rank, SpinLock};

use super::queue::Inotify;
use crate::inode::Inode;

/// A watch of one inode, which it keeps in memory.
pub(crate) struct Watch {
    /// Ascending over all watches ever.
    id: u64,
    pub(super) wd: i32,
    group: Weak<Inotify>,
    pub(super) inode: Arc<dyn Inode>,
    /// Identity of the file system in use that it is on.
    superblock: usize,
    /// What is watched for, with `ONESHOT` and `EXCL_UNLINK`.
    mask: AtomicU32,
}

static WATCHES: SpinLock<BTreeMap<(usize, u64), Arc<Watch>>> =
    SpinLock::new(Rank::FileSystem, BTreeMap::new());

/// Returns the first watch of an inode with at least this id.
pub(super) fn next(inode: &Arc<dyn Inode>, id: u64) -> Option<Arc<Watch>> {
    let address = address(inode);
    let watches = WATCHES.lock();
    let found = watches.range((address, id)..=(address, u64::MAX)).next();
    found.map(|(_, watch)| watch.clone())
}

/// Returns a watch on a file system, given by its identity.
pub(super) fn any_on(superblock: usize) -> Option<Arc<Watch>> {
    let watches = WATCHES.lock();
    watches
        .values()
        .find(|watch| watch.superblock == superblock)
        .cloned()
}

fn address(inode: &Arc<dyn Inode>) -> usize {
    Arc::as_ptr(inode).cast::<u8>().addr()
}

impl Watch {
    pub(super) fn new(
        group: &Weak<Inotify>,
        wd: i32,
        inode: &Arc<dyn Inode>,
        superblock: usize,
        mask: InotifyMask,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            wd,
            group: group.clone(),
            inode: inode.clone(),
            superblock,
            mask: AtomicU32::new(mask.bits()),
        })
    }

    /// Enters the watch, unless its reader has one of the inode, which is then returned.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Arc<Self>> {
        let address = address(&self.inode);
        let mut watches = WATCHES.lock();
        let known = watches
            .range((address, 0)..=(address, u64::MAX))
            .find(|(_, other)| other.group.ptr_eq(&self.group));
        if let Some((_, known)) = known {
            return Some(known.clone());
        }
        watches.insert((address, self.id), self.clone());
        super::LISTENERS.fetch_add(1, Ordering::SeqCst);
        None
    }

    /// Takes the watch off; events that are under way may still arrive.
    pub(super) fn leave(&self) {
        let mut watches = WATCHES.lock();
        let removed = watches.remove(&(address(&self.inode), self.id));
        drop(watches);
        super::LISTENERS.fetch_sub(usize::from(removed.is_some()), Ordering::SeqCst);
        drop(removed);
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn group(&self) -> Option<Arc<Inotify>> {
        self.group.upgrade()
    }

    pub(super) fn mask(&self) -> InotifyMask {
        InotifyMask::from_bits_retain(self.mask.load(Ordering::Relaxed))
    }

    /// Replaces what is watched for, or adds to it.
    pub(super) fn set_mask(&self, mask: InotifyMask, adds: bool) {
        if adds {
            self.mask.fetch_or(mask.bits(), Ordering::Relaxed);
        } else {
            self.mask.store(mask.bits(), Ordering::Relaxed);
        }
    }
}
