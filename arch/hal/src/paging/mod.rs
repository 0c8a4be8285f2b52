//! Paging: descriptors as bit arithmetic, tables as memory that can be faked, and the few operations
//! that only the processor can do.

mod table;

use bitflags::bitflags;

pub use table::{Leaf, LeafAction, MapError, PageTable, leaf_index};

use crate::addr::{PhysAddr, PhysRange, VirtAddr};
use crate::boot::BootInfo;
use crate::cpu::CpuSet;

/// A kind of memory access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// A data read.
    Read,
    /// A data write, or a read that is part of an atomic update.
    Write,
    /// An instruction fetch.
    Execute,
}

bitflags! {
    /// What a leaf descriptor allows and how its memory behaves.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct PageFlags: u16 {
        /// Data reads. A leaf without it is not present on machines that cannot express that.
        const READ = 1 << 0;
        /// Data writes.
        const WRITE = 1 << 1;
        /// Instruction fetches.
        const EXECUTE = 1 << 2;
        /// Accessible to user mode, and then never executable by the kernel.
        const USER = 1 << 3;
        /// The same in every address space: survives a change of the user root.
        const GLOBAL = 1 << 4;
        /// Device memory: not cached, not reordered, not merged.
        const DEVICE = 1 << 5;
        /// The processor has used the page since the bit was cleared.
        const ACCESSED = 1 << 6;
        /// The processor has written the page since the bit was cleared.
        const DIRTY = 1 << 7;
    }
}

/// The machine's page-table descriptor. Levels count from the leaves: level 0 maps 4 KiB pages,
/// level 1 maps 2 MiB, level 2 maps 1 GiB; the root is level `LEVELS - 1`. A table has 512 entries.
pub trait PteFormat: Copy + Eq + core::fmt::Debug + 'static {
    /// Number of table levels.
    const LEVELS: u8;
    /// The highest level at which this machine (as it runs now) accepts a leaf.
    fn max_leaf_level() -> u8;
    /// Reads a descriptor from its memory form.
    fn from_raw(raw: u64) -> Self;
    /// Returns the memory form.
    fn raw(self) -> u64;
    /// Makes a descriptor for the table at `table`; `user` tables can hold user leaves.
    fn table(table: PhysAddr, user: bool) -> Self;
    /// Makes a leaf of `level` for the block at `block`. ACCESSED and DIRTY are set as
    /// the flags say; without READ the leaf is present to the kernel's book-keeping but faults.
    fn leaf(block: PhysAddr, flags: PageFlags, level: u8) -> Self;
    /// Reports whether the descriptor is in use (a table or a leaf).
    fn is_present(self) -> bool;
    /// Reports whether a present descriptor of `level` is a leaf.
    fn is_leaf(self, level: u8) -> bool;
    /// Returns the address of the table or block.
    fn address(self) -> PhysAddr;
    /// Returns the flags of a leaf.
    fn flags(self) -> PageFlags;
}

/// The memory that tables live in. The kernel's is the direct map; a test's is a map of arrays.
pub trait TableMemory {
    /// Allocates a zeroed table.
    fn allocate_table(&mut self) -> Option<PhysAddr>;
    /// Frees a table, which is all zero again.
    fn free_table(&mut self, table: PhysAddr);
    /// Reads entry `index` of a table.
    fn read_entry(&self, table: PhysAddr, index: usize) -> u64;
    /// Writes entry `index` of a table; ordered before a later TLB operation.
    fn write_entry(&mut self, table: PhysAddr, index: usize, raw: u64);
}

/// The layout of virtual memory and the operations on the processor's paging unit.
pub trait Paging {
    /// The descriptor format.
    type Pte: PteFormat;

    /// Lowest address that a program may map (Linux's default `mmap_min_addr`, 64 KiB).
    const USER_START: u64 = 0x1_0000;
    /// One past the highest user address (Linux's TASK_SIZE).
    const USER_END: u64;
    /// Where physical address 0 appears in the kernel's direct map.
    const DIRECT_MAP_BASE: u64;
    /// The range in which the kernel maps what needs guard pages (stacks) or has no place of its own;
    /// lies within one root entry.
    const DYNAMIC_START: u64;
    /// One past the end of the dynamic range.
    const DYNAMIC_END: u64;

    /// Learns the machine's devices from the device tree or ACPI and makes the console usable. Called
    /// once, first of all, while only the boot mappings exist.
    fn discover(boot: &BootInfo);

    /// Returns the device memory that the arch crate itself uses (interrupt controller, timer, console,
    /// clock); the kernel maps it in the direct map as device memory.
    fn device_ranges() -> &'static [PhysRange];

    /// Returns the pointer to a physical address in the direct map.
    fn direct_map(address: PhysAddr) -> *mut u8;

    /// Returns the physical ranges that the boot mappings make accessible through the direct map.
    fn boot_mapped() -> PhysRange;

    /// Switches to the kernel's own tables for good.
    ///
    /// # Safety
    /// The tables map the kernel image, the running stack, and the direct map of all memory in use.
    #[expect(unsafe_code, reason = "states a duty of the caller")]
    unsafe fn activate_kernel_root(root: PhysAddr);

    /// Prepares a zeroed root table for a user address space: where one root serves both halves, the
    /// kernel's entries are copied (they never change after start).
    fn init_user_root(root: PhysAddr);

    /// Makes the user half that of `root`, forgetting all cached user translations that need it.
    ///
    /// # Safety
    /// `root` was prepared by `init_user_root` and stays allocated while it is active.
    #[expect(unsafe_code, reason = "states a duty of the caller")]
    unsafe fn activate_user_root(root: PhysAddr);

    /// Makes the user half empty.
    fn deactivate_user_root();

    /// Returns the active user root, if any: the one place where it is kept is the processor.
    fn active_user_root() -> Option<PhysAddr>;

    /// Has the CPUs on which a user half is active forget the translation of one of its pages. None of them uses it
    /// any more when this returns.
    fn flush_user_page(address: VirtAddr, cpus: CpuSet);

    /// Has the CPUs on which a user half is active forget all its translations, and its tables. None of them uses
    /// them any more when this returns.
    fn flush_user(cpus: CpuSet);

    /// Has all CPUs forget the translation of one kernel page.
    fn flush_kernel_page(address: VirtAddr);

    /// Makes instructions written through the direct map visible to instruction fetch, for one page.
    fn sync_instruction_cache(page: PhysAddr);
}
