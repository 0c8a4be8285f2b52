//! The one page-table walker, generic over the descriptor format and over where tables live.

use core::marker::PhantomData;
use core::ops::Range;

use super::{PageFlags, PteFormat, TableMemory};
use crate::addr::{PAGE_SHIFT, PhysAddr, VirtAddr};

const INDEX_BITS: u32 = 9;
const ENTRIES: usize = 1 << INDEX_BITS;

/// Why a mapping could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// No memory for a table.
    NoMemory,
    /// Something is mapped there already.
    Occupied,
}

/// A present leaf found by a walk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// First virtual address that the leaf maps.
    pub virt: VirtAddr,
    /// The block that it maps to.
    pub phys: PhysAddr,
    /// What it allows.
    pub flags: PageFlags,
    /// 0 for 4 KiB, 1 for 2 MiB, 2 for 1 GiB.
    pub level: u8,
}

impl Leaf {
    /// Returns the bytes that a leaf of `level` maps.
    pub const fn bytes(level: u8) -> u64 {
        1 << (PAGE_SHIFT + INDEX_BITS * level as u32)
    }
}

/// A tree of tables. Holds only the root's address; dropping it frees nothing. Callers flush the TLB.
#[derive(Debug)]
pub struct PageTable<F: PteFormat> {
    root: PhysAddr,
    format: PhantomData<F>,
}

impl<F: PteFormat> PageTable<F> {
    /// Takes the tree whose root is at `root`.
    pub const fn from_root(root: PhysAddr) -> Self {
        Self {
            root,
            format: PhantomData,
        }
    }

    /// Returns the root table's address.
    pub const fn root(&self) -> PhysAddr {
        self.root
    }

    /// Maps a block of `level` at `virt`; both addresses are multiples of the block's size.
    ///
    /// # Errors
    /// `Occupied` when a leaf or table stands in the place, `NoMemory` when a table is needed; tables
    /// made on the way stay.
    pub fn map(
        &mut self,
        memory: &mut impl TableMemory,
        virt: VirtAddr,
        phys: PhysAddr,
        flags: PageFlags,
        level: u8,
    ) -> Result<(), MapError> {
        let table = self.table_for(memory, virt, level, flags.contains(PageFlags::USER))?;
        let index = index(virt, level);
        if F::from_raw(memory.read_entry(table, index)).is_present() {
            return Err(MapError::Occupied);
        }
        memory.write_entry(table, index, F::leaf(phys, flags, level).raw());
        Ok(())
    }

    /// Maps `bytes` bytes with the largest blocks that fit, as for the direct map.
    ///
    /// # Errors
    /// As [`map`](Self::map); what was mapped before the error stays.
    pub fn map_range(
        &mut self,
        memory: &mut impl TableMemory,
        virt: VirtAddr,
        phys: PhysAddr,
        bytes: u64,
        flags: PageFlags,
    ) -> Result<(), MapError> {
        let mut done = 0;
        while done < bytes {
            let (at, to) = (virt + done, phys + done);
            let level = (0..=F::max_leaf_level())
                .rev()
                .find(|&level| {
                    let size = Leaf::bytes(level);
                    (at.as_u64() | to.as_u64()) & (size - 1) == 0 && bytes - done >= size
                })
                .unwrap_or(0);
            self.map(memory, at, to, flags, level)?;
            done += Leaf::bytes(level);
        }
        Ok(())
    }

    /// Makes sure that the table of `level` for `virt` exists, so that a root entry is never added later.
    ///
    /// # Errors
    /// As [`map`](Self::map).
    pub fn reserve(
        &mut self,
        memory: &mut impl TableMemory,
        virt: VirtAddr,
        level: u8,
    ) -> Result<(), MapError> {
        self.table_for(memory, virt, level, false).map(|_| ())
    }

    /// Finds the leaf that maps `virt`.
    pub fn query(&self, memory: &impl TableMemory, virt: VirtAddr) -> Option<Leaf> {
        let (table, level) = self.find(memory, virt)?;
        let entry = F::from_raw(memory.read_entry(table, index(virt, level)));
        Some(Leaf {
            virt: VirtAddr::new(virt.as_u64() & !(Leaf::bytes(level) - 1)),
            phys: entry.address(),
            flags: entry.flags(),
            level,
        })
    }

    /// Removes the leaf that maps `virt` and returns it. Tables stay.
    pub fn unmap(&mut self, memory: &mut impl TableMemory, virt: VirtAddr) -> Option<Leaf> {
        let leaf = self.query(memory, virt)?;
        let (table, level) = self.find(memory, virt)?;
        memory.write_entry(table, index(virt, level), 0);
        Some(leaf)
    }

    /// Replaces block and flags of the leaf that maps `virt`; false when there is none.
    pub fn replace(
        &mut self,
        memory: &mut impl TableMemory,
        virt: VirtAddr,
        phys: PhysAddr,
        flags: PageFlags,
    ) -> bool {
        let Some((table, level)) = self.find(memory, virt) else {
            return false;
        };
        memory.write_entry(table, index(virt, level), F::leaf(phys, flags, level).raw());
        true
    }

    /// Calls `visit` for every leaf that maps a byte of `start..end`, in ascending order. What it returns
    /// becomes of the leaf.
    pub fn for_each_leaf<M: TableMemory>(
        &mut self,
        memory: &mut M,
        start: VirtAddr,
        end: VirtAddr,
        visit: &mut impl FnMut(&mut M, Leaf) -> LeafAction,
    ) {
        if start < end {
            Self::visit(self.root, F::LEVELS - 1, memory, start, end, visit);
        }
    }

    /// Finds or makes the table of level 0 that covers `virt`, for callers that write several leaves;
    /// [`leaf_index`] is the place in it. `user` is as in [`PteFormat::table`].
    ///
    /// # Errors
    /// As [`map`](Self::map).
    #[inline]
    pub fn leaf_table(
        &mut self,
        memory: &mut impl TableMemory,
        virt: VirtAddr,
        user: bool,
    ) -> Result<PhysAddr, MapError> {
        self.table_for(memory, virt, 0, user)
    }

    /// Frees the tables below the root that cover a byte of `start..end` and whose whole range lies in
    /// `floor..ceiling`. That holds `start..end`, no leaf is left in it, and no table but those that cover a
    /// byte of `start..end`.
    pub fn free_tables(
        &mut self,
        memory: &mut impl TableMemory,
        start: VirtAddr,
        end: VirtAddr,
        (floor, ceiling): (VirtAddr, VirtAddr),
    ) {
        if start < end {
            let bounds = (floor.as_u64(), ceiling.as_u64());
            Self::free_below(self.root, F::LEVELS - 1, memory, start, end, bounds);
        }
    }

    fn visit<M: TableMemory>(
        table: PhysAddr,
        level: u8,
        memory: &mut M,
        start: VirtAddr,
        end: VirtAddr,
        visit: &mut impl FnMut(&mut M, Leaf) -> LeafAction,
    ) {
        for slot in slots(level, start, end) {
            let entry = F::from_raw(memory.read_entry(table, slot));
            if !entry.is_present() {
                continue;
            }
            let span = span(level, start, slot);
            if !entry.is_leaf(level) {
                let (from, to) = clip(start, end, span);
                Self::visit(entry.address(), level - 1, memory, from, to, visit);
                continue;
            }
            let leaf = Leaf {
                virt: VirtAddr::new(span.0),
                phys: entry.address(),
                flags: entry.flags(),
                level,
            };
            match visit(memory, leaf) {
                LeafAction::Keep => {}
                LeafAction::Remove => memory.write_entry(table, slot, 0),
                LeafAction::Replace(phys, flags) => {
                    let raw = F::leaf(phys, flags, level).raw();
                    memory.write_entry(table, slot, raw);
                }
            }
        }
    }

    fn free_below(
        table: PhysAddr,
        level: u8,
        memory: &mut impl TableMemory,
        start: VirtAddr,
        end: VirtAddr,
        bounds: (u64, u64),
    ) {
        if level == 0 {
            return;
        }
        for slot in slots(level, start, end) {
            let entry = F::from_raw(memory.read_entry(table, slot));
            if !entry.is_present() || entry.is_leaf(level) {
                continue;
            }
            let (base, next) = span(level, start, slot);
            if level > 1 {
                let (from, to) = clip(start, end, (base, next));
                Self::free_below(entry.address(), level - 1, memory, from, to, bounds);
            }
            if base >= bounds.0 && next <= bounds.1 {
                memory.write_entry(table, slot, 0);
                memory.free_table(entry.address());
            }
        }
    }

    /// Finds the table and level of the leaf for `virt`.
    fn find(&self, memory: &impl TableMemory, virt: VirtAddr) -> Option<(PhysAddr, u8)> {
        let mut table = self.root;
        for level in (0..F::LEVELS).rev() {
            let entry = F::from_raw(memory.read_entry(table, index(virt, level)));
            if !entry.is_present() {
                return None;
            }
            if entry.is_leaf(level) {
                return Some((table, level));
            }
            table = entry.address();
        }
        None
    }

    /// Finds or makes the table of `level` that covers `virt`.
    fn table_for(
        &mut self,
        memory: &mut impl TableMemory,
        virt: VirtAddr,
        level: u8,
        user: bool,
    ) -> Result<PhysAddr, MapError> {
        let mut table = self.root;
        for above in (level + 1..F::LEVELS).rev() {
            let slot = index(virt, above);
            let entry = F::from_raw(memory.read_entry(table, slot));
            table = if !entry.is_present() {
                let next = memory.allocate_table().ok_or(MapError::NoMemory)?;
                memory.write_entry(table, slot, F::table(next, user).raw());
                next
            } else if entry.is_leaf(above) {
                return Err(MapError::Occupied);
            } else {
                entry.address()
            };
        }
        Ok(table)
    }
}

/// What [`PageTable::for_each_leaf`] does with the leaf that it has shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeafAction {
    /// Leaves it.
    Keep,
    /// Clears the descriptor.
    Remove,
    /// Writes a new descriptor of the same level.
    Replace(PhysAddr, PageFlags),
}

/// Returns the index of the leaf for `virt` in its table of level 0.
#[inline]
pub const fn leaf_index(virt: VirtAddr) -> usize {
    (virt.as_u64() >> PAGE_SHIFT) as usize & (ENTRIES - 1)
}

/// Returns the entries of a table of `level` that cover a byte of `start..end`, a range within the table's.
fn slots(level: u8, start: VirtAddr, end: VirtAddr) -> Range<usize> {
    index(start, level)..index(VirtAddr::new(end.as_u64() - 1), level) + 1
}

/// Returns what an entry of a table of `level` covers, where `within` is in the table's range.
fn span(level: u8, within: VirtAddr, slot: usize) -> (u64, u64) {
    let table = within.as_u64() & !(Leaf::bytes(level + 1) - 1);
    let base = table + slot as u64 * Leaf::bytes(level);
    (base, base.saturating_add(Leaf::bytes(level)))
}

/// Returns the part of `start..end` that lies in a span.
fn clip(start: VirtAddr, end: VirtAddr, (base, next): (u64, u64)) -> (VirtAddr, VirtAddr) {
    (
        VirtAddr::new(start.as_u64().max(base)),
        VirtAddr::new(end.as_u64().min(next)),
    )
}

fn index(virt: VirtAddr, level: u8) -> usize {
    (virt.as_u64() >> (PAGE_SHIFT + INDEX_BITS * u32::from(level))) as usize & (ENTRIES - 1)
}

#[cfg(test)]
mod tests;
