//! Stacks of free frames on each CPU, so that allocating and freeing one frame touches nothing shared.

use arrayvec::ArrayVec;
use los_arch::hal::cpu::MAX_CPUS;
use sync::{PerCpu, Rank, SpinLock};

use super::info::{info, mark_allocated};
use super::physical::{self, FrameNumber};

/// Most free frames that a CPU keeps.
const CAPACITY: usize = 128;
/// Most of them that are known to be zero.
const ZEROED_CAPACITY: usize = 32;
/// Frames that move between a CPU and the pool at a time.
const BATCH: usize = 32;

/// What a CPU keeps.
struct Cache {
    frames: ArrayVec<FrameNumber, CAPACITY>,
    /// Tables come back as empty as they went: who wants zeroed memory next need not clear it again.
    zeroed: ArrayVec<FrameNumber, ZEROED_CAPACITY>,
}

/// The lock is taken by its own CPU, but for statistics and [`drain`].
static CACHES: PerCpu<SpinLock<Cache>> = PerCpu::new(
    [const {
        SpinLock::new(
            Rank::FrameCache,
            Cache {
                frames: ArrayVec::new_const(),
                zeroed: ArrayVec::new_const(),
            },
        )
    }; MAX_CPUS],
);

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
    let cached = CACHES.current().lock().frames.pop();
    let number = match cached {
        Some(number) => number,
        None => refill(purpose)?,
    };
    mark_allocated(info(number.get()));
    Some(number)
}

/// Takes a free frame that is known to be zero, if there is one, and gives it one reference.
#[inline]
pub(crate) fn allocate_known_zero() -> Option<FrameNumber> {
    let number = CACHES.current().lock().zeroed.pop()?;
    mark_allocated(info(number.get()));
    Some(number)
}

/// Returns a frame that has no reference any more.
#[inline]
pub(crate) fn free_raw(number: FrameNumber) {
    mark_free(number);
    CACHES.current().lock().keep(number);
}

/// Returns a frame that has no reference any more and is all zero.
#[inline]
pub(crate) fn free_zeroed(number: FrameNumber) {
    mark_free(number);
    let mut cache = CACHES.current().lock();
    if let Err(full) = cache.zeroed.try_push(number) {
        cache.keep(full.element());
    }
}

fn mark_free(number: FrameNumber) {
    let count = &info(number.get()).count;
    count.store(0, core::sync::atomic::Ordering::Relaxed);
}

impl Cache {
    #[inline]
    fn keep(&mut self, number: FrameNumber) {
        if self.frames.is_full() {
            let mut physical = physical::lock();
            for number in self.frames.drain(CAPACITY - BATCH..) {
                physical.give(number);
            }
        }
        self.frames.push(number);
    }
}

/// Returns the number of free frames in the caches of all CPUs.
pub(super) fn cached_frames() -> usize {
    let count = |cache: &SpinLock<Cache>| {
        let cache = cache.lock();
        cache.frames.len() + cache.zeroed.len()
    };
    CACHES.iter().map(count).sum()
}

/// Gives the cached frames of all CPUs back to the pool.
pub(crate) fn drain() {
    for cache in CACHES.iter() {
        let Cache { frames, zeroed } = &mut *cache.lock();
        let mut physical = physical::lock();
        for number in frames.drain(..).chain(zeroed.drain(..)) {
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
        if cache.frames.is_full() {
            break;
        }
        let Some(number) = physical.take() else { break };
        cache.frames.push(number);
    }
    Some(first)
}
