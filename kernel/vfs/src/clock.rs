//! Real time: the monotonic clock plus an offset that the battery-backed clock and settimeofday set. Programs
//! see the offset in the page that the vDSO reads.
//!
//! The discipline of the clock (adjtimex(2)) has real time run a little faster or slower than monotonic time: then
//! the offset changes with time, and programs have to ask the kernel.

use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use hal::vdso::COARSE_NS;
use los_abi::time::Timespec;
use sync::{Rank, SpinLock};

/// Real time minus monotonic time, in nanoseconds, while the two run at one rate.
static OFFSET_NS: AtomicU64 = AtomicU64::new(0);
/// Whether real time runs at a rate of its own, or did until now.
static IS_SLEWED: AtomicBool = AtomicBool::new(false);
static SLEW: SpinLock<Slew> = SpinLock::new(Rank::ClockPage, Slew::NONE);

/// How fast an offset that is to be made up for goes: nanoseconds in a millisecond (Linux's MAX_TICKADJ).
const ADJUSTMENT_NS_PER_MS: i128 = 500;

/// How real time runs from a point of monotonic time on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slew {
    since_ns: u64,
    /// Real time minus monotonic time then.
    offset_ns: u64,
    /// Nanoseconds that real time gains in each, with 32 bits of fraction.
    gain: i64,
    /// What is still to be made up for, slowly.
    adjustment_ns: i64,
}

impl Slew {
    const NONE: Self = Self {
        since_ns: 0,
        offset_ns: 0,
        gain: 0,
        adjustment_ns: 0,
    };

    /// Reports whether the offset stays as it is.
    fn is_over(self) -> bool {
        self.gain == 0 && self.adjustment_ns == 0
    }

    /// Returns the same from a later point on.
    fn at(self, now_ns: u64) -> Self {
        let elapsed = i128::from(now_ns.saturating_sub(self.since_ns));
        let gained = (elapsed * i128::from(self.gain)) >> 32;
        let wanted = i128::from(self.adjustment_ns);
        let most = elapsed * ADJUSTMENT_NS_PER_MS / 1_000_000;
        let made_up = wanted.clamp(-most, most);
        Self {
            since_ns: now_ns,
            offset_ns: self.offset_ns.wrapping_add((gained + made_up) as u64),
            gain: self.gain,
            adjustment_ns: (wanted - made_up) as i64,
        }
    }
}

/// Returns nanoseconds since 1970.
#[inline]
pub fn realtime_ns() -> u64 {
    let now_ns = sync::now_ns();
    now_ns.wrapping_add(offset_at(now_ns))
}

#[inline]
fn offset_at(now_ns: u64) -> u64 {
    if IS_SLEWED.load(Ordering::Acquire) {
        slew_at(now_ns).offset_ns
    } else {
        OFFSET_NS.load(Ordering::Relaxed)
    }
}

/// Returns how real time runs at a point. What has been made up for altogether needs no further looks.
fn slew_at(now_ns: u64) -> Slew {
    let mut slew = SLEW.lock();
    let found = slew.at(now_ns);
    // The coarse clocks are a tick behind.
    let is_over = slew.at(now_ns.saturating_sub(COARSE_NS)).is_over();
    let ends = is_over && IS_SLEWED.load(Ordering::Relaxed);
    if ends {
        *slew = found;
        OFFSET_NS.store(found.offset_ns, Ordering::Relaxed);
        IS_SLEWED.store(false, Ordering::Release);
    }
    drop(slew);
    if ends {
        publish();
    }
    found
}

/// Tells programs the offset, or to ask. It is for the last that publishes to find what the last change left.
fn publish() {
    mm::vvar::publish(|| {
        let is_slewed = IS_SLEWED.load(Ordering::Acquire);
        (!is_slewed).then(|| OFFSET_NS.load(Ordering::Relaxed))
    });
}

/// Returns the time since 1970.
#[inline]
pub fn realtime_now() -> Timespec {
    Timespec::from_ns(realtime_ns())
}

/// Returns what must be added to monotonic time now to make real time.
pub fn realtime_offset_ns() -> u64 {
    offset_at(sync::now_ns())
}

/// Returns real time as it was, or is, at a point of monotonic time; before the latest change of how it runs, as at that.
pub fn realtime_at(monotonic_ns: u64) -> u64 {
    monotonic_ns.wrapping_add(offset_at(monotonic_ns))
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

/// Sets real time to this many nanoseconds since 1970. An offset that was to be made up for is forgotten.
pub fn set_realtime_ns(new_ns: u64) {
    change(|slew| {
        slew.offset_ns = new_ns.wrapping_sub(slew.since_ns);
        slew.adjustment_ns = 0;
    });
}

/// Has real time gain so many nanoseconds in each nanosecond, with 32 bits of fraction.
pub fn set_gain(gain: i64) {
    change(|slew| slew.gain = gain);
}

/// Has real time make up for an offset, slowly, instead of what is left of the one before.
pub fn set_adjustment_ns(adjustment_ns: i64) {
    change(|slew| slew.adjustment_ns = adjustment_ns);
}

/// Returns what is left of the offset that real time is to make up for.
pub fn adjustment_ns() -> i64 {
    if IS_SLEWED.load(Ordering::Acquire) {
        slew_at(sync::now_ns()).adjustment_ns
    } else {
        0
    }
}

/// Changes how real time runs from now on.
fn change(change: impl FnOnce(&mut Slew)) {
    let mut slew = SLEW.lock();
    let mut new = slew.at(sync::now_ns());
    change(&mut new);
    *slew = new;
    OFFSET_NS.store(new.offset_ns, Ordering::Relaxed);
    IS_SLEWED.store(!new.is_over(), Ordering::Release);
    drop(slew);
    publish();
}

#[cfg(test)]
mod tests {
    use core::mem::offset_of;

    use hal::vdso::ClockPage;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn real_time_runs_on_from_where_it_was_set() {
        let _turn = mm::testing::exclusive();
        let start = 1_700_000_000_000_000_000;
        set_realtime_ns(start);
        assert!(realtime_ns() >= start);
        assert!(realtime_now().tv_sec >= 1_700_000_000);
        set_realtime_ns(sync::now_ns());
    }

    #[test]
    fn the_rate_changes_the_offset_with_time() {
        let slew = Slew {
            since_ns: 100,
            offset_ns: 1000,
            // 100 parts per million.
            gain: (100 << 32) / 1_000_000,
            adjustment_ns: 0,
        };
        let later = slew.at(100 + 10 * SECOND);
        assert_eq!(later.since_ns, 100 + 10 * SECOND);
        assert!((999_000..=1_001_000).contains(&later.offset_ns), "{later:?}");
        let slower = Slew {
            gain: -slew.gain,
            ..slew
        };
        assert!(slower.at(100 + SECOND).offset_ns.cast_signed() < -90_000);
    }

    #[test]
    fn offsets_are_made_up_for_slowly_and_once() {
        let slew = Slew {
            adjustment_ns: -1_000_000,
            ..Slew::NONE
        };
        let half = slew.at(SECOND);
        assert_eq!(
            (half.offset_ns.cast_signed(), half.adjustment_ns),
            (-500_000, -500_000)
        );
        let whole = half.at(5 * SECOND);
        assert_eq!(
            (whole.offset_ns.cast_signed(), whole.adjustment_ns),
            (-1_000_000, 0)
        );
        assert_eq!(slew.at(9 * SECOND).offset_ns, whole.at(9 * SECOND).offset_ns);
    }

    fn published_ns_per_tick() -> u64 {
        let mut bytes = [0; 8];
        let page = mm::vvar::page().unwrap();
        page.read(offset_of!(ClockPage, ns_per_tick), &mut bytes);
        u64::from_ne_bytes(bytes)
    }

    #[test]
    fn programs_read_clocks_themselves_again_when_an_offset_is_made_up_for() {
        let _turn = mm::testing::exclusive();
        set_realtime_ns(sync::now_ns() + SECOND);
        // So much takes two seconds.
        set_adjustment_ns(1_000_000);
        assert_eq!(published_ns_per_tick(), 0);
        let late = SLEW.lock().since_ns + 10 * SECOND;
        let before = realtime_at(late);
        assert_ne!(published_ns_per_tick(), 0);
        assert!(!IS_SLEWED.load(Ordering::Relaxed));
        assert_eq!(realtime_at(late), before);
        // A rate of its own stays.
        set_gain(1 << 10);
        realtime_at(late);
        assert_eq!(published_ns_per_tick(), 0);
        set_gain(0);
        assert_ne!(published_ns_per_tick(), 0);
        set_realtime_ns(sync::now_ns());
    }
}
