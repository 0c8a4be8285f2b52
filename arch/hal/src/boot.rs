//! What a boot protocol hands over, in one form for all of them (PVH, the arm64 Image, Limine).

use arrayvec::ArrayVec;

use crate::addr::{PhysAddr, PhysRange};

/// Most memory regions that a boot protocol may report; the rest is dropped with a warning.
pub const MAX_MEMORY_REGIONS: usize = 64;

/// The machine as the boot protocol described it. Ranges are physical and may be unsorted.
#[derive(Clone, Debug, Default)]
pub struct BootInfo {
    /// The protocol's name for the boot log: `PVH`, `arm64 Image`, `Limine`.
    pub protocol: &'static str,
    /// Usable RAM. What else this structure names may lie inside and must be reserved.
    pub memory: ArrayVec<PhysRange, MAX_MEMORY_REGIONS>,
    /// RAM that must never be handed out (firmware, memreserve entries).
    pub reserved: ArrayVec<PhysRange, MAX_MEMORY_REGIONS>,
    /// The kernel image, from its first to its last byte with bss.
    pub kernel: PhysRange,
    /// The initramfs, if one was given.
    pub initramfs: Option<PhysRange>,
    /// The device tree blob, if the machine has one.
    pub device_tree: Option<PhysRange>,
    /// The ACPI root pointer, if the machine has one.
    pub rsdp: Option<PhysAddr>,
    /// The kernel command line, without a terminating NUL.
    pub command_line: &'static [u8],
}

/// The machine's own boot entry, which calls `kernel_main(argument)` in the kernel binary.
pub trait Boot {
    /// Translates what the loader handed over; memory is empty when it described none.
    ///
    /// # Safety
    /// `argument` is what the machine's boot entry passed to `kernel_main`, and the boot mappings are
    /// still active: the loader's structures are read through them.
    #[expect(unsafe_code, reason = "states a duty of the caller")]
    unsafe fn boot_info(argument: usize) -> BootInfo;
}
