//! Core dumps: an ELF file with what a program left behind (core(5), `linux/elf.h`, `linux/elfcore.h`).

use crate::macros::{constants, wire};
use crate::time::Timeval;

/// `e_ident` of a 64-bit little-endian file.
pub const ELF_IDENT: [u8; 16] = [0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// `e_type` of a core dump.
pub const ET_CORE: u16 = 4;
/// `e_phnum` of a file whose number of segments stands in its first section header instead.
pub const PN_XNUM: u16 = 0xffff;
/// Kind of a segment of memory.
pub const PT_LOAD: u32 = 1;
/// Kind of a segment of notes.
pub const PT_NOTE: u32 = 4;
/// Segment flag: executable.
pub const PF_X: u32 = 1;
/// Segment flag: writable.
pub const PF_W: u32 = 2;
/// Segment flag: readable.
pub const PF_R: u32 = 4;

/// Bytes of a process's name in [`PrPsInfo`].
pub const PR_NAME_BYTES: usize = 16;
/// Bytes of its arguments there (ELF_PRARGSZ).
pub const PR_ARGUMENTS_BYTES: usize = 80;

constants! {
    /// Kinds of notes.
    NOTE_KINDS: u32 {
        NT_PRSTATUS = 1, "A thread and its general registers.";
        NT_PRFPREG = 2, "Its floating-point registers.";
        NT_PRPSINFO = 3, "The process.";
        NT_AUXV = 6, "The auxiliary vector.";
        NT_X86_XSTATE = 0x202, "The area of XSAVE.";
        NT_ARM_TLS = 0x401, "Thread pointers.";
        NT_ARM_SYSTEM_CALL = 0x404, "Number of the system call.";
        NT_FILE = 0x4649_4c45, "The files that are mapped.";
        NT_SIGINFO = 0x5349_4749, "The signal's siginfo.";
    }
}

wire! {
    /// Start of the file.
    ElfHeader {
        /// What file this is.
        e_ident: [u8; 16],
        /// Kind.
        e_type: u16,
        /// Machine.
        e_machine: u16,
        /// 1.
        e_version: u32,
        /// First instruction; 0.
        e_entry: u64,
        /// Where the program headers are.
        e_phoff: u64,
        /// Where the section headers are; 0 without them.
        e_shoff: u64,
        /// Flags of the machine.
        e_flags: u32,
        /// Size of this.
        e_ehsize: u16,
        /// Size of a program header.
        e_phentsize: u16,
        /// Their number.
        e_phnum: u16,
        /// Size of a section header.
        e_shentsize: u16,
        /// Their number.
        e_shnum: u16,
        /// The section of names.
        e_shstrndx: u16,
    }

    /// A segment.
    ProgramHeader {
        /// Kind.
        p_type: u32,
        /// Flags.
        p_flags: u32,
        /// Where it is in the file.
        p_offset: u64,
        /// Where it was in memory.
        p_vaddr: u64,
        /// 0.
        p_paddr: u64,
        /// Bytes in the file.
        p_filesz: u64,
        /// Bytes in memory.
        p_memsz: u64,
        /// What the offset is aligned to.
        p_align: u64,
    }

    /// A section. The first one has what does not fit into the [`ElfHeader`].
    SectionHeader {
        /// Name.
        sh_name: u32,
        /// Kind.
        sh_type: u32,
        /// Flags.
        sh_flags: u64,
        /// Where it was in memory.
        sh_addr: u64,
        /// Where it is in the file.
        sh_offset: u64,
        /// Bytes; of the first one, the number of sections.
        sh_size: u64,
        /// Another section; of the first one, that of names.
        sh_link: u32,
        /// More; of the first one, the number of segments.
        sh_info: u32,
        /// What the address is aligned to.
        sh_addralign: u64,
        /// Bytes of an entry.
        sh_entsize: u64,
    }

    /// Start of a note; name and contents follow, each filled up to four bytes.
    NoteHeader {
        /// Bytes of the name, its NUL included.
        n_namesz: u32,
        /// Bytes of the contents.
        n_descsz: u32,
        /// Kind.
        n_type: u32,
    }

    /// What stands before the registers in a note of the kind [`NT_PRSTATUS`] (`struct elf_prstatus`).
    PrStatus {
        /// Signal.
        si_signo: i32,
        /// 0: see [`NT_SIGINFO`].
        si_code: i32,
        /// 0.
        si_errno: i32,
        /// Signal.
        pr_cursig: i16,
        /// Fills up.
        padding: u16,
        /// Pending signals.
        pr_sigpend: u64,
        /// Blocked signals.
        pr_sighold: u64,
        /// The thread.
        pr_pid: i32,
        /// The parent.
        pr_ppid: i32,
        /// The process group.
        pr_pgrp: i32,
        /// The session.
        pr_sid: i32,
        /// User time.
        pr_utime: Timeval,
        /// System time.
        pr_stime: Timeval,
        /// User time of children.
        pr_cutime: Timeval,
        /// System time of children.
        pr_cstime: Timeval,
    }

    /// What stands behind the registers there.
    PrStatusEnd {
        /// Whether there are floating-point registers.
        pr_fpvalid: i32,
        /// Fills up.
        padding: u32,
    }

    /// The process (`struct elf_prpsinfo`).
    PrPsInfo {
        /// State as a number.
        pr_state: u8,
        /// State as a letter.
        pr_sname: u8,
        /// Whether it is a zombie.
        pr_zomb: u8,
        /// Nice value.
        pr_nice: i8,
        /// Fills up.
        padding: u32,
        /// Flags of the kernel.
        pr_flag: u64,
        /// User.
        pr_uid: u32,
        /// Group.
        pr_gid: u32,
        /// The process.
        pr_pid: i32,
        /// Its parent.
        pr_ppid: i32,
        /// Its group.
        pr_pgrp: i32,
        /// Its session.
        pr_sid: i32,
        /// Name of the program.
        pr_fname: [u8; PR_NAME_BYTES],
        /// Its arguments, with spaces between.
        pr_psargs: [u8; PR_ARGUMENTS_BYTES],
    }
}
