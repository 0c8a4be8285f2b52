//! PR_SET_MM of prctl(2): what a process says of its own memory.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::prctl as abi;
use los_abi::prctl::PrctlMmMap;
use los_abi::syscall::{Fd, UserPtr};
use sync::Result;
use task::Context;
use task::process::description::{AUXV_BYTES, auxiliary_vector};
use vfs::Capability;

use super::prctl::none;

/// Descriptor that stands for none.
const NO_FILE: u32 = u32::MAX;

pub(super) fn set(ctx: &Context<'_>, operation: u64, [arg3, arg4, arg5]: [u64; 3]) -> Result<usize> {
    none(&[arg5])?;
    match operation {
        abi::PR_SET_MM_MAP_SIZE => {
            let bytes = size_of::<PrctlMmMap>() as u32;
            ctx.memory().write(UserPtr::new(arg3), &bytes)?;
            return Ok(0);
        }
        abi::PR_SET_MM_MAP => return set_all(ctx, arg3, arg4),
        abi::PR_SET_MM_AUXV => {}
        _ => drop(none(&[arg4])?),
    }
    if !ctx.credentials().capable(Capability::SysResource) {
        return Err(Errno::EPERM.into());
    }
    match operation {
        abi::PR_SET_MM_AUXV => {
            let start = read_auxv(ctx, arg3, arg4)?;
            ctx.process.set_auxv(&start)?;
        }
        // Descriptors have 32 bits.
        abi::PR_SET_MM_EXE_FILE => set_executable(ctx, arg3 as u32)?,
        _ => ctx.process.set_memory_address(ctx.memory(), operation, arg3)?,
    }
    Ok(0)
}

fn set_all(ctx: &Context<'_>, address: u64, bytes: u64) -> Result<usize> {
    if bytes != size_of::<PrctlMmMap>() as u64 {
        return Err(Errno::EINVAL.into());
    }
    let new: PrctlMmMap = ctx.memory().read(UserPtr::new(address))?;
    ctx.process.check_description(&new)?;
    let auxv: Option<Arc<[u64]>> = match new.auxv_size {
        0 => None,
        _ if new.auxv == 0 => return Err(Errno::EINVAL.into()),
        bytes => Some(auxiliary_vector(
            &[],
            &read_auxv(ctx, new.auxv, u64::from(bytes))?,
        )?),
    };
    if new.exe_fd != NO_FILE {
        let credentials = ctx.credentials();
        let may = [Capability::CheckpointRestore, Capability::SysAdmin];
        if !may.into_iter().any(|capability| credentials.capable(capability)) {
            return Err(Errno::EPERM.into());
        }
        set_executable(ctx, new.exe_fd)?;
    }
    ctx.process.put_description(ctx.memory(), &new, auxv);
    Ok(0)
}

fn set_executable(ctx: &Context<'_>, fd: u32) -> Result<()> {
    let file = ctx.files().get(Fd(fd.cast_signed()))?;
    ctx.process
        .set_executable(ctx.memory(), ctx.credentials(), &file)?;
    Ok(())
}

fn read_auxv(ctx: &Context<'_>, address: u64, bytes: u64) -> Result<Vec<u8>> {
    let count = usize::try_from(bytes).map_err(|_| Errno::EINVAL)?;
    if count > AUXV_BYTES {
        return Err(Errno::EINVAL.into());
    }
    let mut start = Vec::new();
    start.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    start.resize(count, 0);
    ctx.memory().read_bytes(address, &mut start)?;
    Ok(start)
}
