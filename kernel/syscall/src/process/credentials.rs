//! Who the caller is: numbers of processes, users and groups.

use alloc::vec::Vec;

use los_abi::credentials::NGROUPS_MAX;
use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use sync::Result;
use task::{Context, cred};
use vfs::Capability;

pub(crate) fn getpid(ctx: &Context<'_>) -> Result<usize> {
    Ok(ctx.process.pid() as usize)
}

pub(crate) fn getppid(ctx: &Context<'_>) -> Result<usize> {
    Ok(ctx.process.parent_pid() as usize)
}

pub(crate) fn gettid(ctx: &Context<'_>) -> Result<usize> {
    Ok(ctx.thread.tid() as usize)
}

pub(crate) fn getuid(ctx: &Context<'_>) -> Result<usize> {
    Ok(ctx.credentials().uid as usize)
}

pub(crate) fn geteuid(ctx: &Context<'_>) -> Result<usize> {
    Ok(ctx.credentials().euid as usize)
}

pub(crate) fn getgid(ctx: &Context<'_>) -> Result<usize> {
    Ok(ctx.credentials().gid as usize)
}

pub(crate) fn getegid(ctx: &Context<'_>) -> Result<usize> {
    Ok(ctx.credentials().egid as usize)
}

pub(crate) fn setuid(ctx: &Context<'_>, uid: u32) -> Result<usize> {
    cred::change(ctx, |credentials| cred::set_uid(credentials, uid))?;
    Ok(0)
}

pub(crate) fn setgid(ctx: &Context<'_>, gid: u32) -> Result<usize> {
    cred::change(ctx, |credentials| cred::set_gid(credentials, gid))?;
    Ok(0)
}

pub(crate) fn getresuid(
    ctx: &Context<'_>,
    real: UserPtr<u32>,
    effective: UserPtr<u32>,
    saved: UserPtr<u32>,
) -> Result<usize> {
    let who = ctx.credentials();
    write_all(ctx, [(real, who.uid), (effective, who.euid), (saved, who.suid)])
}

pub(crate) fn getresgid(
    ctx: &Context<'_>,
    real: UserPtr<u32>,
    effective: UserPtr<u32>,
    saved: UserPtr<u32>,
) -> Result<usize> {
    let who = ctx.credentials();
    write_all(ctx, [(real, who.gid), (effective, who.egid), (saved, who.sgid)])
}

fn write_all(ctx: &Context<'_>, values: [(UserPtr<u32>, u32); 3]) -> Result<usize> {
    for (place, value) in values {
        ctx.memory().write(place, &value)?;
    }
    Ok(0)
}

pub(crate) fn setresuid(ctx: &Context<'_>, real: u32, effective: u32, saved: u32) -> Result<usize> {
    cred::change(ctx, |credentials| {
        cred::set_resuid(credentials, [real, effective, saved])
    })?;
    Ok(0)
}

pub(crate) fn setresgid(ctx: &Context<'_>, real: u32, effective: u32, saved: u32) -> Result<usize> {
    cred::change(ctx, |credentials| {
        cred::set_resgid(credentials, [real, effective, saved])
    })?;
    Ok(0)
}

pub(crate) fn setreuid(ctx: &Context<'_>, real: u32, effective: u32) -> Result<usize> {
    cred::change(ctx, |credentials| cred::set_reuid(credentials, real, effective))?;
    Ok(0)
}

pub(crate) fn setregid(ctx: &Context<'_>, real: u32, effective: u32) -> Result<usize> {
    cred::change(ctx, |credentials| cred::set_regid(credentials, real, effective))?;
    Ok(0)
}

pub(crate) fn setfsuid(ctx: &Context<'_>, uid: u32) -> Result<usize> {
    let old = ctx.credentials().fsuid;
    // It tells of no error: the caller sees it from the next answer.
    let _refused = cred::change(ctx, |credentials| cred::set_fsuid(credentials, uid));
    Ok(old as usize)
}

pub(crate) fn setfsgid(ctx: &Context<'_>, gid: u32) -> Result<usize> {
    let old = ctx.credentials().fsgid;
    let _refused = cred::change(ctx, |credentials| cred::set_fsgid(credentials, gid));
    Ok(old as usize)
}

pub(crate) fn getgroups(ctx: &Context<'_>, size: i32, groups: UserPtr<u32>) -> Result<usize> {
    let size = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
    let own = &ctx.credentials().groups;
    if size == 0 {
        return Ok(own.len());
    }
    if own.len() > size {
        return Err(Errno::EINVAL.into());
    }
    for (index, group) in own.iter().enumerate() {
        let place = groups.offset_elements(index).ok_or(Errno::EFAULT)?;
        ctx.memory().write(place, group)?;
    }
    Ok(own.len())
}

pub(crate) fn setgroups(ctx: &Context<'_>, size: i32, groups: UserPtr<u32>) -> Result<usize> {
    // Linux asks for permission before it looks at the arguments.
    if !ctx.credentials().capable(Capability::Setgid) {
        return Err(Errno::EPERM.into());
    }
    let size = usize::try_from(size)
        .ok()
        .filter(|&size| size <= NGROUPS_MAX)
        .ok_or(Errno::EINVAL)?;
    let mut new = Vec::new();
    new.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
    for index in 0..size {
        new.push(
            ctx.memory()
                .read(groups.offset_elements(index).ok_or(Errno::EFAULT)?)?,
        );
    }
    cred::change(ctx, |credentials| cred::set_groups(credentials, new))?;
    Ok(0)
}
