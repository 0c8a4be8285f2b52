//! POSIX timers (timer_create(2), timer_settime(2), timer_getoverrun(2), timer_delete(2)).

use los_abi::errno::Errno;
use los_abi::signal::SigEvent;
use los_abi::syscall::UserPtr;
use los_abi::time::{Itimerspec, TIMER_ABSTIME, Timespec};
use sync::Result;
use task::Context;
use task::clock::Clock;
use task::itimer::Setting;
use task::posix_timer::{self, Start};

pub(crate) fn timer_create(
    ctx: &Context<'_>,
    clock: i32,
    event: UserPtr<SigEvent>,
    id: UserPtr<i32>,
) -> Result<usize> {
    let event = if event.is_null() {
        None
    } else {
        Some(ctx.memory().read(event)?)
    };
    let clock = Clock::find(ctx, clock)?;
    let is_somebodys = clock.check_somebodys();
    let number = posix_timer::create(ctx, clock, event.as_ref())?;
    // As on Linux, whose time is to be counted is looked at last.
    if let Err(error) = ctx.memory().write(id, &number).and(is_somebodys) {
        posix_timer::delete(ctx, number)?;
        return Err(error.into());
    }
    Ok(0)
}

pub(crate) fn timer_settime(
    ctx: &Context<'_>,
    id: i32,
    flags: u32,
    new: UserPtr<Itimerspec>,
    old: UserPtr<Itimerspec>,
) -> Result<usize> {
    if new.is_null() {
        return Err(Errno::EINVAL.into());
    }
    let new = ctx.memory().read(new)?;
    let setting = Setting {
        interval_ns: new.it_interval.to_ns().ok_or(Errno::EINVAL)?,
        value_ns: new.it_value.to_ns().ok_or(Errno::EINVAL)?,
    };
    let start = if flags & TIMER_ABSTIME == 0 {
        Start::Relative
    } else {
        Start::Absolute
    };
    let previous = posix_timer::set(ctx, id, start, setting)?;
    if !old.is_null() {
        ctx.memory().write(old, &to_itimerspec(previous))?;
    }
    Ok(0)
}

pub(crate) fn timer_gettime(ctx: &Context<'_>, id: i32, setting: UserPtr<Itimerspec>) -> Result<usize> {
    let current = posix_timer::get(ctx, id)?;
    ctx.memory().write(setting, &to_itimerspec(current))?;
    Ok(0)
}

pub(crate) fn timer_getoverrun(ctx: &Context<'_>, id: i32) -> Result<usize> {
    Ok(posix_timer::overrun(ctx, id)? as usize)
}

pub(crate) fn timer_delete(ctx: &Context<'_>, id: i32) -> Result<usize> {
    posix_timer::delete(ctx, id)?;
    Ok(0)
}

/// # Errors
/// EINVAL for times that are none.
pub(super) fn from_itimerspec(setting: &Itimerspec) -> Result<Setting> {
    Ok(Setting {
        interval_ns: setting.it_interval.to_ns().ok_or(Errno::EINVAL)?,
        value_ns: setting.it_value.to_ns().ok_or(Errno::EINVAL)?,
    })
}

pub(super) fn to_itimerspec(setting: Setting) -> Itimerspec {
    Itimerspec {
        it_interval: Timespec::from_ns(setting.interval_ns),
        it_value: Timespec::from_ns(setting.value_ns),
    }
}
