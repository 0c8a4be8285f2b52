//! The sleeping reader-writer lock: many readers or one writer.

use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

use crate::rank::{self, Rank};
use crate::wait_queue::WaitQueue;

/// Shared or exclusive access whose waiters sleep. Readers can starve writers; use it where writes are rare.
#[derive(Debug)]
pub struct RwLock<T: ?Sized> {
    queue: WaitQueue,
    inner: spin::RwLock<T>,
}

/// Shared access.
pub struct RwLockReadGuard<'a, T: ?Sized> {
    inner: ManuallyDrop<spin::RwLockReadGuard<'a, T>>,
    queue: &'a WaitQueue,
}

/// Exclusive access.
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    inner: ManuallyDrop<spin::RwLockWriteGuard<'a, T>>,
    queue: &'a WaitQueue,
}

impl<T> RwLock<T> {
    /// Makes an unlocked lock. The rank documents its place in the order; it is outside of spin locks.
    pub const fn new(_rank: Rank, value: T) -> Self {
        Self {
            queue: WaitQueue::new(),
            inner: spin::RwLock::new(value),
        }
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits for shared access, asleep.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        rank::assert_may_sleep();
        let inner = match self.inner.try_read() {
            Some(inner) => inner,
            None => self.queue.wait(|| self.inner.try_read()),
        };
        RwLockReadGuard {
            inner: ManuallyDrop::new(inner),
            queue: &self.queue,
        }
    }

    /// Waits for exclusive access, asleep.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        rank::assert_may_sleep();
        let inner = match self.inner.try_write() {
            Some(inner) => inner,
            None => self.queue.wait(|| self.inner.try_write()),
        };
        RwLockWriteGuard {
            inner: ManuallyDrop::new(inner),
            queue: &self.queue,
        }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: `inner` is dropped here only, and never used again; it goes before the wake-up.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
        self.queue.wake_all();
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: `inner` is dropped here only, and never used again; it goes before the wake-up.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
        self.queue.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_share_and_writers_do_not() {
        let lock = RwLock::new(Rank::Inode, 1);
        let (first, second) = (lock.read(), lock.read());
        assert_eq!(*first + *second, 2);
        assert!(lock.inner.try_write().is_none());
        drop((first, second));
        *lock.write() = 5;
        assert_eq!(*lock.read(), 5);
    }
}
