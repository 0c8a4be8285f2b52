//! What the kernel asked of the machine on this host thread, for tests to look at.

use core::cell::RefCell;

use hal::cpu::CpuSet;
use hal::{PhysAddr, VirtAddr};

use crate::Mock;

/// Counts and arguments of operations since the last [`Mock::take_record`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// Pages given to `flush_user_page`.
    pub flushed_user_pages: Vec<VirtAddr>,
    /// Calls of `flush_user`.
    pub user_flushes: usize,
    /// Other CPUs for which `flush_user_page` or `flush_user` was called.
    pub flushed_elsewhere: Vec<CpuSet>,
    /// Pages given to `flush_kernel_page`.
    pub flushed_kernel_pages: Vec<VirtAddr>,
    /// Roots given to `activate_user_root`.
    pub activated_roots: Vec<PhysAddr>,
    /// Pages given to `sync_instruction_cache`.
    pub synchronised_pages: Vec<PhysAddr>,
    /// Calls of `switch`.
    pub switches: usize,
    /// Times that interrupts went from enabled to masked.
    pub interrupt_disables: usize,
    /// The latest argument of `set_deadline`.
    pub deadline_ns: Option<u64>,
    /// Bytes written to the console.
    pub console_output: Vec<u8>,
    /// Lines enabled at the interrupt controller.
    pub enabled_lines: Vec<u32>,
}

thread_local! {
    static RECORD: RefCell<Record> = RefCell::default();
}

impl Mock {
    /// Returns what was recorded on this host thread, and starts anew.
    pub fn take_record() -> Record {
        RECORD.take()
    }
}

/// Adds to the record of this host thread.
pub(crate) fn note(change: impl FnOnce(&mut Record)) {
    RECORD.with_borrow_mut(change);
}
