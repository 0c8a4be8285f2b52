//! mremap: resizes and moves mappings with their pages. Errors and their order are those of Linux's
//! `do_mremap`.

use core::ops::Range;

use los_abi::errno::Errno;
use los_abi::mm::{MapFlags, MremapFlags};
use los_arch::hal::paging::{LeafAction, PageTable, leaf_index};
use los_arch::hal::prelude::*;
use los_arch::hal::{PAGE_SHIFT, PAGE_SIZE, VirtAddr};
use los_arch::{Current, Pte};

use super::lock::LockMode;
use super::map::user_range;
use super::zap::Flush;
use super::{AddressSpace, Inner, max_mappings, page_align};
use crate::commit;
use crate::vma::{Attributes, Backing, Vma, VmaKind};

const OFFSET_MASK: u64 = PAGE_SIZE as u64 - 1;
/// Mappings that must still be possible before something moves, as in Linux.
const SPARE_MAPPINGS: usize = 5;

/// The arguments of mremap(2).
#[derive(Clone, Copy, Debug)]
pub struct RemapRequest {
    /// Start of what is mapped.
    pub address: u64,
    /// Its bytes; 0 makes a second mapping of shared memory.
    pub old_length: u64,
    /// The bytes that it is to have.
    pub new_length: u64,
    /// May it move, must it, and does the old range stay.
    pub flags: MremapFlags,
    /// Where to, with MREMAP_FIXED; a hint with MREMAP_DONTUNMAP.
    pub new_address: u64,
    /// The lowest address that may be named.
    pub lowest: u64,
}

/// What has moved or grown: the new address, and the part that is to be filled as it is locked.
struct Remapped {
    address: u64,
    fill: Range<u64>,
}

impl Remapped {
    fn at(address: u64) -> Self {
        Self { address, fill: 0..0 }
    }
}

impl AddressSpace {
    /// Resizes or moves a mapping, and returns its address.
    ///
    /// # Errors
    /// As mremap(2): EINVAL; EFAULT when the range is not one mapping; ENOMEM when it cannot grow where it is
    /// and may not move, or beyond a limit; EAGAIN beyond RLIMIT_MEMLOCK; EPERM below the lowest address.
    pub fn remap(&self, request: RemapRequest) -> Result<u64, Errno> {
        let request = request.checked()?;
        let remapped = self.with(|inner, flush| {
            if request.has_place() && inner.mappings.len() + SPARE_MAPPINGS >= max_mappings()
                || !inner.mappings.reserve(SPARE_MAPPINGS)
            {
                return Err(Errno::ENOMEM);
            }
            if request.flags.contains(MremapFlags::FIXED) && request.old_length == request.new_length {
                inner.remap_all(&request, flush)
            } else {
                inner.remap(&request, flush)
            }
        })?;
        if request.old().contains(&self.vdso()) {
            // Handlers return to where it is now.
            self.set_vdso(self.vdso() - request.address + remapped.address);
        }
        self.populate(remapped.fill);
        Ok(remapped.address)
    }
}

impl RemapRequest {
    /// Checks what can be told without looking at the mappings, and rounds the lengths.
    fn checked(mut self) -> Result<Self, Errno> {
        let known = MremapFlags::MAYMOVE | MremapFlags::FIXED | MremapFlags::DONTUNMAP;
        // Lengths that wrap when they are rounded are 0 to Linux.
        self.old_length = page_align(self.old_length).unwrap_or(0);
        self.new_length = page_align(self.new_length).unwrap_or(0);
        if !known.contains(self.flags)
            || self.address & OFFSET_MASK != 0
            || self.new_length == 0
            || self.new_length > Current::USER_END
        {
            return Err(Errno::EINVAL);
        }
        if !self.has_place() {
            return Ok(self);
        }
        let keeps_size = self.old_length == self.new_length;
        if self.new_address > Current::USER_END - self.new_length
            || self.new_address & OFFSET_MASK != 0
            || !self.flags.contains(MremapFlags::MAYMOVE)
            || self.flags.contains(MremapFlags::DONTUNMAP) && !keeps_size
            || self.overlaps()
        {
            return Err(Errno::EINVAL);
        }
        Ok(self)
    }

    fn has_place(&self) -> bool {
        self.flags.intersects(MremapFlags::FIXED | MremapFlags::DONTUNMAP)
    }

    fn overlaps(&self) -> bool {
        self.address.saturating_add(self.old_length) > self.new_address
            && self.new_address.saturating_add(self.new_length) > self.address
    }

    /// Returns the old range.
    fn old(&self) -> Range<u64> {
        self.address..self.address.saturating_add(self.old_length)
    }
}

impl Inner {
    /// Moves all mappings of a range to the same places of another range.
    fn remap_all(&mut self, request: &RemapRequest, flush: &mut Flush) -> Result<Remapped, Errno> {
        let (old, mut at) = (request.old(), request.address);
        let mut first = true;
        while at < old.end {
            let found = self.mappings.ending_above(at).filter(|vma| vma.start < old.end);
            let Some(vma) = found else { break };
            if first && vma.start > at {
                return Err(Errno::EFAULT);
            }
            let part = vma.start.max(at)..vma.end.min(old.end);
            at = part.end;
            first = false;
            let length = part.end - part.start;
            let part = RemapRequest {
                address: part.start,
                old_length: length,
                new_length: length,
                new_address: request.new_address + (part.start - request.address),
                ..*request
            };
            self.remap(&part, flush)?;
        }
        if first {
            return Err(Errno::EFAULT);
        }
        Ok(Remapped::at(request.new_address))
    }

    fn remap(&mut self, request: &RemapRequest, flush: &mut Flush) -> Result<Remapped, Errno> {
        let RemapRequest {
            address,
            old_length,
            new_length,
            ..
        } = *request;
        let vma = self.mappings.find(address).ok_or(Errno::EFAULT)?;
        if vma.is_sealed() {
            return Err(Errno::EPERM);
        }
        if request.has_place() {
            return self.remap_to(request, flush);
        }
        if new_length > old_length {
            self.check_resize(vma, request)?;
        }
        if new_length <= old_length {
            if new_length < old_length {
                let tail = user_range(address + new_length, old_length - new_length).ok_or(Errno::EINVAL)?;
                self.check_unsealed(tail.clone())?;
                self.unmap(tail, flush);
            }
            return Ok(Remapped::at(address));
        }
        let end = vma.end;
        if old_length == end - address && self.expand(address, new_length - old_length)? {
            return Ok(self.grown(address, old_length, new_length));
        }
        if !request.flags.contains(MremapFlags::MAYMOVE) {
            return Err(Errno::ENOMEM);
        }
        if self.mappings.len() + SPARE_MAPPINGS > max_mappings() {
            return Err(Errno::ENOMEM);
        }
        let to = self.place(0, MapFlags::empty(), new_length, request.lowest)?;
        self.relocate(request.old(), to, new_length, MremapFlags::empty(), flush)?;
        Ok(self.grown(to, old_length, new_length))
    }

    /// Refuses what cannot be resized or moved so.
    fn check_resize(&self, vma: &Vma, request: &RemapRequest) -> Result<(), Errno> {
        let RemapRequest {
            address,
            old_length,
            new_length,
            ..
        } = *request;
        if old_length == 0 && !vma.is_shared() {
            return Err(Errno::EINVAL);
        }
        if old_length > vma.end - address {
            return Err(Errno::EFAULT);
        }
        let Some(added) = new_length.checked_sub(old_length).filter(|&added| added > 0) else {
            return Ok(());
        };
        let page = vma.page_index(VirtAddr::new(address));
        page.checked_add(new_length >> PAGE_SHIFT)
            .filter(|&end| end <= u64::MAX >> PAGE_SHIFT)
            .ok_or(Errno::EINVAL)?;
        let added_pages = added >> PAGE_SHIFT;
        if vma.attributes.contains(Attributes::LOCKED) && !self.lock_fits(added_pages) {
            return Err(Errno::EAGAIN);
        }
        self.check_growth(vma.is_data(), added_pages as usize, 0)
    }

    /// Moves to an address that was asked for.
    fn remap_to(&mut self, request: &RemapRequest, flush: &mut Flush) -> Result<Remapped, Errno> {
        let RemapRequest {
            address,
            old_length,
            new_length,
            flags,
            new_address,
            lowest,
        } = *request;
        let fixed = flags.contains(MremapFlags::FIXED);
        if fixed {
            if new_address < lowest {
                return Err(Errno::EPERM);
            }
            let target = new_address..new_address + new_length;
            self.check_unsealed(target.clone())?;
            self.unmap(target, flush);
        }
        let mut old = request.old();
        if new_length < old_length {
            let tail = address + new_length..old.end;
            self.check_unsealed(tail.clone())?;
            self.unmap(tail, flush);
            old.end = address + new_length;
        }
        let kept = RemapRequest {
            old_length: old.end - old.start,
            ..*request
        };
        let vma = self.mappings.find(address).ok_or(Errno::EFAULT)?;
        self.check_resize(vma, &kept)?;
        if flags.contains(MremapFlags::DONTUNMAP) {
            self.check_growth(vma.is_data(), (old_length >> PAGE_SHIFT) as usize, 0)?;
        }
        let how = if fixed { MapFlags::FIXED } else { MapFlags::empty() };
        let to = self.place(new_address, how, new_length, lowest)?;
        self.relocate(old, to, new_length, flags, flush)?;
        Ok(self.grown(to, old_length, new_length))
    }

    /// Extends the mapping that ends `added` bytes too early, if nothing is behind it.
    fn expand(&mut self, address: u64, added: u64) -> Result<bool, Errno> {
        let Some(vma) = self.mappings.find(address) else {
            return Ok(false);
        };
        let (whole, accounted) = (vma.start..vma.end, vma.attributes.contains(Attributes::ACCOUNTED));
        let Some(end) = whole
            .end
            .checked_add(added)
            .filter(|&end| end <= Current::USER_END)
        else {
            return Ok(false);
        };
        if self.mappings.overlapping(whole.end..end).next().is_some() {
            return Ok(false);
        }
        if accounted {
            commit::check((added >> PAGE_SHIFT) as usize)?;
        }
        if let Some(mut vma) = self.mappings.take_part(whole) {
            vma.end = end;
            self.mappings.insert(*vma);
        }
        Ok(true)
    }

    /// Describes a mapping that has its new size; what a locked one has gained is to be filled.
    fn grown(&self, address: u64, old_length: u64, new_length: u64) -> Remapped {
        let locked = self
            .mappings
            .find(address)
            .and_then(|vma| LockMode::of(vma.attributes));
        let fill = match locked {
            Some(LockMode::Now) if new_length > old_length => address + old_length..address + new_length,
            _ => 0..0,
        };
        Remapped { address, fill }
    }

    /// Makes at `to` a mapping of `length` bytes like that at `from`, gives it the pages, and removes the old
    /// one unless DONTUNMAP says that it stays, empty. Nothing is mapped at `to`.
    fn relocate(
        &mut self,
        from: Range<u64>,
        to: u64,
        length: u64,
        flags: MremapFlags,
        flush: &mut Flush,
    ) -> Result<(), Errno> {
        let vma = self.mappings.find(from.start).ok_or(Errno::EFAULT)?;
        let mut moved = vma.clone();
        (moved.start, moved.end) = (to, to + length);
        if let Backing::Object { page, .. } = &mut moved.backing {
            *page += (from.start - vma.start) >> PAGE_SHIFT;
        }
        if matches!(moved.kind, VmaKind::Heap | VmaKind::Stack) {
            moved.kind = VmaKind::Plain;
        }
        if moved.attributes.contains(Attributes::ACCOUNTED) {
            commit::check((length >> PAGE_SHIFT) as usize)?;
        }
        self.guards.shift(from.clone(), to.wrapping_sub(from.start))?;
        self.move_leaves(from.clone(), to, flush)?;
        // First: a table belongs to the mappings that it is used for.
        self.mappings.insert(moved);
        if flags.contains(MremapFlags::DONTUNMAP) {
            // What is not split off needs no memory; for the rest there is room.
            let _has_room = self.change(from, |vma| {
                vma.attributes -= Attributes::LOCKED | Attributes::LOCK_ON_FAULT;
            });
        } else if !from.is_empty() {
            self.unmap(from, flush);
        }
        Ok(())
    }

    /// Moves the leaves of a range, all of them or none.
    fn move_leaves(&mut self, from: Range<u64>, to: u64, flush: &mut Flush) -> Result<(), Errno> {
        let Some(stuck) = self.try_move_leaves(from.clone(), to, flush) else {
            return Ok(());
        };
        // The tables where they were are still there.
        let moved = stuck - from.start;
        self.try_move_leaves(to..to + moved, from.start, flush);
        self.free_tables(to..to + (from.end - from.start), flush);
        Err(Errno::ENOMEM)
    }

    /// Moves leaves; returns the address of the first that stays because there is no memory for a table.
    fn try_move_leaves(&mut self, from: Range<u64>, to: u64, flush: &mut Flush) -> Option<u64> {
        let mut stuck = None;
        // The tree may grow elsewhere during the walk, which reads every entry when it gets there.
        let mut target = PageTable::<Pte>::from_root(self.table.root());
        let (start, end) = (VirtAddr::new(from.start), VirtAddr::new(from.end));
        self.table
            .for_each_leaf(&mut self.tables, start, end, &mut |tables, leaf| {
                let page = VirtAddr::new(leaf.virt.as_u64() - from.start + to);
                if stuck.is_some() {
                    return LeafAction::Keep;
                }
                let Ok(leaves) = target.leaf_table(tables, page, true) else {
                    stuck = Some(leaf.virt.as_u64());
                    return LeafAction::Keep;
                };
                let entry = Pte::leaf(leaf.phys, leaf.flags, 0);
                tables.write_entry(leaves, leaf_index(page), entry.raw());
                flush.page(leaf.virt);
                LeafAction::Remove
            });
        stuck
    }
}
