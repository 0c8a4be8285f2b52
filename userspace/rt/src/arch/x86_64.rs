//! x86_64: `syscall` with the number in rax and arguments in rdi, rsi, rdx, r10, r8, r9
//! (`System V ABI, AMD64 supplement, A.2.1`).

use core::arch::{asm, naked_asm};

use los_abi::Isa;

/// This machine's column of the system call table.
pub(crate) const ISA: Isa = Isa::X86_64;

/// Makes a system call and returns the result register.
///
/// # Safety
/// The arguments must be such that what the call does to this process's memory is allowed to happen.
pub(crate) unsafe fn syscall6(number: u32, arguments: [u64; 6]) -> u64 {
    let [a, b, c, d, e, f] = arguments;
    let result;
    // SAFETY: the instruction changes rax, rcx, r11 and, by the caller's promise, only memory that may change.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") u64::from(number) => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            in("r8") e,
            in("r9") f,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Ends a signal handler: rt_sigreturn(2) on the frame that the kernel built.
#[unsafe(naked)]
pub(crate) extern "C" fn restore_signal_frame() {
    naked_asm!("mov eax, 15", "syscall", "ud2")
}

// Entry: rsp points at argc, then argv, envp and the auxiliary vector; rbp is unspecified.
// Leaves by calling `start::enter` with that address, on a stack aligned to 16 bytes.
#[cfg(target_os = "none")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {enter}",
    "ud2",
    enter = sym crate::start::enter,
);
