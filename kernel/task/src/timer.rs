//! Timers: things that happen at a monotonic time, and the one hardware deadline behind all of them.
//!
//! The hardware is programmed for the next event only, and never re-programmed for a later one: it then
//! fires once in vain, which is cheaper than touching it whenever a timer is cancelled.

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use los_abi::errno::Errno;
use los_arch::Current;
use los_arch::hal::cpu::MAX_CPUS;
use los_arch::hal::prelude::Timer as _;
use sync::{PerCpu, Rank, SpinLock, now_ns};

use crate::heap::{IndexedHeap, Member, OUTSIDE};

/// What a timer does when its time has come.
pub trait Expire: Send + Sync {
    /// Acts on the expiry. Runs in an interrupt, without locks held.
    fn expired(&self, now_ns: u64);
}

/// A timer that can be armed for one time at a time; disarmed when dropped.
pub struct Timer {
    entry: Arc<Entry>,
}

/// Room in the queue for one timer, so that arming one cannot fail.
pub struct Reservation(());

struct Entry {
    position: AtomicUsize,
    target: Weak<dyn Expire>,
}

impl Member for Entry {
    fn position(&self) -> &AtomicUsize {
        &self.position
    }
}

static QUEUE: SpinLock<IndexedHeap<Entry>> = SpinLock::new(Rank::Timer, IndexedHeap::new());

/// By CPU: the deadline that its hardware has, `u64::MAX` for none.
static PROGRAMMED: PerCpu<AtomicU64> = PerCpu::new([const { AtomicU64::new(u64::MAX) }; MAX_CPUS]);

/// Reserves room for one timer.
///
/// # Errors
/// ENOMEM.
pub fn reserve() -> Result<Reservation, Errno> {
    QUEUE.lock().promise()?;
    Ok(Reservation(()))
}

impl Drop for Reservation {
    fn drop(&mut self) {
        QUEUE.lock().release();
    }
}

impl Timer {
    /// Makes a timer that is not armed.
    pub fn new(reservation: Reservation, target: Weak<dyn Expire>) -> Self {
        // The timer's own drop releases the room.
        core::mem::forget(reservation);
        Self {
            entry: Arc::new(Entry {
                position: AtomicUsize::new(OUTSIDE),
                target,
            }),
        }
    }

    /// Arms the timer for a time, instead of the one that it may have.
    pub fn arm(&self, deadline_ns: u64) {
        QUEUE.lock().insert(deadline_ns, &self.entry);
        program_before(deadline_ns);
    }

    /// Disarms the timer; false when it was not armed (any more).
    pub fn disarm(&self) -> bool {
        if self.entry.position.load(Ordering::Relaxed) == OUTSIDE {
            return false;
        }
        // Dropped after the lock is released.
        let removed = QUEUE.lock().remove(&self.entry);
        removed.is_some()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.disarm();
        QUEUE.lock().release();
    }
}

/// Makes the hardware fire no later than `deadline_ns` on this CPU.
#[inline]
pub(crate) fn program_before(deadline_ns: u64) {
    let programmed = PROGRAMMED.current();
    if deadline_ns < programmed.load(Ordering::Relaxed) {
        programmed.store(deadline_ns, Ordering::Relaxed);
        Current::set_deadline(Some(deadline_ns));
    }
}

/// Runs every timer that is due, and programs the hardware for the next one. Called from the interrupt.
pub(crate) fn run_due(now: u64) {
    PROGRAMMED.current().store(u64::MAX, Ordering::Relaxed);
    loop {
        let due = QUEUE.lock().pop_until(now);
        let Some(due) = due else { break };
        if let Some(target) = due.target.upgrade() {
            target.expired(now);
        }
    }
    match QUEUE.lock().first_key() {
        Some(next) => program_before(next),
        None => Current::set_deadline(None),
    }
}

/// Returns the monotonic time that lies `duration_ns` ahead, saturating.
pub fn deadline_after(duration_ns: u64) -> u64 {
    now_ns().saturating_add(duration_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter(AtomicU64);
    impl Expire for Counter {
        fn expired(&self, now_ns: u64) {
            self.0.store(now_ns, Ordering::Relaxed);
        }
    }

    #[test]
    fn timers_fire_when_due_and_not_when_disarmed() {
        let counters = [(); 3].map(|()| Arc::new(Counter(AtomicU64::new(0))));
        let timers = [0, 1, 2].map(|index: usize| {
            let target: Weak<dyn Expire> = Arc::<Counter>::downgrade(&counters[index]);
            Timer::new(reserve().unwrap(), target)
        });
        timers[0].arm(10);
        timers[1].arm(20);
        timers[2].arm(15);
        assert!(timers[2].disarm());
        assert!(!timers[2].disarm());
        run_due(12);
        assert!(!timers[0].disarm());
        assert!(timers[1].disarm());
        assert_eq!(counters.map(|c| c.0.load(Ordering::Relaxed)), [12, 0, 0]);
    }
}
