//! The PVH boot protocol's start info (Xen's `arch-x86/hvm/start_info.h`), read through a closure over
//! physical memory with every address and count bounded. Pure.

use hal::PhysRange;

use crate::physical::{ReadPhysical, read_u8, read_u32, read_u64};

/// First word of the start info: `xEn3` with the high bit of the first letter set.
const MAGIC: u32 = 0x336e_c578;
/// The version that brought the memory map.
const VERSION_WITH_MEMORY_MAP: u32 = 1;
/// Bytes of the longest command line that is taken over, as on Linux.
pub(crate) const COMMAND_LINE_BYTES: u64 = 2048;
/// Most memory map entries that are read: more than any firmware reports.
const MAX_MEMORY_MAP_ENTRIES: u32 = 256;

const START_INFO_BYTES: u64 = 40;
const START_INFO_V1_BYTES: u64 = 56;
const MEMORY_MAP_ENTRY_BYTES: u64 = 24;

/// E820 type of usable memory.
const MEMORY_TYPE_RAM: u32 = 1;

/// What the start info says. Addresses are physical and as the loader gave them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct StartInfo {
    /// The start info itself.
    pub(crate) itself: PhysRange,
    /// The first module, which is the initramfs.
    pub(crate) initramfs: Option<PhysRange>,
    /// The command line without its NUL.
    pub(crate) command_line: PhysRange,
    /// The ACPI root pointer, 0 if none.
    pub(crate) rsdp: u64,
    /// First byte of the memory map.
    memory_map: u64,
    /// Number of its entries; 0 when the loader gave none.
    memory_map_entries: u32,
}

impl StartInfo {
    /// Reads the start info at `address`; `None` when there is none or it lies outside of memory.
    pub(crate) fn read(address: u64, read: &impl ReadPhysical) -> Option<Self> {
        if read_u32(read, address, 0)? != MAGIC {
            return None;
        }
        let has_memory_map = read_u32(read, address, 4)? >= VERSION_WITH_MEMORY_MAP;
        let mut info = Self {
            rsdp: read_u64(read, address, 32)?,
            itself: PhysRange::from_start_len(
                address,
                if has_memory_map {
                    START_INFO_V1_BYTES
                } else {
                    START_INFO_BYTES
                },
            ),
            ..Self::default()
        };
        if has_memory_map {
            info.memory_map = read_u64(read, address, 40)?;
            info.memory_map_entries = read_u32(read, address, 48)?.min(MAX_MEMORY_MAP_ENTRIES);
        }
        if read_u32(read, address, 12)? > 0 {
            info.initramfs = read_module(read_u64(read, address, 16)?, read);
        }
        let command_line = read_u64(read, address, 24)?;
        let bytes = if command_line == 0 {
            0
        } else {
            string_bytes(command_line, read)
        };
        info.command_line = PhysRange::from_start_len(command_line, bytes);
        Some(info)
    }

    /// Calls `visit(range, is_ram)` for every entry of the memory map that can be read and is not empty.
    pub(crate) fn for_each_region(&self, read: &impl ReadPhysical, mut visit: impl FnMut(PhysRange, bool)) {
        for index in 0..u64::from(self.memory_map_entries) {
            let entry = index * MEMORY_MAP_ENTRY_BYTES;
            let (Some(start), Some(bytes), Some(kind)) = (
                read_u64(read, self.memory_map, entry),
                read_u64(read, self.memory_map, entry + 8),
                read_u32(read, self.memory_map, entry + 16),
            ) else {
                return;
            };
            let range = PhysRange::from_start_len(start, bytes);
            if !range.is_empty() {
                visit(range, kind == MEMORY_TYPE_RAM);
            }
        }
    }
}

fn read_module(address: u64, read: &impl ReadPhysical) -> Option<PhysRange> {
    let start = read_u64(read, address, 0)?;
    let range = PhysRange::from_start_len(start, read_u64(read, address, 8)?);
    (!range.is_empty()).then_some(range)
}

/// Returns the length of a NUL-terminated string, cut at the longest command line.
fn string_bytes(address: u64, read: &impl ReadPhysical) -> u64 {
    (0..COMMAND_LINE_BYTES)
        .find(|&at| matches!(read_u8(read, address, at), None | Some(0)))
        .unwrap_or(COMMAND_LINE_BYTES)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::physical::fake;
    use std::vec::Vec;

    /// Physical memory that starts at 0x1000.
    const BASE: u64 = 0x1000;

    fn put(memory: &mut [u8], at: u64, bytes: &[u8]) {
        let start = usize::try_from(at - BASE).unwrap();
        memory[start..start + bytes.len()].copy_from_slice(bytes);
    }

    fn example() -> Vec<u8> {
        let mut memory = std::vec![0; 0x1000];
        put(&mut memory, 0x1000, &MAGIC.to_le_bytes());
        put(&mut memory, 0x1004, &1u32.to_le_bytes());
        put(&mut memory, 0x100c, &1u32.to_le_bytes());
        put(&mut memory, 0x1010, &0x1100u64.to_le_bytes());
        put(&mut memory, 0x1018, &0x1200u64.to_le_bytes());
        put(&mut memory, 0x1020, &0xf_5a80u64.to_le_bytes());
        put(&mut memory, 0x1028, &0x1300u64.to_le_bytes());
        put(&mut memory, 0x1030, &2u32.to_le_bytes());
        put(&mut memory, 0x1100, &0x7f0_0000u64.to_le_bytes());
        put(&mut memory, 0x1108, &0x1234u64.to_le_bytes());
        put(&mut memory, 0x1200, b"console=ttyS0 quiet\0");
        put(&mut memory, 0x1308, &0x9_fc00u64.to_le_bytes());
        put(&mut memory, 0x1310, &1u32.to_le_bytes());
        put(&mut memory, 0x1318, &0xf_0000u64.to_le_bytes());
        put(&mut memory, 0x1320, &0x1_0000u64.to_le_bytes());
        put(&mut memory, 0x1328, &2u32.to_le_bytes());
        memory
    }

    fn regions(info: &StartInfo, read: &impl ReadPhysical) -> Vec<(u64, u64, bool)> {
        let mut found = Vec::new();
        info.for_each_region(read, |range, is_ram| {
            found.push((range.start.as_u64(), range.end.as_u64(), is_ram));
        });
        found
    }

    #[test]
    fn reads_all_parts() {
        let read = fake::reader(BASE, example());
        let info = StartInfo::read(0x1000, &read).unwrap();
        assert_eq!(
            info.initramfs,
            Some(PhysRange::from_start_len(0x7f0_0000, 0x1234))
        );
        assert_eq!(info.command_line, PhysRange::from_start_len(0x1200, 19));
        assert_eq!(info.rsdp, 0xf_5a80);
        assert_eq!(
            regions(&info, &read),
            [(0, 0x9_fc00, true), (0xf_0000, 0x10_0000, false)]
        );
    }

    #[test]
    fn version_0_has_no_memory_map() {
        let mut memory = example();
        put(&mut memory, 0x1004, &0u32.to_le_bytes());
        let read = fake::reader(BASE, memory);
        let info = StartInfo::read(0x1000, &read).unwrap();
        assert!(regions(&info, &read).is_empty());
        assert_eq!(info.itself.len(), START_INFO_BYTES);
    }

    #[test]
    fn refuses_what_is_not_a_start_info() {
        let read = fake::reader(BASE, std::vec![0; 64]);
        assert_eq!(StartInfo::read(0x1000, &read), None);
        assert_eq!(StartInfo::read(u64::MAX - 2, &read), None);
        assert_eq!(StartInfo::read(0x1ffe, &fake::reader(BASE, example())), None);
    }

    #[test]
    fn wild_counts_and_addresses_end_at_the_end_of_memory() {
        let mut memory = example();
        put(&mut memory, 0x1010, &(u64::MAX - 4).to_le_bytes());
        put(&mut memory, 0x1030, &u32::MAX.to_le_bytes());
        put(&mut memory, 0x1200, &[b'a'; 0xe00]);
        put(&mut memory, 0x1018, &0x1200u64.to_le_bytes());
        let read = fake::reader(BASE, memory);
        let info = StartInfo::read(0x1000, &read).unwrap();
        assert_eq!(info.initramfs, None);
        assert_eq!(info.command_line.len(), COMMAND_LINE_BYTES);
        assert!(regions(&info, &read).len() <= 256);
    }

    #[test]
    fn the_command_line_ends_at_the_end_of_memory() {
        let mut memory = example();
        put(&mut memory, 0x1018, &0x1ff0u64.to_le_bytes());
        put(&mut memory, 0x1ff0, &[b'x'; 16]);
        let info = StartInfo::read(0x1000, &fake::reader(BASE, memory)).unwrap();
        assert_eq!(info.command_line.len(), 16);
    }
}
