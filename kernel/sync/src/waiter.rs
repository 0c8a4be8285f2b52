//! Waiting for any of several queues at once, as poll and select do.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;

use crate::error::WaitError;
use crate::park::{self, ThreadHandle, now_ns};
use crate::wait_queue::{EntryKind, WaitQueue};

/// The running thread's presence in any number of queues, ended when dropped.
pub struct Waiter {
    thread: ThreadHandle,
    kind: EntryKind,
    places: Vec<(Arc<WaitQueue>, u64)>,
}

impl Waiter {
    /// Makes a waiter of the running thread that is in no queue yet.
    pub fn new() -> Self {
        Self::for_thread(park::current())
    }

    /// Makes the waiter of whatever is told of wake-ups as a thread would be.
    pub fn for_thread(thread: ThreadHandle) -> Self {
        Self {
            thread,
            kind: EntryKind::Observer,
            places: Vec::new(),
        }
    }

    /// Lets others wait for what this one takes care of (EPOLLEXCLUSIVE).
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.kind = EntryKind::ExclusiveObserver;
        self
    }

    /// Joins a queue. Register first, look at the state second.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn register(&mut self, queue: &Arc<WaitQueue>) -> Result<(), Errno> {
        self.places.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let ticket = queue
            .enqueue(self.thread.clone(), self.kind)
            .ok_or(Errno::ENOMEM)?;
        self.places.push((queue.clone(), ticket));
        Ok(())
    }

    /// Sleeps until `condition` gives a value; it is looked at once before the first sleep, and gets the
    /// waiter, to join more queues.
    ///
    /// # Errors
    /// `Interrupted` or `TimedOut`.
    pub fn wait_interruptible<R>(
        &mut self,
        deadline_ns: Option<u64>,
        mut condition: impl FnMut(&mut Self) -> Option<R>,
    ) -> Result<R, WaitError> {
        loop {
            if let Some(value) = condition(self) {
                return Ok(value);
            }
            if park::interrupted() {
                return Err(WaitError::Interrupted);
            }
            if deadline_ns.is_some_and(|deadline| now_ns() >= deadline) {
                return Err(WaitError::TimedOut);
            }
            park::park(deadline_ns);
        }
    }
}

impl Default for Waiter {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        for (queue, ticket) in self.places.drain(..) {
            queue.dequeue(ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_every_queue() {
        let queues = [(); 3].map(|()| Arc::new(WaitQueue::new()));
        let mut waiter = Waiter::new();
        for queue in &queues {
            waiter.register(queue).unwrap();
        }
        assert!(queues.iter().all(|queue| queue.has_waiters()));
        assert_eq!(
            waiter.wait_interruptible(Some(0), |_| None::<()>),
            Err(WaitError::TimedOut)
        );
        drop(waiter);
        assert!(!queues.iter().any(|queue| queue.has_waiters()));
    }
}
