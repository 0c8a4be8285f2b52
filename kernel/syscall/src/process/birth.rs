//! clone(2), execve(2), exit(2), wait4(2).

use los_abi::errno::Errno;
use los_abi::fs::PATH_MAX;
use los_abi::isa::IsaAbi;
use los_abi::syscall::{UserCStr, UserPtr};
use los_abi::task::{CloneFlags, RLIMIT_STACK, Rusage, WaitFlags};
use sync::Result;
use task::Context;
use task::clone::CloneRequest;
use task::exec::{self, Budget, ExecRequest, StringList};
use task::wait::Which;
use vfs::At;

pub(crate) fn clone(
    ctx: &Context<'_>,
    flags: u64,
    stack: u64,
    parent_tid: u64,
    fourth: u64,
    fifth: u64,
) -> Result<usize> {
    // The last two change places between the machines.
    let swapped = task::Abi::CLONE_TLS_INDEX == 3;
    let (child_tid, tls) = if swapped { (fifth, fourth) } else { (fourth, fifth) };
    // clone(2) passes 32 bits of flags; the others belong to clone3(2).
    let flags = flags & u64::from(u32::MAX);
    let request = CloneRequest {
        flags: CloneFlags::from_bits_retain(flags & !CloneFlags::EXIT_SIGNAL_MASK),
        exit_signal: (flags & CloneFlags::EXIT_SIGNAL_MASK) as u32,
        stack,
        parent_tid: UserPtr::new(parent_tid),
        child_tid: UserPtr::new(child_tid),
        tls,
    };
    task::clone::clone(ctx, &request).map(|pid| pid as usize)
}

pub(crate) fn fork(ctx: &Context<'_>) -> Result<usize> {
    task::clone::clone(ctx, &CloneRequest::FORK).map(|pid| pid as usize)
}

pub(crate) fn vfork(ctx: &Context<'_>) -> Result<usize> {
    task::clone::clone(ctx, &CloneRequest::VFORK).map(|pid| pid as usize)
}

pub(crate) fn execve(
    ctx: &Context<'_>,
    path: UserCStr,
    argv: UserPtr<UserCStr>,
    envp: UserPtr<UserCStr>,
) -> Result<usize> {
    let path = ctx.memory().read_c_string(path, PATH_MAX)?;
    let mut budget = Budget::new(ctx.process.limits().soft(RLIMIT_STACK));
    let file = exec::open(&ctx.caller(), At::Cwd, &path)?;
    let request = ExecRequest {
        file,
        path,
        arguments: StringList::from_user(ctx.memory(), argv, &mut budget)?,
        environment: StringList::from_user(ctx.memory(), envp, &mut budget)?,
        budget,
    };
    exec::execve(ctx, request)
}

pub(crate) fn exit(ctx: &Context<'_>, status: i32) -> Result<usize> {
    task::exit::exit_thread(ctx, status);
    Ok(0)
}

pub(crate) fn exit_group(ctx: &Context<'_>, status: i32) -> Result<usize> {
    task::exit::exit_group(ctx, status);
    Ok(0)
}

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
    let Some(waited) = task::wait::wait(ctx, which, options | WaitFlags::EXITED)? else {
        return Ok(0);
    };
    if !usage.is_null() {
        ctx.memory().write(usage, &waited.usage.to_rusage())?;
    }
    if !status.is_null() {
        ctx.memory().write(status, &waited.status.encode())?;
    }
    Ok(waited.pid as usize)
}
