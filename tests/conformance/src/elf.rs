//! Making ELF files, right and wrong, for cases that execute them.

use alloc::vec::Vec;

use los_abi::Isa;

use crate::arch;
use crate::harness::Outcome;

pub(crate) const ET_EXEC: u16 = 2;
pub(crate) const ET_DYN: u16 = 3;
pub(crate) const PT_LOAD: u32 = 1;
pub(crate) const PT_INTERP: u32 = 3;
pub(crate) const PT_GNU_STACK: u32 = 0x6474_e551;
/// Bytes of the header and of one program header.
pub(crate) const HEADER: u64 = 64;
pub(crate) const ENTRY: u64 = 56;
/// Where fixed programs are linked.
pub(crate) const BASE: u64 = 0x40_0000;
pub(crate) const PAGE: u64 = 0x1000;

/// A program header.
#[derive(Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) file_bytes: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) alignment: u64,
}

impl Segment {
    /// Maps bytes of the file: readable and executable.
    pub(crate) fn code(offset: u64, address: u64, bytes: u64) -> Self {
        Self {
            kind: PT_LOAD,
            flags: 5,
            offset,
            address,
            file_bytes: bytes,
            memory_bytes: bytes,
            alignment: PAGE,
        }
    }
}

/// A file to be.
pub(crate) struct Elf {
    pub(crate) kind: u16,
    pub(crate) entry: u64,
    pub(crate) segments: Vec<Segment>,
    /// Pieces of the file, each at an offset behind the headers.
    pub(crate) pieces: Vec<(u64, Vec<u8>)>,
}

impl Elf {
    /// A fixed program of one segment that exits with a status: the headers and, in the second page, the code.
    pub(crate) fn exiting(status: u8) -> Self {
        Self {
            kind: ET_EXEC,
            entry: BASE + PAGE,
            segments: Vec::from([Segment::code(0, BASE, 2 * PAGE)]),
            pieces: Vec::from([(PAGE, arch::exit_with(status)), (2 * PAGE, Vec::new())]),
        }
    }

    /// The same that can be anywhere.
    pub(crate) fn movable(status: u8) -> Self {
        let mut elf = Self::exiting(status);
        elf.kind = ET_DYN;
        elf.entry = PAGE;
        elf.segments[0].address = 0;
        elf
    }

    /// Names an interpreter, with these bytes as its name.
    pub(crate) fn with_interpreter(mut self, name: &[u8]) -> Self {
        let bytes = name.len() as u64;
        let mut segment = Segment::code(PAGE / 2, 0, bytes);
        segment.kind = PT_INTERP;
        self.segments.insert(0, segment);
        self.pieces.insert(0, (PAGE / 2, name.to_vec()));
        self
    }

    /// Returns the file's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let machine: u16 = if arch::ISA == Isa::X86_64 { 62 } else { 183 };
        let mut bytes = Vec::from(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(machine.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        for word in [self.entry, HEADER, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(0_u32.to_le_bytes());
        for half in [64, 56, self.segments.len() as u16, 64, 0, 0] {
            bytes.extend(half.to_le_bytes());
        }
        for segment in &self.segments {
            bytes.extend(segment.kind.to_le_bytes());
            bytes.extend(segment.flags.to_le_bytes());
            for word in [
                segment.offset,
                segment.address,
                segment.address,
                segment.file_bytes,
                segment.memory_bytes,
                segment.alignment,
            ] {
                bytes.extend(word.to_le_bytes());
            }
        }
        for (offset, piece) in &self.pieces {
            let start = *offset as usize;
            let end = start + piece.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(piece);
        }
        bytes
    }

    /// Writes the file to be executed.
    pub(crate) fn write(&self, path: &[u8]) -> Outcome {
        write_program(path, &self.bytes())
    }
}

/// Writes a file that can be executed.
pub(crate) fn write_program(path: &[u8], bytes: &[u8]) -> Outcome {
    let _ = rt::fs::remove_file(path);
    let mut file = rt::fs::File::create(path, 0o755)?;
    file.write_all(bytes)?;
    Ok(())
}
