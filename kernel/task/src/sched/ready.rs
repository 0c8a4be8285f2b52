//! An entry of a run queue's heap: a runnable thread with the key that says when it goes.

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
