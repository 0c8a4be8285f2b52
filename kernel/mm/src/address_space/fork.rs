//! fork: a second address space with the same contents.

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_arch::Pte;
use los_arch::hal::paging::{Leaf, LeafAction, PageFlags, leaf_index};
use los_arch::hal::prelude::*;
use los_arch::hal::{PhysAddr, VirtAddr};
use sync::Shared as _;

use super::protect::{is_only_owner, with_frame};
use super::zap::Flush;
use super::{AddressSpace, Inner, is_zero_frame};
use crate::commit;
use crate::frames::{self, Frame};
use crate::vma::{Attributes, Vma};

/// How fork duplicates private pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ForkPolicy {
    /// All are copied now.
    Eager,
    /// Both spaces map them read-only; whoever writes first gets a copy.
    #[default]
    CopyOnWrite,
}

impl AddressSpace {
    /// Makes a copy: private memory is independent, shared memory stays shared.
    ///
    /// # Errors
    /// ENOMEM; nothing is left behind then, and this space is as it was.
    pub fn fork(&self, policy: ForkPolicy) -> Result<Arc<Self>, Errno> {
        let child = Self::new()?;
        let mut child_inner = child.inner.lock();
        child.barriers.copy(&self.barriers);
        child.set_vdso(self.vdso());
        let result = self.with(|inner, flush| inner.fork_into(&mut child_inner, policy, flush));
        drop(child_inner);
        if result.is_err() {
            // What has been copied may be large: it goes as that of a user does, bit by bit.
            child.deserted();
        }
        result.map(|()| child)
    }
}

impl Inner {
    fn fork_into(&mut self, child: &mut Self, policy: ForkPolicy, flush: &mut Flush) -> Result<(), Errno> {
        child.mappings.set_base(self.mappings.base());
        child.limits = self.limits;
        child.exec_gain = self.exec_gain.inherited();
        (child.break_start, child.break_end) = (self.break_start, self.break_end);
        if !child.mappings.reserve(self.mappings.len()) {
            return Err(Errno::ENOMEM);
        }
        for vma in self.mappings.iter() {
            if vma.attributes.contains(Attributes::NO_FORK) {
                continue;
            }
            if !frames::headroom() {
                return Err(Errno::ENOMEM);
            }
            if vma.attributes.contains(Attributes::ACCOUNTED) {
                commit::check(vma.pages())?;
            }
            let mut copy = vma.clone_for(&child.space);
            copy.attributes -= Attributes::LOCKED | Attributes::LOCK_ON_FAULT;
            child.mappings.insert(copy);
            if vma.attributes.contains(Attributes::WIPE_ON_FORK) {
                continue;
            }
            child.guards.copy_from(&self.guards, vma.start..vma.end, 0)?;
            let mut copy = Copy {
                vma,
                policy,
                child,
                leaves: None,
                flush,
                failed: false,
            };
            let (start, end) = (VirtAddr::new(vma.start), VirtAddr::new(vma.end));
            self.table
                .for_each_leaf(&mut self.tables, start, end, &mut |_, leaf| copy.leaf(leaf));
            if copy.failed {
                return Err(Errno::ENOMEM);
            }
        }
        Ok(())
    }
}

/// The copying of one mapping.
struct Copy<'a, 'b, 'c> {
    vma: &'a Vma,
    policy: ForkPolicy,
    child: &'a mut Inner,
    /// The child's table that the latest leaf went to, by the first address that it covers.
    leaves: Option<(u64, PhysAddr)>,
    flush: &'b mut Flush<'c>,
    failed: bool,
}

impl Copy<'_, '_, '_> {
    /// Gives the child a leaf and says what becomes of the parent's.
    fn leaf(&mut self, leaf: Leaf) -> LeafAction {
        if self.failed || !self.flush.pass() {
            self.failed = true;
            return LeafAction::Keep;
        }
        match self.try_leaf(leaf) {
            Some(action) => action,
            None => {
                self.failed = true;
                LeafAction::Keep
            }
        }
    }

    fn try_leaf(&mut self, leaf: Leaf) -> Option<LeafAction> {
        let table = self.table_for(leaf.virt)?;
        let private = !self.vma.is_shared();
        if private && self.policy == ForkPolicy::Eager && is_only_owner(leaf.phys) {
            let copy = frames::allocate_uninit().ok()?;
            with_frame(leaf.phys, |original| copy.copy_from(original));
            if leaf.flags.contains(PageFlags::EXECUTE) {
                copy.synchronise_instructions();
            }
            self.write(table, leaf.virt, copy, leaf.flags);
            return Some(LeafAction::Keep);
        }
        let same = with_frame(leaf.phys, Frame::clone);
        let flags = if private {
            leaf.flags - PageFlags::WRITE
        } else {
            leaf.flags
        };
        self.write(table, leaf.virt, same, flags);
        if flags == leaf.flags {
            return Some(LeafAction::Keep);
        }
        self.flush.page(leaf.virt);
        Some(LeafAction::Replace(leaf.phys, flags))
    }

    /// Finds or makes the child's table for an address; leaves come in ascending order.
    fn table_for(&mut self, page: VirtAddr) -> Option<PhysAddr> {
        let covered = page.as_u64() & !(Leaf::bytes(1) - 1);
        if let Some((start, table)) = self.leaves
            && start == covered
        {
            return Some(table);
        }
        let Inner { table, tables, .. } = &mut *self.child;
        let leaves = table.leaf_table(tables, page, true).ok()?;
        self.leaves = Some((covered, leaves));
        Some(leaves)
    }

    fn write(&mut self, table: PhysAddr, page: VirtAddr, frame: Frame, flags: PageFlags) {
        if !is_zero_frame(frame.phys()) {
            self.child.resident.add();
        }
        let leaf = Pte::leaf(frame.into_phys(), flags, 0);
        self.child.tables.write_entry(table, leaf_index(page), leaf.raw());
    }
}
