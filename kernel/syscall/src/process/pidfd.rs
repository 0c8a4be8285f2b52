//! pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).

use los_abi::signal::SigInfo;
use los_abi::syscall::{Fd, UserPtr};
use los_abi::task::{PidfdFlags, PidfdSignalFlags};
use sync::Result;
use task::{Context, pidfd};

pub(crate) fn pidfd_open(ctx: &Context<'_>, pid: i32, flags: PidfdFlags) -> Result<usize> {
    Ok(pidfd::open(ctx, pid, flags)?.0 as usize)
}

pub(crate) fn pidfd_send_signal(
    ctx: &Context<'_>,
    fd: Fd,
    signal: i32,
    info: UserPtr<SigInfo>,
    flags: PidfdSignalFlags,
) -> Result<usize> {
    let read_info = || match info.is_null() {
        true => Ok(None),
        false => ctx.memory().read(info).map(Some),
    };
    pidfd::send_signal(ctx, fd, signal, read_info, flags)?;
    Ok(0)
}

pub(crate) fn pidfd_getfd(ctx: &Context<'_>, pidfd: Fd, fd: Fd, flags: u32) -> Result<usize> {
    Ok(pidfd::get_file(ctx, pidfd, fd, flags)?.0 as usize)
}
