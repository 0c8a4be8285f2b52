//! Sweeps of the futex calls. Nothing here waits: words do not have the value, or the time is over.

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;

use super::{BAD, Dimension, Effect, NOBODY, NULL, OUT, RO, SELF, Sweep, ZERO, number, plain, values};
use crate::raw::{addr, call, poke};

const WORDS: Dimension = values![NULL, ZERO, MISALIGNED, RO, BAD];
const MISALIGNED: i64 = ZERO + 2;
/// Alone, FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME, both.
const OPTIONS: Dimension = values![0, 128, 256, 384];
const WRITTEN: Dimension = values![NULL, OUT, RO, BAD];

pub(super) const SWEEPS: &[Sweep] = &[
    Sweep {
        name: "futex(wakers)",
        effect: Effect::None,
        dimensions: &[
            values![1, 2, 3, 4, 5, 7, 10, 12, 14, 127],
            OPTIONS,
            WORDS,
            values![0, 1, -1],
            values![NULL, ZERO, OUT, MISALIGNED, BAD],
            values![0, 1],
        ],
        run: |values| {
            let operation = number(values[0] | values[1]);
            let [word, value, second, compared] = [2, 3, 4, 5].map(|index| number(values[index]));
            call(Sysno::futex, &[word, operation, value, 1, second, compared])
        },
    },
    Sweep {
        name: "futex(waiters)",
        effect: Effect::None,
        dimensions: &[
            values![0, 6, 8, 9, 11, 13],
            OPTIONS,
            WORDS,
            values![1],
            values![NULL, BAD, -1, 1_000_000_000, 0],
            values![0, -1],
        ],
        run: |values| {
            let time = [0, values[4]];
            let time = if [NULL, BAD].contains(&values[4]) {
                number(values[4])
            } else {
                addr(&time)
            };
            let operation = number(values[0] | values[1]);
            call(
                Sysno::futex,
                &[
                    number(values[2]),
                    operation,
                    number(values[3]),
                    time,
                    number(OUT),
                    number(values[5]),
                ],
            )
        },
    },
    Sweep {
        name: "futex(time over)",
        effect: Effect::None,
        dimensions: &[values![0, 9], values![0, 256], values![ZERO], values![0, 1, -1]],
        run: |values| {
            let operation = number(values[0] | values[1]);
            let nothing = [0_u64; 2];
            call(
                Sysno::futex,
                &[
                    number(values[2]),
                    operation,
                    0,
                    addr(&nothing),
                    0,
                    number(values[3]),
                ],
            )
        },
    },
    Sweep {
        name: "futex(PI)",
        effect: Effect::Lasting,
        dimensions: &[
            values![6, 7, 8, 13],
            values![0, SELF, DIED, WAITERS, BOTH, 1, NOBODY],
        ],
        run: lock_with_owner,
    },
    plain!(None futex_waitv: values![NULL, ZERO, BAD], values![0, 1, 128, 129], values![0, 1], values![NULL, BAD], values![0, 1, 2]),
    plain!(None futex_wake: WORDS, values![0, 1, -1], values![0, 1, -1], FLAGS),
    Sweep {
        name: "futex_wait",
        effect: Effect::None,
        dimensions: &[
            WORDS,
            values![1, 0x1_0000_0000],
            values![0, 1, -1, 0x1_0000_0000],
            FLAGS,
            values![NULL, BAD],
        ],
        run: |values| {
            let [word, value, mask, flags, time] = [0, 1, 2, 3, 4].map(|index| number(values[index]));
            call(Sysno::futex_wait, &[word, value, mask, flags, time, 1])
        },
    },
    plain!(None futex_wait: WORDS, values![1], values![1], values![2], values![NULL, ZERO], values![-1, 0, 1, 2, 3]),
    plain!(None futex_requeue: values![NULL, ZERO, BAD], values![0, 1], values![-1, 0, 1], values![-1, 0, 1]),
    plain!(Lasting set_robust_list: values![NULL, ZERO, BAD], values![0, 23, 24, 25]),
    plain!(None get_robust_list: values![-1, 0, SELF, NOBODY], WRITTEN, WRITTEN),
    plain!(Lasting set_tid_address: WRITTEN),
];

/// Sizes of the word, of which one is supported, FUTEX2_PRIVATE, and what is not there.
const FLAGS: Dimension = values![0, 1, 2, 3, 0x82, 0x102];

const DIED: i64 = 0x4000_0000;
const WAITERS: i64 = 0x8000_0000;
const BOTH: i64 = 0xc000_0000;

/// Tries to lock, or to unlock, a word that says who has it.
fn lock_with_owner(values: &[i64]) -> Result<u64, Errno> {
    let nothing = [0_u64; 2];
    poke(number(ZERO), number(values[1]) as u32);
    call(
        Sysno::futex,
        &[number(ZERO), number(values[0]), 0, addr(&nothing), 0, 0],
    )
}
