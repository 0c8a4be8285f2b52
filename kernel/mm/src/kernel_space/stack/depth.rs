//! How deep kernel stacks were used, in debug builds: a stack is painted when it is allocated, and what of the
//! paint is gone when its thread is, was used.

use core::sync::atomic::{AtomicU64, Ordering};

use los_arch::Current;
use los_arch::hal::prelude::*;

use super::{KernelStack, STACK_BYTES};

const IS_ON: bool = cfg!(debug_assertions) && cfg!(target_os = "none");
const PAINT: u64 = 0x6c65_7669_7461_7465;
const WORD_BYTES: u64 = size_of::<u64>() as u64;

/// The most that any stack was used so far, in bytes.
static DEEPEST: AtomicU64 = AtomicU64::new(0);

/// Fills a stack that nobody uses.
pub(super) fn paint(stack: &KernelStack) {
    if !IS_ON {
        return;
    }
    for word in stack.range().step_by(WORD_BYTES as usize) {
        // SAFETY: the stack is mapped, belongs to `stack`, and no thread runs on it.
        unsafe { (word as *mut u64).write_volatile(PAINT) };
    }
}

/// Notes how much of a stack was used, and reports it when that was more than ever.
pub(super) fn note(stack: &KernelStack) {
    if !IS_ON {
        return;
    }
    let range = stack.range();
    let is_used = |word: &u64| {
        // SAFETY: as in `paint`.
        unsafe { (*word as *const u64).read_volatile() != PAINT }
    };
    let first = range.clone().step_by(WORD_BYTES as usize).find(is_used);
    let used = range.end - first.unwrap_or(range.end);
    if DEEPEST.fetch_max(used, Ordering::Relaxed) < used {
        log::debug!(
            "stacks: {used} of {STACK_BYTES} bytes were used (CPU {})",
            Current::cpu_index()
        );
    }
}
