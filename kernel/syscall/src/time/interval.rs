//! Interval timers (setitimer(2), alarm(2)).

use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use los_abi::time::{ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, Itimerval, NSEC_PER_SEC, Timeval};
use sync::Result;
use task::Context;
use task::itimer::{self, Setting, Which};

pub(crate) fn setitimer(
    ctx: &Context<'_>,
    which: i32,
    new: UserPtr<Itimerval>,
    old: UserPtr<Itimerval>,
) -> Result<usize> {
    let setting = if new.is_null() {
        Setting::default()
    } else {
        let value = ctx.memory().read(new)?;
        Setting {
            value_ns: value.it_value.to_ns().ok_or(Errno::EINVAL)?,
            interval_ns: value.it_interval.to_ns().ok_or(Errno::EINVAL)?,
        }
    };
    let previous = itimer::set(ctx.process, decode(which)?, setting);
    if !old.is_null() {
        ctx.memory().write(old, &to_itimerval(previous))?;
    }
    Ok(0)
}

pub(crate) fn getitimer(ctx: &Context<'_>, which: i32, value: UserPtr<Itimerval>) -> Result<usize> {
    let current = itimer::get(ctx.process, decode(which)?);
    ctx.memory().write(value, &to_itimerval(current))?;
    Ok(0)
}

fn decode(which: i32) -> Result<Which> {
    Ok(match which {
        ITIMER_REAL => Which::Real,
        ITIMER_VIRTUAL => Which::Virtual,
        ITIMER_PROF => Which::Profiling,
        _ => return Err(Errno::EINVAL.into()),
    })
}

fn to_itimerval(setting: Setting) -> Itimerval {
    Itimerval {
        it_interval: Timeval::from_ns(setting.interval_ns),
        it_value: Timeval::from_ns(setting.value_ns),
    }
}

pub(crate) fn alarm(ctx: &Context<'_>, seconds: u32) -> Result<usize> {
    const SECOND_NS: u64 = NSEC_PER_SEC as u64;
    let setting = Setting {
        value_ns: u64::from(seconds) * SECOND_NS,
        interval_ns: 0,
    };
    let previous = itimer::set(ctx.process, Which::Real, setting);
    // Linux rounds to the nearest second, but a running timer is never 0.
    let left = (previous.value_ns + SECOND_NS / 2) / SECOND_NS;
    Ok(if previous.value_ns > 0 {
        left.max(1) as usize
    } else {
        0
    })
}
