//! Waking those who sleep on a word.

use los_abi::errno::Errno;
use mm::AddressSpace;

use super::key::{key_of, make_writable};
use super::operation::WakeOperation;
use super::{TABLE, Word};
use crate::context::Context;

/// Wakes up to `count` sleepers of a word whose bits overlap, one if the count is not positive, and returns
/// how many: FUTEX_WAKE_BITSET.
///
/// # Errors
/// EINVAL for a misaligned word, no bits or the word of a lock; EFAULT.
pub fn wake(memory: &AddressSpace, word: Word, count: i32, bits: u32) -> Result<usize, Errno> {
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    let key = key_of(memory, word)?;
    TABLE.lock().wake(key, count, bits)
}

/// As [`wake`], but 0 wakes nobody: futex_wake.
///
/// # Errors
/// As [`wake`].
pub fn wake_exactly(memory: &AddressSpace, word: Word, count: i32, bits: u32) -> Result<usize, Errno> {
    if bits != 0 && count == 0 {
        return key_of(memory, word).map(|_| 0);
    }
    wake(memory, word, count, bits)
}

/// Changes the second word, wakes sleepers of the first, and if what the second held compares as asked also
/// sleepers of the second: FUTEX_WAKE_OP. Returns how many.
///
/// # Errors
/// EINVAL for a misaligned word or that of a lock; EFAULT; ENOSYS for an unknown operation, and after the
/// change for an unknown comparison.
pub fn wake_operation(
    ctx: &Context<'_>,
    first: Word,
    second: Word,
    counts: (i32, i32),
    operation: WakeOperation,
) -> Result<usize, Errno> {
    let memory = ctx.memory();
    let (first_key, second_key) = (key_of(memory, first)?, key_of(memory, second)?);
    loop {
        {
            let mut table = TABLE.lock();
            // The active address space is the caller's. A fault only says that the page must be brought in.
            if let Ok(old) = operation.apply(second.address)? {
                let compares = operation.compares(old)?;
                let mut woken = table.wake(first_key, counts.0, u32::MAX)?;
                if compares {
                    woken += table.wake(second_key, counts.1, u32::MAX)?;
                }
                return Ok(woken);
            }
        }
        make_writable(memory, second.address)?;
    }
}
