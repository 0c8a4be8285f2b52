//! Room on storage and what is on its way there: fallocate(2), posix_fadvise(2), readahead(2), sync_file_range(2), syncfs(2),
//! cachestat(2).

use los_abi::errno::Errno;
use los_abi::fs::{FADVICE, FallocateFlags};
use los_abi::mm::{Cachestat, CachestatRange};
use los_abi::syscall::{Fd, UserPtr};
use sync::Result;
use task::Context;
use vfs::FileKind;

use super::data::{size_limit, tell_failure};

/// Flags of sync_file_range(2): wait before, write, wait after.
const SYNC_RANGE_FLAGS: u32 = 0x7;

pub(crate) fn fallocate(
    ctx: &Context<'_>,
    fd: Fd,
    mode: FallocateFlags,
    offset: i64,
    length: i64,
) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    file.ops()?;
    tell_failure(
        ctx,
        file.allocate(mode, offset, length, size_limit(ctx))
            .map_err(Into::into)
            .map(|()| 0),
    )
}

pub(crate) fn fadvise64(ctx: &Context<'_>, fd: Fd, _offset: i64, length: i64, advice: i32) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    file.ops()?;
    if file.inode().kind() == FileKind::Fifo {
        return Err(Errno::ESPIPE.into());
    }
    // Contents are in memory already, and stay there.
    if length < 0 || !FADVICE.iter().any(|(_, known)| *known == advice) {
        return Err(Errno::EINVAL.into());
    }
    Ok(0)
}

pub(crate) fn readahead(ctx: &Context<'_>, fd: Fd, _offset: i64, _count: usize) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    file.ops()?;
    if !file.is_readable() {
        return Err(Errno::EBADF.into());
    }
    // Contents are in memory already, so there is nothing to fetch.
    match file.inode().kind() {
        FileKind::Regular | FileKind::BlockDevice => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

pub(crate) fn sync_file_range(
    ctx: &Context<'_>,
    fd: Fd,
    offset: i64,
    length: i64,
    flags: u32,
) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    file.ops()?;
    let end = offset.checked_add(length);
    if flags & !SYNC_RANGE_FLAGS != 0 || offset < 0 || end.is_none_or(|end| end < offset) {
        return Err(Errno::EINVAL.into());
    }
    match file.inode().kind() {
        FileKind::Regular | FileKind::BlockDevice | FileKind::Directory | FileKind::SymbolicLink => {}
        _ => return Err(Errno::ESPIPE.into()),
    }
    file.sync()?;
    Ok(0)
}

pub(crate) fn syncfs(ctx: &Context<'_>, fd: Fd) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    file.ops()?;
    file.path().mount.file_system().sync()?;
    Ok(0)
}

pub(crate) fn cachestat(
    ctx: &Context<'_>,
    fd: Fd,
    range: UserPtr<CachestatRange>,
    state: UserPtr<Cachestat>,
    flags: u32,
) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    file.ops()?;
    let range: CachestatRange = ctx.memory().read(range)?;
    file.check_cache_inspection(ctx.credentials())?;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let end = match range.len {
        0 => u64::MAX,
        length => range.off.wrapping_add(length),
    };
    // What is in memory is nowhere else: nothing is dirty, and nothing was ever taken out.
    let told = Cachestat {
        nr_cache: file.stored_pages(range.off, end),
        ..Cachestat::default()
    };
    ctx.memory().write(state, &told)?;
    Ok(0)
}
