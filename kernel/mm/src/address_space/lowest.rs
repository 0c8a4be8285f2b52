//! The lowest address that programs without CAP_SYS_RAWIO may map (`vm.mmap_min_addr`), which keeps what the kernel could
//! reach by a null pointer out of their hands.

use core::sync::atomic::{AtomicU64, Ordering};

use los_arch::Current;
use los_arch::hal::prelude::*;

static LOWEST: AtomicU64 = AtomicU64::new(Current::USER_START);

/// Returns the lowest address that a program may map without a capability.
pub fn lowest_address() -> u64 {
    LOWEST.load(Ordering::Relaxed)
}

/// Changes it for later mappings.
pub fn set_lowest_address(address: u64) {
    LOWEST.store(address, Ordering::Relaxed);
}
