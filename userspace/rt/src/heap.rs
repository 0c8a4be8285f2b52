//! The allocator of programs without a standard library.
//!
//! Small blocks come from a buddy heap that grows by anonymous mappings and never shrinks; large ones
//! are mappings of their own, so that the memory of a big buffer goes back when it is freed.

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

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(Mutex::new(Heap::new()));

struct Allocator(Mutex<Heap<32>>);

// SAFETY: (1) a block is live once: the heap or mmap gives out only memory that is not in use;
// (2) blocks are aligned: the heap rounds to the alignment, a mapping to pages, and only alignments up
// to a page are taken from mappings; (3) `dealloc` tells the two kinds apart by the same test as `alloc`.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > PAGE_BYTES {
            return ptr::null_mut();
        }
        if layout.size() >= LARGE_BYTES {
            return map(layout.size()).map_or(ptr::null_mut(), NonNull::as_ptr);
        }
        let mut heap = self.0.lock();
        if let Ok(block) = heap.alloc(layout) {
            return block.as_ptr();
        }
        let Some(growth) = map(GROWTH_BYTES) else {
            return ptr::null_mut();
        };
        let start = growth.as_ptr() as usize;
        // SAFETY: the mapping is new, so nothing else uses it, and it is never unmapped.
        unsafe { heap.add_to_heap(start, start + GROWTH_BYTES) };
        heap.alloc(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() >= LARGE_BYTES {
            // SAFETY: the block is a mapping of this size, and its owner is done with it.
            let _ = unsafe { sys::munmap(block as u64, layout.size()) };
        } else if let Some(block) = NonNull::new(block) {
            // SAFETY: the block came from the heap with this layout.
            unsafe { self.0.lock().dealloc(block, layout) };
        }
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
