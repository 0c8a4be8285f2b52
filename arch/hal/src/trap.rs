//! User mode as a call that returns a reason, and the registers that it starts from.

extern crate alloc;

use alloc::vec::Vec;

use los_abi::errno::Errno;

use crate::addr::VirtAddr;
use crate::paging::Access;

/// Why [`Traps::run_user`] returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserExit {
    /// The program made a system call; number and arguments are in the frame.
    Syscall,
    /// The program accessed `address`, which is not mapped for that.
    PageFault {
        /// The address that was accessed.
        address: VirtAddr,
        /// What was tried.
        access: Access,
        /// What signal handlers are told.
        record: FaultRecord,
    },
    /// An interrupt was taken and has been given to the sink already.
    Interrupt,
    /// The program did something that its processor refuses.
    Exception(Exception),
}

/// A processor exception of user code that is not a page fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exception {
    /// The kind, from which the signal follows.
    pub kind: ExceptionKind,
    /// The address to report as `si_addr`: the instruction or the data concerned.
    pub address: VirtAddr,
    /// What signal handlers are told, if it is anything.
    pub record: Option<FaultRecord>,
}

/// What the saved state of every signal handler tells of the last fault (`struct sigcontext`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FaultRecord {
    /// The exception's number; 0 on machines without numbers.
    pub trap: u64,
    /// The error code or syndrome.
    pub code: u64,
    /// The address that was accessed; `None` leaves that of an earlier fault in place.
    pub address: Option<u64>,
}

impl FaultRecord {
    /// Returns the record after another fault.
    pub fn followed_by(self, newer: Self) -> Self {
        Self {
            address: newer.address.or(self.address),
            ..newer
        }
    }
}

/// The kinds of exception that Linux turns into different signals or codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExceptionKind {
    /// Undefined or privileged-only instruction: SIGILL, with the machine's `si_code`.
    IllegalInstruction(i32),
    /// Breakpoint instruction: SIGTRAP, with the machine's `si_code`; an address only if that is TRAP_BRKPT.
    Breakpoint(i32),
    /// Single step or debug register: SIGTRAP, TRAP_TRACE.
    SingleStep,
    /// Integer division by zero: SIGFPE, FPE_INTDIV.
    DivideByZero,
    /// Floating-point exception, with the `si_code` that the status register gives: SIGFPE.
    FloatingPoint(i32),
    /// Misaligned access or misaligned stack or program counter: SIGBUS, BUS_ADRALN.
    Alignment,
    /// General protection, non-canonical address, privileged register: SIGSEGV, SI_KERNEL.
    Protection,
    /// Segment not present, or a stack address that cannot be one: SIGBUS, SI_KERNEL.
    Segment,
    /// External abort or machine check on a user access: SIGBUS, BUS_OBJERR.
    HardwareError,
}

/// The saved registers of a program. A clone of one, with the return value set, is fork.
pub trait TrapFrame: Clone + Send + Sync + 'static {
    /// Makes the registers of a fresh image: zero but for these two.
    fn new_user(entry: u64, stack_pointer: u64) -> Self;

    /// Returns the program counter.
    fn program_counter(&self) -> u64;
    /// Sets the program counter.
    fn set_program_counter(&mut self, address: u64);
    /// Returns the stack pointer.
    fn stack_pointer(&self) -> u64;
    /// Sets the stack pointer.
    fn set_stack_pointer(&mut self, address: u64);

    /// Returns the system call number as the program gave it.
    fn syscall_number(&self) -> u64;
    /// Returns the six argument registers.
    fn syscall_arguments(&self) -> [u64; 6];
    /// Sets the result register of a system call: a value or a negated errno.
    fn set_syscall_result(&mut self, value: i64);
    /// Returns the result register.
    fn syscall_result(&self) -> i64;

    /// Winds the program back to its system call instruction with its arguments as they were, so that
    /// it makes the call again; `number` replaces the call's number when given (`restart_syscall`).
    fn restart_syscall(&mut self, number: Option<u64>);

    /// Forgets that the frame came from a system call, so that no restart applies to it.
    fn clear_syscall(&mut self);
    /// Reports whether the frame was saved at a system call that has not been cleared.
    fn in_syscall(&self) -> bool;
}

/// What a signal handler's stack frame is to hold.
#[derive(Clone, Copy, Debug)]
pub struct SignalSetup<'a> {
    /// The signal's number.
    pub number: i32,
    /// The 128 bytes of `siginfo_t`.
    pub info: &'a [u8; 128],
    /// The handler's address.
    pub handler: u64,
    /// `sa_restorer`, or the vDSO's trampoline where the machine's ABI has no restorer; 0 if none.
    pub restorer: u64,
    /// The signal mask to restore on return.
    pub mask: u64,
    /// `uc_stack`: address, flags and size of the alternate stack.
    pub alternate_stack: (u64, i32, u64),
    /// The stack pointer below which the frame goes (the red zone is the callee's business).
    pub stack_top: u64,
    /// The thread's last fault.
    pub fault: FaultRecord,
}

/// A signal frame ready to be copied to user memory.
#[derive(Clone, Debug)]
pub struct SignalFrame {
    /// Where its first byte goes.
    pub address: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What `rt_sigreturn` found besides the registers.
#[derive(Clone, Copy, Debug)]
pub struct SignalReturn {
    /// The mask to install.
    pub mask: u64,
    /// `uc_stack`: address, flags and size.
    pub alternate_stack: (u64, i32, u64),
}

/// A set of registers as a core dump has it (core(5), `linux/elf.h`).
#[derive(Clone, Copy, Debug)]
pub struct RegisterNote<'a> {
    /// Whose numbering of kinds it is: `CORE` or `LINUX`.
    pub owner: &'static str,
    /// The kind, `NT_*`.
    pub kind: u32,
    /// The registers, to be put one behind the other.
    pub pieces: &'a [&'a [u8]],
}

/// Reads user memory for [`Traps::restore_signal_frame`].
pub type ReadUser<'a> = &'a mut dyn FnMut(u64, &mut [u8]) -> Result<(), Errno>;

/// Entry to and return from user mode.
pub trait Traps: crate::cpu::Cpu {
    /// The saved registers of a program.
    type Frame: TrapFrame;

    /// Installs the vectors of this CPU.
    fn init_traps();

    /// Runs the program from these registers until something happens, and says what. Returns with the
    /// registers saved in `frame` and interrupts enabled. The active address space is the program's.
    fn run_user(frame: &mut Self::Frame) -> UserExit;

    /// Builds the stack frame of a signal handler, which the caller copies to user memory.
    fn build_signal_frame(
        frame: &Self::Frame,
        state: &Self::UserState,
        setup: &SignalSetup<'_>,
    ) -> SignalFrame;

    /// Sends `frame` into the handler, when the signal frame is where it belongs.
    fn enter_handler(frame: &mut Self::Frame, setup: &SignalSetup<'_>, signal_frame: &SignalFrame);

    /// Gives `state` the registers outside of the frame that a handler starts with; false when they are
    /// those of the interrupted code.
    fn begin_handler(state: &mut Self::UserState) -> bool;

    /// Returns the most bytes of a stack that a signal frame takes, the red zone not counted.
    fn signal_frame_bytes() -> usize;

    /// Calls `visit` with every set of registers that a core dump has of a thread. The first is that of the
    /// general registers, `NT_PRSTATUS`, without what the dump says besides in that note. What the notes are and how
    /// long is the same for all threads.
    fn visit_register_notes(
        frame: &Self::Frame,
        state: &Self::UserState,
        visit: &mut dyn FnMut(RegisterNote<'_>),
    );

    /// Restores `frame` and `state` from the signal frame that the program's stack pointer designates.
    /// Everything from user memory is sanitised: no privileged bit is taken over.
    ///
    /// # Errors
    /// EFAULT from `read`, EINVAL for a malformed frame; the caller then kills the program. `frame` is
    /// what it was.
    fn restore_signal_frame(
        frame: &mut Self::Frame,
        state: &mut Self::UserState,
        read: ReadUser<'_>,
    ) -> Result<SignalReturn, Errno>;
}
