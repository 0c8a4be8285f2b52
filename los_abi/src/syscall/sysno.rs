//! [`Sysno`], the name of a system call, and its numbers on both machines: all made from the table.

use core::fmt;

use super::prelude::*;
use crate::isa::Isa;

/// How much of a call's Linux behaviour the kernel has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Support {
    /// All that the manual page describes.
    Full,
    /// A part; the row's note says which.
    Partial,
}

/// Turns a number of a row into an `Option<u32>`.
macro_rules! number {
    (none) => {
        None
    };
    ($number:literal) => {
        Some($number)
    };
}

/// Makes [`Sysno`] from the rows.
macro_rules! define_sysno {
    ($({ $name:ident, x86_64: $x86_64:tt, aarch64: $aarch64:tt,
         ($($argument:ident: $type:ty),*), $support:ident, $note:literal })*) => {
        /// Name of a system call of the table, on whichever machine has it.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[expect(non_camel_case_types, reason = "the names are Linux's own")]
        pub enum Sysno {
            $(#[doc = concat!("The system call ", stringify!($name), "(2).")] $name,)*
        }

        impl Sysno {
            /// Every call, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the name, such as `openat`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// Returns how much of the call the kernel has.
            pub const fn support(self) -> Support {
                match self {
                    $(Self::$name => Support::$support,)*
                }
            }

            /// Returns the row's note: what is missing or differs, or nothing.
            pub const fn note(self) -> &'static str {
                match self {
                    $(Self::$name => $note,)*
                }
            }

            /// Returns the arguments' names and types as the row writes them.
            pub const fn arguments(self) -> &'static [(&'static str, &'static str)] {
                match self {
                    $(Self::$name => &[$((stringify!($argument), stringify!($type))),*],)*
                }
            }
        }

        /// Numbers on x86_64, in the order of [`Sysno::ALL`].
        const X86_64: [Option<u32>; Sysno::ALL.len()] = [$(number!($x86_64)),*];
        /// Numbers on aarch64, in the order of [`Sysno::ALL`].
        const AARCH64: [Option<u32>; Sysno::ALL.len()] = [$(number!($aarch64)),*];

        /// Writes the call as `name(argument, ...)`, each argument as its type shows it.
        ///
        /// # Errors
        /// Only those of the formatter.
        pub fn format_call(sysno: Sysno, registers: &[u64; 6], f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let mut list = ArgumentList { registers: registers.iter(), first: true };
            match sysno {
                $(Sysno::$name => {
                    f.write_str(concat!(stringify!($name), "("))?;
                    $(list.format_next::<$type>(f)?;)*
                })*
            }
            f.write_str(")")
        }
    };
}

crate::for_each_syscall!(define_sysno);

impl Sysno {
    /// Returns the number on this machine, or `None` where the machine does not have the call.
    pub const fn number(self, isa: Isa) -> Option<u32> {
        match isa {
            Isa::Aarch64 => AARCH64[self as usize],
            Isa::X86_64 => X86_64[self as usize],
        }
    }

    /// Returns the call with this number on this machine.
    pub const fn from_number(isa: Isa, number: u32) -> Option<Self> {
        let by_number = match isa {
            Isa::Aarch64 => &AARCH64_BY_NUMBER,
            Isa::X86_64 => &X86_64_BY_NUMBER,
        };
        if (number as usize) < by_number.len() {
            by_number[number as usize]
        } else {
            None
        }
    }

    /// Returns how many registers the call reads.
    pub const fn arg_count(self) -> usize {
        self.arguments().len()
    }
}

/// One more than the highest number that either machine's table may use.
const NUMBER_LIMIT: usize = 512;

static X86_64_BY_NUMBER: [Option<Sysno>; NUMBER_LIMIT] = by_number(&X86_64);
static AARCH64_BY_NUMBER: [Option<Sysno>; NUMBER_LIMIT] = by_number(&AARCH64);

/// Inverts a list of numbers; a number above the limit or used twice stops the compiler.
const fn by_number(numbers: &[Option<u32>]) -> [Option<Sysno>; NUMBER_LIMIT] {
    let mut table = [None; NUMBER_LIMIT];
    let mut index = 0;
    while index < numbers.len() {
        if let Some(number) = numbers[index] {
            assert!(table[number as usize].is_none(), "two calls share a number");
            table[number as usize] = Some(Sysno::ALL[index]);
        }
        index += 1;
    }
    table
}

/// A call with its registers; displays as strace would show it, without reading user memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    /// Which call.
    pub sysno: Sysno,
    /// The argument registers, in the machine's order.
    pub registers: [u64; 6],
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format_call(self.sysno, &self.registers, f)
    }
}

/// The registers that [`format_call`] has not shown yet.
struct ArgumentList<'a> {
    registers: core::slice::Iter<'a, u64>,
    first: bool,
}

impl ArgumentList<'_> {
    fn format_next<A: Arg>(&mut self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(&raw) = self.registers.next() else {
            return Ok(());
        };
        if !self.first {
            f.write_str(", ")?;
        }
        self.first = false;
        A::decode(raw).format(f)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{AARCH64, Call, Isa, Support, Sysno, X86_64};
    use std::collections::BTreeSet;
    use std::string::ToString;

    #[test]
    fn numbers_invert_on_both_machines() {
        for isa in [Isa::Aarch64, Isa::X86_64] {
            for &sysno in Sysno::ALL {
                if let Some(number) = sysno.number(isa) {
                    assert_eq!(Sysno::from_number(isa, number), Some(sysno));
                }
            }
            assert_eq!(Sysno::from_number(isa, 511), None);
            assert_eq!(Sysno::from_number(isa, u32::MAX), None);
        }
    }

    #[test]
    fn rows_are_unique_and_sane() {
        let names: BTreeSet<_> = Sysno::ALL.iter().map(|sysno| sysno.name()).collect();
        assert_eq!(names.len(), Sysno::ALL.len());
        for numbers in [&X86_64, &AARCH64] {
            let used: std::vec::Vec<_> = numbers.iter().flatten().collect();
            assert_eq!(used.iter().collect::<BTreeSet<_>>().len(), used.len());
        }
        for &sysno in Sysno::ALL {
            assert!(sysno.arg_count() <= 6, "{}", sysno.name());
            assert!(sysno.number(Isa::X86_64).is_some(), "{}", sysno.name());
            let explained = !sysno.note().is_empty();
            assert!(
                explained || sysno.support() == Support::Full,
                "{} needs a note",
                sysno.name()
            );
        }
    }

    #[test]
    fn calls_are_shown_as_strace_shows_them() {
        let at_fdcwd = (-100_i64).cast_unsigned();
        let call = Call {
            sysno: Sysno::newfstatat,
            registers: [at_fdcwd, 0x1000, 0, 0x100, 7, 7],
        };
        assert_eq!(
            call.to_string(),
            "newfstatat(AT_FDCWD, 0x1000, NULL, SYMLINK_NOFOLLOW)"
        );
        let call = Call {
            sysno: Sysno::getpid,
            registers: [0; 6],
        };
        assert_eq!(call.to_string(), "getpid()");
        let call = Call {
            sysno: Sysno::mmap,
            registers: [0, 4096, 3, 0x22, u64::MAX, 0],
        };
        assert_eq!(
            call.to_string(),
            "mmap(0, 4096, READ | WRITE, PRIVATE | ANONYMOUS, -1, 0)"
        );
    }
}
