//! Reading and setting clocks (clock_gettime(2), settimeofday(2)).

use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use los_abi::time::{NSEC_PER_SEC, Timespec, Timeval, Timezone, USEC_PER_SEC};
use sync::{Rank, Result, SpinLock, now_ns};
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
    let ns = settable_ns(&time)?;
    check_permission(ctx)?;
    set_real_time(ns)
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
    let zone = if zone.is_null() {
        None
    } else {
        Some(ctx.memory().read(zone)?)
    };
    let time = match time {
        Some(Timeval { tv_usec, .. }) if !(0..USEC_PER_SEC).contains(&tv_usec) => {
            return Err(Errno::EINVAL.into());
        }
        Some(Timeval { tv_sec, tv_usec }) => {
            let tv_nsec = tv_usec * 1000;
            Some(settable_ns(&Timespec { tv_sec, tv_nsec })?)
        }
        None => None,
    };
    check_permission(ctx)?;
    if let Some(zone) = zone {
        set_zone(zone, time.is_some())?;
    }
    match time {
        Some(ns) => set_real_time(ns),
        None => Ok(0),
    }
}

/// The time zone, and whether it was ever set.
static ZONE: SpinLock<(Timezone, bool)> = SpinLock::new(
    Rank::FileSystem,
    (
        Timezone {
            tz_minuteswest: 0,
            tz_dsttime: 0,
        },
        false,
    ),
);

/// Keeps the zone. The first that comes without a time says that the clock of the machine was set to it, and puts real
/// time right.
fn set_zone(zone: Timezone, has_time: bool) -> Result<()> {
    const MINUTES_MAX: i32 = 15 * 60;
    if !(-MINUTES_MAX..=MINUTES_MAX).contains(&zone.tz_minuteswest) {
        return Err(Errno::EINVAL.into());
    }
    let (_, was_set) = core::mem::replace(&mut *ZONE.lock(), (zone, true));
    if !was_set && !has_time && zone.tz_minuteswest != 0 {
        let west_ns = i64::from(zone.tz_minuteswest) * 60 * NSEC_PER_SEC;
        let ns = vfs::clock::realtime_ns().checked_add_signed(west_ns);
        set_real_time(ns.ok_or(Errno::EINVAL)?)?;
    }
    Ok(())
}

fn check_permission(ctx: &Context<'_>) -> Result<usize> {
    if ctx.credentials().capable(Capability::SysTime) {
        Ok(0)
    } else {
        Err(Errno::EPERM.into())
    }
}

/// Returns a time that real time can be set to, in nanoseconds.
pub(super) fn settable_ns(time: &Timespec) -> Result<u64> {
    let ns = time.to_ns().filter(|_| time.tv_sec < SETTABLE_SECONDS);
    Ok(ns.ok_or(Errno::EINVAL)?)
}

pub(super) fn set_real_time(ns: u64) -> Result<usize> {
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
        let (kept, _) = *ZONE.lock();
        ctx.memory().write(zone, &kept)?;
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
