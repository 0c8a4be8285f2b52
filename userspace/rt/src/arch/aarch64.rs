//! aarch64: `svc 0` with the number in x8 and arguments in x0 to x5 (`syscall(2)`).

use core::arch::{asm, naked_asm};

use los_abi::Isa;

/// This machine's column of the system call table.
pub(crate) const ISA: Isa = Isa::Aarch64;

/// Makes a system call and returns the result register.
///
/// # Safety
/// The arguments must be such that what the call does to this process's memory is allowed to happen.
pub(crate) unsafe fn syscall6(number: u32, arguments: [u64; 6]) -> u64 {
    let [a, b, c, d, e, f] = arguments;
    let result;
    // SAFETY: the kernel preserves all registers but x0 and, by the caller's promise, changes only memory
    // that may change.
    unsafe {
        asm!(
            "svc 0",
            in("x8") u64::from(number),
            inlateout("x0") a => result,
            in("x1") b,
            in("x2") c,
            in("x3") d,
            in("x4") e,
            in("x5") f,
            options(nostack),
        );
    }
    result
}

/// Ends a signal handler: rt_sigreturn(2) on the frame that the kernel built.
#[unsafe(naked)]
pub(crate) extern "C" fn restore_signal_frame() {
    naked_asm!("mov x8, 139", "svc 0", "brk 1")
}

// Entry: sp points at argc, then argv, envp and the auxiliary vector, and is aligned to 16 bytes.
// Leaves by calling `start::enter` with that address; x29 and x30 end the chain of frames.
#[cfg(target_os = "none")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "bl {enter}",
    "brk 1",
    enter = sym crate::start::enter,
);
