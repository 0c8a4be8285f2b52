//! Clocks, sleeping, timers.

mod adjust;
mod clock;
mod interval;
mod sleep;
mod timer;
mod timer_file;

pub(crate) use adjust::{adjtimex, clock_adjtime};
pub(crate) use clock::{clock_getres, clock_gettime, clock_settime, gettimeofday, settimeofday, time};
pub(crate) use interval::{alarm, getitimer, setitimer};
pub(crate) use sleep::{clock_nanosleep, nanosleep};
pub(crate) use timer::{timer_create, timer_delete, timer_getoverrun, timer_gettime, timer_settime};
pub(crate) use timer_file::{timerfd_create, timerfd_gettime, timerfd_settime};
