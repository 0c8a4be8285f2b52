//! Physical and virtual addresses as types of their own, in bytes.

use core::fmt;
use core::ops::{Add, Sub};

/// log2 of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;
/// Bytes of the smallest page on every machine that Levitate runs on.
pub const PAGE_SIZE: usize = 1 << PAGE_SHIFT;

const OFFSET_MASK: u64 = PAGE_SIZE as u64 - 1;

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Wraps a byte address.
            pub const fn new(address: u64) -> Self {
                Self(address)
            }

            /// Returns the byte address.
            pub const fn as_u64(self) -> u64 {
                self.0
            }

            /// Returns the address of the page that holds this byte.
            pub const fn page_base(self) -> Self {
                Self(self.0 & !OFFSET_MASK)
            }

            /// Returns the distance in bytes from the start of the page.
            pub const fn page_offset(self) -> usize {
                (self.0 & OFFSET_MASK) as usize
            }

            /// Reports whether the address is a multiple of [`PAGE_SIZE`].
            pub const fn is_page_aligned(self) -> bool {
                self.0 & OFFSET_MASK == 0
            }

            /// Returns the first page boundary at or after this address, if it can be represented.
            pub const fn checked_page_up(self) -> Option<Self> {
                match self.0.checked_add(OFFSET_MASK) {
                    Some(sum) => Some(Self(sum & !OFFSET_MASK)),
                    None => None,
                }
            }

            /// Adds bytes, if the sum can be represented.
            pub const fn checked_add(self, bytes: u64) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }
        }

        impl Add<u64> for $name {
            type Output = Self;
            fn add(self, bytes: u64) -> Self {
                Self(self.0 + bytes)
            }
        }

        impl Sub for $name {
            type Output = u64;
            fn sub(self, other: Self) -> u64 {
                self.0 - other.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    };
}

address! {
    /// A physical address.
    PhysAddr
}
address! {
    /// A virtual address of the kernel or of a program; says nothing about what is mapped there.
    VirtAddr
}

/// A half-open range of physical addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PhysRange {
    /// First byte.
    pub start: PhysAddr,
    /// One past the last byte.
    pub end: PhysAddr,
}

impl PhysRange {
    /// Makes a range of `bytes` bytes; the end saturates at the top of the address space.
    pub const fn from_start_len(start: u64, bytes: u64) -> Self {
        Self {
            start: PhysAddr::new(start),
            end: PhysAddr::new(start.saturating_add(bytes)),
        }
    }

    /// Returns the length in bytes, 0 for an inverted range.
    pub const fn len(&self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }

    /// Reports whether the range holds no byte.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reports whether `address` lies in the range.
    pub const fn contains(&self, address: PhysAddr) -> bool {
        self.start.0 <= address.0 && address.0 < self.end.0
    }

    /// Reports whether the two ranges share a byte.
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.start.0 < other.end.0 && other.start.0 < self.end.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_arithmetic() {
        let address = VirtAddr::new(0x1234_5678);
        assert_eq!(address.page_base(), VirtAddr::new(0x1234_5000));
        assert_eq!(address.page_offset(), 0x678);
        assert_eq!(address.checked_page_up(), Some(VirtAddr::new(0x1234_6000)));
        assert_eq!(VirtAddr::new(u64::MAX).checked_page_up(), None);
        assert_eq!(PhysAddr::new(4096).checked_page_up(), Some(PhysAddr::new(4096)));
    }

    #[test]
    fn ranges() {
        let range = PhysRange::from_start_len(0x1000, 0x1000);
        assert!(range.contains(PhysAddr::new(0x1fff)) && !range.contains(PhysAddr::new(0x2000)));
        assert!(!range.overlaps(&PhysRange::from_start_len(0x2000, 1)));
        assert!(range.overlaps(&PhysRange::from_start_len(0x1fff, 1)));
        assert!(PhysRange::from_start_len(5, 0).is_empty());
    }
}
