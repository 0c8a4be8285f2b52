//! Positioned transfers of several pieces: preadv(2) and its kin.

use los_abi::errno::Errno;
use los_abi::fs::{IoVec, ReadWriteFlags};
use los_abi::syscall::{Fd, UserPtr};
use sync::Result;
use task::Context;

use super::data::{counted_read, counted_write, offset_argument, readv, size_limit, writev};

/// Offset that stands for the file's own position in the calls with flags.
const AT_POSITION: i64 = -1;
/// What a read may ask for beyond its data: each holds for any file here.
const READ_FLAGS: ReadWriteFlags = ReadWriteFlags::HIPRI
    .union(ReadWriteFlags::DSYNC)
    .union(ReadWriteFlags::SYNC);

pub(crate) fn preadv(
    ctx: &Context<'_>,
    fd: Fd,
    vectors: UserPtr<IoVec>,
    count: usize,
    offset: i64,
) -> Result<usize> {
    let offset = offset_argument(offset)?;
    let file = ctx.files().get(fd)?;
    counted_read(
        ctx,
        file.read_at(&mut ctx.memory().io_vectors(vectors, count)?, offset),
    )
}

pub(crate) fn pwritev(
    ctx: &Context<'_>,
    fd: Fd,
    vectors: UserPtr<IoVec>,
    count: usize,
    offset: i64,
) -> Result<usize> {
    let offset = offset_argument(offset)?;
    let file = ctx.files().get(fd)?;
    let mut input = ctx.memory().io_vectors(vectors, count)?;
    counted_write(ctx, file.write_at(&mut input, offset, size_limit(ctx)))
}

pub(crate) fn preadv2(
    ctx: &Context<'_>,
    fd: Fd,
    vectors: UserPtr<IoVec>,
    count: usize,
    offset: i64,
    _offset_high: u64,
    flags: ReadWriteFlags,
) -> Result<usize> {
    check_flags(flags)?;
    if offset == AT_POSITION {
        readv(ctx, fd, vectors, count)
    } else {
        preadv(ctx, fd, vectors, count, offset)
    }
}

pub(crate) fn pwritev2(
    ctx: &Context<'_>,
    fd: Fd,
    vectors: UserPtr<IoVec>,
    count: usize,
    offset: i64,
    _offset_high: u64,
    flags: ReadWriteFlags,
) -> Result<usize> {
    check_flags(flags)?;
    let written = if offset == AT_POSITION {
        writev(ctx, fd, vectors, count)?
    } else {
        pwritev(ctx, fd, vectors, count, offset)?
    };
    if flags.intersects(ReadWriteFlags::DSYNC | ReadWriteFlags::SYNC) {
        ctx.files().get(fd)?.sync()?;
    }
    Ok(written)
}

fn check_flags(flags: ReadWriteFlags) -> Result<()> {
    if READ_FLAGS.contains(flags) {
        Ok(())
    } else {
        Err(Errno::EOPNOTSUPP.into())
    }
}
