//! Clocks, sleeping, interval timers.

mod clock;
mod interval;
mod sleep;

pub(crate) use clock::{clock_getres, clock_gettime, gettimeofday, time};
pub(crate) use interval::{alarm, setitimer};
pub(crate) use sleep::{clock_nanosleep, nanosleep};
