//! Physical memory: reference-counted frames of 4 KiB over a buddy allocator.
//!
//! Three layers: a cache of free frames on each CPU ([`cache`]), a pool of single free frames behind it, and
//! the buddy allocator that owns contiguous memory ([`physical`]). [`info`] holds 16 bytes of book-keeping
//! for each frame. [`layout`] finds out what memory there is.

mod cache;
mod info;
mod layout;
mod physical;

use core::num::NonZeroU32;
use core::ptr;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use arrayvec::ArrayVec;
use los_abi::errno::Errno;
use los_arch::Current;
use los_arch::hal::boot::BootInfo;
use los_arch::hal::prelude::*;
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE, PhysAddr, PhysRange};
use sync::{Rank, SpinLock};

pub(crate) use cache::{Purpose, allocate_known_zero, allocate_raw, drain, free_raw, free_zeroed};
pub(crate) use info::{PageInfo, info};
pub(crate) use layout::MAX_RANGES;
pub(crate) use physical::{FrameNumber, allocate_run, free_run, room_for_run, total};

use info::{CACHED, INSTRUCTIONS_SYNCHRONISED};

/// RAM that the boot mappings do not reach; added once the direct map is complete.
static OUT_OF_REACH: SpinLock<ArrayVec<PhysRange, MAX_RANGES>> =
    SpinLock::new(Rank::KernelSpace, ArrayVec::new_const());

/// Amounts of memory, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemoryStatistics {
    /// All that the allocator manages.
    pub total_pages: usize,
    /// Free ones, those in caches included.
    pub free_pages: usize,
    /// What is left to the kernel when programs get no more.
    pub reserve_pages: usize,
}

/// Takes over RAM: everything in `boot.memory` but page 0, what `boot` names as in use, and `keep`. Memory
/// that the boot mappings do not reach is held back until `kernel_space::init` has mapped it. Called once.
pub fn init(boot: &BootInfo, keep: &[PhysRange]) {
    let layout = layout::Layout::new(boot, keep, Current::boot_mapped());
    if !info::init(&layout.spans, layout.infos) {
        return;
    }
    let mut physical = physical::lock();
    for range in &layout.usable {
        // SAFETY: the range is RAM that nothing uses, is reachable through the boot mappings' part of the
        // direct map, and has page infos.
        unsafe { physical.add(*range) };
    }
    drop(physical);
    *OUT_OF_REACH.lock() = layout.out_of_reach;
}

/// Adds the RAM that the boot mappings did not reach; the direct map now does.
pub(crate) fn add_out_of_reach() {
    let ranges = core::mem::take(&mut *OUT_OF_REACH.lock());
    let mut physical = physical::lock();
    for range in ranges {
        // SAFETY: RAM that nothing uses, reachable now, with page infos since `init`.
        unsafe { physical.add(range) };
    }
}

/// Gives memory that was kept at start to the allocator, as the initramfs when it is unpacked. Only pages
/// that lie wholly in the range count.
///
/// # Safety
/// The range was in `boot.memory`, was kept from the allocator at `init`, and nothing refers to it any more.
pub unsafe fn release(range: PhysRange) {
    let mut pieces: ArrayVec<PhysRange, MAX_RANGES> = ArrayVec::new();
    if let Some(range) = layout::whole_pages(range) {
        info::managed_parts(range, &mut pieces);
    }
    let mut physical = physical::lock();
    for piece in pieces {
        // SAFETY: the caller's duty; RAM is in the direct map, and `managed_parts` have page infos.
        unsafe { physical.add(piece) };
    }
}

/// A reference to a frame of RAM. Cloning adds a reference, dropping the last one frees the frame. The
/// contents are reached by copies only; user mode may change them at any time.
#[derive(PartialEq, Eq)]
pub struct Frame(NonZeroU32);

/// Allocates a zeroed frame.
///
/// # Errors
/// ENOMEM while there is still a reserve for the kernel.
pub fn allocate() -> Result<Frame, Errno> {
    let frame = allocate_uninit()?;
    let start = frame.pointer(0, PAGE_SIZE);
    // SAFETY: as in `Frame::write`. Nothing is known about the contents of a new frame, so nothing changes.
    unsafe { ptr::write_bytes(start, 0, PAGE_SIZE) };
    Ok(frame)
}

/// Allocates a frame with arbitrary contents, to be overwritten in full.
///
/// # Errors
/// As [`allocate`].
pub fn allocate_uninit() -> Result<Frame, Errno> {
    let number = allocate_raw(Purpose::User).ok_or(Errno::ENOMEM)?;
    Ok(Frame::adopt(number))
}

/// Returns how much memory there is. Exact when no other CPU allocates at the moment.
pub fn statistics() -> MemoryStatistics {
    let cached = cache::cached_frames();
    let physical = physical::lock();
    MemoryStatistics {
        total_pages: total(),
        free_pages: physical.free() + cached,
        reserve_pages: physical.reserve(),
    }
}

/// Reports whether the kernel may make further objects for programs: false when even the reserve that
/// programs' pages leave to the kernel runs low. Calls that create objects then answer ENOMEM.
#[inline]
pub fn headroom() -> bool {
    physical::headroom()
}

/// Reports whether files in memory may take a further page: somewhat earlier than programs they get none, since
/// ending a program does not free them.
#[inline]
pub fn room_for_files() -> bool {
    physical::room_for_files()
}

impl Frame {
    /// Takes the one reference of a frame that `allocate_raw` returned.
    #[inline]
    fn adopt(number: FrameNumber) -> Self {
        Self(number)
    }

    /// Returns the address of the first byte.
    #[inline]
    pub fn phys(&self) -> PhysAddr {
        PhysAddr::new(u64::from(self.0.get()) << PAGE_SHIFT)
    }

    /// Returns the number of references.
    #[inline]
    pub fn count(&self) -> u32 {
        self.info().count.load(Ordering::Acquire)
    }

    /// Copies bytes out, from `offset` in the frame.
    ///
    /// # Panics
    /// When the bytes do not lie in the frame.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        let from = self.pointer(offset, bytes.len());
        // SAFETY: `pointer` checked the bounds; the frame is RAM in the direct map and stays allocated. User
        // mode and other CPUs may write meanwhile, then the bytes read are any mixture.
        unsafe { ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Copies bytes in, to `offset` in the frame.
    ///
    /// # Panics
    /// When the bytes do not lie in the frame.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        let to = self.pointer(offset, bytes.len());
        self.contents_change();
        // SAFETY: as in `read`; no Rust reference to the contents of a frame exists.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }

    /// Writes one value to all bytes.
    pub fn fill(&self, byte: u8) {
        self.fill_range(0, PAGE_SIZE, byte);
    }

    /// Writes one value to `length` bytes from `offset`.
    ///
    /// # Panics
    /// When the bytes do not lie in the frame.
    #[inline]
    pub fn fill_range(&self, offset: usize, length: usize, byte: u8) {
        let to = self.pointer(offset, length);
        self.contents_change();
        // SAFETY: as in `write`.
        unsafe { ptr::write_bytes(to, byte, length) };
    }

    /// Copies `length` bytes from `from` in another frame to `offset` in this one.
    ///
    /// # Panics
    /// When the bytes do not lie in the frames.
    pub fn copy_part(&self, offset: usize, other: &Self, from: usize, length: usize) {
        let (to, from) = (self.pointer(offset, length), other.pointer(from, length));
        self.contents_change();
        // SAFETY: as in `write`; the parts may overlap for `copy`.
        unsafe { ptr::copy(from, to, length) };
    }

    /// Copies the contents of another frame.
    pub fn copy_from(&self, other: &Self) {
        let (to, from) = (self.pointer(0, PAGE_SIZE), other.pointer(0, PAGE_SIZE));
        self.contents_change();
        // SAFETY: as in `write`; copying a frame to itself is fine for `copy`.
        unsafe { ptr::copy(from, to, PAGE_SIZE) };
    }

    /// Shows bytes that user mode and other CPUs may access meanwhile, to be read.
    ///
    /// # Panics
    /// When they do not lie in the frame.
    #[inline]
    pub(crate) fn bytes(&self, offset: usize, length: usize) -> &[AtomicU8] {
        let start = self.pointer(offset, length);
        // SAFETY: in bounds; the frame stays allocated as long as the borrow of the reference. Nobody makes a
        // Rust reference to its contents that is not to atomics.
        unsafe { core::slice::from_raw_parts(start.cast(), length) }
    }

    /// As [`bytes`](Self::bytes), to be written.
    #[inline]
    pub(crate) fn bytes_to_change(&self, offset: usize, length: usize) -> &[AtomicU8] {
        self.contents_change();
        self.bytes(offset, length)
    }

    /// Shows eight bytes at `offset` as one word that is read and written whole.
    ///
    /// # Panics
    /// When they do not lie in the frame, or not on a multiple of eight.
    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(size_of::<u64>()));
        let place = self.pointer(offset, size_of::<u64>());
        // SAFETY: in bounds and aligned; the frame stays allocated as long as the borrow of the reference.
        // Nobody makes another Rust reference to its contents.
        unsafe { AtomicU64::from_ptr(place.cast()) }
    }

    /// Makes instructions in the frame visible to instruction fetch, if that was not done since the kernel
    /// changed the contents.
    pub(crate) fn synchronise_instructions(&self) {
        let meta = &self.info().meta;
        let flags = meta.load(Ordering::Relaxed);
        if flags & INSTRUCTIONS_SYNCHRONISED == 0 {
            Current::sync_instruction_cache(self.phys());
            meta.store(flags | INSTRUCTIONS_SYNCHRONISED, Ordering::Relaxed);
        }
    }

    /// Notes that the frame is a page of an object, before others get to see it.
    pub(crate) fn mark_cached(&self) {
        let meta = &self.info().meta;
        meta.store(meta.load(Ordering::Relaxed) | CACHED, Ordering::Relaxed);
    }

    /// Reports whether the frame is a page of an object, and not a program's own memory.
    #[inline]
    pub(crate) fn is_cached(&self) -> bool {
        self.info().meta.load(Ordering::Relaxed) & CACHED != 0
    }

    /// Gives the reference to whoever keeps the address.
    #[inline]
    pub(crate) fn into_phys(self) -> PhysAddr {
        let phys = self.phys();
        core::mem::forget(self);
        phys
    }

    /// Takes back a reference that [`into_phys`](Self::into_phys) gave.
    ///
    /// # Safety
    /// The address came from `into_phys`, and each reference is taken back once.
    #[inline]
    pub(crate) unsafe fn from_phys(phys: PhysAddr) -> Self {
        let number = (phys.as_u64() >> PAGE_SHIFT) as u32;
        debug_assert!(number != 0, "page 0 is never a frame");
        // SAFETY: `into_phys` gave a frame's address, and frame 0 is never handed out.
        Self(unsafe { NonZeroU32::new_unchecked(number) })
    }

    #[inline]
    fn info(&self) -> &'static PageInfo {
        info(self.0.get())
    }

    /// Forgets what holds only for the present contents.
    #[inline]
    fn contents_change(&self) {
        let meta = &self.info().meta;
        let flags = meta.load(Ordering::Relaxed);
        if flags & INSTRUCTIONS_SYNCHRONISED != 0 {
            meta.store(flags & !INSTRUCTIONS_SYNCHRONISED, Ordering::Relaxed);
        }
    }

    #[inline]
    fn pointer(&self, offset: usize, length: usize) -> *mut u8 {
        assert!(offset <= PAGE_SIZE && length <= PAGE_SIZE - offset);
        Current::direct_map(self.phys() + offset as u64)
    }
}

/// References from which on a frame is taken to have countless ones.
const SATURATED: u32 = 1 << 31;

impl Clone for Frame {
    #[inline]
    fn clone(&self) -> Self {
        let count = &self.info().count;
        if count.fetch_add(1, Ordering::Relaxed) >= SATURATED {
            // So many that the count says nothing any more: the frame is never free again.
            count.store(SATURATED, Ordering::Relaxed);
        }
        Self(self.0)
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        // The last reference is free to go without a locked operation: nobody can add to it.
        let count = &self.info().count;
        match count.load(Ordering::Acquire) {
            1 => free_raw(self.0),
            SATURATED.. => {}
            _ if count.fetch_sub(1, Ordering::AcqRel) == 1 => free_raw(self.0),
            _ => {}
        }
    }
}

impl core::fmt::Debug for Frame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Frame({:?})", self.phys())
    }
}

#[cfg(test)]
mod tests;
