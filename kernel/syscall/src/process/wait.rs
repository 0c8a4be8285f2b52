//! wait4(2) and waitid(2).

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::resource::Rusage;
use los_abi::signal::{SIGCHLD, SigInfo};
use los_abi::syscall::{Fd, UserPtr};
use los_abi::task::{P_ALL, P_PGID, P_PID, P_PIDFD, WaitFlags};
use sync::Result;
use task::Context;
use task::pidfd::PidFd;
use task::wait::{Waited, Which};

/// Offset of `si_pid` in [`SigInfo`].
const CHILD_FIELDS_OFFSET: usize = 16;

pub(crate) fn wait4(
    ctx: &Context<'_>,
    pid: i32,
    status: UserPtr<i32>,
    options: WaitFlags,
    usage: UserPtr<Rusage>,
) -> Result<usize> {
    let known = WaitFlags::NOHANG
        | WaitFlags::UNTRACED
        | WaitFlags::CONTINUED
        | WaitFlags::NOTHREAD
        | WaitFlags::CLONE
        | WaitFlags::ALL;
    if !known.contains(options) {
        return Err(Errno::EINVAL.into());
    }
    let which = Which::from_wait4(ctx, pid)?;
    let Some(waited) = task::wait::wait(ctx, &which, options | WaitFlags::EXITED)? else {
        return Ok(0);
    };
    if !status.is_null() {
        ctx.memory().write(status, &waited.status.encode())?;
    }
    if !usage.is_null() {
        ctx.memory().write(usage, &waited.usage.to_rusage())?;
    }
    Ok(waited.pid as usize)
}

pub(crate) fn waitid(
    ctx: &Context<'_>,
    id_type: u32,
    id: i32,
    info: UserPtr<SigInfo>,
    options: WaitFlags,
    usage: UserPtr<Rusage>,
) -> Result<usize> {
    let outcome = wait_for_id(ctx, id_type, id, options);
    let waited = match &outcome {
        Ok(waited) => *waited,
        Err(_) => None,
    };
    if let Some(waited) = waited
        && !usage.is_null()
    {
        ctx.memory().write(usage, &waited.usage.to_rusage())?;
    }
    if !info.is_null() {
        // As on Linux: also after an error, and only these fields.
        let (head, child) = match waited {
            Some(waited) => {
                let (code, status) = waited.code();
                let child = [waited.pid.cast_signed(), waited.uid.cast_signed(), status];
                ([SIGCHLD as i32, 0, code], child)
            }
            None => ([0; 3], [0; 3]),
        };
        let place = info.offset_bytes(CHILD_FIELDS_OFFSET).ok_or(Errno::EFAULT)?;
        ctx.memory().write(info.cast(), &head)?;
        ctx.memory().write(place.cast(), &child)?;
    }
    outcome.map(|_| 0)
}

fn wait_for_id(ctx: &Context<'_>, id_type: u32, id: i32, options: WaitFlags) -> Result<Option<Waited>> {
    let events = WaitFlags::EXITED | WaitFlags::UNTRACED | WaitFlags::CONTINUED;
    let known = events
        | WaitFlags::NOHANG
        | WaitFlags::NOWAIT
        | WaitFlags::NOTHREAD
        | WaitFlags::CLONE
        | WaitFlags::ALL;
    if !known.contains(options) || !options.intersects(events) {
        return Err(Errno::EINVAL.into());
    }
    let number = u32::try_from(id).map_err(|_| Errno::EINVAL);
    let which = match id_type {
        P_ALL => Which::Any,
        P_PID if id > 0 => Which::Process(number?),
        P_PGID if id == 0 => Which::Group(ctx.process.group()),
        P_PGID => Which::Group(number?),
        P_PIDFD => return wait_for_pidfd(ctx, Fd(number?.cast_signed()), options),
        _ => return Err(Errno::EINVAL.into()),
    };
    task::wait::wait(ctx, &which, options)
}

/// Waits for the child of a descriptor; one that does not block is EAGAIN while the child lives.
fn wait_for_pidfd(ctx: &Context<'_>, fd: Fd, options: WaitFlags) -> Result<Option<Waited>> {
    let file = ctx.files().get(fd)?;
    let child = PidFd::of(&file)?.awaited().ok_or(Errno::ECHILD)?;
    let which = Which::Child(child.clone());
    let looks_only = file.flags().contains(OpenFlags::NONBLOCK);
    let waits = !options.contains(WaitFlags::NOHANG);
    let options = if looks_only {
        options | WaitFlags::NOHANG
    } else {
        options
    };
    let waited = task::wait::wait(ctx, &which, options)?;
    if looks_only && waits && waited.is_none() {
        return Err(Errno::EAGAIN.into());
    }
    Ok(waited)
}
