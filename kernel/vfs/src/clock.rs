//! Real time: the monotonic clock plus an offset that the battery-backed clock and settimeofday set. Programs
//! see the offset in the page that the vDSO reads.

use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use los_abi::time::Timespec;

/// Real time minus monotonic time, in nanoseconds.
static OFFSET_NS: AtomicU64 = AtomicU64::new(0);

/// Returns nanoseconds since 1970.
#[inline]
pub fn realtime_ns() -> u64 {
    sync::now_ns().wrapping_add(OFFSET_NS.load(Ordering::Relaxed))
}

/// Returns the time since 1970.
#[inline]
pub fn realtime_now() -> Timespec {
    Timespec::from_ns(realtime_ns())
}

/// Returns what must be added to monotonic time to make real time.
pub fn realtime_offset_ns() -> u64 {
    OFFSET_NS.load(Ordering::Relaxed)
}

/// International atomic time minus real time, in seconds.
static TAI_OFFSET_SECONDS: AtomicI32 = AtomicI32::new(0);

/// Returns what must be added to real time to make atomic time, in seconds.
pub fn tai_offset_seconds() -> i32 {
    TAI_OFFSET_SECONDS.load(Ordering::Relaxed)
}

/// Sets what must be added to real time to make atomic time.
pub fn set_tai_offset_seconds(seconds: i32) {
    TAI_OFFSET_SECONDS.store(seconds, Ordering::Relaxed);
}

/// Sets real time to this many nanoseconds since 1970.
pub fn set_realtime_ns(now_ns: u64) {
    OFFSET_NS.store(now_ns.wrapping_sub(sync::now_ns()), Ordering::Relaxed);
    mm::vvar::publish(realtime_offset_ns);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_time_runs_on_from_where_it_was_set() {
        let start = 1_700_000_000_000_000_000;
        set_realtime_ns(start);
        assert!(realtime_ns() >= start);
        assert!(realtime_now().tv_sec >= 1_700_000_000);
        set_realtime_ns(sync::now_ns());
    }
}
