//! The auxiliary vector: what the kernel tells a new program beside its arguments (`linux/auxvec.h`).
//!
//! Bits of `AT_HWCAP` differ between the machines and are in [`crate::isa`].

use crate::macros::{constants, wire};

wire! {
    /// One entry of the vector; the last has the type [`AT_NULL`].
    #[derive(PartialEq, Eq)]
    AuxEntry {
        /// One of the `AT_*` types.
        a_type: u64,
        /// A number or an address.
        a_val: u64,
    }
}

constants! {
    /// Types of entries.
    AUX_TYPES: u64 {
        AT_NULL = 0, "End of the vector.";
        AT_IGNORE = 1, "Entry without meaning.";
        AT_EXECFD = 2, "Descriptor of the program.";
        AT_PHDR = 3, "Address of the program headers.";
        AT_PHENT = 4, "Size of a program header.";
        AT_PHNUM = 5, "Number of program headers.";
        AT_PAGESZ = 6, "Size of a page.";
        AT_BASE = 7, "Address of the interpreter.";
        AT_FLAGS = 8, "Flags; zero.";
        AT_ENTRY = 9, "Entry point of the program.";
        AT_NOTELF = 10, "The program is no ELF file.";
        AT_UID = 11, "Real user.";
        AT_EUID = 12, "Effective user.";
        AT_GID = 13, "Real group.";
        AT_EGID = 14, "Effective group.";
        AT_PLATFORM = 15, "Address of the machine's name.";
        AT_HWCAP = 16, "Features of the processor.";
        AT_CLKTCK = 17, "Clock ticks in a second.";
        AT_SECURE = 23, "The program gained privileges.";
        AT_BASE_PLATFORM = 24, "Address of the real machine's name.";
        AT_RANDOM = 25, "Address of 16 random bytes.";
        AT_HWCAP2 = 26, "More features of the processor.";
        AT_RSEQ_FEATURE_SIZE = 27, "Size of the supported part of struct rseq.";
        AT_RSEQ_ALIGN = 28, "Alignment of struct rseq.";
        AT_EXECFN = 31, "Address of the program's file name.";
        AT_SYSINFO_EHDR = 33, "Address of the vDSO.";
        AT_MINSIGSTKSZ = 51, "Smallest stack that holds a signal frame.";
    }
}

/// Bit of [`AT_FLAGS`]: the interpreter keeps `argv[0]` (binfmt_misc).
pub const AT_FLAGS_PRESERVE_ARGV0: u64 = 1;
