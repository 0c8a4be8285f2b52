//! Waiting for files: how poll(2), select(2) and their relatives join the queues of what they wait for.

use alloc::sync::Arc;

use los_abi::errno::Errno;
pub use los_abi::poll::PollEvents;
use sync::{News, WaitQueue, Waiter};

/// News that there may be something to read.
pub const READABLE: News = News(PollEvents::IN.union(PollEvents::RDNORM).bits());
/// News that something may be written.
pub const WRITABLE: News = News(PollEvents::OUT.union(PollEvents::WRNORM).bits());

/// Collects the queues that a poll waits in, or just looks.
pub struct PollTable<'a> {
    waiter: Option<&'a mut Waiter>,
    failure: Option<Errno>,
}

impl<'a> PollTable<'a> {
    /// Makes a table that joins queues with `waiter`, or none for a mere look.
    pub const fn new(waiter: Option<&'a mut Waiter>) -> Self {
        Self {
            waiter,
            failure: None,
        }
    }

    /// Joins a queue. Called before the conditions are looked at.
    pub fn register(&mut self, queue: &Arc<WaitQueue>) {
        if let Some(waiter) = self.waiter.as_mut()
            && let Err(errno) = waiter.register(queue)
        {
            self.failure = Some(errno);
        }
    }

    /// Reports whether every queue could be joined.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn finish(self) -> Result<(), Errno> {
        self.failure.map_or(Ok(()), Err)
    }
}
