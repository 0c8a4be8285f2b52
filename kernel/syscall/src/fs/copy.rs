//! Copies inside the kernel: sendfile(2) and copy_file_range(2).

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::syscall::{Fd, UserPtr};
use mm::io::{SliceSink, SliceSource};
use sync::Result;
use task::Context;
use vfs::{FileKind, OpenFile, Whence};

use super::data::{TRANSFER_MAX_BYTES, counted_read, counted_write, offset_argument, size_limit};

pub(crate) fn sendfile(
    ctx: &Context<'_>,
    out_fd: Fd,
    in_fd: Fd,
    offset: UserPtr<i64>,
    count: usize,
) -> Result<usize> {
    let start = if offset.is_null() {
        None
    } else {
        Some(offset_argument(ctx.memory().read(offset)?)?)
    };
    let input = ctx.files().get(in_fd)?;
    let output = ctx.files().get(out_fd)?;
    if !input.is_readable() || !output.is_writable() {
        return Err(Errno::EBADF.into());
    }
    let count = count.min(TRANSFER_MAX_BYTES);
    let transfer = Transfer {
        input: &input,
        start,
        output: &output,
        target: None,
        limit: size_limit(ctx),
    };
    let total = counted_write(ctx, counted_read(ctx, transfer.run(count)))?;
    if let Some(start) = start {
        ctx.memory().write(offset, &((start + total as u64) as i64))?;
    }
    Ok(total)
}

pub(crate) fn copy_file_range(
    ctx: &Context<'_>,
    in_fd: Fd,
    in_offset: UserPtr<i64>,
    out_fd: Fd,
    out_offset: UserPtr<i64>,
    count: usize,
    flags: u32,
) -> Result<usize> {
    let input = ctx.files().get(in_fd)?;
    let output = ctx.files().get(out_fd)?;
    input.ops()?;
    output.ops()?;
    let start = place(ctx, in_offset, &input)?;
    let target = place(ctx, out_offset, &output)?;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let limit = size_limit(ctx);
    let copied = copy_range(&input, start, &output, target, count, limit);
    let total = counted_write(ctx, counted_read(ctx, copied))?;
    if total > 0 {
        advance(ctx, in_offset, &input, start + total as i64)?;
        advance(ctx, out_offset, &output, target + total as i64)?;
    }
    Ok(total)
}

/// Returns where a copy begins: at the caller's offset, or at the file's position.
fn place(ctx: &Context<'_>, offset: UserPtr<i64>, file: &OpenFile) -> Result<i64> {
    if offset.is_null() {
        Ok(file.position() as i64)
    } else {
        Ok(ctx.memory().read(offset)?)
    }
}

fn advance(ctx: &Context<'_>, offset: UserPtr<i64>, file: &OpenFile, end: i64) -> Result<()> {
    if offset.is_null() {
        file.seek(end, Whence::Set)?;
    } else {
        ctx.memory().write(offset, &end)?;
    }
    Ok(())
}

fn copy_range(
    input: &Arc<OpenFile>,
    start: i64,
    output: &Arc<OpenFile>,
    target: i64,
    count: usize,
    limit: u64,
) -> Result<usize> {
    let kinds = [input.inode().kind(), output.inode().kind()];
    if kinds.contains(&FileKind::Directory) {
        return Err(Errno::EISDIR.into());
    }
    if kinds != [FileKind::Regular; 2] {
        return Err(Errno::EINVAL.into());
    }
    if !input.is_readable() || !output.is_writable() || output.flags().contains(OpenFlags::APPEND) {
        return Err(Errno::EBADF.into());
    }
    let (from, to) = (input.metadata()?, output.metadata()?);
    if from.device != to.device {
        return Err(Errno::EXDEV.into());
    }
    let end = |at: i64| i64::try_from(count).ok().and_then(|count| at.checked_add(count));
    if end(start).is_none() || end(target).is_none() {
        return Err(Errno::EOVERFLOW.into());
    }
    let (start, target) = (offset_argument(start)?, offset_argument(target)?);
    let count = from.size.saturating_sub(start).min(count as u64);
    let overlaps = start < target + count && target < start + count;
    if from.inode == to.inode && overlaps {
        return Err(Errno::EINVAL.into());
    }
    let transfer = Transfer {
        input,
        start: Some(start),
        output,
        target: Some(target),
        limit,
    };
    transfer.run(count.min(TRANSFER_MAX_BYTES as u64) as usize)
}

/// A copy from one file to another.
struct Transfer<'a> {
    input: &'a OpenFile,
    /// Where to read; at the position, which advances, when absent.
    start: Option<u64>,
    output: &'a OpenFile,
    /// Where to write; at the position, which advances, when absent.
    target: Option<u64>,
    /// The largest size that the written file may have.
    limit: u64,
}

impl Transfer<'_> {
    /// Copies up to `count` bytes through a page of the kernel's, and returns how many.
    fn run(&self, count: usize) -> Result<usize> {
        let mut page = Vec::new();
        page.try_reserve_exact(hal::PAGE_SIZE)
            .map_err(|_| Errno::ENOMEM)?;
        page.resize(hal::PAGE_SIZE, 0);
        let mut total = 0;
        while total < count && sync::give_way() {
            let wanted = (count - total).min(page.len());
            let read = match self.read(&mut page[..wanted], total) {
                Ok(0) => break,
                Ok(read) => read,
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            };
            let written = match self.write(&page[..read], total) {
                Ok(written) => written,
                Err(error) => {
                    self.give_back(read)?;
                    if total > 0 {
                        break;
                    }
                    return Err(error);
                }
            };
            total += written;
            if written < read {
                self.give_back(read - written)?;
                break;
            }
        }
        Ok(total)
    }

    fn read(&self, into: &mut [u8], done: usize) -> Result<usize> {
        let mut sink = SliceSink::new(into);
        match self.start {
            Some(start) => self.input.read_at(&mut sink, start + done as u64),
            None => self.input.read(&mut sink),
        }
    }

    fn write(&self, bytes: &[u8], done: usize) -> Result<usize> {
        let mut source = SliceSource::new(bytes);
        match self.target {
            Some(target) => self
                .output
                .write_at(&mut source, target + done as u64, self.limit),
            None => self.output.write(&mut source, self.limit),
        }
    }

    /// Lets the next call read again what was read and not written.
    fn give_back(&self, bytes: usize) -> Result<()> {
        if self.start.is_none() {
            self.input.seek(-(bytes as i64), Whence::Current)?;
        }
        Ok(())
    }
}
