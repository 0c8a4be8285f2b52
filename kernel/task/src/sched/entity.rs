//! What the scheduler keeps of a thread.

use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU64, Ordering};

/// Highest priority of setpriority(2).
pub const NICE_MIN: i32 = -20;
/// Lowest priority of setpriority(2).
pub const NICE_MAX: i32 = 19;

/// Weight of nice 0.
const WEIGHT_UNIT: u64 = 1024;

/// Share of the processor by nice value from -20: each step is about a quarter (as Linux documents it).
const WEIGHTS: [u32; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121,
    2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29,
    23, 18, 15,
];

/// Whether a thread can run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum State {
    /// Runs, or waits for its turn in a run queue.
    Runnable,
    /// Waits for its token.
    Parked,
    /// Will never run again.
    Dead,
}

/// The scheduler's part of a thread.
pub(crate) struct Entity {
    state: AtomicU8,
    /// Given by `unpark`, taken by `park`.
    pub(crate) token: AtomicBool,
    virtual_ns: AtomicU64,
    nice: AtomicI32,
}

impl Entity {
    pub(crate) const fn new(nice: i32) -> Self {
        Self {
            state: AtomicU8::new(State::Runnable as u8),
            token: AtomicBool::new(false),
            virtual_ns: AtomicU64::new(0),
            nice: AtomicI32::new(nice),
        }
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::SeqCst) {
            0 => State::Runnable,
            1 => State::Parked,
            _ => State::Dead,
        }
    }

    #[inline]
    pub(crate) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::SeqCst);
    }

    /// Makes a parked thread runnable; false when it is not parked (any more).
    #[inline]
    pub(crate) fn claim_parked(&self) -> bool {
        let (parked, runnable) = (State::Parked as u8, State::Runnable as u8);
        self.state
            .compare_exchange(parked, runnable, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    #[inline]
    pub(crate) fn virtual_ns(&self) -> u64 {
        self.virtual_ns.load(Ordering::Relaxed)
    }

    /// Raises the virtual runtime to at least this.
    #[inline]
    pub(crate) fn start_at(&self, virtual_ns: u64) {
        let start = self.virtual_ns().max(virtual_ns);
        self.virtual_ns.store(start, Ordering::Relaxed);
    }

    /// Advances the virtual runtime by time that the thread has run.
    #[inline]
    pub(crate) fn advance(&self, ran_ns: u64) {
        let nice = self.nice();
        let virtual_ns = if nice == 0 {
            ran_ns
        } else {
            ran_ns.saturating_mul(WEIGHT_UNIT) / u64::from(weight(nice))
        };
        self.virtual_ns
            .store(self.virtual_ns() + virtual_ns, Ordering::Relaxed);
    }

    pub(crate) fn nice(&self) -> i32 {
        self.nice.load(Ordering::Relaxed)
    }

    pub(crate) fn set_nice(&self, nice: i32) {
        self.nice.store(nice.clamp(NICE_MIN, NICE_MAX), Ordering::Relaxed);
    }
}

fn weight(nice: i32) -> u32 {
    WEIGHTS[(nice.clamp(NICE_MIN, NICE_MAX) - NICE_MIN) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nice_threads_age_faster() {
        let ages = [-20, 0, 19].map(|nice| {
            let entity = Entity::new(nice);
            entity.advance(1_000_000);
            entity.virtual_ns()
        });
        assert!(ages[0] < ages[1] && ages[1] < ages[2]);
        assert_eq!(ages[1], 1_000_000);
    }

    #[test]
    fn sleepers_do_not_save_time_up() {
        let entity = Entity::new(0);
        entity.start_at(500);
        entity.start_at(100);
        assert_eq!(entity.virtual_ns(), 500);
    }
}
