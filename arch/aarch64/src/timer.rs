//! The generic timer's virtual counter and comparator (Arm ARM D12).

use core::sync::atomic::{AtomicU64, Ordering};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{CNTFRQ_EL0, CNTV_CTL_EL0, CNTV_CVAL_EL0, CNTVCT_EL0};
use aarch64_cpu::registers::{Readable, Writeable};
use hal::timer::Timer;
use hal::vdso::CounterRate;

use crate::rate::Rate;
use crate::{Aarch64, clock};

/// Assumed where firmware has not set CNTFRQ_EL0: QEMU's rate.
const DEFAULT_HZ: u64 = 62_500_000;

/// The factors of the counter's `Rate`, 0 before `init_timer`.
static NS_PER_TICK: AtomicU64 = AtomicU64::new(0);
static TICKS_PER_NS: AtomicU64 = AtomicU64::new(0);

impl Timer for Aarch64 {
    fn init_timer() {
        let rate = Rate::from_hz(CNTFRQ_EL0.get()).or(Rate::from_hz(DEFAULT_HZ));
        let (ns_per_tick, ticks_per_ns) = rate.map_or((0, 0), Rate::factors);
        NS_PER_TICK.store(ns_per_tick, Ordering::Relaxed);
        TICKS_PER_NS.store(ticks_per_ns, Ordering::Relaxed);
        silence();
    }

    #[inline]
    fn monotonic_ns() -> u64 {
        // Without the barrier the counter may be read before what the program sees as earlier.
        barrier::isb(barrier::SY);
        rate().ns(CNTVCT_EL0.get())
    }

    fn set_deadline(deadline_ns: Option<u64>) {
        match deadline_ns {
            None => silence(),
            Some(ns) => {
                CNTV_CVAL_EL0.set(rate().ticks(ns));
                CNTV_CTL_EL0.write(CNTV_CTL_EL0::ENABLE::SET);
                barrier::isb(barrier::SY);
            }
        }
    }

    fn wall_clock_seconds() -> u64 {
        clock::seconds()
    }
}

/// Returns what `monotonic_ns` computes with, for the vDSO.
pub(crate) fn counter_rate() -> CounterRate {
    CounterRate {
        start: 0,
        ns_per_tick: NS_PER_TICK.load(Ordering::Relaxed),
    }
}

/// Takes the timer's interrupt back until the next deadline.
pub(crate) fn silence() {
    CNTV_CTL_EL0.write(CNTV_CTL_EL0::ENABLE::CLEAR);
    barrier::isb(barrier::SY);
}

#[inline]
fn rate() -> Rate {
    let ns_per_tick = NS_PER_TICK.load(Ordering::Relaxed);
    Rate::from_factors(ns_per_tick, TICKS_PER_NS.load(Ordering::Relaxed))
}
