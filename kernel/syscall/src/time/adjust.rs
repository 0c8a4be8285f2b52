//! The discipline of the clock (adjtimex(2)): it runs as it is, and nothing keeps it in step.

use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use los_abi::time::{
    ADJ_OFFSET_READONLY, ADJ_SINGLESHOT, STA_UNSYNC, TIME_ERROR, Timeval, Timex, USEC_PER_SEC, USER_HZ,
};
use sync::Result;
use task::Context;
use task::clock::{Clock, RealClock};
use vfs::Capability;

/// The error in microseconds that a clock has when nothing is known of it (`NTP_PHASE_LIMIT`).
const ERROR_LIMIT_US: i64 = 16_000_000;
/// Corrections of the rate end at 500 parts per million, with 16 bits behind the point.
const RATE_LIMIT: i64 = 500 << 16;
const TIME_CONSTANT: i64 = 2;

pub(crate) fn adjtimex(ctx: &Context<'_>, state: UserPtr<Timex>) -> Result<usize> {
    let wanted = ctx.memory().read(state)?;
    tell(ctx, state, &wanted)
}

pub(crate) fn clock_adjtime(ctx: &Context<'_>, clock: i32, state: UserPtr<Timex>) -> Result<usize> {
    let wanted = ctx.memory().read(state)?;
    match Clock::find(ctx, clock)? {
        Clock::Real(RealClock::Settable) => tell(ctx, state, &wanted),
        _ => Err(Errno::EOPNOTSUPP.into()),
    }
}

fn tell(ctx: &Context<'_>, state: UserPtr<Timex>, wanted: &Timex) -> Result<usize> {
    let only_tells = wanted.modes == 0 || wanted.modes & ADJ_OFFSET_READONLY != 0;
    if wanted.modes & ADJ_SINGLESHOT != 0 && wanted.modes & 1 == 0 {
        // adjtime(3) has nothing but an offset to tell of.
        return Err(Errno::EINVAL.into());
    }
    if !only_tells {
        let may = ctx.credentials().capable(Capability::SysTime);
        return Err(if may { Errno::EOPNOTSUPP } else { Errno::EPERM }.into());
    }
    let told = Timex {
        modes: wanted.modes,
        maxerror: ERROR_LIMIT_US,
        esterror: ERROR_LIMIT_US,
        status: STA_UNSYNC,
        constant: TIME_CONSTANT,
        precision: 1,
        tolerance: RATE_LIMIT,
        time: Timeval::from_ns(vfs::clock::realtime_ns()),
        tick: USEC_PER_SEC / USER_HZ as i64,
        ..Timex::default()
    };
    ctx.memory().write(state, &told)?;
    Ok(TIME_ERROR as usize)
}
