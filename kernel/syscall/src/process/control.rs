//! prctl(2) and arch_prctl(2).

use core::sync::atomic::Ordering;

use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::signal::SIGRTMAX;
use los_abi::syscall::UserPtr;
use los_abi::task as abi;
use sync::Result;
use task::Context;
use task::thread::ThreadPointer;

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
