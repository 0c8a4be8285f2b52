//! CR3, the TLB and the layout of virtual memory. One root serves both halves; the kernel's half of every
//! root is a copy of the kernel root's entries, which never change after start.

use core::sync::atomic::{AtomicU64, Ordering};

use hal::boot::BootInfo;
use hal::cpu::CpuSet;
use hal::paging::Paging;
use hal::{PAGE_SIZE, PhysAddr, PhysRange, VirtAddr};
use x86_64::VirtAddr as CanonicalAddress;
use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

use crate::pte::Pte;
use crate::{X86_64, discover, percpu};

/// What the boot tables map of physical memory.
const BOOT_MAPPED_BYTES: u64 = 4 << 30;
/// Entries of a root that belong to the kernel: the upper half.
const KERNEL_ENTRIES: core::ops::Range<usize> = 256..512;

/// The kernel's own root; 0 while the boot tables are active.
static KERNEL_ROOT: AtomicU64 = AtomicU64::new(0);

impl Paging for X86_64 {
    type Pte = Pte;

    const USER_END: u64 = 0x7fff_ffff_f000;
    const DIRECT_MAP_BASE: u64 = 0xffff_8880_0000_0000;
    const DYNAMIC_START: u64 = 0xffff_c900_0000_0000;
    const DYNAMIC_END: u64 = 0xffff_c980_0000_0000;

    fn discover(boot: &BootInfo) {
        discover::discover(boot);
    }

    fn device_ranges() -> &'static [PhysRange] {
        &discover::machine().device_ranges
    }

    #[inline]
    fn direct_map(address: PhysAddr) -> *mut u8 {
        (Self::DIRECT_MAP_BASE + address.as_u64()) as *mut u8
    }

    fn boot_mapped() -> PhysRange {
        PhysRange::from_start_len(0, BOOT_MAPPED_BYTES)
    }

    unsafe fn activate_kernel_root(root: PhysAddr) {
        KERNEL_ROOT.store(root.as_u64(), Ordering::Relaxed);
        // SAFETY: the caller promises that the tables map all that runs.
        unsafe { load_root(root) };
        tlb_flush_global();
    }

    fn init_user_root(root: PhysAddr) {
        let kernel = Self::direct_map(kernel_root()).cast::<u64>();
        let user = Self::direct_map(root).cast::<u64>();
        // SAFETY: the kernel root is a table of 512 entries in the direct map.
        let from = unsafe { kernel.add(KERNEL_ENTRIES.start) };
        // SAFETY: the caller's root is a table of 512 entries in the direct map.
        let to = unsafe { user.add(KERNEL_ENTRIES.start) };
        // SAFETY: both are valid for the rest of their table, and they are different tables.
        unsafe { to.copy_from_nonoverlapping(from, KERNEL_ENTRIES.len()) };
    }

    unsafe fn activate_user_root(root: PhysAddr) {
        if current_root() != root.as_u64() {
            // SAFETY: the root holds the kernel's entries, by the contract; the user half is the caller's.
            unsafe { load_root(root) };
        }
    }

    fn deactivate_user_root() {
        let kernel = kernel_root();
        if current_root() != kernel.as_u64() {
            // SAFETY: the kernel root maps all that the kernel uses.
            unsafe { load_root(kernel) };
        }
    }

    fn active_user_root() -> Option<PhysAddr> {
        let root = current_root();
        (root != kernel_root().as_u64()).then_some(PhysAddr::new(root))
    }

    #[inline]
    fn flush_user_page(address: VirtAddr, cpus: CpuSet) {
        flush(cpus, Stale::Page(address));
    }

    fn flush_user(cpus: CpuSet) {
        flush(cpus, Stale::User);
    }

    fn flush_kernel_page(address: VirtAddr) {
        flush(percpu::running(), Stale::Page(address));
    }

    /// The processor keeps instruction fetch coherent with stores.
    #[inline]
    fn sync_instruction_cache(_page: PhysAddr) {}
}

/// What CPUs must forget.
#[derive(Clone, Copy, Debug)]
enum Stale {
    /// The translation of one page.
    Page(VirtAddr),
    /// All of the user half, with its tables.
    User,
}

/// Has CPUs forget translations, this one at once. INVLPG drops what is cached of tables too (SDM volume 3, 4.10.4.1).
#[inline]
fn flush(cpus: CpuSet, stale: Stale) {
    let own = percpu::index();
    if cpus.contains(own) {
        match stale {
            Stale::Page(address) => tlb::flush(CanonicalAddress::new_truncate(address.as_u64())),
            Stale::User => tlb::flush_all(),
        }
    }
    let others = cpus.without(own);
    if !others.is_empty() {
        flush_others(others, stale);
    }
}

/// Has other CPUs forget translations, and waits for them: the one place where the interrupt for it is sent. No other
/// CPU is started yet, so that none can be meant.
#[cold]
fn flush_others(cpus: CpuSet, stale: Stale) {
    unreachable!("{stale:?} must be forgotten by {cpus:?}, which do not run");
}

/// Returns the root table that is active.
pub(crate) fn current_root() -> u64 {
    Cr3::read().0.start_address().as_u64()
}

/// Reads firmware structures through the boot mappings; false beyond them.
pub(crate) fn read_physical(address: u64, bytes: &mut [u8]) -> bool {
    let end = address.checked_add(bytes.len() as u64);
    if end.is_none_or(|end| end > BOOT_MAPPED_BYTES) {
        return false;
    }
    let source = X86_64::direct_map(PhysAddr::new(address)).cast_const();
    // SAFETY: the boot mappings cover the range; firmware structures are not written any more.
    unsafe { source.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
    true
}

fn kernel_root() -> PhysAddr {
    match KERNEL_ROOT.load(Ordering::Relaxed) {
        0 => PhysAddr::new(current_root()),
        root => PhysAddr::new(root),
    }
}

/// # Safety
/// The tables below `root` map the kernel.
unsafe fn load_root(root: PhysAddr) {
    debug_assert!(root.as_u64().is_multiple_of(PAGE_SIZE as u64));
    let frame = PhysFrame::containing_address(x86_64::PhysAddr::new_truncate(root.as_u64()));
    // SAFETY: passed on to the caller.
    unsafe { Cr3::write(frame, Cr3Flags::empty()) };
}

/// Forgets the global translations too: those of the boot tables, if they had any.
fn tlb_flush_global() {
    use x86_64::registers::control::{Cr4, Cr4Flags};
    let cr4 = Cr4::read();
    // SAFETY: without PGE the kernel runs the same; the change flushes everything (SDM volume 3, 4.10.4.1).
    unsafe { Cr4::write(cr4 - Cr4Flags::PAGE_GLOBAL) };
    // SAFETY: restores what was there.
    unsafe { Cr4::write(cr4) };
}
