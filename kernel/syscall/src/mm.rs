//! Memory maps.

use los_abi::errno::Errno;
use los_abi::mm::{MapFlags, ProtFlags};
use los_abi::syscall::Fd;
use mm::{MapRequest, Source, VmaKind};
use sync::Result;
use task::Context;

const OFFSET_MASK: u64 = hal::PAGE_SIZE as u64 - 1;

pub(crate) fn mmap(
    ctx: &Context<'_>,
    address: u64,
    length: usize,
    prot: ProtFlags,
    flags: MapFlags,
    fd: Fd,
    offset: u64,
) -> Result<usize> {
    if offset & OFFSET_MASK != 0 {
        return Err(Errno::EINVAL.into());
    }
    let source = if flags.contains(MapFlags::ANONYMOUS) {
        Source::Anonymous
    } else {
        file_source(ctx, fd, flags, offset)?
    };
    let address = ctx.memory().map(MapRequest {
        address,
        length: length as u64,
        protection: prot,
        flags,
        source,
        kind: VmaKind::Plain,
    })?;
    Ok(address as usize)
}

/// Describes a file as the source of a mapping, with what its access mode allows.
fn file_source(ctx: &Context<'_>, fd: Fd, flags: MapFlags, offset: u64) -> Result<Source> {
    let file = ctx.files().get(fd)?;
    file.ops()?;
    if !file.is_readable() {
        return Err(Errno::EACCES.into());
    }
    let is_shared = flags.bits() & MapFlags::TYPE != MapFlags::PRIVATE.bits();
    let mut max_protection = ProtFlags::READ | ProtFlags::EXEC;
    if !is_shared || file.is_writable() {
        max_protection |= ProtFlags::WRITE;
    }
    Ok(Source::File {
        pager: file.pager()?,
        offset,
        max_protection,
    })
}

pub(crate) fn munmap(ctx: &Context<'_>, address: u64, length: usize) -> Result<usize> {
    ctx.memory().unmap(address, length as u64)?;
    Ok(0)
}

pub(crate) fn mprotect(ctx: &Context<'_>, address: u64, length: usize, prot: ProtFlags) -> Result<usize> {
    ctx.memory().protect(address, length as u64, prot)?;
    Ok(0)
}

pub(crate) fn brk(ctx: &Context<'_>, address: u64) -> Result<usize> {
    Ok(ctx.memory().set_break(address) as usize)
}

pub(crate) fn madvise(ctx: &Context<'_>, address: u64, length: usize, advice: i32) -> Result<usize> {
    ctx.memory().advise(address, length as u64, advice)?;
    Ok(0)
}
