//! Scheduling as programs see it: policies, priorities and CPUs.

use alloc::sync::Arc;

use hal::PAGE_SIZE;
use los_abi::errno::Errno;
use los_abi::schedule::{
    IOPRIO_WHO_PGRP, IOPRIO_WHO_PROCESS, IOPRIO_WHO_USER, PRIO_PGRP, PRIO_PROCESS, PRIO_USER,
    SCHED_ATTR_SIZE_VER0, SCHED_BATCH, SCHED_DEADLINE, SCHED_EXT, SCHED_FIFO, SCHED_FLAG_ALL,
    SCHED_FLAG_DL_OVERRUN, SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_RECLAIM,
    SCHED_FLAG_RESET_ON_FORK, SCHED_FLAG_UTIL_CLAMP_MAX, SCHED_FLAG_UTIL_CLAMP_MIN, SCHED_IDLE, SCHED_NORMAL,
    SCHED_RESET_ON_FORK, SCHED_RR, SchedAttr, SchedParam,
};
use los_abi::syscall::{UserPtr, UserSlice};
use los_abi::time::Timespec;
use mm::io::Sink;
use sync::Result;
use task::priority::{self, Change, Whom};
use task::sched::{self, Policy, REAL_TIME_PRIORITY_MAX, Reservation, Schedule};
use task::{Context, Thread};
use zerocopy::IntoBytes;

/// Bytes of the kernel's CPU mask: 64 CPUs.
const MASK_BYTES: u32 = 8;
/// Bytes of the attributes.
const ATTRIBUTES_BYTES: usize = size_of::<SchedAttr>();
/// Flags that ask for limits of utilization.
const UTILIZATION_FLAGS: u64 = SCHED_FLAG_UTIL_CLAMP_MIN | SCHED_FLAG_UTIL_CLAMP_MAX;

pub(crate) fn sched_yield(_ctx: &Context<'_>) -> Result<usize> {
    sched::yield_now();
    Ok(0)
}

pub(crate) fn sched_getaffinity(ctx: &Context<'_>, pid: i32, size: u32, mask: UserPtr<u64>) -> Result<usize> {
    if size < MASK_BYTES || !size.is_multiple_of(MASK_BYTES) {
        return Err(Errno::EINVAL.into());
    }
    let thread = priority::thread(ctx, pid)?;
    ctx.memory().write(mask, &thread.affinity())?;
    Ok(MASK_BYTES as usize)
}

pub(crate) fn sched_setaffinity(ctx: &Context<'_>, pid: i32, size: u32, mask: UserPtr<u64>) -> Result<usize> {
    let mut bytes = [0; MASK_BYTES as usize];
    let given = size.min(MASK_BYTES) as usize;
    ctx.memory().read_bytes(mask.addr(), &mut bytes[..given])?;
    let thread = priority::thread(ctx, pid)?;
    priority::set_affinity(ctx, &thread, u64::from_le_bytes(bytes))?;
    Ok(0)
}

pub(crate) fn getcpu(ctx: &Context<'_>, cpu: UserPtr<u32>, node: UserPtr<u32>, _cache: u64) -> Result<usize> {
    if !cpu.is_null() {
        ctx.memory().write(cpu, &sched::cpu())?;
    }
    if !node.is_null() {
        // All memory is equally near.
        ctx.memory().write(node, &0)?;
    }
    Ok(0)
}

pub(crate) fn sched_get_priority_max(_ctx: &Context<'_>, policy: i32) -> Result<usize> {
    priority_of_policy(policy, REAL_TIME_PRIORITY_MAX)
}

pub(crate) fn sched_get_priority_min(_ctx: &Context<'_>, policy: i32) -> Result<usize> {
    priority_of_policy(policy, 1)
}

fn priority_of_policy(policy: i32, real_time: u32) -> Result<usize> {
    match policy.cast_unsigned() {
        SCHED_FIFO | SCHED_RR => Ok(real_time as usize),
        SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE | SCHED_DEADLINE | SCHED_EXT => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

pub(crate) fn sched_rr_get_interval(
    ctx: &Context<'_>,
    pid: i32,
    interval: UserPtr<Timespec>,
) -> Result<usize> {
    let thread = thread(ctx, pid)?;
    let turn_ns = sched::turn_ns(thread.schedule().policy);
    ctx.memory().write(interval, &Timespec::from_ns(turn_ns))?;
    Ok(0)
}

pub(crate) fn sched_getscheduler(ctx: &Context<'_>, pid: i32) -> Result<usize> {
    let schedule = thread(ctx, pid)?.schedule();
    let flag = if schedule.resets_on_fork {
        SCHED_RESET_ON_FORK
    } else {
        0
    };
    Ok((schedule.policy.number() | flag) as usize)
}

pub(crate) fn sched_getparam(ctx: &Context<'_>, pid: i32, param: UserPtr<SchedParam>) -> Result<usize> {
    if param.is_null() {
        return Err(Errno::EINVAL.into());
    }
    let sched_priority = thread(ctx, pid)?.schedule().priority.cast_signed();
    ctx.memory().write(param, &SchedParam { sched_priority })?;
    Ok(0)
}

pub(crate) fn sched_setscheduler(
    ctx: &Context<'_>,
    pid: i32,
    policy: i32,
    param: UserPtr<SchedParam>,
) -> Result<usize> {
    let policy = u32::try_from(policy).map_err(|_| Errno::EINVAL)?;
    set_parameters(ctx, pid, Some(policy), param)
}

pub(crate) fn sched_setparam(ctx: &Context<'_>, pid: i32, param: UserPtr<SchedParam>) -> Result<usize> {
    set_parameters(ctx, pid, None, param)
}

fn set_parameters(
    ctx: &Context<'_>,
    pid: i32,
    policy: Option<u32>,
    param: UserPtr<SchedParam>,
) -> Result<usize> {
    if param.is_null() || pid < 0 {
        return Err(Errno::EINVAL.into());
    }
    let param = ctx.memory().read(param)?;
    let thread = priority::thread(ctx, pid)?;
    let resets_on_fork = policy.is_some_and(|policy| policy & SCHED_RESET_ON_FORK != 0);
    let policy = policy.map(|policy| known_policy(policy & !SCHED_RESET_ON_FORK));
    let change = Change {
        policy: policy.transpose()?,
        // A negative one is as wrong as one that is too large.
        priority: param.sched_priority.cast_unsigned(),
        nice: thread.nice(),
        reservation: Reservation::default(),
        slice_ns: None,
        resets_on_fork,
        clamps_utilization: false,
        keeps_parameters: false,
    };
    priority::set_schedule(ctx, &thread, change)?;
    Ok(0)
}

/// Returns the policy with this number, which must be one that there is here.
fn known_policy(number: u32) -> Result<Policy> {
    Ok(Policy::from_number(number).ok_or(Errno::EINVAL)?)
}

pub(crate) fn sched_setattr(
    ctx: &Context<'_>,
    pid: i32,
    attributes: UserPtr<SchedAttr>,
    flags: u32,
) -> Result<usize> {
    if attributes.is_null() || pid < 0 || flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let new = read_attributes(ctx, attributes)?;
    if new.sched_policy.cast_signed() < 0 {
        return Err(Errno::EINVAL.into());
    }
    let thread = priority::thread(ctx, pid)?;
    let keeps = |flag| new.sched_flags & flag != 0;
    let policy = if keeps(SCHED_FLAG_KEEP_POLICY) {
        None
    } else {
        Some(known_policy(new.sched_policy)?)
    };
    if keeps(!SCHED_FLAG_ALL) {
        return Err(Errno::EINVAL.into());
    }
    let mut change = Change {
        policy,
        priority: new.sched_priority,
        nice: new.sched_nice,
        reservation: Reservation {
            runtime_ns: new.sched_runtime,
            deadline_ns: new.sched_deadline,
            period_ns: new.sched_period,
            reclaims: keeps(SCHED_FLAG_RECLAIM),
            tells_overrun: keeps(SCHED_FLAG_DL_OVERRUN),
        },
        slice_ns: Some(new.sched_runtime),
        resets_on_fork: keeps(SCHED_FLAG_RESET_ON_FORK),
        clamps_utilization: keeps(UTILIZATION_FLAGS),
        keeps_parameters: keeps(SCHED_FLAG_KEEP_PARAMS),
    };
    if change.keeps_parameters {
        keep_parameters(&mut change, thread.schedule());
    }
    priority::set_schedule(ctx, &thread, change)?;
    Ok(0)
}

/// Replaces what the old policy has of parameters by what they are. The rest is checked as it was given.
fn keep_parameters(change: &mut Change, old: Schedule) {
    match old.policy {
        Policy::Deadline => (change.priority, change.reservation) = (old.priority, old.reservation),
        policy if policy.is_real_time() => change.priority = old.priority,
        _ => change.nice = old.nice,
    }
}

/// Reads attributes of any published size: what the program does not know is zero, and what this kernel does
/// not know must be.
fn read_attributes(ctx: &Context<'_>, attributes: UserPtr<SchedAttr>) -> Result<SchedAttr> {
    let address = attributes.addr();
    let size = match ctx.memory().read(UserPtr::<u32>::new(address))? as usize {
        0 => SCHED_ATTR_SIZE_VER0,
        size => size,
    };
    let is_sane = (SCHED_ATTR_SIZE_VER0..=PAGE_SIZE).contains(&size);
    if !is_sane || !is_zero(ctx, address, ATTRIBUTES_BYTES, size)? {
        // The program learns which size would do.
        ctx.memory()
            .write(UserPtr::new(address), &(ATTRIBUTES_BYTES as u32))?;
        return Err(Errno::E2BIG.into());
    }
    let mut new = SchedAttr::default();
    let known = size.min(ATTRIBUTES_BYTES);
    ctx.memory()
        .read_bytes(address, &mut new.as_mut_bytes()[..known])?;
    if new.sched_flags & UTILIZATION_FLAGS != 0 && size < ATTRIBUTES_BYTES {
        return Err(Errno::EINVAL.into());
    }
    Ok(new)
}

/// Tells whether the bytes of a structure from `start` to `end` are all zero.
fn is_zero(ctx: &Context<'_>, address: u64, start: usize, end: usize) -> Result<bool> {
    let mut at = start;
    while at < end {
        let mut chunk = [0; 64];
        let length = chunk.len().min(end - at);
        let place = address.checked_add(at as u64).ok_or(Errno::EFAULT)?;
        ctx.memory().read_bytes(place, &mut chunk[..length])?;
        if chunk != [0; 64] {
            return Ok(false);
        }
        at += length;
    }
    Ok(true)
}

pub(crate) fn sched_getattr(
    ctx: &Context<'_>,
    pid: i32,
    attributes: UserPtr<SchedAttr>,
    size: u32,
    flags: u32,
) -> Result<usize> {
    let room = size as usize;
    let is_sane = (SCHED_ATTR_SIZE_VER0..=PAGE_SIZE).contains(&room);
    if attributes.is_null() || pid < 0 || !is_sane || flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let schedule = priority::thread(ctx, pid)?.schedule();
    let known = room.min(ATTRIBUTES_BYTES);
    let answer = SchedAttr {
        size: known as u32,
        sched_policy: schedule.policy.number(),
        sched_flags: flags_of(&schedule),
        sched_nice: if schedule.policy.is_urgent() {
            0
        } else {
            schedule.nice
        },
        sched_priority: schedule.priority,
        sched_runtime: match schedule.policy {
            Policy::Deadline => schedule.reservation.runtime_ns,
            policy if policy.is_real_time() => 0,
            _ if schedule.slice_ns == 0 => sched::turn_ns(schedule.policy),
            _ => schedule.slice_ns,
        },
        sched_deadline: schedule.reservation.deadline_ns,
        sched_period: schedule.reservation.period_ns,
        ..SchedAttr::default()
    };
    let slice = UserSlice::new(UserPtr::new(attributes.addr()), room);
    let mut out = ctx.memory().writer(slice);
    if out.put(&answer.as_bytes()[..known])? < known {
        return Err(Errno::EFAULT.into());
    }
    out.put_zeros(room - known)?;
    Ok(0)
}

fn flags_of(schedule: &Schedule) -> u64 {
    [
        (schedule.resets_on_fork, SCHED_FLAG_RESET_ON_FORK),
        (schedule.reservation.reclaims, SCHED_FLAG_RECLAIM),
        (schedule.reservation.tells_overrun, SCHED_FLAG_DL_OVERRUN),
    ]
    .into_iter()
    .filter(|(is_set, _)| *is_set)
    .fold(0, |flags, (_, flag)| flags | flag)
}

/// Finds the thread of the calls that refuse negative numbers.
fn thread(ctx: &Context<'_>, pid: i32) -> Result<Arc<Thread>> {
    if pid < 0 {
        return Err(Errno::EINVAL.into());
    }
    Ok(priority::thread(ctx, pid)?)
}

pub(crate) fn getpriority(ctx: &Context<'_>, which: i32, who: i32) -> Result<usize> {
    Ok(priority::nice_rank(ctx, by_priority_which(which, who)?)? as usize)
}

pub(crate) fn setpriority(ctx: &Context<'_>, which: i32, who: i32, nice: i32) -> Result<usize> {
    priority::set_nice(ctx, by_priority_which(which, who)?, nice)?;
    Ok(0)
}

fn by_priority_which(which: i32, who: i32) -> Result<Whom> {
    Ok(match which {
        PRIO_PROCESS => Whom::Thread(who),
        PRIO_PGRP => Whom::Group(who),
        PRIO_USER => Whom::User(who),
        _ => return Err(Errno::EINVAL.into()),
    })
}

pub(crate) fn ioprio_get(ctx: &Context<'_>, which: i32, who: i32) -> Result<usize> {
    let whom = by_io_which(which, who).ok_or(Errno::EINVAL)?;
    Ok(priority::io_priority(ctx, whom)? as usize)
}

pub(crate) fn ioprio_set(ctx: &Context<'_>, which: i32, who: i32, priority: i32) -> Result<usize> {
    let new = u32::from(priority as u16);
    priority::set_io_priority(ctx, by_io_which(which, who), new)?;
    Ok(0)
}

fn by_io_which(which: i32, who: i32) -> Option<Whom> {
    Some(match which {
        IOPRIO_WHO_PROCESS => Whom::Thread(who),
        IOPRIO_WHO_PGRP => Whom::Group(who),
        IOPRIO_WHO_USER => Whom::User(who),
        _ => return None,
    })
}
