//! Moving sleepers from one word to another.

use los_abi::errno::Errno;
use los_arch::Current;
use los_arch::hal::prelude::Uaccess;

use super::key::key_of;
use super::{TABLE, Word};
use crate::context::Context;

/// Wakes up to `wake` sleepers of a word and moves up to `limit` others to another word, if the first still
/// has the value: FUTEX_CMP_REQUEUE, or FUTEX_REQUEUE without a value. Returns how many were woken or moved.
///
/// # Errors
/// EINVAL for a negative number, a misaligned word, or sleepers that wait to be moved to a lock; EAGAIN for
/// another value; EFAULT; ENOMEM.
pub fn requeue(
    ctx: &Context<'_>,
    from: Word,
    to: Word,
    (wake, limit): (i32, i32),
    expected: Option<u32>,
) -> Result<usize, Errno> {
    let (Ok(wake), Ok(limit)) = (usize::try_from(wake), usize::try_from(limit)) else {
        return Err(Errno::EINVAL);
    };
    let old = key_of(ctx.memory(), from)?;
    let new = key_of(ctx.memory(), to)?;
    loop {
        {
            let mut table = TABLE.lock();
            let value = expected
                .map(|_| Current::load_user_u32(from.address.addr()))
                .transpose();
            if let Ok(value) = value {
                if value != expected {
                    return Err(Errno::EAGAIN);
                }
                return table.requeue(old, new, wake, limit);
            }
        }
        ctx.memory().load_u32(from.address)?;
    }
}
