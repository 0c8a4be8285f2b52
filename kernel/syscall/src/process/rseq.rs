//! rseq.

use los_abi::errno::Errno;
use los_abi::rseq::{RSEQ_FLAG_UNREGISTER, Rseq};
use los_abi::syscall::UserPtr;
use sync::Result;
use task::Context;
use task::rseq::{self as subsystem, Registration};

pub(crate) fn rseq(
    ctx: &Context<'_>,
    area: UserPtr<Rseq>,
    bytes: u32,
    flags: u32,
    signature: u32,
) -> Result<usize> {
    let registration = Registration {
        area,
        bytes,
        signature,
    };
    match flags {
        0 => subsystem::register(ctx, registration)?,
        RSEQ_FLAG_UNREGISTER => subsystem::unregister(ctx, registration)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}
