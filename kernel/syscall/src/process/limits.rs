//! Resource limits and usage.

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::resource::{RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD, Rlimit64, Rusage, Tms};
use los_abi::syscall::UserPtr;
use sync::{Result, now_ns};
use task::accounting::{Usage, ticks};
use task::rlimit::RaiseHard;
use task::{Context, Process, pid};
use vfs::Capability;

pub(crate) fn getrlimit(ctx: &Context<'_>, resource: u32, limit: UserPtr<Rlimit64>) -> Result<usize> {
    let current = ctx.process.limits().get(resource)?;
    ctx.memory().write(limit, &current)?;
    Ok(0)
}

pub(crate) fn setrlimit(ctx: &Context<'_>, resource: u32, limit: UserPtr<Rlimit64>) -> Result<usize> {
    let new = ctx.memory().read(limit)?;
    ctx.process.set_limit(resource, new, may_raise(ctx))?;
    Ok(0)
}

pub(crate) fn prlimit64(
    ctx: &Context<'_>,
    pid: i32,
    resource: u32,
    new: UserPtr<Rlimit64>,
    old: UserPtr<Rlimit64>,
) -> Result<usize> {
    let new = if new.is_null() {
        None
    } else {
        Some(ctx.memory().read(new)?)
    };
    let process = limited_process(ctx, pid)?;
    let previous = match new {
        Some(new) => process.set_limit(resource, new, may_raise(ctx))?,
        None => process.limits().get(resource)?,
    };
    if !old.is_null() {
        ctx.memory().write(old, &previous)?;
    }
    Ok(0)
}

fn may_raise(ctx: &Context<'_>) -> RaiseHard {
    if ctx.credentials().capable(Capability::SysResource) {
        RaiseHard::Allowed
    } else {
        RaiseHard::Refused
    }
}

/// Finds the process that prlimit64(2) is about: another one only of the same user, or with privilege.
fn limited_process(ctx: &Context<'_>, number: i32) -> Result<Arc<Process>> {
    if number == 0 {
        return Ok(ctx.process.clone());
    }
    let number = u32::try_from(number).map_err(|_| Errno::ESRCH)?;
    let thread = pid::task(number).ok_or(Errno::ESRCH)?;
    let process = thread.process();
    let (own, other) = (ctx.credentials(), thread.credentials());
    let same_user = [other.uid, other.euid, other.suid]
        .iter()
        .all(|&uid| uid == own.uid);
    let same_group = [other.gid, other.egid, other.sgid]
        .iter()
        .all(|&gid| gid == own.gid);
    if Arc::ptr_eq(process, ctx.process) || same_user && same_group || own.capable(Capability::SysResource) {
        return Ok(process.clone());
    }
    Err(Errno::EPERM.into())
}

pub(crate) fn getrusage(ctx: &Context<'_>, who: i32, usage: UserPtr<Rusage>) -> Result<usize> {
    let used = match who {
        RUSAGE_SELF => ctx.process.usage(),
        RUSAGE_CHILDREN => ctx.process.children_usage(),
        // Memory is the process's.
        RUSAGE_THREAD => Usage {
            peak_pages: ctx.process.usage().peak_pages,
            ..ctx.thread.counters()
        },
        _ => return Err(Errno::EINVAL.into()),
    };
    ctx.memory().write(usage, &used.to_rusage())?;
    Ok(0)
}

pub(crate) fn times(ctx: &Context<'_>, buffer: UserPtr<Tms>) -> Result<usize> {
    if !buffer.is_null() {
        let (own, children) = (ctx.process.cpu_times(), ctx.process.children_usage().times());
        let times = Tms {
            tms_utime: ticks(own.user_ns) as i64,
            tms_stime: ticks(own.system_ns) as i64,
            tms_cutime: ticks(children.user_ns) as i64,
            tms_cstime: ticks(children.system_ns) as i64,
        };
        ctx.memory().write(buffer, &times)?;
    }
    Ok(ticks(now_ns()) as usize)
}
