//! Signals about files (fcntl(2), "Managing signals"): who is told that a file has become ready, and by which signal.
//!
//! An [`OpenFile`](crate::OpenFile) has an [`Owner`]. While it is asynchronous (O_ASYNC), its owner is in the
//! [`SignalList`]s of what it refers to, which tells them in its own time.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use los_abi::errno::Errno;
use los_abi::signal::{POLL_IN, POLL_MSG, POLL_OUT};
use sync::{Mutex, MutexGuard, Rank, SpinLock};

/// What has become possible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Reading.
    Readable,
    /// Writing.
    Writable,
    /// Nothing; something has happened (F_NOTIFY).
    Message,
}

impl Reason {
    /// Returns it as `si_code` tells it.
    pub const fn code(self) -> i32 {
        match self {
            Self::Readable => POLL_IN,
            Self::Writable => POLL_OUT,
            Self::Message => POLL_MSG,
        }
    }
}

/// Kinds of receivers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReceiverKind {
    /// One thread.
    Thread,
    /// A process.
    Process,
    /// A process group.
    Group,
}

/// Who gets the signals, as the process table knows him.
pub trait SignalReceiver: Send + Sync {
    /// Returns the kind.
    fn kind(&self) -> ReceiverKind;

    /// Returns the number; `None` when there is nobody any more.
    fn number(&self) -> Option<u32>;

    /// Sends the news if the owner's setter may signal the receiver. Called without locks, also in interrupts.
    fn send(&self, news: &News);
}

/// One piece of news.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct News {
    /// Real user of who set the receiver.
    pub uid: u32,
    /// Effective user of who set the receiver.
    pub euid: u32,
    /// The signal, 0 for SIGIO without more.
    pub signal: u32,
    /// The descriptor that was made asynchronous.
    pub fd: i32,
    /// What is told.
    pub reason: Reason,
}

/// The owner of an open file.
pub struct Owner {
    /// Held while the file becomes asynchronous or ceases to be.
    change: Mutex<()>,
    state: SpinLock<State>,
}

#[derive(Clone, Default)]
struct State {
    receiver: Option<Arc<dyn SignalReceiver>>,
    uid: u32,
    euid: u32,
    signal: u32,
}

impl Owner {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            change: Mutex::new(Rank::FilePosition, ()),
            state: SpinLock::new(Rank::FileSystem, State::default()),
        })
    }

    /// Waits for changes of whether the file is asynchronous, and keeps others away.
    pub(crate) fn start_change(&self) -> MutexGuard<'_, ()> {
        self.change.lock()
    }

    fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Sets the receiver, or none, on behalf of a user.
    pub fn set(&self, receiver: Option<Arc<dyn SignalReceiver>>, uid: u32, euid: u32) {
        let mut state = self.state.lock();
        state.uid = uid;
        state.euid = euid;
        let old = core::mem::replace(&mut state.receiver, receiver);
        drop(state);
        drop(old);
    }

    /// Returns the receiver.
    pub fn receiver(&self) -> Option<Arc<dyn SignalReceiver>> {
        self.state().receiver
    }

    /// Returns the real and the effective user of who set the receiver.
    pub fn users(&self) -> (u32, u32) {
        let state = self.state();
        (state.uid, state.euid)
    }

    /// Returns the signal, 0 for SIGIO without more.
    pub fn signal(&self) -> u32 {
        self.state.lock().signal
    }

    /// Sets the signal.
    pub fn set_signal(&self, signal: u32) {
        self.state.lock().signal = signal;
    }

    /// Tells the receiver. No locks are held.
    pub(crate) fn tell(&self, fd: i32, reason: Reason) {
        let state = self.state();
        if let Some(receiver) = state.receiver {
            receiver.send(&News {
                uid: state.uid,
                euid: state.euid,
                signal: state.signal,
                fd,
                reason,
            });
        }
    }
}

/// Owners that are told by signals, with the descriptors that they know the file by.
#[derive(Default)]
pub struct SignalList {
    /// Number of entries, so that telling nobody takes no lock.
    count: AtomicUsize,
    entries: Entries,
}

struct Entries(SpinLock<(u64, Vec<Entry>)>);

impl Default for Entries {
    fn default() -> Self {
        Self(SpinLock::new(Rank::FileSystem, (0, Vec::new())))
    }
}

struct Entry {
    /// Ascending in the list.
    ticket: u64,
    owner: Arc<Owner>,
    fd: i32,
}

impl SignalList {
    /// Makes an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an owner; who is there already knows the file by this descriptor from now on.
    ///
    /// # Errors
    /// ENOMEM.
    pub(crate) fn add(&self, owner: &Arc<Owner>, fd: i32) -> Result<(), Errno> {
        let mut entries = self.entries.0.lock();
        let (next_ticket, list) = &mut *entries;
        if let Some(entry) = list.iter_mut().find(|entry| Arc::ptr_eq(&entry.owner, owner)) {
            entry.fd = fd;
            return Ok(());
        }
        list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        list.push(Entry {
            ticket: *next_ticket,
            owner: owner.clone(),
            fd,
        });
        *next_ticket += 1;
        self.count.store(list.len(), Ordering::SeqCst);
        Ok(())
    }

    /// Removes an owner.
    pub(crate) fn remove(&self, owner: &Arc<Owner>) {
        let mut entries = self.entries.0.lock();
        let list = &mut entries.1;
        let place = list.iter().position(|entry| Arc::ptr_eq(&entry.owner, owner));
        let removed = place.map(|place| list.remove(place));
        self.count.store(list.len(), Ordering::SeqCst);
        drop(entries);
        drop(removed);
    }

    /// Returns the number of owners.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Tells all owners. Called without locks, also in interrupts.
    #[inline]
    pub fn tell(&self, reason: Reason) {
        if self.count.load(Ordering::SeqCst) > 0 {
            self.tell_each(reason);
        }
    }

    fn tell_each(&self, reason: Reason) {
        let mut next = 0;
        loop {
            let found = {
                let entries = self.entries.0.lock();
                let entry = entries.1.iter().find(|entry| entry.ticket >= next);
                entry.map(|entry| (entry.ticket, entry.owner.clone(), entry.fd))
            };
            let Some((ticket, owner, fd)) = found else {
                return;
            };
            next = ticket + 1;
            owner.tell(fd, reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Receiver(Mutex<Vec<(u32, i32, Reason)>>);

    impl SignalReceiver for Receiver {
        fn kind(&self) -> ReceiverKind {
            ReceiverKind::Process
        }

        fn number(&self) -> Option<u32> {
            Some(7)
        }

        fn send(&self, news: &News) {
            self.0.lock().unwrap().push((news.signal, news.fd, news.reason));
        }
    }

    #[test]
    fn owners_on_the_list_are_told() {
        let list = SignalList::new();
        let receiver = Arc::new(Receiver::default());
        let owners = [Owner::new(), Owner::new(), Owner::new()];
        for (fd, owner) in owners.iter().enumerate() {
            list.add(owner, 9).unwrap();
            list.add(owner, fd as i32).unwrap();
        }
        assert_eq!(list.len(), 3);
        list.tell(Reason::Readable);
        owners[0].set(Some(receiver.clone()), 1, 2);
        owners[2].set(Some(receiver.clone()), 1, 2);
        owners[2].set_signal(40);
        list.tell(Reason::Readable);
        list.remove(&owners[0]);
        list.remove(&owners[0]);
        list.tell(Reason::Writable);
        let expected = [
            (0, 0, Reason::Readable),
            (40, 2, Reason::Readable),
            (40, 2, Reason::Writable),
        ];
        assert_eq!(*receiver.0.lock().unwrap(), expected);
        owners[2].set(None, 0, 0);
        list.tell(Reason::Readable);
        assert_eq!(receiver.0.lock().unwrap().len(), 3);
    }
}
