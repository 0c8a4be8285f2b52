//! I/O ports and device registers as values, so that the promise about the device is made once.

use core::sync::atomic::{Ordering, fence};

use hal::PhysAddr;
use hal::paging::Paging;
use x86_64::instructions::port::Port;

use crate::X86_64;
use crate::acpi::Register;

/// A device register in I/O space.
#[derive(Clone, Copy)]
pub(crate) struct IoPort(u16);

impl IoPort {
    /// Names a port.
    ///
    /// # Safety
    /// Reading or writing the port makes no device write to memory.
    pub(crate) const unsafe fn new(port: u16) -> Self {
        Self(port)
    }

    /// Reads a byte.
    pub(crate) fn read_u8(self) -> u8 {
        // SAFETY: promised at `new`.
        unsafe { Port::new(self.0).read() }
    }

    /// Writes a byte.
    pub(crate) fn write_u8(self, value: u8) {
        // SAFETY: promised at `new`.
        unsafe { Port::new(self.0).write(value) }
    }

    /// Reads a 16-bit word.
    pub(crate) fn read_u16(self) -> u16 {
        // SAFETY: promised at `new`.
        unsafe { Port::new(self.0).read() }
    }

    /// Writes a 16-bit word.
    pub(crate) fn write_u16(self, value: u16) {
        // SAFETY: promised at `new`.
        unsafe { Port::new(self.0).write(value) }
    }
}

/// A 32-bit device register in memory, reached through the direct map.
#[derive(Clone, Copy)]
pub(crate) struct Mmio(PhysAddr);

impl Mmio {
    /// Names a register.
    ///
    /// # Safety
    /// The address is one of a device's registers, lies in a range of `device_ranges`, and accesses make no
    /// device write to memory.
    pub(crate) const unsafe fn new(address: u64) -> Self {
        Self(PhysAddr::new(address))
    }

    /// Reads the register.
    pub(crate) fn read(self) -> u32 {
        let register = X86_64::direct_map(self.0).cast::<u32>();
        // SAFETY: promised at `new`; the direct map covers the device ranges.
        unsafe { register.read_volatile() }
    }

    /// Writes the register.
    pub(crate) fn write(self, value: u32) {
        let register = X86_64::direct_map(self.0).cast::<u32>();
        // SAFETY: as in `read`.
        unsafe { register.write_volatile(value) }
    }

    fn write_u8(self, value: u8) {
        let register = X86_64::direct_map(self.0);
        // SAFETY: as in `read`.
        unsafe { register.write_volatile(value) }
    }
}

/// Writes a byte to a register that ACPI describes.
///
/// # Safety
/// As for [`IoPort::new`] or [`Mmio::new`].
pub(crate) unsafe fn write_register(register: Register, value: u8) {
    fence(Ordering::SeqCst);
    match register {
        // SAFETY: passed on to the caller.
        Register::Port(port) => unsafe { IoPort::new(port) }.write_u8(value),
        // SAFETY: passed on to the caller.
        Register::Memory(address) => unsafe { Mmio::new(address) }.write_u8(value),
    }
}
