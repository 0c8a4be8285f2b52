//! The owner of free memory behind the CPUs' caches: a buddy allocator for contiguous runs, and in front of
//! it a pool of single frames.
//!
//! The buddy allocator searches its free lists when it merges, so it gets blocks of [`BLOCK_FRAMES`] frames
//! and larger only. Smaller pieces gather in the pool, a linked list through the page infos. When a run is
//! wanted and there is none, [`Physical::coalesce`] walks the page infos once and returns whole blocks.

use core::alloc::Layout;
use core::num::NonZeroU32;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use buddy_system_allocator::Heap;
use los_arch::Current;
use los_arch::hal::prelude::*;
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE, PhysAddr, PhysRange};
use sync::{Rank, SpinLock, SpinLockGuard};

use super::info::{self, POOLED, info, mark_allocated};

/// Number of a frame of RAM: its address in pages. Frame 0 is never used.
pub(crate) type FrameNumber = NonZeroU32;

/// The buddy allocator's classes are powers of two in bytes; the largest block is 4 GiB.
const ORDERS: usize = 33;
/// Smallest block of the buddy allocator, in frames; a power of two, as all of its blocks are.
const BLOCK_FRAMES: usize = 16;
/// The reserve for the kernel is at least this, in frames, or a fixed part of all memory.
const MIN_RESERVE_FRAMES: usize = 64;
const RESERVE_DIVISOR: usize = 64;
/// Files in memory leave this many times the reserve.
const FILES_FACTOR: usize = 4;

static PHYSICAL: SpinLock<Physical> = SpinLock::new(
    Rank::Frames,
    Physical {
        buddy: Heap::new(),
        buddy_frames: 0,
        pool_head: 0,
        pool_frames: 0,
        total: 0,
    },
);

/// Copies of the amounts for look-ups without the lock.
static FREE: AtomicUsize = AtomicUsize::new(0);
static LOW_WATER: AtomicUsize = AtomicUsize::new(0);
static TOTAL: AtomicUsize = AtomicUsize::new(0);

/// All free frames but those in the caches.
pub(super) struct Physical {
    buddy: Heap<ORDERS>,
    buddy_frames: usize,
    pool_head: u32,
    pool_frames: usize,
    total: usize,
}

/// Locks the free memory.
#[inline]
pub(super) fn lock() -> SpinLockGuard<'static, Physical> {
    PHYSICAL.lock()
}

/// Returns the number of frames that are managed, free or not.
#[inline]
pub(crate) fn total() -> usize {
    TOTAL.load(Ordering::Relaxed)
}

/// Reports whether more than half of the kernel's reserve is left.
#[inline]
pub(super) fn headroom() -> bool {
    FREE.load(Ordering::Relaxed) > LOW_WATER.load(Ordering::Relaxed)
}

/// Reports whether a further large block leaves the kernel's small ones enough: an eighth of the reserve.
pub(crate) fn room_for_run(frames: usize) -> bool {
    FREE.load(Ordering::Relaxed) > (LOW_WATER.load(Ordering::Relaxed) / 4).saturating_add(frames)
}

/// Reports whether more than [`FILES_FACTOR`] times the reserve is left.
#[inline]
pub(super) fn room_for_files() -> bool {
    FREE.load(Ordering::Relaxed) > 2 * FILES_FACTOR * LOW_WATER.load(Ordering::Relaxed)
}

/// Allocates a run of `frames` frames whose address is a multiple of `align` bytes, for the kernel. Each
/// frame gets one reference.
pub(crate) fn allocate_run(frames: usize, align: usize) -> Option<FrameNumber> {
    let align_frames = align.div_ceil(PAGE_SIZE).next_power_of_two();
    let block = frames.checked_next_power_of_two()?.max(align_frames);
    let first = lock().take_run(frames, block);
    let first = first.or_else(|| {
        super::drain();
        let mut physical = lock();
        physical.coalesce();
        physical.take_run(frames, block)
    })?;
    (first.get()..)
        .take(frames)
        .for_each(|number| mark_allocated(info(number)));
    Some(first)
}

/// Frees a run of frames, or a part of one.
pub(crate) fn free_run(first: FrameNumber, frames: usize) {
    (first.get()..)
        .take(frames)
        .for_each(|number| info(number).count.store(0, Ordering::Relaxed));
    lock().give_run(first, frames);
}

impl Physical {
    /// Returns the number of free frames here.
    #[inline]
    pub(super) fn free(&self) -> usize {
        self.buddy_frames + self.pool_frames
    }

    /// Returns the number of frames that programs leave to the kernel.
    #[inline]
    pub(super) fn reserve(&self) -> usize {
        MIN_RESERVE_FRAMES.max(self.total / RESERVE_DIVISOR)
    }

    /// Takes over memory.
    ///
    /// # Safety
    /// The range is page-aligned RAM with page infos, in reach through the direct map, used by nothing and
    /// not added before.
    pub(super) unsafe fn add(&mut self, range: PhysRange) {
        let frames = (range.len() >> PAGE_SHIFT) as usize;
        let first = (range.start.as_u64() >> PAGE_SHIFT) as u32;
        let head = ((first.next_multiple_of(BLOCK_FRAMES as u32) - first) as usize).min(frames);
        let body = (frames - head) / BLOCK_FRAMES * BLOCK_FRAMES;
        let start = Current::direct_map(range.start).expose_provenance() + head * PAGE_SIZE;
        // SAFETY: the caller's duty; the direct map is linear.
        unsafe { self.buddy.add_to_heap(start, start + body * PAGE_SIZE) };
        self.buddy_frames += body;
        let rest = (first + (head + body) as u32..).take(frames - head - body);
        (first..)
            .take(head)
            .chain(rest)
            .filter_map(FrameNumber::new)
            .for_each(|number| self.give(number));
        self.total += frames;
        TOTAL.store(self.total, Ordering::Relaxed);
        LOW_WATER.store(self.reserve() / 2, Ordering::Relaxed);
        self.publish();
    }

    /// Takes a single frame.
    #[inline]
    pub(super) fn take(&mut self) -> Option<FrameNumber> {
        if self.pool_head == 0 {
            self.fill_pool();
        }
        let number = FrameNumber::new(self.pool_head)?;
        let info = info(number.get());
        self.pool_head = info.next.load(Ordering::Relaxed);
        info.meta.store(0, Ordering::Relaxed);
        self.pool_frames -= 1;
        self.publish();
        Some(number)
    }

    /// Puts a single frame into the pool.
    #[inline]
    pub(super) fn give(&mut self, number: FrameNumber) {
        let info = info(number.get());
        info.next.store(self.pool_head, Ordering::Relaxed);
        info.meta.store(POOLED, Ordering::Relaxed);
        self.pool_head = number.get();
        self.pool_frames += 1;
        self.publish();
    }

    /// Moves a block from the buddy allocator to the pool, in ascending order of frames.
    #[cold]
    fn fill_pool(&mut self) {
        if let Some(first) = self.take_block(BLOCK_FRAMES) {
            let block = first..first + BLOCK_FRAMES as u32;
            block
                .rev()
                .filter_map(FrameNumber::new)
                .for_each(|number| self.give(number));
        }
    }

    /// Takes `frames` frames off the start of a block of `block` frames, and frees the rest of the block.
    fn take_run(&mut self, frames: usize, block: usize) -> Option<FrameNumber> {
        let block = block.max(BLOCK_FRAMES);
        let first = self.take_block(block)?;
        let rest = FrameNumber::new(first + frames as u32)?;
        self.give_run(rest, block - frames);
        self.publish();
        FrameNumber::new(first)
    }

    /// Frees a run: blocks to the buddy allocator, the rest to the pool.
    fn give_run(&mut self, first: FrameNumber, frames: usize) {
        let (mut number, mut left) = (first.get(), frames);
        while let Some(at) = FrameNumber::new(number).filter(|_| left > 0) {
            // By the pointer: that is what the buddy allocator goes by.
            let page = pointer(at).addr() >> PAGE_SHIFT;
            let block = (1_usize << page.trailing_zeros()).min(1 << left.ilog2());
            let done = if block >= BLOCK_FRAMES {
                self.give_block(at, block);
                block
            } else {
                self.give(at);
                1
            };
            number += done as u32;
            left -= done;
        }
        self.publish();
    }

    fn take_block(&mut self, frames: usize) -> Option<u32> {
        let block = self.buddy.alloc(block_layout(frames)?).ok()?;
        self.buddy_frames -= frames;
        let offset = block
            .as_ptr()
            .addr()
            .wrapping_sub(Current::direct_map(PhysAddr::new(0)).addr());
        Some((offset >> PAGE_SHIFT) as u32)
    }

    fn give_block(&mut self, first: FrameNumber, frames: usize) {
        let (Some(pointer), Some(layout)) = (NonNull::new(pointer(first)), block_layout(frames)) else {
            return;
        };
        // SAFETY: the block is free, came from this allocator (as a part of a block that was larger or had
        // merged; it keeps no record of sizes, and blocks are found by address), and is aligned to its size.
        unsafe { self.buddy.dealloc(pointer, layout) };
        self.buddy_frames += frames;
    }

    /// Moves aligned blocks whose frames are all in the pool to the buddy allocator. What is left of the
    /// pool is linked anew.
    fn coalesce(&mut self) {
        if self.pool_frames < BLOCK_FRAMES {
            return;
        }
        self.pool_head = 0;
        info::for_each_span(|first, infos| {
            let skip = first.next_multiple_of(BLOCK_FRAMES as u32) - first;
            let (head, aligned) = infos.split_at((skip as usize).min(infos.len()));
            self.pool_again(first, head);
            for (index, chunk) in aligned.chunks(BLOCK_FRAMES).enumerate() {
                let number = first + skip + (index * BLOCK_FRAMES) as u32;
                let whole = chunk.len() == BLOCK_FRAMES
                    && chunk
                        .iter()
                        .all(|info| info.meta.load(Ordering::Relaxed) == POOLED);
                match FrameNumber::new(number).filter(|_| whole) {
                    Some(block) => {
                        chunk
                            .iter()
                            .for_each(|info| info.meta.store(0, Ordering::Relaxed));
                        self.pool_frames -= BLOCK_FRAMES;
                        self.give_block(block, BLOCK_FRAMES);
                    }
                    None => self.pool_again(number, chunk),
                }
            }
        });
        self.publish();
    }

    /// Links the pooled ones among these frames into the pool, which counts them already.
    fn pool_again(&mut self, first: u32, infos: &[info::PageInfo]) {
        for (number, info) in (first..).zip(infos) {
            if info.meta.load(Ordering::Relaxed) == POOLED {
                info.next.store(self.pool_head, Ordering::Relaxed);
                self.pool_head = number;
            }
        }
    }

    #[inline]
    fn publish(&self) {
        FREE.store(self.free(), Ordering::Relaxed);
    }
}

/// Returns where a frame appears in the direct map.
#[inline]
fn pointer(number: FrameNumber) -> *mut u8 {
    Current::direct_map(PhysAddr::new(u64::from(number.get()) << PAGE_SHIFT))
}

/// Returns the layout of a block of a power of two of frames.
fn block_layout(frames: usize) -> Option<Layout> {
    let bytes = frames.checked_mul(PAGE_SIZE)?;
    Layout::from_size_align(bytes, bytes).ok()
}
