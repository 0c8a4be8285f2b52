//! Which files of a set are to be looked at: wake-ups put a file on the list, looks take it off.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::poll::{EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLWAKEUP, PollEvents};
use sync::{News, Rank, SpinLock, Unpark, WaitQueue};

use crate::file::OpenFile;

/// Bits that say how something is wanted; a one-shot has only these after its report.
pub(super) const MANNER: u32 = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP;

/// What tells the members of a set apart: the descriptor's number, and the address of the open file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    fd: i32,
    file: usize,
}

impl Key {
    pub(super) fn new(fd: i32, file: &Arc<OpenFile>) -> Self {
        let file = Arc::as_ptr(file).addr();
        Self { fd, file }
    }

    /// Returns what no key of a descriptor with this number comes before.
    pub(super) fn first_of(fd: i32) -> Self {
        Self { fd, file: 0 }
    }

    /// Tells whether the descriptor had this number.
    pub(super) fn is_of(&self, fd: i32) -> bool {
        self.fd == fd
    }
}

/// The list, and those who are told when something comes to it.
pub(super) struct Ready {
    /// Has room for every member, since wake-ups cannot fail.
    list: SpinLock<VecDeque<Key>>,
    /// Threads that wait for events; one is enough for one of them.
    pub(super) takers: WaitQueue,
    /// Those who poll the set, other sets among them.
    pub(super) pollers: Arc<WaitQueue>,
}

impl Ready {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            list: SpinLock::new(Rank::Epoll, VecDeque::new()),
            takers: WaitQueue::new(),
            pollers: Arc::new(WaitQueue::new()),
        })
    }

    /// Makes room for so many members.
    ///
    /// # Errors
    /// ENOMEM.
    pub(super) fn reserve(&self, members: usize) -> Result<(), Errno> {
        let mut list = self.list.lock();
        let more = members.saturating_sub(list.len());
        list.try_reserve(more).map_err(|_| Errno::ENOMEM)
    }

    pub(super) fn len(&self) -> usize {
        self.list.lock().len()
    }

    /// Returns who is to be looked at first. It stays on the list until its mark is settled.
    pub(super) fn first(&self) -> Option<Key> {
        self.list.lock().front().copied()
    }
}

/// A member's place in the queues of its file: what wakes a thread there lists the member here.
///
/// The fields that change do so with the list locked.
pub(super) struct Mark {
    ready: Arc<Ready>,
    key: Key,
    is_listed: AtomicBool,
    /// Whether the member has left the set. Wake-ups that were under way may still arrive.
    is_gone: AtomicBool,
    /// What is wanted of the file, and how.
    wanted: AtomicU32,
    /// How many wake-ups there were.
    news: AtomicU64,
}

/// What becomes of a member after a look, unless there is news of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum After {
    /// It waits for the next wake-up.
    Off,
    /// It is looked at again, after all others.
    Last,
}

impl Mark {
    pub(super) fn new(ready: &Arc<Ready>, key: Key, wanted: u32) -> Arc<Self> {
        Arc::new(Self {
            wanted: AtomicU32::new(wanted),
            ready: ready.clone(),
            key,
            is_listed: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            news: AtomicU64::new(0),
        })
    }

    /// Returns what is wanted.
    pub(super) fn wanted(&self) -> u32 {
        self.wanted.load(Ordering::SeqCst)
    }

    /// Changes what is wanted.
    pub(super) fn set_wanted(&self, wanted: u32) {
        self.wanted.store(wanted, Ordering::SeqCst);
    }

    /// Tells whether a set that shares its wake-ups with others has somebody to take this one, as Linux has it: a
    /// thread that waits, for what the news is about.
    fn takes(&self, news: News) -> bool {
        let sides = (PollEvents::IN | PollEvents::OUT).bits();
        let told = news.0 & sides;
        let is_wanted = told == 0 || told != sides && u32::from(told) & self.wanted() != 0;
        is_wanted && self.ready.takers.has_waiters()
    }

    /// Returns how many wake-ups there were. Asked before the file is looked at.
    pub(super) fn news(&self) -> u64 {
        self.news.load(Ordering::SeqCst)
    }

    /// Does what follows from a look that was made after `seen` wake-ups.
    pub(super) fn settle(&self, seen: u64, after: After) {
        let mut list = self.ready.list.lock();
        self.unlist(&mut list);
        let stays = after == After::Last || self.news.load(Ordering::SeqCst) != seen;
        if stays && !self.is_gone.load(Ordering::Relaxed) {
            list.push_back(self.key);
            self.is_listed.store(true, Ordering::Relaxed);
        }
    }

    /// Takes the member off the list for good.
    pub(super) fn leave(&self) {
        let mut list = self.ready.list.lock();
        self.is_gone.store(true, Ordering::Relaxed);
        self.unlist(&mut list);
    }

    fn unlist(&self, list: &mut VecDeque<Key>) {
        if !self.is_listed.swap(false, Ordering::Relaxed) {
            return;
        }
        if list.front() == Some(&self.key) {
            list.pop_front();
        } else if let Some(place) = list.iter().position(|key| *key == self.key) {
            list.remove(place);
        }
    }
}

impl Unpark for Mark {
    fn unpark(&self) {
        self.unpark_for(News::ANY);
    }

    fn unpark_for(&self, news: News) -> bool {
        let wanted = self.wanted();
        let is_concerned = news == News::ANY || wanted & u32::from(news.0) != 0;
        if !is_concerned || wanted & !MANNER == 0 {
            return false;
        }
        let mut list = self.ready.list.lock();
        if self.is_gone.load(Ordering::Relaxed) {
            return false;
        }
        self.news.fetch_add(1, Ordering::SeqCst);
        if !self.is_listed.swap(true, Ordering::Relaxed) {
            list.push_back(self.key);
        }
        drop(list);
        let is_taken = self.takes(news);
        self.ready.takers.wake_one();
        self.ready.pollers.wake_all_for(News(PollEvents::IN.bits()));
        is_taken
    }
}
