//! An entry of a run queue's heap: a runnable thread with the key that says when it goes, and the tickets that keep
//! those in line that are equal otherwise.

use alloc::sync::Arc;
use core::cmp::Ordering;

use crate::thread::Thread;

/// A runnable thread in its place: the greatest key is the next to run.
pub(super) struct Ready<K> {
    pub(super) key: K,
    pub(super) thread: Arc<Thread>,
}

impl<K: Ord> Ord for Ready<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}
impl<K: Ord> PartialOrd for Ready<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K: Ord> PartialEq for Ready<K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<K: Ord> Eq for Ready<K> {}

/// Where in the line of its equals a thread goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Before the others: it was interrupted.
    Head,
    /// Behind them: it has just become runnable, or its turn is over.
    Tail,
}

/// Gives out tickets, of which the least goes first.
pub(super) struct Tickets {
    last_head: i64,
    last_tail: i64,
}

impl Tickets {
    pub(super) const fn new() -> Self {
        Self {
            last_head: 0,
            last_tail: 0,
        }
    }

    /// Returns the next ticket.
    pub(super) fn draw(&mut self, place: Place) -> i64 {
        match place {
            Place::Head => {
                self.last_head -= 1;
                self.last_head
            }
            Place::Tail => {
                self.last_tail += 1;
                self.last_tail
            }
        }
    }
}
