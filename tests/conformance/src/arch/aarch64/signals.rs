//! What signal handlers find on aarch64, and code that faults.

use core::arch::asm;

use los_abi::isa::aarch64::{ESR_MAGIC, FPSIMD_MAGIC};
use los_abi::signal::{ILL_ILLOPC, TRAP_BRKPT};

use super::UContext;
use crate::raw::{addr, peek};

/// `ldr x1, [x0]`: four bytes that read where the first argument points.
pub(crate) const LOAD: &[u8] = &[0x01, 0x00, 0x40, 0xf9];
/// `str x1, [x0]`: four bytes that write there.
pub(crate) const STORE: &[u8] = &[0x01, 0x00, 0x00, 0xf9];
/// `udf #0`.
pub(crate) const ILLEGAL: &[u8] = &[0, 0, 0, 0];
/// `si_code` of that.
pub(crate) const ILLEGAL_CODE: i32 = ILL_ILLOPC;
/// `brk #0`.
pub(crate) const BREAKPOINT: &[u8] = &[0x00, 0x00, 0x20, 0xd4];
/// `si_code` of that.
pub(crate) const BREAKPOINT_CODE: i32 = TRAP_BRKPT;
/// Whether `si_addr` is told of breakpoints.
pub(crate) const BREAKPOINT_HAS_ADDRESS: bool = true;
/// Divisions give zero here.
pub(crate) const DIVIDE: Option<&[u8]> = None;
/// Loads a selector of the local descriptor table: there is none.
pub(crate) const LOAD_LOCAL_SEGMENT: Option<&[u8]> = None;
/// Whether handlers find fresh vector registers.
pub(crate) const HANDLERS_START_FRESH: bool = false;
/// The words of a ucontext that are general registers, the stack pointer and the program counter.
pub(crate) const REGISTER_WORDS: core::ops::Range<u64> = 23..56;
/// Bytes of V0 to V31.
pub(crate) const VECTOR_BYTES: usize = 512;

/// Bytes of a record's head.
const HEAD_BYTES: u64 = 8;

/// Returns 0, the syndrome of the last fault, and its address.
pub(crate) fn fault_record(context: &UContext) -> (u64, u64, u64) {
    let syndrome = find(context, ESR_MAGIC).map_or(0, |at| peek(at + HEAD_BYTES));
    (0, syndrome, context.uc_mcontext.fault_address)
}

/// Finds a record; `None` also for a list that has no proper end.
fn find(context: &UContext, wanted: u32) -> Option<u64> {
    let area = &context.uc_mcontext.reserved;
    let (mut at, end) = (addr(area), addr(area) + area.len() as u64);
    while at + HEAD_BYTES <= end {
        let (magic, bytes): (u32, u32) = (peek(at), peek(at + 4));
        if magic == wanted {
            return Some(at);
        }
        if magic == 0 || bytes == 0 || bytes % 16 != 0 {
            return None;
        }
        at += u64::from(bytes);
    }
    None
}

/// Reports whether the record is that of an abort by a read or a write of user code.
pub(crate) fn is_data_fault(_trap: u64, code: u64, is_write: bool) -> bool {
    const DATA_ABORT: u64 = 0x24;
    const WRITE: u64 = 1 << 6;
    code >> 26 == DATA_ABORT && (code & WRITE != 0) == is_write
}

/// Returns where the frame has the vector registers: behind FPSR and FPCR in their record, which is the first.
pub(crate) fn vectors_in_frame(context: &UContext) -> u64 {
    addr(&context.uc_mcontext.reserved) + HEAD_BYTES + 8
}

/// Reports whether the list of records begins with the vector registers and has an end.
pub(crate) fn is_well_formed(context: &UContext) -> bool {
    let first = addr(&context.uc_mcontext.reserved);
    find(context, FPSIMD_MAGIC) == Some(first)
        && peek::<u32>(first + 4) == 528
        && find(context, 0).is_some_and(|at| peek::<u32>(at + 4) == 0)
}

macro_rules! load_vectors {
    () => {
        concat!(
            ".arch_extension fp\n.arch_extension simd\n",
            "ldr q0, [{at}, 0]\nldr q1, [{at}, 16]\n",
            "ldr q2, [{at}, 32]\nldr q3, [{at}, 48]\n",
            "ldr q4, [{at}, 64]\nldr q5, [{at}, 80]\n",
            "ldr q6, [{at}, 96]\nldr q7, [{at}, 112]\n",
            "ldr q8, [{at}, 128]\nldr q9, [{at}, 144]\n",
            "ldr q10, [{at}, 160]\nldr q11, [{at}, 176]\n",
            "ldr q12, [{at}, 192]\nldr q13, [{at}, 208]\n",
            "ldr q14, [{at}, 224]\nldr q15, [{at}, 240]\n",
            "ldr q16, [{at}, 256]\nldr q17, [{at}, 272]\n",
            "ldr q18, [{at}, 288]\nldr q19, [{at}, 304]\n",
            "ldr q20, [{at}, 320]\nldr q21, [{at}, 336]\n",
            "ldr q22, [{at}, 352]\nldr q23, [{at}, 368]\n",
            "ldr q24, [{at}, 384]\nldr q25, [{at}, 400]\n",
            "ldr q26, [{at}, 416]\nldr q27, [{at}, 432]\n",
            "ldr q28, [{at}, 448]\nldr q29, [{at}, 464]\n",
            "ldr q30, [{at}, 480]\nldr q31, [{at}, 496]\n",
        )
    };
}

macro_rules! store_vectors {
    () => {
        concat!(
            ".arch_extension fp\n.arch_extension simd\n",
            "str q0, [{at}, 0]\nstr q1, [{at}, 16]\n",
            "str q2, [{at}, 32]\nstr q3, [{at}, 48]\n",
            "str q4, [{at}, 64]\nstr q5, [{at}, 80]\n",
            "str q6, [{at}, 96]\nstr q7, [{at}, 112]\n",
            "str q8, [{at}, 128]\nstr q9, [{at}, 144]\n",
            "str q10, [{at}, 160]\nstr q11, [{at}, 176]\n",
            "str q12, [{at}, 192]\nstr q13, [{at}, 208]\n",
            "str q14, [{at}, 224]\nstr q15, [{at}, 240]\n",
            "str q16, [{at}, 256]\nstr q17, [{at}, 272]\n",
            "str q18, [{at}, 288]\nstr q19, [{at}, 304]\n",
            "str q20, [{at}, 320]\nstr q21, [{at}, 336]\n",
            "str q22, [{at}, 352]\nstr q23, [{at}, 368]\n",
            "str q24, [{at}, 384]\nstr q25, [{at}, 400]\n",
            "str q26, [{at}, 416]\nstr q27, [{at}, 432]\n",
            "str q28, [{at}, 448]\nstr q29, [{at}, 464]\n",
            "str q30, [{at}, 480]\nstr q31, [{at}, 496]\n",
        )
    };
}

// The compiler of these programs knows no vector registers, so that nothing else uses them.

/// Loads the vector registers and returns what they were.
#[inline(never)]
pub(crate) fn exchange_vectors(registers: &mut [u8; VECTOR_BYTES]) {
    let new = *registers;
    // SAFETY: both places are as large as all registers.
    unsafe { asm!(store_vectors!(), at = in(reg) registers.as_mut_ptr(), options(nostack)) };
    // SAFETY: as above.
    unsafe { asm!(load_vectors!(), at = in(reg) new.as_ptr(), options(nostack)) };
}

/// Makes the system call kill(2) with these vector registers, and returns what they are afterwards.
#[inline(never)]
pub(crate) fn kill_with_vectors(pid: u64, signal: u64, registers: &mut [u8; VECTOR_BYTES]) {
    // SAFETY: the call changes no memory; the place is as large as all registers.
    unsafe {
        asm!(
            load_vectors!(),
            "svc 0",
            store_vectors!(),
            at = in(reg) registers.as_mut_ptr(), in("x8") 129_u64, inout("x0") pid => _, in("x1") signal,
        );
    }
}

/// Counts down with these vector registers, and returns what they are afterwards, and the end of the count.
#[inline(never)]
pub(crate) fn spin_with_vectors(count: u64, registers: &mut [u8; VECTOR_BYTES]) -> u64 {
    let left;
    // SAFETY: the place is as large as all registers.
    unsafe {
        asm!(
            load_vectors!(),
            "2:",
            "subs {count}, {count}, 1",
            "b.ne 2b",
            store_vectors!(),
            at = in(reg) registers.as_mut_ptr(), count = inout(reg) count => left,
        );
    }
    left
}

/// Calls code at an address with an argument.
pub(crate) fn call_with(code: u64, argument: u64) {
    // SAFETY: the case has put a function there.
    unsafe { asm!("blr {code}", code = in(reg) code, in("x0") argument, out("x1") _, clobber_abi("C")) };
}
