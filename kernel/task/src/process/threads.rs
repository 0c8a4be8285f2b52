//! The threads of a process, and what those have used that are no more.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

use crate::accounting::Usage;
use crate::thread::Thread;

/// The living threads, oldest first, with the sum over the dead ones: each thread counts in one of the two.
#[derive(Default)]
pub(crate) struct ThreadList {
    living: Vec<Arc<Thread>>,
    dead: Usage,
}

impl ThreadList {
    /// Moves a thread to the dead.
    pub(crate) fn bury(&mut self, thread: &Arc<Thread>) {
        self.living.retain(|other| !Arc::ptr_eq(other, thread));
        self.dead.add(&thread.accounting.usage());
    }

    /// Returns what the dead have used.
    pub(crate) fn dead(&self) -> Usage {
        self.dead
    }

    /// Returns what all have used.
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = self.dead;
        self.living
            .iter()
            .for_each(|thread| usage.add(&thread.accounting.usage()));
        usage
    }
}

impl Deref for ThreadList {
    type Target = Vec<Arc<Thread>>;

    fn deref(&self) -> &Vec<Arc<Thread>> {
        &self.living
    }
}

impl DerefMut for ThreadList {
    fn deref_mut(&mut self) -> &mut Vec<Arc<Thread>> {
        &mut self.living
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::sync::atomic::{AtomicBool, Ordering};

    use crate::testing;

    #[test]
    fn no_time_is_lost_or_counted_twice_when_threads_die() {
        const THREADS: usize = 200;
        let first = testing::thread();
        let process = first.process().clone();
        let threads: std::vec::Vec<_> = (0..THREADS).map(|_| testing::another_thread(&process)).collect();
        threads.iter().for_each(|thread| thread.accounting.add_runtime(1));
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watches = scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    assert_eq!(process.counters().runtime_ns, THREADS as u64);
                }
            });
            for thread in &threads {
                process.threads.lock().bury(thread);
            }
            is_over.store(true, Ordering::SeqCst);
            watches.join().unwrap();
        });
        assert_eq!(process.thread_count(), 1);
        process.threads.lock().clear();
    }
}
