//! The file of a dump: an ELF header, a program header for the notes and one for each mapping, the notes, and the
//! memory (elf(5), core(5)). One of so many mappings that their number does not fit into the ELF header ends with a
//! section header that has it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use los_abi::core_dump::{
    ELF_IDENT, ET_CORE, ElfHeader, PN_XNUM, PT_LOAD, PT_NOTE, ProgramHeader, SectionHeader,
};
use los_abi::errno::Errno;
use los_abi::isa::IsaAbi as _;
use los_abi::signal::SigInfo;
use los_arch::CurrentAbi;
use los_arch::hal::{PAGE_SIZE, VirtAddr};
use mm::AddressSpace;
use zerocopy::IntoBytes as _;

use super::group::{self, Resting};
use super::notes::{self, Notes};
use super::output::{Emit as _, Ended, Output};
use super::segments::{self, Segment};
use crate::context::Context;

const PAGE_BYTES: u64 = PAGE_SIZE as u64;
const NOTE_ALIGNMENT: u64 = 4;

/// What a dump is made of, collected while all threads rest.
pub(super) struct Dump<'a> {
    notes: Notes<'a>,
    segments: Vec<Segment>,
    page: Box<[u8; PAGE_SIZE]>,
}

impl<'a> Dump<'a> {
    /// Collects everything but the memory.
    ///
    /// # Errors
    /// ENOMEM.
    pub(super) fn collect(
        ctx: &'a Context<'a>,
        info: &'a SigInfo,
        others: &'a [Resting],
    ) -> Result<Self, Errno> {
        let mut page = empty_page()?;
        Ok(Self {
            segments: segments::collect(ctx.memory(), ctx.process.core_filter(), &mut page)?,
            notes: Notes {
                ctx,
                info,
                others,
                files: notes::files(ctx.memory())?,
            },
            page,
        })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`Ended`] for one that is not complete.
    pub(super) fn write(&mut self, out: &mut Output<'_>) -> Result<(), Ended> {
        let count = self.segments.len() + 1;
        let notes_offset = (size_of::<ElfHeader>() + count * size_of::<ProgramHeader>()) as u64;
        let notes_bytes = self.notes.length();
        let data_offset = (notes_offset + notes_bytes).next_multiple_of(PAGE_BYTES);
        let dumped: u64 = self.segments.iter().map(|segment| segment.dumped).sum();
        let (header, section) = file_headers(count, data_offset + dumped);
        out.emit(header.as_bytes())?;
        let notes = ProgramHeader {
            p_type: PT_NOTE,
            p_offset: notes_offset,
            p_filesz: notes_bytes,
            p_align: NOTE_ALIGNMENT,
            ..ProgramHeader::default()
        };
        out.emit(notes.as_bytes())?;
        let mut offset = data_offset;
        for segment in &self.segments {
            out.emit(segment_header(segment, offset).as_bytes())?;
            offset += segment.dumped;
        }
        self.notes.write(out)?;
        out.skip(data_offset - notes_offset - notes_bytes)?;
        let mut is_hole = false;
        let memory = self.notes.ctx.memory();
        for segment in &self.segments {
            for at in (segment.start..segment.start + segment.dumped).step_by(PAGE_SIZE) {
                is_hole = !write_page(memory, at, &mut self.page, out)?;
            }
        }
        if let Some(section) = section {
            out.emit(section.as_bytes())?;
            is_hole = false;
        }
        out.finish(is_hole)
    }
}

fn empty_page() -> Result<Box<[u8; PAGE_SIZE]>, Errno> {
    let mut page = Vec::new();
    page.try_reserve_exact(PAGE_SIZE).map_err(|_| Errno::ENOMEM)?;
    page.resize(PAGE_SIZE, 0);
    page.into_boxed_slice().try_into().map_err(|_| Errno::ENOMEM)
}

/// Writes a page, or leaves out one of zeros; false for that.
fn write_page(
    memory: &AddressSpace,
    at: u64,
    page: &mut [u8; PAGE_SIZE],
    out: &mut Output<'_>,
) -> Result<bool, Ended> {
    let is_there = memory.dump_page(VirtAddr::new(at), page);
    if is_there {
        out.emit(page)?;
    } else {
        out.skip(PAGE_BYTES)?;
    }
    Ok(is_there)
}

/// Returns the ELF header, and the section header that has the number of segments if that is too large for the
/// first, with where it is in the file.
fn file_headers(segments: usize, section_offset: u64) -> (ElfHeader, Option<SectionHeader>) {
    let header = ElfHeader {
        e_ident: ELF_IDENT,
        e_type: ET_CORE,
        e_machine: CurrentAbi::ELF_MACHINE,
        e_version: 1,
        e_phoff: size_of::<ElfHeader>() as u64,
        e_ehsize: size_of::<ElfHeader>() as u16,
        e_phentsize: size_of::<ProgramHeader>() as u16,
        ..ElfHeader::default()
    };
    match u16::try_from(segments) {
        Ok(e_phnum) if e_phnum < PN_XNUM => (ElfHeader { e_phnum, ..header }, None),
        _ => {
            let header = ElfHeader {
                e_phnum: PN_XNUM,
                e_shoff: section_offset,
                e_shentsize: size_of::<SectionHeader>() as u16,
                e_shnum: 1,
                ..header
            };
            let section = SectionHeader {
                sh_size: 1,
                // The largest `vm.max_map_count` fits.
                sh_info: u32::try_from(segments).unwrap_or(u32::MAX),
                ..SectionHeader::default()
            };
            (header, Some(section))
        }
    }
}

fn segment_header(segment: &Segment, offset: u64) -> ProgramHeader {
    ProgramHeader {
        p_type: PT_LOAD,
        p_flags: segment.flags,
        p_offset: offset,
        p_vaddr: segment.start,
        p_filesz: segment.dumped,
        p_memsz: segment.end - segment.start,
        p_align: PAGE_BYTES,
        ..ProgramHeader::default()
    }
}

/// Writes the dump of a process whose threads rest; false when there is none to speak of.
pub(super) fn write(ctx: &Context<'_>, info: &SigInfo, out: &mut Output<'_>) -> bool {
    let Ok(others) = group::resting(ctx.process) else {
        return false;
    };
    let Ok(mut dump) = Dump::collect(ctx, info, &others) else {
        return false;
    };
    // As on Linux, one that ended at a limit or for want of room is a core too.
    let _complete = dump.write(out);
    !ctx.thread.is_killed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_segments_that_fit_stand_in_the_header() {
        for segments in [1_u16, 0xfffe] {
            let (header, section) = file_headers(segments.into(), 0x5000);
            assert_eq!(header.e_phnum, segments);
            assert_eq!([header.e_shoff, header.e_shnum.into()], [0, 0]);
            assert!(section.is_none());
        }
    }

    #[test]
    fn larger_numbers_of_segments_stand_in_a_section_header() {
        for segments in [0xffff_u32, 0x1_0000, i32::MAX.cast_unsigned()] {
            let (header, section) = file_headers(segments as usize, 0x5000);
            assert_eq!(header.e_phnum, PN_XNUM);
            assert_eq!(
                (header.e_shoff, header.e_shnum, header.e_shentsize),
                (0x5000, 1, 64)
            );
            let section = section.unwrap();
            assert_eq!((section.sh_size, section.sh_info), (1, segments));
            assert_eq!((section.sh_type, section.sh_link), (0, 0));
        }
    }
}
