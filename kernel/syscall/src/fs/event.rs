//! Files that are counters: eventfd(2).

use los_abi::errno::Errno;
use los_abi::fs::{EFD_SEMAPHORE, OpenFlags};
use los_abi::isa::IsaAbi;
use sync::Result;
use task::Context;
use task::fd_table::OnExec;
use vfs::event::{self, Counting};

pub(crate) fn eventfd(ctx: &Context<'_>, initial: u32) -> Result<usize> {
    eventfd2(ctx, initial, 0)
}

pub(crate) fn eventfd2(ctx: &Context<'_>, initial: u32, flags: u32) -> Result<usize> {
    let counting = if flags & EFD_SEMAPHORE != 0 {
        Counting::Single
    } else {
        Counting::Whole
    };
    let flags = OpenFlags::from_raw(task::Abi::ISA, flags & !EFD_SEMAPHORE);
    if !(OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).contains(flags) {
        return Err(Errno::EINVAL.into());
    }
    let file = event::create(initial, counting, flags & OpenFlags::NONBLOCK, ctx.credentials())?;
    let on_exec = OnExec::from_cloexec(flags.contains(OpenFlags::CLOEXEC));
    Ok(ctx.install(file, on_exec)?.0 as usize)
}
