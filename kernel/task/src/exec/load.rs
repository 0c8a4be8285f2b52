//! Mapping the segments of a program or an interpreter.

use alloc::sync::Arc;
use core::ops::Range;

use los_abi::errno::Errno;
use los_abi::mm::{MapFlags, ProtFlags};
use los_abi::syscall::{UserPtr, UserSlice};
use los_arch::Current;
use los_arch::hal::PAGE_SIZE;
use los_arch::hal::prelude::Paging;
use mm::io::Sink;
use mm::{AddressSpace, MapRequest, Source, VmaKind};
use vfs::OpenFile;

use super::Failure;
use super::elf::{Placement, Program, Segment, Segments};

const PAGE_BYTES: u64 = PAGE_SIZE as u64;

/// Where a program or an interpreter was mapped.
pub(super) struct Placed {
    /// What is added to the addresses in the file.
    pub(super) bias: u64,
    pub(super) entry: u64,
    pub(super) table_address: u64,
    /// Behind the last byte.
    pub(super) end: u64,
    /// First and one past the last address of code, and of initialised data.
    pub(super) code: (u64, u64),
    pub(super) data: (u64, u64),
}

/// Maps all segments of a file; a movable one near `near`, or wherever there is room.
///
/// # Errors
/// ENOMEM; [`Failure::Fatal`] for segments that cannot be mapped, or not there.
pub(super) fn place(
    space: &AddressSpace,
    file: &Arc<OpenFile>,
    program: &Program,
    near: Option<u64>,
) -> Result<Placed, Failure> {
    let segments = program.segments(Current::USER_END)?;
    let (start, end) = segments.span();
    let base = match (program.header.placement, near) {
        (Placement::Fixed, _) => start,
        (Placement::Movable, Some(near)) => near & !(segments.alignment - 1),
        (Placement::Movable, None) => find_room(space, end - start, segments.alignment)?,
    };
    // A movable file's first address is not always 0, and the sum wraps back to what it should be.
    let bias = base.wrapping_sub(start);
    base.checked_add(end - start)
        .filter(|end| *end <= Current::USER_END)
        .ok_or(Failure::Fatal)?;
    for segment in &segments.list {
        map_segment(space, file, segment, bias)?;
    }
    let place = |address: u64| address.wrapping_add(bias);
    Ok(Placed {
        bias,
        entry: place(program.header.entry),
        table_address: match segments.table_address {
            0 => 0,
            address => place(address),
        },
        end: place(segments.end()),
        code: range(&segments, ProtFlags::EXEC, bias),
        data: range(&segments, ProtFlags::WRITE, bias),
    })
}

/// Returns the range of the bytes from the file of all segments with a protection.
fn range(segments: &Segments, protection: ProtFlags, bias: u64) -> (u64, u64) {
    let chosen = || {
        segments
            .list
            .iter()
            .filter(|segment| segment.protection.contains(protection))
    };
    let start = chosen().map(|segment| segment.address).min();
    let end = chosen().map(Segment::file_end).max();
    match (start, end) {
        (Some(start), Some(end)) => (start.wrapping_add(bias), end.wrapping_add(bias)),
        _ => (0, 0),
    }
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
/// bytes from the file. Zeros can always be written, as on Linux.
fn map_segment(
    space: &AddressSpace,
    file: &Arc<OpenFile>,
    segment: &Segment,
    bias: u64,
) -> Result<(), Failure> {
    let start = segment.address.wrapping_add(bias);
    let first_page = page_down(start);
    let file_end = start + segment.file_bytes;
    let end = start + segment.memory_bytes;
    let mut zeros = first_page;
    let map = |range: Range<u64>, protection, source| {
        let request = MapRequest {
            address: range.start,
            length: range.end - range.start,
            protection,
            flags: MapFlags::PRIVATE | MapFlags::FIXED,
            source,
            kind: VmaKind::Plain,
        };
        space.map(request).map_err(|error| match error {
            Errno::ENOMEM => Failure::Refused(error),
            _ => Failure::Fatal,
        })
    };
    if segment.file_bytes > 0 {
        zeros = page_up(file_end);
        let source = Source::File {
            pager: file.pager()?,
            offset: page_down(segment.file_offset),
            max_protection: ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC,
        };
        map(first_page..zeros, segment.protection, source)?;
        let is_mixed = file_end < zeros && end > file_end;
        if is_mixed && segment.protection.contains(ProtFlags::WRITE) {
            zero(space, file_end, (zeros - file_end) as usize)?;
        }
    }
    let last = page_up(end);
    if zeros < last {
        let protection = ProtFlags::READ | ProtFlags::WRITE | segment.protection & ProtFlags::EXEC;
        map(zeros..last, protection, Source::Anonymous)?;
    }
    Ok(())
}

/// Zeroes memory that the file has bytes for; a file that is too short has not.
fn zero(space: &AddressSpace, address: u64, bytes: usize) -> Result<(), Failure> {
    let slice = UserSlice::new(UserPtr::new(address), bytes);
    match space.writer(slice).put_zeros(bytes) {
        Ok(done) if done == bytes => Ok(()),
        _ => Err(Failure::Fatal),
    }
}

const fn page_down(address: u64) -> u64 {
    address & !(PAGE_BYTES - 1)
}

const fn page_up(address: u64) -> u64 {
    (address + PAGE_BYTES - 1) & !(PAGE_BYTES - 1)
}
