//! Stage 1 descriptors of the 4 KiB granule (Arm ARM D8.3) as bit arithmetic: [`Pte`].
//!
//! The processor keeps no separate dirty bit. As in Linux, [`DBM`](Pte) says "may be written" and a
//! cleared read-only bit says "has been written"; processors without hardware management of the two
//! bits take a fault, which `mmu.rs` resolves by [`Pte::after_access`] without telling the kernel.
//! Kernel leaves take no such faults: their flags live in software bits.

use hal::PhysAddr;
use hal::paging::{Access, PageFlags, PteFormat};

const VALID: u64 = 1 << 0;
/// With `VALID`: a table, or a page at level 0. Clear: a block.
const TABLE_OR_PAGE: u64 = 1 << 1;
const ATTRIBUTE_DEVICE: u64 = ATTRIBUTE_INDEX_DEVICE << 2;
const USER_ACCESS: u64 = 1 << 6;
const READ_ONLY: u64 = 1 << 7;
const INNER_SHAREABLE: u64 = 3 << 8;
const ACCESS_FLAG: u64 = 1 << 10;
const NOT_GLOBAL: u64 = 1 << 11;
/// Dirty bit modifier: a write makes a read-only leaf writable.
const WRITABLE: u64 = 1 << 51;
const KERNEL_EXECUTE_NEVER: u64 = 1 << 53;
const USER_EXECUTE_NEVER: u64 = 1 << 54;
/// Software: written, for leaves whose `READ_ONLY` cannot say so.
const SOFTWARE_DIRTY: u64 = 1 << 55;
/// Software: used, for kernel leaves, whose `ACCESS_FLAG` is always set.
const SOFTWARE_ACCESSED: u64 = 1 << 56;
/// Software: present to the kernel's book-keeping although not valid.
const SOFTWARE_PRESENT: u64 = 1 << 58;
/// In table descriptors: nothing below can be executed by the kernel.
const TABLE_KERNEL_EXECUTE_NEVER: u64 = 1 << 59;
/// In table descriptors: nothing below can be executed by user mode.
const TABLE_USER_EXECUTE_NEVER: u64 = 1 << 60;
/// In table descriptors: nothing below can be accessed by user mode.
const TABLE_NO_USER_ACCESS: u64 = 1 << 61;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// Index in MAIR_EL1 of normal, write-back cacheable memory; `boot.S` programs the register.
pub const ATTRIBUTE_INDEX_NORMAL: u64 = 0;
/// Index in MAIR_EL1 of Device-nGnRE memory.
pub const ATTRIBUTE_INDEX_DEVICE: u64 = 1;

/// A stage 1 descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Pte(u64);

impl Pte {
    /// Returns the leaf as the processor would leave it after this access, or `None` when the leaf does
    /// not allow the access or needs no change: access flag set, and writable when it was written.
    pub fn after_access(self, access: Access) -> Option<Self> {
        let allowed = self.0 & VALID != 0
            && match access {
                Access::Read => true,
                Access::Write => self.0 & WRITABLE != 0,
                Access::Execute => self.0 & USER_EXECUTE_NEVER == 0,
            };
        if !allowed {
            return None;
        }
        let mut raw = self.0 | ACCESS_FLAG;
        if access == Access::Write {
            raw &= !READ_ONLY;
        }
        (raw != self.0).then_some(Self(raw))
    }
}

impl PteFormat for Pte {
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
        let limits = if user {
            TABLE_KERNEL_EXECUTE_NEVER
        } else {
            TABLE_USER_EXECUTE_NEVER | TABLE_NO_USER_ACCESS
        };
        Self((table.as_u64() & ADDRESS) | VALID | TABLE_OR_PAGE | limits)
    }

    fn leaf(block: PhysAddr, flags: PageFlags, level: u8) -> Self {
        let mut raw = (block.as_u64() & ADDRESS) | INNER_SHAREABLE;
        raw |= if !flags.contains(PageFlags::READ) {
            SOFTWARE_PRESENT
        } else if level == 0 {
            VALID | TABLE_OR_PAGE
        } else {
            VALID
        };
        if flags.contains(PageFlags::DEVICE) {
            raw |= ATTRIBUTE_DEVICE;
        }
        if flags.contains(PageFlags::WRITE) {
            raw |= WRITABLE;
        }
        if !flags.contains(PageFlags::GLOBAL) {
            raw |= NOT_GLOBAL;
        }
        Self(raw | rights(flags))
    }

    fn is_present(self) -> bool {
        self.0 & (VALID | SOFTWARE_PRESENT) != 0
    }

    fn is_leaf(self, level: u8) -> bool {
        level == 0 || self.0 & (VALID | TABLE_OR_PAGE) != VALID | TABLE_OR_PAGE
    }

    fn address(self) -> PhysAddr {
        PhysAddr::new(self.0 & ADDRESS)
    }

    fn flags(self) -> PageFlags {
        let user = self.0 & USER_ACCESS != 0;
        let (execute_never, accessed, written) = if user {
            (
                USER_EXECUTE_NEVER,
                ACCESS_FLAG,
                self.0 & (WRITABLE | READ_ONLY) == WRITABLE,
            )
        } else {
            (KERNEL_EXECUTE_NEVER, SOFTWARE_ACCESSED, false)
        };
        let mut flags = PageFlags::empty();
        flags.set(PageFlags::READ, self.0 & VALID != 0);
        flags.set(PageFlags::WRITE, self.0 & WRITABLE != 0);
        flags.set(PageFlags::EXECUTE, self.0 & execute_never == 0);
        flags.set(PageFlags::USER, user);
        flags.set(PageFlags::GLOBAL, self.0 & NOT_GLOBAL == 0);
        flags.set(PageFlags::DEVICE, self.0 & ATTRIBUTE_DEVICE != 0);
        flags.set(PageFlags::ACCESSED, self.0 & accessed != 0);
        flags.set(PageFlags::DIRTY, written || self.0 & SOFTWARE_DIRTY != 0);
        flags
    }
}

/// Returns the access, execute, accessed and dirty bits for `flags`.
fn rights(flags: PageFlags) -> u64 {
    let dirty = flags.contains(PageFlags::DIRTY);
    let writable = flags.contains(PageFlags::WRITE);
    let execute = flags.contains(PageFlags::EXECUTE);
    let accessed = flags.contains(PageFlags::ACCESSED);
    let choose = |condition: bool, bits: u64| if condition { bits } else { 0 };
    if flags.contains(PageFlags::USER) {
        USER_ACCESS
            | KERNEL_EXECUTE_NEVER
            | choose(!execute, USER_EXECUTE_NEVER)
            | choose(!(writable && dirty), READ_ONLY)
            | choose(dirty && !writable, SOFTWARE_DIRTY)
            | choose(accessed, ACCESS_FLAG)
    } else {
        ACCESS_FLAG
            | USER_EXECUTE_NEVER
            | choose(!execute, KERNEL_EXECUTE_NEVER)
            | choose(!writable, READ_ONLY)
            | choose(dirty, SOFTWARE_DIRTY)
            | choose(accessed, SOFTWARE_ACCESSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_flags_survives() {
        for bits in 0..=u8::MAX {
            let flags = PageFlags::from_bits_truncate(u16::from(bits));
            for level in 0..=2 {
                let leaf = Pte::leaf(PhysAddr::new(0x7f_c000_0000), flags, level);
                assert_eq!(leaf.flags(), flags, "level {level}");
                assert_eq!(leaf.address(), PhysAddr::new(0x7f_c000_0000));
                assert!(leaf.is_present() && leaf.is_leaf(level));
                assert_eq!(leaf.raw() & VALID != 0, flags.contains(PageFlags::READ));
            }
        }
    }

    #[test]
    fn tables_limit_what_is_below() {
        let user = Pte::table(PhysAddr::new(0x4000), true);
        let kernel = Pte::table(PhysAddr::new(0x4000), false);
        for table in [user, kernel] {
            assert!(table.is_present() && !table.is_leaf(3) && !table.is_leaf(1));
            assert_eq!(table.address(), PhysAddr::new(0x4000));
        }
        assert_eq!(user.raw() & TABLE_NO_USER_ACCESS, 0);
        assert_ne!(user.raw() & TABLE_KERNEL_EXECUTE_NEVER, 0);
        assert_ne!(kernel.raw() & TABLE_NO_USER_ACCESS, 0);
        assert!(!Pte::from_raw(0).is_present());
    }

    #[test]
    fn known_encodings() {
        let code = PageFlags::READ | PageFlags::EXECUTE | PageFlags::USER | PageFlags::ACCESSED;
        let leaf = Pte::leaf(PhysAddr::new(0x4020_0000), code, 0);
        assert_eq!(leaf.raw(), 0x0020_0000_4020_0fc3);
        let device = PageFlags::READ | PageFlags::WRITE | PageFlags::DEVICE | PageFlags::GLOBAL;
        let leaf = Pte::leaf(PhysAddr::new(0x0900_0000), device, 0);
        assert_eq!(leaf.raw(), 0x0068_0000_0900_0707);
    }

    #[test]
    fn accesses_are_noted_as_hardware_would() {
        let flags = PageFlags::READ | PageFlags::WRITE | PageFlags::USER;
        let fresh = Pte::leaf(PhysAddr::new(0x1000), flags, 0);
        let read = fresh.after_access(Access::Read);
        assert_eq!(read.map(Pte::flags), Some(flags | PageFlags::ACCESSED));
        let written = fresh.after_access(Access::Write);
        let both = PageFlags::ACCESSED | PageFlags::DIRTY;
        assert_eq!(written.map(Pte::flags), Some(flags | both));
        assert_eq!(written.and_then(|pte| pte.after_access(Access::Write)), None);
        assert_eq!(fresh.after_access(Access::Execute), None);
    }

    #[test]
    fn forbidden_accesses_change_nothing() {
        let read_only = PageFlags::READ | PageFlags::USER | PageFlags::ACCESSED;
        let leaf = Pte::leaf(PhysAddr::new(0x1000), read_only, 0);
        assert_eq!(leaf.after_access(Access::Write), None);
        let nothing = Pte::leaf(PhysAddr::new(0x1000), PageFlags::USER | PageFlags::WRITE, 0);
        assert_eq!(nothing.after_access(Access::Write), None);
    }
}
