//! Reading clocks (clock_gettime(2)).

use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use los_abi::time::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, Timespec, Timeval, Timezone,
};
use sync::{Result, now_ns};
use task::Context;

/// What a clock counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Clock {
    Real,
    Monotonic,
    ProcessTime,
    ThreadTime,
}

impl Clock {
    /// Decodes a clock's number.
    ///
    /// # Errors
    /// EINVAL; clocks of other processes are not supported.
    pub(super) fn decode(number: i32) -> Result<Self> {
        Ok(match number {
            CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_REALTIME_ALARM | CLOCK_TAI => Self::Real,
            CLOCK_MONOTONIC
            | CLOCK_MONOTONIC_RAW
            | CLOCK_MONOTONIC_COARSE
            | CLOCK_BOOTTIME
            | CLOCK_BOOTTIME_ALARM => Self::Monotonic,
            CLOCK_PROCESS_CPUTIME_ID => Self::ProcessTime,
            CLOCK_THREAD_CPUTIME_ID => Self::ThreadTime,
            _ => return Err(Errno::EINVAL.into()),
        })
    }

    fn now_ns(self, ctx: &Context<'_>) -> u64 {
        match self {
            Self::Real => vfs::clock::realtime_ns(),
            Self::Monotonic => now_ns(),
            Self::ProcessTime => ctx.process.counters().runtime_ns,
            Self::ThreadTime => ctx.thread.counters().runtime_ns,
        }
    }
}

pub(crate) fn clock_gettime(ctx: &Context<'_>, clock: i32, time: UserPtr<Timespec>) -> Result<usize> {
    let now = Clock::decode(clock)?.now_ns(ctx);
    ctx.memory().write(time, &Timespec::from_ns(now))?;
    Ok(0)
}

pub(crate) fn clock_getres(ctx: &Context<'_>, clock: i32, resolution: UserPtr<Timespec>) -> Result<usize> {
    Clock::decode(clock)?;
    if !resolution.is_null() {
        ctx.memory().write(resolution, &Timespec::from_ns(1))?;
    }
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
