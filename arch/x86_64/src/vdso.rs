//! The vDSO's code of this machine, in `vdso.S`, and what the kernel must know of it.

use core::arch::global_asm;
use core::mem::offset_of;
use core::slice;

use hal::vdso::{
    COARSE_CLOCKS, COARSE_NS, CODE_MAX_BYTES, ClockPage, CounterRate, DATA_DISTANCE, FINE_CLOCKS,
    MONOTONIC_CLOCKS, REAL_CLOCKS, Unwind, Vdso, VdsoCode, VdsoFunction,
};
use los_abi::Isa;
use los_abi::syscall::Sysno;

use crate::{X86_64, gdt, timer};

/// In the order of `vdso_functions`.
const NAMES: [&str; 5] = [
    "__vdso_clock_gettime",
    "__vdso_gettimeofday",
    "__vdso_time",
    "__vdso_clock_getres",
    "__vdso_getcpu",
];

/// The caller's frame is above the return address, which is all that is on the stack.
const UNWIND_RULES: &[u8] = &[
    0x0c,
    7,
    8,                     // DW_CFA_def_cfa: rsp + 8
    0x80 | RETURN_ADDRESS, // DW_CFA_offset: the return address,
    1,                     // at CFA - 1 * 8
];
const RETURN_ADDRESS: u8 = 16;

/// 2^75 / 5^9, rounded up: the factor of the division by 10^9.
const RECIPROCAL: u64 = (1u128 << 75).div_ceil(1_953_125) as u64;
/// Number of getcpu(2).
const GETCPU: u32 = 309;

global_asm!(
    include_str!("vdso.S"),
    DATA_DISTANCE = const DATA_DISTANCE,
    SEQUENCE = const offset_of!(ClockPage, sequence),
    COUNTER_START = const offset_of!(ClockPage, counter_start),
    NS_PER_TICK = const offset_of!(ClockPage, ns_per_tick),
    REALTIME_OFFSET = const offset_of!(ClockPage, realtime_offset_ns),
    RECIPROCAL = const RECIPROCAL,
    FINE_CLOCKS = const FINE_CLOCKS,
    COARSE_CLOCKS = const COARSE_CLOCKS,
    COARSE_NS = const COARSE_NS,
    CLOCKS = const REAL_CLOCKS | MONOTONIC_CLOCKS,
    REAL_CLOCKS = const REAL_CLOCKS,
    CPU_SELECTOR = const gdt::CPU_NUMBER.0,
    CLOCK_GETTIME = const number(Sysno::clock_gettime),
    GETTIMEOFDAY = const number(Sysno::gettimeofday),
    TIME = const number(Sysno::time),
    CLOCK_GETRES = const number(Sysno::clock_getres),
    GETCPU = const GETCPU,
);

unsafe extern "C" {
    safe static vdso_start: u8;
    safe static vdso_end: u8;
    safe static vdso_functions: [[u32; 2]; NAMES.len()];
}

const fn number(call: Sysno) -> u32 {
    match call.number(Isa::X86_64) {
        Some(number) => number,
        None => panic!("the machine has the call"),
    }
}

impl Vdso for X86_64 {
    fn vdso_code() -> VdsoCode {
        let length = (&raw const vdso_end).addr() - (&raw const vdso_start).addr();
        assert!(length <= CODE_MAX_BYTES, "the vDSO's code fits its page");
        let function = |index: usize| {
            let [start, end] = vdso_functions[index];
            Some(VdsoFunction {
                name: NAMES[index],
                start,
                end,
            })
        };
        VdsoCode {
            // SAFETY: the bytes between the two labels of `vdso.S`, which are read-only.
            bytes: unsafe { slice::from_raw_parts(&raw const vdso_start, length) },
            functions: core::array::from_fn(function),
            version: "LINUX_2.6",
            signal_return: None,
            unwind: Unwind {
                end: length as u32,
                return_register: RETURN_ADDRESS,
                rules: UNWIND_RULES,
            },
        }
    }

    fn counter_rate() -> CounterRate {
        timer::counter_rate()
    }
}
