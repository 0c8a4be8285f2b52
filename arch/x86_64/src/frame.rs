//! The saved registers of a program, in the order in which the entry code of `vectors.S` and `syscall.S`
//! pushes them, and the signal frames made from them. Pure.

use hal::trap::TrapFrame;

pub(crate) mod signal;

/// CS of 64-bit user code, the same number as on Linux since programs can see it.
pub(crate) const USER_CODE_SELECTOR: u16 = 0x33;
/// SS of user code, the same number as on Linux.
pub(crate) const USER_DATA_SELECTOR: u16 = 0x2b;

/// [`Frame::return_path`]: every register matters, return with `iretq`.
pub(crate) const RETURN_BY_IRET: u64 = 0;
/// [`Frame::return_path`]: RCX and R11 are dead, as they are after `syscall`; `sysretq` may be used.
pub(crate) const RETURN_BY_SYSRET: u64 = 1;

/// [`Frame::orig_rax`] of a frame that was not saved at a system call.
pub(crate) const NO_SYSCALL: u64 = u64::MAX;

/// RFLAGS bit 1, which is always set, and IF: a program never runs with interrupts masked.
const RFLAGS_FIXED: u64 = 1 << 1 | 1 << 9;
/// What a program may choose: CF, PF, AF, ZF, SF, TF, DF, OF, RF, AC (Linux's FIX_EFLAGS).
const RFLAGS_USER: u64 = 0x0005_0dd5;
/// RFLAGS.TF: trap after one instruction.
const RFLAGS_TRAP: u64 = 1 << 8;
/// RFLAGS.DF: string instructions go downwards.
const RFLAGS_DIRECTION: u64 = 1 << 10;
/// RFLAGS.RF: ignore instruction breakpoints once.
const RFLAGS_RESUME: u64 = 1 << 16;

/// Bytes of the `syscall` instruction.
const SYSCALL_INSTRUCTION_BYTES: u64 = 2;

/// The saved registers of a program, or of interrupted kernel code.
///
/// The processor and the entry code push it downwards from its end, so the end must be aligned as the
/// processor aligns a stack on interrupts: 16 bytes. No other crate reaches the fields, so that CS, SS and
/// the privileged bits of RFLAGS cannot be forged.
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct Frame {
    pub(crate) return_path: u64,
    pub(crate) r15: u64,
    pub(crate) r14: u64,
    pub(crate) r13: u64,
    pub(crate) r12: u64,
    pub(crate) rbp: u64,
    pub(crate) rbx: u64,
    pub(crate) r11: u64,
    pub(crate) r10: u64,
    pub(crate) r9: u64,
    pub(crate) r8: u64,
    pub(crate) rax: u64,
    pub(crate) rcx: u64,
    pub(crate) rdx: u64,
    pub(crate) rsi: u64,
    pub(crate) rdi: u64,
    pub(crate) orig_rax: u64,
    pub(crate) rip: u64,
    pub(crate) cs: u64,
    pub(crate) rflags: u64,
    pub(crate) rsp: u64,
    pub(crate) ss: u64,
}

/// Words of `struct user_regs_struct`.
pub(crate) const USER_REGISTERS: usize = 27;

impl Frame {
    /// Replaces the flags that a program may choose.
    pub(crate) fn set_user_rflags(&mut self, rflags: u64) {
        self.rflags = rflags & RFLAGS_USER | self.rflags & !RFLAGS_USER;
    }

    /// Stops single-stepping.
    pub(crate) fn clear_trap_flag(&mut self) {
        self.rflags &= !RFLAGS_TRAP;
    }

    /// Returns the registers in the order of Linux's `struct user_regs_struct`. The bases of FS and GS are not part
    /// of the frame and read as zero, as do the data selectors.
    pub(crate) fn user_registers(&self) -> [u64; USER_REGISTERS] {
        [
            self.r15,
            self.r14,
            self.r13,
            self.r12,
            self.rbp,
            self.rbx,
            self.r11,
            self.r10,
            self.r9,
            self.r8,
            self.rax,
            self.rcx,
            self.rdx,
            self.rsi,
            self.rdi,
            self.orig_rax,
            self.rip,
            self.cs,
            self.rflags,
            self.rsp,
            self.ss,
            0,
            0,
            0,
            0,
            0,
            0,
        ]
    }
}

impl TrapFrame for Frame {
    fn new_user(entry: u64, stack_pointer: u64) -> Self {
        Self {
            return_path: RETURN_BY_IRET,
            r15: 0,
            r14: 0,
            r13: 0,
            r12: 0,
            rbp: 0,
            rbx: 0,
            r11: 0,
            r10: 0,
            r9: 0,
            r8: 0,
            rax: 0,
            rcx: 0,
            rdx: 0,
            rsi: 0,
            rdi: 0,
            orig_rax: NO_SYSCALL,
            rip: entry,
            cs: u64::from(USER_CODE_SELECTOR),
            rflags: RFLAGS_FIXED,
            rsp: stack_pointer,
            ss: u64::from(USER_DATA_SELECTOR),
        }
    }

    fn program_counter(&self) -> u64 {
        self.rip
    }

    fn set_program_counter(&mut self, address: u64) {
        self.rip = address;
        self.return_path = RETURN_BY_IRET;
    }

    fn stack_pointer(&self) -> u64 {
        self.rsp
    }

    fn set_stack_pointer(&mut self, address: u64) {
        self.rsp = address;
    }

    fn syscall_number(&self) -> u64 {
        self.orig_rax
    }

    fn syscall_arguments(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }

    fn set_syscall_result(&mut self, value: i64) {
        self.rax = value.cast_unsigned();
    }

    fn syscall_result(&self) -> i64 {
        self.rax.cast_signed()
    }

    fn restart_syscall(&mut self, number: Option<u64>) {
        self.rax = number.unwrap_or(self.orig_rax);
        self.set_program_counter(self.rip.wrapping_sub(SYSCALL_INSTRUCTION_BYTES));
        self.clear_syscall();
    }

    fn clear_syscall(&mut self) {
        self.orig_rax = NO_SYSCALL;
    }

    fn in_syscall(&self) -> bool {
        self.orig_rax != NO_SYSCALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::{offset_of, size_of};

    #[test]
    fn the_end_is_aligned_as_the_processor_aligns_a_stack() {
        assert_eq!(size_of::<Frame>(), 176);
        assert_eq!(offset_of!(Frame, rip), 176 - 40);
    }

    #[test]
    fn restart_winds_back_to_the_instruction() {
        let mut frame = Frame::new_user(0x40_1002, 0x7fff_0000);
        frame.orig_rax = 35;
        frame.rax = 0;
        frame.return_path = RETURN_BY_SYSRET;
        let mut other = frame.clone();
        frame.restart_syscall(None);
        assert_eq!((frame.rax, frame.rip), (35, 0x40_1000));
        assert_eq!(frame.return_path, RETURN_BY_IRET);
        assert!(!frame.in_syscall());
        other.restart_syscall(Some(219));
        assert_eq!(other.rax, 219);
    }

    #[test]
    fn flags_of_a_program_hold_no_privilege() {
        let mut frame = Frame::new_user(0, 0);
        frame.set_user_rflags(u64::MAX);
        assert_eq!(frame.rflags, RFLAGS_USER | RFLAGS_FIXED);
        frame.set_user_rflags(0);
        assert_eq!(frame.rflags, RFLAGS_FIXED);
    }

    #[test]
    fn arguments_are_in_the_order_of_the_abi() {
        let mut frame = Frame::new_user(0, 0);
        (frame.rdi, frame.rsi, frame.rdx) = (1, 2, 3);
        (frame.r10, frame.r8, frame.r9) = (4, 5, 6);
        assert_eq!(frame.syscall_arguments(), [1, 2, 3, 4, 5, 6]);
        frame.set_syscall_result(-14);
        assert_eq!(frame.syscall_result(), -14);
    }
}
