//! What a regular file holds: a sparse map of page frames, which mappings share.
//!
//! Two locks: `writer` keeps changes of one file apart and is held while user memory is read; `pages` guards
//! the map alone and is never held then, since a fault on a mapping of this very file takes it.

use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::SealFlags;
use mm::frames::{self, Frame};
use mm::io::{Sink, Source};
use mm::{PageMap, ReverseMap};
use sync::{Mutex, Rank};
use vfs::{Extent, Seals};

use super::budget::Budget;

/// Bytes of a page.
pub(super) const PAGE_BYTES: usize = 4096;
/// Largest size of a file, as an `off_t` has it.
pub(super) const SIZE_MAX: u64 = i64::MAX as u64;
/// The seals that keep contents as they are.
const WRITE_SEALS: SealFlags = SealFlags::WRITE.union(SealFlags::FUTURE_WRITE);

/// The bytes of a regular file.
pub(super) struct Contents {
    size: AtomicU64,
    writer: Mutex<()>,
    pages: Mutex<PageMap>,
    /// Where the file is mapped. Whoever takes pages away unmaps them afterwards, without any lock of this file:
    /// a page that was mapped in between is mapped again by the next fault.
    pub(super) mappings: ReverseMap,
    /// Checked by changes with `writer` held, and added to under it.
    seals: Seals,
}

impl Contents {
    /// Makes an empty file.
    pub(super) const fn new(seals: SealFlags) -> Self {
        Self {
            size: AtomicU64::new(0),
            writer: Mutex::new(Rank::Inode, ()),
            pages: Mutex::new(Rank::PageCache, PageMap::new()),
            mappings: ReverseMap::new(),
            seals: Seals::new(seals),
        }
    }

    /// Returns the seals.
    pub(super) fn seals(&self) -> &Seals {
        &self.seals
    }

    /// Adds seals to a file with this mode, when no change is under way.
    ///
    /// # Errors
    /// EPERM, EBUSY.
    pub(super) fn add_seals(&self, seals: SealFlags, mode: u16) -> Result<(), Errno> {
        let _writer = self.writer.lock();
        self.seals.add(seals, mode)
    }

    /// Returns the size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Returns the number of pages that are stored.
    pub(super) fn stored_pages(&self) -> u64 {
        self.pages.lock().len() as u64
    }

    /// Reads up to the end of the file.
    ///
    /// # Errors
    /// EFAULT when nothing was read.
    pub(super) fn read(&self, out: &mut dyn Sink, offset: u64) -> Result<usize, Errno> {
        let count = self.size().saturating_sub(offset).min(out.remaining() as u64) as usize;
        transfer(offset, count, |index, within, chunk| {
            let frame = self.pages.lock().get(index).cloned();
            match frame {
                Some(frame) => out.put_frame(&frame, within, chunk),
                None => out.put_zeros(chunk),
            }
        })
    }

    /// Writes up to `limit`, the size that the file must not exceed.
    ///
    /// # Errors
    /// EFBIG at the limit; EPERM by a seal; ENOSPC, ENOMEM, EFAULT when nothing was written.
    pub(super) fn write(
        &self,
        budget: &Budget,
        input: &mut dyn Source,
        offset: u64,
        limit: u64,
    ) -> Result<usize, Errno> {
        let _writer = self.writer.lock();
        self.write_locked(budget, input, offset, limit)
    }

    /// Writes at the end, and returns how much was written and where it ends.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(super) fn append(
        &self,
        budget: &Budget,
        input: &mut dyn Source,
        limit: u64,
    ) -> Result<(usize, u64), Errno> {
        let _writer = self.writer.lock();
        let offset = self.size();
        let written = self.write_locked(budget, input, offset, limit)?;
        Ok((written, offset + written as u64))
    }

    /// Sets the size; what is cut off is gone, what is added is zero. Returns the pages that are cut off.
    ///
    /// # Errors
    /// EFBIG; EPERM by a seal.
    pub(super) fn truncate(&self, budget: &Budget, size: u64) -> Result<Range<u64>, Errno> {
        if size > SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        let _writer = self.writer.lock();
        let (old, seals) = (self.size(), self.seals.get());
        if size < old && seals.contains(SealFlags::SHRINK) || size > old && seals.contains(SealFlags::GROW) {
            return Err(Errno::EPERM);
        }
        if size >= old {
            self.clear_tail(old, size);
        }
        // Before the pages go: what is mapped from now on ends here.
        self.size.store(size, Ordering::Release);
        if size >= old {
            return Ok(0..0);
        }
        self.discard(budget, size, SIZE_MAX);
        Ok(size.div_ceil(PAGE_BYTES as u64)..u64::MAX)
    }

    /// Makes the bytes from `start` to `end` zero, and gives back whole pages. Returns those.
    ///
    /// # Errors
    /// EPERM by a seal.
    pub(super) fn punch(&self, budget: &Budget, start: u64, end: u64) -> Result<Range<u64>, Errno> {
        let _writer = self.writer.lock();
        if self.seals.get().intersects(WRITE_SEALS) {
            return Err(Errno::EPERM);
        }
        self.discard(budget, start, end);
        let (first, last) = (start.div_ceil(PAGE_BYTES as u64), end / PAGE_BYTES as u64);
        Ok(first..last.max(first))
    }

    /// Stores all pages from `start` to `end` and lets the file grow to `end` if `grow`.
    ///
    /// # Errors
    /// ENOSPC, ENOMEM, and the pages that were added are gone again; EPERM by a seal.
    pub(super) fn reserve(&self, budget: &Budget, start: u64, end: u64, growth: Growth) -> Result<(), Errno> {
        let _writer = self.writer.lock();
        if end > self.size() && self.seals.get().contains(SealFlags::GROW) {
            return Err(Errno::EPERM);
        }
        let (first, last) = (start / PAGE_BYTES as u64, end.div_ceil(PAGE_BYTES as u64));
        budget.check(last - first)?;
        if growth == Growth::Grow {
            self.clear_tail(self.size(), end);
        }
        let mut added = Vec::new();
        let result = (first..last).try_for_each(|index| match sync::give_way() {
            true => self.reserve_page(budget, index, &mut added),
            false => Err(Errno::EINTR),
        });
        if let Err(errno) = result {
            let mut pages = self.pages.lock();
            let removed: usize = added.into_iter().map(|range| pages.remove(range)).sum();
            drop(pages);
            budget.uncharge(removed as u64);
            return Err(errno);
        }
        if growth == Growth::Grow {
            self.size.fetch_max(end, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Finds the next stored page or the next hole at or behind `offset`, which is below `end`.
    ///
    /// # Errors
    /// ENXIO when no data follows.
    pub(super) fn next_extent(&self, offset: u64, end: u64, extent: Extent) -> Result<u64, Errno> {
        let pages = self.pages.lock();
        let index = offset / PAGE_BYTES as u64;
        if extent == Extent::Data {
            let found = pages.next_page(index).ok_or(Errno::ENXIO)?;
            let found = (found * PAGE_BYTES as u64).max(offset);
            return if found < end { Ok(found) } else { Err(Errno::ENXIO) };
        }
        let hole = pages.next_hole(index);
        Ok((hole * PAGE_BYTES as u64).max(offset).min(end))
    }

    /// Returns the page for a mapping, `None` when it lies beyond the end; a hole is filled.
    ///
    /// # Errors
    /// ENOSPC, ENOMEM.
    pub(super) fn mapped_page(&self, budget: &Budget, index: u64) -> Result<Option<Frame>, Errno> {
        // `truncate` sets the size before it takes the lock, so a page that is added here below the size
        // is seen there.
        let mut pages = self.pages.lock();
        if index >= self.size().div_ceil(PAGE_BYTES as u64) {
            return Ok(None);
        }
        Self::page_in(&mut pages, budget, index).map(Some)
    }

    /// Returns the page if it is stored and not beyond the end.
    pub(super) fn cached_page(&self, index: u64) -> Option<Frame> {
        let pages = self.pages.lock();
        if index >= self.size().div_ceil(PAGE_BYTES as u64) {
            return None;
        }
        pages.get(index).cloned()
    }

    /// Stores a page, and notes it in `added` if it was not there.
    fn reserve_page(&self, budget: &Budget, index: u64, added: &mut Vec<Range<u64>>) -> Result<(), Errno> {
        let mut pages = self.pages.lock();
        if pages.get(index).is_some() {
            return Ok(());
        }
        let extends = added.last().is_some_and(|last| last.end == index);
        if !extends {
            added.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        }
        Self::page_in(&mut pages, budget, index)?;
        match added.last_mut() {
            Some(last) if extends => last.end += 1,
            _ => added.push(index..index + 1),
        }
        Ok(())
    }

    fn page_in(pages: &mut PageMap, budget: &Budget, index: u64) -> Result<Frame, Errno> {
        if let Some(frame) = pages.get(index) {
            return Ok(frame.clone());
        }
        let charge = budget.charge()?;
        let frame = frames::allocate()?;
        pages.insert(index, frame.clone())?;
        charge.keep();
        Ok(frame)
    }

    fn write_locked(
        &self,
        budget: &Budget,
        input: &mut dyn Source,
        offset: u64,
        limit: u64,
    ) -> Result<usize, Errno> {
        if input.remaining() == 0 {
            return Ok(0);
        }
        let room = limit
            .min(SIZE_MAX)
            .checked_sub(offset)
            .filter(|&room| room > 0)
            .ok_or(Errno::EFBIG)?;
        let count = room.min(input.remaining() as u64);
        let count = self.unsealed(offset, count)? as usize;
        self.clear_tail(self.size(), offset);
        let done = transfer(offset, count, |index, within, chunk| {
            self.store(budget, input, index, within, chunk)
        })?;
        self.size.fetch_max(offset + done as u64, Ordering::AcqRel);
        Ok(done)
    }

    /// Returns how many of `count` bytes the seals allow to be written at an offset.
    fn unsealed(&self, offset: u64, count: u64) -> Result<u64, Errno> {
        let seals = self.seals.get();
        if seals.intersects(WRITE_SEALS) {
            return Err(Errno::EPERM);
        }
        let size = self.size();
        if !seals.contains(SealFlags::GROW) || offset.saturating_add(count) <= size {
            return Ok(count);
        }
        // Page by page, up to the first that does not lie in the file with all that is written to it.
        let whole_pages = size / PAGE_BYTES as u64 * PAGE_BYTES as u64;
        match whole_pages.saturating_sub(offset) {
            0 => Err(Errno::EPERM),
            room => Ok(room),
        }
    }

    /// Stores up to `count` bytes in one page and returns how many. A new page is filled before others can see
    /// it.
    fn store(
        &self,
        budget: &Budget,
        input: &mut dyn Source,
        index: u64,
        within: usize,
        count: usize,
    ) -> Result<usize, Errno> {
        let present = self.pages.lock().get(index).cloned();
        if let Some(frame) = present {
            return input.take_frame(&frame, within, count);
        }
        let charge = budget.charge()?;
        let is_whole = count == PAGE_BYTES;
        let frame = if is_whole {
            frames::allocate_uninit()?
        } else {
            frames::allocate()?
        };
        let taken = input.take_frame(&frame, within, count)?;
        if is_whole {
            frame.fill_range(taken, count - taken, 0);
        }
        let mut pages = self.pages.lock();
        match pages.get(index) {
            // A fault on a mapping was quicker; its page counts.
            Some(other) => other.copy_part(within, &frame, within, taken),
            None => {
                pages.insert(index, frame)?;
                charge.keep();
            }
        }
        Ok(taken)
    }

    /// Zeroes what a mapping may have written behind the end, up to `end` or that of the page: it becomes part of the
    /// file now, and never was.
    fn clear_tail(&self, size: u64, end: u64) {
        let page = PAGE_BYTES as u64;
        let (index, within) = split(size);
        let end = end.min((index + 1) * page);
        if within == 0 || end <= size {
            return;
        }
        if let Some(frame) = self.pages.lock().get(index) {
            frame.fill_range(within, (end - size) as usize, 0);
        }
    }

    /// Zeroes the bytes from `start` to `end`: whole pages go, the ends of others are overwritten.
    fn discard(&self, budget: &Budget, start: u64, end: u64) {
        let page = PAGE_BYTES as u64;
        let (first, last) = (start.div_ceil(page), end / page);
        let mut pages = self.pages.lock();
        let zero = |index: u64, from: u64, to: u64| {
            if let Some(frame) = pages.get(index) {
                let (from, to) = ((from - index * page) as usize, (to - index * page) as usize);
                frame.fill_range(from, to - from, 0);
            }
        };
        if !start.is_multiple_of(page) {
            zero(start / page, start, end.min(first * page));
        }
        // The tail's page, unless it is the head's too.
        if !end.is_multiple_of(page) && last >= first {
            zero(last, last * page, end);
        }
        if first >= last {
            return;
        }
        let removed = pages.remove(first..last);
        drop(pages);
        budget.uncharge(removed as u64);
    }

    /// Gives back what the pages have cost; they go with the file.
    pub(super) fn release(&mut self, budget: &Budget) {
        budget.uncharge(self.pages.get_mut().len() as u64);
    }
}

/// Whether room that is made counts as part of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Growth {
    /// The file grows.
    Grow,
    /// The size stays.
    Keep,
}

/// Calls `page` with a page's index, an offset in it and the bytes to do, until `count` bytes from `offset` are done
/// or a page is not done in full. Returns how many are done.
fn transfer(
    offset: u64,
    count: usize,
    mut page: impl FnMut(u64, usize, usize) -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    let mut done = 0;
    while done < count && (done == 0 || sync::give_way()) {
        let (index, within) = split(offset + done as u64);
        let chunk = (count - done).min(PAGE_BYTES - within);
        match page(index, within, chunk) {
            Ok(now) => {
                done += now;
                if now < chunk {
                    break;
                }
            }
            Err(_) if done > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(done)
}

fn split(offset: u64) -> (u64, usize) {
    (offset / PAGE_BYTES as u64, offset as usize % PAGE_BYTES)
}
