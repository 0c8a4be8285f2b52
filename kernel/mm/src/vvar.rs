//! The page that programs read the clocks from, through the code of the vDSO: one frame for all of them.
//!
//! [`ClockPage`] says what is in it. It is written under a sequence lock: readers cannot be stopped, so they
//! look at a counter before and after.

use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering, fence};

use los_abi::errno::Errno;
use los_arch::Current;
use los_arch::hal::prelude::*;
use los_arch::hal::vdso::ClockPage;
use sync::{Once, Rank, SpinLock};

use crate::frames::{self, Frame};

static PAGE: Once<Frame> = Once::new();
static WRITER: SpinLock<()> = SpinLock::new(Rank::ClockPage, ());

/// Returns the page. Before the first [`publish`] it sends every reader to the system call.
///
/// # Errors
/// ENOMEM.
pub fn page() -> Result<Frame, Errno> {
    match PAGE.get() {
        Some(frame) => Ok(frame.clone()),
        None => {
            let frame = frames::allocate()?;
            Ok(PAGE.call_once(|| frame).clone())
        }
    }
}

/// Tells programs what clocks are made of; `realtime_offset_ns`, called with changes locked out, is what
/// real time is ahead of monotonic time. Without one, as that changes all the time, programs make system calls.
pub fn publish(realtime_offset_ns: impl FnOnce() -> Option<u64>) {
    // Without memory for the page, programs make system calls.
    let Ok(page) = page() else { return };
    let rate = Current::counter_rate();
    let word = |offset: usize| page.word(offset);
    let _writer = WRITER.lock();
    let sequence: &AtomicU64 = word(offset_of!(ClockPage, sequence));
    let before = sequence.load(Ordering::Relaxed);
    sequence.store(before.wrapping_add(1), Ordering::Relaxed);
    fence(Ordering::Release);
    let (ns_per_tick, realtime_offset_ns) = match realtime_offset_ns() {
        Some(offset_ns) => (rate.ns_per_tick, offset_ns),
        None => (0, 0),
    };
    for (offset, value) in [
        (offset_of!(ClockPage, counter_start), rate.start),
        (offset_of!(ClockPage, ns_per_tick), ns_per_tick),
        (offset_of!(ClockPage, realtime_offset_ns), realtime_offset_ns),
    ] {
        word(offset).store(value, Ordering::Relaxed);
    }
    sequence.store(before.wrapping_add(2), Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn word(page: &Frame, offset: usize) -> u64 {
        page.word(offset).load(Ordering::Relaxed)
    }

    #[test]
    fn what_is_published_is_in_the_page() {
        let _turn = testing::exclusive();
        publish(|| Some(77));
        let page = page().unwrap();
        let before = word(&page, offset_of!(ClockPage, sequence));
        assert!(before >= 2 && before.is_multiple_of(2));
        assert_eq!(word(&page, offset_of!(ClockPage, realtime_offset_ns)), 77);
        assert_eq!(word(&page, offset_of!(ClockPage, ns_per_tick)), 1 << 32);
        publish(|| {
            // Readers are kept out meanwhile.
            assert_eq!(word(&page, offset_of!(ClockPage, sequence)), before + 1);
            Some(78)
        });
        assert_eq!(word(&page, offset_of!(ClockPage, sequence)), before + 2);
        assert_eq!(word(&page, offset_of!(ClockPage, realtime_offset_ns)), 78);
        publish(|| None);
        assert_eq!(word(&page, offset_of!(ClockPage, ns_per_tick)), 0);
    }
}
