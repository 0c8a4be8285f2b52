//! Times, clocks and interval timers (`linux/time.h`, `linux/time_types.h`), equal on both machines.

use crate::macros::{constants, flags, wire};

wire! {
    /// Seconds and nanoseconds.
    #[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
    Timespec {
        /// Whole seconds.
        tv_sec: i64,
        /// Nanoseconds, 0 to 999,999,999 in a valid time (or one of the `UTIME_*` values).
        tv_nsec: i64,
    }

    /// Seconds and microseconds.
    #[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
    Timeval {
        /// Whole seconds.
        tv_sec: i64,
        /// Microseconds, 0 to 999,999 in a valid time.
        tv_usec: i64,
    }

    /// Interval timer of setitimer(2).
    #[derive(PartialEq, Eq)]
    Itimerval {
        /// Period, zero for a timer that fires once.
        it_interval: Timeval,
        /// Time to the next expiry, zero for a stopped timer.
        it_value: Timeval,
    }

    /// Interval timer of timer_settime(2) and timerfd_settime(2).
    #[derive(PartialEq, Eq)]
    Itimerspec {
        /// Period, zero for a timer that fires once.
        it_interval: Timespec,
        /// Time to the next expiry, zero for a stopped timer.
        it_value: Timespec,
    }

    /// State of the clock's discipline (adjtimex(2)).
    #[derive(PartialEq, Eq)]
    Timex {
        /// What is to be changed.
        modes: u32,
        /// Padding.
        pad0: u32,
        /// Offset that is being corrected.
        offset: i64,
        /// Correction of the rate, in parts per million with 16 bits behind the point.
        freq: i64,
        /// Largest error, in microseconds.
        maxerror: i64,
        /// Estimated error, in microseconds.
        esterror: i64,
        /// State of the discipline.
        status: i32,
        /// Padding.
        pad1: i32,
        /// Time constant.
        constant: i64,
        /// Precision in microseconds.
        precision: i64,
        /// Largest correction of the rate.
        tolerance: i64,
        /// Real time.
        time: Timeval,
        /// Microseconds between ticks of user space.
        tick: i64,
        /// Eight words about a pulse each second, which there is not.
        pps: [i64; 8],
        /// Seconds between atomic time and real time.
        tai: i32,
        /// Room.
        pad2: [i32; 11],
    }

    /// Time zone of gettimeofday(2).
    #[derive(PartialEq, Eq)]
    Timezone {
        /// Minutes west of Greenwich.
        tz_minuteswest: i32,
        /// Kind of daylight saving time.
        tz_dsttime: i32,
    }
}

flags! {
    /// Flags of timerfd_create(2) (`TFD_*`), which are open flags.
    TimerfdFlags {
        NONBLOCK = 0o4000, "Reads fail rather than wait.";
        CLOEXEC = 0o2_000_000, "Closed by execve.";
    }

    /// Flags of timerfd_settime(2) (`TFD_TIMER_*`).
    TimerfdSetFlags {
        ABSTIME = 1, "The time is a point of the clock, not a duration.";
        CANCEL_ON_SET = 2, "Reads fail once the clock was set.";
    }
}

/// Nanoseconds in a second.
pub const NSEC_PER_SEC: i64 = 1_000_000_000;
/// Microseconds in a second.
pub const USEC_PER_SEC: i64 = 1_000_000;
/// Clock ticks in a second as user space sees them: `AT_CLKTCK`, `sysconf(_SC_CLK_TCK)`.
pub const USER_HZ: u64 = 100;
/// In `tv_nsec` for utimensat(2): set to the current time (`linux/stat.h` of the kernel, not of its API).
pub const UTIME_NOW: i64 = (1 << 30) - 1;
/// In `tv_nsec` for utimensat(2): leave alone.
pub const UTIME_OMIT: i64 = (1 << 30) - 2;

impl Timespec {
    /// The zero time.
    pub const ZERO: Self = Self {
        tv_sec: 0,
        tv_nsec: 0,
    };

    /// Makes a time from nanoseconds.
    pub const fn from_ns(ns: u64) -> Self {
        let second = NSEC_PER_SEC as u64;
        Self {
            tv_sec: (ns / second) as i64,
            tv_nsec: (ns % second) as i64,
        }
    }

    /// Tells whether the time is one that Linux accepts as a duration or a point in time.
    pub const fn is_valid(&self) -> bool {
        self.tv_sec >= 0 && self.tv_nsec >= 0 && self.tv_nsec < NSEC_PER_SEC
    }

    /// Returns the time in nanoseconds, at most [`TIME_MAX_NS`], or `None` if the time is invalid.
    pub const fn to_ns(self) -> Option<u64> {
        if !self.is_valid() {
            return None;
        }
        let seconds = (self.tv_sec as u64).saturating_mul(NSEC_PER_SEC as u64);
        Some(at_most(seconds.saturating_add(self.tv_nsec as u64)))
    }
}

impl Timeval {
    /// Makes a time from nanoseconds, rounding down to microseconds.
    pub const fn from_ns(ns: u64) -> Self {
        let microseconds = ns / 1000;
        let second = USEC_PER_SEC as u64;
        Self {
            tv_sec: (microseconds / second) as i64,
            tv_usec: (microseconds % second) as i64,
        }
    }

    /// Tells whether the time is one that Linux accepts as a duration or a point in time.
    pub const fn is_valid(&self) -> bool {
        self.tv_sec >= 0 && self.tv_usec >= 0 && self.tv_usec < USEC_PER_SEC
    }

    /// Returns the time in nanoseconds, at most [`TIME_MAX_NS`], or `None` if the time is invalid.
    pub const fn to_ns(self) -> Option<u64> {
        if !self.is_valid() {
            return None;
        }
        let seconds = (self.tv_sec as u64).saturating_mul(NSEC_PER_SEC as u64);
        Some(at_most(seconds.saturating_add(self.tv_usec as u64 * 1000)))
    }
}

/// The longest time that the kernel counts in nanoseconds, 292 years (`KTIME_MAX`).
pub const TIME_MAX_NS: u64 = i64::MAX as u64;

const fn at_most(ns: u64) -> u64 {
    if ns < TIME_MAX_NS { ns } else { TIME_MAX_NS }
}

constants! {
    /// Clocks of clock_gettime(2).
    CLOCKS: i32 {
        CLOCK_REALTIME = 0, "Time since 1970 that can be set.";
        CLOCK_MONOTONIC = 1, "Time since an unspecified start, without jumps.";
        CLOCK_PROCESS_CPUTIME_ID = 2, "Processor time of the process.";
        CLOCK_THREAD_CPUTIME_ID = 3, "Processor time of the thread.";
        CLOCK_MONOTONIC_RAW = 4, "Monotonic time without corrections of its rate.";
        CLOCK_REALTIME_COARSE = 5, "Real time as of the last tick.";
        CLOCK_MONOTONIC_COARSE = 6, "Monotonic time as of the last tick.";
        CLOCK_BOOTTIME = 7, "Monotonic time that includes suspension.";
        CLOCK_REALTIME_ALARM = 8, "Real time that wakes a suspended machine.";
        CLOCK_BOOTTIME_ALARM = 9, "Boot time that wakes a suspended machine.";
        CLOCK_TAI = 11, "International atomic time.";
    }

    /// Flags of clock_nanosleep(2) and timer_settime(2).
    TIMER_FLAGS: u32 {
        TIMER_ABSTIME = 1, "The time is a point of the clock, not a duration.";
    }

    /// Requests of ioctl(2) to a timer's file.
    TIMERFD_IOCTLS: u32 {
        TFD_IOC_SET_TICKS = 0x4008_5400, "Sets how often it has expired.";
    }

    /// Changes that adjtimex(2) is asked for.
    ADJUSTMENTS: u32 {
        ADJ_OFFSET = 1, "The offset that is to go, slowly.";
        ADJ_FREQUENCY = 2, "The rate.";
        ADJ_MAXERROR = 4, "The largest error.";
        ADJ_ESTERROR = 8, "The likely error.";
        ADJ_STATUS = 0x10, "The status.";
        ADJ_TIMECONST = 0x20, "How fast offsets go.";
        ADJ_TAI = 0x80, "The distance of atomic time.";
        ADJ_SETOFFSET = 0x100, "Adds to real time at once.";
        ADJ_MICRO = 0x1000, "Parts of seconds are microseconds.";
        ADJ_NANO = 0x2000, "Parts of seconds are nanoseconds.";
        ADJ_TICK = 0x4000, "The length of a tick.";
        ADJ_SINGLESHOT = 0x8000, "As adjtime(3) asks.";
        ADJ_OFFSET_READONLY = 0x2000, "With the former: only tells.";
    }

    /// What adjtimex(2) returns and tells of the clock.
    CLOCK_STATES: i32 {
        STA_PLL = 1, "Offsets are for the loop that locks the phase.";
        STA_INS = 0x10, "A second is to be put in at the end of the day.";
        STA_DEL = 0x20, "A second is to be left out at the end of the day.";
        STA_RONLY = 0xff00, "What programs cannot set.";
        STA_NANO = 0x2000, "Parts of seconds are nanoseconds.";
        STA_UNSYNC = 0x40, "Nothing keeps the clock in step.";
        TIME_ERROR = 5, "The result for such a clock.";
    }

    /// Timers of setitimer(2).
    INTERVAL_TIMERS: i32 {
        ITIMER_REAL = 0, "Real time; sends SIGALRM.";
        ITIMER_VIRTUAL = 1, "User time of the process; sends SIGVTALRM.";
        ITIMER_PROF = 2, "User and system time of the process; sends SIGPROF.";
    }
}

#[cfg(test)]
mod tests {
    use super::{Timespec, Timeval};

    #[test]
    fn times_convert_to_nanoseconds_and_back() {
        let time = Timespec {
            tv_sec: 3,
            tv_nsec: 999_999_999,
        };
        assert_eq!(time.to_ns(), Some(3_999_999_999));
        assert_eq!(Timespec::from_ns(3_999_999_999), time);
        assert_eq!(
            Timeval::from_ns(1_000_001_999),
            Timeval {
                tv_sec: 1,
                tv_usec: 1
            }
        );
        assert_eq!(
            Timespec {
                tv_sec: i64::MAX,
                tv_nsec: 0
            }
            .to_ns(),
            Some(super::TIME_MAX_NS)
        );
    }

    #[test]
    fn the_discipline_is_as_long_as_linux_has_it() {
        assert_eq!(size_of::<super::Timex>(), 208);
        assert_eq!(core::mem::offset_of!(super::Timex, tai), 160);
    }

    #[test]
    fn invalid_times_are_refused() {
        assert_eq!(
            Timespec {
                tv_sec: -1,
                tv_nsec: 0
            }
            .to_ns(),
            None
        );
        assert_eq!(
            Timespec {
                tv_sec: 0,
                tv_nsec: 1_000_000_000
            }
            .to_ns(),
            None
        );
        assert_eq!(
            Timeval {
                tv_sec: 0,
                tv_usec: 1_000_000
            }
            .to_ns(),
            None
        );
        assert_eq!(
            Timeval {
                tv_sec: 0,
                tv_usec: -1
            }
            .to_ns(),
            None
        );
    }
}
