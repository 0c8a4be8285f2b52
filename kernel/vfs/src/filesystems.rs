//! The types of file system that mount(2) knows (filesystems(5)).

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use sync::{Rank, SpinLock};

use crate::mount::SuperBlock;

/// What mount(2) passes to a type.
pub struct MountRequest<'a> {
    /// The source: a device, or any word.
    pub source: &'a [u8],
    /// Options, separated by commas.
    pub data: &'a [u8],
}

/// A type of file system.
pub trait FileSystemType: Send + Sync {
    /// Returns the name that mount(2) is given.
    fn name(&self) -> &'static str;

    /// Tells whether a mount needs a device.
    fn needs_device(&self) -> bool {
        false
    }

    /// Opens a file system; types with one instance for all return that one.
    ///
    /// # Errors
    /// EINVAL for bad options; ENOMEM; those of the device.
    fn open(&self, request: &MountRequest<'_>) -> Result<Arc<SuperBlock>, Errno>;
}

static TYPES: SpinLock<Vec<&'static dyn FileSystemType>> = SpinLock::new(Rank::FileSystem, Vec::new());

/// Makes a type known.
pub fn register(kind: &'static dyn FileSystemType) {
    TYPES.lock().push(kind);
}

/// Finds a type by name.
///
/// # Errors
/// ENODEV.
pub fn find(name: &[u8]) -> Result<&'static dyn FileSystemType, Errno> {
    let types = TYPES.lock();
    types
        .iter()
        .copied()
        .find(|kind| kind.name().as_bytes() == name)
        .ok_or(Errno::ENODEV)
}

/// Returns all types, in the order of their registration.
pub fn all() -> Vec<&'static dyn FileSystemType> {
    TYPES.lock().clone()
}
