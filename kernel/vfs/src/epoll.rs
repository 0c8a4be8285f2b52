//! Sets of files to wait for (epoll(7)).
//!
//! Every member has a [`Mark`] in the queues of its file, as a thread that waits for the file would. A wake-up
//! puts the member on the list of what is [`Ready`] and wakes those who wait for the set; they look at the files
//! on the list only. A file stays on the list while its conditions hold, unless only changes are wanted.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::ops::Bound;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::poll::{EPOLLET, EPOLLEXCLUSIVE, PollEvents};
use sync::{Mutex, Once, Rank, SpinLock, WaitError};

use crate::anonymous::{AnonymousInode, anonymous_file};
use crate::attributes::FileKind;
use crate::credentials::Credentials;
use crate::file::OpenFile;
use crate::inode::FileOps;
use crate::poll::PollTable;
use crate::user_limits::{Limit, Resource, Share, limit};
use interest::{Interest, Taken};
use ready::{Key, Ready};

pub(crate) use interest::Memberships;

mod interest;
mod paths;
mod ready;

/// Sets that may stand in each other, as in Linux.
const NESTING_MAX: usize = 5;
/// Bits that may stand beside `EPOLLEXCLUSIVE` (epoll_ctl(2)).
const EXCLUSIVE_COMPANIONS: u32 = 0x1f | EPOLLET | los_abi::poll::EPOLLWAKEUP | EPOLLEXCLUSIVE;
/// What a member costs, with its places in the queues and in the sets of its file.
pub(crate) const MEMBER_BYTES: usize = interest::BYTES;

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
    this: Weak<Self>,
    /// Whose members they are counted as.
    user: u32,
    /// Held by who changes the set and by who takes events, as one event is for one of them.
    turn: Mutex<()>,
    members: SpinLock<BTreeMap<Key, Arc<Interest>>>,
    /// The latest check of nesting that came here, and how deep that was.
    looked: AtomicU64,
    /// The latest check of paths that came here.
    counted: AtomicU64,
    /// The sets that this one is in itself.
    above: Once<Arc<Memberships>>,
    ready: Arc<Ready>,
}

/// Makes an empty set.
///
/// # Errors
/// ENFILE; ENOMEM.
pub fn create(credentials: &Credentials) -> Result<Arc<OpenFile>, Errno> {
    if !mm::frames::headroom() {
        return Err(Errno::ENOMEM);
    }
    let epoll = Arc::new_cyclic(|this| Epoll {
        this: this.clone(),
        user: credentials.uid,
        turn: Mutex::new(Rank::Inode, ()),
        members: SpinLock::new(Rank::FileSystem, BTreeMap::new()),
        looked: AtomicU64::new(0),
        counted: AtomicU64::new(0),
        above: Once::new(),
        ready: Ready::new(),
    });
    let inode = AnonymousInode::new(FileKind::Regular, 0o600);
    let file = anonymous_file(
        b"anon_inode:[eventpoll]",
        inode,
        epoll.clone(),
        OpenFlags::RDWR,
        credentials,
    )?;
    epoll.above.call_once(|| file.sets().clone());
    Ok(file)
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
    /// cannot be, or too many ways up through sets; ELOOP for sets in a circle or too deep; EEXIST, ENOENT; ENOSPC
    /// when the user has too many members; ENOMEM; EINTR for a thread that is to die.
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
        let Change::Add(_) = change else {
            return self.change_member(fd, file, change);
        };
        // One check at a time, so that two additions cannot close a circle together.
        static CHECKS: Mutex<u64> = Mutex::new(Rank::Rename, 0);
        let mut checks = None;
        if let Some(inner) = inner {
            let checks = checks.insert(CHECKS.lock());
            **checks += 1;
            // How deep the sets above this one go is not known; its own place is the last that is.
            inner.check_nesting(self, NESTING_MAX - 2, **checks)?;
        }
        self.change_member(fd, file, change)?;
        // Asked after the file is in: who puts this set into another one meanwhile looks at what is in it afterwards.
        if inner.is_none() && !self.is_nested() {
            return Ok(());
        }
        let checks = checks.get_or_insert_with(|| CHECKS.lock());
        **checks += 1;
        paths::check(file, **checks).inspect_err(|_| self.remove(Key::new(fd, file)))
    }

    /// Tells whether this set is in another one.
    fn is_nested(&self) -> bool {
        self.above.get().is_some_and(|above| above.first().is_some())
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
        for interest in members.values().filter(|interest| interest.is_set()) {
            sets.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            sets.extend(interest.file());
        }
        drop(members);
        Ok(sets)
    }

    fn change_member(&self, fd: i32, file: &Arc<OpenFile>, change: Change) -> Result<(), Errno> {
        let key = Key::new(fd, file);
        let _turn = self.turn.lock();
        match (change, self.find(key)) {
            (Change::Add(_), Some(_)) => Err(Errno::EEXIST),
            (Change::Modify(_) | Change::Remove, None) => Err(Errno::ENOENT),
            (Change::Modify(event), Some(interest)) => interest.modify(file, event),
            (Change::Add(event), None) => {
                let most = limit(Limit::EpollWatches);
                let share = Share::take_one(self.user, Resource::EpollWatches, most).ok_or(Errno::ENOSPC)?;
                let count = self.members.lock().len() + 1;
                self.ready.reserve(count)?;
                let added = Interest::new(self, key, file, event, share)?;
                self.members.lock().insert(key, added);
                Ok(())
            }
            (Change::Remove, Some(_)) => {
                self.remove(key);
                Ok(())
            }
        }
    }

    /// Returns one of the files that are members under a number, which may have meant several one after the other,
    /// for kcmp(2).
    pub fn target(&self, fd: i32, index: usize) -> Option<Arc<OpenFile>> {
        let members = self.members.lock();
        let mut of_number = members
            .range(Key::first_of(fd)..)
            .take_while(|(key, _)| key.is_of(fd));
        let interest = of_number.nth(index).map(|(_, interest)| interest.clone());
        drop(members);
        interest?.file()
    }

    fn first_member(&self) -> Option<(Key, Option<Arc<OpenFile>>)> {
        let first = self.members.lock().first_key_value().map(at);
        first.map(|(key, interest)| (key, interest.file()))
    }

    fn member_after(&self, key: Key) -> Option<(Key, Option<Arc<OpenFile>>)> {
        let range = (Bound::Excluded(key), Bound::Unbounded);
        let next = self.members.lock().range(range).next().map(at);
        next.map(|(key, interest)| (key, interest.file()))
    }

    fn find(&self, key: Key) -> Option<Arc<Interest>> {
        self.members.lock().get(&key).cloned()
    }

    fn remove(&self, key: Key) {
        // Its end takes locks as this one is.
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

/// Keeps a member of the list when that is unlocked.
fn at((key, interest): (&Key, &Arc<Interest>)) -> (Key, Arc<Interest>) {
    (*key, interest.clone())
}

impl FileOps for Epoll {
    fn is_seekable(&self) -> bool {
        false
    }

    fn ignores_seeking(&self) -> bool {
        true
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
