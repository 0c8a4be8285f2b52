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

use crate::{Aarch64, timer};

/// In the order of `vdso_functions`.
const NAMES: [&str; 4] = [
    "__kernel_clock_gettime",
    "__kernel_gettimeofday",
    "__kernel_clock_getres",
    "__kernel_rt_sigreturn",
];
/// Index of the function that signal handlers return to.
const SIGNAL_RETURN: usize = 3;

/// The caller's frame is where the stack pointer is, and x30 is untouched.
const UNWIND_RULES: &[u8] = &[0x0c, 31, 0]; // DW_CFA_def_cfa: sp + 0
const RETURN_ADDRESS: u8 = 30;

/// 2^75 / 5^9, rounded up: the factor of the division by 10^9.
const RECIPROCAL: u64 = (1u128 << 75).div_ceil(1_953_125) as u64;

// `vdso.S` uses the address of the page as that of the word.
const _: () = assert!(offset_of!(ClockPage, sequence) == 0);
// It loads both at once.
const _: () = assert!(
    offset_of!(ClockPage, realtime_offset_ns) == offset_of!(ClockPage, ns_per_tick) + size_of::<u64>()
);

global_asm!(
    include_str!("vdso.S"),
    DATA_DISTANCE = const DATA_DISTANCE,
    COUNTER_START = const offset_of!(ClockPage, counter_start),
    NS_PER_TICK = const offset_of!(ClockPage, ns_per_tick),
    RECIPROCAL = const RECIPROCAL,
    FINE_CLOCKS = const FINE_CLOCKS,
    COARSE_CLOCKS = const COARSE_CLOCKS,
    COARSE_NS = const COARSE_NS,
    CLOCKS = const REAL_CLOCKS | MONOTONIC_CLOCKS,
    REAL_CLOCKS = const REAL_CLOCKS,
    CLOCK_GETTIME = const number(Sysno::clock_gettime),
    GETTIMEOFDAY = const number(Sysno::gettimeofday),
    CLOCK_GETRES = const number(Sysno::clock_getres),
    RT_SIGRETURN = const number(Sysno::rt_sigreturn),
);

unsafe extern "C" {
    safe static vdso_start: u8;
    safe static vdso_unwound_end: u8;
    safe static vdso_end: u8;
    safe static vdso_functions: [[u32; 2]; NAMES.len()];
}

const fn number(call: Sysno) -> u32 {
    match call.number(Isa::Aarch64) {
        Some(number) => number,
        None => panic!("the machine has the call"),
    }
}

impl Vdso for Aarch64 {
    fn vdso_code() -> VdsoCode {
        let start = (&raw const vdso_start).addr();
        let length = (&raw const vdso_end).addr() - start;
        assert!(length <= CODE_MAX_BYTES, "the vDSO's code fits its page");
        let function = |index: usize| {
            let [start, end] = *vdso_functions.get(index)?;
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
            version: "LINUX_2.6.39",
            signal_return: Some(vdso_functions[SIGNAL_RETURN][0]),
            unwind: Unwind {
                end: ((&raw const vdso_unwound_end).addr() - start) as u32,
                return_register: RETURN_ADDRESS,
                rules: UNWIND_RULES,
            },
        }
    }

    fn counter_rate() -> CounterRate {
        timer::counter_rate()
    }
}
