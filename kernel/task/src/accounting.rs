//! Who has used how much: processor time, faults, switches, and the load average.
//!
//! Run time is measured at every switch. How it divides into user and system time is sampled by the tick,
//! as Linux does without virtual CPU accounting.

use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::resource::Rusage;
use los_abi::time::{NSEC_PER_SEC, Timeval, USER_HZ};
use sync::{Rank, SpinLock, now_ns};

/// What a thread has used.
pub struct ThreadAccounting {
    runtime_ns: AtomicU64,
    user_ticks: AtomicU64,
    system_ticks: AtomicU64,
    minor_faults: AtomicU64,
    major_faults: AtomicU64,
    voluntary_switches: AtomicU64,
    involuntary_switches: AtomicU64,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
    read_calls: AtomicU64,
    write_calls: AtomicU64,
}

impl ThreadAccounting {
    pub(crate) const fn new() -> Self {
        Self {
            runtime_ns: AtomicU64::new(0),
            user_ticks: AtomicU64::new(0),
            system_ticks: AtomicU64::new(0),
            minor_faults: AtomicU64::new(0),
            major_faults: AtomicU64::new(0),
            voluntary_switches: AtomicU64::new(0),
            involuntary_switches: AtomicU64::new(0),
            read_bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            read_calls: AtomicU64::new(0),
            write_calls: AtomicU64::new(0),
        }
    }

    /// Returns time on a processor, up to the last switch or tick.
    pub fn runtime_ns(&self) -> u64 {
        self.runtime_ns.load(Ordering::Relaxed)
    }

    /// Returns all counters.
    pub fn usage(&self) -> Usage {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Usage {
            runtime_ns: get(&self.runtime_ns),
            user_ticks: get(&self.user_ticks),
            system_ticks: get(&self.system_ticks),
            minor_faults: get(&self.minor_faults),
            major_faults: get(&self.major_faults),
            voluntary_switches: get(&self.voluntary_switches),
            involuntary_switches: get(&self.involuntary_switches),
            read_bytes: get(&self.read_bytes),
            written_bytes: get(&self.written_bytes),
            read_calls: get(&self.read_calls),
            write_calls: get(&self.write_calls),
            peak_pages: 0,
        }
    }

    #[inline]
    pub(crate) fn add_runtime(&self, ran_ns: u64) {
        bump(&self.runtime_ns, ran_ns);
    }

    pub(crate) fn tick(&self, in_user: bool) {
        bump(
            if in_user {
                &self.user_ticks
            } else {
                &self.system_ticks
            },
            1,
        );
    }

    #[inline]
    pub(crate) fn count_voluntary_switch(&self) {
        bump(&self.voluntary_switches, 1);
    }

    pub(crate) fn count_involuntary_switch(&self) {
        bump(&self.involuntary_switches, 1);
    }

    #[inline]
    pub(crate) fn count_fault(&self) {
        bump(&self.minor_faults, 1);
    }

    /// Counts a call of the thread's own that has read so many bytes.
    #[inline]
    pub fn count_read(&self, bytes: usize) {
        bump(&self.read_bytes, bytes as u64);
        bump(&self.read_calls, 1);
    }

    /// Counts a call of the thread's own that has written so many bytes.
    #[inline]
    pub fn count_write(&self, bytes: usize) {
        bump(&self.written_bytes, bytes as u64);
        bump(&self.write_calls, 1);
    }
}

/// Adds to a counter that one CPU at a time writes.
#[inline]
fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

/// What a thread, a process or its dead children have used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Time on a processor.
    pub runtime_ns: u64,
    /// Ticks that found user code running.
    pub user_ticks: u64,
    /// Ticks that found the kernel running for it.
    pub system_ticks: u64,
    /// Page faults served from memory.
    pub minor_faults: u64,
    /// Page faults that waited for a device.
    pub major_faults: u64,
    /// Switches because there was nothing to do.
    pub voluntary_switches: u64,
    /// Switches because the time slice was over.
    pub involuntary_switches: u64,
    /// Bytes that calls have read.
    pub read_bytes: u64,
    /// Bytes that calls have written.
    pub written_bytes: u64,
    /// Calls that read.
    pub read_calls: u64,
    /// Calls that write.
    pub write_calls: u64,
    /// Most resident pages.
    pub peak_pages: usize,
}

/// Processor time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuTimes {
    /// In user mode.
    pub user_ns: u64,
    /// In the kernel.
    pub system_ns: u64,
}

impl Usage {
    /// Adds another one's counters; the peak is the higher of the two.
    pub fn add(&mut self, other: &Self) {
        self.runtime_ns += other.runtime_ns;
        self.user_ticks += other.user_ticks;
        self.system_ticks += other.system_ticks;
        self.minor_faults += other.minor_faults;
        self.major_faults += other.major_faults;
        self.voluntary_switches += other.voluntary_switches;
        self.involuntary_switches += other.involuntary_switches;
        self.read_bytes += other.read_bytes;
        self.written_bytes += other.written_bytes;
        self.read_calls += other.read_calls;
        self.write_calls += other.write_calls;
        self.peak_pages = self.peak_pages.max(other.peak_pages);
    }

    /// Divides the run time as the ticks found it; all of it is user time without a sample.
    pub fn times(&self) -> CpuTimes {
        let ticks = u128::from(self.user_ticks + self.system_ticks);
        let product = u128::from(self.runtime_ns) * u128::from(self.system_ticks);
        let system_ns = product.checked_div(ticks).unwrap_or(0) as u64;
        CpuTimes {
            user_ns: self.runtime_ns - system_ns,
            system_ns,
        }
    }

    /// Returns the form of getrusage(2).
    pub fn to_rusage(&self) -> Rusage {
        let times = self.times();
        Rusage {
            ru_utime: Timeval::from_ns(times.user_ns),
            ru_stime: Timeval::from_ns(times.system_ns),
            ru_maxrss: (self.peak_pages * 4) as i64,
            ru_minflt: self.minor_faults as i64,
            ru_majflt: self.major_faults as i64,
            ru_nvcsw: self.voluntary_switches as i64,
            ru_nivcsw: self.involuntary_switches as i64,
            ..Rusage::default()
        }
    }
}

/// Converts nanoseconds to clock ticks of user space.
pub fn ticks(ns: u64) -> u64 {
    ns / (NSEC_PER_SEC as u64 / USER_HZ)
}

/// Bits behind the point of the load averages.
pub const LOAD_FRACTION_BITS: u32 = 11;
const LOAD_ONE: u64 = 1 << LOAD_FRACTION_BITS;
/// Time between samples of the load.
const LOAD_PERIOD_NS: u64 = 5_000_000_000;
/// e^(-5 s / 1, 5, 15 min) with [`LOAD_FRACTION_BITS`], as Linux has them.
const LOAD_DECAY: [u64; 3] = [1884, 2014, 2037];

struct Load {
    averages: [u64; 3],
    sampled_ns: u64,
}

static LOAD: SpinLock<Load> = SpinLock::new(
    Rank::Frames,
    Load {
        averages: [0; 3],
        sampled_ns: 0,
    },
);

/// Lets the averages take in `runnable` threads for every period that has passed.
pub(crate) fn sample_load(now: u64, runnable: usize) {
    LOAD.lock().sample(now, runnable as u64);
}

/// Returns the load averages over 1, 5 and 15 minutes, with [`LOAD_FRACTION_BITS`].
pub fn load_averages() -> [u64; 3] {
    sample_load(now_ns(), crate::sched::runnable_count());
    LOAD.lock().averages
}

impl Load {
    fn sample(&mut self, now: u64, runnable: u64) {
        // After a long idle time nothing is left of the old load.
        const PERIODS_MAX: u64 = 2000;
        let periods = now.saturating_sub(self.sampled_ns) / LOAD_PERIOD_NS;
        if periods == 0 {
            return;
        }
        self.sampled_ns += periods * LOAD_PERIOD_NS;
        for _ in 0..periods.min(PERIODS_MAX) {
            for (average, decay) in self.averages.iter_mut().zip(LOAD_DECAY) {
                let active = runnable * LOAD_ONE;
                let rounding = if active >= *average { LOAD_ONE - 1 } else { 0 };
                *average = (*average * decay + active * (LOAD_ONE - decay) + rounding) / LOAD_ONE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_divide_as_sampled_and_add_up() {
        let usage = Usage {
            runtime_ns: 1_000_000_001,
            user_ticks: 3,
            system_ticks: 1,
            ..Usage::default()
        };
        let times = usage.times();
        assert_eq!(times.system_ns, 250_000_000);
        assert_eq!(times.user_ns + times.system_ns, usage.runtime_ns);
        let unsampled = Usage {
            runtime_ns: 7,
            ..Usage::default()
        };
        assert_eq!(unsampled.times().user_ns, 7);
    }

    #[test]
    fn the_load_rises_and_falls() {
        let mut load = Load {
            averages: [0; 3],
            sampled_ns: 0,
        };
        load.sample(60 * 1_000_000_000, 2);
        assert!(load.averages[0] > LOAD_ONE && load.averages[0] < 2 * LOAD_ONE);
        assert!(load.averages[0] > load.averages[1] && load.averages[1] > load.averages[2]);
        load.sample(3600 * 1_000_000_000, 0);
        assert!(load.averages[0] < 10);
    }
}
