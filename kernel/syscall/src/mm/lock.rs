//! mlock and its family.

use los_abi::errno::Errno;
use los_abi::mm::{Mlock2Flags, MlockallFlags};
use mm::{LockMode, Locker};
use sync::Result;
use task::Context;
use vfs::Capability;

/// Returns what limits the caller in locking memory.
pub(super) fn locker(ctx: &Context<'_>) -> Locker {
    if ctx.credentials().capable(Capability::IpcLock) {
        Locker::Privileged
    } else {
        Locker::Limited
    }
}

pub(crate) fn mlock(ctx: &Context<'_>, address: u64, length: usize) -> Result<usize> {
    mlock2(ctx, address, length, Mlock2Flags::empty())
}

pub(crate) fn mlock2(ctx: &Context<'_>, address: u64, length: usize, flags: Mlock2Flags) -> Result<usize> {
    let mode = match flags {
        Mlock2Flags::ONFAULT => LockMode::OnFault,
        _ if flags.is_empty() => LockMode::Now,
        _ => return Err(Errno::EINVAL.into()),
    };
    ctx.memory().lock(address, length as u64, mode, locker(ctx))?;
    Ok(0)
}

pub(crate) fn munlock(ctx: &Context<'_>, address: u64, length: usize) -> Result<usize> {
    ctx.memory().unlock(address, length as u64)?;
    Ok(0)
}

pub(crate) fn mlockall(ctx: &Context<'_>, flags: MlockallFlags) -> Result<usize> {
    ctx.memory().lock_all(flags, locker(ctx))?;
    Ok(0)
}

pub(crate) fn munlockall(ctx: &Context<'_>) -> Result<usize> {
    ctx.memory().unlock_all();
    Ok(0)
}
