//! How many threads there may be, in all and for one user.

use los_abi::errno::Errno;
use los_abi::task::RLIMIT_NPROC;
use los_arch::hal::PAGE_SIZE;
use vfs::Capability;

use crate::context::Context;
use crate::pid;

/// Applies the limit on all threads, and RLIMIT_NPROC to who is not the superuser.
pub(super) fn check(ctx: &Context<'_>) -> Result<(), Errno> {
    let credentials = ctx.credentials();
    if pid::counts().threads as u64 >= threads_max() {
        return Err(Errno::EAGAIN);
    }
    let is_exempt = credentials.uid == 0
        || credentials.capable(Capability::SysResource)
        || credentials.capable(Capability::SysAdmin);
    if is_exempt {
        return Ok(());
    }
    let limit = ctx.process.limits().soft(RLIMIT_NPROC);
    let tree = pid::tree();
    let of_user = tree
        .iter()
        .filter(|node| node.process.credentials().uid == credentials.uid)
        .map(|node| node.process.thread_count() as u64)
        .sum::<u64>();
    if of_user >= limit {
        Err(Errno::EAGAIN)
    } else {
        Ok(())
    }
}

/// Returns how many threads there may be: such that their kernel stacks take an eighth of memory at most, as
/// Linux's `threads-max`.
pub fn threads_max() -> u64 {
    const PAGES_PER_THREAD: u64 = 8 * (mm::kernel_space::STACK_BYTES / PAGE_SIZE) as u64;
    let pages = mm::frames::statistics().total_pages as u64;
    (pages / PAGES_PER_THREAD).max(THREADS_MIN)
}

/// Threads that there may be on the smallest machine.
const THREADS_MIN: u64 = 20;
