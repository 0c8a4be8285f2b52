//! The allocator of programs without a standard library.
//!
//! Blocks of up to [`CLASS_BYTES`] come from lists of free blocks of their size, which a buddy heap
//! fills; bigger ones from the heap itself, whose release is slow; large ones are mappings of their own,
//! so that the memory of a big buffer goes back when it is freed. The heap grows by anonymous mappings.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use buddy_system_allocator::Heap;
use los_abi::mm::{MapFlags, ProtFlags};
use los_abi::syscall::Fd;
use spin::Mutex;

use crate::sys;

/// From this size on a block is a mapping of its own.
const LARGE_BYTES: usize = 64 * 1024;
/// The heap grows by this much; a block below [`LARGE_BYTES`] fits at any page alignment.
const GROWTH_BYTES: usize = 2 * LARGE_BYTES;
/// Pages have this size on both machines.
const PAGE_BYTES: usize = 4096;
/// Size of the biggest blocks with a list of their own.
const CLASS_BYTES: usize = 1024;
/// Size of the smallest blocks: any header and any small alignment fits.
const SMALLEST_BYTES: usize = 16;
/// Number of powers of two from [`SMALLEST_BYTES`] to [`CLASS_BYTES`].
const CLASSES: usize = (CLASS_BYTES / SMALLEST_BYTES).ilog2() as usize + 1;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(Mutex::new(Blocks {
    heap: Heap::new(),
    free: [const { FreeList(None) }; CLASSES],
}));

struct Allocator(Mutex<Blocks>);

/// Free memory.
struct Blocks {
    heap: Heap<32>,
    /// Free blocks of each class, by the class's number.
    free: [FreeList; CLASSES],
}

/// Blocks of one size, each with the address of the next in its first word.
struct FreeList(Option<NonNull<FreeList>>);

// SAFETY: the blocks of the lists belong to the lists alone, whichever thread holds their lock.
unsafe impl Send for FreeList {}

// SAFETY: (1) a block is live once: lists, heap and mmap give out only memory that is not in use;
// (2) blocks are aligned: those of a class to their size, since the heap aligns powers of two so, the
// heap's to what they ask for, a mapping to pages, and no alignment above a page is served;
// (3) `dealloc` tells the kinds apart by the same tests as `alloc`.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = if layout.align() > PAGE_BYTES {
            None
        } else if layout.size() >= LARGE_BYTES {
            map(layout.size())
        } else if let Some(class) = class_of(layout) {
            self.0.lock().take(class)
        } else {
            self.0.lock().allocate(layout)
        };
        block.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(block) else {
            return;
        };
        if layout.size() >= LARGE_BYTES {
            // SAFETY: the block is a mapping of this size, and its owner is done with it.
            let _ = unsafe { sys::munmap(block.as_ptr() as u64, layout.size()) };
        } else if let Some(class) = class_of(layout) {
            // SAFETY: the block is one of this class, and its owner is done with it.
            unsafe { self.0.lock().give_back(class, block) };
        } else {
            // SAFETY: the block came from the heap with this layout.
            unsafe { self.0.lock().heap.dealloc(block, layout) };
        }
    }
}

/// Returns the class whose blocks hold the layout, if there is one.
fn class_of(layout: Layout) -> Option<usize> {
    let bytes = layout.size().max(layout.align()).max(SMALLEST_BYTES);
    (bytes <= CLASS_BYTES).then(|| (bytes.next_power_of_two() / SMALLEST_BYTES).ilog2() as usize)
}

impl Blocks {
    /// Takes a block off the class's list, or a new one from the heap.
    fn take(&mut self, class: usize) -> Option<NonNull<u8>> {
        let list = &mut self.free[class];
        let Some(block) = list.0 else {
            let bytes = SMALLEST_BYTES << class;
            return self.allocate(Layout::from_size_align(bytes, bytes).ok()?);
        };
        // SAFETY: a block on a list begins with a link, which `give_back` wrote.
        list.0 = unsafe { block.as_ref() }.0;
        Some(block.cast())
    }

    /// Puts a block on the class's list.
    ///
    /// # Safety
    /// The block must be one that [`Blocks::take`] returned for the class, and no longer used.
    unsafe fn give_back(&mut self, class: usize, block: NonNull<u8>) {
        let block = block.cast::<FreeList>();
        let list = &mut self.free[class];
        // SAFETY: the block is unused, and big and aligned enough for a link.
        unsafe { block.write(FreeList(list.0)) };
        list.0 = Some(block);
    }

    /// Takes a block from the heap, which grows if it has none.
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if let Ok(block) = self.heap.alloc(layout) {
            return Some(block);
        }
        let start = map(GROWTH_BYTES)?.as_ptr() as usize;
        // SAFETY: the mapping is new, so nothing else uses it, and it is never unmapped.
        unsafe { self.heap.add_to_heap(start, start + GROWTH_BYTES) };
        self.heap.alloc(layout).ok()
    }
}

/// Maps zeroed memory; the kernel rounds the size up to pages.
fn map(bytes: usize) -> Option<NonNull<u8>> {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::PRIVATE | MapFlags::ANONYMOUS;
    // SAFETY: a new mapping at a place of the kernel's choice overlaps nothing.
    let address = unsafe { sys::mmap(0, bytes, protection, flags, Fd(-1), 0) }.ok()?;
    NonNull::new(ptr::with_exposed_provenance_mut(address as usize))
}
