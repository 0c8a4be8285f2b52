//! Reading, writing, seeking, syncing.

use los_abi::errno::Errno;
use los_abi::fs::{IoVec, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET};
use los_abi::resource::{RLIM_INFINITY, RLIMIT_FSIZE};
use los_abi::signal::{SI_USER, SigInfo, Signal};
use los_abi::syscall::{Fd, UserPtr, UserSlice};
use mm::io::Source;
use sync::{Error, Result};
use task::Context;
use vfs::{Extent, OpenFile, Whence};

/// Most bytes that one call transfers, as in Linux (read(2), NOTES).
pub(super) const TRANSFER_MAX_BYTES: usize = 0x7fff_f000;

fn buffer(address: UserPtr<u8>, count: usize) -> UserSlice<u8> {
    UserSlice::new(address, count.min(TRANSFER_MAX_BYTES))
}

pub(super) fn offset_argument(offset: i64) -> Result<u64> {
    Ok(u64::try_from(offset).map_err(|_| Errno::EINVAL)?)
}

pub(crate) fn read(ctx: &Context<'_>, fd: Fd, address: UserPtr<u8>, count: usize) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    counted_read(ctx, file.read(&mut ctx.memory().writer(buffer(address, count))))
}

pub(crate) fn write(ctx: &Context<'_>, fd: Fd, address: UserPtr<u8>, count: usize) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    write_from(ctx, &file, &mut ctx.memory().reader(buffer(address, count)))
}

pub(crate) fn readv(ctx: &Context<'_>, fd: Fd, vectors: UserPtr<IoVec>, count: usize) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    counted_read(ctx, file.read(&mut ctx.memory().io_vectors(vectors, count)?))
}

pub(crate) fn writev(ctx: &Context<'_>, fd: Fd, vectors: UserPtr<IoVec>, count: usize) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    write_from(ctx, &file, &mut ctx.memory().io_vectors(vectors, count)?)
}

pub(crate) fn pread64(
    ctx: &Context<'_>,
    fd: Fd,
    address: UserPtr<u8>,
    count: usize,
    offset: i64,
) -> Result<usize> {
    let offset = offset_argument(offset)?;
    let file = ctx.files().get(fd)?;
    counted_read(
        ctx,
        file.read_at(&mut ctx.memory().writer(buffer(address, count)), offset),
    )
}

pub(crate) fn pwrite64(
    ctx: &Context<'_>,
    fd: Fd,
    address: UserPtr<u8>,
    count: usize,
    offset: i64,
) -> Result<usize> {
    let offset = offset_argument(offset)?;
    let file = ctx.files().get(fd)?;
    let limit = size_limit(ctx);
    counted_write(
        ctx,
        file.write_at(&mut ctx.memory().reader(buffer(address, count)), offset, limit),
    )
}

fn write_from(ctx: &Context<'_>, file: &OpenFile, input: &mut dyn Source) -> Result<usize> {
    counted_write(ctx, file.write(input, size_limit(ctx)))
}

pub(super) fn size_limit(ctx: &Context<'_>) -> u64 {
    ctx.process.limits().soft(RLIMIT_FSIZE)
}

/// Counts a call that reads.
#[inline]
pub(super) fn counted_read(ctx: &Context<'_>, result: Result<usize>) -> Result<usize> {
    ctx.thread.accounting.count_read(*result.as_ref().unwrap_or(&0));
    result
}

/// Counts a call that writes, and tells of its failure.
#[inline]
pub(super) fn counted_write(ctx: &Context<'_>, result: Result<usize>) -> Result<usize> {
    ctx.thread.accounting.count_write(*result.as_ref().unwrap_or(&0));
    tell_failure(ctx, result)
}

/// Sends the signals that go with two errors of writing.
pub(super) fn tell_failure(ctx: &Context<'_>, result: Result<usize>) -> Result<usize> {
    let signal = match result {
        Err(Error::Errno(Errno::EPIPE)) => Signal::PIPE,
        // Only the limit has a signal; a file system's own largest size has not.
        Err(Error::Errno(Errno::EFBIG)) if size_limit(ctx) != RLIM_INFINITY => Signal::XFSZ,
        _ => return result,
    };
    // As on Linux, it looks as if the caller had sent it to itself.
    let pid = ctx.process.pid().cast_signed();
    let info = SigInfo::kill(signal, SI_USER, pid, ctx.credentials().uid);
    task::signal::send_to_thread(ctx.thread, &info)?;
    result
}

pub(crate) fn lseek(ctx: &Context<'_>, fd: Fd, offset: i64, whence: u32) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    let whence = match whence {
        SEEK_SET => Whence::Set,
        SEEK_CUR => Whence::Current,
        SEEK_END => Whence::End,
        SEEK_DATA => Whence::Next(Extent::Data),
        SEEK_HOLE => Whence::Next(Extent::Hole),
        _ => return Err(Errno::EINVAL.into()),
    };
    Ok(file.seek(offset, whence)? as usize)
}

pub(crate) fn fsync(ctx: &Context<'_>, fd: Fd) -> Result<usize> {
    ctx.files().get(fd)?.sync()?;
    Ok(0)
}

pub(crate) fn fdatasync(ctx: &Context<'_>, fd: Fd) -> Result<usize> {
    fsync(ctx, fd)
}

pub(crate) fn sync(ctx: &Context<'_>) -> Result<usize> {
    vfs::ops::sync_all(&ctx.caller().root);
    Ok(0)
}
