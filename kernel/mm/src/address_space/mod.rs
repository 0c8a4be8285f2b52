//! The address space of a program: its mappings, its page tables, and the CPU that runs it.
//!
//! [`map`](self) (map, unmap, break), `protect`, `advise`, `fault` (demand paging), `fork` and `account` are
//! the operations; all of them lock [`Inner`]. Every user page is in a mapping, every user leaf holds one
//! reference of its frame.

mod account;
mod advise;
mod barrier;
mod discard;
mod dump;
mod exec_gain;
mod fault;
mod fork;
mod futex;
mod guard;
mod lock;
mod lowest;
mod map;
mod name;
mod placement;
mod protect;
mod remap;
mod remap_file;
mod residency;
mod seal;
#[cfg(test)]
mod tests;
mod usage;
mod zap;

use alloc::sync::{Arc, Weak};
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};

use los_abi::errno::Errno;
use los_arch::hal::cpu::{CpuSet, MAX_CPUS};
use los_arch::hal::paging::PageTable;
use los_arch::hal::prelude::*;
use los_arch::hal::{PAGE_SIZE, PhysAddr, VirtAddr};
use los_arch::{Current, Pte};
use sync::{Mutex, PerCpu, Rank, Shared, Users};

use crate::frames::{self, Frame};
use crate::tables::{self, Tables};
use crate::vma::{GUARD_GAP_BYTES, Mappings};

pub use account::{SpaceStatistics, VmaInfo};
pub use barrier::{BarrierError, order_all};
pub use exec_gain::ExecGain;
pub use fault::{Accessor, FaultError};
pub use fork::ForkPolicy;
pub use futex::FutexKey;
pub use lock::{LockMode, Locker};
pub use lowest::{lowest_address, set_lowest_address};
pub use map::{MapRequest, Source};
pub use remap::RemapRequest;
pub use usage::{FrameNumbers, VmaUsage};

/// Most mappings of one address space: `vm.max_map_count`, with Linux's default.
static MAX_MAPPINGS: AtomicUsize = AtomicUsize::new(65530);
/// Bytes between the end of the user half and where mappings are placed, for the stack.
const STACK_ROOM_BYTES: u64 = 128 << 20;

/// Returns how many mappings an address space may have.
pub fn max_mappings() -> usize {
    MAX_MAPPINGS.load(Ordering::Relaxed)
}

/// Changes how many mappings an address space may have; those that are there stay.
pub fn set_max_mappings(count: usize) {
    MAX_MAPPINGS.store(count, Ordering::Relaxed);
}

/// Limits of a process that memory operations observe, in bytes; `u64::MAX` is unlimited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// RLIMIT_AS: all mappings together.
    pub address_space: u64,
    /// RLIMIT_DATA: private writable mappings and the break area.
    pub data: u64,
    /// RLIMIT_STACK: how far a stack grows.
    pub stack: u64,
    /// RLIMIT_MEMLOCK: all that is locked in memory.
    pub locked: u64,
}

impl Default for Limits {
    /// No limits but those of the stack and of locked memory, 8 MiB each.
    fn default() -> Self {
        Self {
            address_space: u64::MAX,
            data: u64::MAX,
            stack: 8 << 20,
            locked: 8 << 20,
        }
    }
}

/// The user half of a virtual address space. Shared by the threads that run in it.
pub struct AddressSpace {
    root: PhysAddr,
    /// Number of processes that use it.
    users: Users,
    /// On which CPUs it is active: their caches may hold its translations.
    active_on: AtomicU64,
    inner: Mutex<Inner>,
    barriers: barrier::Registrations,
    /// Where the vDSO is, which mremap may move; 0 before there is one.
    vdso: AtomicU64,
}

/// What the lock protects.
struct Inner {
    /// The space itself, for objects that are mapped in it.
    space: Weak<AddressSpace>,
    mappings: Mappings,
    table: PageTable<Pte>,
    tables: Tables,
    limits: Limits,
    /// Start and end of the break area.
    break_start: u64,
    break_end: u64,
    resident: Resident,
    locking: lock::Locking,
    exec_gain: ExecGain,
    guards: guard::Guards,
}

/// Number of leaves, not counting those of the zero frame.
#[derive(Clone, Copy, Debug, Default)]
struct Resident {
    pages: usize,
    peak: usize,
}

/// By CPU: the space whose user half is active, an `Arc` in raw form; null for none.
static ACTIVE: PerCpu<AtomicPtr<AddressSpace>> =
    PerCpu::new([const { AtomicPtr::new(ptr::null_mut()) }; MAX_CPUS]);

impl AddressSpace {
    /// One past the highest address that a program may map.
    pub const USER_END: u64 = Current::USER_END;

    /// Makes an address space without mappings.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new() -> Result<Arc<Self>, Errno> {
        let root = tables::allocate_table().ok_or(Errno::ENOMEM)?;
        Current::init_user_root(root);
        let mappings = Mappings::new(Current::USER_END - STACK_ROOM_BYTES - GUARD_GAP_BYTES);
        Ok(Arc::new_cyclic(|space| {
            let inner = Inner {
                space: space.clone(),
                mappings,
                table: PageTable::from_root(root),
                tables: Tables::default(),
                limits: Limits::default(),
                break_start: 0,
                break_end: 0,
                resident: Resident::default(),
                locking: lock::Locking::default(),
                exec_gain: ExecGain::default(),
                guards: guard::Guards::default(),
            };
            Self {
                root,
                users: Users::new(),
                active_on: AtomicU64::new(0),
                inner: Mutex::new(Rank::AddressSpace, inner),
                barriers: barrier::Registrations::default(),
                vdso: AtomicU64::new(0),
            }
        }))
    }

    /// Makes this the user half of the CPU, which keeps a reference until another space is activated or
    /// [`deactivate`](Self::deactivate) is called. Interrupts are masked or nothing can be scheduled.
    #[inline]
    pub fn activate(self: &Arc<Self>) {
        if self.is_active() {
            return;
        }
        let slot = ACTIVE.current();
        // Before the first translation is looked up: who changes the tables from now on tells this CPU.
        let own = CpuSet::only(Current::cpu_index()).bits();
        self.active_on.fetch_or(own, Ordering::SeqCst);
        // SAFETY: the root was prepared by `new`. It stays allocated: the slot's reference, taken here, is
        // given up only after another root was activated or none is.
        unsafe { Current::activate_user_root(self.root) };
        let old = slot.swap(Arc::into_raw(self.clone()).cast_mut(), Ordering::AcqRel);
        drop_active(old);
    }

    /// Empties the user half of the CPU and lets go of the space that was active. A process calls it when
    /// it exits, so that its memory is freed in its own time.
    pub fn deactivate() {
        Current::deactivate_user_root();
        drop_active(ACTIVE.current().swap(ptr::null_mut(), Ordering::AcqRel));
    }

    /// Reports whether this is the user half of the CPU.
    #[inline]
    pub fn is_active(&self) -> bool {
        Current::active_user_root() == Some(self.root)
    }

    /// Returns the CPUs whose caches may hold translations of what the tables held before the latest change.
    fn active_cpus(&self) -> CpuSet {
        // Orders the change of the tables before the look; pairs with the exchange in `activate`.
        fence(Ordering::SeqCst);
        let cpus = CpuSet::from_bits(self.active_on.load(Ordering::SeqCst));
        match self.is_active() {
            // Only on a host, where threads share the slot of their common CPU, may it be missing.
            true => cpus.with(Current::cpu_index()),
            false => cpus,
        }
    }

    /// Returns where the vDSO is; 0 before there is one.
    pub fn vdso(&self) -> u64 {
        self.vdso.load(Ordering::Relaxed)
    }

    /// Notes where the vDSO has been mapped.
    pub fn set_vdso(&self, address: u64) {
        self.vdso.store(address, Ordering::Relaxed);
    }

    /// Sets the limits for later operations.
    pub fn set_limits(&self, limits: Limits) {
        self.inner.lock().limits = limits;
    }

    /// Sets the address below which mappings are placed; for exec, before there are any.
    pub fn set_mmap_base(&self, base: u64) {
        self.inner
            .lock()
            .mappings
            .set_base(base.min(Current::USER_END) & !(PAGE_SIZE as u64 - 1));
    }

    /// Runs a change of the mappings with what it needs to know about caches of translations.
    fn with<R>(&self, change: impl FnOnce(&mut Inner, &mut zap::Flush) -> R) -> R {
        let mut inner = self.inner.lock();
        // Declared after the lock, so dropped (and the flush done) before it is released.
        let mut flush = zap::Flush::new(self);
        change(&mut inner, &mut flush)
    }
}

/// Lets go of a reference that [`ACTIVE`] of this CPU held, whose caches hold nothing of it any more.
fn drop_active(space: *mut AddressSpace) {
    if !space.is_null() {
        // SAFETY: the pointer was put into the slot from an `Arc` in raw form, and was taken out once.
        let space = unsafe { Arc::from_raw(space.cast_const()) };
        let own = CpuSet::only(Current::cpu_index()).bits();
        space.active_on.fetch_and(!own, Ordering::SeqCst);
    }
}

impl Shared for AddressSpace {
    fn users(&self) -> &Users {
        &self.users
    }

    /// Frees all that is mapped, whoever may be looking at the space.
    fn deserted(&self) {
        self.with(Inner::clear);
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        if self.is_active() {
            // Only on a host, where threads share the slot of their common CPU.
            Current::deactivate_user_root();
        }
        // Of a space that never had a user; there is nothing left of others.
        self.inner.get_mut().clear(&mut zap::Flush::nowhere());
        tables::free_root(self.root);
    }
}

impl fmt::Debug for AddressSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AddressSpace({:?})", self.root)
    }
}

impl Resident {
    #[inline]
    fn add(&mut self) {
        self.pages += 1;
        self.peak = self.peak.max(self.pages);
    }
}

/// Returns the frame of zeros that untouched anonymous memory reads from. Never freed.
///
/// # Errors
/// ENOMEM.
fn zero_frame() -> Result<&'static Frame, Errno> {
    static ZERO: sync::Once<Frame> = sync::Once::new();
    match ZERO.get() {
        Some(frame) => Ok(frame),
        None => {
            let frame = frames::allocate()?;
            Ok(ZERO.call_once(|| frame))
        }
    }
}

/// Reports whether a leaf maps the frame of zeros.
#[inline]
fn is_zero_frame(phys: PhysAddr) -> bool {
    zero_frame().is_ok_and(|zero| zero.phys() == phys)
}

/// Rounds up to whole pages.
fn page_align(bytes: u64) -> Option<u64> {
    VirtAddr::new(bytes).checked_page_up().map(VirtAddr::as_u64)
}
