//! What differs between the machines. Both modules have the same names and are always compiled.

pub mod aarch64;
pub mod x86_64;

use crate::Errno;
use core::fmt::Debug;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::fs::StatFields;

/// An instruction set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Isa {
    /// Arm, 64 bits, little-endian.
    Aarch64,
    /// x86, 64 bits.
    X86_64,
}

impl Isa {
    /// Both machines.
    pub const ALL: [Self; 2] = [Self::Aarch64, Self::X86_64];

    /// Returns the name, which is also uname's `machine`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aarch64 => aarch64::Abi::MACHINE,
            Self::X86_64 => x86_64::Abi::MACHINE,
        }
    }
}

/// The forms and numbers of one machine, for code that is generic over machines.
pub trait IsaAbi {
    /// Which machine.
    const ISA: Isa;
    /// uname's `machine`, and the string behind `AT_PLATFORM`.
    const MACHINE: &str;
    /// uname's `machine` for programs of `PER_LINUX32`; `None` where that personality is refused.
    const MACHINE_32: Option<&str>;
    /// `e_machine` of the machine's ELF files.
    const ELF_MACHINE: u16;
    /// What pkey_alloc(2) answers on a processor without protection keys.
    const NO_KEYS: Errno;
    /// Words of the auxiliary vector that a process can have (`AT_VECTOR_SIZE`).
    const AUXV_WORDS: usize;
    /// Places of the open flags that differ.
    const OPEN_FLAGS: OpenFlagBits;
    /// `MINSIGSTKSZ`: smallest alternate stack that sigaltstack(2) takes.
    const MIN_SIGNAL_STACK: usize;
    /// Which argument of clone(2), from 0, is the thread pointer.
    const CLONE_TLS_INDEX: usize;
    /// Which argument of clone(2), from 0, is the address for the child's id.
    const CLONE_CHILD_TID_INDEX: usize;

    /// `struct stat`.
    type Stat: WireStat;
    /// `struct ucontext`.
    type UContext: Wire;
    /// What lies on the stack while a signal handler runs.
    type RtSigFrame: Wire;
    /// `struct epoll_event`.
    type EpollEvent: WireEpollEvent;
}

/// A structure that can be copied to and from user memory.
pub trait Wire: FromBytes + IntoBytes + Immutable + KnownLayout + Copy + Debug {}
impl<T: FromBytes + IntoBytes + Immutable + KnownLayout + Copy + Debug> Wire for T {}

/// A machine's `struct stat`.
pub trait WireStat: Wire {
    /// Makes the structure from neutral attributes.
    fn from_fields(fields: &StatFields) -> Self;
}

/// A machine's `struct epoll_event`.
pub trait WireEpollEvent: Wire {
    /// Makes the structure.
    fn new(events: u32, data: u64) -> Self;
    /// Returns the conditions.
    fn events(&self) -> u32;
    /// Returns what the program put there.
    fn data(&self) -> u64;
}

/// Places of the four open flags that differ between the machines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenFlagBits {
    /// `O_DIRECTORY`.
    pub directory: u32,
    /// `O_NOFOLLOW`.
    pub nofollow: u32,
    /// `O_DIRECT`.
    pub direct: u32,
    /// `O_LARGEFILE`.
    pub largefile: u32,
}

impl OpenFlagBits {
    /// Places in [`OpenFlags`](crate::fs::OpenFlags): those of `asm-generic/fcntl.h`.
    pub const NEUTRAL: Self = Self {
        directory: 0o200_000,
        nofollow: 0o400_000,
        direct: 0o40_000,
        largefile: 0o100_000,
    };

    /// Returns the places on this machine.
    pub const fn of(isa: Isa) -> Self {
        match isa {
            Isa::Aarch64 => aarch64::Abi::OPEN_FLAGS,
            Isa::X86_64 => x86_64::Abi::OPEN_FLAGS,
        }
    }

    /// Returns the four bits, always in the same order.
    pub const fn to_array(self) -> [u32; 4] {
        [self.directory, self.nofollow, self.direct, self.largefile]
    }
}
