//! aarch64 machine code of the cases.
#![expect(unsafe_code, reason = "register-exact tests are written in assembly")]

pub(crate) mod signals;

use alloc::vec::Vec;
use core::arch::asm;

use los_abi::Isa;
use los_abi::isa::aarch64::SigContext;
pub(crate) use los_abi::isa::aarch64::{EpollEvent, UContext};

/// This machine.
pub(crate) const ISA: Isa = Isa::Aarch64;
/// An address in the kernel's half.
pub(crate) const KERNEL_ADDRESS: u64 = 0xffff_8000_0000_0000;
/// What vdso(7) promises for this machine.
pub(crate) const VDSO_FUNCTIONS: &[&str] = &[
    "__kernel_clock_gettime",
    "__kernel_gettimeofday",
    "__kernel_clock_getres",
    "__kernel_rt_sigreturn",
];
/// The version of those functions.
pub(crate) const VDSO_VERSION: &str = "LINUX_2.6.39";
/// A function that returns at once.
pub(crate) const RETURN: &[u8] = &[0xc0, 0x03, 0x5f, 0xd6];

/// Executes an undefined instruction.
pub(crate) fn illegal() {
    // SAFETY: raises an exception; does nothing else.
    unsafe { asm!("udf #0") };
}

/// Forks by the plain system call with patterns in callee-saved registers; returns the call's result and
/// whether every pattern was still there.
pub(crate) fn fork_keeping_registers() -> (i64, bool) {
    let result: i64;
    let intact: u64;
    // SAFETY: fork copies this process; all registers that are changed are declared or restored.
    unsafe {
        asm!(
            "stp x19, x29, [sp, #-16]!",
            "mov x19, #0x1111", "mov x29, #0x2222", "mov x20, #0x3333", "mov x21, #0x4444",
            "mov x22, #0x5555", "mov x28, #0x6666", "mov x0, #17", "mov x1, #0", "mov x2, #0", "mov x3, #0",
            "mov x4, #0", "mov x9, #0x7777", "mov x8, #220",
            "svc #0",
            "mov x10, #0",
            "mov x11, #0x1111", "cmp x19, x11", "b.ne 2f", "mov x11, #0x2222", "cmp x29, x11", "b.ne 2f",
            "mov x11, #0x3333", "cmp x20, x11", "b.ne 2f", "mov x11, #0x4444", "cmp x21, x11", "b.ne 2f",
            "mov x11, #0x5555", "cmp x22, x11", "b.ne 2f", "mov x11, #0x6666", "cmp x28, x11", "b.ne 2f",
            "mov x11, #0x7777", "cmp x9, x11", "b.ne 2f", "cmp x8, #220", "b.ne 2f",
            "mov x10, #1",
            "2:",
            "ldp x19, x29, [sp], #16",
            out("x0") result, out("x1") _, out("x2") _, out("x3") _, out("x4") _, out("x8") _, out("x9") _,
            out("x10") intact, out("x11") _, out("x20") _, out("x21") _, out("x22") _, out("x28") _,
        );
    }
    (result, intact == 1)
}

/// Returns this thread's own thread pointer.
pub(crate) fn thread_pointer() -> u64 {
    let pointer: u64;
    // SAFETY: reads a register that belongs to programs.
    unsafe { asm!("mrs {}, tpidr_el0", out(reg) pointer) };
    pointer
}

/// Reads the cycle counter.
pub(crate) fn cycles() -> u64 {
    let count: u64;
    // SAFETY: reads a counter, or raises an exception.
    unsafe { asm!("mrs {}, cntvct_el0", out(reg) count) };
    count
}

/// Makes a system call that may return twice, as clone(2) does: where it returns 0, calls `function` with
/// `argument` on the stack that the call has set, and ends the thread with its result.
pub(crate) fn call_branching(
    number: u32,
    registers: [u64; 6],
    function: extern "C" fn(u64) -> i32,
    argument: u64,
) -> u64 {
    let result: u64;
    // SAFETY: the second return never leaves the block, and saves nothing of the first one's registers.
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x0, x21", "blr x20", "mov x8, #93", "svc #0", "udf #0",
            "2:",
            inlateout("x0") registers[0] => result, in("x1") registers[1], in("x2") registers[2],
            in("x3") registers[3], in("x4") registers[4], in("x5") registers[5], in("x8") u64::from(number),
            in("x20") function, in("x21") argument,
        );
    }
    result
}

/// Returns a program that writes `length` bytes at `text` to standard output and exits with status 0.
pub(crate) fn exit_zero_after_write(text: u32, length: u8) -> Vec<u8> {
    const fn move_wide(opcode: u32, register: u32, value: u32) -> u32 {
        opcode | (value << 5) | register
    }
    const MOVZ: u32 = 0xd280_0000;
    const MOVK_16: u32 = 0xf2a0_0000;
    const SVC: u32 = 0xd400_0001;
    let words = [
        move_wide(MOVZ, 8, 64),
        move_wide(MOVZ, 0, 1),
        move_wide(MOVZ, 1, text & 0xffff),
        move_wide(MOVK_16, 1, text >> 16),
        move_wide(MOVZ, 2, u32::from(length)),
        SVC,
        move_wide(MOVZ, 8, 93),
        move_wide(MOVZ, 0, 0),
        SVC,
    ];
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// Returns where the interrupted code goes on.
pub(crate) fn program_counter(context: &UContext) -> u64 {
    context.uc_mcontext.pc
}

/// Makes the interrupted code go on elsewhere.
pub(crate) fn set_program_counter(context: &mut UContext, address: u64) {
    context.uc_mcontext.pc = address;
}

/// Returns the interrupted stack pointer.
pub(crate) fn stack_pointer(context: &UContext) -> u64 {
    context.uc_mcontext.sp
}

/// Makes the interrupted function return now: for faults in functions without a frame.
pub(crate) fn leave_function(context: &mut UContext) {
    const LINK: usize = 30;
    let registers: &mut SigContext = &mut context.uc_mcontext;
    registers.pc = registers.regs[LINK];
}

/// Returns a program that exits with a status, wherever it is.
pub(crate) fn exit_with(status: u8) -> Vec<u8> {
    // mov x8, #93; mov x0, #status; svc #0
    let words = [0xd280_0ba8, 0xd280_0000 | u32::from(status) << 5, 0xd400_0001];
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// A function `(pointer, descriptor, turns)` with a restartable section that counts down: stores the descriptor at
/// the pointer, and returns 0 at the end of the count or 1 if it was aborted.
pub(crate) const RESTARTABLE: &[u8] = &[
    0x01, 0x00, 0x00, 0xf9, // str x1, [x0]
    0x42, 0x04, 0x00, 0xf1, // subs x2, x2, #1, where the section starts
    0xe1, 0xff, 0xff, 0x54, // b.ne to it
    0x00, 0x00, 0x80, 0xd2, // mov x0, #0, after the section
    0xc0, 0x03, 0x5f, 0xd6, // ret
    0x53, 0x30, 0x05, 0x53, // the signature
    0x20, 0x00, 0x80, 0xd2, // mov x0, #1, where it goes on after an abort
    0xc0, 0x03, 0x5f, 0xd6, // ret
];
/// Offsets in that: the section, its end, and the abort handler.
pub(crate) const RESTARTABLE_PARTS: [u64; 3] = [4, 12, 24];

/// Index of the program counter among the registers of a core dump.
pub(crate) const DUMPED_COUNTER: usize = 32;
/// Index of the stack pointer there.
pub(crate) const DUMPED_STACK: usize = 31;
