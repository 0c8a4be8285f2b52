//! How much of what users may have: the limits under /proc/sys/fs, and what is counted against them.
//!
//! A [`Share`] is taken where a thing is made and kept with it, so that it returns whichever way the thing goes.

use alloc::collections::BTreeMap;
use core::ops::RangeInclusive;
use core::sync::atomic::{AtomicUsize, Ordering};

use hal::PAGE_SIZE;
use los_abi::inotify::{INOTIFY_DEFAULT_INSTANCES, INOTIFY_DEFAULT_QUEUED_EVENTS};
use sync::{Once, Rank, SpinLock};

/// A limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// Events of inotify that wait to be read, by instance.
    InotifyQueuedEvents,
    /// Instances of inotify, by user.
    InotifyInstances,
    /// Watches of inotify, by user.
    InotifyWatches,
    /// Members of sets (epoll), by user.
    EpollWatches,
    /// Pages of pipes, by user, from which on new pipes are small; 0 is no limit.
    PipePagesSoft,
    /// Pages of pipes, by user; 0 is no limit.
    PipePagesHard,
    /// Bytes of one pipe.
    PipeBytes,
    /// Open files of all users.
    OpenFiles,
}

/// The part of memory that a user's watches may take, what each is reckoned to, and the least and most of them.
const INOTIFY_PART_OF_MEMORY: usize = 100;
const INOTIFY_WATCH_BYTES: usize = 1280;
const INOTIFY_WATCHES: RangeInclusive<usize> = 8192..=1 << 20;
/// As many as 1024 pipes have, the default number of a process's descriptors.
const DEFAULT_PIPE_PAGES: usize = 1024 * 16;
const DEFAULT_PIPE_BYTES: usize = 1 << 20;
/// Least number of open files (`NR_FILE`).
const LEAST_OPEN_FILES: usize = 8192;
/// The part of memory that open files may take, and how much each is reckoned to.
const FILES_PART_OF_MEMORY: usize = 10;
const FILE_BYTES: usize = 1024;
/// The part of memory that a user's members of sets may take.
const EPOLL_PART_OF_MEMORY: usize = 25;
/// Stands for a limit that nobody has set and that memory decides.
const BY_MEMORY: usize = usize::MAX;

static LIMITS: [AtomicUsize; 8] = [
    AtomicUsize::new(INOTIFY_DEFAULT_QUEUED_EVENTS),
    AtomicUsize::new(INOTIFY_DEFAULT_INSTANCES),
    AtomicUsize::new(BY_MEMORY),
    AtomicUsize::new(BY_MEMORY),
    AtomicUsize::new(DEFAULT_PIPE_PAGES),
    AtomicUsize::new(0),
    AtomicUsize::new(DEFAULT_PIPE_BYTES),
    AtomicUsize::new(BY_MEMORY),
];

/// Returns a limit.
pub fn limit(which: Limit) -> usize {
    match LIMITS[which as usize].load(Ordering::Relaxed) {
        BY_MEMORY => by_memory(which),
        set => set,
    }
}

/// Sets a limit.
pub fn set_limit(which: Limit, value: usize) {
    LIMITS[which as usize].store(value, Ordering::Relaxed);
}

/// Returns what Linux computes from the memory that there is, by what a thing costs here.
fn by_memory(which: Limit) -> usize {
    static PAGES: Once<usize> = Once::new();
    let bytes = *PAGES.call_once(|| mm::frames::statistics().total_pages) * PAGE_SIZE;
    match which {
        Limit::InotifyWatches => (bytes / INOTIFY_PART_OF_MEMORY / INOTIFY_WATCH_BYTES)
            .clamp(*INOTIFY_WATCHES.start(), *INOTIFY_WATCHES.end()),
        Limit::EpollWatches => bytes / EPOLL_PART_OF_MEMORY / crate::epoll::MEMBER_BYTES,
        Limit::OpenFiles => LEAST_OPEN_FILES.max(bytes / FILES_PART_OF_MEMORY / FILE_BYTES),
        _ => BY_MEMORY,
    }
}

/// What is counted by user.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Resource {
    /// Instances of inotify.
    InotifyInstances,
    /// Watches of inotify.
    InotifyWatches,
    /// Members of sets (epoll).
    EpollWatches,
    /// Pages of pipes.
    PipePages,
}

static USED: SpinLock<BTreeMap<(u32, Resource), usize>> = SpinLock::new(Rank::FileSystem, BTreeMap::new());

/// What one thing takes of a user's, until it is dropped.
pub(crate) struct Share {
    user: u32,
    what: Resource,
    amount: usize,
}

impl Share {
    /// Takes one; `None` if the user has so many already.
    pub(crate) fn take_one(user: u32, what: Resource, most: usize) -> Option<Self> {
        let mut used = USED.lock();
        let count = used.get(&(user, what)).copied().unwrap_or(0);
        if count >= most {
            return None;
        }
        used.insert((user, what), count + 1);
        Some(Self {
            user,
            what,
            amount: 1,
        })
    }

    /// Makes a share of nothing.
    pub(crate) fn none(user: u32, what: Resource) -> Self {
        Self {
            user,
            what,
            amount: 0,
        }
    }

    /// Returns its size.
    pub(crate) fn amount(&self) -> usize {
        self.amount
    }

    /// Changes its size, and returns what the user has in all then.
    pub(crate) fn set(&mut self, amount: usize) -> usize {
        let mut used = USED.lock();
        let count = used.entry((self.user, self.what)).or_insert(0);
        *count = *count - self.amount + amount;
        self.amount = amount;
        *count
    }

    /// Returns what the user has in all.
    pub(crate) fn of_user(&self) -> usize {
        USED.lock().get(&(self.user, self.what)).copied().unwrap_or(0)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let key = (self.user, self.what);
        let mut used = USED.lock();
        if let Some(count) = used.get_mut(&key) {
            *count -= self.amount;
            if *count == 0 {
                used.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_can_be_taken_again() {
        const USER: u32 = 71_101;
        let take = |user| Share::take_one(user, Resource::EpollWatches, 2);
        let shares = [take(USER), take(USER)];
        assert!(shares.iter().all(Option::is_some));
        assert!(take(USER).is_none());
        assert!(take(USER + 1).is_some());
        let [first, _second] = shares;
        drop(first);
        assert!(take(USER).is_some());
    }
}
