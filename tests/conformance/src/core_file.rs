//! Reading core dumps.

use alloc::vec::Vec;

use los_abi::core_dump::{ELF_IDENT, ET_CORE, ElfHeader, NoteHeader, PT_LOAD, PT_NOTE, ProgramHeader};
use rt::fs;
use zerocopy::FromBytes;

use crate::harness::{Failure, Outcome};
use crate::{ensure, ensure_eq};

/// A core that was read.
pub(crate) struct Core {
    bytes: Vec<u8>,
    segments: Vec<ProgramHeader>,
    /// Owners, kinds and contents.
    pub(crate) notes: Vec<(Vec<u8>, u32, Vec<u8>)>,
}

/// Returns the value at an offset.
pub(crate) fn value<T: FromBytes>(bytes: &[u8], at: usize) -> Result<T, Failure> {
    let part = bytes
        .get(at..at.saturating_add(size_of::<T>()))
        .unwrap_or_default();
    T::read_from_bytes(part).map_err(|_| Failure::Wrong("the core is too short".into()))
}

impl Core {
    /// Reads `core` of the current directory.
    pub(crate) fn read() -> Result<Self, Failure> {
        let bytes = fs::read(b"core")?;
        let header: ElfHeader = value(&bytes, 0)?;
        ensure_eq!(header.e_ident[..7], ELF_IDENT[..7]);
        ensure_eq!((header.e_type, header.e_version), (ET_CORE, 1));
        let mut segments = Vec::new();
        for index in 0..usize::from(header.e_phnum) {
            let at = header.e_phoff as usize + index * usize::from(header.e_phentsize);
            segments.push(value::<ProgramHeader>(&bytes, at)?);
        }
        ensure_eq!(segments.first().map(|first| first.p_type), Some(PT_NOTE));
        let mut core = Self {
            bytes,
            segments,
            notes: Vec::new(),
        };
        core.read_notes()?;
        Ok(core)
    }

    fn read_notes(&mut self) -> Outcome {
        let (mut at, bytes) = (self.segments[0].p_offset as usize, self.segments[0].p_filesz);
        let end = at + bytes as usize;
        while at < end {
            let header: NoteHeader = value(&self.bytes, at)?;
            let name = at + size_of::<NoteHeader>();
            let contents = name + (header.n_namesz as usize).next_multiple_of(4);
            let (name_end, contents_end) = (
                name + header.n_namesz as usize,
                contents + header.n_descsz as usize,
            );
            ensure!(contents_end <= self.bytes.len());
            let owner = self.bytes[name..name_end - 1].to_vec();
            let contents = self.bytes[contents..contents_end].to_vec();
            self.notes.push((owner, header.n_type, contents));
            at = contents_end.next_multiple_of(4);
        }
        Ok(())
    }

    /// Returns the contents of the notes of a kind.
    pub(crate) fn all(&self, kind: u32) -> impl Iterator<Item = &[u8]> {
        let notes = self.notes.iter().filter(move |note| note.1 == kind);
        notes.map(|note| note.2.as_slice())
    }

    /// Returns the contents of the first note of a kind.
    pub(crate) fn note(&self, kind: u32) -> Result<&[u8], Failure> {
        self.all(kind)
            .next()
            .ok_or(Failure::Wrong("a note is missing".into()))
    }

    /// Returns the segment that has an address.
    pub(crate) fn segment(&self, address: u64) -> Result<&ProgramHeader, Failure> {
        let mut segments = self.segments.iter().filter(|segment| segment.p_type == PT_LOAD);
        segments
            .find(|segment| (segment.p_vaddr..segment.p_vaddr + segment.p_memsz).contains(&address))
            .ok_or(Failure::Wrong("a segment is missing".into()))
    }

    /// Returns the word at an address; `None` where the core has no memory.
    pub(crate) fn word(&self, address: u64) -> Result<Option<u64>, Failure> {
        let segment = self.segment(address)?;
        let offset = address - segment.p_vaddr;
        if offset >= segment.p_filesz {
            return Ok(None);
        }
        value(&self.bytes, (segment.p_offset + offset) as usize).map(Some)
    }
}
