//! Sweeps of the calls about scheduling.

use los_abi::errno::Errno;
use los_abi::schedule::SchedAttr;
use los_abi::syscall::Sysno;

use super::{BAD, Dimension, Effect, NOBODY, NULL, OUT, RO, SELF, Sweep, ZERO, number, plain, values};
use crate::raw::{addr, addr_mut, call};

const POLICIES: Dimension = values![-1, 0, 1, 2, 3, 4, 5, 6, 8, 0x4000_0000, 0x4000_0001, 0x4000_0004];
const PRIORITIES: Dimension = values![-1, 0, 1, 99, 100];
const WRITTEN: Dimension = values![NULL, OUT, RO, BAD];
const PIDS: Dimension = values![-1, 0, SELF, NOBODY];
/// The superuser, and one who may do nothing.
const WHO: Dimension = values![ROOT, USER];
const ROOT: i64 = 0;
const USER: i64 = 1000;
const MILLISECOND: i64 = 1_000_000;

pub(super) const SWEEPS: &[Sweep] = &[
    Sweep {
        name: "sched_setscheduler",
        effect: Effect::Lasting,
        dimensions: &[WHO, PIDS, POLICIES, PRIORITIES],
        run: |values| {
            become_user(values[0])?;
            let priority = values[3] as i32;
            call(
                Sysno::sched_setscheduler,
                &[number(values[1]), number(values[2]), addr(&priority)],
            )
        },
    },
    plain!(Lasting sched_setscheduler: PIDS, POLICIES, values![NULL, BAD]),
    plain!(None sched_getscheduler: PIDS),
    plain!(None sched_getparam: PIDS, WRITTEN),
    plain!(None sched_rr_get_interval: PIDS, WRITTEN),
    plain!(None sched_get_priority_min: POLICIES),
    plain!(None sched_get_priority_max: POLICIES),
    plain!(None sched_getaffinity: PIDS, values![0, 1, 4, 7, 8, 9, 16, 128], WRITTEN),
    plain!(Lasting sched_setaffinity: PIDS, values![0, 1, 8, 128], values![NULL, ZERO, BAD]),
    plain!(None sched_getattr: PIDS, WRITTEN, values![0, 47, 48, 52, 56, 4096, 4097], values![0, 1]),
    plain!(Lasting sched_setattr: PIDS, values![NULL, BAD, RO, ZERO], values![0, 1]),
    Sweep {
        name: "sched_setattr(size)",
        effect: Effect::Lasting,
        dimensions: &[
            values![0, 1, 47, 48, 52, 56, 64, 4096, 4097],
            values![0, 1],
            values![0, 32, 64],
        ],
        run: |values| {
            let mut words = [0_u64; 513];
            words[0] = number(values[0]);
            words[1] = number(values[2]);
            words[7] = number(values[1]);
            call(Sysno::sched_setattr, &[0, addr(&words), 0])
        },
    },
    Sweep {
        name: "sched_setattr",
        effect: Effect::Lasting,
        dimensions: &[
            WHO,
            values![-1, 0, 1, 2, 3, 4, 5, 8],
            values![0, 1, 2, 4, 8, 16, 24, 32, 64, 128],
            values![-21, 0, 5],
            values![0, 1, 100],
        ],
        run: |values| {
            become_user(values[0])?;
            set_attributes(SchedAttr {
                sched_policy: values[1] as u32,
                sched_flags: number(values[2]),
                sched_nice: values[3] as i32,
                sched_priority: values[4] as u32,
                ..SchedAttr::default()
            })
        },
    },
    Sweep {
        name: "sched_setattr(DEADLINE)",
        effect: Effect::Lasting,
        dimensions: &[
            WHO,
            values![0, 1, 2],
            values![0, 1],
            values![0, 1023, 50_000, MILLISECOND],
            values![-1, 0, 99999, 10 * MILLISECOND],
            values![-1, 0, 100_000, 10 * MILLISECOND, 5000 * MILLISECOND],
        ],
        run: |values| {
            become_user(values[0])?;
            set_attributes(SchedAttr {
                sched_policy: 6,
                sched_flags: number(values[1]),
                sched_priority: values[2] as u32,
                sched_runtime: number(values[3]),
                sched_deadline: number(values[4]),
                sched_period: number(values[5]),
                ..SchedAttr::default()
            })
        },
    },
    Sweep {
        name: "with SCHED_DEADLINE",
        effect: Effect::Lasting,
        dimensions: &[
            values![0, 1, 2],
            values![FORK, GET, PARAM, FIFO, NICE, AFFINITY, YIELD, INTERVAL],
        ],
        run: do_with_deadline,
    },
    plain!(None ioprio_get: values![-1, 0, 1, 2, 3, 4], values![-1, 0, SELF, NOBODY]),
    plain!(None ioprio_set: values![0, 1, 4], values![-1, 0, NOBODY], values![0, 7, 0x2000, 0x2007, 0x4004, 0x6000, 0x6007, 0x8000, -1]),
    plain!(None getcpu: WRITTEN, WRITTEN),
    plain!(None sched_yield:),
];

fn become_user(who: i64) -> Result<(), Errno> {
    if who != ROOT {
        let id = number(who);
        call(Sysno::setresuid, &[id, id, id])?;
    }
    Ok(())
}

fn set_attributes(new: SchedAttr) -> Result<u64, Errno> {
    let new = SchedAttr {
        size: size_of::<SchedAttr>() as u32,
        ..new
    };
    call(Sysno::sched_setattr, &[0, addr(&new), 0])
}

// What a thread with a deadline does.
const FORK: i64 = 0;
const GET: i64 = 1;
const PARAM: i64 = 2;
const FIFO: i64 = 3;
const NICE: i64 = 4;
const AFFINITY: i64 = 5;
const YIELD: i64 = 7;
const INTERVAL: i64 = 8;

/// Takes a deadline, with these flags, and does one thing more.
fn do_with_deadline(values: &[i64]) -> Result<u64, Errno> {
    set_attributes(SchedAttr {
        sched_policy: 6,
        sched_flags: number(values[0]),
        sched_runtime: number(MILLISECOND),
        sched_deadline: number(10 * MILLISECOND),
        sched_period: number(20 * MILLISECOND),
        ..SchedAttr::default()
    })?;
    let mut word = [0_u64; 2];
    match values[1] {
        FORK => {
            const SIGCHLD: u64 = 17;
            let child = call(Sysno::clone, &[SIGCHLD])?;
            if child == 0 {
                rt::process::exit_now(0);
            }
            Ok(child)
        }
        GET => call(Sysno::sched_getscheduler, &[0]),
        PARAM => call(Sysno::sched_setparam, &[0, addr(&word)]),
        FIFO => call(Sysno::sched_setscheduler, &[0, 1, addr(&1_u32)]),
        NICE => call(Sysno::setpriority, &[0, 0, 5]),
        AFFINITY => call(Sysno::sched_setaffinity, &[0, 8, addr(&[u64::MAX])]),
        YIELD => call(Sysno::sched_yield, &[]),
        _ => call(Sysno::sched_rr_get_interval, &[0, addr_mut(&mut word)]),
    }
}
