//! Restartable sequences: a thread's area in its own memory that tells where it runs, and critical sections
//! that start over when something came in between (rseq(2)).
//!
//! The scheduler leaves a note with a thread that gives up its CPU ([`Work::RSEQ`]); the user loop looks at the
//! area before the program goes on, and signal delivery before it saves the registers.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::rseq::{
    RSEQ_ALIGNMENT, RSEQ_CPU_ID_UNINITIALIZED, RSEQ_FEATURE_BYTES, RSEQ_ORIGINAL_BYTES, Rseq, RseqCs,
};
use los_abi::syscall::UserPtr;
use los_arch::hal::prelude::TrapFrame as _;
use mm::AddressSpace;

use crate::context::Context;
use crate::sched;
use crate::thread::Work;

/// A thread's registration; changed by the thread itself only.
#[derive(Default)]
pub(crate) struct RseqState {
    /// Address of the area, 0 for none.
    area: AtomicU64,
    bytes: AtomicU32,
    signature: AtomicU32,
}

/// What rseq(2) is told of an area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registration {
    /// Where it is.
    pub area: UserPtr<Rseq>,
    /// Its length.
    pub bytes: u32,
    /// What stands before every abort handler.
    pub signature: u32,
}

impl RseqState {
    #[inline]
    pub(crate) fn is_registered(&self) -> bool {
        self.area.load(Ordering::Relaxed) != 0
    }

    fn get(&self) -> Option<Registration> {
        self.is_registered().then(|| Registration {
            area: UserPtr::new(self.area.load(Ordering::Relaxed)),
            bytes: self.bytes.load(Ordering::Relaxed),
            signature: self.signature.load(Ordering::Relaxed),
        })
    }

    fn set(&self, registration: Registration) {
        self.bytes.store(registration.bytes, Ordering::Relaxed);
        self.signature.store(registration.signature, Ordering::Relaxed);
        self.area.store(registration.area.addr(), Ordering::Relaxed);
    }

    /// Forgets the area, whose memory is no longer the thread's.
    pub(crate) fn clear(&self) {
        self.set(Registration {
            area: UserPtr::NULL,
            bytes: 0,
            signature: 0,
        });
    }

    /// Takes over the registration of the thread that this one is a copy of, memory and all.
    pub(crate) fn inherit(&self, parent: &Self) {
        if let Some(registration) = parent.get() {
            self.set(registration);
        }
    }
}

/// Registers the calling thread's area.
///
/// # Errors
/// EINVAL for another area than the registered one, a wrong length or alignment; EPERM for another signature;
/// EBUSY if it is registered already; EFAULT.
pub fn register(ctx: &Context<'_>, new: Registration) -> Result<(), Errno> {
    let state = &ctx.thread.rseq;
    if let Some(registered) = state.get() {
        check_same(registered, new)?;
        return Err(Errno::EBUSY);
    }
    let is_original = new.bytes == RSEQ_ORIGINAL_BYTES;
    let is_aligned = new.area.addr().is_multiple_of(u64::from(RSEQ_ALIGNMENT));
    let is_long_enough = is_original || new.bytes >= RSEQ_ORIGINAL_BYTES.max(RSEQ_FEATURE_BYTES);
    if !is_aligned || !is_long_enough {
        return Err(Errno::EINVAL);
    }
    let end = new.area.addr().checked_add(u64::from(new.bytes));
    if end.is_none_or(|end| end > AddressSpace::USER_END) {
        return Err(Errno::EFAULT);
    }
    // What the memory held before is no section that the thread is in.
    if ctx.memory().read(section_pointer(new.area))? != 0 {
        ctx.memory().write(section_pointer(new.area), &0)?;
    }
    state.set(new);
    ctx.thread.add_work(Work::RSEQ);
    Ok(())
}

/// Gives up the calling thread's area.
///
/// # Errors
/// EINVAL for one that is not registered; EPERM for another signature; EFAULT.
pub fn unregister(ctx: &Context<'_>, old: Registration) -> Result<(), Errno> {
    let registered = ctx.thread.rseq.get().ok_or(Errno::EINVAL)?;
    check_same(registered, old)?;
    let place = Place {
        cpu_id_start: 0,
        cpu_id: RSEQ_CPU_ID_UNINITIALIZED,
        node_id: 0,
        mm_cid: 0,
    };
    place.write(ctx, registered.area)?;
    ctx.thread.rseq.clear();
    Ok(())
}

fn check_same(registered: Registration, given: Registration) -> Result<(), Errno> {
    if (given.area, given.bytes) != (registered.area, registered.bytes) {
        Err(Errno::EINVAL)
    } else if given.signature != registered.signature {
        Err(Errno::EPERM)
    } else {
        Ok(())
    }
}

/// Brings the area of the calling thread up to date after something came between two of its instructions, and
/// winds the thread back if it was in a critical section.
///
/// # Errors
/// EFAULT and EINVAL for an area or a section that is none: the program gets SIGSEGV.
pub(crate) fn disturb(ctx: &Context<'_>) -> Result<(), Errno> {
    ctx.thread.remove_work(Work::RSEQ);
    let Some(registration) = ctx.thread.rseq.get() else {
        return Ok(());
    };
    abort_section(ctx, registration)?;
    let cpu = sched::cpu();
    let place = Place {
        cpu_id_start: cpu,
        cpu_id: cpu,
        node_id: 0,
        // As many numbers as there are CPUs: no two threads run on one of them.
        mm_cid: cpu,
    };
    place.write(ctx, registration.area)
}

/// Sends a thread that is in a critical section to the section's abort handler.
fn abort_section(ctx: &Context<'_>, registration: Registration) -> Result<(), Errno> {
    let memory = ctx.memory();
    let pointer = section_pointer(registration.area);
    let address = memory.read(pointer)?;
    if address == 0 {
        return Ok(());
    }
    let section = memory.read(UserPtr::<RseqCs>::new(address))?;
    check_section(&section)?;
    let signature = section.abort_ip.wrapping_sub(size_of::<u32>() as u64);
    if memory.read(UserPtr::<u32>::new(signature))? != registration.signature {
        return Err(Errno::EINVAL);
    }
    let within = ctx.frame().program_counter().wrapping_sub(section.start_ip);
    let is_inside = within < section.post_commit_offset;
    if is_inside && (section.flags != 0 || memory.read(flags_pointer(registration.area))? != 0) {
        return Err(Errno::EINVAL);
    }
    memory.write(pointer, &0)?;
    if is_inside {
        ctx.frame_mut().set_program_counter(section.abort_ip);
    }
    Ok(())
}

/// Checks that a section lies in user memory and that its abort handler does not lie in it.
fn check_section(section: &RseqCs) -> Result<(), Errno> {
    let end = section.start_ip.checked_add(section.post_commit_offset);
    let is_beyond = |address| address >= AddressSpace::USER_END;
    let is_placed = end.is_some_and(|end| !is_beyond(end)) && !is_beyond(section.abort_ip);
    let is_apart = section.abort_ip.wrapping_sub(section.start_ip) >= section.post_commit_offset;
    if section.version == 0 && is_placed && is_apart {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

fn section_pointer(area: UserPtr<Rseq>) -> UserPtr<u64> {
    field(area, core::mem::offset_of!(Rseq, rseq_cs))
}

fn flags_pointer(area: UserPtr<Rseq>) -> UserPtr<u32> {
    field(area, core::mem::offset_of!(Rseq, flags))
}

/// Returns the address of a field. Areas end below the end of user memory.
fn field<T>(area: UserPtr<Rseq>, offset: usize) -> UserPtr<T> {
    UserPtr::new(area.addr().wrapping_add(offset as u64))
}

/// Where a thread runs, as its area tells.
struct Place {
    cpu_id_start: u32,
    cpu_id: u32,
    node_id: u32,
    mm_cid: u32,
}

impl Place {
    /// The fields are written and never compared: there are programs that overwrite one of them to learn that
    /// they were disturbed.
    fn write(&self, ctx: &Context<'_>, area: UserPtr<Rseq>) -> Result<(), Errno> {
        let first = field(area, core::mem::offset_of!(Rseq, cpu_id_start));
        let second = field(area, core::mem::offset_of!(Rseq, node_id));
        ctx.memory().write(first, &[self.cpu_id_start, self.cpu_id])?;
        ctx.memory().write(second, &[self.node_id, self.mm_cid])
    }
}

#[cfg(test)]
mod tests;
