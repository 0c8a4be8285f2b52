//! Page tables in frames, written through the direct map.

use core::ptr;

use los_arch::Current;
use los_arch::hal::prelude::*;
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE, PhysAddr};

use crate::frames::{self, FrameNumber, Purpose};

const TABLE_ENTRIES: usize = PAGE_SIZE / size_of::<u64>();

/// The memory of all page tables. Counts the tables it has given out, for one tree at a time.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Tables allocated and not freed, the root not among them.
    pub(crate) count: usize,
    /// The first of the tables that were emptied and wait to be freed, 0 for none. Each holds the next one's address
    /// in its first entry, which is no valid descriptor: processors may still walk it.
    emptied: u64,
}

impl Tables {
    pub(crate) const fn new() -> Self {
        Self { count: 0, emptied: 0 }
    }

    /// Frees the tables that were taken out of the tree, which no processor has in its caches any more.
    pub(crate) fn free_emptied(&mut self) {
        while self.emptied != 0 {
            let table = PhysAddr::new(self.emptied);
            self.emptied = self.read_entry(table, 0);
            self.write_entry(table, 0, 0);
            debug_assert!((0..TABLE_ENTRIES).all(|index| self.read_entry(table, index) == 0));
            if let Some(number) = number(table) {
                // The walker takes out what it has emptied.
                frames::free_zeroed(number);
            }
        }
    }
}

/// Allocates a zeroed table.
pub(crate) fn allocate_table() -> Option<PhysAddr> {
    let address = |number: FrameNumber| PhysAddr::new(u64::from(number.get()) << PAGE_SHIFT);
    if let Some(number) = frames::allocate_known_zero() {
        return Some(address(number));
    }
    let table = address(frames::allocate_raw(Purpose::Kernel)?);
    // SAFETY: the frame is RAM in reach through the direct map and was allocated just now.
    unsafe { ptr::write_bytes(Current::direct_map(table), 0, PAGE_SIZE) };
    Some(table)
}

/// Frees a root from [`allocate_table`], whatever it holds.
pub(crate) fn free_root(table: PhysAddr) {
    if let Some(number) = number(table) {
        frames::free_raw(number);
    }
}

fn number(table: PhysAddr) -> Option<FrameNumber> {
    FrameNumber::new((table.as_u64() >> PAGE_SHIFT) as u32)
}

fn entry(table: PhysAddr, index: usize) -> *mut u64 {
    Current::direct_map(table).cast::<u64>().wrapping_add(index)
}

impl TableMemory for Tables {
    fn allocate_table(&mut self) -> Option<PhysAddr> {
        let table = allocate_table()?;
        self.count += 1;
        Some(table)
    }

    fn free_table(&mut self, table: PhysAddr) {
        self.count -= 1;
        self.write_entry(table, 0, self.emptied);
        self.emptied = table.as_u64();
    }

    #[inline]
    fn read_entry(&self, table: PhysAddr, index: usize) -> u64 {
        // SAFETY: the walker passes tables of the tree, which stay allocated while it is locked, and an
        // index below 512. Volatile because the processor may set ACCESSED and DIRTY.
        unsafe { entry(table, index).read_volatile() }
    }

    #[inline]
    fn write_entry(&mut self, table: PhysAddr, index: usize, raw: u64) {
        // SAFETY: as in `read_entry`; the tree's lock makes this the only writer.
        unsafe { entry(table, index).write_volatile(raw) };
    }
}
