//! Memory of a process behind a descriptor: process_madvise(2), process_mrelease(2).

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::fs::IoVec;
use los_abi::mm::{MADV_COLD, MADV_COLLAPSE, MADV_PAGEOUT, MADV_WILLNEED};
use los_abi::syscall::{Fd, UserPtr};
use sync::Result;
use task::pidfd::PidFd;
use task::{Context, inspect};
use vfs::Capability;

/// Advice that leaves another process's contents alone.
const HARMLESS: [i32; 4] = [MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_COLLAPSE];

pub(crate) fn process_madvise(
    ctx: &Context<'_>,
    pidfd: Fd,
    vectors: UserPtr<IoVec>,
    count: usize,
    advice: i32,
    flags: u32,
) -> Result<usize> {
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let ranges = ctx.memory().io_vectors(vectors, count)?;
    let file = ctx.files().get(pidfd)?;
    let process = PidFd::of(&file)?.process()?;
    let memory = inspect::memory(ctx, &process)?.ok_or(Errno::ESRCH)?;
    if !Arc::ptr_eq(&memory, ctx.memory()) {
        if !HARMLESS.contains(&advice) {
            return Err(Errno::EINVAL.into());
        }
        if !ctx.credentials().capable(Capability::SysNice) {
            return Err(Errno::EPERM.into());
        }
    }
    let mut advised = 0;
    for range in ranges.ranges() {
        match memory.advise(range.iov_base, range.iov_len, advice) {
            Ok(()) => advised += range.iov_len as usize,
            Err(_) if advised > 0 => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(advised)
}

pub(crate) fn process_mrelease(ctx: &Context<'_>, pidfd: Fd, flags: u32) -> Result<usize> {
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let file = ctx.files().get(pidfd)?;
    let process = PidFd::of(&file)?.process()?;
    let memory = process.memory().ok_or(Errno::ESRCH)?;
    if !task::oom::are_all_ending(&process, &memory)? {
        return Err(Errno::EINVAL.into());
    }
    // It would go when the last thread has ended, which may wait for something.
    memory.reap();
    Ok(0)
}
