//! What a call does with the memory and the resources of other processes: process_vm_readv(2), kcmp(2).

use los_abi::errno::Errno;
use los_abi::fs::IoVec;
use los_abi::syscall::UserPtr;
use mm::UserIoVec;
use mm::io::Source;
use sync::Result;
use task::Context;
use task::inspect::{self, Resource};

pub(crate) fn process_vm_readv(
    ctx: &Context<'_>,
    pid: i32,
    local: UserPtr<IoVec>,
    local_count: usize,
    remote: UserPtr<IoVec>,
    remote_count: usize,
    flags: u64,
) -> Result<usize> {
    let vectors = [(local, local_count), (remote, remote_count)];
    transfer(ctx, pid, vectors, flags, |own, other| inspect::copy(other, own))
}

pub(crate) fn process_vm_writev(
    ctx: &Context<'_>,
    pid: i32,
    local: UserPtr<IoVec>,
    local_count: usize,
    remote: UserPtr<IoVec>,
    remote_count: usize,
    flags: u64,
) -> Result<usize> {
    let vectors = [(local, local_count), (remote, remote_count)];
    transfer(ctx, pid, vectors, flags, |own, other| inspect::copy(own, other))
}

/// Lets `copy` work with the caller's memory and the other process's, if there is anything to do.
fn transfer(
    ctx: &Context<'_>,
    pid: i32,
    [(local, local_count), (remote, remote_count)]: [(UserPtr<IoVec>, usize); 2],
    flags: u64,
    copy: impl FnOnce(&mut UserIoVec<'_>, &mut UserIoVec<'_>) -> core::result::Result<usize, Errno>,
) -> Result<usize> {
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut own = ctx.memory().io_vectors(local, local_count)?;
    if Source::remaining(&own) == 0 {
        return Ok(0);
    }
    // Read once: another thread may change it.
    let other = ctx.memory().io_vectors(remote, remote_count)?;
    if Source::remaining(&other) == 0 {
        return Ok(0);
    }
    let process = inspect::find(pid)?;
    let memory = inspect::memory(ctx, &process)?.ok_or(Errno::ESRCH)?;
    Ok(copy(&mut own, &mut other.of(&memory))?)
}

pub(crate) fn kcmp(
    ctx: &Context<'_>,
    pid1: i32,
    pid2: i32,
    kind: i32,
    index1: u64,
    index2: u64,
) -> Result<usize> {
    let resource = Resource::from_kind(kind, [index1, index2]);
    Ok(inspect::compare(ctx, [pid1, pid2], resource)?)
}
