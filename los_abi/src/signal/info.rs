//! [`SigInfo`]: what a signal tells its handler, one constructor for each form of its union.

use super::{
    SI_ASYNCNL, SI_KERNEL, SI_QUEUE, SI_SIGIO, SI_TIMER, SI_TKILL, SI_USER, SIGBUS, SIGCHLD, SIGFPE, SIGILL,
    SIGIO, SIGSEGV, SIGSYS, SIGTRAP, Signal,
};
use crate::macros::wire;

wire! {
    /// What a signal tells; use the constructors.
    #[derive(PartialEq, Eq)]
    SigInfo {
        /// Number of the signal.
        si_signo: i32,
        /// Error number, mostly zero.
        si_errno: i32,
        /// Why: one of [`SIGNAL_CODES`](super::SIGNAL_CODES) or of the signal's own.
        si_code: i32,
        /// Padding.
        pad: i32,
        /// Fields that depend on signal and code.
        fields: [u64; 14],
    }
}

/// Which fields of a [`SigInfo`] mean something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// The sender.
    Sender,
    /// The sender and a value.
    Value,
    /// A timer's number, what it missed, and its value.
    Timer,
    /// A descriptor and what can be done with it.
    Poll,
    /// An address at fault.
    Fault,
    /// An address at fault in broken memory, and how precise it is.
    Memory,
    /// A child and what became of it.
    Child,
    /// A refused system call.
    System,
}

/// Joins two 32-bit fields that lie one after the other in memory.
const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

/// Highest positive code of the form that signals have which have no form of their own (`NSIGPOLL`).
const OTHERS: i32 = 6;

/// Returns the highest positive code that a signal's own forms have (`NSIGILL` and so on of Linux).
const fn highest_code(number: i32) -> i32 {
    match number.cast_unsigned() {
        SIGILL => 11,
        SIGFPE => 15,
        SIGSEGV => 10,
        SIGBUS => 5,
        SIGTRAP => 6,
        SIGCHLD | SIGIO => 6,
        SIGSYS => 2,
        _ => OTHERS,
    }
}

impl SigInfo {
    /// Makes the form without fields, for signals from the kernel itself.
    pub const fn new(signal: Signal, code: i32) -> Self {
        Self {
            si_signo: signal.number() as i32,
            si_errno: 0,
            si_code: code,
            pad: 0,
            fields: [0; 14],
        }
    }

    /// Makes the form of kill(2) and tgkill(2): who sent it.
    pub const fn kill(signal: Signal, code: i32, pid: i32, uid: u32) -> Self {
        let mut info = Self::new(signal, code);
        info.fields[0] = pair(pid.cast_unsigned(), uid);
        info
    }

    /// Makes the form of sigqueue(3): who sent it, and a value.
    pub const fn queue(signal: Signal, pid: i32, uid: u32, value: u64) -> Self {
        let mut info = Self::kill(signal, SI_QUEUE, pid, uid);
        info.fields[1] = value;
        info
    }

    /// Makes the form of SIGCHLD: which child, what became of it (exit status or signal), and its times in
    /// clock ticks.
    pub const fn child(
        code: i32,
        pid: i32,
        uid: u32,
        status: i32,
        user_ticks: u64,
        system_ticks: u64,
    ) -> Self {
        let mut info = Self::kill(Signal::CHLD, code, pid, uid);
        info.fields[1] = status.cast_unsigned() as u64;
        info.fields[2] = user_ticks;
        info.fields[3] = system_ticks;
        info
    }

    /// Makes the form of SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGTRAP: the address at fault.
    pub const fn fault(signal: Signal, code: i32, address: u64) -> Self {
        let mut info = Self::new(signal, code);
        info.fields[0] = address;
        info
    }

    /// Makes the form of a POSIX timer: which timer, how many expiries were missed, and the timer's value.
    pub const fn timer(signal: Signal, timer_id: i32, overrun: i32, value: u64) -> Self {
        let mut info = Self::new(signal, SI_TIMER);
        info.fields[0] = pair(timer_id.cast_unsigned(), overrun.cast_unsigned());
        info.fields[1] = value;
        info
    }

    /// Makes the form of SIGIO: the conditions that hold of a descriptor.
    pub const fn io(signal: Signal, code: i32, band: u64, fd: i32) -> Self {
        let mut info = Self::new(signal, code);
        info.fields[0] = band;
        info.fields[1] = fd.cast_unsigned() as u64;
        info
    }

    /// Returns what rt_sigqueueinfo(2) delivers of a program's own siginfo: the number is that of the call,
    /// and what no form has room for is zero. `None` for a code that the kernel does not know with data there.
    pub fn for_queueing(&self, number: i32) -> Option<Self> {
        /// 64-bit words of the longest form.
        const FORM_WORDS: usize = 4;
        let is_known = self.si_code == SI_KERNEL
            || (SI_TKILL - 1..=SI_USER).contains(&self.si_code)
            || self.si_code == SI_ASYNCNL
            || (self.si_code > SI_USER && self.si_code <= highest_code(number));
        let (_, rest) = self.fields.split_at(FORM_WORDS);
        if !is_known && rest.iter().any(|&word| word != 0) {
            return None;
        }
        let mut info = *self;
        info.si_signo = number;
        info.pad = 0;
        info.fields[FORM_WORDS..].fill(0);
        Some(info)
    }

    /// Tells which fields mean something, by the signal and the code as Linux does.
    pub const fn form(&self) -> Form {
        /// First code of SIGBUS that is about broken memory (`BUS_MCEERR_AR`).
        const BROKEN_MEMORY: i32 = 4;
        match self.si_code {
            SI_TIMER => Form::Timer,
            SI_SIGIO => Form::Poll,
            ..SI_USER => Form::Value,
            SI_USER | SI_KERNEL.. => Form::Sender,
            code if code <= highest_code(self.si_signo) => match self.si_signo.cast_unsigned() {
                SIGBUS if code >= BROKEN_MEMORY => Form::Memory,
                SIGILL | SIGFPE | SIGSEGV | SIGBUS | SIGTRAP => Form::Fault,
                SIGCHLD => Form::Child,
                SIGSYS => Form::System,
                _ => Form::Poll,
            },
            1..=OTHERS => Form::Poll,
            _ => Form::Sender,
        }
    }

    /// Returns the signal, if the number is one.
    pub const fn signal(&self) -> Option<Signal> {
        Signal::new(self.si_signo.cast_unsigned())
    }

    /// Returns the sender or child, in the forms that have one.
    pub const fn pid(&self) -> i32 {
        (self.fields[0] as u32).cast_signed()
    }

    /// Returns the sender's or child's user, in the forms that have one.
    pub const fn uid(&self) -> u32 {
        (self.fields[0] >> 32) as u32
    }

    /// Returns the child's status, in the form of SIGCHLD.
    pub const fn status(&self) -> i32 {
        (self.fields[1] as u32).cast_signed()
    }

    /// Returns the address at fault, in the form that has one.
    pub const fn address(&self) -> u64 {
        self.fields[0]
    }

    /// Returns the value, in the forms of sigqueue and timers.
    pub const fn value(&self) -> u64 {
        self.fields[1]
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::SigInfo;
    use std::vec::Vec;
    use zerocopy::IntoBytes;

    #[test]
    fn siginfo_fields_lie_where_c_programs_look() {
        let info = SigInfo::child(1, 7, 1000, 42, 5, 6);
        let words: Vec<i32> = info
            .as_bytes()
            .chunks(4)
            .map(|word| i32::from_ne_bytes(word.try_into().unwrap()))
            .collect();
        assert_eq!(words[..14], [17, 0, 1, 0, 7, 1000, 42, 0, 5, 0, 6, 0, 0, 0]);
        assert_eq!((info.pid(), info.uid(), info.status()), (7, 1000, 42));
    }
}
