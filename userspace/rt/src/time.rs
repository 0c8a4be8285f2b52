//! Clocks, sleeping, and the calendar (always UTC).

use los_abi::syscall::UserPtr;
use los_abi::time::{CLOCK_MONOTONIC, CLOCK_REALTIME};

use crate::{Errno, Result, sys};

pub use los_abi::time::Timespec;

/// Seconds in a day without leap seconds, as in POSIX time.
const DAY_SECONDS: i64 = 86_400;

/// Returns the time since 1970.
pub fn now() -> Timespec {
    read_clock(CLOCK_REALTIME)
}

/// Returns the time since an unspecified start, which never jumps.
pub fn monotonic() -> Timespec {
    read_clock(CLOCK_MONOTONIC)
}

fn read_clock(clock: i32) -> Timespec {
    let mut time = Timespec::ZERO;
    // SAFETY: the call writes the time, which lives until it returns. These clocks always exist.
    let _ = unsafe { sys::clock_gettime(clock, UserPtr::new(&raw mut time as u64)) };
    time
}

/// Sleeps for a while.
///
/// # Errors
/// EINTR when a signal was caught, EINVAL for a time that is none.
pub fn sleep(time: Timespec) -> Result<()> {
    // SAFETY: the call reads the time, which lives until it returns.
    unsafe { sys::nanosleep(UserPtr::new(&raw const time as u64), UserPtr::NULL) }.map(drop)
}

/// Sleeps for some milliseconds, whatever signals arrive.
pub fn sleep_ms(milliseconds: u64) {
    sleep_ns(milliseconds.saturating_mul(1_000_000));
}

/// Sleeps for some nanoseconds, whatever signals arrive.
pub fn sleep_ns(nanoseconds: u64) {
    let start = monotonic().to_ns().unwrap_or(0);
    let end = start.saturating_add(nanoseconds);
    loop {
        let now = monotonic().to_ns().unwrap_or(end);
        if now >= end || sleep(Timespec::from_ns(end - now)) != Err(Errno::EINTR) {
            return;
        }
    }
}

/// A point in time by the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The year.
    pub year: i64,
    /// The month, 1 to 12.
    pub month: u32,
    /// The day of the month, 1 to 31.
    pub day: u32,
    /// The hour, 0 to 23.
    pub hour: u32,
    /// The minute, 0 to 59.
    pub minute: u32,
    /// The second, 0 to 59.
    pub second: u32,
}

impl Date {
    /// Converts seconds since 1970.
    pub fn from_seconds(seconds: i64) -> Self {
        let (days, rest) = (
            seconds.div_euclid(DAY_SECONDS),
            seconds.rem_euclid(DAY_SECONDS) as u32,
        );
        // Years that start in March have their leap day at the end, and eras of 400 of them have
        // 146,097 days each; 1970-01-01 is day 719,468 of era 0.
        let days = days + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        } as u32;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }

    /// Converts to seconds since 1970; `None` for a day that no month has or a time that no day has.
    pub fn to_seconds(&self) -> Option<i64> {
        // As above: years that start in March.
        let shifted_year = self.year - i64::from(self.month <= 2);
        let shifted_month = (i64::from(self.month) + 9) % 12;
        let (era, year_of_era) = (shifted_year.div_euclid(400), shifted_year.rem_euclid(400));
        let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        let rest = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        let seconds = days * DAY_SECONDS + rest;
        (Self::from_seconds(seconds) == *self).then_some(seconds)
    }

    /// Returns the month's English abbreviation.
    pub fn month_name(&self) -> &'static str {
        const NAMES: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        NAMES[(self.month - 1) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::{Date, Timespec};

    #[test]
    fn the_calendar_is_gregorian() {
        let date = |seconds| {
            let date = Date::from_seconds(seconds);
            (
                date.year,
                date.month,
                date.day,
                date.hour,
                date.minute,
                date.second,
            )
        };
        assert_eq!(date(0), (1970, 1, 1, 0, 0, 0));
        assert_eq!(date(-1), (1969, 12, 31, 23, 59, 59));
        assert_eq!(date(951_782_400), (2000, 2, 29, 0, 0, 0));
        assert_eq!(date(1_704_067_199), (2023, 12, 31, 23, 59, 59));
        assert_eq!(date(4_107_542_400), (2100, 3, 1, 0, 0, 0));
        assert_eq!(Date::from_seconds(951_782_400).month_name(), "Feb");
    }

    #[test]
    fn the_calendar_can_be_inverted() {
        for seconds in (-100_000_000_000..100_000_000_000).step_by(12_345_679) {
            assert_eq!(Date::from_seconds(seconds).to_seconds(), Some(seconds));
        }
        let leap_day = Date {
            day: 29,
            ..Date::from_seconds(951_782_400)
        };
        assert!(leap_day.to_seconds().is_some());
        for wrong in [
            Date { day: 30, ..leap_day },
            Date { day: 0, ..leap_day },
            Date { month: 0, ..leap_day },
            Date {
                month: 13,
                ..leap_day
            },
            Date { hour: 24, ..leap_day },
            Date {
                second: 60,
                ..leap_day
            },
            Date {
                year: 1999,
                ..leap_day
            },
        ] {
            assert_eq!(wrong.to_seconds(), None, "{wrong:?}");
        }
    }

    #[test]
    fn sleeping_takes_its_time() {
        let start = super::monotonic().to_ns().unwrap();
        super::sleep_ms(20);
        assert!(super::monotonic().to_ns().unwrap() - start >= 20_000_000);
        assert!(
            super::sleep(Timespec {
                tv_sec: 0,
                tv_nsec: -1
            })
            .is_err()
        );
    }
}
