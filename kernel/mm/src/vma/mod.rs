//! A mapping: a range of user addresses with one set of properties (Linux's `vm_area_struct`).

mod mappings;

use alloc::sync::{Arc, Weak};
use core::fmt;

use bitflags::bitflags;
use los_abi::errno::Errno;
use los_abi::mm::ProtFlags;
use los_arch::hal::paging::{Access, PageFlags};
use los_arch::hal::{PAGE_SHIFT, VirtAddr};

use crate::address_space::{Accessor, AddressSpace};
use crate::pager::Pager;
use crate::policy::Policy;

pub(crate) use mappings::{GUARD_GAP_BYTES, Mappings};

/// What a mapping is for; shown by /proc/PID/maps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VmaKind {
    /// Anything.
    #[default]
    Plain,
    /// The initial stack: `[stack]`.
    Stack,
    /// The break area: `[heap]`.
    Heap,
    /// Code of the kernel for programs: `[vdso]`.
    Vdso,
    /// Data of the kernel for programs: `[vvar]`.
    Vvar,
}

bitflags! {
    /// Properties of a mapping besides protection.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Attributes: u16 {
        /// Stores reach the object.
        const SHARED = 1 << 0;
        /// Extends downwards when touched below its start.
        const GROWS_DOWN = 1 << 1;
        /// A child does not get it (MADV_DONTFORK).
        const NO_FORK = 1 << 2;
        /// A child gets it empty (MADV_WIPEONFORK).
        const WIPE_ON_FORK = 1 << 3;
        /// Stays out of core dumps (MADV_DONTDUMP).
        const NO_DUMP = 1 << 4;
        /// Not accounted as memory that will be used (MAP_NORESERVE).
        const NO_RESERVE = 1 << 5;
        /// Was mapped as a stack by MAP_STACK; says nothing.
        const STACK = 1 << 6;
        /// Stays in memory (mlock).
        const LOCKED = 1 << 7;
        /// With LOCKED: pages come when they are touched (MLOCK_ONFAULT).
        const LOCK_ON_FAULT = 1 << 8;
        /// Counts as memory that was promised (Linux's VM_ACCOUNT).
        const ACCOUNTED = 1 << 9;
        /// Stays as it is (mseal).
        const SEALED = 1 << 10;
        /// May vanish when memory is short, and is never locked (MAP_DROPPABLE).
        const DROPPABLE = 1 << 11;
    }
}

/// A pager that knows of this mapping of it.
pub(crate) struct Mapped {
    pager: Arc<dyn Pager>,
    writable_shared: bool,
    space: Weak<AddressSpace>,
}

impl Mapped {
    /// Makes a mapping known to its object.
    ///
    /// # Errors
    /// EPERM when the object refuses it.
    pub(crate) fn new(
        pager: Arc<dyn Pager>,
        writable_shared: bool,
        space: &Weak<AddressSpace>,
    ) -> Result<Self, Errno> {
        pager.mapped(writable_shared)?;
        Ok(Self::noted(pager, writable_shared, space))
    }

    /// Makes one more mapping of the kind of an existing one, which is never refused.
    fn again(&self, space: &Weak<AddressSpace>) -> Self {
        let noted = self.pager.mapped(self.writable_shared);
        debug_assert!(noted.is_ok(), "a mapping like this exists");
        Self::noted(self.pager.clone(), self.writable_shared, space)
    }

    fn noted(pager: Arc<dyn Pager>, writable_shared: bool, space: &Weak<AddressSpace>) -> Self {
        if let Some(mappings) = pager.mappings() {
            mappings.add(space);
        }
        Self {
            pager,
            writable_shared,
            space: space.clone(),
        }
    }

    pub(crate) fn pager(&self) -> &Arc<dyn Pager> {
        &self.pager
    }
}

impl Clone for Mapped {
    fn clone(&self) -> Self {
        self.again(&self.space)
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if let Some(mappings) = self.pager.mappings() {
            mappings.remove(&self.space);
        }
        self.pager.unmapped(self.writable_shared);
    }
}

/// Where the pages come from.
#[derive(Clone)]
pub(crate) enum Backing {
    /// Private memory of zeros.
    Anonymous,
    /// Pages of an object.
    Object {
        /// The object.
        mapped: Mapped,
        /// The object's page at the start of the mapping.
        page: u64,
    },
}

/// One mapping. Addresses are page-aligned and the range is not empty.
#[derive(Clone)]
pub(crate) struct Vma {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) protection: ProtFlags,
    /// What mprotect may give.
    pub(crate) max_protection: ProtFlags,
    pub(crate) attributes: Attributes,
    pub(crate) kind: VmaKind,
    pub(crate) backing: Backing,
    pub(crate) policy: Policy,
    /// What the program calls anonymous memory (PR_SET_VMA_ANON_NAME).
    pub(crate) name: Option<Arc<[u8]>>,
}

impl Vma {
    pub(crate) fn pages(&self) -> usize {
        ((self.end - self.start) >> PAGE_SHIFT) as usize
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.attributes.contains(Attributes::SHARED)
    }

    pub(crate) fn grows_down(&self) -> bool {
        self.attributes.contains(Attributes::GROWS_DOWN)
    }

    /// Reports whether it shows memory that nobody else may look at (memfd_secret(2)).
    pub(crate) fn is_secret(&self) -> bool {
        matches!(&self.backing, Backing::Object { mapped, .. } if mapped.pager().is_secret())
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.attributes.contains(Attributes::SEALED)
    }

    /// Reports whether the mapping counts as data: private and writable, and not a stack.
    pub(crate) fn is_data(&self) -> bool {
        self.is_data_with(self.protection)
    }

    /// Reports whether the mapping would count as data with another protection.
    pub(crate) fn is_data_with(&self, protection: ProtFlags) -> bool {
        !self.is_shared() && !self.grows_down() && protection.contains(ProtFlags::WRITE)
    }

    /// Reports whether the program needs memory of its own for the mapping with this protection: private,
    /// writable, and not mapped with MAP_NORESERVE.
    pub(crate) fn is_accountable_with(&self, protection: ProtFlags) -> bool {
        !self
            .attributes
            .intersects(Attributes::SHARED | Attributes::NO_RESERVE)
            && protection.contains(ProtFlags::WRITE)
    }

    /// Reports whether somebody may make an access through the mapping. Nobody else looks at secret memory, or at the
    /// kernel's own data.
    pub(crate) fn permits_to(&self, accessor: Accessor, access: Access) -> bool {
        let is_closed = || self.kind == VmaKind::Vvar || self.is_secret();
        match accessor {
            Accessor::Program => self.permits(access),
            Accessor::Other => self.permits(access) && !is_closed(),
            Accessor::Debugger if is_closed() => false,
            Accessor::Debugger => self.permits(access) || self.can_be_forced(access),
        }
    }

    /// Reports whether mprotect could permit an access, and a write would not reach an object.
    fn can_be_forced(&self, access: Access) -> bool {
        match access {
            Access::Write => !self.is_shared() && self.max_protection.contains(ProtFlags::WRITE),
            Access::Read | Access::Execute => self.max_protection.contains(ProtFlags::READ),
        }
    }

    /// Reports whether the protection permits an access. Neither machine has memory that can be written
    /// or executed but not read.
    #[inline]
    pub(crate) fn permits(&self, access: Access) -> bool {
        match access {
            Access::Read => !self.protection.is_empty(),
            Access::Write => self.protection.contains(ProtFlags::WRITE),
            Access::Execute => self.protection.contains(ProtFlags::EXEC),
        }
    }

    /// Returns the leaf flags for a page of the mapping; without `writable` a store faults first.
    #[inline]
    pub(crate) fn leaf_flags(&self, writable: bool) -> PageFlags {
        let mut flags = PageFlags::USER | PageFlags::ACCESSED;
        if !self.protection.is_empty() {
            flags |= PageFlags::READ;
        }
        if self.protection.contains(ProtFlags::EXEC) {
            flags |= PageFlags::EXECUTE;
        }
        if writable && self.protection.contains(ProtFlags::WRITE) {
            flags |= PageFlags::WRITE | PageFlags::DIRTY;
        }
        flags
    }

    /// Returns the object's page for an address in the mapping, 0 for anonymous memory.
    #[inline]
    pub(crate) fn page_index(&self, address: VirtAddr) -> u64 {
        match &self.backing {
            Backing::Anonymous => 0,
            Backing::Object { page, .. } => page + ((address.as_u64() - self.start) >> PAGE_SHIFT),
        }
    }

    /// Makes the same mapping for another space.
    pub(crate) fn clone_for(&self, space: &Weak<AddressSpace>) -> Self {
        let backing = match &self.backing {
            Backing::Anonymous => Backing::Anonymous,
            Backing::Object { mapped, page } => Backing::Object {
                mapped: mapped.again(space),
                page: *page,
            },
        };
        Self {
            backing,
            name: self.name.clone(),
            ..*self
        }
    }

    /// Cuts off the part from `at` on and returns it.
    pub(crate) fn split_off(&mut self, at: u64) -> Self {
        let mut rest = self.clone();
        rest.start = at;
        if let Backing::Object { page, .. } = &mut rest.backing {
            *page += (at - self.start) >> PAGE_SHIFT;
        }
        self.end = at;
        rest
    }

    /// Reports whether `next`, which follows at once, may become part of this mapping.
    pub(crate) fn joins(&self, next: &Self) -> bool {
        self.end == next.start
            && self.protection == next.protection
            && self.max_protection == next.max_protection
            && self.attributes == next.attributes
            && self.kind == next.kind
            && self.policy == next.policy
            && self.name == next.name
            && match (&self.backing, &next.backing) {
                (Backing::Anonymous, Backing::Anonymous) => true,
                (
                    Backing::Object { mapped, page },
                    Backing::Object {
                        mapped: other,
                        page: other_page,
                    },
                ) => Arc::ptr_eq(&mapped.pager, &other.pager) && page + self.pages() as u64 == *other_page,
                _ => false,
            }
    }
}

impl fmt::Debug for Vma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:#x}-{:#x} {:?} {:?}",
            self.start, self.end, self.protection, self.attributes
        )
    }
}
