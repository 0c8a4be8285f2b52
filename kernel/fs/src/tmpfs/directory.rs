//! The names in a directory of a tmpfs.
//!
//! Entries stand in the order of their making, each with a cursor that never changes, and an index of
//! hashes leads from a name to its place. So a listing that is interrupted goes on where it stopped
//! whatever was added or removed meanwhile, and each name that stays is seen exactly once.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use los_abi::errno::Errno;

use super::node::Node;

/// Cursor of the first entry; those before it are `.` and `..`.
pub(super) const FIRST_CURSOR: u64 = 2;
/// Fewest gaps that are worth to be closed.
const GAPS_MIN: usize = 32;

/// Names and what they lead to.
pub(super) struct Entries {
    /// In ascending order of cursors; `None` in a slot is a name that was removed.
    slots: Vec<Slot>,
    /// Positions in `slots`, by the hash of the name.
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    next_cursor: u64,
    /// The directory itself was removed: nothing may be added.
    is_removed: bool,
}

struct Slot {
    cursor: u64,
    entry: Option<Entry>,
}

struct Entry {
    name: Box<[u8]>,
    node: Arc<Node>,
}

/// Room for one more name, so that adding it cannot fail.
pub(super) struct Room(Box<[u8]>);

impl Entries {
    /// Makes an empty directory.
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            next_cursor: FIRST_CURSOR,
            is_removed: false,
        }
    }

    /// Returns the number of names.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Tells whether there are no names.
    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Tells whether the directory was removed.
    pub(super) const fn is_removed(&self) -> bool {
        self.is_removed
    }

    /// Notes that the directory was removed.
    pub(super) fn mark_removed(&mut self) {
        self.is_removed = true;
    }

    /// Finds a name.
    pub(super) fn get(&self, name: &[u8]) -> Option<&Arc<Node>> {
        let slots = &self.slots;
        let found = self
            .index
            .find(self.hasher.hash_one(name), |&at| has_name(slots, at, name))?;
        slots[*found as usize].entry.as_ref().map(|entry| &entry.node)
    }

    /// Makes room for a new name.
    ///
    /// # Errors
    /// ENOENT in a removed directory; EEXIST; ENOMEM.
    pub(super) fn room(&mut self, name: &[u8]) -> Result<Room, Errno> {
        if self.is_removed {
            return Err(Errno::ENOENT);
        }
        if self.get(name).is_some() {
            return Err(Errno::EEXIST);
        }
        self.close_gaps();
        if self.slots.len() >= u32::MAX as usize {
            return Err(Errno::ENOSPC);
        }
        let mut copy = Vec::new();
        copy.try_reserve_exact(name.len()).map_err(|_| Errno::ENOMEM)?;
        copy.extend_from_slice(name);
        self.slots.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index
            .try_reserve(1, |&at| hash_at(slots, hasher, at))
            .map_err(|_| Errno::ENOMEM)?;
        Ok(Room(copy.into_boxed_slice()))
    }

    /// Adds a name that room was made for.
    pub(super) fn insert(&mut self, room: Room, node: Arc<Node>) {
        let hash = self.hasher.hash_one(&*room.0);
        let at = self.slots.len() as u32;
        self.slots.push(Slot {
            cursor: self.next_cursor,
            entry: Some(Entry { name: room.0, node }),
        });
        self.next_cursor += 1;
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index
            .insert_unique(hash, at, |&at| hash_at(slots, hasher, at));
    }

    /// Removes a name.
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Arc<Node>> {
        let slots = &self.slots;
        let found = self
            .index
            .find_entry(self.hasher.hash_one(name), |&at| has_name(slots, at, name))
            .ok()?;
        let (at, _) = found.remove();
        let entry = self.slots[at as usize].entry.take();
        while self.slots.last().is_some_and(|slot| slot.entry.is_none()) {
            self.slots.pop();
        }
        entry.map(|entry| entry.node)
    }

    /// Lets a name that exists lead to another inode, and returns the old one.
    pub(super) fn replace(&mut self, name: &[u8], node: Arc<Node>) -> Option<Arc<Node>> {
        let slots = &self.slots;
        let at = *self
            .index
            .find(self.hasher.hash_one(name), |&at| has_name(slots, at, name))?;
        let entry = self.slots[at as usize].entry.as_mut()?;
        Some(core::mem::replace(&mut entry.node, node))
    }

    /// Returns the entries from a cursor on, each with its cursor.
    pub(super) fn starting_at(&self, cursor: u64) -> impl Iterator<Item = (u64, &[u8], &Arc<Node>)> {
        let start = self.slots.partition_point(|slot| slot.cursor < cursor);
        self.slots[start..].iter().filter_map(|slot| {
            let entry = slot.entry.as_ref()?;
            Some((slot.cursor, &*entry.name, &entry.node))
        })
    }

    /// Returns the cursor behind all entries.
    pub(super) const fn end(&self) -> u64 {
        self.next_cursor
    }

    /// Takes all inodes out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Arc<Node>> {
        self.index = HashTable::new();
        core::mem::take(&mut self.slots)
            .into_iter()
            .filter_map(|slot| slot.entry.map(|entry| entry.node))
    }

    /// Closes the gaps when they are most of the list. Cursors stay in order.
    fn close_gaps(&mut self) {
        let gaps = self.slots.len() - self.index.len();
        if gaps < GAPS_MIN || gaps <= self.index.len() || self.slots.len() < self.slots.capacity() {
            return;
        }
        self.slots.retain(|slot| slot.entry.is_some());
        self.index.clear();
        let (slots, hasher) = (&self.slots, &self.hasher);
        for at in 0..slots.len() as u32 {
            self.index
                .insert_unique(hash_at(slots, hasher, at), at, |&at| hash_at(slots, hasher, at));
        }
    }
}

fn has_name(slots: &[Slot], at: u32, name: &[u8]) -> bool {
    slots[at as usize]
        .entry
        .as_ref()
        .is_some_and(|entry| *entry.name == *name)
}

fn hash_at(slots: &[Slot], hasher: &DefaultHashBuilder, at: u32) -> u64 {
    slots[at as usize]
        .entry
        .as_ref()
        .map_or(0, |entry| hasher.hash_one(&*entry.name))
}
