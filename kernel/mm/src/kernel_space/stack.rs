//! Kernel stacks: mapped in the dynamic range, each below an unmapped guard as large as itself, and kept for
//! reuse when their threads are gone.

use alloc::vec::Vec;
use core::ops::Range;

use arrayvec::ArrayVec;
use los_abi::errno::Errno;
use los_arch::Current;
use los_arch::hal::prelude::*;
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE, PhysAddr, VirtAddr};
use sync::{Rank, SpinLock};

use super::{DATA, KernelSpace, SPACE};
use crate::frames::{self, FrameNumber, Purpose};

mod depth;

/// Bytes of a kernel stack. Unoptimised code needs more.
pub const STACK_BYTES: usize = if cfg!(debug_assertions) {
    64 << 10
} else {
    16 << 10
};
/// A stack with its guard; the stack is the upper half, so an overflow ends in the guard.
const SLOT_BYTES: u64 = 2 * STACK_BYTES as u64;
/// Most stacks that can exist.
const MAX_STACKS: u64 = 1 << 15;
/// One past the part of the dynamic range that stacks may take.
pub(super) const END: u64 = Current::DYNAMIC_START + MAX_STACKS * SLOT_BYTES;
/// Stacks that are kept mapped without a thread.
const KEPT: usize = 16;

/// The slots that are not in use.
struct Slots {
    /// Mapped stacks.
    kept: ArrayVec<u32, KEPT>,
    /// Unmapped slots below `next`; has room for all slots below `next`.
    unmapped: Vec<u32>,
    /// The first slot that was never used.
    next: u32,
}

static SLOTS: SpinLock<Slots> = SpinLock::new(
    Rank::KernelStacks,
    Slots {
        kept: ArrayVec::new_const(),
        unmapped: Vec::new(),
        next: 0,
    },
);

/// The stack of a kernel thread. Below it is a guard that faults.
#[derive(Debug)]
pub struct KernelStack {
    slot: u32,
}

/// Allocates a stack. Its contents are arbitrary.
///
/// # Errors
/// ENOMEM.
pub fn allocate_stack() -> Result<KernelStack, Errno> {
    let slot = {
        let mut slots = SLOTS.lock();
        if let Some(slot) = slots.kept.pop() {
            drop(slots);
            let stack = KernelStack { slot };
            depth::paint(&stack);
            return Ok(stack);
        }
        slots.take_unmapped()?
    };
    let stack = KernelStack { slot };
    let mapped = SPACE.lock().map_stack(stack.range());
    match mapped {
        Ok(()) => {
            depth::paint(&stack);
            Ok(stack)
        }
        Err(errno) => {
            // Not to be kept: only a part of it is mapped.
            stack.unmap();
            core::mem::forget(stack);
            Err(errno)
        }
    }
}

impl KernelStack {
    /// Returns one past the highest byte; aligned to 16 bytes.
    pub fn top(&self) -> usize {
        self.range().end as usize
    }

    /// Returns the addresses of the stack.
    fn range(&self) -> Range<u64> {
        let end = Current::DYNAMIC_START + (u64::from(self.slot) + 1) * SLOT_BYTES;
        end - STACK_BYTES as u64..end
    }

    fn unmap(&self) {
        SPACE.lock().unmap_stack(self.range());
        // `take_unmapped` made room for all slots.
        SLOTS.lock().unmapped.push(self.slot);
    }
}

// SAFETY: the memory below the top is mapped and belongs to this value until it is dropped; the top is a
// multiple of the page size.
unsafe impl sync::Stack for KernelStack {
    fn top(&self) -> usize {
        Self::top(self)
    }
}

impl Drop for KernelStack {
    fn drop(&mut self) {
        depth::note(self);
        if SLOTS.lock().kept.try_push(self.slot).is_err() {
            self.unmap();
        }
    }
}

impl Slots {
    fn take_unmapped(&mut self) -> Result<u32, Errno> {
        if let Some(slot) = self.unmapped.pop() {
            return Ok(slot);
        }
        if u64::from(self.next) >= MAX_STACKS {
            return Err(Errno::ENOMEM);
        }
        let room = self.next as usize + 1;
        self.unmapped.try_reserve(room).map_err(|_| Errno::ENOMEM)?;
        self.next += 1;
        Ok(self.next - 1)
    }
}

impl KernelSpace {
    fn map_stack(&mut self, range: Range<u64>) -> Result<(), Errno> {
        for page in range.step_by(PAGE_SIZE) {
            let frame = frames::allocate_raw(Purpose::Kernel).ok_or(Errno::ENOMEM)?;
            let phys = PhysAddr::new(u64::from(frame.get()) << PAGE_SHIFT);
            if self
                .table
                .map(&mut self.tables, VirtAddr::new(page), phys, DATA, 0)
                .is_err()
            {
                frames::free_raw(frame);
                return Err(Errno::ENOMEM);
            }
            // The first use must find the page: a fault on a stack cannot be served.
            Current::flush_kernel_page(VirtAddr::new(page));
        }
        Ok(())
    }

    fn unmap_stack(&mut self, range: Range<u64>) {
        for page in range.step_by(PAGE_SIZE).map(VirtAddr::new) {
            let Some(leaf) = self.table.unmap(&mut self.tables, page) else {
                continue;
            };
            Current::flush_kernel_page(page);
            if let Some(frame) = FrameNumber::new((leaf.phys.as_u64() >> PAGE_SHIFT) as u32) {
                frames::free_raw(frame);
            }
        }
    }
}
