//! The spin lock: short critical sections, with interrupts masked on this CPU while it is held.

use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

use los_arch::{Current, hal::prelude::Irq};

use crate::rank::{self, Rank};

/// Mutual exclusion among CPUs and against interrupts. Nothing may sleep while one is held.
#[derive(Debug)]
pub struct SpinLock<T: ?Sized> {
    rank: Rank,
    inner: spin::mutex::SpinMutex<T>,
}

/// Access to the data; releases the lock and restores the interrupt mask when dropped.
pub struct SpinLockGuard<'a, T: ?Sized> {
    inner: ManuallyDrop<spin::mutex::SpinMutexGuard<'a, T>>,
    rank: Rank,
    interrupts_were_enabled: bool,
}

impl<T> SpinLock<T> {
    /// Makes an unlocked lock.
    pub const fn new(rank: Rank, value: T) -> Self {
        Self {
            rank,
            inner: spin::mutex::SpinMutex::new(value),
        }
    }

    /// Takes the data out of a lock that nobody shares any more.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> SpinLock<T> {
    /// Waits for the lock, spinning.
    #[inline]
    pub fn lock(&self) -> SpinLockGuard<'_, T> {
        let interrupts_were_enabled = Current::disable_interrupts();
        rank::acquire(self.rank);
        SpinLockGuard {
            inner: ManuallyDrop::new(self.inner.lock()),
            rank: self.rank,
            interrupts_were_enabled,
        }
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Option<SpinLockGuard<'_, T>> {
        let interrupts_were_enabled = Current::disable_interrupts();
        let Some(inner) = self.inner.try_lock() else {
            if interrupts_were_enabled {
                Current::enable_interrupts();
            }
            return None;
        };
        rank::acquire(self.rank);
        Some(SpinLockGuard {
            inner: ManuallyDrop::new(inner),
            rank: self.rank,
            interrupts_were_enabled,
        })
    }

    /// Returns the data of a lock that is not shared.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

impl<T: ?Sized> Deref for SpinLockGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for SpinLockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized> Drop for SpinLockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `inner` is dropped here only, and never used again. It must go before interrupts
        // are enabled, or a handler could spin on a lock that its own CPU holds.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
        rank::release(self.rank);
        if self.interrupts_were_enabled {
            Current::enable_interrupts();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_locks_restore_the_mask_once() {
        Current::enable_interrupts();
        let (outer, inner) = (SpinLock::new(Rank::Process, 1), SpinLock::new(Rank::Log, 2));
        let first = outer.lock();
        let second = inner.lock();
        assert!(!Current::interrupts_enabled());
        drop(second);
        assert!(!Current::interrupts_enabled());
        drop(first);
        assert!(Current::interrupts_enabled());
    }

    #[test]
    fn try_lock_fails_on_a_held_lock() {
        let lock = SpinLock::new(Rank::Tty, ());
        let _held = lock.lock();
        assert!(lock.try_lock().is_none());
    }
}
