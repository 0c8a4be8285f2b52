//! A thread's part in futexes. Changed with the table locked, by whoever holds the lock.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Value of [`FutexState::woken`] while no waker has come.
const ASLEEP: u32 = 0;
/// Value of [`FutexState::lock_bucket`] of a thread that waits for no lock.
const NO_LOCK: u32 = 0;

/// What the table needs to know of a thread.
pub(crate) struct FutexState {
    /// `ASLEEP`, or one more than the number of the word whose waker took the thread off its list.
    woken: AtomicU32,
    /// One more than the bucket with the lock that the thread waits for.
    lock_bucket: AtomicU32,
    /// Number of locks with waiters that the thread holds.
    held: AtomicU32,
    /// Whether the thread has released its locks for the last time.
    released: AtomicBool,
}

impl FutexState {
    pub(crate) const fn new() -> Self {
        Self {
            woken: AtomicU32::new(ASLEEP),
            lock_bucket: AtomicU32::new(NO_LOCK),
            held: AtomicU32::new(0),
            released: AtomicBool::new(false),
        }
    }

    pub(super) fn fall_asleep(&self) {
        self.woken.store(ASLEEP, Ordering::SeqCst);
    }

    pub(super) fn set_woken(&self, number: u32) {
        self.woken.store(number + 1, Ordering::SeqCst);
    }

    /// Returns the number of the word that woke the thread.
    pub(super) fn woken(&self) -> Option<u32> {
        self.woken.load(Ordering::SeqCst).checked_sub(1)
    }

    pub(super) fn set_lock_bucket(&self, bucket: Option<usize>) {
        let bucket = bucket.map_or(NO_LOCK, |bucket| bucket as u32 + 1);
        self.lock_bucket.store(bucket, Ordering::Relaxed);
    }

    pub(super) fn lock_bucket(&self) -> Option<usize> {
        let bucket = self.lock_bucket.load(Ordering::Relaxed).checked_sub(1)?;
        Some(bucket as usize)
    }

    pub(super) fn add_held(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_held(&self) {
        self.held.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn holds_locks(&self) -> bool {
        self.held.load(Ordering::Relaxed) != 0
    }

    pub(super) fn set_released(&self) {
        self.released.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_released(&self) -> bool {
        self.released.load(Ordering::Relaxed)
    }
}
