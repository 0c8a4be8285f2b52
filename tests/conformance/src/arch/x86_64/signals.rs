//! What signal handlers find on x86_64, and code that faults.

use core::arch::asm;

use los_abi::isa::x86_64::{FP_XSTATE_MAGIC1, FP_XSTATE_MAGIC2, FpState, UC_FP_XSTATE};
use los_abi::signal::{ILL_ILLOPN, SI_KERNEL};

use super::UContext;
use crate::raw::peek;

/// `mov rax, [rdi]; nop`: four bytes that read where the first argument points.
pub(crate) const LOAD: &[u8] = &[0x48, 0x8b, 0x07, 0x90];
/// `mov [rdi], rax; nop`: four bytes that write there.
pub(crate) const STORE: &[u8] = &[0x48, 0x89, 0x07, 0x90];
/// `ud2`.
pub(crate) const ILLEGAL: &[u8] = &[0x0f, 0x0b];
/// `si_code` of that.
pub(crate) const ILLEGAL_CODE: i32 = ILL_ILLOPN;
/// `int3`.
pub(crate) const BREAKPOINT: &[u8] = &[0xcc];
/// `si_code` of that.
pub(crate) const BREAKPOINT_CODE: i32 = SI_KERNEL;
/// Whether `si_addr` is told of breakpoints.
pub(crate) const BREAKPOINT_HAS_ADDRESS: bool = false;
/// `xor ecx, ecx; xor edx, edx; mov eax, 1; div ecx`.
pub(crate) const DIVIDE: Option<&[u8]> = Some(&[0x31, 0xc9, 0x31, 0xd2, 0xb8, 1, 0, 0, 0, 0xf7, 0xf1]);
/// Loads the first selector of the local descriptor table: mov eax, 0xf; mov es, eax.
pub(crate) const LOAD_LOCAL_SEGMENT: Option<&[u8]> = Some(&[0xb8, 0xf, 0, 0, 0, 0x8e, 0xc0]);
/// Whether handlers find fresh vector registers.
pub(crate) const HANDLERS_START_FRESH: bool = true;
/// The words of a ucontext that are general registers, the stack pointer and the program counter.
pub(crate) const REGISTER_WORDS: core::ops::Range<u64> = 5..22;
/// Bytes of XMM0 to XMM15.
pub(crate) const VECTOR_BYTES: usize = 256;

/// Returns the last exception's number, error code and address.
pub(crate) fn fault_record(context: &UContext) -> (u64, u64, u64) {
    let registers = &context.uc_mcontext;
    (registers.trapno, registers.err, registers.cr2)
}

/// Reports whether the record is that of a page fault by a read or a write of user code.
pub(crate) fn is_data_fault(trap: u64, code: u64, is_write: bool) -> bool {
    const PAGE_FAULT: u64 = 14;
    const WRITE: u64 = 2;
    const USER: u64 = 4;
    trap == PAGE_FAULT && code & USER != 0 && (code & WRITE != 0) == is_write
}

/// Returns where the frame has the vector registers.
pub(crate) fn vectors_in_frame(context: &UContext) -> u64 {
    context.uc_mcontext.fpstate + core::mem::offset_of!(FpState, xmm_space) as u64
}

/// Reports whether the extended state has its magic numbers where programs look for them.
pub(crate) fn is_well_formed(context: &UContext) -> bool {
    let at = context.uc_mcontext.fpstate;
    let state: FpState = peek(at);
    let [magic, bytes, ..] = state.software_reserved;
    let is_extended = context.uc_flags & UC_FP_XSTATE != 0;
    at.is_multiple_of(64)
        && (!is_extended
            || magic == FP_XSTATE_MAGIC1 && peek::<u32>(at + u64::from(bytes) - 4) == FP_XSTATE_MAGIC2)
}

macro_rules! load_vectors {
    () => {
        concat!(
            "movups xmm0, [{at} + 0]\nmovups xmm1, [{at} + 16]\n",
            "movups xmm2, [{at} + 32]\nmovups xmm3, [{at} + 48]\n",
            "movups xmm4, [{at} + 64]\nmovups xmm5, [{at} + 80]\n",
            "movups xmm6, [{at} + 96]\nmovups xmm7, [{at} + 112]\n",
            "movups xmm8, [{at} + 128]\nmovups xmm9, [{at} + 144]\n",
            "movups xmm10, [{at} + 160]\nmovups xmm11, [{at} + 176]\n",
            "movups xmm12, [{at} + 192]\nmovups xmm13, [{at} + 208]\n",
            "movups xmm14, [{at} + 224]\nmovups xmm15, [{at} + 240]\n",
        )
    };
}

macro_rules! store_vectors {
    () => {
        concat!(
            "movups [{at} + 0], xmm0\nmovups [{at} + 16], xmm1\n",
            "movups [{at} + 32], xmm2\nmovups [{at} + 48], xmm3\n",
            "movups [{at} + 64], xmm4\nmovups [{at} + 80], xmm5\n",
            "movups [{at} + 96], xmm6\nmovups [{at} + 112], xmm7\n",
            "movups [{at} + 128], xmm8\nmovups [{at} + 144], xmm9\n",
            "movups [{at} + 160], xmm10\nmovups [{at} + 176], xmm11\n",
            "movups [{at} + 192], xmm12\nmovups [{at} + 208], xmm13\n",
            "movups [{at} + 224], xmm14\nmovups [{at} + 240], xmm15\n",
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
            "syscall",
            store_vectors!(),
            at = in(reg) registers.as_mut_ptr(),
            inout("rax") 62_u64 => _, in("rdi") pid, in("rsi") signal, out("rcx") _, out("r11") _,
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
            "dec {count}",
            "jnz 2b",
            store_vectors!(),
            at = in(reg) registers.as_mut_ptr(), count = inout(reg) count => left,
        );
    }
    left
}

/// Calls code at an address with an argument.
pub(crate) fn call_with(code: u64, argument: u64) {
    // SAFETY: the case has put a function there.
    unsafe { asm!("call {code}", code = in(reg) code, in("rdi") argument, out("rax") _, clobber_abi("C")) };
}
