//! The boot entry's Rust side: the image's place, the early device mapping, the device tree as `BootInfo`.

use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};

use aarch64_cpu::asm::barrier;
use hal::boot::{Boot, BootInfo};
use hal::paging::{PageFlags, Paging, PteFormat};
use hal::{PhysAddr, PhysRange};

use crate::discover::{self, BLOB_PREFIX_BYTES};
use crate::percpu::{CPUS, FAULT_STACK_BYTES, FAULT_STACK_TOP, FAULT_STACKS};
use crate::pte::Pte;
use crate::{Aarch64, mmu};

/// Bytes of the stack on which the kernel starts.
const BOOT_STACK_BYTES: usize = 64 << 10;
/// The last 2 MiB of the GiB that the boot tables map the image into.
const EARLY_DEVICE: usize = 0xffff_8000_3fe0_0000;
const EARLY_DEVICE_INDEX: usize = 511;
const BLOCK_BYTES: u64 = 2 << 20;
/// The table of 2 MiB blocks among the boot tables, in entries.
const BLOCK_TABLE: usize = 0x5000 / size_of::<u64>();

/// Where the loader put the image; stored by `boot.S`.
static IMAGE_PHYSICAL_START: AtomicU64 = AtomicU64::new(0);

global_asm!(
    include_str!("boot.S"),
    empty_root = sym mmu::EMPTY_ROOT,
    image_start = sym IMAGE_PHYSICAL_START,
    cpus = sym CPUS,
    cpu_fault_stack_top = const FAULT_STACK_TOP,
    fault_stacks = sym FAULT_STACKS,
    fault_stack_bytes = const FAULT_STACK_BYTES,
    boot_stack_bytes = const BOOT_STACK_BYTES,
);

unsafe extern "C" {
    static __kernel_start: u8;
    static __kernel_end: u8;
    static __boot_tables: AtomicU64;
}

impl Boot for Aarch64 {
    unsafe fn boot_info(argument: usize) -> BootInfo {
        let at = PhysAddr::new(argument as u64);
        // SAFETY: the caller passes on what the loader left in x0, and the boot mappings are active.
        let blob = unsafe { early_blob(at) };
        discover::boot_info(blob.unwrap_or_default(), at, image())
    }
}

/// Returns the physical address of something in the kernel image.
pub(crate) fn image_address<T>(place: *const T) -> PhysAddr {
    let offset = place.addr() - (&raw const __kernel_start).addr();
    image().start + offset as u64
}

/// Returns the physical range of the kernel image.
pub(crate) fn image() -> PhysRange {
    let bytes = (&raw const __kernel_end).addr() - (&raw const __kernel_start).addr();
    let start = IMAGE_PHYSICAL_START.load(Ordering::Relaxed);
    PhysRange::from_start_len(start, bytes as u64)
}

/// Maps the 2 MiB round a device register while the boot tables are active, and returns the register's
/// address; a second call moves the mapping.
pub(crate) fn map_early_device(register: PhysAddr) -> usize {
    let offset = register.as_u64() % BLOCK_BYTES;
    let block = PhysAddr::new(register.as_u64() - offset);
    let flags = PageFlags::READ | PageFlags::WRITE | PageFlags::DEVICE | PageFlags::GLOBAL;
    // SAFETY: the linker script reserves the tables; the entry lies in the table of 2 MiB blocks.
    let entry = unsafe { (&raw const __boot_tables).add(BLOCK_TABLE + EARLY_DEVICE_INDEX) };
    // SAFETY: as above; boot.S is done with the tables, and only atomics touch them from here on.
    let entry = unsafe { &*entry };
    entry.store(0, Ordering::Relaxed);
    Aarch64::flush_kernel_page(hal::VirtAddr::new(EARLY_DEVICE as u64));
    entry.store(Pte::leaf(block, flags, 1).raw(), Ordering::Relaxed);
    barrier::dsb(barrier::ISHST);
    barrier::isb(barrier::SY);
    EARLY_DEVICE + offset as usize
}

/// Returns the device tree blob at `at`, if there is one.
///
/// # Safety
/// `at` is 0 or an address that the boot entry has mapped, with 2 MiB behind it.
unsafe fn early_blob(at: PhysAddr) -> Option<&'static [u8]> {
    if at.as_u64() == 0 || !at.as_u64().is_multiple_of(size_of::<u64>() as u64) {
        return None;
    }
    let start = Aarch64::direct_map(at).cast_const();
    // SAFETY: the caller says that the address is mapped.
    let prefix: [u8; BLOB_PREFIX_BYTES] = unsafe { start.cast::<[u8; BLOB_PREFIX_BYTES]>().read() };
    let bytes = discover::blob_bytes(prefix)?;
    // SAFETY: `blob_bytes` allows no more than the 2 MiB that are mapped; nobody writes the blob.
    Some(unsafe { core::slice::from_raw_parts(start, bytes) })
}

/// Returns the blob that [`Boot::boot_info`] has found.
pub(crate) fn blob(boot: &BootInfo) -> &'static [u8] {
    let Some(range) = boot.device_tree else {
        return &[];
    };
    let start = Aarch64::direct_map(range.start).cast_const();
    // SAFETY: the range is the one that `early_blob` has accepted, and the boot mappings are active.
    unsafe { core::slice::from_raw_parts(start, range.len() as usize) }
}
