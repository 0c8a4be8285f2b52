//! Guards: ranges of mapped memory that nobody may touch (MADV_GUARD_INSTALL). They cost no mapping of their own. Linux
//! marks their absent leaves; here a list has them, which is empty in nearly every space.

use alloc::vec::Vec;
use core::ops::Range;

use los_abi::errno::Errno;

use super::Inner;
use super::lock::is_special;
use super::zap::Flush;
use crate::vma::{Attributes, Vma};

/// Guarded ranges in ascending order; they neither overlap nor touch.
#[derive(Debug, Default)]
pub(super) struct Guards(Vec<Range<u64>>);

impl Guards {
    /// Reports whether a page is guarded.
    #[inline]
    pub(super) fn contains(&self, page: u64) -> bool {
        !self.0.is_empty() && self.within(page..page + 1).next().is_some()
    }

    /// Makes room for the ranges that one change can add; false when there is no memory for that.
    fn reserve(&mut self, count: usize) -> bool {
        self.0.try_reserve(count).is_ok()
    }

    /// Adds a range, for which there is room.
    fn add(&mut self, mut range: Range<u64>) {
        // Neighbours that touch become one with it.
        let first = self.0.partition_point(|guard| guard.end < range.start);
        let last = self.0.partition_point(|guard| guard.start <= range.end);
        if first < last {
            range.start = range.start.min(self.0[first].start);
            range.end = range.end.max(self.0[last - 1].end);
        }
        self.0.splice(first..last, [range]);
    }

    /// Takes a range away; splitting needs room for one more, without which too much is taken away.
    pub(super) fn remove(&mut self, range: Range<u64>) {
        if self.0.is_empty() {
            return;
        }
        let first = self.0.partition_point(|guard| guard.end <= range.start);
        let last = self.0.partition_point(|guard| guard.start < range.end);
        if first >= last {
            return;
        }
        let below = self.0[first].start..range.start;
        let above = range.end..self.0[last - 1].end;
        let _room = self.reserve(1);
        let room = self.0.capacity() - self.0.len() + (last - first);
        let rest = [below, above].into_iter().filter(|part| part.start < part.end);
        self.0.splice(first..last, rest.take(room));
    }

    /// Returns the guarded parts of a range.
    fn within(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let first = self.0.partition_point(|guard| guard.end <= range.start);
        let parts = self.0[first..].iter();
        parts
            .take_while(move |guard| guard.start < range.end)
            .map(move |guard| guard.start.max(range.start)..guard.end.min(range.end))
    }

    /// Adds the guards of a range of another list, `distance` bytes further on.
    ///
    /// # Errors
    /// ENOMEM.
    pub(super) fn copy_from(&mut self, other: &Self, range: Range<u64>, distance: u64) -> Result<(), Errno> {
        if other.0.is_empty() {
            return Ok(());
        }
        if !self.reserve(other.within(range.clone()).count()) {
            return Err(Errno::ENOMEM);
        }
        for guard in other.within(range) {
            self.add(guard.start.wrapping_add(distance)..guard.end.wrapping_add(distance));
        }
        Ok(())
    }

    /// Moves the guards of a range by `distance` bytes.
    ///
    /// # Errors
    /// ENOMEM.
    pub(super) fn shift(&mut self, range: Range<u64>, distance: u64) -> Result<(), Errno> {
        if self.within(range.clone()).next().is_none() {
            return Ok(());
        }
        let mut moved = Self::default();
        moved.copy_from(self, range.clone(), distance)?;
        if !self.reserve(moved.0.len() + 1) {
            return Err(Errno::ENOMEM);
        }
        self.remove(range);
        for guard in moved.0 {
            self.add(guard);
        }
        Ok(())
    }
}

impl Inner {
    /// Guards a part of a mapping, whose pages go.
    ///
    /// # Errors
    /// EINVAL for memory that is locked or the kernel's; ENOMEM.
    pub(super) fn install_guard(&mut self, part: Range<u64>, flush: &mut Flush) -> Result<(), Errno> {
        let may = self.mappings.find(part.start).is_some_and(may_be_guarded);
        if !may {
            return Err(Errno::EINVAL);
        }
        if !self.guards.reserve(1) {
            return Err(Errno::ENOMEM);
        }
        self.parts().1.zap(part.clone(), flush);
        self.guards.add(part);
        Ok(())
    }
}

fn may_be_guarded(vma: &Vma) -> bool {
    !vma.attributes.contains(Attributes::LOCKED) && !is_special(vma)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_sets_of_pages(changes in proptest::collection::vec((0..3_u8, 0..40_u64, 1..12_u64), 1..60)) {
            let (mut guards, mut model) = (Guards::default(), BTreeSet::new());
            for (kind, start, length) in changes {
                let range = start..start + length;
                match kind {
                    0 => {
                        assert!(guards.reserve(1));
                        guards.add(range.clone());
                        model.extend(range);
                    }
                    1 => {
                        guards.remove(range.clone());
                        model.retain(|page| !range.contains(page));
                    }
                    _ => {
                        guards.shift(range.clone(), 100).unwrap();
                        let moved: Vec<_> = model.iter().copied().filter(|page| range.contains(page)).collect();
                        model.retain(|page| !range.contains(page));
                        model.extend(moved.iter().map(|page| page + 100));
                    }
                }
                let found: BTreeSet<u64> = (0..200).filter(|page| guards.contains(*page)).collect();
                prop_assert_eq!(&found, &model);
                prop_assert!(guards.0.windows(2).all(|pair| pair[0].end < pair[1].start));
            }
        }
    }
}
