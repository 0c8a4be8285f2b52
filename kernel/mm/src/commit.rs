//! Promises of memory: how much all programs together may come to need, and when a further promise is refused
//! (Linux's `vm.overcommit_memory`).
//!
//! A page counts while it is mapped private and writable without MAP_NORESERVE, or belongs to shared
//! anonymous memory. The pages of files in memory are counted by their file systems.

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use los_abi::errno::Errno;

use crate::frames;

/// How promises are judged (`vm.overcommit_memory`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Overcommit {
    /// 0: a single promise of more than all memory is refused.
    Heuristic = 0,
    /// 1: nothing is refused.
    Always = 1,
    /// 2: all promises together stay below [`limit_pages`].
    Never = 2,
}

/// Percentage of memory that may be promised in mode 2, by default.
const DEFAULT_RATIO: usize = 50;

static COMMITTED: AtomicUsize = AtomicUsize::new(0);
static MODE: AtomicU8 = AtomicU8::new(Overcommit::Heuristic as u8);
static RATIO: AtomicUsize = AtomicUsize::new(DEFAULT_RATIO);

/// Returns the number of pages that are promised.
pub fn committed_pages() -> usize {
    COMMITTED.load(Ordering::Relaxed)
}

/// Returns how many pages may be promised in mode 2.
pub fn limit_pages() -> usize {
    frames::total().saturating_mul(RATIO.load(Ordering::Relaxed)) / 100
}

/// Returns how promises are judged.
pub fn mode() -> Overcommit {
    match MODE.load(Ordering::Relaxed) {
        1 => Overcommit::Always,
        2 => Overcommit::Never,
        _ => Overcommit::Heuristic,
    }
}

/// Chooses how promises are judged from now on.
pub fn set_mode(mode: Overcommit) {
    MODE.store(mode as u8, Ordering::Relaxed);
}

/// Returns `vm.overcommit_ratio`.
pub fn ratio() -> usize {
    RATIO.load(Ordering::Relaxed)
}

/// Sets `vm.overcommit_ratio`, in per cent.
pub fn set_ratio(percent: usize) {
    RATIO.store(percent, Ordering::Relaxed);
}

/// Judges a promise of `pages` pages more. Two that are judged at the same time may both pass.
///
/// # Errors
/// ENOMEM.
pub(crate) fn check(pages: usize) -> Result<(), Errno> {
    let refused = match mode() {
        Overcommit::Always => false,
        Overcommit::Heuristic => pages > frames::total(),
        Overcommit::Never => committed_pages().saturating_add(pages) > limit_pages(),
    };
    if refused { Err(Errno::ENOMEM) } else { Ok(()) }
}

pub(crate) fn add(pages: usize) {
    if pages > 0 {
        COMMITTED.fetch_add(pages, Ordering::Relaxed);
    }
}

pub(crate) fn subtract(pages: usize) {
    if pages > 0 {
        COMMITTED.fetch_sub(pages, Ordering::Relaxed);
    }
}

/// Pages that count while this exists.
#[derive(Debug)]
pub(crate) struct Promise(usize);

impl Promise {
    /// Counts pages; they were judged by [`check`] before.
    pub(crate) fn new(pages: usize) -> Self {
        add(pages);
        Self(pages)
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        subtract(self.0);
    }
}
