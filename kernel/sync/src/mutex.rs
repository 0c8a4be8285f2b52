//! The sleeping mutex: for critical sections that may wait, allocate or touch user memory.

use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

use crate::rank::{self, Rank};
use crate::wait_queue::WaitQueue;

/// Mutual exclusion whose waiters sleep. Not usable in interrupts.
#[derive(Debug)]
pub struct Mutex<T: ?Sized> {
    queue: WaitQueue,
    inner: spin::mutex::SpinMutex<T>,
}

/// Access to the data; wakes one waiter when dropped.
pub struct MutexGuard<'a, T: ?Sized> {
    inner: ManuallyDrop<spin::mutex::SpinMutexGuard<'a, T>>,
    queue: &'a WaitQueue,
}

impl<T> Mutex<T> {
    /// Makes an unlocked mutex. The rank documents its place in the order; it is outside of spin locks.
    pub const fn new(_rank: Rank, value: T) -> Self {
        Self {
            queue: WaitQueue::new(),
            inner: spin::mutex::SpinMutex::new(value),
        }
    }

    /// Takes the data out of a mutex that nobody shares any more.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the mutex, asleep.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        rank::assert_may_sleep();
        let inner = match self.inner.try_lock() {
            Some(inner) => inner,
            None => self.queue.wait(|| self.inner.try_lock()),
        };
        MutexGuard {
            inner: ManuallyDrop::new(inner),
            queue: &self.queue,
        }
    }

    /// Takes the mutex if it is free.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.inner.try_lock().map(|inner| MutexGuard {
            inner: ManuallyDrop::new(inner),
            queue: &self.queue,
        })
    }

    /// Returns the data of a mutex that is not shared.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: `inner` is dropped here only, and never used again; it goes before the wake-up so
        // that the woken thread finds the mutex free.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
        self.queue.wake_one();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn increments_do_not_get_lost() {
        let mutex = Arc::new(Mutex::new(Rank::Inode, 0_u32));
        let threads: alloc::vec::Vec<_> = (0..4)
            .map(|_| {
                let mutex = mutex.clone();
                thread::spawn(move || (0..1000).for_each(|_| *mutex.lock() += 1))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*mutex.lock(), 4000);
    }

    #[test]
    fn try_lock_fails_on_a_held_mutex() {
        let mutex = Mutex::new(Rank::Inode, ());
        let held = mutex.lock();
        assert!(mutex.try_lock().is_none());
        drop(held);
        assert!(mutex.try_lock().is_some());
    }
}
