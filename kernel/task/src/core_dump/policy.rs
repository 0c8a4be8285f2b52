//! What a process leaves to whom, as it and others have set it (PR_SET_DUMPABLE, /proc/PID/coredump_filter).

use core::sync::atomic::Ordering;

use super::{Dumpable, Filter};
use crate::process::{DUMPING, Process};

impl Process {
    /// Reports whether others with the same ids may look into the process.
    pub fn is_dumpable(&self) -> bool {
        self.dumpable() == Dumpable::User
    }

    /// Returns who may look into the process, and whether it leaves a core.
    pub fn dumpable(&self) -> Dumpable {
        Dumpable::from_number(self.dumpable.load(Ordering::Relaxed)).unwrap_or(Dumpable::No)
    }

    /// Sets who may look into the process.
    pub fn set_dumpable(&self, dumpable: Dumpable) {
        self.dumpable.store(dumpable.number(), Ordering::Relaxed);
    }

    /// Returns what core dumps have of the memory.
    pub fn core_filter(&self) -> Filter {
        Filter::from_bits_truncate(self.core_filter.load(Ordering::Relaxed))
    }

    /// Sets what core dumps have of the memory.
    pub fn set_core_filter(&self, filter: Filter) {
        self.core_filter.store(filter.bits(), Ordering::Relaxed);
    }

    /// Reports whether a thread writes a core dump while the others rest.
    pub fn is_dumping(&self) -> bool {
        self.ending.load(Ordering::SeqCst) & DUMPING != 0
    }
}
