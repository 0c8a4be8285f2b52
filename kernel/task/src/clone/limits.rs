//! How many threads there may be, in all and for one user.

use los_abi::errno::Errno;
use los_arch::hal::PAGE_SIZE;

use crate::context::Context;
use crate::user_count::Share;
use crate::{pid, process_limit};

/// Applies the limit on all threads, and RLIMIT_NPROC to who is not the superuser; returns what the new thread counts
/// by.
pub(super) fn count(ctx: &Context<'_>) -> Result<Share, Errno> {
    if pid::counts().threads as u64 >= threads_max() {
        return Err(Errno::EAGAIN);
    }
    process_limit::count_birth(ctx)
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
