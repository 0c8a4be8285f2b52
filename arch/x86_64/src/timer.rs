//! Time from the time-stamp counter, and deadlines from the local APIC's timer.
//!
//! The counter's frequency comes from the hypervisor or CPUID where they tell it, else it is measured
//! against the PIT. The timer waits for a value of the counter where it can; else it counts down by itself,
//! at a frequency measured against the counter.

use core::arch::x86_64::_rdtsc;
use core::sync::atomic::{AtomicU64, Ordering, fence};

use hal::timer::Timer;
use hal::vdso::CounterRate;
use x86_64::instructions::interrupts;
use x86_64::registers::model_specific::Msr;

use crate::apic::{self, LocalRegister, TIMER_VECTOR};
use crate::features::{self, HYPERVISOR_LEAVES, cpuid};
use crate::percpu::this_cpu;
use crate::ratio::Ratio;
use crate::{X86_64, cmos, pit};

const NS_PER_SECOND: u64 = 1_000_000_000;
/// Assumed when nothing tells the frequency: time is wrong then, but it passes.
const DEFAULT_HZ: u64 = 1_000_000_000;
/// How long the local timer is watched at least.
const LOCAL_TIMER_CALIBRATION_NS: u64 = 1_000_000;

const DIVIDE_BY_16: u32 = 0b0011;
const MODE_ONE_SHOT: u32 = 0;
const MODE_TSC_DEADLINE: u32 = 0b10 << 17;
const MASKED: u32 = 1 << 16;
const MSR_TSC_DEADLINE: Msr = Msr::new(0x6e0);

/// The counter's frequency; 0 until `init_timer`.
static COUNTER_HZ: AtomicU64 = AtomicU64::new(0);
/// The counter's value at time 0.
static COUNTER_START: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds for each tick of the counter; 0, so that time stands, until `init_timer`.
static NS_PER_TICK: AtomicU64 = AtomicU64::new(0);
/// Ticks of the counter, or of the local timer where that counts by itself, for each nanosecond.
static TICKS_PER_NS: AtomicU64 = AtomicU64::new(0);

impl Timer for X86_64 {
    fn init_timer() {
        let local_start = start_local_timer();
        let hz = told_frequency()
            .or_else(pit::measure_counter)
            .unwrap_or(DEFAULT_HZ);
        COUNTER_HZ.store(hz, Ordering::Relaxed);
        COUNTER_START.store(counter(), Ordering::Relaxed);
        NS_PER_TICK.store(Ratio::between(hz, NS_PER_SECOND).0, Ordering::Relaxed);
        let timer_hz = match local_start {
            None => hz,
            Some(start) => measure_local_timer(start, hz),
        };
        TICKS_PER_NS.store(Ratio::between(NS_PER_SECOND, timer_hz).0, Ordering::Relaxed);
        apic::write(LocalRegister::Timer, timer_mode() | u32::from(TIMER_VECTOR));
        // The mode must have arrived before the first deadline (SDM volume 3, 11.5.4.1).
        fence(Ordering::SeqCst);
    }

    #[inline]
    fn monotonic_ns() -> u64 {
        let ticks = counter().saturating_sub(COUNTER_START.load(Ordering::Relaxed));
        Ratio(NS_PER_TICK.load(Ordering::Relaxed)).apply(ticks)
    }

    fn set_deadline(deadline_ns: Option<u64>) {
        let deadline_ns = deadline_ns.unwrap_or(u64::MAX);
        interrupts::without_interrupts(|| {
            this_cpu().deadline_ns.store(deadline_ns, Ordering::Relaxed);
            arm(deadline_ns);
        });
    }

    fn wall_clock_seconds() -> u64 {
        cmos::unix_seconds().unwrap_or(0)
    }
}

/// Returns the counter's frequency for `/proc/cpuinfo`.
pub(crate) fn counter_hz() -> u64 {
    COUNTER_HZ.load(Ordering::Relaxed)
}

/// Returns what `monotonic_ns` computes with, for the vDSO.
pub(crate) fn counter_rate() -> CounterRate {
    CounterRate {
        start: COUNTER_START.load(Ordering::Relaxed),
        ns_per_tick: NS_PER_TICK.load(Ordering::Relaxed),
    }
}

/// Returns the time-stamp counter.
#[inline]
pub(crate) fn counter() -> u64 {
    // SAFETY: reads a register that every 64-bit processor has.
    unsafe { _rdtsc() }
}

/// Decides whether the timer's interrupt is the one that was asked for. The timer may be early, by the
/// measurement's error or because its 32 bits are too few: it is armed again then.
pub(crate) fn deadline_has_passed() -> bool {
    let deadline_ns = &this_cpu().deadline_ns;
    let asked_ns = deadline_ns.load(Ordering::Relaxed);
    if X86_64::monotonic_ns() >= asked_ns {
        deadline_ns.store(u64::MAX, Ordering::Relaxed);
        return true;
    }
    arm(asked_ns);
    false
}

fn arm(deadline_ns: u64) {
    let ticks_per_ns = Ratio(TICKS_PER_NS.load(Ordering::Relaxed));
    if features::has(features::TSC_DEADLINE) {
        let ticks = ticks_per_ns.apply(deadline_ns).saturating_add(1);
        let target = match deadline_ns {
            u64::MAX => 0,
            _ => COUNTER_START.load(Ordering::Relaxed).saturating_add(ticks),
        };
        let mut register = MSR_TSC_DEADLINE;
        // SAFETY: arms or, with 0, disarms the timer.
        unsafe { register.write(target) };
        return;
    }
    let count = match deadline_ns {
        u64::MAX => 0,
        _ => {
            let delay_ns = deadline_ns.saturating_sub(X86_64::monotonic_ns());
            let ticks = ticks_per_ns.apply(delay_ns).saturating_add(1);
            u32::try_from(ticks).unwrap_or(u32::MAX)
        }
    };
    apic::write(LocalRegister::TimerInitialCount, count);
}

fn timer_mode() -> u32 {
    if features::has(features::TSC_DEADLINE) {
        MODE_TSC_DEADLINE
    } else {
        MODE_ONE_SHOT
    }
}

/// Returns the counter's frequency if hypervisor or processor tell it.
fn told_frequency() -> Option<u64> {
    let hypervisor_khz = u64::from(cpuid(HYPERVISOR_LEAVES + 0x10, 0).eax);
    if hypervisor_khz != 0 {
        return Some(hypervisor_khz * 1000);
    }
    // The core crystal's frequency and the counter's ratio to it (SDM volume 3, 19.7.3).
    let crystal = cpuid(0x15, 0);
    let hz = (u64::from(crystal.ecx) * u64::from(crystal.ebx)).checked_div(crystal.eax.into())?;
    (hz != 0).then_some(hz)
}

/// A simultaneous reading of the counter and of the local timer.
#[derive(Clone, Copy)]
struct LocalSample {
    counter: u64,
    count: u32,
}

/// Starts the local timer masked, if it has to be measured, and reads it.
fn start_local_timer() -> Option<LocalSample> {
    if features::has(features::TSC_DEADLINE) {
        return None;
    }
    apic::write(LocalRegister::Timer, MASKED | MODE_ONE_SHOT);
    apic::write(LocalRegister::TimerDivide, DIVIDE_BY_16);
    apic::write(LocalRegister::TimerInitialCount, u32::MAX);
    Some(sample_local_timer())
}

fn sample_local_timer() -> LocalSample {
    let (counter, count) = closest_pair(|| apic::read(LocalRegister::TimerCurrentCount));
    LocalSample { counter, count }
}

fn measure_local_timer(start: LocalSample, counter_hz: u64) -> u64 {
    let least = Ratio::between(NS_PER_SECOND, counter_hz).apply(LOCAL_TIMER_CALIBRATION_NS);
    while counter().saturating_sub(start.counter) < least {
        core::hint::spin_loop();
    }
    let end = sample_local_timer();
    apic::write(LocalRegister::TimerInitialCount, 0);
    let ticks = u64::from(start.count.saturating_sub(end.count));
    let elapsed = end.counter.saturating_sub(start.counter);
    Ratio::between(elapsed, counter_hz).apply(ticks)
}

/// Reads another clock a few times between two readings of the counter, and keeps the pair in which the
/// two came closest: the host may have stopped this CPU during the others.
pub(crate) fn closest_pair<T>(mut read: impl FnMut() -> T) -> (u64, T) {
    const ATTEMPTS: u32 = 5;
    let mut attempt = || {
        let before = counter();
        let value = read();
        let distance = counter().saturating_sub(before);
        (distance, before + distance / 2, value)
    };
    let mut best = attempt();
    for _ in 1..ATTEMPTS {
        let next = attempt();
        if next.0 < best.0 {
            best = next;
        }
    }
    (best.1, best.2)
}
