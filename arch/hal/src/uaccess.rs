//! Access to the memory of the running program, the only place where the kernel touches it.

use core::sync::atomic::AtomicU8;

use crate::paging::Access;

/// A user access that hit an address which is not mapped for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserFault {
    /// Bytes that were copied before the fault.
    pub copied: usize,
    /// The first address that could not be accessed.
    pub address: u64,
    /// What was tried.
    pub access: Access,
}

/// Fault-recovering copies to and from the active user address space. Any address may be passed: one
/// outside of the user half faults without being touched. None of them sleeps or maps anything.
pub trait Uaccess {
    /// Fills `destination` from user memory.
    ///
    /// # Errors
    /// A [`UserFault`] with the number of bytes copied.
    fn copy_from_user(destination: &mut [u8], source: u64) -> Result<(), UserFault>;

    /// Writes `source` to user memory.
    ///
    /// # Errors
    /// A [`UserFault`] with the number of bytes copied.
    fn copy_to_user(destination: u64, source: &[u8]) -> Result<(), UserFault>;

    /// As [`copy_from_user`](Self::copy_from_user), into memory that others access at the same time.
    ///
    /// # Errors
    /// A [`UserFault`] with the number of bytes copied.
    fn copy_shared_from_user(destination: &[AtomicU8], source: u64) -> Result<(), UserFault>;

    /// As [`copy_to_user`](Self::copy_to_user), from memory that others access at the same time.
    ///
    /// # Errors
    /// A [`UserFault`] with the number of bytes copied.
    fn copy_shared_to_user(destination: u64, source: &[AtomicU8]) -> Result<(), UserFault>;

    /// Zeroes `bytes` bytes of user memory.
    ///
    /// # Errors
    /// A [`UserFault`] with the number of bytes zeroed.
    fn zero_user(destination: u64, bytes: usize) -> Result<(), UserFault>;

    /// Reads a naturally aligned word in one access.
    ///
    /// # Errors
    /// A [`UserFault`], also for a misaligned address.
    fn load_user_u32(address: u64) -> Result<u32, UserFault>;

    /// Atomically replaces `expected` by `new` in an aligned word and returns what was there.
    ///
    /// # Errors
    /// A [`UserFault`], also for a misaligned address.
    fn compare_exchange_user_u32(address: u64, expected: u32, new: u32) -> Result<u32, UserFault>;
}
