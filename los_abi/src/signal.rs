//! Signals (`asm-generic/signal.h`, `asm-generic/siginfo.h`), equal on both machines but for the saved
//! registers.
//!
//! The frames that a handler returns through hold registers and are in [`crate::isa`].

mod file;
mod info;
mod set;

use core::fmt;

pub use file::{SignalfdFlags, SignalfdSiginfo};
pub use info::{Form, SigInfo};
pub use set::SigSet;

use crate::macros::{constants, wire};

constants! {
    /// Signals with a name; the others are [`SIGRTMIN`] to [`SIGRTMAX`].
    SIGNALS: u32 {
        SIGHUP = 1, "The terminal hung up.";
        SIGINT = 2, "Interrupt from the keyboard.";
        SIGQUIT = 3, "Quit from the keyboard.";
        SIGILL = 4, "Illegal instruction.";
        SIGTRAP = 5, "Trace trap.";
        SIGABRT = 6, "abort(3).";
        SIGBUS = 7, "Memory that is not there.";
        SIGFPE = 8, "Arithmetic.";
        SIGKILL = 9, "Ends the process, always.";
        SIGUSR1 = 10, "For the program.";
        SIGSEGV = 11, "Memory that may not be accessed so.";
        SIGUSR2 = 12, "For the program.";
        SIGPIPE = 13, "A pipe without readers.";
        SIGALRM = 14, "alarm(2).";
        SIGTERM = 15, "Please end.";
        SIGSTKFLT = 16, "Unused.";
        SIGCHLD = 17, "A child changed its state.";
        SIGCONT = 18, "Continues a stopped process.";
        SIGSTOP = 19, "Stops the process, always.";
        SIGTSTP = 20, "Stop from the keyboard.";
        SIGTTIN = 21, "Background read from the terminal.";
        SIGTTOU = 22, "Background write to the terminal.";
        SIGURG = 23, "Urgent data on a socket.";
        SIGXCPU = 24, "Limit of processor time.";
        SIGXFSZ = 25, "Limit of file size.";
        SIGVTALRM = 26, "Virtual timer.";
        SIGPROF = 27, "Profiling timer.";
        SIGWINCH = 28, "The window changed its size.";
        SIGIO = 29, "Input or output is possible.";
        SIGPWR = 30, "Power failure.";
        SIGSYS = 31, "Bad system call.";
    }

    /// What rt_sigprocmask(2) does with the set.
    PROCMASK_OPERATIONS: i32 {
        SIG_BLOCK = 0, "Adds it to the mask.";
        SIG_UNBLOCK = 1, "Removes it from the mask.";
        SIG_SETMASK = 2, "Makes it the mask.";
    }

    /// States of the alternate stack.
    STACK_FLAGS: u32 {
        SS_ONSTACK = 1, "In use.";
        SS_DISABLE = 2, "There is none.";
        SS_AUTODISARM = 1 << 31, "Disabled while in use.";
    }

    /// `si_code` of every signal: positive codes come from the kernel and are particular to the signal.
    SIGNAL_CODES: i32 {
        SI_USER = 0, "kill(2).";
        SI_KERNEL = 0x80, "The kernel, for no particular reason.";
        SI_QUEUE = -1, "sigqueue(3).";
        SI_TIMER = -2, "A POSIX timer.";
        SI_MESGQ = -3, "A message queue.";
        SI_ASYNCIO = -4, "Asynchronous input or output.";
        SI_SIGIO = -5, "Queued SIGIO.";
        SI_TKILL = -6, "tkill(2) and tgkill(2).";
        SI_ASYNCNL = -60, "An asynchronous look-up of a name.";
    }

    /// `si_code` of SIGILL.
    ILL_CODES: i32 {
        ILL_ILLOPC = 1, "Illegal operation code.";
        ILL_ILLOPN = 2, "Illegal operand.";
        ILL_ILLTRP = 4, "Illegal trap.";
        ILL_PRVOPC = 5, "Privileged operation code.";
    }

    /// `si_code` of SIGFPE.
    FPE_CODES: i32 {
        FPE_INTDIV = 1, "Integer division by zero.";
        FPE_INTOVF = 2, "Integer overflow.";
        FPE_FLTDIV = 3, "Division by zero.";
        FPE_FLTOVF = 4, "Overflow.";
        FPE_FLTUND = 5, "Underflow.";
        FPE_FLTRES = 6, "Inexact result.";
        FPE_FLTINV = 7, "Invalid operation.";
        FPE_FLTUNK = 14, "Not told.";
    }

    /// `si_code` of SIGSEGV.
    SEGV_CODES: i32 {
        SEGV_MAPERR = 1, "Nothing is mapped there.";
        SEGV_ACCERR = 2, "The mapping forbids it.";
    }

    /// `si_code` of SIGBUS.
    BUS_CODES: i32 {
        BUS_ADRALN = 1, "Misaligned address.";
        BUS_ADRERR = 2, "No memory behind the address.";
        BUS_OBJERR = 3, "Error of the hardware.";
    }

    /// `si_code` of SIGTRAP.
    TRAP_CODES: i32 {
        TRAP_BRKPT = 1, "Breakpoint.";
        TRAP_TRACE = 2, "Single step.";
        TRAP_HWBKPT = 4, "Breakpoint of the hardware.";
    }

    /// `si_code` of SIGCHLD.
    CHILD_CODES: i32 {
        CLD_EXITED = 1, "It exited.";
        CLD_KILLED = 2, "A signal ended it.";
        CLD_DUMPED = 3, "A signal ended it, with a core dump.";
        CLD_TRAPPED = 4, "It was traced and stopped.";
        CLD_STOPPED = 5, "It stopped.";
        CLD_CONTINUED = 6, "It continued.";
    }

    /// `si_code` of SIGIO, and of the signal in its place.
    POLL_CODES: i32 {
        POLL_IN = 1, "Reading is possible.";
        POLL_OUT = 2, "Writing is possible.";
        POLL_MSG = 3, "A message has come.";
        POLL_ERR = 4, "An error.";
        POLL_PRI = 5, "Urgent data.";
        POLL_HUP = 6, "The other end is gone.";
    }

    /// How a timer or message queue tells of an event.
    SIGEV_KINDS: i32 {
        SIGEV_SIGNAL = 0, "By a signal.";
        SIGEV_NONE = 1, "Not at all.";
        SIGEV_THREAD = 2, "By a thread, made by the C library.";
        SIGEV_THREAD_ID = 4, "By a signal to one thread.";
    }
}

/// First real-time signal.
pub const SIGRTMIN: u32 = 32;
/// Last real-time signal.
pub const SIGRTMAX: u32 = 64;
/// Other name of [`SIGIO`].
pub const SIGPOLL: u32 = SIGIO;
/// Handler that stands for the default action.
pub const SIG_DFL: u64 = 0;
/// Handler that stands for "ignore".
pub const SIG_IGN: u64 = 1;
/// Size of a signal set, which the `rt_*` calls insist on.
pub const SIGSET_SIZE: usize = 8;

/// What a signal does to a process that has no handler for it (signal(7)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DefaultAction {
    /// Ends the process.
    Terminate,
    /// Ends the process, with a core dump.
    Core,
    /// Nothing.
    Ignore,
    /// Stops the process.
    Stop,
    /// Continues a stopped process.
    Continue,
}

/// Number of a signal, always 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

/// Defines the constants of [`Signal`] for the named signals.
macro_rules! signal_constants {
    ($($name:ident = $number:ident;)*) => {
        impl Signal {
            $(#[doc = concat!("The signal [`", stringify!($number), "`].")]
            pub const $name: Self = Self($number as u8);)*
        }
    };
}

signal_constants! {
    HUP = SIGHUP; INT = SIGINT; QUIT = SIGQUIT; ILL = SIGILL; TRAP = SIGTRAP; ABRT = SIGABRT; BUS = SIGBUS;
    FPE = SIGFPE; KILL = SIGKILL; USR1 = SIGUSR1; SEGV = SIGSEGV; USR2 = SIGUSR2; PIPE = SIGPIPE;
    ALRM = SIGALRM; TERM = SIGTERM; STKFLT = SIGSTKFLT; CHLD = SIGCHLD; CONT = SIGCONT; STOP = SIGSTOP;
    TSTP = SIGTSTP; TTIN = SIGTTIN; TTOU = SIGTTOU; URG = SIGURG; XCPU = SIGXCPU; XFSZ = SIGXFSZ;
    VTALRM = SIGVTALRM; PROF = SIGPROF; WINCH = SIGWINCH; IO = SIGIO; PWR = SIGPWR; SYS = SIGSYS;
}

impl Signal {
    /// Number of signals.
    pub const COUNT: usize = 64;

    /// Returns the signal with this number, or `None` outside 1 to 64.
    pub const fn new(number: u32) -> Option<Self> {
        if number >= 1 && number <= SIGRTMAX {
            Some(Self(number as u8))
        } else {
            None
        }
    }

    /// Returns the number, 1 to 64.
    pub const fn number(self) -> u32 {
        self.0 as u32
    }

    /// Returns the place in a table of all signals, 0 to 63.
    pub const fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// Returns the name, such as `SIGINT`, or `SIGRT` for every real-time signal.
    pub const fn name(self) -> &'static str {
        if self.is_real_time() {
            "SIGRT"
        } else {
            SIGNALS[self.index()].0
        }
    }

    /// Tells whether the signal queues and carries data.
    pub const fn is_real_time(self) -> bool {
        self.number() >= SIGRTMIN
    }

    /// Tells whether the signal can be neither caught, nor blocked, nor ignored.
    pub const fn is_unstoppable(self) -> bool {
        matches!(self.number(), SIGKILL | SIGSTOP)
    }

    /// Returns what the signal does without a handler.
    pub const fn default_action(self) -> DefaultAction {
        match self.number() {
            SIGCHLD | SIGURG | SIGWINCH => DefaultAction::Ignore,
            SIGCONT => DefaultAction::Continue,
            SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU => DefaultAction::Stop,
            SIGQUIT | SIGILL | SIGTRAP | SIGABRT | SIGBUS | SIGFPE | SIGSEGV | SIGXCPU | SIGXFSZ | SIGSYS => {
                DefaultAction::Core
            }
            _ => DefaultAction::Terminate,
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_real_time() {
            write!(f, "SIGRT_{}", self.number() - SIGRTMIN)
        } else {
            f.write_str(self.name())
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

bitflags::bitflags! {
    /// Flags of a signal's action (`SA_*`).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct SaFlags: u64 {
        /// SIGCHLD only when a child ends, not when it stops.
        const NOCLDSTOP = 1;
        /// Children do not become zombies.
        const NOCLDWAIT = 2;
        /// The handler takes a siginfo and a ucontext.
        const SIGINFO = 4;
        /// Kernel tells by it which flags it knows.
        const UNSUPPORTED = 0x400;
        /// Tag bits of the fault address are shown.
        const EXPOSE_TAGBITS = 0x800;
        /// The action has a restorer.
        const RESTORER = 0x0400_0000;
        /// The handler runs on the alternate stack.
        const ONSTACK = 0x0800_0000;
        /// Interrupted calls start again.
        const RESTART = 0x1000_0000;
        /// The signal is not blocked in its handler.
        const NODEFER = 0x4000_0000;
        /// The action becomes the default when the handler starts.
        const RESETHAND = 0x8000_0000;
    }
}

wire! {
    /// Action of a signal as rt_sigaction(2) passes it.
    #[derive(PartialEq, Eq)]
    SigAction {
        /// Address of the handler, [`SIG_DFL`] or [`SIG_IGN`].
        sa_handler: u64,
        /// [`SaFlags`].
        sa_flags: u64,
        /// Where the handler returns to, with [`SaFlags::RESTORER`].
        sa_restorer: u64,
        /// Blocked while the handler runs.
        sa_mask: SigSet,
    }

    /// Mask of pselect6(2), behind a pointer because registers are few.
    #[derive(PartialEq, Eq)]
    SigSetArgument {
        /// Address of a [`SigSet`], or zero.
        set: u64,
        /// Its size.
        size: u64,
    }

    /// Alternate signal stack.
    #[derive(PartialEq, Eq)]
    StackT {
        /// Lowest address.
        ss_sp: u64,
        /// One of [`STACK_FLAGS`].
        ss_flags: u32,
        /// Padding.
        pad: u32,
        /// Size in bytes.
        ss_size: u64,
    }

    /// How a timer tells of its expiry.
    #[derive(PartialEq, Eq)]
    SigEvent {
        /// Data for the receiver.
        sigev_value: u64,
        /// Signal.
        sigev_signo: i32,
        /// One of [`SIGEV_KINDS`].
        sigev_notify: i32,
        /// Thread, for [`SIGEV_THREAD_ID`].
        sigev_notify_thread_id: i32,
        /// Rest of a union.
        pad: [i32; 11],
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{DefaultAction, SIGNALS, Signal};
    use std::format;

    #[test]
    fn signals_are_1_to_64() {
        assert_eq!(Signal::new(0), None);
        assert_eq!(Signal::new(65), None);
        assert_eq!(Signal::new(64).map(Signal::index), Some(63));
        for (index, &(name, number)) in SIGNALS.iter().enumerate() {
            assert_eq!(number as usize, index + 1);
            assert_eq!(Signal::new(number).map(Signal::name), Some(name));
        }
        assert_eq!(
            format!("{} {}", Signal::INT, Signal::new(34).unwrap()),
            "SIGINT SIGRT_2"
        );
        assert_eq!(Signal::CHLD.default_action(), DefaultAction::Ignore);
        assert_eq!(
            Signal::new(64).map(Signal::default_action),
            Some(DefaultAction::Terminate)
        );
    }
}
