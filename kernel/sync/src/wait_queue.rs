//! Wait queues: threads that wait for one condition, and the code that makes it true.
//!
//! The waker changes the state first and wakes second; the waiter enqueues itself first and looks second.
//! So no wake-up is lost, and a spurious one costs one more look.

use alloc::collections::VecDeque;
use core::sync::atomic::{AtomicUsize, Ordering, fence};

use arrayvec::ArrayVec;

use crate::error::WaitError;
use crate::park::{self, News, ThreadHandle, now_ns};
use crate::rank::Rank;
use crate::spinlock::SpinLock;

/// How many are woken between two looks at a queue.
const BATCH: usize = 4;

/// How long a thread sleeps that no queue has room for.
const LOOK_AGAIN_NS: u64 = 10_000_000;

/// Threads that wait, first come first served.
#[derive(Debug)]
pub struct WaitQueue {
    /// Number of entries, so that waking nobody takes no lock.
    waiting: AtomicUsize,
    entries: SpinLock<Entries>,
}

struct Entries {
    next_ticket: u64,
    list: VecDeque<Entry>,
}

struct Entry {
    ticket: u64,
    thread: ThreadHandle,
    kind: EntryKind,
}

/// What observers get of a wake-up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Observers {
    Told,
    Spared,
}

/// How many a wake-up is for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Left {
    threads: usize,
    /// Exclusive observers.
    sets: usize,
    /// Whether each that takes it leaves one less for both.
    is_shared: bool,
}

impl Left {
    /// So many, whatever they are.
    const fn of_all(count: usize) -> Self {
        Self {
            threads: count,
            sets: count,
            is_shared: true,
        }
    }

    fn take_thread(&mut self) {
        self.threads -= 1;
        if self.is_shared {
            self.sets = self.sets.saturating_sub(1);
        }
    }

    fn take_set(&mut self) {
        self.sets = self.sets.saturating_sub(1);
        if self.is_shared {
            self.threads = self.threads.saturating_sub(1);
        }
    }
}

/// How far a wake-up has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    Start,
    /// The next ticket, and the first that is not concerned: it came after the wake-up.
    From(u64, u64),
    End,
}

impl Entries {
    /// Finds an entry. Tickets ascend, since entries come at the end only.
    fn find(&self, ticket: u64) -> Option<usize> {
        self.list.binary_search_by_key(&ticket, |entry| entry.ticket).ok()
    }

    /// Collects whom to wake, observers and those that are left, of whom threads leave the queue. An exclusive
    /// observer is the last of its batch, since what comes next depends on its answer.
    fn collect(
        &mut self,
        round: Round,
        observers: Observers,
        left: &mut Left,
        batch: &mut ArrayVec<(ThreadHandle, EntryKind), BATCH>,
    ) -> Round {
        let (mut at, end) = match round {
            Round::Start => (0, self.next_ticket),
            Round::From(ticket, end) => (self.list.partition_point(|entry| entry.ticket < ticket), end),
            Round::End => return Round::End,
        };
        while let Some(entry) = self.list.get(at).filter(|entry| entry.ticket < end) {
            if batch.is_full() {
                return Round::From(entry.ticket, end);
            }
            match entry.kind {
                EntryKind::Observer if observers == Observers::Told => {
                    batch.push((entry.thread.clone(), entry.kind));
                    at += 1;
                }
                EntryKind::ExclusiveObserver if observers == Observers::Told && left.sets > 0 => {
                    batch.push((entry.thread.clone(), entry.kind));
                    return Round::From(entry.ticket + 1, end);
                }
                EntryKind::Exclusive if left.threads > 0 => {
                    left.take_thread();
                    let entry = match at {
                        0 => self.list.pop_front(),
                        _ => self.list.remove(at),
                    };
                    batch.extend(entry.map(|entry| (entry.thread, entry.kind)));
                }
                _ => at += 1,
            }
        }
        Round::End
    }
}

impl core::fmt::Debug for Entries {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} waiting", self.list.len())
    }
}

/// How an entry takes part in wake-ups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EntryKind {
    /// Takes one wake-up for itself and leaves the queue with it.
    Exclusive,
    /// Sees every wake-up and takes none (poll).
    Observer,
    /// Sees wake-ups until somebody takes them, maybe itself, and stays (EPOLLEXCLUSIVE).
    ExclusiveObserver,
}

impl WaitQueue {
    /// Makes an empty queue.
    pub const fn new() -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            entries: SpinLock::new(
                Rank::WaitQueue,
                Entries {
                    next_ticket: 0,
                    list: VecDeque::new(),
                },
            ),
        }
    }

    /// Wakes every observer and the thread that has waited longest; false when no thread took it.
    pub fn wake_one(&self) -> bool {
        self.wake_n(1) == 1
    }

    /// Wakes all.
    pub fn wake_all(&self) -> usize {
        self.wake_n(usize::MAX)
    }

    /// Wakes every observer and up to `count` others, and returns how many threads there were.
    pub fn wake_n(&self, count: usize) -> usize {
        self.wake(Observers::Told, Left::of_all(count), News::ANY)
    }

    /// Wakes those whom the news concerns: observers, and the thread that has waited longest or the first exclusive
    /// observer that takes it.
    pub fn wake_one_for(&self, news: News) {
        self.wake(Observers::Told, Left::of_all(1), news);
    }

    /// Wakes those whom the news concerns: observers and threads, and the first exclusive observer that takes it.
    pub fn wake_all_for(&self, news: News) {
        let left = Left {
            threads: usize::MAX,
            sets: 1,
            is_shared: false,
        };
        self.wake(Observers::Told, left, news);
    }

    /// Passes a wake-up on to the thread that has waited longest. Nothing has happened that observers have
    /// not seen.
    pub fn pass_on(&self) {
        self.wake(Observers::Spared, Left::of_all(1), News::ANY);
    }

    fn wake(&self, observers: Observers, mut left: Left, news: News) -> usize {
        // Orders the caller's change of state before the look at the queue.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let mut threads = 0;
        let mut round = Round::Start;
        while round != Round::End {
            let mut batch = ArrayVec::<(ThreadHandle, EntryKind), BATCH>::new();
            let mut entries = self.entries.lock();
            round = entries.collect(round, observers, &mut left, &mut batch);
            self.waiting.store(entries.list.len(), Ordering::Relaxed);
            drop(entries);
            // The queue is unlocked, since what is woken may be a set that wakes a queue of its own.
            for (thread, kind) in batch {
                let is_taken = thread.unpark_for(news);
                match kind {
                    EntryKind::Exclusive => threads += 1,
                    EntryKind::ExclusiveObserver if is_taken => left.take_set(),
                    _ => {}
                }
            }
        }
        threads
    }

    /// Reports whether anybody waits.
    pub fn has_waiters(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) != 0
    }

    /// Waits until `condition` gives a value, whatever signals arrive.
    pub fn wait<R>(&self, mut condition: impl FnMut() -> Option<R>) -> R {
        if let Some(value) = condition() {
            return value;
        }
        let mut place = Place::new(self);
        loop {
            place.enter();
            if let Some(value) = condition() {
                return value;
            }
            place.park(None);
        }
    }

    /// Waits until `condition` gives a value, a signal is pending, or monotonic time reaches the deadline.
    ///
    /// # Errors
    /// `Interrupted` or `TimedOut`; the condition was false at the last look.
    pub fn wait_interruptible<R>(
        &self,
        deadline_ns: Option<u64>,
        mut condition: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        if let Some(value) = condition() {
            return Ok(value);
        }
        let mut place = Place::new(self);
        loop {
            place.enter();
            if let Some(value) = condition() {
                return Ok(value);
            }
            let failure = if park::interrupted() {
                WaitError::Interrupted
            } else if deadline_ns.is_some_and(|deadline| now_ns() >= deadline) {
                WaitError::TimedOut
            } else {
                place.park(deadline_ns);
                continue;
            };
            place.give_up();
            return Err(failure);
        }
    }

    /// Adds an entry; `None` without memory, since any number may wait.
    pub(crate) fn enqueue(&self, thread: ThreadHandle, kind: EntryKind) -> Option<u64> {
        let mut entries = self.entries.lock();
        entries.list.try_reserve(1).ok()?;
        let ticket = entries.next_ticket;
        entries.next_ticket += 1;
        entries.list.push_back(Entry { ticket, thread, kind });
        self.waiting.store(entries.list.len(), Ordering::Relaxed);
        // Orders the entry before the waiter's look at the state; pairs with the fence in `wake_n`.
        fence(Ordering::SeqCst);
        Some(ticket)
    }

    /// Removes an entry; false when a wake-up has taken it.
    pub(crate) fn dequeue(&self, ticket: u64) -> bool {
        let mut entries = self.entries.lock();
        let Some(index) = entries.find(ticket) else {
            return false;
        };
        entries.list.remove(index);
        self.waiting.store(entries.list.len(), Ordering::Relaxed);
        true
    }

    fn holds(&self, ticket: u64) -> bool {
        self.entries.lock().find(ticket).is_some()
    }
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

/// One thread's place in a queue, left when dropped.
struct Place<'a> {
    queue: &'a WaitQueue,
    thread: ThreadHandle,
    ticket: Option<u64>,
}

impl<'a> Place<'a> {
    fn new(queue: &'a WaitQueue) -> Self {
        Self {
            queue,
            thread: park::current(),
            ticket: None,
        }
    }

    /// Queues up, unless still queued after a spurious return.
    fn enter(&mut self) {
        if !self.ticket.is_some_and(|ticket| self.queue.holds(ticket)) {
            self.ticket = self.queue.enqueue(self.thread.clone(), EntryKind::Exclusive);
        }
    }

    /// Sleeps. Who could not queue up for want of memory looks again soon.
    fn park(&self, deadline_ns: Option<u64>) {
        let soon = self.ticket.is_none().then(|| now_ns() + LOOK_AGAIN_NS);
        park::park(match (deadline_ns, soon) {
            (Some(deadline), Some(soon)) => Some(deadline.min(soon)),
            (deadline, soon) => deadline.or(soon),
        });
    }

    /// Leaves without the condition; a wake-up that had already been given goes to the next thread.
    fn give_up(&mut self) {
        if let Some(ticket) = self.ticket.take()
            && !self.queue.dequeue(ticket)
        {
            self.queue.pass_on();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.queue.dequeue(ticket);
        }
    }
}

#[cfg(test)]
mod tests;
