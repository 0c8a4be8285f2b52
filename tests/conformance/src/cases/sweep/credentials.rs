//! Sweeps of the calls that change who a process is, by the superuser and by others.

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;

use super::{
    BAD, Dimension, Effect, NOBODY, NULL, OUT, PARENT, RO, SELF, Sweep, ZERO, number, plain, values,
};
use crate::raw::{addr, call};

/// A user who may do nothing, the same with a saved id of 0, and the superuser.
const WHO: Dimension = values![USER, WAS_ROOT, ROOT];
const ROOT: i64 = 0;
const USER: i64 = 1000;
const WAS_ROOT: i64 = 1001;
const IDS: Dimension = values![-1, 0, 1000, 2000];
const WRITTEN: Dimension = values![NULL, OUT, RO, BAD];

/// Makes a sweep of a call that changes ids: who calls it, and with what.
macro_rules! identity {
    ($call:ident: $($dimension:expr),*) => {
        Sweep {
            name: stringify!($call),
            effect: Effect::Lasting,
            dimensions: &[WHO, $($dimension),*],
            run: |values| {
                become_user(values[0])?;
                super::make(Sysno::$call, &values[1..])
            },
        }
    };
}

pub(super) const SWEEPS: &[Sweep] = &[
    identity!(setuid: IDS),
    identity!(setgid: IDS),
    identity!(setreuid: IDS, IDS),
    identity!(setregid: IDS, IDS),
    identity!(setresuid: IDS, IDS, IDS),
    identity!(setresgid: IDS, IDS, IDS),
    plain!(None getresuid: WRITTEN, WRITTEN, WRITTEN),
    plain!(None getresgid: WRITTEN, WRITTEN, WRITTEN),
    identity!(setgroups: values![-1, 0, 1, 65536, 65537], values![NULL, ZERO, BAD]),
    Sweep {
        name: "getgroups",
        effect: Effect::Lasting,
        dimensions: &[values![-1, 0, 1, 2, 3, 65537], WRITTEN],
        run: |values| {
            call(Sysno::setgroups, &[2, number(ZERO)])?;
            super::make(Sysno::getgroups, values)
        },
    },
    Sweep {
        name: "capget",
        effect: Effect::None,
        dimensions: &[VERSIONS, PIDS, WRITTEN],
        run: |values| {
            let header = header(values);
            call(Sysno::capget, &[addr(&header), number(values[2])])
        },
    },
    plain!(None capget: values![NULL, BAD], WRITTEN),
    Sweep {
        name: "capset",
        effect: Effect::Lasting,
        dimensions: &[WHO, VERSIONS, PIDS, values![NULL, BAD, 0, 1, 2, 4]],
        run: set_capabilities,
    },
    plain!(Lasting capset: values![NULL, BAD], values![NULL, ZERO, BAD]),
    plain!(Lasting prctl: KEYS, values![-1, 0, 1, 2, 40, 41, 63, 64], values![0, 1], values![0, 1], values![0, 1]),
    plain!(Lasting prctl: values![47], values![0, 1, 2, 3, 4, 5], values![0, 1, 40, 41], values![0, 1], values![0, 1]),
    Sweep {
        name: "prctl(SECUREBITS)",
        effect: Effect::Lasting,
        dimensions: &[WHO, values![0, 1, 2, 4, 16, 32, 64, 128, 4096, -1]],
        run: |values| {
            become_user(values[0])?;
            call(Sysno::prctl, &[28, number(values[1]), 0, 0, 0])
        },
    },
    identity!(getpgid: values![-1, NOBODY]),
    identity!(getsid: values![-1, NOBODY]),
    identity!(setpgid: PIDS, values![-1, 0, 1, SELF, NOBODY]),
    identity!(setpriority: values![-1, 0, 3], values![0, SELF, NOBODY, -1], values![-21, 0, 20]),
    identity!(getpriority: values![-1, 0, 1, 3], values![0, SELF, NOBODY, -1]),
    identity!(sched_setparam: values![-1, 0, NOBODY], values![NULL, ZERO, BAD]),
    identity!(prlimit64: PIDS, values![-1, 0, 7, 15, 16], values![NULL, BAD], WRITTEN),
    Sweep {
        name: "prlimit64",
        effect: Effect::Lasting,
        dimensions: &[
            WHO,
            values![0, PARENT],
            values![10, 16],
            values![0, 1, 4096, -1],
            values![0, 1, 4096, -1],
        ],
        run: |values| {
            // The limits of the parent are set to what they are before it is asked for as a user.
            become_user(values[0])?;
            let limit = &values[3..5];
            let pid = if values[1] == PARENT && values[0] == ROOT {
                NOBODY
            } else {
                values[1]
            };
            call(
                Sysno::prlimit64,
                &[number(pid), number(values[2]), addr(limit), 0],
            )
        },
    },
];

const VERSIONS: Dimension = &[
    ("none", 0),
    ("1", 0x1998_0330),
    ("2", 0x2007_1026),
    ("3", 0x2008_0522),
];
const PIDS: Dimension = values![-1, 0, 1, SELF, PARENT, NOBODY];
/// PR_GET_KEEPCAPS, PR_SET_KEEPCAPS, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_GET_SECUREBITS, and both of
/// no_new_privs.
const KEYS: Dimension = values![7, 8, 23, 24, 27, 38, 39];

/// Takes an identity on. No group but that of the user is left.
fn become_user(who: i64) -> Result<(), Errno> {
    call(Sysno::setgroups, &[0, 0])?;
    if who == ROOT {
        return Ok(());
    }
    let id = USER.cast_unsigned();
    let saved = if who == WAS_ROOT { 0 } else { id };
    call(Sysno::setresgid, &[id, id, saved])?;
    call(Sysno::setresuid, &[id, id, saved])?;
    Ok(())
}

/// `struct __user_cap_header_struct`: a version and a process.
fn header(values: &[i64]) -> [u32; 2] {
    [values[0], values[1]].map(|value| number(value) as u32)
}

/// The last value is the data's place, or the bit of a capability that goes into the inheritable set (1), with
/// the permitted one as well (2), or into the effective one alone (4).
fn set_capabilities(values: &[i64]) -> Result<u64, Errno> {
    become_user(values[0])?;
    let header = header(&values[1..3]);
    let mut data = [0_u32; 6];
    match values[3] {
        1 => data[2] = 1,
        2 => data[..3].fill(1),
        4 => data[0] = 1,
        _ => {}
    }
    let data = match values[3] {
        NULL | BAD => number(values[3]),
        _ => addr(&data),
    };
    call(Sysno::capset, &[addr(&header), data])
}
