//! What a call does with the memory and the resources of other processes: process_vm_readv(2), kcmp(2).

use los_abi::errno::Errno;
use los_abi::fs::IoVec;
use los_abi::syscall::UserPtr;
use mm::AddressSpace;
use mm::io::{Sink, Source};
use sync::Result;
use task::inspect::{self, Resource};
use task::{Context, Process};

pub(crate) fn process_vm_readv(
    ctx: &Context<'_>,
    pid: i32,
    local: UserPtr<IoVec>,
    local_count: usize,
    remote: UserPtr<IoVec>,
    remote_count: usize,
    flags: u64,
) -> Result<usize> {
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut into = ctx.memory().io_vectors(local, local_count)?;
    if Sink::remaining(&into) == 0 {
        return Ok(0);
    }
    transfer(ctx, pid, remote, remote_count, |memory| {
        let mut from = ctx.memory().io_vectors_of(memory, remote, remote_count)?;
        Ok(inspect::copy(&mut from, &mut into)?)
    })
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
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut from = ctx.memory().io_vectors(local, local_count)?;
    if Source::remaining(&from) == 0 {
        return Ok(0);
    }
    transfer(ctx, pid, remote, remote_count, |memory| {
        let mut into = ctx.memory().io_vectors_of(memory, remote, remote_count)?;
        Ok(inspect::copy(&mut from, &mut into)?)
    })
}

/// Finds the other process's memory and lets `copy` work with it, if there is anything to do.
fn transfer(
    ctx: &Context<'_>,
    pid: i32,
    remote: UserPtr<IoVec>,
    remote_count: usize,
    copy: impl FnOnce(&AddressSpace) -> Result<usize>,
) -> Result<usize> {
    let looked = ctx.memory().io_vectors(remote, remote_count)?;
    if Source::remaining(&looked) == 0 {
        return Ok(0);
    }
    let process = inspect::find(pid)?;
    inspect::check(ctx, &process)?;
    copy(&*memory_of(&process)?)
}

fn memory_of(process: &Process) -> Result<alloc::sync::Arc<AddressSpace>> {
    Ok(process.memory().ok_or(Errno::ESRCH)?)
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
