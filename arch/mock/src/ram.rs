//! The fake RAM: one static array of words, reachable as memory through the direct map and as words by the
//! mock's own "hardware", which therefore needs no unsafe code.

use core::sync::atomic::{AtomicU32, Ordering};

use hal::{PhysAddr, PhysRange};

/// Physical address of the first byte of RAM.
pub const RAM_BASE: u64 = 0x4000_0000;
/// Bytes of the physical range that holds RAM, with the hole.
pub const RAM_BYTES: u64 = 64 << 20;
/// A hole in RAM that no memory region covers.
pub const RAM_HOLE: PhysRange = PhysRange {
    start: PhysAddr::new(RAM_BASE + (40 << 20)),
    end: PhysAddr::new(RAM_BASE + (44 << 20) + 0x3000),
};
/// Bytes at the start of RAM that stand for the kernel image.
pub const BOOT_RESERVED_BYTES: u64 = 1 << 20;

/// Block addresses are multiples of this both as physical addresses and as pointers.
const ALIGNMENT: usize = 2 << 20;
const WORD: usize = 4;
const WORDS: usize = (RAM_BYTES as usize + ALIGNMENT) / WORD;

static RAM: [AtomicU32; WORDS] = [const { AtomicU32::new(0) }; WORDS];

/// Returns the pointer to a physical address, which need not be one of RAM.
pub(crate) fn pointer(address: PhysAddr) -> *mut u8 {
    let start = RAM.as_ptr().cast::<u8>().cast_mut();
    let aligned = start.wrapping_add(start.align_offset(ALIGNMENT));
    aligned.wrapping_add((address.as_u64() as usize).wrapping_sub(RAM_BASE as usize))
}

fn word(address: PhysAddr) -> &'static AtomicU32 {
    let skipped = RAM.as_ptr().align_offset(ALIGNMENT);
    let offset = address
        .as_u64()
        .checked_sub(RAM_BASE)
        .filter(|&offset| offset < RAM_BYTES);
    let offset = offset.unwrap_or_else(|| panic!("{address:?} is not RAM"));
    &RAM[skipped + offset as usize / WORD]
}

/// Reads an aligned word.
pub(crate) fn load_u32(address: PhysAddr) -> u32 {
    word(address).load(Ordering::SeqCst)
}

/// Replaces `expected` by `new` in an aligned word and returns what was there.
pub(crate) fn compare_exchange_u32(address: PhysAddr, expected: u32, new: u32) -> u32 {
    word(address)
        .compare_exchange(expected, new, Ordering::SeqCst, Ordering::SeqCst)
        .unwrap_or_else(|actual| actual)
}

/// Reads an aligned pair of words, low half first.
pub(crate) fn load_u64(address: PhysAddr) -> u64 {
    u64::from(load_u32(address)) | u64::from(load_u32(address + WORD as u64)) << 32
}

/// Writes an aligned pair of words, low half first.
pub(crate) fn store_u64(address: PhysAddr, value: u64) {
    word(address).store(value as u32, Ordering::SeqCst);
    word(address + WORD as u64).store((value >> 32) as u32, Ordering::SeqCst);
}

/// Fills `bytes` from RAM.
pub(crate) fn read(address: PhysAddr, bytes: &mut [u8]) {
    for (at, byte) in (address.as_u64()..).zip(bytes) {
        let lane = at as usize % WORD;
        *byte = load_u32(PhysAddr::new(at)).to_le_bytes()[lane];
    }
}

/// Copies `bytes` to RAM.
pub(crate) fn write(address: PhysAddr, bytes: &[u8]) {
    for (at, &byte) in (address.as_u64()..).zip(bytes) {
        let shift = 8 * (at as usize % WORD);
        let replace = |old: u32| old & !(0xff << shift) | u32::from(byte) << shift;
        word(PhysAddr::new(at)).update(Ordering::SeqCst, Ordering::SeqCst, replace);
    }
}
