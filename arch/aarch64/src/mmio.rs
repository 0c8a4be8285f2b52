//! Device registers at a physical address, reached through the direct map: [`Registers`].

use core::arch::asm;

use hal::PhysRange;
use hal::paging::Paging;

use crate::Aarch64;

/// A block of registers. Single loads and stores without write-back are used, so that a hypervisor that
/// emulates the device can decode them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    base: usize,
}

impl Registers {
    /// Takes the registers of a device in the kernel's direct map.
    ///
    /// # Safety
    /// The range holds the registers of a device that the caller drives, and every access through the
    /// result happens while the direct map maps the range as device memory.
    pub(crate) unsafe fn direct(range: PhysRange) -> Self {
        Self {
            base: Aarch64::direct_map(range.start).addr(),
        }
    }

    /// Takes registers that are mapped at a virtual address.
    ///
    /// # Safety
    /// As for [`direct`](Self::direct), for the mapping at `base`.
    pub(crate) const unsafe fn mapped(base: usize) -> Self {
        Self { base }
    }

    /// Returns the registers `offset` bytes further on.
    pub(crate) const fn at(self, offset: usize) -> Self {
        Self {
            base: self.base + offset,
        }
    }

    /// Reads a 32-bit register.
    #[inline]
    pub(crate) fn read(self, offset: usize) -> u32 {
        let value: u32;
        // SAFETY: the constructor's caller vouches for the mapping; device registers are no Rust memory.
        unsafe {
            asm!("ldr {value:w}, [{address}]", value = out(reg) value,
                address = in(reg) self.base + offset, options(nostack, preserves_flags));
        }
        value
    }

    /// Writes a 32-bit register.
    #[inline]
    pub(crate) fn write(self, offset: usize, value: u32) {
        // SAFETY: as for `read`.
        unsafe {
            asm!("str {value:w}, [{address}]", value = in(reg) value,
                address = in(reg) self.base + offset, options(nostack, preserves_flags));
        }
    }

    /// Reads a 64-bit register.
    pub(crate) fn read_wide(self, offset: usize) -> u64 {
        let value: u64;
        // SAFETY: as for `read`.
        unsafe {
            asm!("ldr {value}, [{address}]", value = out(reg) value,
                address = in(reg) self.base + offset, options(nostack, preserves_flags));
        }
        value
    }

    /// Writes a 64-bit register.
    pub(crate) fn write_wide(self, offset: usize, value: u64) {
        // SAFETY: as for `read`.
        unsafe {
            asm!("str {value}, [{address}]", value = in(reg) value,
                address = in(reg) self.base + offset, options(nostack, preserves_flags));
        }
    }

    /// Writes an 8-bit register.
    pub(crate) fn write_byte(self, offset: usize, value: u8) {
        // SAFETY: as for `read`.
        unsafe {
            asm!("strb {value:w}, [{address}]", value = in(reg) u32::from(value),
                address = in(reg) self.base + offset, options(nostack, preserves_flags));
        }
    }
}
