//! The mock's paging unit: roots, and a translation cache that keeps what it has seen until it is told to
//! forget, so that a missing flush shows up as a stale access.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::HashMap;

use hal::boot::BootInfo;
use hal::cpu::{Cpu, CpuSet};
use hal::paging::{Leaf, PageTable, Paging, TableMemory};
use hal::{PAGE_SIZE, PhysAddr, PhysRange, VirtAddr};

use crate::record::note;
use crate::{Mock, MockPte, RAM_BASE, RAM_BYTES, ram};

/// First root entry of the kernel half.
const KERNEL_ROOT_ENTRIES: core::ops::Range<usize> = 256..512;

/// The kernel's root, 0 before it is set. One for all threads, as RAM is.
static KERNEL_ROOT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static USER_ROOT: Cell<Option<PhysAddr>> = const { Cell::new(None) };
    static CACHED: RefCell<HashMap<VirtAddr, Leaf>> = RefCell::default();
}

impl Paging for Mock {
    type Pte = MockPte;

    const USER_END: u64 = 0x0000_7fff_ffff_f000;
    const DIRECT_MAP_BASE: u64 = 0xffff_8880_0000_0000;
    const DYNAMIC_START: u64 = 0xffff_c900_0000_0000;
    const DYNAMIC_END: u64 = Self::DYNAMIC_START + (1 << 34);

    fn discover(_boot: &BootInfo) {}

    fn device_ranges() -> &'static [PhysRange] {
        const DEVICES: [PhysRange; 1] = [PhysRange::from_start_len(0x0900_0000, 0x1000)];
        &DEVICES
    }

    fn direct_map(address: PhysAddr) -> *mut u8 {
        ram::pointer(address)
    }

    /// Leaves the upper half out, as a machine whose boot mappings do not reach all of its RAM.
    fn boot_mapped() -> PhysRange {
        PhysRange::from_start_len(0, RAM_BASE + RAM_BYTES / 2)
    }

    #[expect(unsafe_code, reason = "the contract's signature; nothing unsafe is done")]
    unsafe fn activate_kernel_root(root: PhysAddr) {
        KERNEL_ROOT.store(root.as_u64(), Ordering::SeqCst);
    }

    fn init_user_root(root: PhysAddr) {
        let kernel_root = KERNEL_ROOT.load(Ordering::SeqCst);
        if kernel_root == 0 {
            return;
        }
        for index in KERNEL_ROOT_ENTRIES {
            let offset = index as u64 * 8;
            ram::store_u64(root + offset, ram::load_u64(PhysAddr::new(kernel_root) + offset));
        }
    }

    #[expect(unsafe_code, reason = "the contract's signature; nothing unsafe is done")]
    unsafe fn activate_user_root(root: PhysAddr) {
        note(|record| record.activated_roots.push(root));
        USER_ROOT.set(Some(root));
        CACHED.with_borrow_mut(HashMap::clear);
    }

    fn deactivate_user_root() {
        USER_ROOT.set(None);
        CACHED.with_borrow_mut(HashMap::clear);
    }

    fn active_user_root() -> Option<PhysAddr> {
        USER_ROOT.get()
    }

    fn flush_user_page(address: VirtAddr, cpus: CpuSet) {
        note_others(cpus);
        if cpus.contains(Self::cpu_index()) {
            note(|record| record.flushed_user_pages.push(address.page_base()));
            CACHED.with_borrow_mut(|cached| cached.remove(&address.page_base()));
        }
    }

    fn flush_user(cpus: CpuSet) {
        note_others(cpus);
        if cpus.contains(Self::cpu_index()) {
            note(|record| record.user_flushes += 1);
            CACHED.with_borrow_mut(HashMap::clear);
        }
    }

    fn flush_kernel_page(address: VirtAddr) {
        note(|record| record.flushed_kernel_pages.push(address.page_base()));
    }

    fn sync_instruction_cache(page: PhysAddr) {
        note(|record| record.synchronised_pages.push(page));
    }
}

/// Notes which other CPUs a flush is for.
fn note_others(cpus: CpuSet) {
    let others = cpus.without(Mock::cpu_index());
    if !others.is_empty() {
        note(|record| record.flushed_elsewhere.push(others));
    }
}

/// Translates a user address as the processor would: from the cache if it is there, else by a walk.
pub(crate) fn translate(address: VirtAddr) -> Option<Leaf> {
    if address.as_u64() >= Mock::USER_END {
        return None;
    }
    let page = address.page_base();
    if let Some(leaf) = CACHED.with_borrow(|cached| cached.get(&page).copied()) {
        return Some(leaf);
    }
    let leaf = PageTable::<MockPte>::from_root(USER_ROOT.get()?).query(&Tables, page)?;
    CACHED.with_borrow_mut(|cached| cached.insert(page, leaf));
    Some(leaf)
}

/// Tables in fake RAM, as the page-table walker of the processor reads them.
struct Tables;

impl TableMemory for Tables {
    fn allocate_table(&mut self) -> Option<PhysAddr> {
        None
    }

    fn free_table(&mut self, _table: PhysAddr) {}

    fn read_entry(&self, table: PhysAddr, index: usize) -> u64 {
        assert!(index < PAGE_SIZE / 8);
        ram::load_u64(table + index as u64 * 8)
    }

    fn write_entry(&mut self, table: PhysAddr, index: usize, raw: u64) {
        ram::store_u64(table + index as u64 * 8, raw);
    }
}
