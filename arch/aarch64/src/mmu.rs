//! The paging unit: TTBR0_EL1 for programs, TTBR1_EL1 for the kernel, and TLB maintenance.
//!
//! All programs run with ASID 0. The TLB therefore never holds translations of more than the active user
//! root: a change of the root goes through the empty root and drops them. Invalidations are broadcast to all
//! CPUs of the inner shareable domain by the processor itself, whichever of them are meant: no interrupt is needed.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{PAR_EL1, TTBR0_EL1};
use aarch64_cpu::registers::{Readable, Writeable};
use hal::boot::BootInfo;
use hal::cpu::CpuSet;
use hal::paging::{Access, Paging, PteFormat};
use hal::{PAGE_SHIFT, PAGE_SIZE, PhysAddr, PhysRange, VirtAddr};

use crate::discover::Machine;
use crate::pte::Pte;
use crate::{Aarch64, boot, console, machine};

const GIB: u64 = 1 << 30;
const INDEX_BITS: u32 = 9;
const TABLE_ENTRIES: usize = 1 << INDEX_BITS;
/// TTBR0_EL1: the root's address, without ASID and CnP.
const ROOT_ADDRESS: u64 = 0x0000_ffff_ffff_fffe;
/// Operand of TLBI by address: bits 55 to 12 of the address.
const TLBI_ADDRESS: u64 = (1 << 44) - 1;

/// A table without entries, the user half of CPUs that run no program.
#[repr(C, align(4096))]
pub(crate) struct EmptyTable([u64; TABLE_ENTRIES]);

/// The root of the empty user half.
pub(crate) static EMPTY_ROOT: EmptyTable = EmptyTable([0; TABLE_ENTRIES]);

unsafe extern "C" {
    fn replace_kernel_root(root: u64);
}

impl Paging for Aarch64 {
    type Pte = Pte;

    const USER_END: u64 = 1 << 48;
    const DIRECT_MAP_BASE: u64 = 0xffff_0000_0000_0000;
    const DYNAMIC_START: u64 = 0xffff_9000_0000_0000;
    const DYNAMIC_END: u64 = 0xffff_9080_0000_0000;

    fn discover(boot: &BootInfo) {
        machine::set(match boot.device_tree {
            Some(_) => Machine::from_blob(boot::blob(boot)),
            None => Machine::last_resort(),
        });
        if let Some(console) = machine::get().console {
            let base = boot::map_early_device(console.registers.start);
            // SAFETY: the mapping just made stays until the kernel's root is activated, where the console
            // moves to the direct map.
            unsafe { console::move_to(base) };
        }
    }

    fn device_ranges() -> &'static [PhysRange] {
        machine::device_ranges()
    }

    fn direct_map(address: PhysAddr) -> *mut u8 {
        core::ptr::with_exposed_provenance_mut((Self::DIRECT_MAP_BASE + address.as_u64()) as usize)
    }

    fn boot_mapped() -> PhysRange {
        let image = boot::image();
        PhysRange {
            start: PhysAddr::new(image.start.as_u64() & !(GIB - 1)),
            end: PhysAddr::new(image.end.as_u64().next_multiple_of(GIB)),
        }
    }

    unsafe fn activate_kernel_root(root: PhysAddr) {
        let masked = crate::irq::mask();
        // SAFETY: the caller vouches for what the root maps; interrupts are masked.
        unsafe { replace_kernel_root(root.as_u64()) };
        if let Some(console) = machine::get().console {
            let base = Self::direct_map(console.registers.start).addr();
            // SAFETY: the kernel maps all `device_ranges` in the direct map as device memory.
            unsafe { console::move_to(base) };
        }
        crate::irq::restore(masked);
    }

    fn init_user_root(_root: PhysAddr) {}

    unsafe fn activate_user_root(root: PhysAddr) {
        if active_root() == root {
            return;
        }
        Self::deactivate_user_root();
        barrier::dsb(barrier::ISHST);
        TTBR0_EL1.set(root.as_u64());
        barrier::isb(barrier::SY);
    }

    fn deactivate_user_root() {
        let empty = empty_root();
        if active_root() == empty {
            return;
        }
        TTBR0_EL1.set(empty.as_u64());
        barrier::isb(barrier::SY);
        // SAFETY: drops this CPU's translations of ASID 0; the empty root needs none.
        unsafe {
            asm!(
                "tlbi aside1, xzr",
                "dsb nsh",
                "isb",
                options(nostack, preserves_flags)
            )
        }
    }

    fn active_user_root() -> Option<PhysAddr> {
        let root = active_root();
        (root != empty_root()).then_some(root)
    }

    fn flush_user_page(address: VirtAddr, cpus: CpuSet) {
        if !cpus.is_empty() {
            flush_page(address);
        }
    }

    fn flush_user(cpus: CpuSet) {
        if cpus.is_empty() {
            return;
        }
        // SAFETY: drops translations, which are found again in the tables.
        unsafe {
            asm!(
                "dsb ishst",
                "tlbi aside1is, xzr",
                "dsb ish",
                "isb",
                options(nostack, preserves_flags)
            );
        }
    }

    fn flush_kernel_page(address: VirtAddr) {
        flush_page(address);
    }

    fn sync_instruction_cache(page: PhysAddr) {
        let start = Self::direct_map(page).addr();
        let cache_type = cache_type_register();
        if cache_type & CTR_IDC == 0 {
            let line = 4 << (cache_type >> CTR_DATA_LINE_SHIFT & 0xf);
            for at in (start..start + PAGE_SIZE).step_by(line) {
                // SAFETY: cleans a line of the direct map to the point of unification.
                unsafe { asm!("dc cvau, {}", in(reg) at, options(nostack, preserves_flags)) }
            }
        }
        barrier::dsb(barrier::ISH);
        if cache_type & CTR_DIC != 0 {
            barrier::isb(barrier::SY);
            return;
        }
        if cache_type >> CTR_POLICY_SHIFT & 0b11 == CTR_POLICY_PHYSICAL {
            let line = 4 << (cache_type & 0xf);
            for at in (start..start + PAGE_SIZE).step_by(line) {
                // SAFETY: forgets a line of the instruction cache, which is fetched again.
                unsafe { asm!("ic ivau, {}", in(reg) at, options(nostack, preserves_flags)) }
            }
        } else {
            // SAFETY: forgets the instruction caches; a virtually indexed one may hold aliases.
            unsafe { asm!("ic ialluis", options(nostack, preserves_flags)) }
        }
        barrier::dsb(barrier::ISH);
        barrier::isb(barrier::SY);
    }
}

/// CTR_EL0: data need not be cleaned, and instructions need not be invalidated, for coherence of the two.
const CTR_IDC: u64 = 1 << 28;
const CTR_DIC: u64 = 1 << 29;
const CTR_DATA_LINE_SHIFT: u32 = 16;
const CTR_POLICY_SHIFT: u32 = 14;
/// Instruction caches are indexed and tagged by physical address.
const CTR_POLICY_PHYSICAL: u64 = 0b11;

/// Sets the access flag and the writable state of a user leaf on a processor that does not do so itself.
/// False when the tables do not allow the access, or note it already.
pub(crate) fn note_access(address: u64, access: Access) -> bool {
    let Some(mut table) = Aarch64::active_user_root() else {
        return false;
    };
    for level in (0..Pte::LEVELS).rev() {
        let index = address >> (PAGE_SHIFT + INDEX_BITS * u32::from(level));
        let entry = table_entry(table, index as usize % TABLE_ENTRIES);
        let raw = entry.load(Ordering::Relaxed);
        let pte = Pte::from_raw(raw);
        if !pte.is_present() {
            return false;
        }
        if !pte.is_leaf(level) {
            table = pte.address();
            continue;
        }
        let Some(noted) = pte.after_access(access) else {
            return false;
        };
        // When another CPU was faster, the access is simply tried again.
        let _ = entry.compare_exchange(raw, noted.raw(), Ordering::Relaxed, Ordering::Relaxed);
        flush_page(VirtAddr::new(address));
        return true;
    }
    false
}

/// Reports whether the kernel can read `address` as the tables stand now.
pub(crate) fn is_mapped(address: u64) -> bool {
    const FAILED: u64 = 1;
    barrier::dsb(barrier::ISHST);
    // SAFETY: asks the paging unit for a translation, which has no effect but on PAR_EL1.
    unsafe { asm!("at s1e1r, {}", "isb", in(reg) address, options(nostack, preserves_flags)) }
    PAR_EL1.get() & FAILED == 0
}

fn table_entry(table: PhysAddr, index: usize) -> &'static AtomicU64 {
    let entries = Aarch64::direct_map(table).cast::<[AtomicU64; TABLE_ENTRIES]>();
    // SAFETY: tables reachable from an active root lie in RAM, which the direct map holds, and are
    // written by whole words.
    let entries = unsafe { &*entries };
    &entries[index]
}

fn flush_page(address: VirtAddr) {
    let operand = address.as_u64() >> PAGE_SHIFT & TLBI_ADDRESS;
    // SAFETY: drops translations, which are found again in the tables.
    unsafe {
        asm!("dsb ishst", "tlbi vaae1is, {}", "dsb ish", "isb", in(reg) operand,
            options(nostack, preserves_flags));
    }
}

fn cache_type_register() -> u64 {
    let value;
    // SAFETY: reads CTR_EL0.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) value, options(nomem, nostack, preserves_flags)) }
    value
}

fn active_root() -> PhysAddr {
    PhysAddr::new(TTBR0_EL1.get() & ROOT_ADDRESS)
}

fn empty_root() -> PhysAddr {
    boot::image_address(&raw const EMPTY_ROOT)
}
