//! Demand paging: what happens when a program, or the kernel on its behalf, touches a page that its tables
//! do not allow yet.

use core::ops::Range;

use los_abi::errno::Errno;
use los_arch::hal::paging::{Access, PageFlags, leaf_index};
use los_arch::hal::prelude::*;
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE, PhysAddr, VirtAddr};
use los_arch::{Current, Pte};

use super::guard::Guards;
use super::lock::Locking;
use super::protect::{is_only_owner, with_frame};
use super::{AddressSpace, Inner, Limits, Resident, is_zero_frame, lowest_address, zero_frame};
use crate::commit;
use crate::frames::{self, Frame};
use crate::pager::{Pager, PagerError};
use crate::tables::Tables;
use crate::vma::{Attributes, Backing, GUARD_GAP_BYTES, Mappings, Vma};

/// A fault on a page of an object maps the neighbours that are in memory, within an aligned block of this
/// many pages (as Linux's `fault_around_bytes`).
const AROUND_PAGES: u64 = 16;

/// On whose behalf a page is accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accessor {
    /// The program itself, or the kernel for it.
    Program,
    /// Another program that may do no more than the program itself.
    Other,
    /// A debugger, which may do whatever mprotect could make possible; what it writes stays the program's own
    /// (Linux's FOLL_FORCE).
    Debugger,
}

/// Why an access cannot succeed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultError {
    /// Nothing is mapped there: SIGSEGV, SEGV_MAPERR.
    NotMapped,
    /// The mapping does not permit the access: SIGSEGV, SEGV_ACCERR.
    NotAllowed,
    /// The object has no such page: SIGBUS, BUS_ADRERR.
    BeyondEnd,
    /// There is no memory.
    NoMemory,
}

impl From<Errno> for FaultError {
    fn from(errno: Errno) -> Self {
        if errno == Errno::ENOMEM {
            Self::NoMemory
        } else {
            Self::BeyondEnd
        }
    }
}

impl From<PagerError> for FaultError {
    fn from(error: PagerError) -> Self {
        match error {
            PagerError::BeyondEnd => Self::BeyondEnd,
            PagerError::Errno(errno) => errno.into(),
        }
    }
}

impl AddressSpace {
    /// Makes an access possible, if the program may make it.
    ///
    /// # Errors
    /// As [`FaultError`] says; never panics, whatever the address.
    pub fn handle_fault(&self, address: VirtAddr, access: Access) -> Result<(), FaultError> {
        let mut inner = self.inner.lock();
        inner.fault(address.page_base(), access, Accessor::Program, self)
    }

    /// Makes an access to a page possible and lets `look` at its frame, with the space locked.
    pub(crate) fn with_page<R>(
        &self,
        page: VirtAddr,
        access: Access,
        accessor: Accessor,
        look: impl FnOnce(&Frame) -> R,
    ) -> Result<R, FaultError> {
        let mut inner = self.inner.lock();
        if !inner.allows(page, access, accessor) {
            inner.fault(page, access, accessor, self)?;
        }
        let leaf = inner
            .table
            .query(&inner.tables, page)
            .ok_or(FaultError::NotMapped)?;
        let told = with_frame(leaf.phys, look);
        if access == Access::Write && leaf.flags.contains(PageFlags::EXECUTE) {
            with_frame(leaf.phys, Frame::synchronise_instructions);
        }
        Ok(told)
    }
}

impl Inner {
    fn fault(
        &mut self,
        page: VirtAddr,
        access: Access,
        accessor: Accessor,
        space: &AddressSpace,
    ) -> Result<(), FaultError> {
        let at = page.as_u64();
        let Self {
            mappings,
            table,
            tables,
            resident,
            limits,
            locking,
            guards,
            ..
        } = self;
        let vma = match mappings.find(at) {
            Some(vma) => vma,
            None => {
                grow_stack(mappings, limits, locking, at)?;
                mappings.find(at).ok_or(FaultError::NotMapped)?
            }
        };
        if !vma.permits_to(accessor, access) {
            return Err(FaultError::NotAllowed);
        }
        if guards.contains(at) {
            return Err(FaultError::NotMapped);
        }
        let leaves = table
            .leaf_table(tables, page, true)
            .map_err(|_| FaultError::NoMemory)?;
        let mut fault = Fault {
            vma,
            page,
            access,
            leaves,
            tables,
            resident,
            guards,
            space,
        };
        let entry = Pte::from_raw(fault.tables.read_entry(leaves, leaf_index(page)));
        if entry.is_present() {
            fault.resolve_present(entry)
        } else {
            fault.resolve_absent()
        }
    }

    /// Reports whether the tables allow an access as they are.
    fn allows(&self, page: VirtAddr, access: Access, accessor: Accessor) -> bool {
        let needed = needed_flags(access);
        let allowed = self
            .table
            .query(&self.tables, page)
            .is_some_and(|leaf| leaf.flags.contains(needed));
        allowed
            && self
                .mappings
                .find(page.as_u64())
                .is_some_and(|vma| vma.permits(access) && vma.permits_to(accessor, access))
    }
}

/// Extends the stack above an unmapped page down to it (Linux's `expand_stack`).
#[cold]
fn grow_stack(
    mappings: &mut Mappings,
    limits: &Limits,
    locking: &Locking,
    page: u64,
) -> Result<(), FaultError> {
    let above = mappings
        .ending_above(page)
        .filter(|vma| may_grow(vma))
        .ok_or(FaultError::NotMapped)?;
    let (start, end) = (above.start, above.end);
    let guarded = mappings.ending_below(page).is_some_and(|vma| {
        !vma.grows_down() && !vma.protection.is_empty() && page - vma.end < GUARD_GAP_BYTES
    });
    let grown = (start - page) >> PAGE_SHIFT;
    let (accounted, locked) = (
        above.attributes.contains(Attributes::ACCOUNTED),
        above.attributes.contains(Attributes::LOCKED),
    );
    let totals = mappings.totals();
    let too_large = end - page > limits.stack
        || totals.pages as u64 + grown > limits.address_space >> PAGE_SHIFT
        || locked && !locking.permits(limits, totals.locked as u64 + grown)
        || accounted && commit::check(grown as usize).is_err();
    if guarded || too_large || page < lowest_address() || !frames::headroom() {
        return Err(FaultError::NotMapped);
    }
    mappings.grow_down(start, page);
    Ok(())
}

fn may_grow(vma: &Vma) -> bool {
    vma.grows_down() && matches!(vma.backing, Backing::Anonymous)
}

fn needed_flags(access: Access) -> PageFlags {
    match access {
        Access::Read => PageFlags::READ,
        Access::Write => PageFlags::READ | PageFlags::WRITE,
        Access::Execute => PageFlags::READ | PageFlags::EXECUTE,
    }
}

/// A permitted access that is being made possible: the mapping, and the table that holds its leaf.
struct Fault<'a> {
    vma: &'a Vma,
    page: VirtAddr,
    access: Access,
    leaves: PhysAddr,
    tables: &'a mut Tables,
    resident: &'a mut Resident,
    guards: &'a Guards,
    /// Whose caches have to forget what is replaced.
    space: &'a AddressSpace,
}

impl Fault<'_> {
    /// Handles a page without a leaf.
    fn resolve_absent(&mut self) -> Result<(), FaultError> {
        let write = self.access == Access::Write;
        match &self.vma.backing {
            Backing::Anonymous if write => self.map(frames::allocate()?, true),
            Backing::Anonymous => {
                let zero = zero_frame()?.clone();
                self.write_leaf(self.page, zero, self.vma.leaf_flags(false));
            }
            Backing::Object { mapped, .. } => self.resolve_object(&**mapped.pager(), write)?,
        }
        Ok(())
    }

    fn resolve_object(&mut self, pager: &dyn Pager, write: bool) -> Result<(), FaultError> {
        let shared = self.vma.is_shared();
        let told = if shared { self.access } else { Access::Read };
        let frame = pager.page(self.vma.page_index(self.page), told)?;
        if write && !shared {
            let copy = frames::allocate_uninit()?;
            copy.copy_from(&frame);
            self.map(copy, true);
            return Ok(());
        }
        let writable = shared && (write || !pager.write_protect_on_read());
        self.map(frame, writable);
        if !write {
            self.map_around(pager, writable);
        }
        Ok(())
    }

    /// Handles a page whose leaf does not allow the access.
    fn resolve_present(&mut self, entry: Pte) -> Result<(), FaultError> {
        if entry.flags().contains(needed_flags(self.access)) {
            // Another thread was faster, or the processor has kept an old translation.
            self.forget();
            return Ok(());
        }
        let (phys, write) = (entry.address(), self.access == Access::Write);
        match &self.vma.backing {
            Backing::Object { mapped, .. } if self.vma.is_shared() => {
                let frame = mapped.pager().page(self.vma.page_index(self.page), self.access)?;
                self.replace(phys, frame, write || !mapped.pager().write_protect_on_read());
            }
            _ if write && !is_only_owner(phys) => {
                let copy = if is_zero_frame(phys) {
                    self.resident.add();
                    frames::allocate()?
                } else {
                    let copy = frames::allocate_uninit()?;
                    with_frame(phys, |original| copy.copy_from(original));
                    copy
                };
                self.replace(phys, copy, true);
            }
            _ => {
                let same = with_frame(phys, Frame::clone);
                self.replace(phys, same, write);
            }
        }
        Ok(())
    }

    /// Maps the neighbours of a page that their object has in memory.
    fn map_around(&mut self, pager: &dyn Pager, writable: bool) {
        for neighbour in self.block_around() {
            let page = VirtAddr::new(neighbour);
            let entry = self.tables.read_entry(self.leaves, leaf_index(page));
            if Pte::from_raw(entry).is_present() || self.guards.contains(neighbour) {
                continue;
            }
            if let Some(frame) = pager.cached(self.vma.page_index(page)) {
                self.resident.add();
                self.write_leaf(page, frame, self.vma.leaf_flags(writable));
            }
        }
    }

    /// Returns the pages of the mapping in the aligned block around the page. One table holds their leaves.
    fn block_around(&self) -> impl Iterator<Item = u64> + use<> {
        let block = AROUND_PAGES * PAGE_SIZE as u64;
        let start = self.page.as_u64() & !(block - 1);
        let within: Range<u64> = start.max(self.vma.start)..(start + block).min(self.vma.end);
        within.step_by(PAGE_SIZE)
    }

    /// Maps a frame where nothing was. No processor remembers the absence of a translation.
    fn map(&mut self, frame: Frame, writable: bool) {
        self.resident.add();
        self.write_leaf(self.page, frame, self.vma.leaf_flags(writable));
    }

    /// Maps a frame where `old` was.
    fn replace(&mut self, old: PhysAddr, frame: Frame, writable: bool) {
        self.write_leaf(self.page, frame, self.vma.leaf_flags(writable));
        self.forget();
        // SAFETY: the leaf that held this reference was overwritten, and its translation forgotten.
        drop(unsafe { Frame::from_phys(old) });
    }

    #[inline]
    fn write_leaf(&mut self, page: VirtAddr, frame: Frame, flags: PageFlags) {
        if flags.contains(PageFlags::EXECUTE) {
            frame.synchronise_instructions();
        }
        let leaf = Pte::leaf(frame.into_phys(), flags, 0);
        self.tables.write_entry(self.leaves, leaf_index(page), leaf.raw());
    }

    fn forget(&self) {
        Current::flush_user_page(self.page, self.space.active_cpus());
    }
}
