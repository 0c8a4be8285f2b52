//! x86_64 machine code of the cases.
#![expect(unsafe_code, reason = "register-exact tests are written in assembly")]

pub(crate) mod signals;

use alloc::vec::Vec;
use core::arch::asm;

use los_abi::Isa;
use los_abi::isa::x86_64::SigContext;
pub(crate) use los_abi::isa::x86_64::{EpollEvent, UContext};

/// This machine.
pub(crate) const ISA: Isa = Isa::X86_64;
/// An address in the kernel's half.
pub(crate) const KERNEL_ADDRESS: u64 = 0xffff_ffff_8000_0000;
/// What vdso(7) promises for this machine.
pub(crate) const VDSO_FUNCTIONS: &[&str] = &[
    "__vdso_clock_gettime",
    "__vdso_gettimeofday",
    "__vdso_time",
    "__vdso_clock_getres",
    "__vdso_getcpu",
];
/// The version of those functions.
pub(crate) const VDSO_VERSION: &str = "LINUX_2.6";
/// A function that returns at once.
pub(crate) const RETURN: &[u8] = &[0xc3];

/// Executes an undefined instruction.
pub(crate) fn illegal() {
    // SAFETY: raises an exception; does nothing else.
    unsafe { asm!("ud2") };
}

/// Forks by the plain system call with patterns in callee-saved registers; returns the call's result and
/// whether every pattern was still there.
pub(crate) fn fork_keeping_registers() -> (i64, bool) {
    let result: i64;
    let intact: u64;
    // SAFETY: fork copies this process; all registers that are changed are declared or restored.
    unsafe {
        asm!(
            "push rbx", "push rbp",
            "mov rbx, 0x1111", "mov rbp, 0x2222", "mov r12, 0x3333", "mov r13, 0x4444",
            "mov r14, 0x5555", "mov r15, 0x6666", "mov rdi, 17", "xor esi, esi", "xor edx, edx", "xor r10d, r10d",
            "xor r8d, r8d", "mov r9, 0x7777", "mov eax, 56",
            "syscall",
            "xor ecx, ecx",
            "cmp rbx, 0x1111", "jne 2f", "cmp rbp, 0x2222", "jne 2f", "cmp r12, 0x3333", "jne 2f",
            "cmp r13, 0x4444", "jne 2f", "cmp r14, 0x5555", "jne 2f", "cmp r15, 0x6666", "jne 2f",
            "cmp r9, 0x7777", "jne 2f", "cmp rdi, 17", "jne 2f",
            "mov ecx, 1",
            "2:",
            "pop rbp", "pop rbx",
            out("rax") result, out("rcx") intact, out("rdx") _, out("rsi") _, out("rdi") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _, out("r12") _, out("r13") _,
            out("r14") _, out("r15") _,
        );
    }
    (result, intact == 1)
}

/// Returns this thread's own thread pointer.
pub(crate) fn thread_pointer() -> u64 {
    const ARCH_GET_FS: u64 = 0x1003;
    let mut pointer = 0_u64;
    let arguments = [ARCH_GET_FS, crate::raw::addr_mut(&mut pointer)];
    let asked = crate::raw::call(los_abi::syscall::Sysno::arch_prctl, &arguments);
    asked.map_or(0, |_| pointer)
}

/// Reads the cycle counter.
pub(crate) fn cycles() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter, or raises an exception.
    unsafe { asm!("rdtsc", out("eax") low, out("edx") high) };
    u64::from(high) << 32 | u64::from(low)
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
            "syscall",
            "test rax, rax", "jnz 2f",
            "and rsp, -16", "mov rdi, r13", "call r12", "mov edi, eax", "mov eax, 60", "syscall", "ud2",
            "2:",
            inlateout("rax") u64::from(number) => result, in("rdi") registers[0], in("rsi") registers[1],
            in("rdx") registers[2], in("r10") registers[3], in("r8") registers[4], in("r9") registers[5],
            in("r12") function, in("r13") argument, lateout("rcx") _, lateout("r11") _,
        );
    }
    result
}

/// Returns a program that writes `length` bytes at `text` to standard output and exits with status 0.
pub(crate) fn exit_zero_after_write(text: u32, length: u8) -> Vec<u8> {
    let mut code = Vec::from([0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0xbe]);
    code.extend(text.to_le_bytes());
    code.extend([
        0xba, length, 0, 0, 0, 0x0f, 0x05, 0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05,
    ]);
    code
}

/// Returns where the interrupted code goes on.
pub(crate) fn program_counter(context: &UContext) -> u64 {
    context.uc_mcontext.rip
}

/// Makes the interrupted code go on elsewhere.
pub(crate) fn set_program_counter(context: &mut UContext, address: u64) {
    context.uc_mcontext.rip = address;
}

/// Returns the interrupted stack pointer.
pub(crate) fn stack_pointer(context: &UContext) -> u64 {
    context.uc_mcontext.rsp
}

/// Makes the interrupted function return now: for faults in functions without a frame.
pub(crate) fn leave_function(context: &mut UContext) {
    let registers: &mut SigContext = &mut context.uc_mcontext;
    registers.rip = crate::raw::peek(registers.rsp);
    registers.rsp += 8;
}

/// Returns a program that exits with a status, wherever it is.
pub(crate) fn exit_with(status: u8) -> Vec<u8> {
    Vec::from([0xb8, 60, 0, 0, 0, 0xbf, status, 0, 0, 0, 0x0f, 0x05])
}

/// A function `(pointer, descriptor, turns)` with a restartable section that counts down: stores the descriptor at
/// the pointer, and returns 0 at the end of the count or 1 if it was aborted.
pub(crate) const RESTARTABLE: &[u8] = &[
    0x48, 0x89, 0x37, // mov [rdi], rsi
    0x48, 0xff, 0xca, // dec rdx, where the section starts
    0x75, 0xfb, // jnz to it
    0x31, 0xc0, // xor eax, eax, after the section
    0xc3, // ret
    0x53, 0x30, 0x05, 0x53, // the signature
    0xb8, 1, 0, 0, 0,    // mov eax, 1, where it goes on after an abort
    0xc3, // ret
];
/// Offsets in that: the section, its end, and the abort handler.
pub(crate) const RESTARTABLE_PARTS: [u64; 3] = [3, 8, 15];

/// Index of the program counter among the registers of a core dump.
pub(crate) const DUMPED_COUNTER: usize = 16;
/// Index of the stack pointer there.
pub(crate) const DUMPED_STACK: usize = 19;
