//! Forms and numbers of aarch64 (`arch/arm64/include/uapi/asm` of Linux).

use super::{Isa, IsaAbi, OpenFlagBits, WireEpollEvent, WireStat};
use crate::Errno;
use crate::fs::StatFields;
use crate::macros::{constants, wire};
use crate::signal::{SigInfo, SigSet, StackT};

/// The machine, as a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abi;

impl IsaAbi for Abi {
    const ISA: Isa = Isa::Aarch64;
    const MACHINE: &str = "aarch64";
    const MACHINE_32: Option<&str> = None;
    const NO_KEYS: Errno = Errno::ENOSPC;
    const AUXV_WORDS: usize = 54;
    const ELF_MACHINE: u16 = 183;
    const OPEN_FLAGS: OpenFlagBits = OpenFlagBits {
        directory: O_DIRECTORY,
        nofollow: O_NOFOLLOW,
        direct: O_DIRECT,
        largefile: O_LARGEFILE,
    };
    const MIN_SIGNAL_STACK: usize = 5120;
    const CLONE_TLS_INDEX: usize = 3;
    const CLONE_CHILD_TID_INDEX: usize = 4;

    type Stat = Stat;
    type UContext = UContext;
    type RtSigFrame = RtSigFrame;
    type EpollEvent = EpollEvent;
}

constants! {
    /// Open flags whose place is particular to this machine.
    OPEN_FLAG_VALUES: u32 {
        O_DIRECTORY = 0o40_000, "Fails unless it is a directory.";
        O_NOFOLLOW = 0o100_000, "Fails if the last component is a symbolic link.";
        O_DIRECT = 0o200_000, "Bypasses caches.";
        O_LARGEFILE = 0o400_000, "Large sizes.";
    }

    /// Bits of `AT_HWCAP`.
    HWCAP_BITS: u64 {
        HWCAP_FP = 1 << 0, "Floating point.";
        HWCAP_ASIMD = 1 << 1, "Advanced SIMD.";
        HWCAP_EVTSTRM = 1 << 2, "The timer makes events.";
        HWCAP_AES = 1 << 3, "AES.";
        HWCAP_PMULL = 1 << 4, "Polynomial multiplication.";
        HWCAP_SHA1 = 1 << 5, "SHA-1.";
        HWCAP_SHA2 = 1 << 6, "SHA-256.";
        HWCAP_CRC32 = 1 << 7, "CRC-32.";
        HWCAP_ATOMICS = 1 << 8, "Atomic instructions (LSE).";
        HWCAP_FPHP = 1 << 9, "Half-precision floating point.";
        HWCAP_ASIMDHP = 1 << 10, "Half-precision SIMD.";
        HWCAP_CPUID = 1 << 11, "Identification registers can be read.";
        HWCAP_ASIMDRDM = 1 << 12, "Rounding doubling multiplication.";
        HWCAP_JSCVT = 1 << 13, "JavaScript conversion.";
        HWCAP_FCMA = 1 << 14, "Complex numbers.";
        HWCAP_LRCPC = 1 << 15, "Weaker acquire.";
        HWCAP_DCPOP = 1 << 16, "Cleaning to the point of persistence.";
    }
}

/// [`RecordHeader::magic`] of an [`FpsimdContext`].
pub const FPSIMD_MAGIC: u32 = 0x4650_8001;
/// [`RecordHeader::magic`] of a record with the syndrome of a fault: an 8-byte ESR value follows.
pub const ESR_MAGIC: u32 = 0x4553_5201;
/// [`RecordHeader::magic`] of a record with more records elsewhere.
pub const EXTRA_MAGIC: u32 = 0x4558_5401;
/// Bytes below the stack pointer that a signal frame must spare: none on this machine.
pub const RED_ZONE: u64 = 0;
/// Bytes for records in a [`SigContext`].
pub const RESERVED_SIZE: usize = 4096;

wire! {
    /// `struct stat`.
    #[derive(PartialEq, Eq)]
    Stat {
        /// Device that the file is on.
        st_dev: u64,
        /// Inode number.
        st_ino: u64,
        /// Type and permissions.
        st_mode: u32,
        /// Number of links.
        st_nlink: u32,
        /// Owner.
        st_uid: u32,
        /// Group.
        st_gid: u32,
        /// Device that the file is.
        st_rdev: u64,
        /// Padding.
        pad1: u64,
        /// Size in bytes.
        st_size: i64,
        /// Best size of transfers.
        st_blksize: i32,
        /// Padding.
        pad2: i32,
        /// Allocated blocks of 512 bytes.
        st_blocks: i64,
        /// Time of last access.
        st_atime: i64,
        /// Its nanoseconds.
        st_atime_nsec: u64,
        /// Time of last change of the data.
        st_mtime: i64,
        /// Its nanoseconds.
        st_mtime_nsec: u64,
        /// Time of last change of the attributes.
        st_ctime: i64,
        /// Its nanoseconds.
        st_ctime_nsec: u64,
        /// Unused.
        unused: [u32; 2],
    }

    /// Start of every record in [`SigContext::reserved`]; the last record is all zeroes.
    #[derive(PartialEq, Eq)]
    RecordHeader {
        /// Kind of record.
        magic: u32,
        /// Size of the record with this header, a multiple of 16.
        size: u32,
    }

    /// Record with the floating-point registers.
    #[derive(PartialEq, Eq)]
    FpsimdContext {
        /// [`FPSIMD_MAGIC`] and 528.
        head: RecordHeader,
        /// Status.
        fpsr: u32,
        /// Control.
        fpcr: u32,
        /// V0 to V31, each as two words from the lower one.
        vregs: [[u64; 2]; 32],
    }

    /// Registers at the signal: `struct sigcontext`. Lies at a multiple of 16.
    #[derive(PartialEq, Eq)]
    SigContext {
        /// Address of a fault.
        fault_address: u64,
        /// X0 to X30.
        regs: [u64; 31],
        /// Stack pointer.
        sp: u64,
        /// Program counter.
        pc: u64,
        /// Processor state.
        pstate: u64,
        /// Padding.
        pad: u64,
        /// Records, each with a [`RecordHeader`].
        reserved: [u8; RESERVED_SIZE],
    }

    /// State that a handler returns to: `struct ucontext`. Lies at a multiple of 16.
    #[derive(PartialEq, Eq)]
    UContext {
        /// Zero.
        uc_flags: u64,
        /// Unused.
        uc_link: u64,
        /// Alternate stack.
        uc_stack: StackT,
        /// Mask to restore.
        uc_sigmask: SigSet,
        /// Room for a larger mask.
        unused: [u64; 15],
        /// Padding.
        pad: u64,
        /// Registers.
        uc_mcontext: SigContext,
    }

    /// What lies at the stack pointer when a handler starts: `struct rt_sigframe`. The pointer is a multiple
    /// of 16; a frame record (old X29, old X30) lies above, and X29 points to it.
    #[derive(PartialEq, Eq)]
    RtSigFrame {
        /// What the signal tells.
        info: SigInfo,
        /// State to return to.
        uc: UContext,
    }

    /// An event of epoll(7).
    #[derive(PartialEq, Eq)]
    EpollEvent {
        /// Conditions.
        events: u32,
        /// Padding.
        pad: u32,
        /// Data of the program.
        data: u64,
    }
}

impl WireEpollEvent for EpollEvent {
    fn new(events: u32, data: u64) -> Self {
        Self { events, pad: 0, data }
    }

    fn events(&self) -> u32 {
        self.events
    }

    fn data(&self) -> u64 {
        self.data
    }
}

impl WireStat for Stat {
    fn from_fields(fields: &StatFields) -> Self {
        Self {
            st_dev: fields.dev,
            st_ino: fields.ino,
            st_mode: fields.mode,
            st_nlink: fields.nlink,
            st_uid: fields.uid,
            st_gid: fields.gid,
            st_rdev: fields.rdev,
            st_size: fields.size.cast_signed(),
            st_blksize: fields.blksize.cast_signed(),
            st_blocks: fields.blocks.cast_signed(),
            st_atime: fields.atime.tv_sec,
            st_atime_nsec: fields.atime.tv_nsec.cast_unsigned(),
            st_mtime: fields.mtime.tv_sec,
            st_mtime_nsec: fields.mtime.tv_nsec.cast_unsigned(),
            st_ctime: fields.ctime.tv_sec,
            st_ctime_nsec: fields.ctime.tv_nsec.cast_unsigned(),
            ..Self::default()
        }
    }
}

const _: () = {
    assert!(size_of::<Stat>() == 128);
    assert!(size_of::<FpsimdContext>() == 528);
    assert!(size_of::<SigContext>() == 4384);
    assert!(size_of::<UContext>() == 4560);
    assert!(size_of::<RtSigFrame>() == 4688);
    assert!(size_of::<EpollEvent>() == 16);
};
