//! How much of watching a user may do: /proc/sys/fs/inotify.

use alloc::collections::BTreeMap;
use core::sync::atomic::{AtomicUsize, Ordering};

use los_abi::errno::Errno;
use los_abi::inotify::{INOTIFY_DEFAULT_INSTANCES, INOTIFY_DEFAULT_QUEUED_EVENTS};
use sync::{Rank, SpinLock};

/// A limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// Events that wait to be read, by instance.
    QueuedEvents,
    /// Instances, by user.
    Instances,
    /// Watches, by user.
    Watches,
}

/// Least of what Linux computes from the memory that there is.
const DEFAULT_WATCHES: usize = 8192;

static LIMITS: [AtomicUsize; 3] = [
    AtomicUsize::new(INOTIFY_DEFAULT_QUEUED_EVENTS),
    AtomicUsize::new(INOTIFY_DEFAULT_INSTANCES),
    AtomicUsize::new(DEFAULT_WATCHES),
];

/// Returns a limit.
pub fn limit(which: Limit) -> usize {
    LIMITS[which as usize].load(Ordering::Relaxed)
}

/// Sets a limit.
pub fn set_limit(which: Limit, value: usize) {
    LIMITS[which as usize].store(value, Ordering::Relaxed);
}

/// What users have, by user and kind.
static USED: SpinLock<BTreeMap<(u32, u8), usize>> = SpinLock::new(Rank::FileSystem, BTreeMap::new());

/// One instance or watch of a user's, until it is dropped.
pub(super) struct Share {
    user: u32,
    which: Limit,
}

impl Share {
    /// # Errors
    /// EMFILE for an instance, ENOSPC for a watch beyond the limit.
    pub(super) fn take(user: u32, which: Limit) -> Result<Self, Errno> {
        let mut used = USED.lock();
        let count = used.entry((user, which as u8)).or_insert(0);
        if *count >= limit(which) {
            return Err(match which {
                Limit::Instances => Errno::EMFILE,
                Limit::QueuedEvents | Limit::Watches => Errno::ENOSPC,
            });
        }
        *count += 1;
        Ok(Self { user, which })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let key = (self.user, self.which as u8);
        let mut used = USED.lock();
        if let Some(count) = used.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                used.remove(&key);
            }
        }
    }
}
