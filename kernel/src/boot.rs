//! Where boot information comes from: Limine's responses, or what the machine's own boot protocol gave.

mod limine;

#[cfg(target_os = "none")]
use los_arch::{Current, hal::prelude::Boot};

/// Describes the machine as its boot loader did.
#[cfg(target_os = "none")]
pub(crate) fn boot_info(boot_argument: usize) -> hal::boot::BootInfo {
    if let Some(info) = limine::boot_info() {
        return info;
    }
    // SAFETY: the argument is what the machine's boot code received, and the boot mappings are active.
    unsafe { Current::boot_info(boot_argument) }
}
