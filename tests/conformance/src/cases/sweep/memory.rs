//! Sweeps of the calls about memory.

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;

use super::{
    BAD, Dimension, Effect, NOBODY, NULL, OUT, RO, SCRATCH, SELF, Sweep, ZERO, number, plain, values,
};
use crate::raw::{addr, call};

/// Three pages that the sweep has mapped, then one that is not; half a page off; the kernel's half.
const PLACES: Dimension = values![NULL, ZERO, RO, BAD, ODD, KERNEL, -4096];
const ODD: i64 = SCRATCH + 0x800;
/// Where nothing is mapped.
const FREE: i64 = 0x20_0000_0000;
const KERNEL: i64 = 0xffff_8000_0000_0000_u64.cast_signed();
const LENGTHS: Dimension = values![0, 1, 0x1000, 0x2000, 0x4000, -1, -4096];
const WRITTEN: Dimension = values![NULL, OUT, RO, BAD];

pub(super) const SWEEPS: &[Sweep] = &[
    Sweep {
        name: "mmap(anonymous)",
        effect: Effect::Lasting,
        dimensions: &[
            values![FREE, ZERO, ODD, KERNEL],
            values![0, 1, 0x4000, -1],
            values![0, 3, 7, 8],
            values![
                0, 1, 2, 3, 4, 0x12, 0x13, 0x10_0002, 0x10_0012, 0x102, 0x8_0003, 0x2000
            ],
            values![0, 1, 0x1000],
        ],
        run: |values| {
            const ANONYMOUS: u64 = 0x20;
            let [place, length, protection, flags, offset] =
                [0, 1, 2, 3, 4].map(|index| number(values[index]));
            call(
                Sysno::mmap,
                &[place, length, protection, flags | ANONYMOUS, u64::MAX, offset],
            )
        },
    },
    Sweep {
        name: "mmap(file)",
        effect: Effect::Lasting,
        dimensions: &[
            values![READ_ONLY, WRITE_ONLY, READ_WRITE, DIRECTORY, NO_FILE],
            values![0, 1, 0x2000, -1],
            values![0, 1, 2, 3, 4, 7],
            values![0, 1, 2, 3, 0x12],
            values![0, 1, -4096],
        ],
        run: map_file,
    },
    plain!(Lasting munmap: PLACES, LENGTHS),
    plain!(Lasting mprotect: PLACES, LENGTHS, values![0, 1, 3, 7, 0x0100_0000, 0x0200_0000, 0x0300_0000, -1]),
    plain!(Lasting mremap: values![ZERO, RO], values![0, 0x1000, 0x2000, -1], values![0, 0x1000, 0x4000, -1], values![0, 1, 2, 3, 4, 5, 8], values![OUT, FREE, ODD]),
    // With MREMAP_FIXED, of two errors Linux tells another one since 6.17.
    plain!(Lasting mremap: values![NULL, BAD, ODD, KERNEL], values![0, 0x1000, 0x2000, -1], values![0, 0x1000, 0x4000, -1], values![0, 1, 2, 4, 8], values![FREE]),
    plain!(Lasting madvise: PLACES, values![0, 1, 0x1000, 0x4000, -1], values![-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 26]),
    plain!(Lasting mlock: PLACES, LENGTHS),
    plain!(Lasting munlock: PLACES, LENGTHS),
    plain!(Lasting mlock2: values![NULL, ZERO, BAD], values![0, 0x1000, 0x4000], values![-1, 0, 1, 2]),
    plain!(Lasting mlockall: values![-1, 0, 2, 4, 6, 8, 10]),
    plain!(None msync: PLACES, LENGTHS, values![-1, 0, 1, 2, 3, 4, 5, 6, 8]),
    plain!(None mincore: PLACES, values![0, 1, 0x1000, 0x4000, -1], WRITTEN),
    plain!(None membarrier: values![-1, 0, 1, 2, 4, 8, 16, 32, 64, 3], values![0, 2], values![0, -1]),
    Sweep {
        name: "memfd_create",
        effect: Effect::Lasting,
        dimensions: &[
            values![NULL, ZERO, BAD, LONGEST, TOO_LONG],
            values![-1, 0, 1, 2, 3, 8, 16, 24, 32],
        ],
        run: |values| {
            let mut name = [b'a'; 300];
            let place = match values[0] {
                LONGEST | TOO_LONG => {
                    name[values[0] as usize] = 0;
                    addr(&name)
                }
                place => number(place),
            };
            call(Sysno::memfd_create, &[place, number(values[1])])
        },
    },
    Sweep {
        name: "process_vm_readv",
        effect: Effect::None,
        dimensions: &[
            values![-1, 1, SELF, NOBODY],
            values![NULL, OUT, BAD],
            values![0, 1, 1025, -1],
            values![NULL, OUT, BAD],
            values![0, 1, 1025, -1],
            values![0, 1],
        ],
        run: |values| super::make(Sysno::process_vm_readv, values),
    },
];

/// What a memfd's name may be at most, and one more.
const LONGEST: i64 = 249;
const TOO_LONG: i64 = 250;

const READ_ONLY: i64 = 0;
const WRITE_ONLY: i64 = 1;
const READ_WRITE: i64 = 2;
const DIRECTORY: i64 = 3;
const NO_FILE: i64 = 4;

/// Maps a file of one page, opened in one of the ways.
fn map_file(values: &[i64]) -> Result<u64, Errno> {
    const CREATE: u64 = 0o100;
    const HERE: u64 = -100_i64 as u64;
    let made = call(Sysno::openat, &[HERE, addr(c"file"), CREATE | 2, 0o600])?;
    call(Sysno::ftruncate, &[made, 0x1000])?;
    let file = match values[0] {
        NO_FILE => 99,
        DIRECTORY => call(Sysno::openat, &[HERE, addr(c"."), 0, 0])?,
        mode => call(Sysno::openat, &[HERE, addr(c"file"), number(mode), 0])?,
    };
    let [length, protection, flags, offset] = [1, 2, 3, 4].map(|index| number(values[index]));
    call(
        Sysno::mmap,
        &[number(FREE), length, protection, flags, file, offset],
    )
}
