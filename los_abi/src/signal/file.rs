//! What signalfd(2) takes and what its file gives (`linux/signalfd.h`).

use super::info::Form;
use super::{SigInfo, Signal};
use crate::macros::{flags, wire};

flags! {
    /// Flags of signalfd4(2) (`SFD_*`), which are open flags.
    SignalfdFlags {
        NONBLOCK = 0o4000, "Reads fail rather than wait.";
        CLOEXEC = 0o2_000_000, "Closed by execve.";
    }
}

wire! {
    /// A signal as it is read from a file. Fields that a signal does not have are zero.
    #[derive(PartialEq, Eq)]
    SignalfdSiginfo {
        /// Number of the signal.
        ssi_signo: u32,
        /// Error number, mostly zero.
        ssi_errno: i32,
        /// Why, as in [`SigInfo`].
        ssi_code: i32,
        /// Sender or child.
        ssi_pid: u32,
        /// The sender's or child's user.
        ssi_uid: u32,
        /// Descriptor that SIGIO is about.
        ssi_fd: i32,
        /// Number of the timer.
        ssi_tid: u32,
        /// What can be done with the descriptor.
        ssi_band: u32,
        /// Missed expiries of the timer.
        ssi_overrun: u32,
        /// Number of the trap, on machines that have one.
        ssi_trapno: u32,
        /// The child's status.
        ssi_status: i32,
        /// The value as a number.
        ssi_int: i32,
        /// The value as an address.
        ssi_ptr: u64,
        /// The child's user time in ticks.
        ssi_utime: u64,
        /// The child's system time in ticks.
        ssi_stime: u64,
        /// Address at fault.
        ssi_addr: u64,
        /// Least significant bit of the address that is known.
        ssi_addr_lsb: u16,
        /// Padding.
        pad: u16,
        /// Number of the system call that is refused.
        ssi_syscall: i32,
        /// Where it was called.
        ssi_call_addr: u64,
        /// The machine that its number is of.
        ssi_arch: u32,
        /// Room.
        room: [u32; 7],
    }
}

const fn low(field: u64) -> u32 {
    field as u32
}

const fn high(field: u64) -> u32 {
    (field >> 32) as u32
}

impl From<&SigInfo> for SignalfdSiginfo {
    fn from(info: &SigInfo) -> Self {
        let [first, second, third, fourth, ..] = info.fields;
        let base = Self {
            ssi_signo: info.si_signo.cast_unsigned(),
            ssi_errno: info.si_errno,
            ssi_code: info.si_code,
            ..Self::default()
        };
        let sender = Self {
            ssi_pid: low(first),
            ssi_uid: high(first),
            ..base
        };
        match info.form() {
            Form::Sender => sender,
            Form::Value => Self {
                ssi_int: info.value() as i32,
                ssi_ptr: info.value(),
                ..sender
            },
            Form::Timer => Self {
                ssi_tid: low(first),
                ssi_overrun: high(first),
                ssi_int: info.value() as i32,
                ssi_ptr: info.value(),
                ..base
            },
            Form::Poll => Self {
                ssi_band: low(first),
                ssi_fd: low(second).cast_signed(),
                ..base
            },
            Form::Fault => Self {
                ssi_addr: first,
                ..base
            },
            Form::Memory => Self {
                ssi_addr: first,
                ssi_addr_lsb: second as u16,
                ..base
            },
            Form::Child => Self {
                ssi_status: info.status(),
                ssi_utime: third,
                ssi_stime: fourth,
                ..sender
            },
            Form::System => Self {
                ssi_call_addr: first,
                ssi_syscall: low(second).cast_signed(),
                ssi_arch: high(second),
                ..base
            },
        }
    }
}

impl SignalfdSiginfo {
    /// Returns the signal, if the number is one.
    pub const fn signal(&self) -> Option<Signal> {
        Signal::new(self.ssi_signo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::SI_USER;

    #[test]
    fn each_form_fills_its_own_fields() {
        assert_eq!(size_of::<SignalfdSiginfo>(), 128);
        let read = |info: SigInfo| SignalfdSiginfo::from(&info);
        let killed = read(SigInfo::kill(Signal::USR1, SI_USER, 7, 8));
        assert_eq!((killed.ssi_signo, killed.ssi_pid, killed.ssi_uid), (10, 7, 8));
        let queued = read(SigInfo::queue(Signal::USR1, 7, 8, 1 << 32 | 5));
        assert_eq!(
            (queued.ssi_pid, queued.ssi_int, queued.ssi_ptr),
            (7, 5, 1 << 32 | 5)
        );
        let child = read(SigInfo::child(1, 7, 8, 42, 5, 6));
        assert_eq!((child.ssi_pid, child.ssi_status, child.ssi_stime), (7, 42, 6));
        let timer = read(SigInfo::timer(Signal::ALRM, 3, 2, 9));
        assert_eq!((timer.ssi_tid, timer.ssi_overrun, timer.ssi_int), (3, 2, 9));
        assert_eq!((timer.ssi_pid, timer.ssi_uid), (0, 0));
        let fault = read(SigInfo::fault(Signal::SEGV, 1, 0x1234));
        assert_eq!((fault.ssi_addr, fault.ssi_pid), (0x1234, 0));
    }

    #[test]
    fn fields_lie_where_linux_has_them() {
        use core::mem::offset_of;
        assert_eq!(offset_of!(SignalfdSiginfo, ssi_ptr), 48);
        assert_eq!(offset_of!(SignalfdSiginfo, ssi_addr), 72);
        assert_eq!(offset_of!(SignalfdSiginfo, ssi_syscall), 84);
        assert_eq!(offset_of!(SignalfdSiginfo, ssi_call_addr), 88);
        assert_eq!(offset_of!(SignalfdSiginfo, ssi_arch), 96);
    }
}
