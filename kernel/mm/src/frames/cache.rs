//! A stack of free frames on each CPU, so that allocating and freeing one frame touches nothing shared.

use arrayvec::ArrayVec;
use los_arch::hal::cpu::MAX_CPUS;
use sync::{PerCpu, Rank, SpinLock};

use super::info::{info, mark_allocated};
use super::physical::{self, FrameNumber};

/// Most free frames that a CPU keeps.
const CAPACITY: usize = 128;
/// Frames that move between a CPU and the pool at a time.
const BATCH: usize = 32;

/// The lock is taken by its own CPU, but for statistics and [`drain`].
static CACHES: PerCpu<SpinLock<ArrayVec<FrameNumber, CAPACITY>>> =
    PerCpu::new([const { SpinLock::new(Rank::FrameCache, ArrayVec::new_const()) }; MAX_CPUS]);

/// Who wants memory: the kernel may use up the reserve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// A page for a program or a file.
    User,
    /// Page tables, the kernel heap, stacks.
    Kernel,
}

/// Takes a free frame and gives it one reference.
#[inline]
pub(crate) fn allocate_raw(purpose: Purpose) -> Option<FrameNumber> {
    let cached = CACHES.current().lock().pop();
    let number = match cached {
        Some(number) => number,
        None => refill(purpose)?,
    };
    mark_allocated(info(number.get()));
    Some(number)
}

/// Returns a frame that has no reference any more.
#[inline]
pub(crate) fn free_raw(number: FrameNumber) {
    info(number.get())
        .count
        .store(0, core::sync::atomic::Ordering::Relaxed);
    let mut cache = CACHES.current().lock();
    if cache.is_full() {
        let mut physical = physical::lock();
        for number in cache.drain(CAPACITY - BATCH..) {
            physical.give(number);
        }
    }
    cache.push(number);
}

/// Returns the number of free frames in the caches of all CPUs.
pub(super) fn cached_frames() -> usize {
    CACHES.iter().map(|cache| cache.lock().len()).sum()
}

/// Gives the cached frames of all CPUs back to the pool.
pub(crate) fn drain() {
    for cache in CACHES.iter() {
        let mut cache = cache.lock();
        let mut physical = physical::lock();
        for number in cache.drain(..) {
            physical.give(number);
        }
    }
}

/// Takes one frame and puts more into this CPU's cache, while there are more than the reserve.
#[cold]
fn refill(purpose: Purpose) -> Option<FrameNumber> {
    take_batch(purpose).or_else(|| {
        drain();
        take_batch(purpose)
    })
}

fn take_batch(purpose: Purpose) -> Option<FrameNumber> {
    let mut cache = CACHES.current().lock();
    let mut physical = physical::lock();
    let above_reserve = physical.free().saturating_sub(physical.reserve());
    if above_reserve == 0 && purpose == Purpose::User {
        return None;
    }
    let first = physical.take()?;
    for _ in 1..BATCH.min(above_reserve) {
        if cache.is_full() {
            break;
        }
        let Some(number) = physical.take() else { break };
        cache.push(number);
    }
    Some(first)
}
