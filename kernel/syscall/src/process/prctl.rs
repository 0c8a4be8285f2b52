//! prctl(2), arch_prctl(2) and personality(2): what a thread sets for itself.

use core::sync::atomic::Ordering;

use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::isa::x86_64::{
    ARCH_GET_CPUID, ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_CPUID, ARCH_SET_FS, ARCH_SET_GS,
};
use los_abi::prctl as abi;
use los_abi::signal::Signal;
use los_abi::syscall::UserPtr;
use los_abi::task::TASK_COMM_LEN;
use sync::Result;
use task::Context;
use task::core_dump::Dumpable;
use task::cred::{self, SecureBits, capabilities};
use task::thread::ThreadPointer;
use vfs::{Capability, Credentials};

use super::{description, memory_options};

pub(crate) fn prctl(
    ctx: &Context<'_>,
    option: i32,
    arg2: u64,
    arg3: u64,
    arg4: u64,
    arg5: u64,
) -> Result<usize> {
    let rest = [arg3, arg4, arg5];
    match option {
        abi::PR_SET_NAME => set_name(ctx, arg2),
        abi::PR_GET_NAME => write(ctx, arg2, ctx.thread.name().padded()),
        abi::PR_SET_PDEATHSIG => set_parent_death_signal(ctx, arg2),
        abi::PR_GET_PDEATHSIG => {
            let signal = ctx.thread.parent_death_signal.load(Ordering::Relaxed);
            write(ctx, arg2, &signal.cast_signed())
        }
        abi::PR_GET_TID_ADDRESS => {
            let address = ctx.thread.clear_child_tid.load(Ordering::Relaxed);
            write(ctx, arg2, &address)
        }
        abi::PR_SET_CHILD_SUBREAPER => {
            ctx.process.set_subreaper(arg2 != 0);
            Ok(0)
        }
        abi::PR_GET_CHILD_SUBREAPER => {
            let set = i32::from(ctx.process.is_subreaper());
            write(ctx, arg2, &set)
        }
        abi::PR_GET_DUMPABLE => Ok(ctx.process.dumpable().number() as usize),
        abi::PR_SET_DUMPABLE => {
            ctx.process
                .set_dumpable(if flag(arg2)? { Dumpable::User } else { Dumpable::No });
            Ok(0)
        }
        // No huge pages are given unasked, so there is nothing to disable.
        abi::PR_SET_THP_DISABLE => {
            none(&rest)?;
            ctx.process
                .has_huge_pages_disabled
                .store(arg2 != 0, Ordering::Relaxed);
            Ok(0)
        }
        abi::PR_GET_THP_DISABLE => {
            none(&[arg2, arg3, arg4, arg5])?;
            let is_disabled = ctx.process.has_huge_pages_disabled.load(Ordering::Relaxed);
            Ok(usize::from(is_disabled))
        }
        // Processor time is measured as it is by default (PR_TIMING_STATISTICAL), and in no other way.
        abi::PR_GET_TIMING => Ok(0),
        abi::PR_SET_TIMING => none(&[arg2]),
        abi::PR_SET_TIMERSLACK => set_timer_slack(ctx, arg2),
        abi::PR_GET_TIMERSLACK => Ok(timer_slack(ctx) as usize),
        abi::PR_SET_MM => description::set(ctx, arg2, rest),
        abi::PR_GET_TSC => write(ctx, arg2, &counter_access(ctx)),
        abi::PR_SET_TSC => set_counter_access(ctx, arg2),
        // There is no other mode than that without a filter.
        abi::PR_GET_SECCOMP => Ok(0),
        abi::PR_SET_IO_FLUSHER => {
            check_storage_server(ctx)?;
            none(&rest)?;
            ctx.thread.attributes.set_io_flusher(flag(arg2)?);
            Ok(0)
        }
        abi::PR_GET_IO_FLUSHER => {
            check_storage_server(ctx)?;
            none(&[arg2, arg3, arg4, arg5])?;
            Ok(usize::from(ctx.thread.attributes.is_io_flusher()))
        }
        _ => credentials(ctx, option, arg2, rest),
    }
}

/// The options that are about rights.
fn credentials(ctx: &Context<'_>, option: i32, arg2: u64, rest: [u64; 3]) -> Result<usize> {
    let own = ctx.credentials();
    let change = |change: &dyn Fn(&mut Credentials) -> core::result::Result<(), Errno>| {
        cred::change(ctx, change)?;
        Ok(0)
    };
    match option {
        abi::PR_SET_NO_NEW_PRIVS => {
            if arg2 != 1 {
                return Err(Errno::EINVAL.into());
            }
            none(&rest)?;
            change(&|credentials| {
                credentials.no_new_privs = true;
                Ok(())
            })
        }
        abi::PR_GET_NO_NEW_PRIVS => {
            none(&[arg2])?;
            none(&rest)?;
            Ok(usize::from(own.no_new_privs))
        }
        abi::PR_GET_KEEPCAPS => Ok(usize::from(SecureBits::of(own).contains(SecureBits::KEEP_CAPS))),
        abi::PR_SET_KEEPCAPS => {
            let keep = flag(arg2)?;
            change(&|credentials| capabilities::set_keep_capabilities(credentials, keep))
        }
        abi::PR_GET_SECUREBITS => Ok(own.securebits as usize),
        abi::PR_SET_SECUREBITS => change(&|credentials| capabilities::set_secure_bits(credentials, arg2)),
        abi::PR_CAPBSET_READ => Ok(usize::from(capabilities::is_bounding(own, arg2)?)),
        abi::PR_CAPBSET_DROP => change(&|credentials| capabilities::drop_bounding(credentials, arg2)),
        abi::PR_CAP_AMBIENT => ambient(ctx, arg2, rest),
        _ => memory_options::control(ctx, option, arg2, rest),
    }
}

fn ambient(ctx: &Context<'_>, operation: u64, [capability, arg4, arg5]: [u64; 3]) -> Result<usize> {
    none(&[arg4, arg5])?;
    match operation {
        abi::PR_CAP_AMBIENT_CLEAR_ALL => {
            none(&[capability])?;
            cred::change(ctx, |credentials| {
                credentials.ambient = 0;
                Ok(())
            })?;
        }
        abi::PR_CAP_AMBIENT_IS_SET => {
            let is_set = capabilities::is_ambient(ctx.credentials(), capability)?;
            return Ok(usize::from(is_set));
        }
        abi::PR_CAP_AMBIENT_RAISE => cred::change(ctx, |credentials| {
            capabilities::raise_ambient(credentials, capability)
        })?,
        abi::PR_CAP_AMBIENT_LOWER => cred::change(ctx, |credentials| {
            capabilities::lower_ambient(credentials, capability)
        })?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// Refuses arguments that must be 0.
pub(super) fn none(arguments: &[u64]) -> Result<usize> {
    if arguments.iter().any(|argument| *argument != 0) {
        return Err(Errno::EINVAL.into());
    }
    Ok(0)
}

/// Reads an argument that is 0 or 1.
fn flag(argument: u64) -> Result<bool> {
    match argument {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::EINVAL.into()),
    }
}

fn write<T: zerocopy::IntoBytes + zerocopy::Immutable>(
    ctx: &Context<'_>,
    address: u64,
    value: &T,
) -> Result<usize> {
    ctx.memory().write(UserPtr::new(address), value)?;
    Ok(0)
}

fn set_name(ctx: &Context<'_>, address: u64) -> Result<usize> {
    let mut name = [0; TASK_COMM_LEN];
    for (index, byte) in name.iter_mut().enumerate().take(TASK_COMM_LEN - 1) {
        let place = UserPtr::new(address.wrapping_add(index as u64));
        *byte = ctx.memory().read(place)?;
        if *byte == 0 {
            break;
        }
    }
    let length = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    ctx.thread.set_name(&name[..length]);
    Ok(0)
}

fn counter_access(ctx: &Context<'_>) -> u32 {
    if ctx.thread.reads_counter() {
        abi::PR_TSC_ENABLE
    } else {
        abi::PR_TSC_SIGSEGV
    }
}

fn set_counter_access(ctx: &Context<'_>, access: u64) -> Result<usize> {
    // As Linux, which looks at half of the argument.
    match access as u32 {
        abi::PR_TSC_ENABLE => ctx.thread.set_reads_counter(true),
        abi::PR_TSC_SIGSEGV => ctx.thread.set_reads_counter(false),
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

fn check_storage_server(ctx: &Context<'_>) -> Result<()> {
    if ctx.credentials().capable(Capability::SysResource) {
        Ok(())
    } else {
        Err(Errno::EPERM.into())
    }
}

fn set_parent_death_signal(ctx: &Context<'_>, number: u64) -> Result<usize> {
    let number = u32::try_from(number).map_err(|_| Errno::EINVAL)?;
    if number != 0 && Signal::new(number).is_none() {
        return Err(Errno::EINVAL.into());
    }
    ctx.thread.parent_death_signal.store(number, Ordering::Relaxed);
    Ok(0)
}

/// Real-time threads, and those with deadlines, have no slack, and keep what they had for later.
fn set_timer_slack(ctx: &Context<'_>, slack_ns: u64) -> Result<usize> {
    if !ctx.thread.schedule().policy.is_urgent() {
        let slack_ns = (slack_ns.cast_signed() > 0).then_some(slack_ns);
        ctx.thread.attributes.set_timer_slack_ns(slack_ns);
    }
    Ok(0)
}

fn timer_slack(ctx: &Context<'_>) -> u64 {
    if ctx.thread.schedule().policy.is_urgent() {
        0
    } else {
        ctx.thread.attributes.timer_slack_ns()
    }
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

pub(crate) fn arch_prctl(ctx: &Context<'_>, code: i32, address: u64) -> Result<usize> {
    let accepted = match code {
        ARCH_SET_FS => ctx.thread.set_pointer(ThreadPointer::First, address),
        ARCH_SET_GS => ctx.thread.set_pointer(ThreadPointer::Second, address),
        ARCH_GET_FS => return write(ctx, address, &ctx.thread.pointer(ThreadPointer::First)),
        ARCH_GET_GS => return write(ctx, address, &ctx.thread.pointer(ThreadPointer::Second)),
        // cpuid works for everybody, and cannot be made to fault.
        ARCH_GET_CPUID => return Ok(1),
        ARCH_SET_CPUID => return Err(Errno::ENODEV.into()),
        _ => return Err(Errno::EINVAL.into()),
    };
    if accepted { Ok(0) } else { Err(Errno::EPERM.into()) }
}
