//! File systems: [`tmpfs`] in memory, [`devfs`] for devices, [`procfs`] for processes; and [`initramfs`], which
//! unpacks the first files into the root.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod devfs;
mod dots;
pub mod initramfs;
pub mod procfs;
pub mod tmpfs;

use core::sync::atomic::{AtomicU32, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::make_device;

/// Makes the types of file systems and the devices without hardware known. Called once, before the root is
/// mounted.
///
/// # Errors
/// ENOMEM.
pub fn init() -> Result<(), Errno> {
    vfs::filesystems::register(&tmpfs::TmpFsType);
    vfs::filesystems::register(&devfs::DevTmpFsType);
    vfs::memory_file::set_source(tmpfs::memory_file);
    devfs::memory::init()
}

/// Returns a device number for a file system that is on none.
pub(crate) fn anonymous_device() -> u64 {
    /// Smaller ones belong to the file systems that cannot be mounted, as that of pipes.
    const FIRST_MINOR: u32 = 20;
    static NEXT_MINOR: AtomicU32 = AtomicU32::new(FIRST_MINOR);
    make_device(0, NEXT_MINOR.fetch_add(1, Ordering::Relaxed))
}
