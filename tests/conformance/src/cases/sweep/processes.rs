//! Sweeps of the calls that make processes and threads, wait for them, and set what they have. New namespaces
//! and pointer authentication are left out: whether a kernel has them is its builder's matter.

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;
use los_abi::task::CloneArgs;

use super::{
    BAD, Dimension, Effect, NOBODY, NULL, OUT, PARENT, RO, SELF, Sweep, ZERO, number, plain, values,
};
use crate::raw::call;
use crate::thread::{self, STACK_BYTES, Words};

const WRITTEN: Dimension = values![NULL, OUT, RO, BAD];

/// Flags of clone: all that make no namespace.
const FLAGS: Dimension = &[
    ("-", 0),
    ("VM", 0x100),
    ("FS", 0x200),
    ("FILES", 0x400),
    ("SIGHAND", 0x800),
    ("PIDFD", 0x1000),
    ("PTRACE", 0x2000),
    ("VFORK", 0x4000),
    ("PARENT", 0x8000),
    ("THREAD", 0x1_0000),
    ("SYSVSEM", 0x4_0000),
    ("SETTLS", 0x8_0000),
    ("PARENT_SETTID", 0x10_0000),
    ("CHILD_CLEARTID", 0x20_0000),
    ("DETACHED", 0x40_0000),
    ("UNTRACED", 0x80_0000),
    ("CHILD_SETTID", 0x100_0000),
    ("IO", 0x8000_0000),
    ("CLEAR_SIGHAND", 0x1_0000_0000),
    ("bit 35", 1 << 35),
];
/// What flags are added to, for triples that make sense.
const BASES: Dimension = &[
    ("-", 0),
    ("VM", 0x100),
    ("VM|SIGHAND", 0x900),
    ("VM|SIGHAND|THREAD", 0x1_0900),
];

pub(super) const SWEEPS: &[Sweep] = &[
    Sweep {
        name: "clone",
        effect: Effect::Lasting,
        dimensions: &[BASES, FLAGS, FLAGS],
        run: |values| {
            // The higher half of the word belongs to clone3.
            let flags = number((values[0] | values[1] | values[2]) & 0xffff_ffff);
            thread::clone_on(stack_for(flags)?, flags | SIGCHLD, WORDS, nothing, 0)
        },
    },
    Sweep {
        name: "clone3",
        effect: Effect::Lasting,
        dimensions: &[BASES, FLAGS, FLAGS],
        run: |values| {
            let flags = number(values[0] | values[1] | values[2]);
            let is_sibling = flags & 0x1_8000 != 0;
            clone3(flags, if is_sibling { 0 } else { SIGCHLD }, CLONE_ARGS_BYTES)
        },
    },
    Sweep {
        name: "clone3(exit signal)",
        effect: Effect::Lasting,
        dimensions: &[
            values![0, 0x8000, 0x1_0900],
            values![0, 17, 65, 128, 255, 256, -1],
        ],
        run: |values| clone3(number(values[0]), number(values[1]), CLONE_ARGS_BYTES),
    },
    plain!(None clone3: values![NULL, BAD], values![0, 63, 64, 88, 4096, 4097]),
    plain!(Lasting unshare: FLAGS),
    Sweep {
        name: "unshare(pairs)",
        effect: Effect::Lasting,
        dimensions: &[
            values![ALONE, THREADED],
            values![0, 0x100, 0x200, 0x400, 0x800, 0x1_0000, 0x4_0000, 0x8000],
            values![0, 0x200, 0x400],
        ],
        run: |values| {
            if values[0] == THREADED {
                thread::start(sleep, 0)?;
            }
            call(Sysno::unshare, &[number(values[1] | values[2])])
        },
    },
    Sweep {
        name: "wait4",
        effect: Effect::Lasting,
        dimensions: &[
            CHILDREN,
            values![-1, 0, CHILD, SELF, NOBODY, -2147483648],
            OPTIONS,
            OPTIONS,
            values![NULL, BAD],
        ],
        run: |values| {
            let child = child(values[0])?;
            let [pid, _] = [values[1], 0].map(|value| if value == CHILD { child } else { number(value) });
            let options = number(values[2] | values[3] | NOHANG);
            call(Sysno::wait4, &[pid, number(values[4]), options, 0])
        },
    },
    Sweep {
        name: "waitid",
        effect: Effect::Lasting,
        dimensions: &[
            CHILDREN,
            values![-1, 0, 1, 2, 3, 4],
            values![-1, 0, CHILD, NOBODY],
            OPTIONS,
            OPTIONS,
        ],
        run: |values| {
            let child = child(values[0])?;
            let whom = if values[2] == CHILD {
                child
            } else {
                number(values[2])
            };
            let options = number(values[3] | values[4] | NOHANG);
            call(Sysno::waitid, &[number(values[1]), whom, number(OUT), options, 0])
        },
    },
    Sweep {
        name: "waitid(pointers)",
        effect: Effect::Lasting,
        dimensions: &[CHILDREN, WRITTEN, WRITTEN],
        run: |values| {
            child(values[0])?;
            call(
                Sysno::waitid,
                &[0, 0, number(values[1]), number(4 | NOHANG), number(values[2])],
            )
        },
    },
    plain!(None pidfd_open: values![-1, 0, 1, SELF, PARENT, NOBODY], values![0, 1, 0x80, 0x800, 0x880, 0x8_0000]),
    plain!(None getrusage: values![-3, -2, -1, 0, 1, 2], WRITTEN),
    plain!(None getrlimit: values![-1, 0, 15, 16], WRITTEN),
    plain!(Lasting setrlimit: values![-1, 0, 15, 16], values![NULL, BAD]),
    plain!(None kcmp: values![-1, SELF, NOBODY], values![SELF, PARENT, NOBODY], values![-1, 1, 2, 3, 4, 5, 6, 8]),
    plain!(Lasting prctl: values![1, 2, 36, 37, 3, 4, 13, 14], values![-1, 0, 1, 2, 64, 65, OUT, RO, BAD]),
    plain!(Lasting prctl: values![15, 16], values![NULL, OUT, RO, BAD]),
    plain!(Lasting prctl: values![41, 42], values![0, 1, 2], values![0, 1], values![0, 1], values![0, 1]),
    plain!(Lasting prctl: values![-1, 0, 17, 18, 1000, 0x6162], values![0, 1, OUT]),
    plain!(Lasting set_tid_address: WRITTEN),
];

const SIGCHLD: u64 = 17;
const CLONE_ARGS_BYTES: u64 = size_of::<CloneArgs>() as u64;
/// Where numbers and descriptors go, and the thread pointer of a child that makes no use of it.
const WORDS: Words = Words {
    parent_tid: OUT as u64,
    child_tid: ZERO as u64,
    tls: ZERO as u64,
};

extern "C" fn nothing(_: u64) -> i32 {
    0
}

extern "C" fn sleep(_: u64) -> i32 {
    rt::time::sleep_ms(60_000);
    0
}

fn stack_for(flags: u64) -> Result<u64, Errno> {
    const VM: u64 = 0x100;
    if flags & VM == 0 {
        return Ok(0);
    }
    Ok(thread::stack()? + STACK_BYTES)
}

fn clone3(flags: u64, exit_signal: u64, size: u64) -> Result<u64, Errno> {
    let stack = stack_for(flags)?;
    let arguments = CloneArgs {
        flags,
        pidfd: number(OUT) + 8,
        child_tid: WORDS.child_tid,
        parent_tid: WORDS.parent_tid,
        exit_signal,
        stack: stack.saturating_sub(STACK_BYTES),
        stack_size: stack.min(STACK_BYTES),
        tls: WORDS.tls,
        ..CloneArgs::default()
    };
    thread::clone3(&arguments, size, nothing, 0)
}

const ALONE: i64 = 0;
const THREADED: i64 = 1;

/// Whether there is a child, and whether it has ended.
const CHILDREN: Dimension = values![NONE, LIVES, ENDED];
const NONE: i64 = 0;
const LIVES: i64 = 1;
const ENDED: i64 = 2;
/// The number of that child.
const CHILD: i64 = 0xc41d;
/// Options of waiting, one by one.
const OPTIONS: Dimension = &[
    ("-", 0),
    ("UNTRACED", 2),
    ("EXITED", 4),
    ("CONTINUED", 8),
    ("bit 4", 16),
    ("NOWAIT", 0x0100_0000),
    ("NOTHREAD", 0x2000_0000),
    ("ALL", 0x4000_0000),
    ("CLONE", 0x8000_0000),
];
const NOHANG: i64 = 1;

/// Makes a child that lives on, or has ended, and returns its number.
fn child(kind: i64) -> Result<u64, Errno> {
    if kind == NONE {
        return Ok(number(NOBODY));
    }
    let parent = number(SELF);
    let pid = call(Sysno::clone, &[SIGCHLD])?;
    if pid == 0 {
        while kind == LIVES && call(Sysno::getppid, &[]) == Ok(parent) {
            rt::time::sleep_ms(5);
        }
        rt::process::exit_now(0);
    }
    if kind == ENDED {
        const EXITED_AND_NOWAIT: u64 = 0x0100_0004;
        call(Sysno::waitid, &[0, 0, 0, EXITED_AND_NOWAIT, 0])?;
    }
    Ok(pid)
}
