//! Sets of files to wait for (epoll(7)).
//!
//! Every member has a [`Mark`] in the queues of its file, as a thread that waits for the file would. A wake-up
//! puts the member on the list of what is [`Ready`] and wakes those who wait for the set; they look at the files
//! on the list only. A file stays on the list while its conditions hold, unless only changes are wanted.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::poll::{EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, PollEvents};
use sync::{Mutex, Rank, SpinLock, Unpark, WaitError, Waiter};

use crate::anonymous::{AnonymousInode, anonymous_file};
use crate::attributes::FileKind;
use crate::file::OpenFile;
use crate::inode::FileOps;
use crate::poll::PollTable;
use ready::{After, Key, Mark, Ready};

mod ready;

/// Sets that may stand in each other, as in Linux.
const NESTING_MAX: usize = 5;
/// Bits that may stand beside `EPOLLEXCLUSIVE` (epoll_ctl(2)).
const EXCLUSIVE_COMPANIONS: u32 = 0x1f | EPOLLET | los_abi::poll::EPOLLWAKEUP | EPOLLEXCLUSIVE;
/// Bits that say how something is wanted; a one-shot has only these after its report.
const MANNER: u32 = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | los_abi::poll::EPOLLWAKEUP;
/// Members from which on a set is searched for files that are gone.
const SWEEP_FROM: usize = 64;

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
    /// Held by who changes the set and by who takes events, as one event is for one of them. Inside: at how many
    /// members to search for files that are gone.
    turn: Mutex<usize>,
    members: SpinLock<BTreeMap<Key, Arc<Interest>>>,
    /// The latest check of nesting that came here, and how deep that was.
    looked: AtomicU64,
    ready: Arc<Ready>,
}

/// One file of a set.
struct Interest {
    file: Weak<OpenFile>,
    /// Whether the file is a set itself.
    is_set: bool,
    /// Changed by who has the set's turn.
    wanted: SpinLock<Event>,
    mark: Arc<Mark>,
    /// Keeps the mark in the file's queues.
    _places: Waiter,
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
        turn: Mutex::new(Rank::Inode, SWEEP_FROM),
        members: SpinLock::new(Rank::FileSystem, BTreeMap::new()),
        looked: AtomicU64::new(0),
        ready: Ready::new(),
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
            static CHECKS: Mutex<u64> = Mutex::new(Rank::Rename, 0);
            let mut checks = CHECKS.lock();
            *checks += 1;
            // How deep the sets above this one go is not known; its own place is the last that is.
            inner.check_nesting(self, NESTING_MAX - 2, *checks)?;
            return self.change_member(fd, file, change);
        }
        self.change_member(fd, file, change)
    }

    /// Checks that `outer` is not among the sets in this one, and that these are not nested too deep. A set that
    /// stands in many others is looked at once in a check, or once for each depth.
    fn check_nesting(&self, outer: &Self, left: usize, check: u64) -> Result<(), Errno> {
        // The deepest look of the latest check has the highest number.
        const DEPTHS: u64 = NESTING_MAX as u64 + 1;
        let look = check * DEPTHS + (NESTING_MAX - left) as u64;
        let before = self.looked.load(Ordering::Relaxed);
        if before >= look && before / DEPTHS == check {
            return Ok(());
        }
        self.looked.store(look, Ordering::Relaxed);
        for file in self.inner_sets()? {
            if let Some(inner) = of(&file) {
                if left == 0 || core::ptr::eq(inner, outer) {
                    return Err(Errno::ELOOP);
                }
                inner.check_nesting(outer, left - 1, check)?;
            }
        }
        Ok(())
    }

    fn inner_sets(&self) -> Result<Vec<Arc<OpenFile>>, Errno> {
        let mut sets = Vec::new();
        let members = self.members.lock();
        for interest in members.values().filter(|interest| interest.is_set) {
            sets.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            sets.extend(interest.file.upgrade());
        }
        drop(members);
        Ok(sets)
    }

    fn change_member(&self, fd: i32, file: &Arc<OpenFile>, change: Change) -> Result<(), Errno> {
        let key = Key::new(fd, file);
        let mut sweep_at = self.turn.lock();
        match (change, self.find(key)) {
            (Change::Add(_), Some(_)) => Err(Errno::EEXIST),
            (Change::Modify(_) | Change::Remove, None) => Err(Errno::ENOENT),
            (Change::Modify(event), Some(interest)) => interest.modify(file, event),
            (Change::Add(event), None) => {
                let count = self.sweep(&mut sweep_at) + 1;
                self.ready.reserve(count)?;
                let added = Interest::new(key, file, event, &self.ready)?;
                self.members.lock().insert(key, added);
                Ok(())
            }
            (Change::Remove, Some(interest)) => {
                self.remove(key, &interest);
                Ok(())
            }
        }
    }

    /// Removes the files that are gone, if there are many members, and returns how many are left.
    fn sweep(&self, sweep_at: &mut usize) -> usize {
        let mut members = self.members.lock();
        if members.len() >= *sweep_at {
            members.retain(|_, interest| {
                let stays = interest.file.strong_count() > 0;
                if !stays {
                    interest.mark.leave();
                }
                stays
            });
            *sweep_at = SWEEP_FROM.max(members.len() * 2);
        }
        members.len()
    }

    fn find(&self, key: Key) -> Option<Arc<Interest>> {
        self.members.lock().get(&key).cloned()
    }

    fn remove(&self, key: Key, interest: &Interest) {
        interest.mark.leave();
        let removed = self.members.lock().remove(&key);
        drop(removed);
    }

    /// Waits until something that is wanted holds or the deadline has passed; 0 only looks. Hands at most `max`
    /// events to `report`, with their numbers, and returns how many. An event that `report` refuses is kept.
    ///
    /// # Errors
    /// EINTR for a signal; what `report` says, if it says so of the first event.
    pub fn wait(
        &self,
        max: usize,
        deadline_ns: Option<u64>,
        mut report: impl FnMut(usize, Event) -> Result<(), Errno>,
    ) -> Result<usize, Errno> {
        loop {
            let count = match self.ready.len() {
                0 => 0,
                listed => self.take(listed, max, &mut report)?,
            };
            if count > 0 || deadline_ns == Some(0) {
                return Ok(count);
            }
            let has_news = || (self.ready.len() > 0).then_some(());
            match self.ready.takers.wait_interruptible(deadline_ns, has_news) {
                Ok(()) => {}
                Err(WaitError::TimedOut) => return Ok(0),
                Err(WaitError::Interrupted) => return Err(Errno::EINTR),
            }
        }
    }

    /// Looks at no more than so many files of the list, and reports up to `max` events.
    fn take(
        &self,
        listed: usize,
        max: usize,
        report: &mut impl FnMut(usize, Event) -> Result<(), Errno>,
    ) -> Result<usize, Errno> {
        let turn = self.turn.lock();
        let mut count = 0;
        let mut outcome = Ok(());
        let mut first_reported = None;
        for _ in 0..listed {
            // Who was reported may be next again, where a poll took others off.
            let Some(key) = self.ready.first().filter(|key| first_reported != Some(*key)) else {
                break;
            };
            let Some(interest) = self.find(key) else {
                continue;
            };
            match interest.take(|event| report(count, event)) {
                Ok(Taken::Event) => {
                    count += 1;
                    first_reported.get_or_insert(key);
                }
                Ok(Taken::Nothing) => {}
                Ok(Taken::Gone) => self.remove(key, &interest),
                Err(errno) => outcome = Err(errno),
            }
            if count == max || outcome.is_err() {
                break;
            }
        }
        drop(turn);
        // Others may take what is left, as Linux has it.
        if self.ready.takers.has_waiters() && self.ready.len() > 0 {
            self.ready.takers.pass_on();
        }
        if count == 0 {
            outcome?;
        }
        Ok(count)
    }

    /// Tells whether a look would find something. What has nothing leaves the list.
    fn is_ready(&self) -> bool {
        for _ in 0..self.ready.len() {
            let Some(key) = self.ready.first() else {
                break;
            };
            if self.find(key).is_some_and(|interest| interest.is_ready()) {
                return true;
            }
        }
        false
    }
}

/// What a look at a member of the list found.
enum Taken {
    Event,
    Nothing,
    /// The file is gone.
    Gone,
}

impl Interest {
    fn new(key: Key, file: &Arc<OpenFile>, event: Event, ready: &Arc<Ready>) -> Result<Arc<Self>, Errno> {
        if !mm::frames::headroom() {
            return Err(Errno::ENOMEM);
        }
        let mark = Mark::new(ready, key);
        let mut places = Waiter::for_thread(mark.clone());
        let mut table = PollTable::new(Some(&mut places));
        let event = with_failures(event);
        let found = conditions(file, event, &mut table);
        if let Err(errno) = table.finish() {
            mark.leave();
            return Err(errno);
        }
        if !found.is_empty() {
            mark.unpark();
        }
        Ok(Arc::new(Self {
            file: Arc::downgrade(file),
            is_set: of(file).is_some(),
            wanted: SpinLock::new(Rank::FileSystem, event),
            mark,
            _places: places,
        }))
    }

    fn wanted(&self) -> Event {
        *self.wanted.lock()
    }

    fn modify(&self, file: &OpenFile, event: Event) -> Result<(), Errno> {
        if self.wanted().events & EPOLLEXCLUSIVE != 0 {
            return Err(Errno::EINVAL);
        }
        let event = with_failures(event);
        *self.wanted.lock() = event;
        if !conditions(file, event, &mut PollTable::new(None)).is_empty() {
            self.mark.unpark();
        }
        Ok(())
    }

    /// Reports the conditions that hold, and takes the member off the list unless they are to be reported again.
    fn take(&self, report: impl FnOnce(Event) -> Result<(), Errno>) -> Result<Taken, Errno> {
        let seen = self.mark.news();
        let Some(file) = self.file.upgrade() else {
            return Ok(Taken::Gone);
        };
        let wanted = self.wanted();
        let found = conditions(&file, wanted, &mut PollTable::new(None));
        if found.is_empty() {
            self.mark.settle(seen, After::Off);
            return Ok(Taken::Nothing);
        }
        report(Event {
            events: found.bits().into(),
            data: wanted.data,
        })?;
        if wanted.events & EPOLLONESHOT != 0 {
            self.wanted.lock().events &= MANNER;
        }
        let is_done = wanted.events & (EPOLLONESHOT | EPOLLET) != 0;
        self.mark
            .settle(seen, if is_done { After::Off } else { After::Last });
        Ok(Taken::Event)
    }

    /// Tells whether the member would be reported; takes it off the list if not.
    fn is_ready(&self) -> bool {
        let seen = self.mark.news();
        let found = self.file.upgrade().map_or(PollEvents::empty(), |file| {
            conditions(&file, self.wanted(), &mut PollTable::new(None))
        });
        if found.is_empty() {
            self.mark.settle(seen, After::Off);
        }
        !found.is_empty()
    }
}

/// Adds the conditions that are reported whether they are asked for or not.
fn with_failures(event: Event) -> Event {
    let always = PollEvents::ERR | PollEvents::HUP;
    Event {
        events: event.events | u32::from(always.bits()),
        ..event
    }
}

/// Returns the conditions that hold and are wanted; nothing of a one-shot that was reported.
fn conditions(file: &OpenFile, wanted: Event, table: &mut PollTable<'_>) -> PollEvents {
    file.poll(table) & PollEvents::from_bits_truncate(wanted.events as u16)
}

impl FileOps for Epoll {
    fn is_seekable(&self) -> bool {
        false
    }

    fn poll(&self, table: &mut PollTable<'_>) -> PollEvents {
        table.register(&self.ready.pollers);
        if self.is_ready() {
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
