//! The kernel's heap: size classes over pages, larger blocks as runs of pages.
//!
//! Small objects come from a stack of free objects on each CPU; behind it are [`slab`] pages, each cut into
//! objects of one class. A page whose objects are all free goes back to the frames.

mod slab;

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;

use los_arch::Current;
use los_arch::hal::cpu::MAX_CPUS;
use los_arch::hal::prelude::*;
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE, PhysAddr};
use sync::{PerCpu, Rank, SpinLock};

use crate::frames::{self, FrameNumber, Purpose};

/// Object sizes in bytes, each a multiple of [`GRAIN`]. Chosen so that little of a page is left over.
const CLASSES: [u16; 16] = [
    16, 32, 48, 64, 80, 96, 128, 160, 192, 256, 336, 448, 576, 1024, 1360, 2048,
];
/// Size classes differ by multiples of this, which is also the least alignment.
const GRAIN: usize = 16;
/// Blocks above this size are whole pages.
const MAX_SMALL: usize = 2048;
/// Larger blocks are what a program can size: they are allocated fallibly, and leave some memory to small ones.
const MAX_PLAIN_PAGES: usize = 2;
/// The class for a size in grains.
const CLASS_OF: [u8; MAX_SMALL / GRAIN + 1] = class_table();
/// Most bytes of free objects that a CPU keeps of one class; and the number of objects is bounded too.
const CACHE_BYTES: usize = 8192;
const CACHE_OBJECTS: usize = 64;

/// The free objects that a CPU keeps of one class, linked through their first words.
#[derive(Clone, Copy)]
struct Stack {
    top: *mut Object,
    count: usize,
}

/// A free object.
struct Object {
    next: *mut Object,
}

struct Stacks([Stack; CLASSES.len()]);

// SAFETY: the stacks own the objects that they link; where the code runs does not matter.
unsafe impl Send for Stacks {}

/// The lock is taken by its own CPU only, but for [`trim`].
static CACHES: PerCpu<SpinLock<Stacks>> =
    PerCpu::new([const { SpinLock::new(Rank::Heap, Stacks::new()) }; MAX_CPUS]);

/// The kernel's global allocator: `#[global_allocator] static HEAP: KernelHeap = KernelHeap;`.
#[derive(Clone, Copy, Debug)]
pub struct KernelHeap;

// SAFETY: every block is exclusively the caller's from `alloc` to `dealloc`: an object is in one stack or
// slab list or allocated, a run of pages is taken from the frames. Alignment: see `class_for` and
// `allocate_run`.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match class_for(layout) {
            Some(class) => allocate_object(class),
            None => allocate_pages(layout),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match class_for(layout) {
            // SAFETY: the caller returns a block that `alloc` made for this layout.
            Some(class) => unsafe { free_object(class, block) },
            None => free_pages(block, layout),
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Ok(new_layout) = Layout::from_size_align(new_size, layout.align()) else {
            return ptr::null_mut();
        };
        if fits_as_well(layout, new_layout) {
            return block;
        }
        // SAFETY: the size is not zero, as the caller promises.
        let new_block = unsafe { self.alloc(new_layout) };
        if !new_block.is_null() {
            let bytes = layout.size().min(new_size);
            // SAFETY: both blocks are at least that large, and they are different blocks.
            unsafe { ptr::copy_nonoverlapping(block, new_block, bytes) };
            // SAFETY: the caller gives the old block up.
            unsafe { self.dealloc(block, layout) };
        }
        new_block
    }
}

/// Returns the free objects of all CPUs to their pages, and free pages to the frames.
pub fn trim() {
    for cpu in CACHES.iter() {
        let mut stacks = cpu.lock();
        for class in 0..CLASSES.len() {
            stacks.0[class].shrink(class, 0);
        }
    }
    slab::release_empty();
}

/// Returns the class for a block, `None` for whole pages. Objects lie at multiples of their size from the
/// start of a page, so a class whose size is a multiple of the alignment fits.
#[inline]
fn class_for(layout: Layout) -> Option<usize> {
    let size = layout.size().max(layout.align());
    if size > MAX_SMALL {
        return None;
    }
    let mut class = usize::from(CLASS_OF[size.div_ceil(GRAIN)]);
    while usize::from(CLASSES[class]) & (layout.align() - 1) != 0 {
        class += 1;
    }
    Some(class)
}

/// Reports whether a block made for `old` serves for `new`, and is not much too large for it.
fn fits_as_well(old: Layout, new: Layout) -> bool {
    match (class_for(old), class_for(new)) {
        (Some(old), Some(new)) => old == new,
        (None, None) => old.size().div_ceil(PAGE_SIZE) == new.size().div_ceil(PAGE_SIZE),
        _ => false,
    }
}

#[inline]
fn allocate_object(class: usize) -> *mut u8 {
    let mut stacks = CACHES.current().lock();
    let stack = &mut stacks.0[class];
    if stack.count == 0 {
        stack.refill(class);
    }
    stack.pop()
}

/// # Safety
/// `object` is an allocated object of the class, given up by its owner.
#[inline]
unsafe fn free_object(class: usize, object: *mut u8) {
    let mut stacks = CACHES.current().lock();
    let stack = &mut stacks.0[class];
    // SAFETY: the caller's duty.
    unsafe { stack.push(object) };
    let most = most_cached(class);
    if stack.count > most {
        stack.shrink(class, most / 2);
    }
}

fn most_cached(class: usize) -> usize {
    (CACHE_BYTES / usize::from(CLASSES[class])).clamp(4, CACHE_OBJECTS)
}

#[cold]
fn allocate_pages(layout: Layout) -> *mut u8 {
    let pages = layout.size().div_ceil(PAGE_SIZE).max(1);
    if pages > MAX_PLAIN_PAGES && !frames::room_for_run(pages) {
        return ptr::null_mut();
    }
    let first = if pages == 1 && layout.align() <= PAGE_SIZE {
        frames::allocate_raw(Purpose::Kernel)
    } else {
        frames::allocate_run(pages, layout.align())
    };
    first.map_or(ptr::null_mut(), pointer)
}

#[cold]
fn free_pages(block: *mut u8, layout: Layout) {
    let pages = layout.size().div_ceil(PAGE_SIZE).max(1);
    let Some(first) = frame_of(block) else {
        return;
    };
    if pages == 1 {
        frames::free_raw(first);
    } else {
        frames::free_run(first, pages);
    }
}

/// Returns where a frame appears in the direct map.
fn pointer(number: FrameNumber) -> *mut u8 {
    Current::direct_map(PhysAddr::new(u64::from(number.get()) << PAGE_SHIFT))
}

/// Returns the frame that holds a byte of the direct map.
fn frame_of(block: *mut u8) -> Option<FrameNumber> {
    let start = Current::direct_map(PhysAddr::new(0)).addr();
    FrameNumber::new((block.addr().wrapping_sub(start) >> PAGE_SHIFT) as u32)
}

impl Stacks {
    const fn new() -> Self {
        Self(
            [Stack {
                top: ptr::null_mut(),
                count: 0,
            }; CLASSES.len()],
        )
    }
}

impl Stack {
    #[inline]
    fn pop(&mut self) -> *mut u8 {
        let object = self.top;
        if !object.is_null() {
            // SAFETY: linked objects are free, and their first words were written by `push`.
            self.top = unsafe { (*object).next };
            self.count -= 1;
        }
        object.cast()
    }

    /// # Safety
    /// `object` is a free object of this stack's class and in no other list.
    #[inline]
    unsafe fn push(&mut self, object: *mut u8) {
        let object = object.cast::<Object>();
        // SAFETY: objects are at least a word large and aligned to 16 bytes.
        unsafe { object.write(Object { next: self.top }) };
        self.top = object;
        self.count += 1;
    }

    /// Takes objects from the slabs, half of what may be kept.
    #[cold]
    fn refill(&mut self, class: usize) {
        let mut slabs = slab::lock(class);
        for _ in 0..most_cached(class) / 2 {
            let Some(object) = slabs.take() else { break };
            // SAFETY: the slab has just given the object up.
            unsafe { self.push(object) };
        }
    }

    /// Gives objects to the slabs until `keep` are left.
    #[cold]
    fn shrink(&mut self, class: usize, keep: usize) {
        if self.count <= keep {
            return;
        }
        let mut slabs = slab::lock(class);
        while self.count > keep {
            let object = self.pop();
            // SAFETY: the object is free and has just left this stack.
            unsafe { slabs.give(object) };
        }
    }
}

const fn class_table() -> [u8; MAX_SMALL / GRAIN + 1] {
    let mut table = [0; MAX_SMALL / GRAIN + 1];
    let (mut grains, mut class) = (0, 0);
    while grains < table.len() {
        if grains * GRAIN > CLASSES[class] as usize {
            class += 1;
        }
        table[grains] = class as u8;
        grains += 1;
    }
    table
}

#[cfg(test)]
mod tests;
