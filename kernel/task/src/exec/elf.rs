//! Reading ELF files: the header and the program headers, checked before anything is believed (elf(5)).
//!
//! What leaves this module is consistent: segments lie in user memory, in ascending order, and their pages
//! in the file match their pages in memory. Every malformed file is ENOEXEC.

use alloc::vec::Vec;

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::ProgramHeader;
use goblin::elf::header::{EI_CLASS, ELFCLASS64, ELFMAG, ET_DYN, ET_EXEC};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_PHDR};
use goblin::elf64::header::{Header as RawHeader, SIZEOF_EHDR};
use goblin::elf64::program_header::SIZEOF_PHDR;
use los_abi::errno::Errno;
use los_abi::mm::ProtFlags;
use los_arch::hal::PAGE_SIZE;

/// Bytes of an ELF header.
pub(crate) const HEADER_BYTES: usize = SIZEOF_EHDR;
/// Bytes of a program header, as AT_PHENT tells.
pub(crate) const PROGRAM_HEADER_BYTES: usize = SIZEOF_PHDR;
/// Most bytes of program headers that are accepted, as on Linux.
const PROGRAM_HEADERS_MAX_BYTES: usize = 65536;
/// Longest path of an interpreter with its NUL (PATH_MAX).
const INTERPRETER_MAX_BYTES: u64 = 4096;

const PAGE_MASK: u64 = PAGE_SIZE as u64 - 1;

/// Where a file's addresses are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Placement {
    /// At exactly those (`ET_EXEC`).
    Fixed,
    /// Anywhere, as long as their distances stay (`ET_DYN`).
    Movable,
}

/// The checked ELF header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) placement: Placement,
    pub(crate) entry: u64,
    /// Where the program headers are in the file.
    pub(crate) table_offset: u64,
    /// Their number, at least one.
    pub(crate) table_count: usize,
}

/// What is to be mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub(crate) address: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) file_offset: u64,
    /// At most `memory_bytes`; the rest is zero.
    pub(crate) file_bytes: u64,
    pub(crate) protection: ProtFlags,
}

/// A program or an interpreter, ready to be mapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Program {
    pub(crate) header: Header,
    /// At least one, ascending, without overlap.
    pub(crate) segments: Vec<Segment>,
    /// Offset and length in the file of the interpreter's path, with its NUL.
    pub(crate) interpreter: Option<(u64, usize)>,
    /// Where the program headers appear in memory; 0 if they do not.
    pub(crate) table_address: u64,
    /// The strictest alignment that a segment asks for.
    pub(crate) alignment: u64,
    pub(crate) has_executable_stack: bool,
}

impl Header {
    /// Checks an ELF header for the machine with this `e_machine`.
    ///
    /// # Errors
    /// ENOEXEC.
    pub(crate) fn parse(bytes: &[u8], machine: u16) -> Result<Self, Errno> {
        let bytes = bytes.get(..HEADER_BYTES).ok_or(Errno::ENOEXEC)?;
        if &bytes[..ELFMAG.len()] != ELFMAG || bytes[EI_CLASS] != ELFCLASS64 {
            return Err(Errno::ENOEXEC);
        }
        let raw = RawHeader::parse(bytes).map_err(|_| Errno::ENOEXEC)?;
        let placement = match raw.e_type {
            ET_EXEC => Placement::Fixed,
            ET_DYN => Placement::Movable,
            _ => return Err(Errno::ENOEXEC),
        };
        let is_little_endian = bytes[goblin::elf::header::EI_DATA] == goblin::elf::header::ELFDATA2LSB;
        let count = usize::from(raw.e_phnum);
        let is_acceptable = raw.e_machine == machine
            && is_little_endian
            && usize::from(raw.e_phentsize) == PROGRAM_HEADER_BYTES
            && (1..=PROGRAM_HEADERS_MAX_BYTES / PROGRAM_HEADER_BYTES).contains(&count)
            && raw.e_phoff <= i64::MAX as u64;
        if !is_acceptable {
            return Err(Errno::ENOEXEC);
        }
        Ok(Self {
            placement,
            entry: raw.e_entry,
            table_offset: raw.e_phoff,
            table_count: count,
        })
    }

    /// Returns the size of the program headers.
    pub(crate) fn table_bytes(&self) -> usize {
        self.table_count * PROGRAM_HEADER_BYTES
    }
}

impl Program {
    /// Checks the program headers, `table`, which lie at the header's `table_offset`; segments must end below
    /// `user_end`.
    ///
    /// # Errors
    /// ENOEXEC; ENOMEM.
    pub(crate) fn parse(header: Header, table: &[u8], user_end: u64) -> Result<Self, Errno> {
        if table.len() != header.table_bytes() {
            return Err(Errno::ENOEXEC);
        }
        let context = Ctx::new(Container::Big, Endian::Little);
        let headers =
            ProgramHeader::parse(table, 0, header.table_count, context).map_err(|_| Errno::ENOEXEC)?;
        let mut program = Self {
            header,
            segments: Vec::new(),
            interpreter: None,
            table_address: 0,
            alignment: PAGE_SIZE as u64,
            has_executable_stack: false,
        };
        for entry in &headers {
            match entry.p_type {
                PT_LOAD => program.add_segment(entry, user_end)?,
                PT_INTERP => program.set_interpreter(entry)?,
                PT_PHDR => program.table_address = entry.p_vaddr,
                PT_GNU_STACK => program.has_executable_stack = entry.p_flags & PF_X != 0,
                _ => {}
            }
        }
        if program.segments.is_empty() {
            return Err(Errno::ENOEXEC);
        }
        if program.table_address == 0 {
            program.table_address = program.address_of_offset(header.table_offset).unwrap_or(0);
        }
        Ok(program)
    }

    fn add_segment(&mut self, entry: &ProgramHeader, user_end: u64) -> Result<(), Errno> {
        if entry.p_memsz == 0 {
            return Ok(());
        }
        let segment = Segment {
            address: entry.p_vaddr,
            memory_bytes: entry.p_memsz,
            file_offset: entry.p_offset,
            file_bytes: entry.p_filesz,
            protection: protection_of(entry.p_flags),
        };
        let end = entry.p_vaddr.checked_add(entry.p_memsz);
        let file_end = entry.p_offset.checked_add(entry.p_filesz);
        let previous_end = self.segments.last().map_or(0, Segment::end);
        let is_sound = entry.p_filesz <= entry.p_memsz
            && end.is_some_and(|end| end <= user_end)
            && file_end.is_some_and(|end| end <= i64::MAX as u64)
            && (entry.p_vaddr ^ entry.p_offset) & PAGE_MASK == 0
            && entry.p_vaddr >= previous_end;
        if !is_sound {
            return Err(Errno::ENOEXEC);
        }
        if entry.p_align.is_power_of_two() && entry.p_align < user_end {
            self.alignment = self.alignment.max(entry.p_align);
        }
        self.segments.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.segments.push(segment);
        Ok(())
    }

    fn set_interpreter(&mut self, entry: &ProgramHeader) -> Result<(), Errno> {
        let is_sound = (2..=INTERPRETER_MAX_BYTES).contains(&entry.p_filesz)
            && entry.p_offset <= i64::MAX as u64 - INTERPRETER_MAX_BYTES;
        if !is_sound {
            return Err(Errno::ENOEXEC);
        }
        self.interpreter
            .get_or_insert((entry.p_offset, entry.p_filesz as usize));
        Ok(())
    }

    fn address_of_offset(&self, offset: u64) -> Option<u64> {
        let holds = |segment: &&Segment| {
            offset >= segment.file_offset && offset - segment.file_offset < segment.file_bytes
        };
        let segment = self.segments.iter().find(holds)?;
        Some(segment.address + (offset - segment.file_offset))
    }

    /// Returns the first page and the end of the last page of all segments.
    pub(crate) fn span(&self) -> (u64, u64) {
        let start = self
            .segments
            .first()
            .map_or(0, |segment| segment.address & !PAGE_MASK);
        let end = self.segments.last().map_or(0, Segment::end);
        (start, (end + PAGE_MASK) & !PAGE_MASK)
    }
}

impl Segment {
    /// Returns the address behind the last byte in memory.
    pub(crate) fn end(&self) -> u64 {
        self.address + self.memory_bytes
    }

    /// Returns the address behind the last byte from the file.
    pub(crate) fn file_end(&self) -> u64 {
        self.address + self.file_bytes
    }
}

fn protection_of(flags: u32) -> ProtFlags {
    let mut protection = ProtFlags::empty();
    for (bit, flag) in [
        (PF_R, ProtFlags::READ),
        (PF_W, ProtFlags::WRITE),
        (PF_X, ProtFlags::EXEC),
    ] {
        if flags & bit != 0 {
            protection |= flag;
        }
    }
    protection
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::sample_program as sample;

    const MACHINE: u16 = 62;
    const USER_END: u64 = 0x7fff_ffff_f000;

    fn parse(bytes: &[u8]) -> Result<Program, Errno> {
        let header = Header::parse(bytes, MACHINE)?;
        let start = usize::try_from(header.table_offset).map_err(|_| Errno::ENOEXEC)?;
        let end = start.checked_add(header.table_bytes()).ok_or(Errno::ENOEXEC)?;
        let table = bytes.get(start..end).ok_or(Errno::ENOEXEC)?;
        Program::parse(header, table, USER_END)
    }

    #[test]
    fn a_static_program_is_understood() {
        let program = parse(&sample()).unwrap();
        assert_eq!(program.header.entry, 0x40_1000);
        assert_eq!(program.header.placement, Placement::Fixed);
        assert_eq!(program.table_address, 0x40_0040);
        assert_eq!(program.span(), (0x40_0000, 0x40_6000));
        assert_eq!(program.segments[1].protection, ProtFlags::READ | ProtFlags::EXEC);
        assert_eq!(program.segments[2].file_end(), 0x40_2030);
    }

    #[test]
    fn other_machines_and_classes_are_refused() {
        let mut wrong = sample();
        wrong[18] = 183;
        assert_eq!(parse(&wrong), Err(Errno::ENOEXEC));
        let mut narrow = sample();
        narrow[EI_CLASS] = 1;
        assert_eq!(parse(&narrow), Err(Errno::ENOEXEC));
        assert_eq!(parse(b"#!/bin/sh\n"), Err(Errno::ENOEXEC));
        assert_eq!(parse(&[]), Err(Errno::ENOEXEC));
    }

    #[test]
    fn segments_must_fit_and_ascend() {
        let second = HEADER_BYTES + PROGRAM_HEADER_BYTES;
        for (field, value) in [
            (16, 0x3f_f000_u64),
            (16, u64::MAX - 0xfff),
            (40, u64::MAX),
            (32, 0x81),
            (8, 0x1001),
        ] {
            let mut bytes = sample();
            bytes[second + field..second + field + 8].copy_from_slice(&value.to_le_bytes());
            assert_eq!(parse(&bytes), Err(Errno::ENOEXEC), "field {field} = {value:#x}");
        }
    }

    proptest! {
        #[test]
        fn mutations_never_panic_and_never_escape(
            changes in prop::collection::vec((0_usize..232, any::<u8>()), 1..12),
            length in 0_usize..=232,
        ) {
            let mut bytes = sample();
            for (place, value) in changes {
                bytes[place] = value;
            }
            bytes.truncate(length.max(100));
            if let Ok(program) = parse(&bytes) {
                let mut end = 0;
                for segment in &program.segments {
                    prop_assert!(segment.address >= end && segment.end() <= USER_END);
                    prop_assert!(segment.file_bytes <= segment.memory_bytes);
                    end = segment.end();
                }
                let (first, last) = program.span();
                prop_assert!(first < last);
            }
        }
    }
}
