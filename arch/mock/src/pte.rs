//! The mock's page-table descriptor: flags in the low bits, the address above, two bits of kind on top.

use hal::PhysAddr;
use hal::paging::{PageFlags, PteFormat};

const FLAGS: u64 = 0xfff;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const PRESENT: u64 = 1 << 62;
const TABLE: u64 = 1 << 63;

/// A descriptor of the mock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct MockPte(u64);

impl PteFormat for MockPte {
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
        let user = if user { PageFlags::USER } else { PageFlags::empty() };
        Self(table.as_u64() | PRESENT | TABLE | u64::from(user.bits()))
    }

    fn leaf(block: PhysAddr, flags: PageFlags, _level: u8) -> Self {
        Self(block.as_u64() | PRESENT | u64::from(flags.bits()))
    }

    fn is_present(self) -> bool {
        self.0 & PRESENT != 0
    }

    fn is_leaf(self, _level: u8) -> bool {
        self.0 & TABLE == 0
    }

    fn address(self) -> PhysAddr {
        PhysAddr::new(self.0 & ADDRESS)
    }

    fn flags(self) -> PageFlags {
        PageFlags::from_bits_truncate((self.0 & FLAGS) as u16)
    }
}
