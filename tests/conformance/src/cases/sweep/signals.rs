//! Sweeps of the calls about signals.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;

use super::{
    BAD, Dimension, Effect, NOBODY, NULL, OUT, PARENT, RO, SELF, Sweep, ZERO, number, plain, values,
};
use crate::raw::{addr, call};

const SIGNALS: Dimension = values![-1, 0, 1, 9, 19, 20, 32, 64, 65, 128];
/// Of these numbers none does anything to who gets it.
const HARMLESS: Dimension = values![-1, 0, 65, 128];
const READ: Dimension = values![NULL, ZERO, BAD, -1];
const WRITTEN: Dimension = values![NULL, OUT, RO, BAD];
const SIZES: Dimension = values![0, 4, 7, 8, 9, 16, -1];
const PIDS: Dimension = values![-1, 0, 1, SELF, PARENT, NOBODY, -2147483648];
/// SI_USER, SI_QUEUE, SI_TKILL, SI_KERNEL and one of a fault's.
const CODES: Dimension = values![0, -1, -6, 128, 1];

pub(super) const SWEEPS: &[Sweep] = &[
    plain!(None rt_sigaction: SIGNALS, READ, WRITTEN, SIZES),
    plain!(None rt_sigprocmask: values![-1, 0, 1, 2, 3], READ, WRITTEN, SIZES),
    plain!(None rt_sigpending: WRITTEN, SIZES),
    // A set that can be read would be waited for.
    plain!(None rt_sigsuspend: values![NULL, BAD], SIZES),
    Sweep {
        name: "rt_sigtimedwait",
        effect: Effect::None,
        dimensions: &[
            READ,
            WRITTEN,
            values![BAD, -1, 0, 999_999_999, 1_000_000_000],
            values![0, 8],
        ],
        run: wait_no_time,
    },
    plain!(None kill: PIDS, HARMLESS),
    plain!(None tkill: PIDS, HARMLESS),
    plain!(None tgkill: PIDS, PIDS, HARMLESS),
    Sweep {
        name: "rt_sigqueueinfo",
        effect: Effect::None,
        dimensions: &[PIDS, HARMLESS, CODES],
        run: |values| queue(Sysno::rt_sigqueueinfo, &values[..1], &values[1..]),
    },
    Sweep {
        name: "rt_tgsigqueueinfo",
        effect: Effect::None,
        dimensions: &[PIDS, PIDS, HARMLESS, CODES],
        run: |values| queue(Sysno::rt_tgsigqueueinfo, &values[..2], &values[2..]),
    },
    plain!(None rt_sigqueueinfo: PIDS, HARMLESS, values![NULL, BAD]),
    Sweep {
        name: "sigaltstack",
        effect: Effect::None,
        dimensions: &[
            values![0, 1, 2, 3, 4, 0x8000_0000, 0x8000_0001, 0x8000_0002, 0x4000_0000],
            values![0, 1, 0x1_0000, -1],
            WRITTEN,
        ],
        run: alternate_stack,
    },
    plain!(None sigaltstack: values![NULL, BAD, -1], WRITTEN),
    plain!(None restart_syscall:),
    Sweep {
        name: "pidfd_send_signal",
        effect: Effect::Lasting,
        dimensions: &[
            values![-1, 0, SELF, PARENT],
            HARMLESS,
            values![NULL, BAD, ZERO],
            values![0, 1, 2, 4, 8, 3, 6],
        ],
        run: send_by_descriptor,
    },
];

fn wait_no_time(values: &[i64]) -> Result<u64, Errno> {
    let timeout = [0, values[2]];
    let timeout = if values[2] == BAD {
        number(BAD)
    } else {
        addr(&timeout)
    };
    call(
        Sysno::rt_sigtimedwait,
        &[number(values[0]), number(values[1]), timeout, number(values[3])],
    )
}

/// Queues what a structure with this code tells.
fn queue(sysno: Sysno, whom: &[i64], signal_and_code: &[i64]) -> Result<u64, Errno> {
    let mut info = [0_u64; 16];
    info[1] = number(signal_and_code[1]) & u64::from(u32::MAX);
    let mut arguments: Vec<u64> = whom.iter().map(|&value| number(value)).collect();
    arguments.extend([number(signal_and_code[0]), addr(&info)]);
    call(sysno, &arguments)
}

fn alternate_stack(values: &[i64]) -> Result<u64, Errno> {
    let stack = [number(ZERO), number(values[0]), number(values[1])];
    call(Sysno::sigaltstack, &[addr(&stack), number(values[2])])
}

fn send_by_descriptor(values: &[i64]) -> Result<u64, Errno> {
    let descriptor = match values[0] {
        SELF | PARENT => call(Sysno::pidfd_open, &[number(values[0]), 0])?,
        other => number(other),
    };
    let rest = values[1..].iter().map(|&value| number(value));
    let arguments: Vec<u64> = core::iter::once(descriptor).chain(rest).collect();
    call(Sysno::pidfd_send_signal, &arguments)
}
