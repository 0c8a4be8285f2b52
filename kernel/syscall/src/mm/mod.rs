//! Memory maps.

mod barrier;
mod keys;
mod lock;
mod memory_file;
mod other;
mod policy;

pub(crate) use barrier::membarrier;
pub(crate) use keys::{map_shadow_stack, pkey_alloc, pkey_free, pkey_mprotect};
pub(crate) use lock::{mlock, mlock2, mlockall, munlock, munlockall};
pub(crate) use memory_file::{memfd_create, memfd_secret};
pub(crate) use other::{process_madvise, process_mrelease};
pub(crate) use policy::{
    get_mempolicy, mbind, migrate_pages, move_pages, set_mempolicy, set_mempolicy_home_node,
};

use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::fs::{MountFlags, SealFlags};
use los_abi::mm::{MapFlags, MremapFlags, MsyncFlags, ProtFlags};
use los_abi::syscall::{Fd, UserPtr};
use mm::{MapRequest, RemapRequest, Source, VmaKind};
use sync::Result;
use task::Context;
use vfs::{Capability, OpenFile};

const OFFSET_MASK: u64 = hal::PAGE_SIZE as u64 - 1;

pub(crate) fn mmap(
    ctx: &Context<'_>,
    address: u64,
    length: usize,
    asked: ProtFlags,
    flags: MapFlags,
    fd: Fd,
    offset: u64,
) -> Result<usize> {
    if offset & OFFSET_MASK != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut prot = implied(ctx, asked);
    let source = if flags.contains(MapFlags::ANONYMOUS) {
        Source::Anonymous
    } else {
        let file = ctx.files().get(fd)?;
        file.ops()?;
        if is_noexec(&file) {
            prot = asked;
        }
        file_source(&file, prot, flags, offset)
    };
    let is_secret = matches!(&source, Source::File { pager, .. } if pager.is_secret());
    if flags.contains(MapFlags::LOCKED) || is_secret {
        ctx.memory().set_locker(lock::locker(ctx));
    }
    let request = MapRequest {
        address,
        length: length as u64,
        protection: prot,
        flags,
        source,
        kind: VmaKind::Plain,
    };
    Ok(ctx.memory().map_above(request, lowest(ctx))? as usize)
}

/// Returns the lowest address that the caller may name.
fn lowest(ctx: &Context<'_>) -> u64 {
    if ctx.credentials().capable(Capability::SysRawio) {
        0
    } else {
        mm::lowest_address()
    }
}

/// Reports whether nothing in a file may be executed, wherever it is mapped.
fn is_noexec(file: &OpenFile) -> bool {
    file.path().mount.flags().contains(MountFlags::NOEXEC)
}

/// Returns what a protection stands for: memory that can be read can be executed too, if the personality says so.
fn implied(ctx: &Context<'_>, prot: ProtFlags) -> ProtFlags {
    let personality = ctx.thread.attributes.personality();
    if prot.contains(ProtFlags::READ) && personality.contains(Personality::READ_IMPLIES_EXEC) {
        prot | ProtFlags::EXEC
    } else {
        prot
    }
}

/// Describes a file as the source of a mapping, with what its access mode allows.
fn file_source(file: &OpenFile, prot: ProtFlags, flags: MapFlags, offset: u64) -> Source {
    // What is wrong with the file counts after what is wrong with the request.
    open_source(file, prot, flags, offset).unwrap_or_else(|errno| Source::Refused { errno, offset })
}

fn open_source(
    file: &OpenFile,
    prot: ProtFlags,
    flags: MapFlags,
    offset: u64,
) -> core::result::Result<Source, Errno> {
    let is_shared = flags.bits() & MapFlags::TYPE != MapFlags::PRIVATE.bits();
    let is_stored_to = is_shared && prot.contains(ProtFlags::WRITE);
    if !file.is_readable() || is_stored_to && !file.is_writable() {
        return Err(Errno::EACCES);
    }
    let mut max_protection = ProtFlags::READ | ProtFlags::EXEC;
    if !is_shared || file.is_writable() {
        max_protection |= ProtFlags::WRITE;
    }
    let is_executed = prot.contains(ProtFlags::EXEC);
    let is_noexec = is_noexec(file);
    if is_noexec && is_executed {
        return Err(Errno::EPERM);
    }
    // After what the access mode and the mount forbid, as on Linux.
    let pager = file.pager()?;
    let is_secret = pager.is_secret();
    if is_secret && is_executed {
        return Err(Errno::EPERM);
    }
    if is_noexec || is_secret {
        max_protection -= ProtFlags::EXEC;
    }
    let keeps_contents = SealFlags::WRITE | SealFlags::FUTURE_WRITE;
    let is_sealed = || {
        file.inode()
            .seals()
            .is_some_and(|seals| seals.intersects(keeps_contents))
    };
    if is_shared && max_protection.contains(ProtFlags::WRITE) && is_sealed() {
        if prot.contains(ProtFlags::WRITE) {
            return Err(Errno::EPERM);
        }
        max_protection -= ProtFlags::WRITE;
    }
    Ok(Source::File {
        pager,
        offset,
        max_protection,
    })
}

pub(crate) fn munmap(ctx: &Context<'_>, address: u64, length: usize) -> Result<usize> {
    ctx.memory().unmap(address, length as u64)?;
    Ok(0)
}

pub(crate) fn mprotect(ctx: &Context<'_>, address: u64, length: usize, prot: ProtFlags) -> Result<usize> {
    let implied = implied(ctx, prot);
    let is_added = implied != prot;
    match ctx.memory().protect(address, length as u64, implied) {
        // A file on a mount without programs is not executed all the same.
        Err(Errno::EACCES) if is_added => ctx.memory().protect(address, length as u64, prot)?,
        other => other?,
    }
    Ok(0)
}

pub(crate) fn brk(ctx: &Context<'_>, address: u64) -> Result<usize> {
    Ok(ctx.memory().set_break(address) as usize)
}

pub(crate) fn madvise(ctx: &Context<'_>, address: u64, length: usize, advice: i32) -> Result<usize> {
    ctx.memory().advise(address, length as u64, advice)?;
    Ok(0)
}

pub(crate) fn mremap(
    ctx: &Context<'_>,
    address: u64,
    old_length: u64,
    new_length: u64,
    flags: u64,
    new_address: u64,
) -> Result<usize> {
    let flags = u32::try_from(flags).map_err(|_| Errno::EINVAL)?;
    let request = RemapRequest {
        address,
        old_length,
        new_length,
        flags: MremapFlags::from_bits_retain(flags),
        new_address,
        lowest: lowest(ctx),
    };
    Ok(ctx.memory().remap(request)? as usize)
}

/// Pages that mincore looks at with the address space locked once.
const RESIDENCY_PAGES: usize = 256;

pub(crate) fn mincore(ctx: &Context<'_>, address: u64, length: usize, out: UserPtr<u8>) -> Result<usize> {
    if address & OFFSET_MASK != 0 {
        return Err(Errno::EINVAL.into());
    }
    let is_user = |start: u64, bytes: usize| {
        start
            .checked_add(bytes as u64)
            .is_some_and(|end| end <= mm::AddressSpace::USER_END)
    };
    if !is_user(address, length) {
        return Err(Errno::ENOMEM.into());
    }
    let pages = length.div_ceil(hal::PAGE_SIZE);
    if !is_user(out.addr(), pages) {
        return Err(Errno::EFAULT.into());
    }
    let mut buffer = [0; RESIDENCY_PAGES];
    let mut done = 0;
    while done < pages && sync::give_way() {
        let part = &mut buffer[..(pages - done).min(RESIDENCY_PAGES)];
        let told = ctx
            .memory()
            .residency(address + (done * hal::PAGE_SIZE) as u64, part)?;
        ctx.memory()
            .write_bytes(out.addr() + done as u64, &part[..told])?;
        done += told;
    }
    Ok(0)
}

pub(crate) fn msync(ctx: &Context<'_>, address: u64, length: usize, flags: MsyncFlags) -> Result<usize> {
    ctx.memory().sync(address, length as u64, flags)?;
    Ok(0)
}

pub(crate) fn remap_file_pages(
    ctx: &Context<'_>,
    address: u64,
    length: usize,
    prot: ProtFlags,
    page: u64,
    flags: MapFlags,
) -> Result<usize> {
    if !prot.is_empty() {
        return Err(Errno::EINVAL.into());
    }
    ctx.memory().set_locker(lock::locker(ctx));
    ctx.memory()
        .remap_file_pages(address, length as u64, page, flags)?;
    Ok(0)
}

pub(crate) fn mseal(ctx: &Context<'_>, address: u64, length: usize, flags: u64) -> Result<usize> {
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    ctx.memory().seal(address, length as u64)?;
    Ok(0)
}
