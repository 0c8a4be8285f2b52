//! The mappings of an address space in order, without overlaps, and the search for free ranges.

use alloc::collections::BTreeMap;
use core::ops::Range;

use los_arch::Current;
use los_arch::hal::PAGE_SIZE;
use los_arch::hal::prelude::*;

use super::Vma;

/// Free bytes kept below a mapping that grows down (Linux's `stack_guard_gap`, 256 pages).
pub(crate) const GUARD_GAP_BYTES: u64 = 256 * PAGE_SIZE as u64;

/// The mappings by start address, and their total size.
#[derive(Debug)]
pub(crate) struct Mappings {
    tree: BTreeMap<u64, Vma>,
    pages: usize,
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
            tree: BTreeMap::new(),
            pages: 0,
            base,
            search_from: base,
            largest_skipped: 0,
        }
    }

    /// Changes where the search for free ranges starts.
    pub(crate) fn set_base(&mut self, base: u64) {
        (self.base, self.search_from, self.largest_skipped) = (base, base, 0);
    }

    /// Returns where the search for free ranges starts.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Returns the number of mappings.
    pub(crate) fn len(&self) -> usize {
        self.tree.len()
    }

    /// Returns the number of mapped pages.
    pub(crate) fn pages(&self) -> usize {
        self.pages
    }

    /// Iterates in ascending order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Vma> {
        self.tree.values()
    }

    /// Finds the mapping that holds an address.
    #[inline]
    pub(crate) fn find(&self, address: u64) -> Option<&Vma> {
        self.at_or_below(address).filter(|vma| address < vma.end)
    }

    /// Finds the last mapping that starts at or below an address.
    #[inline]
    pub(crate) fn at_or_below(&self, address: u64) -> Option<&Vma> {
        self.tree.range(..=address).next_back().map(|(_, vma)| vma)
    }

    /// Finds the first mapping that ends above an address.
    pub(crate) fn ending_above(&self, address: u64) -> Option<&Vma> {
        self.find(address)
            .or_else(|| self.tree.range(address..).next().map(|(_, vma)| vma))
    }

    /// Iterates over the mappings that share a byte with the range, in ascending order.
    pub(crate) fn overlapping(&self, range: Range<u64>) -> impl Iterator<Item = &Vma> {
        let first = self.find(range.start).map_or(range.start, |vma| vma.start);
        self.tree.range(first..range.end.max(first)).map(|(_, vma)| vma)
    }

    /// Returns the end of what is mapped below `address`, and the start of what is mapped at or above
    /// `end`: the free range that unmapping `address..end` leaves.
    pub(crate) fn free_around(&self, address: u64, end: u64) -> Range<u64> {
        let below = self
            .tree
            .range(..address)
            .next_back()
            .map_or(0, |(_, vma)| vma.end);
        let above = self
            .tree
            .range(end..)
            .next()
            .map_or(Current::USER_END, |(_, vma)| vma.start);
        below..above
    }

    /// Adds a mapping to a free place, joined with its neighbours if they are alike.
    pub(crate) fn insert(&mut self, mut vma: Vma) {
        self.pages += vma.pages();
        if let Some((_, next)) = self.tree.range(vma.end..).next() {
            let (next_start, next_end) = (next.start, next.end);
            if next.grows_down() {
                // A mapping in a guard gap ends the gap: there may be room above again.
                (self.search_from, self.largest_skipped) = (self.base, 0);
            }
            if vma.joins(next) {
                self.tree.remove(&next_start);
                vma.end = next_end;
            }
        }
        if let Some((_, previous)) = self.tree.range_mut(..vma.start).next_back()
            && previous.joins(&vma)
        {
            previous.end = vma.end;
            return;
        }
        self.tree.insert(vma.start, vma);
    }

    /// Takes out the first part of a mapping that lies in the range; mappings that reach beyond the range
    /// are split.
    pub(crate) fn take_first(&mut self, range: Range<u64>) -> Option<Vma> {
        let first = self
            .ending_above(range.start)
            .filter(|vma| vma.start < range.end)?
            .start;
        let mut vma = self.tree.remove(&first)?;
        if vma.start < range.start {
            let inside = vma.split_off(range.start);
            self.tree.insert(vma.start, vma);
            vma = inside;
        }
        if vma.end > range.end {
            let outside = vma.split_off(range.end);
            self.tree.insert(outside.start, outside);
        }
        self.pages -= vma.pages();
        Some(vma)
    }

    /// Moves the start of the mapping at `start` downwards.
    pub(crate) fn grow_down(&mut self, start: u64, new_start: u64) {
        if let Some(mut vma) = self.tree.remove(&start) {
            self.pages += ((start - new_start) / PAGE_SIZE as u64) as usize;
            vma.start = new_start;
            self.tree.insert(new_start, vma);
        }
    }

    /// Notes that a range became free, for the searches to come.
    pub(crate) fn freed(&mut self, end: u64) {
        if end > self.search_from {
            self.search_from = self.limit_below(end).max(self.search_from);
        }
    }

    /// Finds the highest free range of `bytes` bytes that lies between `lowest` and the base. Ranges
    /// right below a mapping that grows down are not free.
    pub(crate) fn find_free(&mut self, bytes: u64, lowest: u64) -> Option<u64> {
        if bytes <= self.largest_skipped {
            (self.search_from, self.largest_skipped) = (self.base, 0);
        }
        let mut limit = self.limit_below(self.search_from);
        for (_, vma) in self.tree.range(..self.search_from).rev() {
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
        let mut start = self.find(within.start).map_or(within.start, |vma| vma.end);
        for (_, vma) in self.tree.range(within.start..) {
            if start.checked_add(bytes)? <= guarded_start(vma) {
                break;
            }
            start = start.max(vma.end);
        }
        (start.checked_add(bytes)? <= within.end).then_some(start)
    }

    /// Finds the highest free range of `bytes` bytes within the limits, without the search's memory.
    pub(crate) fn find_free_within(&self, bytes: u64, within: Range<u64>) -> Option<u64> {
        let mut limit = self.limit_below(within.end).min(within.end);
        for (_, vma) in self.tree.range(..within.end).rev() {
            if vma.end <= limit && limit - vma.end >= bytes {
                break;
            }
            limit = guarded_start(vma);
        }
        limit.checked_sub(bytes).filter(|&start| start >= within.start)
    }

    /// Reports whether a range is free, with the guard gap of what follows.
    pub(crate) fn is_free(&self, range: Range<u64>) -> bool {
        let below = self.tree.range(..range.end).next_back();
        let above = self.tree.range(range.end..).next();
        below.is_none_or(|(_, vma)| vma.end <= range.start)
            && above.is_none_or(|(_, vma)| guarded_start(vma) >= range.end)
    }

    /// Returns how far up a range that ends at or below `end` may reach: `end`, or less where the mapping
    /// above grows down.
    fn limit_below(&self, end: u64) -> u64 {
        let limit = end.min(self.base);
        self.tree
            .range(limit..)
            .next()
            .map_or(self.base, |(_, vma)| guarded_start(vma))
            .min(self.base)
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
