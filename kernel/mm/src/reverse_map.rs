//! From an object to the address spaces that map it, so that pages that go from the object go from there too.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::ops::Range;

use sync::{Rank, SpinLock};

use crate::address_space::AddressSpace;

/// What becomes of the copies that private mappings have made of pages that go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Copies {
    /// They stay: a hole was made.
    Keep,
    /// They go as well: the object ends before them.
    Drop,
}

/// The address spaces in which an object is mapped.
///
/// It is a spin lock's inside, since mappings come and go with an address space locked, which [`unmap`]
/// (Self::unmap) must lock.
#[derive(Debug)]
pub struct ReverseMap(SpinLock<Inner>);

#[derive(Debug)]
struct Inner {
    /// By the address of the space in memory: the space, and in how many mappings.
    spaces: BTreeMap<usize, (Weak<AddressSpace>, usize)>,
    /// Counts the spaces that were added.
    added: u64,
}

impl ReverseMap {
    /// Makes an empty list.
    pub const fn new() -> Self {
        let inner = Inner {
            spaces: BTreeMap::new(),
            added: 0,
        };
        Self(SpinLock::new(Rank::FileSystem, inner))
    }

    /// Notes a mapping in a space.
    pub(crate) fn add(&self, space: &Weak<AddressSpace>) {
        let mut inner = self.0.lock();
        let entry = inner.spaces.get_mut(&key(space));
        match entry {
            Some((_, mappings)) => *mappings += 1,
            None => {
                inner.spaces.insert(key(space), (space.clone(), 1));
                inner.added += 1;
            }
        }
    }

    /// Notes the end of a mapping that [`add`](Self::add) noted.
    pub(crate) fn remove(&self, space: &Weak<AddressSpace>) {
        let mut inner = self.0.lock();
        let entry = inner.spaces.get_mut(&key(space));
        let gone = match entry {
            Some((_, mappings)) if *mappings > 1 => {
                *mappings -= 1;
                None
            }
            _ => inner.spaces.remove(&key(space)),
        };
        drop(inner);
        drop(gone);
    }

    /// Takes pages of the object, as [`Pager::object`](crate::Pager::object) names it, out of all mappings.
    /// The object has given them up already, so that a later fault does not find them. No lock ranked inside
    /// an address space's is held.
    pub fn unmap(&self, object: usize, pages: Range<u64>, copies: Copies) {
        loop {
            let added = self.0.lock().added;
            let mut next = 0;
            while let Some((key, space)) = self.space_from(next) {
                space.unmap_object(object, pages.clone(), copies);
                next = key.saturating_add(1);
            }
            // A fork may have copied a mapping to a space that had been passed.
            if self.0.lock().added == added {
                return;
            }
        }
    }

    fn space_from(&self, from: usize) -> Option<(usize, Arc<AddressSpace>)> {
        let inner = self.0.lock();
        inner
            .spaces
            .range(from..)
            .find_map(|(&key, (space, _))| Some((key, space.upgrade()?)))
    }
}

impl Default for ReverseMap {
    fn default() -> Self {
        Self::new()
    }
}

fn key(space: &Weak<AddressSpace>) -> usize {
    space.as_ptr().addr()
}
