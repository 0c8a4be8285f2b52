//! clone(2) and its relatives, exit(2).

use hal::PAGE_SIZE;
use los_abi::errno::Errno;
use los_abi::isa::IsaAbi;
use los_abi::signal::SIGRTMAX;
use los_abi::syscall::UserPtr;
use los_abi::task::{CLONE_ARGS_SIZE_VER0, CloneArgs, CloneFlags};
use sync::Result;
use task::Context;
use task::clone::{CloneRequest, STACK_END_MAX};

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
        pidfd: UserPtr::new(parent_tid),
        wanted_tid: None,
        exit_signal: (flags & CloneFlags::EXIT_SIGNAL_MASK) as u32,
        stack,
        parent_tid: UserPtr::new(parent_tid),
        child_tid: UserPtr::new(child_tid),
        tls,
    };
    task::clone::clone(ctx, &request).map(|pid| pid as usize)
}

pub(crate) fn clone3(ctx: &Context<'_>, arguments: UserPtr<CloneArgs>, size: usize) -> Result<usize> {
    if size > PAGE_SIZE {
        return Err(Errno::E2BIG.into());
    }
    if size < CLONE_ARGS_SIZE_VER0 {
        return Err(Errno::EINVAL.into());
    }
    let arguments = ctx.memory().read_extensible(arguments, size)?;
    let request = clone3_request(ctx, &arguments, size)?;
    task::clone::clone(ctx, &request).map(|pid| pid as usize)
}

/// Checks the arguments of clone3(2) by themselves; what flags say together is common to all forms.
fn clone3_request(ctx: &Context<'_>, arguments: &CloneArgs, size: usize) -> Result<CloneRequest> {
    let flags = CloneFlags::from_bits_retain(arguments.flags);
    let wants_cgroup = flags.contains(CloneFlags::INTO_CGROUP);
    let counts_agree = (arguments.set_tid == 0) == (arguments.set_tid_size == 0);
    let is_bad = arguments.set_tid_size > PID_LEVELS_MAX
        || !counts_agree
        || arguments.exit_signal > u64::from(SIGRTMAX)
        || (wants_cgroup && (arguments.cgroup > i32::MAX as u64 || size < size_of::<CloneArgs>()));
    if is_bad {
        return Err(Errno::EINVAL.into());
    }
    let wanted_tid = match arguments.set_tid_size {
        0 => None,
        _ => Some(ctx.memory().read(UserPtr::new(arguments.set_tid))?),
    };
    let signal_bits = CloneFlags::from_bits_retain(CloneFlags::EXIT_SIGNAL_MASK) - CloneFlags::NEWTIME;
    let without_signal = CloneFlags::THREAD | CloneFlags::PARENT;
    let is_bad = flags.intersects(signal_bits | CloneFlags::DETACHED)
        || !CloneFlags::all().contains(flags)
        || flags.contains(CloneFlags::SIGHAND | CloneFlags::CLEAR_SIGHAND)
        || (flags.intersects(without_signal) && arguments.exit_signal != 0)
        || (arguments.stack == 0) != (arguments.stack_size == 0)
        || arguments.set_tid_size > 1;
    let stack = arguments.stack.checked_add(arguments.stack_size);
    let stack = stack.filter(|end| !is_bad && *end <= STACK_END_MAX);
    Ok(CloneRequest {
        flags,
        exit_signal: arguments.exit_signal as u32,
        stack: stack.ok_or(Errno::EINVAL)?,
        pidfd: UserPtr::new(arguments.pidfd),
        wanted_tid,
        parent_tid: UserPtr::new(arguments.parent_tid),
        child_tid: UserPtr::new(arguments.child_tid),
        tls: arguments.tls,
    })
}

/// Most numbers that a process may have, one in each of its namespaces (MAX_PID_NS_LEVEL).
const PID_LEVELS_MAX: u64 = 32;

pub(crate) fn unshare(ctx: &Context<'_>, flags: u64) -> Result<usize> {
    task::clone::unshare(ctx, CloneFlags::from_bits_retain(flags))?;
    Ok(0)
}

pub(crate) fn fork(ctx: &Context<'_>) -> Result<usize> {
    task::clone::clone(ctx, &CloneRequest::FORK).map(|pid| pid as usize)
}

pub(crate) fn vfork(ctx: &Context<'_>) -> Result<usize> {
    task::clone::clone(ctx, &CloneRequest::VFORK).map(|pid| pid as usize)
}

pub(crate) fn exit(ctx: &Context<'_>, status: i32) -> Result<usize> {
    task::exit::exit_thread(ctx, status);
    Ok(0)
}

pub(crate) fn exit_group(ctx: &Context<'_>, status: i32) -> Result<usize> {
    task::exit::exit_group(ctx, status);
    Ok(0)
}
