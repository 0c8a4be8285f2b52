//! Fault-recovering access to user memory. The instructions that may fault are in `uaccess.S`.

use core::arch::global_asm;
use core::sync::atomic::{AtomicU8, Ordering, compiler_fence};

use hal::paging::{Access, Paging};
use hal::uaccess::{Uaccess, UserFault};

use crate::{X86_64, features};

global_asm!(include_str!("uaccess.S"));

/// A word from user memory, or not.
#[repr(C)]
struct RawWord {
    value: u64,
    faulted: u64,
}

unsafe extern "C" {
    fn user_copy(to: *mut u8, from: *const u8, bytes: usize) -> usize;
    fn user_zero(to: *mut u8, bytes: usize) -> usize;
    fn user_load_u32(from: *const u32) -> RawWord;
    fn user_compare_exchange_u32(at: *mut u32, expected: u32, new: u32) -> RawWord;
    safe static __ex_table_start: Entry;
    safe static __ex_table_end: Entry;
}

/// An entry of the exception table; both members count from their own address.
#[repr(C)]
struct Entry {
    instruction: i32,
    fixup: i32,
}

/// Returns where to go on when the instruction at `address` has faulted on user memory.
pub(crate) fn fixup(address: u64) -> Option<u64> {
    let start = &raw const __ex_table_start;
    let bytes = (&raw const __ex_table_end).addr() - start.addr();
    // SAFETY: the linker script puts the two symbols round the table.
    let table = unsafe { core::slice::from_raw_parts(start, bytes / size_of::<Entry>()) };
    let entry = table
        .iter()
        .find(|entry| absolute(&entry.instruction) == address)?;
    Some(absolute(&entry.fixup))
}

fn absolute(field: &i32) -> u64 {
    let place = core::ptr::from_ref(field).addr() as u64;
    place.wrapping_add_signed(i64::from(*field))
}

impl Uaccess for X86_64 {
    fn copy_from_user(destination: &mut [u8], source: u64) -> Result<(), UserFault> {
        let bytes = user_part(source, destination.len());
        let remaining = with_user_memory(|| {
            // SAFETY: writes `bytes` bytes of `destination` at most; the source lies in the user half, where
            // a fault ends the copy.
            unsafe { user_copy(destination.as_mut_ptr(), source as *const u8, bytes) }
        });
        finish(source, destination.len(), bytes - remaining, Access::Read)
    }

    fn copy_to_user(destination: u64, source: &[u8]) -> Result<(), UserFault> {
        let bytes = user_part(destination, source.len());
        let remaining = with_user_memory(|| {
            // SAFETY: reads `bytes` bytes of `source` at most; the destination lies in the user half, where
            // a fault ends the copy and no kernel object lives.
            unsafe { user_copy(destination as *mut u8, source.as_ptr(), bytes) }
        });
        finish(destination, source.len(), bytes - remaining, Access::Write)
    }

    fn copy_shared_from_user(destination: &[AtomicU8], source: u64) -> Result<(), UserFault> {
        let bytes = user_part(source, destination.len());
        let remaining = with_user_memory(|| {
            // SAFETY: as in `copy_from_user`; the destination may change under any reference to it.
            unsafe { user_copy(destination.as_ptr().cast_mut().cast(), source as *const u8, bytes) }
        });
        finish(source, destination.len(), bytes - remaining, Access::Read)
    }

    fn copy_shared_to_user(destination: u64, source: &[AtomicU8]) -> Result<(), UserFault> {
        let bytes = user_part(destination, source.len());
        let remaining = with_user_memory(|| {
            // SAFETY: as in `copy_to_user`.
            unsafe { user_copy(destination as *mut u8, source.as_ptr().cast(), bytes) }
        });
        finish(destination, source.len(), bytes - remaining, Access::Write)
    }

    fn zero_user(destination: u64, bytes: usize) -> Result<(), UserFault> {
        let reachable = user_part(destination, bytes);
        let remaining = with_user_memory(|| {
            // SAFETY: as in `copy_to_user`.
            unsafe { user_zero(destination as *mut u8, reachable) }
        });
        finish(destination, bytes, reachable - remaining, Access::Write)
    }

    fn load_user_u32(address: u64) -> Result<u32, UserFault> {
        check_word(address, Access::Read)?;
        let word = with_user_memory(|| {
            // SAFETY: an aligned word of the user half; a fault is reported.
            unsafe { user_load_u32(address as *const u32) }
        });
        word_result(&word, address, Access::Read)
    }

    fn compare_exchange_user_u32(address: u64, expected: u32, new: u32) -> Result<u32, UserFault> {
        check_word(address, Access::Write)?;
        let word = with_user_memory(|| {
            // SAFETY: an aligned word of the user half, where no kernel object lives; a fault is reported.
            unsafe { user_compare_exchange_u32(address as *mut u32, expected, new) }
        });
        word_result(&word, address, Access::Write)
    }
}

/// Runs `access` with user memory open.
#[inline]
fn with_user_memory<R>(access: impl FnOnce() -> R) -> R {
    if !features::has(features::SMAP) {
        return access();
    }
    compiler_fence(Ordering::SeqCst);
    // SAFETY: sets AC, which only opens user memory; SMAP says that the instruction exists.
    unsafe { core::arch::asm!("stac", options(nomem, nostack)) };
    let result = access();
    // SAFETY: as above.
    unsafe { core::arch::asm!("clac", options(nomem, nostack)) };
    compiler_fence(Ordering::SeqCst);
    result
}

/// Returns how many of the bytes lie in the user half.
#[inline]
fn user_part(start: u64, bytes: usize) -> usize {
    let room = X86_64::USER_END.saturating_sub(start) as usize;
    bytes.min(room)
}

#[inline]
fn finish(start: u64, bytes: usize, copied: usize, access: Access) -> Result<(), UserFault> {
    if copied == bytes {
        return Ok(());
    }
    Err(UserFault {
        copied,
        address: start + copied as u64,
        access,
    })
}

#[inline]
fn check_word(address: u64, access: Access) -> Result<(), UserFault> {
    if address.is_multiple_of(4) && address < X86_64::USER_END {
        return Ok(());
    }
    Err(UserFault {
        copied: 0,
        address,
        access,
    })
}

#[inline]
fn word_result(word: &RawWord, address: u64, access: Access) -> Result<u32, UserFault> {
    if word.faulted != 0 {
        return Err(UserFault {
            copied: 0,
            address,
            access,
        });
    }
    // The upper half is not part of the word.
    Ok(word.value as u32)
}
