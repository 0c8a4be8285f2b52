//! Reading ELF files: the header and the program headers, checked before anything is believed (elf(5)).
//!
//! Two steps, as Linux has them. [`Program::parse`] reads the headers; what it refuses is ENOEXEC. Then, when
//! Linux would have given up the old program already, [`Program::segments`] checks what is to be mapped: they lie
//! in user memory and their pages in the file match those in memory, but may have any order and overlap.

use alloc::vec::Vec;

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::ProgramHeader;
use goblin::elf::header::{EI_CLASS, ELFCLASS64, ELFMAG, ET_DYN, ET_EXEC};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD};
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

/// A program or an interpreter.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Program {
    pub(crate) header: Header,
    /// What is to be mapped, unchecked.
    loads: Vec<ProgramHeader>,
    /// Offset and length in the file of the interpreter's path, with its NUL.
    pub(crate) interpreter: Option<(u64, usize)>,
    pub(crate) has_executable_stack: bool,
}

/// The segments of a file, each of which can be mapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Segments {
    /// At least one, in the order of the file: later ones replace earlier ones.
    pub(crate) list: Vec<Segment>,
    /// Where the program headers appear in memory; 0 if they do not.
    pub(crate) table_address: u64,
    /// The strictest alignment that a segment asks for.
    pub(crate) alignment: u64,
}

/// The file cannot be mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unmappable;

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
    /// Checks the program headers, `table`, which lie at the header's `table_offset`.
    ///
    /// # Errors
    /// ENOEXEC; ENOMEM.
    pub(crate) fn parse(header: Header, table: &[u8]) -> Result<Self, Errno> {
        if table.len() != header.table_bytes() {
            return Err(Errno::ENOEXEC);
        }
        let context = Ctx::new(Container::Big, Endian::Little);
        let mut headers =
            ProgramHeader::parse(table, 0, header.table_count, context).map_err(|_| Errno::ENOEXEC)?;
        let mut program = Self {
            header,
            loads: Vec::new(),
            interpreter: None,
            has_executable_stack: false,
        };
        for entry in &headers {
            match entry.p_type {
                PT_INTERP => program.set_interpreter(entry)?,
                PT_GNU_STACK => program.has_executable_stack = entry.p_flags & PF_X != 0,
                _ => {}
            }
        }
        headers.retain(|entry| entry.p_type == PT_LOAD);
        program.loads = headers;
        Ok(program)
    }

    /// Checks the segments, which must end below `user_end`.
    ///
    /// # Errors
    /// When there is none, or one that cannot be mapped.
    pub(crate) fn segments(&self, user_end: u64) -> Result<Segments, Unmappable> {
        let mut segments = Segments {
            list: Vec::new(),
            table_address: 0,
            alignment: PAGE_SIZE as u64,
        };
        segments
            .list
            .try_reserve(self.loads.len())
            .map_err(|_| Unmappable)?;
        for entry in &self.loads {
            let segment = Segment::check(entry, user_end)?;
            if entry.p_align.is_power_of_two() && entry.p_align < user_end {
                segments.alignment = segments.alignment.max(entry.p_align);
            }
            if let Some(address) = segment.address_of_offset(self.header.table_offset) {
                segments.table_address = address;
            }
            if segment.memory_bytes > 0 {
                segments.list.push(segment);
            }
        }
        if segments.list.is_empty() {
            return Err(Unmappable);
        }
        Ok(segments)
    }

    fn set_interpreter(&mut self, entry: &ProgramHeader) -> Result<(), Errno> {
        if self.interpreter.is_some() {
            return Ok(());
        }
        let is_sound = (2..=INTERPRETER_MAX_BYTES).contains(&entry.p_filesz)
            && entry.p_offset <= i64::MAX as u64 - INTERPRETER_MAX_BYTES;
        if !is_sound {
            return Err(Errno::ENOEXEC);
        }
        self.interpreter = Some((entry.p_offset, entry.p_filesz as usize));
        Ok(())
    }
}

impl Segments {
    /// Returns the first page and the end of the last page of all segments.
    pub(crate) fn span(&self) -> (u64, u64) {
        let start = self.list.iter().map(|segment| segment.address).min();
        (
            start.unwrap_or(0) & !PAGE_MASK,
            (self.end() + PAGE_MASK) & !PAGE_MASK,
        )
    }

    /// Returns the address behind the last byte of all.
    pub(crate) fn end(&self) -> u64 {
        self.list.iter().map(Segment::end).max().unwrap_or(0)
    }
}

impl Segment {
    fn check(entry: &ProgramHeader, user_end: u64) -> Result<Self, Unmappable> {
        let end = entry.p_vaddr.checked_add(entry.p_memsz);
        let file_end = entry.p_offset.checked_add(entry.p_filesz);
        let is_sound = entry.p_filesz <= entry.p_memsz
            && end.is_some_and(|end| end <= user_end)
            && file_end.is_some_and(|end| end <= i64::MAX as u64)
            && (entry.p_filesz == 0 || (entry.p_vaddr ^ entry.p_offset) & PAGE_MASK == 0);
        if !is_sound {
            return Err(Unmappable);
        }
        Ok(Self {
            address: entry.p_vaddr,
            memory_bytes: entry.p_memsz,
            file_offset: entry.p_offset,
            file_bytes: entry.p_filesz,
            protection: protection_of(entry.p_flags),
        })
    }

    fn address_of_offset(&self, offset: u64) -> Option<u64> {
        let distance = offset.checked_sub(self.file_offset)?;
        (distance < self.file_bytes).then(|| self.address + distance)
    }

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

    /// What is refused, or what cannot be mapped.
    #[derive(PartialEq, Debug)]
    enum Fault {
        Refused(Errno),
        Unmappable,
    }

    fn parse(bytes: &[u8]) -> Result<(Program, Segments), Fault> {
        let program = parse_headers(bytes).map_err(Fault::Refused)?;
        let segments = program.segments(USER_END).map_err(|_| Fault::Unmappable)?;
        Ok((program, segments))
    }

    fn parse_headers(bytes: &[u8]) -> Result<Program, Errno> {
        let header = Header::parse(bytes, MACHINE)?;
        let start = usize::try_from(header.table_offset).map_err(|_| Errno::ENOEXEC)?;
        let end = start.checked_add(header.table_bytes()).ok_or(Errno::ENOEXEC)?;
        Program::parse(header, bytes.get(start..end).ok_or(Errno::ENOEXEC)?)
    }

    #[test]
    fn a_static_program_is_understood() {
        let (program, segments) = parse(&sample()).unwrap();
        assert_eq!(program.header.entry, 0x40_1000);
        assert_eq!(program.header.placement, Placement::Fixed);
        assert_eq!(segments.table_address, 0x40_0040);
        assert_eq!(segments.span(), (0x40_0000, 0x40_6000));
        assert_eq!(segments.list[1].protection, ProtFlags::READ | ProtFlags::EXEC);
        assert_eq!(segments.list[2].file_end(), 0x40_2030);
    }

    #[test]
    fn other_machines_and_classes_are_refused() {
        let refused = Err(Fault::Refused(Errno::ENOEXEC));
        let mut wrong = sample();
        wrong[18] = 183;
        assert_eq!(parse(&wrong), refused);
        let mut narrow = sample();
        narrow[EI_CLASS] = 1;
        assert_eq!(parse(&narrow), refused);
        assert_eq!(parse(b"#!/bin/sh\n"), refused);
        assert_eq!(parse(&[]), refused);
    }

    /// Returns the sample with words of the second program header replaced.
    fn with(fields: &[(usize, u64)]) -> Vec<u8> {
        let second = HEADER_BYTES + PROGRAM_HEADER_BYTES;
        let mut bytes = sample();
        for (field, value) in fields {
            bytes[second + field..second + field + 8].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn segments_must_fit() {
        for (field, value) in [
            (16, u64::MAX - 0xfff),
            (16, USER_END),
            (40, u64::MAX),
            (40, 1 << 60),
            (32, 0x81),
            (8, 0x1001),
        ] {
            assert_eq!(
                parse(&with(&[(field, value)])),
                Err(Fault::Unmappable),
                "field {field} = {value:#x}"
            );
        }
    }

    #[test]
    fn segments_may_overlap_descend_and_have_no_bytes() {
        let (_, descending) = parse(&with(&[(16, 0x3f_f000)])).unwrap();
        assert_eq!(descending.span(), (0x3f_f000, 0x40_6000));
        let (_, overlapping) = parse(&with(&[(16, 0x40_2000)])).unwrap();
        assert_eq!(overlapping.list.len(), 3);
        // Without bytes in the file the place in it means nothing.
        let (_, zeros) = parse(&with(&[(32, 0), (8, 5)])).unwrap();
        assert_eq!(zeros.list[1].file_bytes, 0);
        let (_, nothing) = parse(&with(&[(32, 0), (40, 0)])).unwrap();
        assert_eq!(nothing.list.len(), 2);
    }

    #[test]
    fn the_strictest_power_of_two_is_the_alignment() {
        for (asked, granted) in [(0, 4096), (0x3000, 4096), (1 << 21, 1 << 21), (1 << 62, 4096)] {
            let (_, segments) = parse(&with(&[(48, asked)])).unwrap();
            assert_eq!(segments.alignment, granted, "{asked:#x}");
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
            if let Ok((_, segments)) = parse(&bytes) {
                for segment in &segments.list {
                    prop_assert!(segment.end() <= USER_END);
                    prop_assert!(segment.file_bytes <= segment.memory_bytes);
                }
                let (first, last) = segments.span();
                prop_assert!(first < last);
            }
        }
    }
}
