//! A binary heap whose members know where they are, so that any of them can leave early.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use los_abi::errno::Errno;

/// Position of a member that is in no heap.
pub(crate) const OUTSIDE: usize = usize::MAX;

/// A member's place for its position, which belongs to the heap and its lock.
pub(crate) trait Member {
    fn position(&self) -> &AtomicUsize;
}

/// Members by ascending key.
pub(crate) struct IndexedHeap<T: Member> {
    entries: Vec<(u64, Arc<T>)>,
    /// Members that may be in at the same time.
    promised: usize,
}

impl<T: Member> IndexedHeap<T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            promised: 0,
        }
    }

    /// Makes room for one more member for as long as it exists.
    pub(crate) fn promise(&mut self) -> Result<(), Errno> {
        let missing = self.promised + 1 - self.entries.len();
        self.entries.try_reserve(missing).map_err(|_| Errno::ENOMEM)?;
        self.promised += 1;
        Ok(())
    }

    /// Takes a promise back.
    pub(crate) fn release(&mut self) {
        self.promised -= 1;
    }

    /// Returns the lowest key.
    pub(crate) fn first_key(&self) -> Option<u64> {
        self.entries.first().map(|(key, _)| *key)
    }

    /// Puts a member in, or moves it to a new key.
    pub(crate) fn insert(&mut self, key: u64, member: &Arc<T>) {
        self.remove(member);
        let index = self.entries.len();
        self.entries.push((key, member.clone()));
        self.place(index);
        self.sift_up(index);
    }

    /// Takes a member out; `None` if it was not in.
    pub(crate) fn remove(&mut self, member: &Arc<T>) -> Option<Arc<T>> {
        let index = member.position().load(Ordering::Relaxed);
        if index == OUTSIDE {
            return None;
        }
        Some(self.remove_at(index))
    }

    /// Takes out the member with the lowest key if that is at most `limit`.
    pub(crate) fn pop_until(&mut self, limit: u64) -> Option<Arc<T>> {
        if self.first_key()? > limit {
            return None;
        }
        Some(self.remove_at(0))
    }

    fn remove_at(&mut self, index: usize) -> Arc<T> {
        let (_, removed) = self.entries.swap_remove(index);
        removed.position().store(OUTSIDE, Ordering::Relaxed);
        if index < self.entries.len() {
            self.place(index);
            self.sift_down(index);
            self.sift_up(index);
        }
        removed
    }

    fn sift_up(&mut self, mut index: usize) {
        while index > 0 {
            let parent = (index - 1) / 2;
            if self.entries[parent].0 <= self.entries[index].0 {
                return;
            }
            self.swap(parent, index);
            index = parent;
        }
    }

    fn sift_down(&mut self, mut index: usize) {
        loop {
            let mut least = index;
            for child in [2 * index + 1, 2 * index + 2] {
                if child < self.entries.len() && self.entries[child].0 < self.entries[least].0 {
                    least = child;
                }
            }
            if least == index {
                return;
            }
            self.swap(least, index);
            index = least;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.entries.swap(a, b);
        self.place(a);
        self.place(b);
    }

    fn place(&self, index: usize) {
        self.entries[index].1.position().store(index, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    struct Item(AtomicUsize);
    impl Member for Item {
        fn position(&self) -> &AtomicUsize {
            &self.0
        }
    }

    proptest! {
        #[test]
        fn behaves_like_a_sorted_list(steps in prop::collection::vec((0_usize..8, 0_u64..20, 0_u8..3), 0..200)) {
            let items: Vec<_> = (0..8).map(|_| Arc::new(Item(AtomicUsize::new(OUTSIDE)))).collect();
            let mut heap = IndexedHeap::new();
            let mut model: Vec<(u64, usize)> = Vec::new();
            for (item, key, step) in steps {
                match step {
                    0 => {
                        heap.insert(key, &items[item]);
                        model.retain(|(_, other)| *other != item);
                        model.push((key, item));
                    }
                    1 => {
                        let was_in = model.iter().any(|(_, other)| *other == item);
                        prop_assert_eq!(heap.remove(&items[item]).is_some(), was_in);
                        model.retain(|(_, other)| *other != item);
                    }
                    _ => {
                        let least = model.iter().map(|(key, _)| *key).min();
                        prop_assert_eq!(heap.first_key(), least);
                        let popped = heap.pop_until(key);
                        prop_assert_eq!(popped.is_some(), least.is_some_and(|least| least <= key));
                        if let Some(popped) = popped {
                            let index = model
                                .iter()
                                .position(|(key, other)| Some(*key) == least && Arc::ptr_eq(&items[*other], &popped));
                            model.remove(index.expect("the popped member has the least key"));
                        }
                    }
                }
            }
        }
    }
}
