//! membarrier: orders memory for all threads of a process at the cost of the one that asks.

use core::sync::atomic::{AtomicU32, Ordering, fence};

use super::AddressSpace;

/// Why a barrier was not made: the process has not registered for it (EPERM).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BarrierError;

/// The commands (`MEMBARRIER_CMD_*`) for which a process has registered. A child keeps its parent's, as on Linux.
#[derive(Debug, Default)]
pub(super) struct Registrations(AtomicU32);

impl Registrations {
    pub(super) fn copy(&self, from: &Self) {
        self.0.store(from.0.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl AddressSpace {
    /// Registers for commands, as a set of `MEMBARRIER_CMD_*`.
    pub fn register_barriers(&self, commands: u32) {
        self.barriers.0.fetch_or(commands, Ordering::SeqCst);
    }

    /// Returns the commands that are registered for.
    pub fn registered_barriers(&self) -> u32 {
        self.barriers.0.load(Ordering::SeqCst)
    }

    /// Orders the accesses of all threads of the space, which registered for it by `registration`.
    ///
    /// # Errors
    /// [`BarrierError`].
    pub fn barrier(&self, registration: u32) -> Result<(), BarrierError> {
        if self.registered_barriers() & registration == 0 {
            return Err(BarrierError);
        }
        order_all();
        Ok(())
    }
}

/// Orders the accesses of all running threads. Those that do not run passed a switch on their CPU, which
/// orders; the caller's CPU is ordered here. The place where other CPUs are interrupted once they run.
pub fn order_all() {
    fence(Ordering::SeqCst);
}
