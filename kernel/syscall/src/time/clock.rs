//! Reading and setting clocks (clock_gettime(2), settimeofday(2)).

use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use los_abi::time::{NSEC_PER_SEC, Timespec, Timeval, Timezone, USEC_PER_SEC};
use sync::{Result, now_ns};
use task::Context;
use task::clock::{self, Clock, RealClock};
use vfs::Capability;

/// Least seconds since 1970 that real time cannot be set to: Linux keeps 30 years of uptime free.
const SETTABLE_SECONDS: i64 = i64::MAX / NSEC_PER_SEC - 30 * 365 * 24 * 3600;

pub(crate) fn clock_gettime(ctx: &Context<'_>, clock: i32, time: UserPtr<Timespec>) -> Result<usize> {
    let now = Clock::find(ctx, clock)?.read()?;
    ctx.memory().write(time, &Timespec::from_ns(now))?;
    Ok(0)
}

pub(crate) fn clock_getres(ctx: &Context<'_>, clock: i32, resolution: UserPtr<Timespec>) -> Result<usize> {
    let ns = Clock::find(ctx, clock)?.resolution_ns()?;
    if !resolution.is_null() {
        ctx.memory().write(resolution, &Timespec::from_ns(ns))?;
    }
    Ok(0)
}

pub(crate) fn clock_settime(ctx: &Context<'_>, clock: i32, time: UserPtr<Timespec>) -> Result<usize> {
    let clock = Clock::find(ctx, clock)?;
    let is_settable = match &clock {
        Clock::Real(RealClock::Settable) => true,
        Clock::Cpu(clock) if clock.is_dynamic() => false,
        Clock::Nobodys | Clock::Device => {
            ctx.memory().read(time)?;
            return Err(Errno::EINVAL.into());
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    let time = ctx.memory().read(time)?;
    if !is_settable {
        return Err(Errno::EPERM.into());
    }
    set_real_time(ctx, &time)
}

pub(crate) fn settimeofday(
    ctx: &Context<'_>,
    time: UserPtr<Timeval>,
    zone: UserPtr<Timezone>,
) -> Result<usize> {
    let time = if time.is_null() {
        None
    } else {
        Some(ctx.memory().read(time)?)
    };
    if !zone.is_null() {
        // There is no other zone than Greenwich's in the kernel.
        ctx.memory().read(zone)?;
    }
    match time {
        Some(Timeval { tv_sec, tv_usec }) => {
            if !(0..USEC_PER_SEC).contains(&tv_usec) {
                return Err(Errno::EINVAL.into());
            }
            let tv_nsec = tv_usec * 1000;
            set_real_time(ctx, &Timespec { tv_sec, tv_nsec })
        }
        None => check_permission(ctx),
    }
}

fn check_permission(ctx: &Context<'_>) -> Result<usize> {
    if ctx.credentials().capable(Capability::SysTime) {
        Ok(0)
    } else {
        Err(Errno::EPERM.into())
    }
}

fn set_real_time(ctx: &Context<'_>, time: &Timespec) -> Result<usize> {
    let ns = time.to_ns().filter(|_| time.tv_sec < SETTABLE_SECONDS);
    let ns = ns.ok_or(Errno::EINVAL)?;
    check_permission(ctx)?;
    if ns < now_ns() {
        // Real time never was before the start.
        return Err(Errno::EINVAL.into());
    }
    clock::set_realtime_ns(ns);
    Ok(0)
}

pub(crate) fn gettimeofday(
    ctx: &Context<'_>,
    time: UserPtr<Timeval>,
    zone: UserPtr<Timezone>,
) -> Result<usize> {
    if !time.is_null() {
        ctx.memory()
            .write(time, &Timeval::from_ns(vfs::clock::realtime_ns()))?;
    }
    if !zone.is_null() {
        ctx.memory().write(zone, &Timezone::default())?;
    }
    Ok(0)
}

pub(crate) fn time(ctx: &Context<'_>, seconds: UserPtr<i64>) -> Result<usize> {
    let now = vfs::clock::realtime_now().tv_sec;
    if !seconds.is_null() {
        ctx.memory().write(seconds, &now)?;
    }
    Ok(now as usize)
}
