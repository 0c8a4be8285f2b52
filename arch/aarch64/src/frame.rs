//! [`TrapFrame`]: the registers of a program that the exception vectors save and restore.
//!
//! `vectors.S` knows the layout by the offsets that `trap.rs` hands to it. While a program runs, SP_EL1
//! points at its frame, so that entry stores straight into it and finds the kernel's stack there.

/// Value of the saved call number when the frame does not come from a system call (Linux's NO_SYSCALL).
const NO_SYSCALL: u64 = u64::MAX;
/// Bytes of an SVC instruction.
const SVC_BYTES: u64 = 4;
/// Index of the frame pointer, x29.
pub(crate) const FRAME_POINTER: usize = 29;
/// Index of the link register, x30.
pub(crate) const LINK: usize = 30;
/// Index of the register with the system call number.
const CALL_NUMBER: usize = 8;

/// PSTATE: condition flags N, Z, C, V.
const PSTATE_FLAGS: u64 = 0xf << 28;
/// PSTATE: data-independent timing.
const PSTATE_DIT: u64 = 1 << 24;
/// PSTATE: speculative store bypass safe.
const PSTATE_SSBS: u64 = 1 << 12;
/// PSTATE: the kind of branch that was taken last.
const PSTATE_BRANCH_TYPE: u64 = 3 << 10;
/// PSTATE: interrupt masks, execution state and exception level; zero is EL0 with everything enabled.
const PSTATE_PRIVILEGED: u64 = 0x3df;

/// The saved registers of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct TrapFrame {
    /// x0 to x30.
    pub(crate) x: [u64; 31],
    /// SP_EL0.
    pub(crate) sp: u64,
    /// ELR_EL1: where the program goes on.
    pub(crate) pc: u64,
    /// SPSR_EL1: condition flags and mode.
    pub(crate) pstate: u64,
    /// The kernel's stack pointer while the program runs.
    pub(crate) kernel_sp: u64,
    /// x0 as it was at the system call, for a restart.
    pub(crate) original_x0: u64,
    /// The system call number, or `NO_SYSCALL`.
    pub(crate) call: u64,
}

impl TrapFrame {
    /// Notes that the program made a system call.
    #[inline]
    pub fn begin_syscall(&mut self) {
        self.original_x0 = self.x[0];
        self.call = self.x[CALL_NUMBER];
    }

    /// Notes that the program was interrupted or did something wrong.
    pub fn begin_exception(&mut self) {
        self.call = NO_SYSCALL;
    }

    /// Reads a general register by its number in an instruction, where 31 is zero.
    pub fn register(&self, number: usize) -> u64 {
        self.x.get(number).copied().unwrap_or(0)
    }

    /// Writes a general register by its number in an instruction, where 31 takes nothing.
    pub fn set_register(&mut self, number: usize, value: u64) {
        if let Some(register) = self.x.get_mut(number) {
            *register = value;
        }
    }

    /// Takes the unprivileged bits of `pstate`; false when it designates another mode than EL0.
    pub(crate) fn set_user_pstate(&mut self, pstate: u64) -> bool {
        self.pstate = pstate & (PSTATE_FLAGS | PSTATE_DIT | PSTATE_SSBS);
        pstate & PSTATE_PRIVILEGED == 0
    }

    /// Returns the registers in the order of Linux's `struct user_pt_regs`.
    pub(crate) fn user_registers(&self) -> [u64; 34] {
        let mut registers = [0; 34];
        let (general, special) = registers.split_at_mut(self.x.len());
        general.copy_from_slice(&self.x);
        special.copy_from_slice(&[self.sp, self.pc, self.pstate]);
        registers
    }

    /// Prepares PSTATE for the entry of a signal handler.
    pub(crate) fn clear_branch_type(&mut self) {
        self.pstate &= !PSTATE_BRANCH_TYPE;
    }
}

impl hal::trap::TrapFrame for TrapFrame {
    fn new_user(entry: u64, stack_pointer: u64) -> Self {
        Self {
            x: [0; 31],
            sp: stack_pointer,
            pc: entry,
            pstate: 0,
            kernel_sp: 0,
            original_x0: 0,
            call: NO_SYSCALL,
        }
    }

    fn program_counter(&self) -> u64 {
        self.pc
    }

    fn set_program_counter(&mut self, address: u64) {
        self.pc = address;
    }

    fn stack_pointer(&self) -> u64 {
        self.sp
    }

    fn set_stack_pointer(&mut self, address: u64) {
        self.sp = address;
    }

    fn syscall_number(&self) -> u64 {
        self.call
    }

    fn syscall_arguments(&self) -> [u64; 6] {
        let [_, x1, x2, x3, x4, x5, ..] = self.x;
        [self.original_x0, x1, x2, x3, x4, x5]
    }

    fn set_syscall_result(&mut self, value: i64) {
        self.x[0] = value.cast_unsigned();
    }

    fn syscall_result(&self) -> i64 {
        self.x[0].cast_signed()
    }

    fn restart_syscall(&mut self, number: Option<u64>) {
        self.x[0] = self.original_x0;
        self.pc = self.pc.wrapping_sub(SVC_BYTES);
        if let Some(number) = number {
            self.x[CALL_NUMBER] = number;
        }
        self.clear_syscall();
    }

    fn clear_syscall(&mut self) {
        self.call = NO_SYSCALL;
    }

    fn in_syscall(&self) -> bool {
        self.call != NO_SYSCALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hal::trap::TrapFrame as _;

    fn at_system_call() -> TrapFrame {
        let mut frame = TrapFrame::new_user(0x40_0000, 0x7fff_fff0);
        for (register, value) in frame.x.iter_mut().zip(100..) {
            *register = value;
        }
        frame.pc = 0x40_1004;
        frame.begin_syscall();
        frame
    }

    #[test]
    fn a_system_call_shows_its_number_and_arguments() {
        let mut frame = at_system_call();
        frame.set_syscall_result(-14);
        assert_eq!(frame.syscall_result(), -14);
        assert_eq!(frame.syscall_number(), 108);
        assert_eq!(frame.syscall_arguments(), [100, 101, 102, 103, 104, 105]);
        assert!(frame.in_syscall());
    }

    #[test]
    fn a_restart_winds_back_to_the_instruction() {
        let mut frame = at_system_call();
        frame.set_syscall_result(-4);
        let mut again = frame.clone();
        again.restart_syscall(None);
        assert_eq!((again.pc, again.x[0], again.x[8]), (0x40_1000, 100, 108));
        assert!(!again.in_syscall());
        frame.restart_syscall(Some(128));
        assert_eq!((frame.pc, frame.x[0], frame.x[8]), (0x40_1000, 100, 128));
    }

    #[test]
    fn a_fresh_image_starts_from_zero() {
        let frame = TrapFrame::new_user(0x40_0000, 0x7fff_fff0);
        let registers = frame.user_registers();
        assert_eq!(registers.len(), 34);
        assert!(registers[..31].iter().all(|&register| register == 0));
        assert_eq!(registers[31..], [0x7fff_fff0, 0x40_0000, 0]);
        assert!(!frame.in_syscall());
    }

    #[test]
    fn privileged_bits_are_refused_and_dropped() {
        let mut frame = at_system_call();
        assert!(frame.set_user_pstate(0x6000_0000));
        assert_eq!(frame.pstate, 0x6000_0000);
        for mode in [0x5, 0x10, 0x80, 0x3c0, 0x200] {
            assert!(!frame.set_user_pstate(0x8000_0000 | mode));
            assert_eq!(frame.pstate, 0x8000_0000);
        }
        assert!(
            frame.set_user_pstate(0x0030_0000),
            "single step and illegal state are dropped"
        );
        assert_eq!(frame.pstate, 0);
    }

    #[test]
    fn register_31_is_zero() {
        let mut frame = at_system_call();
        frame.set_register(31, 7);
        frame.set_register(30, 9);
        assert_eq!((frame.register(31), frame.register(30)), (0, 9));
    }
}
