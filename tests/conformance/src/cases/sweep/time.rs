//! Sweeps of the calls about clocks and timers. Nothing here sets a clock.

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;

use super::{BAD, Dimension, Effect, NULL, OUT, RO, SELF, Sweep, ZERO, number, plain, values};
use crate::raw::{addr, addr_mut, call};

/// The alarm clocks, 8 and 9, are left out: whether they are there is the machine's matter.
const CLOCKS: Dimension = values![
    0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 16, -1, -2, -5, -6, -7, -8, 2147483647
];
const WRITTEN: Dimension = values![NULL, OUT, RO, BAD];
const WRONG: Dimension = values![NULL, BAD, -1];
const SECONDS: Dimension = values![-1, 0];
const FRACTIONS: Dimension = values![-1, 0, 1_000_000_000];

pub(super) const SWEEPS: &[Sweep] = &[
    plain!(None clock_gettime: CLOCKS, WRITTEN),
    plain!(None clock_getres: CLOCKS, WRITTEN),
    plain!(None clock_settime: CLOCKS, WRONG),
    Sweep {
        name: "clock_settime",
        effect: Effect::None,
        dimensions: &[CLOCKS, values![-1, 1_000_000_000]],
        run: |values| {
            let time = [1, values[1]];
            call(Sysno::clock_settime, &[number(values[0]), addr(&time)])
        },
    },
    plain!(None clock_nanosleep: CLOCKS, values![0, 1, 2], WRONG, WRITTEN),
    Sweep {
        name: "clock_nanosleep",
        effect: Effect::None,
        dimensions: &[CLOCKS, values![0, 1, 2, 3], SECONDS, FRACTIONS],
        run: |values| {
            let time = [values[2], values[3]];
            call(
                Sysno::clock_nanosleep,
                &[number(values[0]), number(values[1]), addr(&time), number(BAD)],
            )
        },
    },
    plain!(None nanosleep: WRONG, WRITTEN),
    Sweep {
        name: "nanosleep",
        effect: Effect::None,
        dimensions: &[SECONDS, FRACTIONS, WRITTEN],
        run: |values| {
            let time = [values[0], values[1]];
            call(Sysno::nanosleep, &[addr(&time), number(values[2])])
        },
    },
    plain!(None timer_create: CLOCKS, values![NULL, ZERO, BAD], WRITTEN),
    Sweep {
        name: "timer_create",
        effect: Effect::Lasting,
        dimensions: &[
            values![0, 2, 4, -6],
            values![0, 1, 2, 3, 4, 5, 6, -1],
            values![0, 64, 65],
            values![0, SELF, 1],
        ],
        run: create_timer,
    },
    plain!(None timer_gettime: values![-1, 0, 2147483647], WRITTEN),
    plain!(None timer_getoverrun: values![-1, 0, 2147483647]),
    plain!(None timer_delete: values![-1, 0, 2147483647]),
    plain!(None timer_settime: values![-1, 0, 2147483647], values![0, 1, 2], values![NULL, ZERO, BAD], WRITTEN),
    Sweep {
        name: "timer_settime",
        effect: Effect::Lasting,
        dimensions: &[
            values![0, 1, 2, 3, 4],
            SECONDS,
            values![-1, 0, 999_999_999, 1_000_000_000],
            SECONDS,
            values![-1, 0, 1_000_000_000],
            WRITTEN,
        ],
        run: set_timer,
    },
    plain!(None getitimer: values![-1, 0, 1, 2, 3], WRITTEN),
    plain!(None setitimer: values![-1, 0, 1, 2, 3], values![NULL, ZERO, BAD], WRITTEN),
    Sweep {
        name: "setitimer",
        effect: Effect::None,
        dimensions: &[
            values![-1, 0, 1, 2, 3],
            SECONDS,
            values![-1, 0, 1_000_000],
            SECONDS,
            values![-1, 0, 1_000_000],
        ],
        run: |values| {
            let setting = &values[1..];
            call(Sysno::setitimer, &[number(values[0]), addr(setting), 0])
        },
    },
    plain!(None gettimeofday: WRITTEN, WRITTEN),
    plain!(None times: WRITTEN),
];

/// An event has a value, a signal, a way of notification, and a thread.
fn create_timer(values: &[i64]) -> Result<u64, Errno> {
    let low = |value: i64| number(value) & u64::from(u32::MAX);
    let mut event = [0_u64; 8];
    event[1] = low(values[2]) | low(values[1]) << 32;
    event[2] = low(values[3]);
    call(
        Sysno::timer_create,
        &[number(values[0]), addr(&event), number(OUT)],
    )
}

fn set_timer(values: &[i64]) -> Result<u64, Errno> {
    const NO_SIGNAL: u64 = 1 << 32;
    let mut event = [0_u64; 8];
    event[1] = NO_SIGNAL;
    let mut timer = 0_u32;
    call(Sysno::timer_create, &[1, addr(&event), addr_mut(&mut timer)])?;
    let setting = &values[1..5];
    call(
        Sysno::timer_settime,
        &[timer.into(), number(values[0]), addr(setting), number(values[5])],
    )
}
