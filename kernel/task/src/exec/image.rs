//! Building a program's memory: segments, interpreter, stack and auxiliary vector, in an address space that
//! nobody runs in yet. A failure drops it, and nothing has happened.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::auxv::{
    AT_BASE, AT_CLKTCK, AT_EGID, AT_ENTRY, AT_EUID, AT_EXECFN, AT_FLAGS, AT_GID, AT_HWCAP, AT_HWCAP2,
    AT_MINSIGSTKSZ, AT_PAGESZ, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PLATFORM, AT_RANDOM, AT_RSEQ_ALIGN,
    AT_RSEQ_FEATURE_SIZE, AT_SECURE, AT_SYSINFO_EHDR, AT_UID,
};
use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::isa::IsaAbi;
use los_abi::mm::{MapFlags, ProtFlags};
use los_abi::rseq::{RSEQ_ALIGNMENT, RSEQ_FEATURE_BYTES};
use los_abi::time::USER_HZ;
use los_arch::hal::PAGE_SIZE;
use los_arch::hal::prelude::{Cpu, Paging, Traps};
use los_arch::{Current, CurrentAbi};
use mm::io::SliceSink;
use mm::{AddressSpace, Limits, MapRequest, Source, VmaKind};
use vfs::text::DenyWrite;
use vfs::{At, Caller, Capability, Lookup, OpenFile};

use super::arguments::StringList;
use super::elf::{HEADER_BYTES, Header, PROGRAM_HEADER_BYTES, Placement, Program};
use super::identity::Identity;
use super::layout::Layout;
use super::load::{self, Placed};
use super::stack::StackContents;
use super::{Failure, vdso};
use crate::process::Image;

const PAGE_BYTES: u64 = PAGE_SIZE as u64;
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
    Program::parse(header, &table)
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
    /// ENOEXEC; E2BIG for arguments that the stack limit forbids; ENOMEM; ETXTBSY; EIO and ELIBBAD for a wrong
    /// interpreter and those of opening it; [`Failure::Fatal`] for segments that cannot be mapped.
    pub(super) fn build(&self, caller: &Caller<'_>) -> Result<Loaded, Failure> {
        let interpreter = self.open_interpreter(caller)?;
        let unwritable = DenyWrite::new(self.file.inode())?;
        let space = AddressSpace::new()?;
        space.set_limits(self.limits);
        let layout = Layout::choose(self.identity.personality, self.limits.stack);
        space.set_mmap_base(layout.mmap_base);
        let program_base = interpreter.is_some().then_some(layout.movable_base);
        let placed = load::place(&space, self.file, self.program, program_base)?;
        let loader = match &interpreter {
            Some((file, program)) => Some(load::place(&space, file, program, None)?),
            None => None,
        };
        let entry = loader.as_ref().unwrap_or(&placed).entry;
        if entry >= Current::USER_END {
            return Err(Failure::Fatal);
        }
        let is_among_mappings = self.program.header.placement == Placement::Movable && loader.is_none();
        space.init_break(layout.break_start(placed.end, is_among_mappings));
        self.map_page_zero(&space);
        let vdso = vdso::map(&space)?;
        let auxv = self.auxv(&placed, loader.as_ref(), vdso);
        let mut image = Image {
            executable: Some(self.file.clone()),
            _unwritable: Some(Arc::new(unwritable)),
            code: placed.code,
            data: placed.data,
            ..Image::default()
        };
        let stack_pointer = self.build_stack(&space, &layout, &auxv, &mut image)?;
        Ok(Loaded {
            space,
            entry,
            stack_pointer,
            image,
        })
    }

    /// Maps page 0 for programs that read from null pointers, as those of old systems do. Whoever may not map there has
    /// none.
    fn map_page_zero(&self, space: &AddressSpace) {
        let is_wanted = self.identity.personality.contains(Personality::MMAP_PAGE_ZERO);
        let is_allowed = mm::lowest_address() == 0 || self.identity.credentials.capable(Capability::SysRawio);
        if !is_wanted || !is_allowed {
            return;
        }
        let request = MapRequest {
            address: 0,
            length: PAGE_BYTES,
            protection: ProtFlags::READ | ProtFlags::EXEC,
            flags: MapFlags::PRIVATE | MapFlags::FIXED,
            source: Source::Anonymous,
            kind: VmaKind::Plain,
        };
        // As on Linux the program goes on without it where there is no memory.
        if space.map_above(request, 0).is_ok() {
            let _stays_unsealed = space.seal(0, PAGE_BYTES);
        }
    }

    fn open_interpreter(&self, caller: &Caller<'_>) -> Result<Option<(Arc<OpenFile>, Program)>, Errno> {
        let Some((offset, length)) = self.program.interpreter else {
            return Ok(None);
        };
        let mut path = Vec::new();
        path.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
        path.resize(length, 0);
        if read_at(self.file, offset, &mut path)? != length {
            return Err(Errno::ENOEXEC);
        }
        let file = super::open(caller, At::Cwd, interpreter_path(&path)?, Lookup::FOLLOW)?;
        let program = read_program(&file).map_err(|error| match error {
            Errno::ENOEXEC if file.metadata().is_ok_and(|one| one.size < HEADER_BYTES as u64) => Errno::EIO,
            Errno::ENOEXEC => Errno::ELIBBAD,
            _ => error,
        })?;
        Ok(Some((file, program)))
    }

    /// The entries in Linux's order; those that point into the stack get their values there.
    fn auxv(&self, program: &Placed, loader: Option<&Placed>, vdso: u64) -> [(u64, u64); 22] {
        let (capabilities, more_capabilities) = Current::hardware_capabilities();
        let who = &self.identity.credentials;
        [
            (AT_SYSINFO_EHDR, vdso),
            (AT_MINSIGSTKSZ, Current::signal_frame_bytes() as u64),
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
            (AT_RSEQ_FEATURE_SIZE, u64::from(RSEQ_FEATURE_BYTES)),
            (AT_RSEQ_ALIGN, u64::from(RSEQ_ALIGNMENT)),
        ]
    }

    fn build_stack(
        &self,
        space: &AddressSpace,
        layout: &Layout,
        auxv: &[(u64, u64)],
        image: &mut Image,
    ) -> Result<u64, Failure> {
        let mut random = [0; 16];
        vfs::random::fill(&mut random);
        let contents = StackContents {
            arguments: self.arguments,
            environment: self.environment,
            file_name: self.path,
            platform: Current::platform().as_bytes(),
            random,
            shift: layout.stack_shift,
            auxv,
        };
        let top = layout.stack_top;
        let stack = contents.lay_out(top)?;
        let bytes = (stack.bytes.len() as u64 + STACK_ROOM_BYTES).next_multiple_of(PAGE_BYTES);
        if stack.bytes.len() as u64 > self.limits.stack {
            return Err(Errno::E2BIG.into());
        }
        let mut protection = ProtFlags::READ | ProtFlags::WRITE;
        if self.program.has_executable_stack {
            protection |= ProtFlags::EXEC;
        }
        // A fixed program may lie where the stack must be.
        let place = MapFlags::FIXED | MapFlags::FIXED_NOREPLACE;
        let flags = MapFlags::PRIVATE | place | MapFlags::GROWSDOWN | MapFlags::STACK;
        let request = MapRequest {
            address: top - bytes,
            length: bytes,
            protection,
            flags,
            source: Source::Anonymous,
            kind: VmaKind::Stack,
        };
        space.map(request).map_err(|error| match error {
            Errno::EEXIST => Failure::Fatal,
            _ => Failure::Refused(error),
        })?;
        space
            .write_bytes(stack.pointer, &stack.bytes)
            .map_err(|_| Errno::ENOMEM)?;
        image.stack_start = stack.pointer;
        image.arguments = stack.arguments;
        image.environment = stack.environment;
        let mut auxv = stack.auxv;
        auxv.resize(CurrentAbi::AUXV_WORDS, 0);
        image.auxv = auxv.into();
        Ok(stack.pointer)
    }
}

/// Cuts an interpreter's path at its first NUL; the last byte must be one (Linux: `load_elf_binary`).
///
/// # Errors
/// ENOEXEC.
fn interpreter_path(bytes: &[u8]) -> Result<&[u8], Errno> {
    if bytes.last() != Some(&0) {
        return Err(Errno::ENOEXEC);
    }
    Ok(bytes.split(|&byte| byte == 0).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_interpreter_ends_at_its_first_nul() {
        assert_eq!(interpreter_path(b"/lib/ld.so\0"), Ok(&b"/lib/ld.so"[..]));
        assert_eq!(interpreter_path(b"/lib/ld.so\0\0x\0"), Ok(&b"/lib/ld.so"[..]));
        assert_eq!(interpreter_path(b"/lib/ld.so"), Err(Errno::ENOEXEC));
        assert_eq!(interpreter_path(b""), Err(Errno::ENOEXEC));
    }
}
