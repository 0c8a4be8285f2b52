//! Process groups and sessions.

use los_abi::errno::Errno;
use sync::Result;
use task::{Context, job_control};

pub(crate) fn getpgid(ctx: &Context<'_>, pid: i32) -> Result<usize> {
    let pid = u32::try_from(pid).map_err(|_| Errno::ESRCH)?;
    Ok(job_control::get_group(ctx, pid)? as usize)
}

pub(crate) fn getpgrp(ctx: &Context<'_>) -> Result<usize> {
    Ok(ctx.process.group() as usize)
}

pub(crate) fn setpgid(ctx: &Context<'_>, pid: i32, pgid: i32) -> Result<usize> {
    job_control::set_group(ctx, pid, pgid)?;
    Ok(0)
}

pub(crate) fn getsid(ctx: &Context<'_>, pid: i32) -> Result<usize> {
    let pid = u32::try_from(pid).map_err(|_| Errno::ESRCH)?;
    Ok(job_control::get_session(ctx, pid)? as usize)
}

pub(crate) fn setsid(ctx: &Context<'_>) -> Result<usize> {
    Ok(job_control::set_session(ctx)? as usize)
}
