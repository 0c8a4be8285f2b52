//! The discipline of the clock (adjtimex(2)). What it is told of the clock's errors, of its status and of atomic time is
//! kept; offsets are made at once, or slowly as adjtime(3) wants them, and the rate of real time is as it says. There
//! is no loop that finds out the rate by itself from offsets (`ADJ_OFFSET`).

use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use los_abi::time::{
    ADJ_ESTERROR, ADJ_FREQUENCY, ADJ_MAXERROR, ADJ_MICRO, ADJ_NANO, ADJ_OFFSET, ADJ_OFFSET_READONLY,
    ADJ_SETOFFSET, ADJ_SINGLESHOT, ADJ_STATUS, ADJ_TAI, ADJ_TICK, ADJ_TIMECONST, NSEC_PER_SEC, STA_NANO,
    STA_RONLY, STA_UNSYNC, TIME_ERROR, Timeval, Timex, USEC_PER_SEC, USER_HZ,
};
use sync::{Rank, Result, SpinLock};
use task::Context;
use task::clock::{self, Clock, RealClock};
use vfs::Capability;

use super::clock::set_real_time;

/// The error in microseconds that a clock has when nothing is known of it (`NTP_PHASE_LIMIT`).
const ERROR_LIMIT_US: i64 = 16_000_000;
/// Corrections of the rate end at 500 parts per million, with 16 bits behind the point.
const RATE_LIMIT: i64 = 500 << 16;
/// The largest time constant (`MAXTC`).
const TIME_CONSTANT_MAX: i64 = 10;
/// The longest distance of atomic time (`MAX_TAI_OFFSET`).
const TAI_MAX_SECONDS: i64 = 100_000;
const TICK_US: i64 = USEC_PER_SEC / USER_HZ as i64;

/// What the discipline keeps.
#[derive(Clone, Copy)]
struct Discipline {
    status: i32,
    constant: i64,
    max_error_us: i64,
    likely_error_us: i64,
    /// Correction of the rate, in parts per million with 16 bits behind the point.
    frequency: i64,
    /// Microseconds of real time between two ticks of user space.
    tick_us: i64,
}

static DISCIPLINE: SpinLock<Discipline> = SpinLock::new(
    Rank::FileSystem,
    Discipline {
        status: STA_UNSYNC,
        constant: 2,
        max_error_us: ERROR_LIMIT_US,
        likely_error_us: ERROR_LIMIT_US,
        frequency: 0,
        tick_us: TICK_US,
    },
);

pub(crate) fn adjtimex(ctx: &Context<'_>, state: UserPtr<Timex>) -> Result<usize> {
    let wanted = ctx.memory().read(state)?;
    adjust(ctx, state, &wanted)
}

pub(crate) fn clock_adjtime(ctx: &Context<'_>, clock: i32, state: UserPtr<Timex>) -> Result<usize> {
    let wanted = ctx.memory().read(state)?;
    match Clock::find(ctx, clock)? {
        Clock::Real(RealClock::Settable) => adjust(ctx, state, &wanted),
        _ => Err(Errno::EOPNOTSUPP.into()),
    }
}

fn adjust(ctx: &Context<'_>, state: UserPtr<Timex>, wanted: &Timex) -> Result<usize> {
    check(ctx, wanted)?;
    let has = |mode| wanted.modes & mode != 0;
    let mut told_offset = None;
    if has(ADJ_SINGLESHOT) {
        // As Linux, it tells what was left of the offset before.
        told_offset = Some(vfs::clock::adjustment_ns() / 1000);
        if !has(ADJ_OFFSET_READONLY) {
            let offset_ns = wanted.offset.saturating_mul(1000);
            vfs::clock::set_adjustment_ns(offset_ns);
        }
    } else {
        refuse_loop(wanted)?;
        if has(ADJ_SETOFFSET) {
            step(wanted)?;
        }
        keep(wanted);
        set_rate(wanted);
    }
    let mut told = tell(wanted.modes);
    if let Some(offset_us) = told_offset {
        told.offset = offset_us;
    }
    ctx.memory().write(state, &told)?;
    // A clock that nobody keeps in step has no right time to tell.
    Ok(if told.status & STA_UNSYNC != 0 {
        TIME_ERROR as usize
    } else {
        0
    })
}

/// Checks what is asked for (Linux's `timekeeping_validate_timex`).
fn check(ctx: &Context<'_>, wanted: &Timex) -> Result<()> {
    let has = |mode| wanted.modes & mode != 0;
    let may = || ctx.credentials().capable(Capability::SysTime);
    let check_right = || if may() { Ok(()) } else { Err(Errno::EPERM) };
    if has(ADJ_SINGLESHOT) {
        // adjtime(3) has nothing but an offset to tell of.
        if !has(ADJ_OFFSET) {
            return Err(Errno::EINVAL.into());
        }
        if !has(ADJ_OFFSET_READONLY) {
            check_right()?;
        }
    } else {
        if wanted.modes != 0 {
            check_right()?;
        }
        // 10 % more or less.
        if has(ADJ_TICK) && !(900_000 / USER_HZ as i64..=1_100_000 / USER_HZ as i64).contains(&wanted.tick) {
            return Err(Errno::EINVAL.into());
        }
    }
    if has(ADJ_SETOFFSET) {
        check_right()?;
        let parts = if has(ADJ_NANO) { NSEC_PER_SEC } else { USEC_PER_SEC };
        if !(0..parts).contains(&wanted.time.tv_usec) {
            return Err(Errno::EINVAL.into());
        }
    }
    Ok(())
}

/// Refuses an offset that a loop would have to work off.
fn refuse_loop(wanted: &Timex) -> Result<()> {
    if wanted.modes & ADJ_OFFSET != 0 && wanted.offset != 0 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    Ok(())
}

/// Has real time run at the rate that is asked for.
fn set_rate(wanted: &Timex) {
    let has = |mode| wanted.modes & mode != 0;
    if !has(ADJ_FREQUENCY) && !has(ADJ_TICK) {
        return;
    }
    let mut kept = DISCIPLINE.lock();
    if has(ADJ_FREQUENCY) {
        kept.frequency = wanted.freq.clamp(-RATE_LIMIT, RATE_LIMIT);
    }
    if has(ADJ_TICK) {
        kept.tick_us = wanted.tick;
    }
    let gain = gain(kept.frequency, kept.tick_us);
    drop(kept);
    vfs::clock::set_gain(gain);
}

/// Returns what real time gains in each nanosecond, with 32 bits behind the point.
fn gain(frequency: i64, tick_us: i64) -> i64 {
    let by_tick = ((tick_us - TICK_US) << 32) / TICK_US;
    // Parts per million have 16 bits behind the point already.
    by_tick + (frequency << 16) / 1_000_000
}

/// Adds to real time, or takes from it.
fn step(wanted: &Timex) -> Result<()> {
    let parts = if wanted.modes & ADJ_NANO != 0 { 1 } else { 1000 };
    let offset_ns = wanted.time.tv_sec.checked_mul(NSEC_PER_SEC);
    let offset_ns = offset_ns.and_then(|ns| ns.checked_add(wanted.time.tv_usec * parts));
    let ns = offset_ns.and_then(|offset| vfs::clock::realtime_ns().checked_add_signed(offset));
    set_real_time(ns.ok_or(Errno::EINVAL)?)?;
    Ok(())
}

/// Keeps what is only told again.
fn keep(wanted: &Timex) {
    let has = |mode| wanted.modes & mode != 0;
    let mut kept = DISCIPLINE.lock();
    if has(ADJ_STATUS) {
        kept.status = kept.status & STA_RONLY | wanted.status & !STA_RONLY;
    }
    if has(ADJ_NANO) {
        kept.status |= STA_NANO;
    }
    if has(ADJ_MICRO) {
        kept.status &= !STA_NANO;
    }
    if has(ADJ_MAXERROR) {
        kept.max_error_us = wanted.maxerror.clamp(0, ERROR_LIMIT_US);
    }
    if has(ADJ_ESTERROR) {
        kept.likely_error_us = wanted.esterror.clamp(0, ERROR_LIMIT_US);
    }
    if has(ADJ_TIMECONST) {
        let more = if kept.status & STA_NANO == 0 { 4 } else { 0 };
        kept.constant = wanted
            .constant
            .clamp(0, TIME_CONSTANT_MAX)
            .saturating_add(more)
            .clamp(0, TIME_CONSTANT_MAX);
    }
    drop(kept);
    if has(ADJ_TAI) && (0..=TAI_MAX_SECONDS).contains(&wanted.constant) {
        clock::set_tai_offset_seconds(wanted.constant as i32);
    }
}

fn tell(modes: u32) -> Timex {
    let kept = *DISCIPLINE.lock();
    let mut time = Timeval::from_ns(vfs::clock::realtime_ns());
    if kept.status & STA_NANO != 0 {
        let ns = vfs::clock::realtime_ns().cast_signed();
        (time.tv_sec, time.tv_usec) = (ns / NSEC_PER_SEC, ns % NSEC_PER_SEC);
    }
    Timex {
        modes,
        maxerror: kept.max_error_us,
        esterror: kept.likely_error_us,
        status: kept.status,
        constant: kept.constant,
        precision: 1,
        tolerance: RATE_LIMIT,
        time,
        freq: kept.frequency,
        tick: kept.tick_us,
        tai: vfs::clock::tai_offset_seconds(),
        ..Timex::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_fractions_of_nanoseconds() {
        assert_eq!(gain(0, TICK_US), 0);
        // 500 parts per million.
        assert_eq!(gain(RATE_LIMIT, TICK_US), (500 << 32) / 1_000_000);
        assert_eq!(gain(0, TICK_US + 1), (1 << 32) / TICK_US);
        assert_eq!(gain(-RATE_LIMIT, TICK_US - 1), -gain(RATE_LIMIT, TICK_US + 1));
    }
}
