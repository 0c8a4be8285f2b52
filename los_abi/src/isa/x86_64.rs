//! Forms and numbers of x86_64 (`arch/x86/include/uapi/asm` of Linux).

use super::{Isa, IsaAbi, OpenFlagBits, WireEpollEvent, WireStat};
use crate::Errno;
use crate::fs::StatFields;
use crate::macros::{constants, wire};
use crate::signal::{SigInfo, SigSet, StackT};

/// The machine, as a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abi;

impl IsaAbi for Abi {
    const ISA: Isa = Isa::X86_64;
    const MACHINE: &str = "x86_64";
    const MACHINE_32: Option<&str> = Some("i686");
    const NO_KEYS: Errno = Errno::EINVAL;
    const AUXV_WORDS: usize = 56;
    const ELF_MACHINE: u16 = 62;
    const OPEN_FLAGS: OpenFlagBits = OpenFlagBits {
        directory: O_DIRECTORY,
        nofollow: O_NOFOLLOW,
        direct: O_DIRECT,
        largefile: O_LARGEFILE,
    };
    const MIN_SIGNAL_STACK: usize = 2048;
    const CLONE_TLS_INDEX: usize = 4;
    const CLONE_CHILD_TID_INDEX: usize = 3;

    type Stat = Stat;
    type UContext = UContext;
    type RtSigFrame = RtSigFrame;
    type EpollEvent = EpollEvent;
}

constants! {
    /// Open flags whose place is particular to this machine.
    OPEN_FLAG_VALUES: u32 {
        O_DIRECT = 0o40_000, "Bypasses caches.";
        O_LARGEFILE = 0o100_000, "Large sizes.";
        O_DIRECTORY = 0o200_000, "Fails unless it is a directory.";
        O_NOFOLLOW = 0o400_000, "Fails if the last component is a symbolic link.";
    }

    /// Codes of arch_prctl(2).
    ARCH_PRCTL_CODES: i32 {
        ARCH_SET_GS = 0x1001, "Sets the base of GS.";
        ARCH_SET_FS = 0x1002, "Sets the base of FS.";
        ARCH_GET_FS = 0x1003, "Reads the base of FS.";
        ARCH_GET_GS = 0x1004, "Reads the base of GS.";
        ARCH_GET_CPUID = 0x1011, "Reads whether CPUID may be used.";
        ARCH_SET_CPUID = 0x1012, "Sets whether CPUID may be used.";
    }

    /// Bits of `AT_HWCAP2`. `AT_HWCAP` is EDX of CPUID leaf 1.
    HWCAP2_BITS: u64 {
        HWCAP2_RING3MWAIT = 1, "MWAIT in user mode.";
        HWCAP2_FSGSBASE = 2, "RDFSBASE and its kin in user mode.";
    }

    /// Bits of `uc_flags`.
    UC_FLAGS: u64 {
        UC_FP_XSTATE = 1, "The floating-point state has an extended part.";
        UC_SIGCONTEXT_SS = 2, "SS is saved.";
        UC_STRICT_RESTORE_SS = 4, "SS is restored as it is.";
    }
}

/// Number at the end of [`FpState::software_reserved`]'s first word if an extended part follows.
pub const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
/// Number behind the extended part.
pub const FP_XSTATE_MAGIC2: u32 = 0x4650_5845;
/// Bytes below the stack pointer that a function may use and a signal frame must spare.
pub const RED_ZONE: u64 = 128;

wire! {
    /// `struct stat`.
    #[derive(PartialEq, Eq)]
    Stat {
        /// Device that the file is on.
        st_dev: u64,
        /// Inode number.
        st_ino: u64,
        /// Number of links.
        st_nlink: u64,
        /// Type and permissions.
        st_mode: u32,
        /// Owner.
        st_uid: u32,
        /// Group.
        st_gid: u32,
        /// Padding.
        pad0: u32,
        /// Device that the file is.
        st_rdev: u64,
        /// Size in bytes.
        st_size: i64,
        /// Best size of transfers.
        st_blksize: i64,
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
        unused: [i64; 3],
    }

    /// Floating-point state in the layout of FXSAVE64 (Intel SDM volume 1, section 10.5.1); `struct
    /// _fpstate_64`.
    #[derive(PartialEq, Eq)]
    FpState {
        /// Control word.
        cwd: u16,
        /// Status word.
        swd: u16,
        /// Tag word, abridged.
        twd: u16,
        /// Last operation code.
        fop: u16,
        /// Last instruction.
        rip: u64,
        /// Last operand.
        rdp: u64,
        /// SSE control and status.
        mxcsr: u32,
        /// Bits that `mxcsr` may have.
        mxcsr_mask: u32,
        /// x87 registers.
        st_space: [u32; 32],
        /// XMM registers.
        xmm_space: [u32; 64],
        /// Unused.
        reserved: [u32; 12],
        /// Describes an extended part, if there is one.
        software_reserved: [u32; 12],
    }

    /// Registers at the signal: `struct sigcontext_64`.
    #[derive(PartialEq, Eq)]
    SigContext {
        /// R8.
        r8: u64,
        /// R9.
        r9: u64,
        /// R10.
        r10: u64,
        /// R11.
        r11: u64,
        /// R12.
        r12: u64,
        /// R13.
        r13: u64,
        /// R14.
        r14: u64,
        /// R15.
        r15: u64,
        /// RDI.
        rdi: u64,
        /// RSI.
        rsi: u64,
        /// RBP.
        rbp: u64,
        /// RBX.
        rbx: u64,
        /// RDX.
        rdx: u64,
        /// RAX.
        rax: u64,
        /// RCX.
        rcx: u64,
        /// RSP.
        rsp: u64,
        /// RIP.
        rip: u64,
        /// RFLAGS.
        eflags: u64,
        /// Code segment.
        cs: u16,
        /// GS; not restored.
        gs: u16,
        /// FS; not restored.
        fs: u16,
        /// Stack segment.
        ss: u16,
        /// Error code of the exception.
        err: u64,
        /// Number of the exception.
        trapno: u64,
        /// Mask before the signal, low word.
        oldmask: u64,
        /// Address of the page fault.
        cr2: u64,
        /// Address of an [`FpState`], or zero.
        fpstate: u64,
        /// Unused.
        reserved: [u64; 8],
    }

    /// State that a handler returns to: `struct ucontext`.
    #[derive(PartialEq, Eq)]
    UContext {
        /// [`UC_FLAGS`].
        uc_flags: u64,
        /// Unused.
        uc_link: u64,
        /// Alternate stack.
        uc_stack: StackT,
        /// Registers.
        uc_mcontext: SigContext,
        /// Mask to restore.
        uc_sigmask: SigSet,
    }

    /// What lies at the stack pointer when a handler starts: `struct rt_sigframe`. The pointer is 8 below a
    /// multiple of 16 there, as after a call; the floating-point state lies above, at a multiple of 64.
    #[derive(PartialEq, Eq)]
    RtSigFrame {
        /// Return address: the action's restorer.
        pretcode: u64,
        /// State to return to.
        uc: UContext,
        /// What the signal tells.
        info: SigInfo,
    }
}

/// An event of epoll(7); without padding on this machine alone.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(C, packed)]
pub struct EpollEvent {
    /// Conditions.
    pub events: u32,
    /// Data of the program.
    pub data: u64,
}

impl WireEpollEvent for EpollEvent {
    fn new(events: u32, data: u64) -> Self {
        Self { events, data }
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
            st_nlink: u64::from(fields.nlink),
            st_mode: fields.mode,
            st_uid: fields.uid,
            st_gid: fields.gid,
            st_rdev: fields.rdev,
            st_size: fields.size.cast_signed(),
            st_blksize: i64::from(fields.blksize),
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
    assert!(size_of::<Stat>() == 144);
    assert!(size_of::<FpState>() == 512);
    assert!(size_of::<SigContext>() == 256);
    assert!(size_of::<UContext>() == 304);
    assert!(size_of::<RtSigFrame>() == 440);
    assert!(size_of::<EpollEvent>() == 12);
};
