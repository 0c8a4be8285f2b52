//! Scheduling as programs see it.

use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use sync::Result;
use task::{Context, pid, sched};

/// Bytes of the kernel's CPU mask: 64 CPUs.
const MASK_BYTES: u32 = 8;

pub(crate) fn sched_yield(_ctx: &Context<'_>) -> Result<usize> {
    sched::yield_now();
    Ok(0)
}

pub(crate) fn sched_getaffinity(ctx: &Context<'_>, pid: i32, size: u32, mask: UserPtr<u64>) -> Result<usize> {
    if size < MASK_BYTES || !size.is_multiple_of(MASK_BYTES) {
        return Err(Errno::EINVAL.into());
    }
    let number = u32::try_from(pid).map_err(|_| Errno::ESRCH)?;
    if number != 0 && pid::thread(number).is_none() {
        return Err(Errno::ESRCH.into());
    }
    ctx.memory().write(mask, &sched::cpu_mask())?;
    Ok(MASK_BYTES as usize)
}

pub(crate) fn getcpu(ctx: &Context<'_>, cpu: UserPtr<u32>, node: UserPtr<u32>, _cache: u64) -> Result<usize> {
    if !cpu.is_null() {
        ctx.memory().write(cpu, &sched::cpu())?;
    }
    if !node.is_null() {
        // All memory is equally near.
        ctx.memory().write(node, &0)?;
    }
    Ok(0)
}
