//! Building a program's memory: segments, interpreter, stack and auxiliary vector, in an address space that
//! nobody runs in yet. A failure drops it, and nothing has happened.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::auxv::{
    AT_BASE, AT_CLKTCK, AT_EGID, AT_ENTRY, AT_EUID, AT_EXECFN, AT_FLAGS, AT_GID, AT_HWCAP, AT_HWCAP2,
    AT_MINSIGSTKSZ, AT_PAGESZ, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PLATFORM, AT_RANDOM, AT_SECURE,
    AT_SYSINFO_EHDR, AT_UID,
};
use los_abi::errno::Errno;
use los_abi::isa::IsaAbi;
use los_abi::mm::{MapFlags, ProtFlags};
use los_abi::syscall::{UserPtr, UserSlice};
use los_abi::time::USER_HZ;
use los_arch::hal::PAGE_SIZE;
use los_arch::hal::prelude::{Cpu, Paging};
use los_arch::{Current, CurrentAbi};
use mm::io::{Sink, SliceSink};
use mm::{AddressSpace, Limits, MapRequest, Source, VmaKind};
use vfs::text::DenyWrite;
use vfs::{At, Caller, OpenFile};

use super::arguments::StringList;
use super::elf::{HEADER_BYTES, Header, PROGRAM_HEADER_BYTES, Placement, Program, Segment};
use super::identity::Identity;
use super::stack::StackContents;
use super::vdso;
use crate::process::Image;

const PAGE_BYTES: u64 = PAGE_SIZE as u64;
/// Where movable programs go: two thirds up the user half, as Linux's ELF_ET_DYN_BASE.
const MOVABLE_BASE: u64 = Current::USER_END / 3 * 2;
/// Stack that is mapped below the strings from the start; more comes by growth.
const STACK_ROOM_BYTES: u64 = 128 << 10;

/// A program that is ready to run.
pub(super) struct Loaded {
    pub(super) space: Arc<AddressSpace>,
    pub(super) entry: u64,
    pub(super) stack_pointer: u64,
    pub(super) image: Image,
}

/// What a program is started with.
pub(super) struct Start<'a> {
    pub(super) file: &'a Arc<OpenFile>,
    pub(super) program: &'a Program,
    /// AT_EXECFN.
    pub(super) path: &'a [u8],
    pub(super) arguments: &'a StringList,
    pub(super) environment: &'a StringList,
    /// Who the program will run as.
    pub(super) identity: &'a Identity,
    pub(super) limits: Limits,
}

/// Where a program or an interpreter was mapped.
struct Placed {
    /// What is added to the addresses in the file.
    bias: u64,
    entry: u64,
    table_address: u64,
    /// Behind the last byte.
    end: u64,
}

/// Reads and checks a file's ELF headers.
///
/// # Errors
/// ENOEXEC; ENOMEM; those of reading.
pub(super) fn read_program(file: &Arc<OpenFile>) -> Result<Program, Errno> {
    let mut head = [0; HEADER_BYTES];
    let length = read_at(file, 0, &mut head)?;
    let header = Header::parse(&head[..length], CurrentAbi::ELF_MACHINE)?;
    let mut table = Vec::new();
    let bytes = header.table_bytes();
    table.try_reserve_exact(bytes).map_err(|_| Errno::ENOMEM)?;
    table.resize(bytes, 0);
    if read_at(file, header.table_offset, &mut table)? != bytes {
        return Err(Errno::ENOEXEC);
    }
    Program::parse(header, &table, Current::USER_END)
}

/// Fills a buffer from a place in a file, as far as it goes, and returns how much that was.
///
/// # Errors
/// Those of the file.
pub(super) fn read_at(file: &OpenFile, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
    let mut done = 0;
    while done < buffer.len() {
        let mut sink = SliceSink::new(&mut buffer[done..]);
        match file
            .read_at(&mut sink, offset + done as u64)
            .map_err(super::errno_of)?
        {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}

impl Start<'_> {
    /// Builds the program's memory.
    ///
    /// # Errors
    /// ENOEXEC; E2BIG for arguments that the stack limit forbids; ENOMEM; ETXTBSY; ELIBBAD and those of opening an
    /// interpreter.
    pub(super) fn build(&self, caller: &Caller<'_>) -> Result<Loaded, Errno> {
        let interpreter = self.open_interpreter(caller)?;
        let space = AddressSpace::new()?;
        space.set_limits(self.limits);
        let placed = place(&space, self.file, self.program, Role::Program)?;
        let loader = match &interpreter {
            Some((file, program)) => Some(place(&space, file, program, Role::Interpreter)?),
            None => None,
        };
        space.init_break(page_up(placed.end));
        let vdso = vdso::map(&space)?;
        let auxv = self.auxv(&placed, loader.as_ref(), vdso.header);
        let mut image = self.describe(&placed)?;
        image.signal_return = vdso.signal_return;
        let stack_pointer = self.build_stack(&space, &auxv, &mut image)?;
        Ok(Loaded {
            space,
            entry: loader.map_or(placed.entry, |loader| loader.entry),
            stack_pointer,
            image,
        })
    }

    fn open_interpreter(&self, caller: &Caller<'_>) -> Result<Option<(Arc<OpenFile>, Program)>, Errno> {
        let Some((offset, length)) = self.program.interpreter else {
            return Ok(None);
        };
        let mut path = Vec::new();
        path.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
        path.resize(length, 0);
        if read_at(self.file, offset, &mut path)? != length || path.pop() != Some(0) {
            return Err(Errno::ENOEXEC);
        }
        let file = super::open(caller, At::Cwd, &path)?;
        let program = read_program(&file).map_err(|error| {
            if error == Errno::ENOEXEC {
                Errno::ELIBBAD
            } else {
                error
            }
        })?;
        Ok(Some((file, program)))
    }

    /// The entries in Linux's order; those that point into the stack get their values there.
    fn auxv(&self, program: &Placed, loader: Option<&Placed>, vdso: u64) -> [(u64, u64); 20] {
        let (capabilities, more_capabilities) = Current::hardware_capabilities();
        let who = &self.identity.credentials;
        [
            (AT_SYSINFO_EHDR, vdso),
            (AT_MINSIGSTKSZ, CurrentAbi::MIN_SIGNAL_STACK as u64),
            (AT_HWCAP, capabilities),
            (AT_PAGESZ, PAGE_BYTES),
            (AT_CLKTCK, USER_HZ),
            (AT_PHDR, program.table_address),
            (AT_PHENT, PROGRAM_HEADER_BYTES as u64),
            (AT_PHNUM, self.program.header.table_count as u64),
            (AT_BASE, loader.map_or(0, |loader| loader.bias)),
            (AT_FLAGS, 0),
            (AT_ENTRY, program.entry),
            (AT_UID, u64::from(who.uid)),
            (AT_EUID, u64::from(who.euid)),
            (AT_GID, u64::from(who.gid)),
            (AT_EGID, u64::from(who.egid)),
            (AT_SECURE, u64::from(self.identity.is_secure)),
            (AT_RANDOM, 0),
            (AT_HWCAP2, more_capabilities),
            (AT_EXECFN, 0),
            (AT_PLATFORM, 0),
        ]
    }

    fn build_stack(
        &self,
        space: &AddressSpace,
        auxv: &[(u64, u64)],
        image: &mut Image,
    ) -> Result<u64, Errno> {
        let mut random = [0; 16];
        vfs::random::fill(&mut random);
        let contents = StackContents {
            arguments: self.arguments,
            environment: self.environment,
            file_name: self.path,
            platform: Current::platform().as_bytes(),
            random,
            auxv,
        };
        let top = Current::USER_END;
        let stack = contents.lay_out(top)?;
        let bytes = page_up(stack.bytes.len() as u64 + STACK_ROOM_BYTES);
        if stack.bytes.len() as u64 > self.limits.stack {
            return Err(Errno::E2BIG);
        }
        let mut protection = ProtFlags::READ | ProtFlags::WRITE;
        if self.program.has_executable_stack {
            protection |= ProtFlags::EXEC;
        }
        space.map(MapRequest {
            address: top - bytes,
            length: bytes,
            protection,
            flags: MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::GROWSDOWN | MapFlags::STACK,
            source: Source::Anonymous,
            kind: VmaKind::Stack,
        })?;
        space
            .write_bytes(stack.pointer, &stack.bytes)
            .map_err(|_| Errno::ENOMEM)?;
        image.stack_start = stack.pointer;
        image.arguments = stack.arguments;
        image.environment = stack.environment;
        image.auxv = stack.auxv;
        Ok(stack.pointer)
    }

    fn describe(&self, placed: &Placed) -> Result<Image, Errno> {
        let range = |wanted: fn(&Segment) -> bool| {
            let mut chosen = self.program.segments.iter().filter(|segment| wanted(segment));
            let first = chosen.next();
            let last = chosen.next_back().or(first);
            match (first, last) {
                (Some(first), Some(last)) => (placed.bias + first.address, placed.bias + last.file_end()),
                _ => (0, 0),
            }
        };
        Ok(Image {
            executable: Some(self.file.clone()),
            _unwritable: Some(DenyWrite::new(self.file.inode())?),
            code: range(|segment| segment.protection.contains(ProtFlags::EXEC)),
            data: range(|segment| segment.protection.contains(ProtFlags::WRITE)),
            ..Image::default()
        })
    }
}

/// What a file is to the program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Program,
    Interpreter,
}

/// Maps all segments of a file.
fn place(space: &AddressSpace, file: &Arc<OpenFile>, program: &Program, role: Role) -> Result<Placed, Errno> {
    let (start, end) = program.span();
    let base = match (program.header.placement, role) {
        (Placement::Fixed, _) => start,
        (Placement::Movable, Role::Program) => MOVABLE_BASE & !(program.alignment - 1),
        (Placement::Movable, Role::Interpreter) => find_room(space, end - start, program.alignment)?,
    };
    // A movable file's first address is not always 0, and the sum wraps back to what it should be.
    let bias = base.wrapping_sub(start);
    base.checked_add(end - start)
        .filter(|end| *end <= Current::USER_END)
        .ok_or(Errno::ENOMEM)?;
    for segment in &program.segments {
        map_segment(space, file, segment, bias)?;
    }
    let table = program.table_address;
    Ok(Placed {
        bias,
        entry: program.header.entry.wrapping_add(bias),
        table_address: if table == 0 { 0 } else { table.wrapping_add(bias) },
        end: program
            .segments
            .last()
            .map_or(0, |segment| segment.end().wrapping_add(bias)),
    })
}

/// Finds a free range of user memory.
///
/// # Errors
/// ENOMEM.
pub(super) fn find_room(space: &AddressSpace, bytes: u64, alignment: u64) -> Result<u64, Errno> {
    let room = bytes.checked_add(alignment - PAGE_BYTES).ok_or(Errno::ENOMEM)?;
    let start = space.map(MapRequest {
        address: 0,
        length: room,
        protection: ProtFlags::empty(),
        flags: MapFlags::PRIVATE | MapFlags::NORESERVE,
        source: Source::Anonymous,
        kind: VmaKind::Plain,
    })?;
    space.unmap(start, room)?;
    Ok((start + alignment - 1) & !(alignment - 1))
}

/// Maps one segment: pages of the file, then pages of zeros, with the page between them zero behind its
/// bytes from the file.
fn map_segment(
    space: &AddressSpace,
    file: &Arc<OpenFile>,
    segment: &Segment,
    bias: u64,
) -> Result<(), Errno> {
    let start = segment.address.wrapping_add(bias);
    let first_page = page_down(start);
    let file_end = start + segment.file_bytes;
    let end = start + segment.memory_bytes;
    let mut zeros = first_page;
    if segment.file_bytes > 0 {
        zeros = page_up(file_end);
        let source = Source::File {
            pager: file.pager()?,
            offset: page_down(segment.file_offset),
            max_protection: ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC,
        };
        map_fixed(space, first_page, zeros - first_page, segment.protection, source)?;
        let is_mixed = file_end < zeros && end > file_end;
        if is_mixed && segment.protection.contains(ProtFlags::WRITE) {
            zero(space, file_end, (zeros - file_end) as usize)?;
        }
    }
    let last = page_up(end);
    if zeros < last {
        map_fixed(space, zeros, last - zeros, segment.protection, Source::Anonymous)?;
    }
    Ok(())
}

fn map_fixed(
    space: &AddressSpace,
    address: u64,
    length: u64,
    protection: ProtFlags,
    source: Source,
) -> Result<(), Errno> {
    space.map(MapRequest {
        address,
        length,
        protection,
        flags: MapFlags::PRIVATE | MapFlags::FIXED,
        source,
        kind: VmaKind::Plain,
    })?;
    Ok(())
}

/// Zeroes memory that the file has bytes for; a file that is too short has not.
fn zero(space: &AddressSpace, address: u64, bytes: usize) -> Result<(), Errno> {
    let slice = UserSlice::new(UserPtr::new(address), bytes);
    match space.writer(slice).put_zeros(bytes) {
        Ok(done) if done == bytes => Ok(()),
        _ => Err(Errno::ENOEXEC),
    }
}

const fn page_down(address: u64) -> u64 {
    address & !(PAGE_BYTES - 1)
}

const fn page_up(address: u64) -> u64 {
    (address + PAGE_BYTES - 1) & !(PAGE_BYTES - 1)
}
