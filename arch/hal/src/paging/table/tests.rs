//! The walker on tables in a map of arrays, with a format that is nothing but its own fields.

extern crate std;

use std::collections::BTreeMap;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Bit 63: in use; bit 62: table; flags in the low twelve bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Plain(u64);

const USED: u64 = 1 << 63;
const TABLE: u64 = 1 << 62;

impl PteFormat for Plain {
    const LEVELS: u8 = 4;

    fn max_leaf_level() -> u8 {
        2
    }

    fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    fn raw(self) -> u64 {
        self.0
    }

    fn table(table: PhysAddr, user: bool) -> Self {
        Self(USED | TABLE | table.as_u64() | u64::from(user))
    }

    fn leaf(block: PhysAddr, flags: PageFlags, _level: u8) -> Self {
        Self(USED | block.as_u64() | u64::from(flags.bits()))
    }

    fn is_present(self) -> bool {
        self.0 & USED != 0
    }

    fn is_leaf(self, _level: u8) -> bool {
        self.0 & TABLE == 0
    }

    fn address(self) -> PhysAddr {
        PhysAddr::new(self.0 & 0x000f_ffff_ffff_f000)
    }

    fn flags(self) -> PageFlags {
        PageFlags::from_bits_truncate((self.0 & 0xfff) as u16)
    }
}

/// Tables in a map, at most as many as allowed.
struct Memory {
    tables: BTreeMap<PhysAddr, Vec<u64>>,
    next: u64,
    left: usize,
}

impl TableMemory for Memory {
    fn allocate_table(&mut self) -> Option<PhysAddr> {
        self.left = self.left.checked_sub(1)?;
        let table = PhysAddr::new(self.next);
        self.next += 0x1000;
        self.tables.insert(table, std::vec![0; ENTRIES]);
        Some(table)
    }

    fn free_table(&mut self, table: PhysAddr) {
        let entries = self.tables.remove(&table).expect("a table is freed once");
        assert!(entries.iter().all(|&raw| raw == 0), "a table in use is freed");
        self.left += 1;
    }

    fn read_entry(&self, table: PhysAddr, index: usize) -> u64 {
        self.tables[&table][index]
    }

    fn write_entry(&mut self, table: PhysAddr, index: usize, raw: u64) {
        self.tables.get_mut(&table).expect("a table")[index] = raw;
    }
}

const DATA: PageFlags = PageFlags::READ.union(PageFlags::WRITE);

fn tree(tables: usize) -> (Memory, PageTable<Plain>) {
    let mut memory = Memory {
        tables: BTreeMap::new(),
        next: 0x10_0000,
        left: tables,
    };
    let root = memory.allocate_table().unwrap();
    (memory, PageTable::from_root(root))
}

fn at(address: u64) -> VirtAddr {
    VirtAddr::new(address)
}

#[test]
fn ranges_use_the_largest_blocks_that_fit() {
    let (mut memory, mut table) = tree(16);
    let (virt, phys) = (at(0xffff_8000_3fff_f000), PhysAddr::new(0x3fff_f000));
    let bytes = 0x1000 + (1 << 30) + (2 << 20) + 0x1000;
    table.map_range(&mut memory, virt, phys, bytes, DATA).unwrap();
    let levels = [0, 2, 1, 0];
    let starts = [0x3fff_f000, 0x4000_0000, 0x8000_0000, 0x8020_0000];
    for (start, level) in starts.into_iter().zip(levels) {
        let leaf = table
            .query(&memory, at(0xffff_8000_0000_0000 + start + 0x123))
            .unwrap();
        assert_eq!((leaf.phys.as_u64(), leaf.level, leaf.flags), (start, level, DATA));
    }
    assert_eq!(table.query(&memory, virt + bytes), None);
}

#[test]
fn nothing_is_mapped_over_something() {
    let (mut memory, mut table) = tree(16);
    let phys = PhysAddr::new(0x20_0000);
    table.map(&mut memory, at(0x20_0000), phys, DATA, 1).unwrap();
    for (address, level) in [(0x20_0000, 1), (0x20_1000, 0), (0, 2)] {
        let again = table.map(&mut memory, at(address), phys, DATA, level);
        assert_eq!(again, Err(MapError::Occupied), "{address:#x} level {level}");
    }
}

#[test]
fn running_out_of_tables_is_an_error() {
    let (mut memory, mut table) = tree(3);
    let result = table.map(&mut memory, at(0x1000), PhysAddr::new(0x1000), DATA, 0);
    assert_eq!(result, Err(MapError::NoMemory));
    assert_eq!(table.query(&memory, at(0x1000)), None);
}

#[test]
fn user_tables_carry_the_user_bit_at_every_level() {
    let (mut memory, mut table) = tree(8);
    let user = DATA | PageFlags::USER;
    table
        .map(&mut memory, at(0x1000), PhysAddr::new(0x1000), user, 0)
        .unwrap();
    table
        .map(&mut memory, at(1 << 47), PhysAddr::new(0x2000), DATA, 0)
        .unwrap();
    for (address, bit) in [(0x1000, 1), (1 << 47, 0)] {
        let mut next = table.root();
        for level in (1..4).rev() {
            let entry = Plain::from_raw(memory.read_entry(next, index(at(address), level)));
            assert_eq!(entry.raw() & 1, bit, "{address:#x} level {level}");
            next = entry.address();
        }
    }
}

#[test]
fn tables_go_only_within_the_bounds_and_with_the_range() {
    let (mut memory, mut table) = tree(64);
    let pages = [0x1000, 0x40_0000, 1 << 30, 1 << 39];
    for page in pages {
        table
            .map(&mut memory, at(page), PhysAddr::new(0x1000), DATA, 0)
            .unwrap();
    }
    assert_eq!(memory.tables.len(), 1 + 2 + 3 + 4);
    table.unmap(&mut memory, at(0x40_0000)).unwrap();
    // Neighbours at 0x1000 and 1 GiB: only the table of this 2 MiB may go.
    table.free_tables(
        &mut memory,
        at(0x40_0000),
        at(0x40_1000),
        (at(0x2000), at(1 << 30)),
    );
    assert_eq!(memory.tables.len(), 1 + 2 + 3 + 3);
    // The bounds end inside of the 2 MiB: nothing may go.
    table.unmap(&mut memory, at(1 << 30)).unwrap();
    let (start, end) = (at(1 << 30), at((1 << 30) + 0x1000));
    table.free_tables(&mut memory, start, end, (at(0x2000), at((1 << 30) + 0x10_0000)));
    assert_eq!(memory.tables.len(), 1 + 2 + 3 + 3);
    table.free_tables(&mut memory, start, end, (at(0x2000), at(1 << 39)));
    assert_eq!(memory.tables.len(), 1 + 2 + 2 + 2);
    assert!(table.query(&memory, at(0x1000)).is_some() && table.query(&memory, at(1 << 39)).is_some());
}

#[derive(Clone, Debug)]
enum Step {
    Map(u64, u64),
    Unmap(u64),
    Replace(u64, u64),
    Sweep(u64, u64, bool),
}

/// Pages spread over several tables of every level.
fn page() -> impl Strategy<Value = u64> {
    (0_u64..3, 0_u64..2, 0_u64..3, 0_u64..4).prop_map(|(a, b, c, d)| a << 39 | b << 30 | c << 21 | d << 12)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (page(), 1_u64..1000).prop_map(|(page, frame)| Step::Map(page, frame << 12)),
        1 => page().prop_map(Step::Unmap),
        1 => (page(), 1_u64..1000).prop_map(|(page, frame)| Step::Replace(page, frame << 12)),
        1 => (page(), page(), any::<bool>()).prop_map(|(a, b, remove)| Step::Sweep(a.min(b), a.max(b), remove)),
    ]
}

proptest! {
    /// The tree behaves as a map from pages to frames does, and frees all of its tables.
    #[test]
    fn a_tree_is_a_map(steps in prop::collection::vec(step(), 1..60)) {
        let (mut memory, mut table) = tree(1000);
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Map(page, frame) => {
                    let result = table.map(&mut memory, at(page), PhysAddr::new(frame), DATA, 0);
                    prop_assert_eq!(result.is_ok(), !model.contains_key(&page));
                    model.entry(page).or_insert(frame);
                }
                Step::Unmap(page) => {
                    let gone = table.unmap(&mut memory, at(page)).map(|leaf| leaf.phys.as_u64());
                    prop_assert_eq!(gone, model.remove(&page));
                }
                Step::Replace(page, frame) => {
                    let replaced = table.replace(&mut memory, at(page), PhysAddr::new(frame), DATA);
                    prop_assert_eq!(replaced, model.contains_key(&page));
                    model.entry(page).and_modify(|old| *old = frame);
                }
                Step::Sweep(start, end, remove) => {
                    let mut seen = Vec::new();
                    table.for_each_leaf(&mut memory, at(start), at(end), &mut |_, leaf| {
                        seen.push((leaf.virt.as_u64(), leaf.phys.as_u64()));
                        if remove { LeafAction::Remove } else { LeafAction::Keep }
                    });
                    let expected: Vec<_> = model.range(start..end).map(|(&page, &frame)| (page, frame)).collect();
                    prop_assert_eq!(seen, expected);
                    if remove {
                        model.retain(|page, _| !(start..end).contains(page));
                    }
                }
            }
            for (&page, &frame) in &model {
                let leaf = table.query(&memory, at(page + 0xfff)).unwrap();
                prop_assert_eq!((leaf.virt.as_u64(), leaf.phys.as_u64(), leaf.level), (page, frame, 0));
            }
        }
        let (start, end) = (at(0), at(1 << 47));
        table.for_each_leaf(&mut memory, start, end, &mut |_, _| LeafAction::Remove);
        table.free_tables(&mut memory, start, end, (start, end));
        prop_assert_eq!(memory.tables.len(), 1);
    }
}
