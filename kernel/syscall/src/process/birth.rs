//! clone(2) and its relatives, exit(2).

use los_abi::isa::IsaAbi;
use los_abi::syscall::UserPtr;
use los_abi::task::CloneFlags;
use sync::Result;
use task::Context;
use task::clone::CloneRequest;

pub(crate) fn clone(
    ctx: &Context<'_>,
    flags: u64,
    stack: u64,
    parent_tid: u64,
    fourth: u64,
    fifth: u64,
) -> Result<usize> {
    // The last two change places between the machines.
    let swapped = task::Abi::CLONE_TLS_INDEX == 3;
    let (child_tid, tls) = if swapped { (fifth, fourth) } else { (fourth, fifth) };
    // clone(2) passes 32 bits of flags; the others belong to clone3(2).
    let flags = flags & u64::from(u32::MAX);
    let request = CloneRequest {
        flags: CloneFlags::from_bits_retain(flags & !CloneFlags::EXIT_SIGNAL_MASK),
        exit_signal: (flags & CloneFlags::EXIT_SIGNAL_MASK) as u32,
        stack,
        parent_tid: UserPtr::new(parent_tid),
        child_tid: UserPtr::new(child_tid),
        tls,
    };
    task::clone::clone(ctx, &request).map(|pid| pid as usize)
}

pub(crate) fn fork(ctx: &Context<'_>) -> Result<usize> {
    task::clone::clone(ctx, &CloneRequest::FORK).map(|pid| pid as usize)
}

pub(crate) fn vfork(ctx: &Context<'_>) -> Result<usize> {
    task::clone::clone(ctx, &CloneRequest::VFORK).map(|pid| pid as usize)
}

pub(crate) fn exit(ctx: &Context<'_>, status: i32) -> Result<usize> {
    task::exit::exit_thread(ctx, status);
    Ok(0)
}

pub(crate) fn exit_group(ctx: &Context<'_>, status: i32) -> Result<usize> {
    task::exit::exit_group(ctx, status);
    Ok(0)
}
