//! prctl(2), arch_prctl(2), futex(2) and the addresses that a thread registers.

use alloc::boxed::Box;
use core::sync::atomic::Ordering;

use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::signal::SIGRTMAX;
use los_abi::syscall::UserPtr;
use los_abi::task::{
    self as abi, FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET, RobustListHead,
};
use los_abi::time::Timespec;
use sync::{Error, Restart, Result, WaitError, now_ns};
use task::futex::{Scope, WaitFailure};
use task::thread::ThreadPointer;
use task::{Context, futex as subsystem};

pub(crate) fn set_tid_address(ctx: &Context<'_>, address: UserPtr<i32>) -> Result<usize> {
    ctx.thread
        .clear_child_tid
        .store(address.addr(), Ordering::Relaxed);
    Ok(ctx.thread.tid() as usize)
}

pub(crate) fn set_robust_list(
    ctx: &Context<'_>,
    head: UserPtr<RobustListHead>,
    size: usize,
) -> Result<usize> {
    if size != size_of::<RobustListHead>() {
        return Err(Errno::EINVAL.into());
    }
    ctx.thread.robust_list.store(head.addr(), Ordering::Relaxed);
    Ok(0)
}

pub(crate) fn prctl(
    ctx: &Context<'_>,
    option: i32,
    arg2: u64,
    arg3: u64,
    arg4: u64,
    arg5: u64,
) -> Result<usize> {
    match option {
        abi::PR_SET_NAME => {
            let mut name = [0; abi::TASK_COMM_LEN];
            for (index, byte) in name.iter_mut().enumerate().take(abi::TASK_COMM_LEN - 1) {
                *byte = ctx.memory().read(UserPtr::new(arg2.wrapping_add(index as u64)))?;
                if *byte == 0 {
                    break;
                }
            }
            let length = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
            ctx.thread.set_name(&name[..length]);
        }
        abi::PR_GET_NAME => {
            ctx.memory()
                .write(UserPtr::new(arg2), ctx.thread.name().padded())?;
        }
        abi::PR_SET_PDEATHSIG => {
            let signal = u32::try_from(arg2).ok();
            let signal = signal.filter(|number| *number <= SIGRTMAX).ok_or(Errno::EINVAL)?;
            ctx.thread.parent_death_signal.store(signal, Ordering::Relaxed);
        }
        abi::PR_GET_PDEATHSIG => {
            let signal = ctx.thread.parent_death_signal.load(Ordering::Relaxed);
            ctx.memory().write(UserPtr::new(arg2), &signal)?;
        }
        abi::PR_SET_CHILD_SUBREAPER => ctx.process.is_subreaper.store(arg2 != 0, Ordering::Relaxed),
        abi::PR_GET_CHILD_SUBREAPER => {
            let set = i32::from(ctx.process.is_subreaper.load(Ordering::Relaxed));
            ctx.memory().write(UserPtr::new(arg2), &set)?;
        }
        abi::PR_SET_NO_NEW_PRIVS => {
            if arg2 != 1 || arg3 != 0 || arg4 != 0 || arg5 != 0 {
                return Err(Errno::EINVAL.into());
            }
            task::cred::change(ctx, |credentials| {
                credentials.no_new_privs = true;
                Ok(())
            })?;
        }
        abi::PR_GET_NO_NEW_PRIVS => {
            if arg2 != 0 || arg3 != 0 || arg4 != 0 || arg5 != 0 {
                return Err(Errno::EINVAL.into());
            }
            return Ok(usize::from(ctx.credentials().no_new_privs));
        }
        abi::PR_GET_DUMPABLE => return Ok(usize::from(ctx.process.is_dumpable())),
        abi::PR_SET_DUMPABLE if arg2 <= 1 => ctx.process.set_dumpable(arg2 == 1),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

pub(crate) fn personality(ctx: &Context<'_>, persona: u32) -> Result<usize> {
    let attributes = &ctx.thread.attributes;
    let old = if persona == Personality::QUERY {
        attributes.personality()
    } else {
        attributes.set_personality(Personality::from_bits_retain(persona))?
    };
    Ok(old.bits() as usize)
}

const ARCH_SET_GS: i32 = 0x1001;
const ARCH_SET_FS: i32 = 0x1002;
const ARCH_GET_FS: i32 = 0x1003;
const ARCH_GET_GS: i32 = 0x1004;

pub(crate) fn arch_prctl(ctx: &Context<'_>, code: i32, address: u64) -> Result<usize> {
    let accepted = match code {
        ARCH_SET_FS => ctx.thread.set_pointer(ThreadPointer::First, address),
        ARCH_SET_GS => ctx.thread.set_pointer(ThreadPointer::Second, address),
        ARCH_GET_FS => {
            ctx.memory()
                .write(UserPtr::new(address), &ctx.thread.pointer(ThreadPointer::First))?;
            true
        }
        ARCH_GET_GS => {
            ctx.memory()
                .write(UserPtr::new(address), &ctx.thread.pointer(ThreadPointer::Second))?;
            true
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    if accepted { Ok(0) } else { Err(Errno::EPERM.into()) }
}

pub(crate) fn futex(
    ctx: &Context<'_>,
    word: UserPtr<u32>,
    operation: u32,
    value: u32,
    timeout: u64,
    word2: UserPtr<u32>,
    value3: u32,
) -> Result<usize> {
    let realtime = operation & FUTEX_CLOCK_REALTIME != 0;
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    if realtime && command != FUTEX_WAIT_BITSET {
        return Err(Errno::ENOSYS.into());
    }
    let scope = if operation & FUTEX_PRIVATE_FLAG != 0 {
        Scope::Private
    } else {
        Scope::Shared
    };
    let count = value as usize;
    match command {
        FUTEX_WAIT => {
            let deadline_ns = duration(ctx, timeout)?.map(|ns| now_ns().saturating_add(ns));
            wait(ctx, word, scope, value, FUTEX_BITSET_MATCH_ANY, deadline_ns)
        }
        FUTEX_WAIT_BITSET => {
            let deadline_ns = duration(ctx, timeout)?.map(|ns| {
                if realtime {
                    ns.saturating_sub(vfs::clock::realtime_offset_ns())
                } else {
                    ns
                }
            });
            wait(ctx, word, scope, value, value3, deadline_ns)
        }
        FUTEX_WAKE => Ok(subsystem::wake(
            ctx.memory(),
            word,
            scope,
            count,
            FUTEX_BITSET_MATCH_ANY,
        )?),
        FUTEX_WAKE_BITSET => Ok(subsystem::wake(ctx.memory(), word, scope, count, value3)?),
        FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
            let compare = command == FUTEX_CMP_REQUEUE;
            let limit = timeout as u32;
            if i32::try_from(value).is_err() || i32::try_from(limit).is_err() {
                return Err(Errno::EINVAL.into());
            }
            let expected = compare.then_some(value3);
            let (woken, moved) =
                subsystem::requeue(ctx, word, word2, scope, count, limit as usize, expected)?;
            Ok(if compare { woken + moved } else { woken })
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn duration(ctx: &Context<'_>, timeout: u64) -> Result<Option<u64>> {
    if timeout == 0 {
        return Ok(None);
    }
    let time: Timespec = ctx.memory().read(UserPtr::new(timeout))?;
    Ok(Some(time.to_ns().ok_or(Errno::EINVAL)?))
}

fn wait(
    ctx: &Context<'_>,
    word: UserPtr<u32>,
    scope: Scope,
    value: u32,
    bits: u32,
    deadline_ns: Option<u64>,
) -> Result<usize> {
    match subsystem::wait(ctx, word, scope, value, bits, deadline_ns) {
        Ok(()) => Ok(0),
        Err(WaitFailure::Errno(errno)) => Err(errno.into()),
        Err(WaitFailure::Wait(WaitError::TimedOut)) => Err(Errno::ETIMEDOUT.into()),
        Err(WaitFailure::Wait(WaitError::Interrupted)) => {
            if deadline_ns.is_none() {
                return Err(Error::Restart(Restart::Sys));
            }
            // The time that is left must not start anew.
            ctx.thread.set_restart(Box::new(move |ctx| {
                wait(ctx, word, scope, value, bits, deadline_ns)
            }));
            Err(Error::Restart(Restart::Block))
        }
    }
}
