//! Sets of files to wait for (epoll(7)).
//!
//! A set looks at its files when it is asked, as poll(2) does. What polling cannot tell, whether something
//! happened since the last report, a [`Mark`] notes: it stands in the files' wait queues as a waiter would.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::poll::{EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, PollEvents};
use sync::{Mutex, Rank, SpinLock, Unpark, WaitError, WaitQueue, Waiter};

use crate::anonymous::{AnonymousInode, anonymous_file};
use crate::attributes::FileKind;
use crate::file::OpenFile;
use crate::inode::FileOps;
use crate::multiplex::PollFailure;
use crate::poll::PollTable;

/// Sets that may stand in each other, as in Linux.
const NESTING_MAX: usize = 5;
/// Bits that may stand beside `EPOLLEXCLUSIVE` (epoll_ctl(2)).
const EXCLUSIVE_COMPANIONS: u32 = 0x1f | EPOLLET | los_abi::poll::EPOLLWAKEUP | EPOLLEXCLUSIVE;

/// What a program wants to know of one file, or learns of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Conditions, and `EPOLLET` and its like.
    pub events: u32,
    /// The program's own.
    pub data: u64,
}

/// What epoll_ctl(2) does to a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Adds a file.
    Add(Event),
    /// Changes what is wanted of a file.
    Modify(Event),
    /// Removes a file.
    Remove,
}

/// A set of files.
pub struct Epoll {
    /// Held while the list is replaced.
    changing: Mutex<()>,
    list: SpinLock<List>,
    /// Where the next look starts, so that no file is passed over for ever.
    turn: AtomicUsize,
    /// Those who wait for the set, to be told of changes.
    changed: Arc<WaitQueue>,
}

type List = Arc<Vec<Arc<Interest>>>;

/// One file of a set.
struct Interest {
    fd: i32,
    file: Weak<OpenFile>,
    wanted: SpinLock<Event>,
    mark: Arc<Mark>,
    /// Keeps the mark in the file's queues.
    _places: Waiter,
}

/// Whether something happened since the last report.
struct Mark(AtomicBool);

impl Unpark for Mark {
    fn unpark(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Makes an empty set.
///
/// # Errors
/// ENOMEM.
pub fn create() -> Result<Arc<OpenFile>, Errno> {
    if !mm::frames::headroom() {
        return Err(Errno::ENOMEM);
    }
    let epoll = Arc::new(Epoll {
        changing: Mutex::new(Rank::Inode, ()),
        list: SpinLock::new(Rank::FileSystem, Arc::new(Vec::new())),
        turn: AtomicUsize::new(0),
        changed: Arc::new(WaitQueue::new()),
    });
    let inode = AnonymousInode::new(FileKind::Regular, 0o600);
    anonymous_file(b"anon_inode:[eventpoll]", inode, epoll, OpenFlags::RDWR)
}

/// Returns the set behind an open file.
pub fn of(file: &OpenFile) -> Option<&Epoll> {
    let any: &dyn Any = &**file.ops().ok()?;
    any.downcast_ref()
}

impl Epoll {
    /// Changes the set.
    ///
    /// # Errors
    /// EPERM for a file that cannot be waited for; EINVAL for the set itself and for `EPOLLEXCLUSIVE` where it
    /// cannot be; ELOOP for sets in a circle or too deep; EEXIST, ENOENT; ENOMEM.
    pub fn change(&self, fd: i32, file: &Arc<OpenFile>, change: Change) -> Result<(), Errno> {
        if !file.ops()?.is_pollable() {
            return Err(Errno::EPERM);
        }
        let inner = of(file);
        if inner.is_some_and(|inner| core::ptr::eq(inner, self)) {
            return Err(Errno::EINVAL);
        }
        let exclusive = |event: Event| event.events & EPOLLEXCLUSIVE != 0;
        match change {
            Change::Modify(event) if exclusive(event) => return Err(Errno::EINVAL),
            Change::Add(event)
                if exclusive(event) && (inner.is_some() || event.events & !EXCLUSIVE_COMPANIONS != 0) =>
            {
                return Err(Errno::EINVAL);
            }
            _ => {}
        }
        if let (Some(inner), Change::Add(_)) = (inner, change) {
            // One at a time, so that two additions cannot close a circle together.
            static NESTING: Mutex<()> = Mutex::new(Rank::Rename, ());
            let _nesting = NESTING.lock();
            // How deep the sets above this one go is not known; its own place is the last that is.
            inner.check_nesting(self, NESTING_MAX - 2)?;
            return self.change_list(fd, file, change);
        }
        self.change_list(fd, file, change)
    }

    /// Checks that `outer` is not among the sets in this one, and that these are not nested too deep.
    fn check_nesting(&self, outer: &Self, left: usize) -> Result<(), Errno> {
        for interest in self.interests().iter() {
            let Some(file) = interest.file.upgrade() else {
                continue;
            };
            if let Some(inner) = of(&file) {
                if left == 0 || core::ptr::eq(inner, outer) {
                    return Err(Errno::ELOOP);
                }
                inner.check_nesting(outer, left - 1)?;
            }
        }
        Ok(())
    }

    fn change_list(&self, fd: i32, file: &Arc<OpenFile>, change: Change) -> Result<(), Errno> {
        let changing = self.changing.lock();
        let list = self.interests();
        let is_same = |interest: &&Arc<Interest>| {
            interest.fd == fd && core::ptr::eq(interest.file.as_ptr(), Arc::as_ptr(file))
        };
        let found = list.iter().find(is_same);
        match (change, found) {
            (Change::Add(_), Some(_)) => return Err(Errno::EEXIST),
            (Change::Modify(_) | Change::Remove, None) => return Err(Errno::ENOENT),
            (Change::Modify(event), Some(interest)) => interest.modify(event)?,
            (Change::Add(event), None) => {
                let added = Interest::new(fd, file, event)?;
                self.replace(&list, None, Some(added))?;
            }
            (Change::Remove, Some(interest)) => self.replace(&list, Some(interest), None)?,
        }
        drop(changing);
        self.changed.wake_all();
        Ok(())
    }

    /// Replaces the list by one without `removed` and without files that are gone.
    fn replace(
        &self,
        old: &List,
        removed: Option<&Arc<Interest>>,
        added: Option<Arc<Interest>>,
    ) -> Result<(), Errno> {
        let mut new = Vec::new();
        new.try_reserve_exact(old.len() + 1).map_err(|_| Errno::ENOMEM)?;
        let stays = |interest: &&Arc<Interest>| {
            interest.file.strong_count() > 0 && !removed.is_some_and(|removed| Arc::ptr_eq(removed, interest))
        };
        new.extend(old.iter().filter(stays).cloned());
        new.extend(added);
        let replaced = core::mem::replace(&mut *self.list.lock(), Arc::new(new));
        drop(replaced);
        Ok(())
    }

    fn interests(&self) -> List {
        self.list.lock().clone()
    }

    /// Waits until something that is wanted holds or the deadline has passed; 0 only looks. Returns at most
    /// `max` events.
    ///
    /// # Errors
    /// As [`PollFailure`] says.
    pub fn wait(&self, max: usize, deadline_ns: Option<u64>) -> Result<Vec<Event>, PollFailure> {
        let events = self.look(&self.interests(), None, max)?;
        if !events.is_empty() || deadline_ns == Some(0) {
            return Ok(events);
        }
        let mut waiter = Waiter::new();
        waiter
            .register(&self.changed)
            .map_err(|_| PollFailure::NoMemory)?;
        let mut joined: Option<List> = None;
        let outcome = waiter.wait_interruptible(deadline_ns, |waiter| {
            let list = self.interests();
            let is_joined = joined.as_ref().is_some_and(|joined| Arc::ptr_eq(joined, &list));
            let events = self.look(&list, (!is_joined).then_some(waiter), max);
            joined = Some(list);
            match events {
                Ok(events) if events.is_empty() => None,
                other => Some(other),
            }
        });
        match outcome {
            Ok(events) => events,
            Err(WaitError::TimedOut) => Ok(Vec::new()),
            Err(WaitError::Interrupted) => Err(PollFailure::Interrupted),
        }
    }

    fn look(
        &self,
        list: &List,
        mut waiter: Option<&mut Waiter>,
        max: usize,
    ) -> Result<Vec<Event>, PollFailure> {
        let mut events = Vec::new();
        let count = list.len();
        let start = self.turn.load(Ordering::Relaxed);
        for at in 0..count {
            let place = start.wrapping_add(at) % count;
            let mut table = PollTable::new(waiter.as_deref_mut());
            let is_full = events.len() == max;
            if is_full && !table.joins() {
                break;
            }
            let found = list[place].look(&mut table, is_full);
            table.finish().map_err(|_| PollFailure::NoMemory)?;
            if let Some(event) = found {
                events.try_reserve(1).map_err(|_| PollFailure::NoMemory)?;
                events.push(event);
                self.turn.store(place.wrapping_add(1), Ordering::Relaxed);
            }
        }
        Ok(events)
    }
}

impl Interest {
    fn new(fd: i32, file: &Arc<OpenFile>, event: Event) -> Result<Arc<Self>, Errno> {
        let mark = Arc::new(Mark(AtomicBool::new(true)));
        let mut places = Waiter::for_thread(mark.clone());
        let mut table = PollTable::new(Some(&mut places));
        file.poll(&mut table);
        table.finish()?;
        Ok(Arc::new(Self {
            fd,
            file: Arc::downgrade(file),
            wanted: SpinLock::new(Rank::FileSystem, event),
            mark,
            _places: places,
        }))
    }

    fn modify(&self, event: Event) -> Result<(), Errno> {
        let mut wanted = self.wanted.lock();
        if wanted.events & EPOLLEXCLUSIVE != 0 {
            return Err(Errno::EINVAL);
        }
        *wanted = event;
        drop(wanted);
        self.mark.unpark();
        Ok(())
    }

    /// Joins the file's queues and returns what is to be reported, unless it is only joined.
    fn look(&self, table: &mut PollTable<'_>, only_joins: bool) -> Option<Event> {
        let file = self.file.upgrade()?;
        let wanted = *self.wanted.lock();
        let mut found = conditions(&file, wanted, table);
        if only_joins {
            return None;
        }
        if wanted.events & EPOLLET != 0 {
            if !self.mark.0.swap(false, Ordering::SeqCst) {
                return None;
            }
            // What set the mark may have come after the first look, and sets it no more.
            found = conditions(&file, wanted, &mut PollTable::new(None));
        }
        if found.is_empty() {
            return None;
        }
        if wanted.events & EPOLLONESHOT != 0 {
            self.disarm(wanted);
        }
        Some(Event {
            events: found.bits().into(),
            data: wanted.data,
        })
    }

    /// Wants nothing more until the next change.
    fn disarm(&self, reported: Event) {
        let mut wanted = self.wanted.lock();
        if *wanted == reported {
            wanted.events &= EPOLLET | EPOLLONESHOT;
        }
    }

    /// Reports whether a look would find something; marks stay.
    fn is_ready(&self, table: &mut PollTable<'_>) -> bool {
        let Some(file) = self.file.upgrade() else {
            return false;
        };
        let wanted = *self.wanted.lock();
        let found = conditions(&file, wanted, table);
        let is_news = wanted.events & EPOLLET == 0 || self.mark.0.load(Ordering::SeqCst);
        is_news && !found.is_empty()
    }
}

/// Returns the conditions that hold and are wanted; nothing of a file that was disarmed.
fn conditions(file: &OpenFile, wanted: Event, table: &mut PollTable<'_>) -> PollEvents {
    let holds = file.poll(table);
    let asked = PollEvents::from_bits_truncate(wanted.events as u16);
    let is_disarmed = wanted.events & EPOLLONESHOT != 0 && asked.is_empty();
    if is_disarmed {
        return PollEvents::empty();
    }
    holds & (asked | PollEvents::ERR | PollEvents::HUP)
}

impl FileOps for Epoll {
    fn is_seekable(&self) -> bool {
        false
    }

    fn poll(&self, table: &mut PollTable<'_>) -> PollEvents {
        table.register(&self.changed);
        let mut is_ready = false;
        for interest in self.interests().iter() {
            is_ready |= interest.is_ready(table);
        }
        if is_ready {
            PollEvents::IN | PollEvents::RDNORM
        } else {
            PollEvents::empty()
        }
    }

    fn sync(&self) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}

#[cfg(test)]
mod tests;
