//! One file of a set, and what a file knows of the sets that it is in.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::ops::Bound;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::poll::{EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, PollEvents};
use sync::{Rank, SpinLock, Unpark, Waiter};

use super::ready::{After, Key, MANNER, Mark};
use super::{Epoll, Event, of};
use crate::file::OpenFile;
use crate::poll::PollTable;
use crate::user_limits::Share;

/// What a file's place in a queue takes: its ticket, whom to wake, and the queue.
const PLACE_BYTES: usize = 64;
/// What a member takes, with its places.
pub(super) const BYTES: usize = size_of::<Interest>()
    + size_of::<Mark>()
    + 2 * size_of::<(Key, Arc<Interest>)>()
    + size_of::<(Place, Weak<Epoll>)>()
    + PLACE_BYTES;

/// One file of a set. It is in the set's list and in the file's; whoever ends takes it out of the other's.
pub(super) struct Interest {
    set: Weak<Epoll>,
    key: Key,
    file: Weak<OpenFile>,
    memberships: Arc<Memberships>,
    /// Whether the file is a set itself.
    is_set: bool,
    /// The program's own. Changed, as what the mark wants is, by who has the set's turn.
    data: AtomicU64,
    mark: Arc<Mark>,
    /// Keeps the mark in the file's queues.
    _places: Waiter,
    _share: Share,
}

/// A set by its address, and a member of it.
pub(super) type Place = (usize, Key);

/// The sets that a file is in.
pub(crate) struct Memberships {
    places: SpinLock<BTreeMap<Place, Weak<Epoll>>>,
}

impl Memberships {
    pub(crate) fn new() -> Self {
        Self {
            places: SpinLock::new(Rank::FileSystem, BTreeMap::new()),
        }
    }

    fn add(&self, set: &Epoll, key: Key) {
        let place = (core::ptr::from_ref(set).addr(), key);
        self.places.lock().insert(place, set.this.clone());
    }

    fn remove(&self, set: &Weak<Epoll>, key: Key) {
        let removed = self.places.lock().remove(&(set.as_ptr().addr(), key));
        drop(removed);
    }

    /// Returns the first of the sets.
    pub(super) fn first(&self) -> Option<(Place, Weak<Epoll>)> {
        let places = self.places.lock();
        places.iter().next().map(|(place, set)| (*place, set.clone()))
    }

    /// Returns the one behind another.
    pub(super) fn after(&self, place: Place) -> Option<(Place, Weak<Epoll>)> {
        let places = self.places.lock();
        let mut rest = places.range((Bound::Excluded(place), Bound::Unbounded));
        rest.next().map(|(place, set)| (*place, set.clone()))
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.places.lock().len()
    }

    /// Takes the file, which ends, out of its sets.
    pub(crate) fn leave(&self) {
        loop {
            let next = self.places.lock().pop_first();
            let Some(((_, key), set)) = next else {
                return;
            };
            if let Some(set) = set.upgrade() {
                set.remove(key);
            }
        }
    }
}

/// What a look at a member of the list found.
pub(super) enum Taken {
    Event,
    Nothing,
}

impl Interest {
    pub(super) fn new(
        set: &Epoll,
        key: Key,
        file: &Arc<OpenFile>,
        event: Event,
        share: Share,
    ) -> Result<Arc<Self>, Errno> {
        if !mm::frames::headroom() {
            return Err(Errno::ENOMEM);
        }
        let event = with_failures(event);
        let mark = Mark::new(&set.ready, key, event.events);
        let mut places = Waiter::for_thread(mark.clone());
        if event.events & EPOLLEXCLUSIVE != 0 {
            places = places.exclusive();
        }
        let mut table = PollTable::new(Some(&mut places));
        let found = conditions(file, event, &mut table);
        if let Err(errno) = table.finish() {
            mark.leave();
            return Err(errno);
        }
        if !found.is_empty() {
            mark.unpark();
        }
        let memberships = file.sets().clone();
        memberships.add(set, key);
        Ok(Arc::new(Self {
            set: set.this.clone(),
            key,
            memberships,
            file: Arc::downgrade(file),
            is_set: of(file).is_some(),
            data: AtomicU64::new(event.data),
            mark,
            _places: places,
            _share: share,
        }))
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_set
    }

    pub(super) fn file(&self) -> Option<Arc<OpenFile>> {
        self.file.upgrade()
    }

    fn wanted(&self) -> Event {
        Event {
            events: self.mark.wanted(),
            data: self.data.load(Ordering::Relaxed),
        }
    }

    pub(super) fn modify(&self, file: &OpenFile, event: Event) -> Result<(), Errno> {
        if self.wanted().events & EPOLLEXCLUSIVE != 0 {
            return Err(Errno::EINVAL);
        }
        let event = with_failures(event);
        self.data.store(event.data, Ordering::Relaxed);
        self.mark.set_wanted(event.events);
        if !conditions(file, event, &mut PollTable::new(None)).is_empty() {
            self.mark.unpark();
        }
        Ok(())
    }

    /// Reports the conditions that hold, and takes the member off the list unless they are to be reported again.
    pub(super) fn take(&self, report: impl FnOnce(Event) -> Result<(), Errno>) -> Result<Taken, Errno> {
        let seen = self.mark.news();
        let Some(file) = self.file.upgrade() else {
            // It is about to leave the set.
            self.mark.settle(seen, After::Off);
            return Ok(Taken::Nothing);
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
            self.mark.set_wanted(wanted.events & MANNER);
        }
        let is_done = wanted.events & (EPOLLONESHOT | EPOLLET) != 0;
        self.mark
            .settle(seen, if is_done { After::Off } else { After::Last });
        Ok(Taken::Event)
    }

    /// Tells whether the member would be reported; takes it off the list if not.
    pub(super) fn is_ready(&self) -> bool {
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

impl Drop for Interest {
    fn drop(&mut self) {
        self.mark.leave();
        self.memberships.remove(&self.set, self.key);
    }
}
