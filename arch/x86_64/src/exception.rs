//! What exception vectors and error codes mean. Pure.

use hal::paging::Access;
use hal::trap::ExceptionKind;
use los_abi::signal::{ILL_ILLOPN, SI_KERNEL};

/// `si_code` values of SIGFPE.
const FPE_FLTDIV: i32 = 3;
const FPE_FLTOVF: i32 = 4;
const FPE_FLTUND: i32 = 5;
const FPE_FLTRES: i32 = 6;
const FPE_FLTINV: i32 = 7;

/// The error code of a page fault (SDM volume 3, 4.7).
pub(crate) struct PageFaultCode(pub(crate) u64);

impl PageFaultCode {
    /// Returns what was tried.
    pub(crate) fn access(&self) -> Access {
        const WRITE: u64 = 1 << 1;
        const FETCH: u64 = 1 << 4;
        if self.0 & WRITE != 0 {
            Access::Write
        } else if self.0 & FETCH != 0 {
            Access::Execute
        } else {
            Access::Read
        }
    }
}

impl PageFaultCode {
    /// Returns the code as signal handlers see it: of the kernel's half they only learn that it is not theirs.
    pub(crate) fn as_told(&self, in_user_half: bool) -> u64 {
        const PRESENT: u64 = 1 << 0;
        if in_user_half { self.0 } else { self.0 | PRESENT }
    }
}

/// Returns the kind of an exception of user code that the vector alone decides.
pub(crate) fn kind(vector: u8) -> ExceptionKind {
    match vector {
        0 => ExceptionKind::DivideByZero,
        1 => ExceptionKind::SingleStep,
        3 => ExceptionKind::Breakpoint(SI_KERNEL),
        6 | 7 => ExceptionKind::IllegalInstruction(ILL_ILLOPN),
        11 | 12 => ExceptionKind::Segment,
        17 => ExceptionKind::Alignment,
        18 => ExceptionKind::HardwareError,
        _ => ExceptionKind::Protection,
    }
}

/// Returns the name of an exception for the kernel's last words.
pub(crate) fn name(vector: u8) -> &'static str {
    const NAMES: [&str; 22] = [
        "divide error",
        "debug exception",
        "non-maskable interrupt",
        "breakpoint",
        "overflow",
        "bound range exceeded",
        "invalid opcode",
        "device not available",
        "double fault",
        "coprocessor overrun",
        "invalid TSS",
        "segment not present",
        "stack fault",
        "general protection fault",
        "page fault",
        "reserved exception",
        "x87 exception",
        "alignment check",
        "machine check",
        "SIMD exception",
        "virtualization exception",
        "control protection exception",
    ];
    NAMES
        .get(usize::from(vector))
        .copied()
        .unwrap_or("unknown exception")
}

/// Returns the exceptions that are set in MXCSR and not masked there.
pub(crate) fn unmasked_sse(mxcsr: u32) -> u16 {
    (mxcsr & !(mxcsr >> 7) & 0x3f) as u16
}

/// Returns the `si_code` for unmasked exceptions of the x87 or SSE unit, whose bits agree.
/// Linux decides in this order: invalid, division, overflow, underflow or denormal, inexact.
pub(crate) fn floating_point_code(exceptions: u16) -> i32 {
    const CODES: [(u16, i32); 5] = [
        (0x01, FPE_FLTINV),
        (0x04, FPE_FLTDIV),
        (0x08, FPE_FLTOVF),
        (0x12, FPE_FLTUND),
        (0x20, FPE_FLTRES),
    ];
    CODES
        .iter()
        .find(|&&(bits, _)| exceptions & bits != 0)
        .map_or(0, |&(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_fault_codes() {
        assert_eq!(PageFaultCode(0x4).access(), Access::Read);
        assert_eq!(PageFaultCode(0x7).access(), Access::Write);
        assert_eq!(PageFaultCode(0x15).access(), Access::Execute);
        assert_eq!(PageFaultCode(0x4).as_told(true), 4);
        assert_eq!(PageFaultCode(0x4).as_told(false), 5);
    }

    #[test]
    fn vectors_become_signals() {
        assert_eq!(kind(0), ExceptionKind::DivideByZero);
        assert_eq!(kind(3), ExceptionKind::Breakpoint(SI_KERNEL));
        assert_eq!(kind(6), ExceptionKind::IllegalInstruction(ILL_ILLOPN));
        assert_eq!(kind(12), ExceptionKind::Segment);
        assert_eq!(kind(13), ExceptionKind::Protection);
        assert_eq!(name(14), "page fault");
        assert_eq!(name(255), "unknown exception");
    }

    #[test]
    fn floating_point_codes_ignore_masked_exceptions() {
        // Division by zero is set and unmasked; inexact is set but masked.
        let mxcsr = 0x1f80 & !(1 << 9) | 1 << 2 | 1 << 5;
        assert_eq!(floating_point_code(unmasked_sse(mxcsr)), FPE_FLTDIV);
        assert_eq!(floating_point_code(0x21), FPE_FLTINV);
        assert_eq!(floating_point_code(0x02), FPE_FLTUND);
        assert_eq!(floating_point_code(0), 0);
    }
}
