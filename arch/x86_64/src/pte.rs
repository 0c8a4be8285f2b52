//! The page-table entry of 4-level paging (Intel SDM volume 3, 4.5) as bit arithmetic. Pure; the walker is
//! in `hal`, activation in `mmu`.

use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering};

use hal::PhysAddr;
use hal::paging::{PageFlags, PteFormat};

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const WRITE_THROUGH: u64 = 1 << 3;
const CACHE_DISABLE: u64 = 1 << 4;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
/// In a table above level 0: the entry is a leaf. At level 0 the same bit selects memory types.
const BLOCK: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
/// A bit that the processor leaves to software: the leaf is in use although it is not PRESENT.
const INACCESSIBLE: u64 = 1 << 9;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Raised to 2 where the processor has 1 GiB pages.
static MAX_LEAF_LEVEL: AtomicU8 = AtomicU8::new(1);

/// Permits leaves up to `level`; called by processor detection before the first table is made.
pub(crate) fn set_max_leaf_level(level: u8) {
    MAX_LEAF_LEVEL.store(level, Ordering::Relaxed);
}

/// A page-table entry.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Pte(u64);

impl PteFormat for Pte {
    const LEVELS: u8 = 4;

    fn max_leaf_level() -> u8 {
        MAX_LEAF_LEVEL.load(Ordering::Relaxed)
    }

    fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    fn raw(self) -> u64 {
        self.0
    }

    fn table(table: PhysAddr, user: bool) -> Self {
        let user_bit = if user { USER } else { 0 };
        Self(table.as_u64() & ADDRESS | PRESENT | WRITABLE | ACCESSED | user_bit)
    }

    fn leaf(block: PhysAddr, flags: PageFlags, level: u8) -> Self {
        let mut raw = block.as_u64() & ADDRESS;
        if level > 0 {
            raw |= BLOCK;
        }
        if !flags.contains(PageFlags::READ) {
            raw |= INACCESSIBLE;
        }
        if !flags.contains(PageFlags::EXECUTE) {
            raw |= NO_EXECUTE;
        }
        for (flag, bits) in LEAF_BITS {
            if flags.contains(flag) {
                raw |= bits;
            }
        }
        Self(raw)
    }

    fn is_present(self) -> bool {
        self.0 & (PRESENT | INACCESSIBLE) != 0
    }

    fn is_leaf(self, level: u8) -> bool {
        level == 0 || self.0 & BLOCK != 0
    }

    fn address(self) -> PhysAddr {
        PhysAddr::new(self.0 & ADDRESS)
    }

    fn flags(self) -> PageFlags {
        let mut flags = PageFlags::empty();
        for (flag, bits) in LEAF_BITS {
            flags.set(flag, self.0 & bits == bits);
        }
        flags.set(PageFlags::EXECUTE, self.0 & NO_EXECUTE == 0);
        flags
    }
}

/// Flags that are one or more set bits. CACHE_DISABLE with WRITE_THROUGH selects entry 3 of the page
/// attribute table, strongly uncached after reset (SDM volume 3, 12.12.4).
const LEAF_BITS: [(PageFlags, u64); 7] = [
    (PageFlags::READ, PRESENT),
    (PageFlags::WRITE, WRITABLE),
    (PageFlags::USER, USER),
    (PageFlags::GLOBAL, GLOBAL),
    (PageFlags::DEVICE, CACHE_DISABLE | WRITE_THROUGH),
    (PageFlags::ACCESSED, ACCESSED),
    (PageFlags::DIRTY, DIRTY),
];

impl fmt::Debug for Pte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pte({:#x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK_AT: PhysAddr = PhysAddr::new(0x1_2340_0000);

    #[test]
    fn zero_is_not_present() {
        assert!(!Pte::from_raw(0).is_present());
    }

    #[test]
    fn every_flag_set_survives_a_leaf_of_every_level() {
        for bits in 0..=PageFlags::all().bits() {
            let flags = PageFlags::from_bits_truncate(bits);
            for level in 0..3 {
                let pte = Pte::leaf(BLOCK_AT, flags, level);
                assert_eq!(pte.flags(), flags);
                assert_eq!(pte.address(), BLOCK_AT);
                assert!(pte.is_present() && pte.is_leaf(level));
                assert_eq!(Pte::from_raw(pte.raw()), pte);
            }
        }
    }

    #[test]
    fn leaves_have_the_bits_of_the_manual() {
        let code = PageFlags::READ | PageFlags::EXECUTE | PageFlags::USER;
        assert_eq!(Pte::leaf(PhysAddr::new(0x5000), code, 0).raw(), 0x5005);
        let data = PageFlags::READ | PageFlags::WRITE | PageFlags::GLOBAL;
        assert_eq!(
            Pte::leaf(PhysAddr::new(0x20_0000), data, 1).raw(),
            1 << 63 | 0x20_0183
        );
        let device = PageFlags::READ | PageFlags::WRITE | PageFlags::DEVICE;
        assert_eq!(
            Pte::leaf(PhysAddr::new(0xfee0_0000), device, 0).raw(),
            1 << 63 | 0xfee0_001b
        );
    }

    #[test]
    fn a_leaf_without_read_faults_but_is_kept() {
        let pte = Pte::leaf(BLOCK_AT, PageFlags::USER | PageFlags::WRITE, 0);
        assert_eq!(pte.raw() & PRESENT, 0);
        assert!(pte.is_present());
    }

    #[test]
    fn tables_carry_the_user_bit_only_when_asked() {
        let table = PhysAddr::new(0x7000);
        assert_eq!(Pte::table(table, false).raw(), 0x7023);
        assert_eq!(Pte::table(table, true).raw(), 0x7027);
        assert!(!Pte::table(table, true).is_leaf(1));
    }
}
