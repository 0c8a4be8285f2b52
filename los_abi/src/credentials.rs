//! Who a process is: capabilities, secure bits and personality, equal on both machines.
//!
//! The personality and the secure bits are in headers that `linux-raw-sys` does not translate: the values are
//! those of `linux/personality.h` and `linux/securebits.h`.

use crate::macros::{constants, wire};

bitflags::bitflags! {
    /// The word of personality(2): flags, and in its low byte an execution domain.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Personality: u32 {
        /// uname(2) tells of a Linux 2.6.
        const UNAME26 = 0x2_0000;
        /// Programs lie at the same addresses every time.
        const ADDR_NO_RANDOMIZE = 0x4_0000;
        /// Function pointers are descriptors.
        const FDPIC_FUNCPTRS = 0x8_0000;
        /// Page 0 is mapped.
        const MMAP_PAGE_ZERO = 0x10_0000;
        /// Mappings grow upwards.
        const ADDR_COMPAT_LAYOUT = 0x20_0000;
        /// What can be read can be executed.
        const READ_IMPLIES_EXEC = 0x40_0000;
        /// Addresses have 32 bits.
        const ADDR_LIMIT_32BIT = 0x80_0000;
        /// Inode numbers have 16 bits.
        const SHORT_INODE = 0x100_0000;
        /// Times are whole seconds.
        const WHOLE_SECONDS = 0x200_0000;
        /// select(2) leaves its timeout alone.
        const STICKY_TIMEOUTS = 0x400_0000;
        /// Addresses are below 3 GiB.
        const ADDR_LIMIT_3GB = 0x800_0000;
    }
}

impl Personality {
    /// `PER_LINUX32`: the domain of programs that believe in a machine of 32 bits.
    pub const LINUX32: u32 = 8;
    /// The argument of personality(2) that only asks.
    pub const QUERY: u32 = u32::MAX;
    /// `PER_CLEAR_ON_SETID`: what a program with more rights than its caller does not inherit.
    pub const CLEARED_BY_SET_ID: Self = Self::READ_IMPLIES_EXEC
        .union(Self::ADDR_NO_RANDOMIZE)
        .union(Self::ADDR_COMPAT_LAYOUT)
        .union(Self::MMAP_PAGE_ZERO);

    /// Returns the execution domain, the low byte.
    pub const fn domain(self) -> u32 {
        self.bits() & 0xff
    }
}

constants! {
    /// Versions of the capability structures.
    CAPABILITY_VERSIONS: u32 {
        _LINUX_CAPABILITY_VERSION_1 = 0x1998_0330, "One 32-bit set.";
        _LINUX_CAPABILITY_VERSION_2 = 0x2007_1026, "Two 32-bit sets, deprecated.";
        _LINUX_CAPABILITY_VERSION_3 = 0x2008_0522, "Two 32-bit sets.";
    }
}

constants! {
    /// Parts of the first word of a file's capabilities, the attribute `security.capability`.
    FILE_CAPABILITIES: u32 {
        VFS_CAP_REVISION_MASK = 0xff00_0000, "Where the revision stands.";
        VFS_CAP_REVISION_1 = 0x0100_0000, "One 32-bit half.";
        VFS_CAP_REVISION_2 = 0x0200_0000, "Two 32-bit halves.";
        VFS_CAP_REVISION_3 = 0x0300_0000, "Two 32-bit halves, and whose they are.";
        VFS_CAP_FLAGS_EFFECTIVE = 1, "The capabilities are in force at once.";
    }
}

/// Highest capability (`CAP_CHECKPOINT_RESTORE`).
pub const CAP_LAST_CAP: u32 = 40;
/// Most supplementary groups of a process (`linux/limits.h`).
pub const NGROUPS_MAX: usize = 65536;

wire! {
    /// Whose capabilities, and in which form.
    #[derive(PartialEq, Eq)]
    CapUserHeader {
        /// One of [`CAPABILITY_VERSIONS`].
        version: u32,
        /// Process, or zero for the caller.
        pid: i32,
    }

    /// Half of three sets of capabilities.
    #[derive(PartialEq, Eq)]
    CapUserData {
        /// In force.
        effective: u32,
        /// Allowed.
        permitted: u32,
        /// Kept over execve.
        inheritable: u32,
    }
}
