//! The mappings of an address space in order, without overlaps, and the search for free ranges.

use alloc::boxed::Box;
use alloc::vec::{Drain, Vec};
use core::ops::Range;

use los_arch::Current;
use los_arch::hal::PAGE_SIZE;
use los_arch::hal::prelude::*;

use super::{Attributes, Vma};
use crate::commit;

/// Free bytes kept below a mapping that grows down (Linux's `stack_guard_gap`, 256 pages).
pub(crate) const GUARD_GAP_BYTES: u64 = 256 * PAGE_SIZE as u64;

/// Sizes of mappings together, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Totals {
    /// All.
    pub(crate) pages: usize,
    /// Private and writable, and no stack.
    pub(crate) data: usize,
    /// Locked in memory.
    pub(crate) locked: usize,
    /// Promised to the program; part of [`commit::committed_pages`] as well.
    accounted: usize,
}

impl Totals {
    /// Returns what `pages` pages of a mapping are.
    fn of(vma: &Vma, pages: usize) -> Self {
        let counted = |counts| if counts { pages } else { 0 };
        Self {
            pages,
            data: counted(vma.is_data()),
            locked: counted(vma.attributes.contains(Attributes::LOCKED)),
            accounted: counted(vma.attributes.contains(Attributes::ACCOUNTED)),
        }
    }
}

/// The mappings in ascending order, and their total size. A sorted array: most programs have a few dozen, and
/// moving a few thousand pointers is still cheap.
#[derive(Debug)]
#[expect(clippy::vec_box, reason = "insertion moves the pointers, not the mappings")]
pub(crate) struct Mappings {
    list: Vec<Box<Vma>>,
    totals: Totals,
    peak_pages: usize,
    /// Where searches for free ranges start, at the upper end.
    base: u64,
    /// Every free range between here and `base` is at most `largest_skipped` bytes long.
    search_from: u64,
    largest_skipped: u64,
}

impl Mappings {
    /// Makes an empty set that places new mappings below `base`.
    pub(crate) const fn new(base: u64) -> Self {
        Self {
            list: Vec::new(),
            totals: Totals {
                pages: 0,
                data: 0,
                locked: 0,
                accounted: 0,
            },
            peak_pages: 0,
            base,
            search_from: base,
            largest_skipped: 0,
        }
    }

    /// Changes where the search for free ranges starts.
    pub(crate) fn set_base(&mut self, base: u64) {
        self.base = base;
        self.forget_search();
    }

    /// Returns where the search for free ranges starts.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Returns the number of mappings.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns the number of mapped pages.
    pub(crate) fn pages(&self) -> usize {
        self.totals.pages
    }

    /// Returns the sizes of all mappings together.
    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Returns the most pages that were mapped at any time.
    pub(crate) fn peak_pages(&self) -> usize {
        self.peak_pages
    }

    /// Makes room for `count` more mappings; false when there is no memory for that.
    pub(crate) fn reserve(&mut self, count: usize) -> bool {
        self.list.try_reserve(count).is_ok()
    }

    /// Iterates in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Vma> {
        self.list.iter().map(|vma| &**vma)
    }

    /// Finds the mapping that holds an address.
    #[inline]
    pub(crate) fn find(&self, address: u64) -> Option<&Vma> {
        self.ending_above(address).filter(|vma| vma.start <= address)
    }

    /// Finds the first mapping that ends above an address.
    #[inline]
    pub(crate) fn ending_above(&self, address: u64) -> Option<&Vma> {
        self.list.get(self.position(address)).map(|vma| &**vma)
    }

    /// Finds the last mapping that ends at or below an address.
    pub(crate) fn ending_below(&self, address: u64) -> Option<&Vma> {
        self.list[..self.position(address)].last().map(|vma| &**vma)
    }

    /// Finds the first mapping with a part in `at..end`, and that part.
    pub(crate) fn part_from(&self, at: u64, end: u64) -> Option<(&Vma, Range<u64>)> {
        let vma = self.ending_above(at).filter(|vma| at < end && vma.start < end)?;
        Some((vma, vma.start.max(at)..vma.end.min(end)))
    }

    /// Iterates over the mappings that share a byte with the range, in ascending order.
    pub(crate) fn overlapping(&self, range: Range<u64>) -> impl Iterator<Item = &Vma> {
        let above = self.list[self.position(range.start)..].iter();
        above
            .map(|vma| &**vma)
            .take_while(move |vma| vma.start < range.end && !range.is_empty())
    }

    /// Returns the free range around `range`, of which nothing is mapped.
    pub(crate) fn free_around(&self, range: &Range<u64>) -> Range<u64> {
        let position = self.position(range.start);
        let below = self.list[..position].last().map_or(0, |vma| vma.end);
        below..self.list.get(position).map_or(Current::USER_END, |vma| vma.start)
    }

    /// Adds a mapping to a free place, joined with its neighbours if they are alike.
    pub(crate) fn insert(&mut self, mut vma: Vma) {
        self.add(Totals::of(&vma, vma.pages()));
        let position = self.position(vma.start);
        if let Some(next) = self.list.get(position) {
            let joins = vma.joins(next);
            if next.grows_down() {
                // A mapping in a guard gap ends the gap: there may be room above again.
                (self.search_from, self.largest_skipped) = (self.base, 0);
            }
            if joins {
                vma.end = next.end;
                self.list.remove(position);
            }
        }
        match self.list[..position].last_mut() {
            Some(previous) if previous.joins(&vma) => previous.end = vma.end,
            _ => self.list.insert(position, Box::new(vma)),
        }
    }

    /// Takes out all that lies in the range; mappings that reach beyond it are split.
    pub(crate) fn take(&mut self, range: Range<u64>) -> Drain<'_, Box<Vma>> {
        let first = self.split(range.start);
        let last = self.split(range.end);
        for index in first..last {
            let vma = &self.list[index];
            let gone = Totals::of(vma, vma.pages());
            self.subtract(gone);
        }
        self.list.drain(first..last)
    }

    /// Takes out a part of one mapping.
    pub(crate) fn take_part(&mut self, part: Range<u64>) -> Option<Box<Vma>> {
        self.take(part).next()
    }

    /// Moves the start of the mapping at `start` downwards.
    pub(crate) fn grow_down(&mut self, start: u64, new_start: u64) {
        let position = self.position(start);
        if let Some(vma) = self.list.get_mut(position) {
            vma.start = new_start;
            let added = Totals::of(vma, ((start - new_start) / PAGE_SIZE as u64) as usize);
            self.add(added);
        }
    }

    /// Notes that a range became free, for the searches to come.
    pub(crate) fn freed(&mut self, end: u64) {
        if end > self.search_from {
            self.search_from = self.limit_at(self.position(end - 1)).max(self.search_from);
        }
    }

    /// Finds the highest free range of `bytes` bytes that lies between `lowest` and the base. Ranges
    /// right below a mapping that grows down are not free.
    pub(crate) fn find_free(&mut self, bytes: u64, lowest: u64) -> Option<u64> {
        if bytes <= self.largest_skipped {
            self.forget_search();
        }
        let position = self.first_from(self.search_from);
        let mut limit = self.limit_at(position);
        for vma in self.list[..position].iter().rev() {
            if vma.end <= limit {
                if limit - vma.end >= bytes {
                    break;
                }
                self.largest_skipped = self.largest_skipped.max(limit - vma.end);
            }
            limit = guarded_start(vma);
        }
        let found = limit.checked_sub(bytes).filter(|&start| start >= lowest)?;
        self.search_from = found;
        Some(found)
    }

    /// Finds the lowest free range of `bytes` bytes within the limits.
    pub(crate) fn find_free_upwards(&self, bytes: u64, within: Range<u64>) -> Option<u64> {
        let mut start = within.start;
        for vma in &self.list[self.position(within.start)..] {
            if start.checked_add(bytes)? <= guarded_start(vma) {
                break;
            }
            start = vma.end;
        }
        (start.checked_add(bytes)? <= within.end).then_some(start)
    }

    /// Finds the highest free range of `bytes` bytes within the limits, without the search's memory.
    pub(crate) fn find_free_within(&self, bytes: u64, within: Range<u64>) -> Option<u64> {
        let position = self.first_from(within.end);
        let mut limit = self.limit_at(position).min(within.end);
        for vma in self.list[..position].iter().rev() {
            if vma.end <= limit && limit - vma.end >= bytes {
                break;
            }
            limit = guarded_start(vma);
        }
        limit.checked_sub(bytes).filter(|&start| start >= within.start)
    }

    /// Reports whether a range is free, with the guard gap of what follows.
    pub(crate) fn is_free(&self, range: Range<u64>) -> bool {
        self.ending_above(range.start)
            .is_none_or(|vma| guarded_start(vma) >= range.end)
    }

    fn add(&mut self, added: Totals) {
        let totals = &mut self.totals;
        totals.pages += added.pages;
        totals.data += added.data;
        totals.locked += added.locked;
        totals.accounted += added.accounted;
        self.peak_pages = self.peak_pages.max(totals.pages);
        commit::add(added.accounted);
    }

    fn subtract(&mut self, gone: Totals) {
        let totals = &mut self.totals;
        totals.pages -= gone.pages;
        totals.data -= gone.data;
        totals.locked -= gone.locked;
        totals.accounted -= gone.accounted;
        commit::subtract(gone.accounted);
    }

    fn forget_search(&mut self) {
        (self.search_from, self.largest_skipped) = (self.base, 0);
    }

    /// Returns the index of the first mapping that ends above an address.
    #[inline]
    fn position(&self, address: u64) -> usize {
        self.list.partition_point(|vma| vma.end <= address)
    }

    /// Returns the index of the first mapping that starts at or above an address.
    fn first_from(&self, address: u64) -> usize {
        self.list.partition_point(|vma| vma.start < address)
    }

    /// Returns how far up a range below the mapping at `position` may reach: to the base, or less where that
    /// mapping is nearer or grows down.
    fn limit_at(&self, position: usize) -> u64 {
        self.list
            .get(position)
            .map_or(self.base, |vma| guarded_start(vma).min(self.base))
    }

    /// Splits the mapping that holds `at`, if it starts below, and returns the index of what starts at or
    /// above `at`.
    fn split(&mut self, at: u64) -> usize {
        let position = self.position(at);
        match self.list.get_mut(position) {
            Some(vma) if vma.start < at => {
                let rest = vma.split_off(at);
                self.list.insert(position + 1, Box::new(rest));
                position + 1
            }
            _ => position,
        }
    }
}

/// Returns the start of a mapping with the gap that is kept below it.
fn guarded_start(vma: &Vma) -> u64 {
    if vma.grows_down() {
        vma.start.saturating_sub(GUARD_GAP_BYTES)
    } else {
        vma.start
    }
}

#[cfg(test)]
mod tests;
