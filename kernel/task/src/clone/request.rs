//! What clone(2) and clone3(2) ask for, and which of it makes sense.

use los_abi::errno::Errno;
use los_abi::signal::Signal;
use los_abi::syscall::UserPtr;
use los_abi::task::CloneFlags;
use los_arch::Current;
use los_arch::hal::prelude::Paging;
use vfs::{Capability, Credentials};

/// What clone(2) and clone3(2) ask for.
#[derive(Clone, Copy, Debug)]
pub struct CloneRequest {
    /// What is shared, and more.
    pub flags: CloneFlags,
    /// The signal that tells the parent of the end, 0 for none.
    pub exit_signal: u32,
    /// The child's stack pointer, 0 for a copy of the parent's.
    pub stack: u64,
    /// Where CLONE_PIDFD stores the descriptor.
    pub pidfd: UserPtr<i32>,
    /// The number that the child is to have; `None` for any.
    pub wanted_tid: Option<i32>,
    /// Where CLONE_PARENT_SETTID stores the child's number.
    pub parent_tid: UserPtr<u32>,
    /// Where CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID store, in the child's memory.
    pub child_tid: UserPtr<u32>,
    /// The child's thread pointer with CLONE_SETTLS.
    pub tls: u64,
}

impl CloneRequest {
    /// fork(2).
    pub const FORK: Self = Self {
        flags: CloneFlags::empty(),
        exit_signal: Signal::CHLD.number(),
        stack: 0,
        pidfd: UserPtr::NULL,
        wanted_tid: None,
        parent_tid: UserPtr::NULL,
        child_tid: UserPtr::NULL,
        tls: 0,
    };

    /// vfork(2).
    pub const VFORK: Self = Self {
        flags: CloneFlags::VFORK.union(CloneFlags::VM),
        ..Self::FORK
    };

    /// Refuses combinations that make no sense, as Linux does (clone(2), ERRORS).
    pub(super) fn check(&self, credentials: &Credentials) -> Result<(), Errno> {
        let flags = self.flags;
        let both = |pair: CloneFlags| flags.contains(pair);
        let lacks = |flag, needed| flags.contains(flag) && !flags.contains(needed);
        let is_bad = both(CloneFlags::NEWNS | CloneFlags::FS)
            || both(CloneFlags::NEWUSER | CloneFlags::FS)
            || lacks(CloneFlags::THREAD, CloneFlags::SIGHAND)
            || lacks(CloneFlags::SIGHAND, CloneFlags::VM)
            || both(CloneFlags::SIGHAND | CloneFlags::CLEAR_SIGHAND)
            || both(CloneFlags::PIDFD | CloneFlags::DETACHED)
            || (both(CloneFlags::PIDFD | CloneFlags::PARENT_SETTID)
                && self.pidfd.addr() == self.parent_tid.addr());
        if is_bad {
            return Err(Errno::EINVAL);
        }
        check_namespaces(flags, credentials)?;
        if flags.contains(CloneFlags::INTO_CGROUP) {
            // No descriptor is one of a control group.
            return Err(Errno::EBADF);
        }
        Ok(())
    }
}

/// Where a stack may end at most.
pub const STACK_END_MAX: u64 = Current::USER_END;

/// Flags that ask for new namespaces, of which there is one each.
pub(super) const NAMESPACES: CloneFlags = CloneFlags::NEWTIME
    .union(CloneFlags::NEWNS)
    .union(CloneFlags::NEWCGROUP)
    .union(CloneFlags::NEWUTS)
    .union(CloneFlags::NEWIPC)
    .union(CloneFlags::NEWUSER)
    .union(CloneFlags::NEWPID)
    .union(CloneFlags::NEWNET);

/// Refuses new namespaces, as a Linux that is built without them.
pub(super) fn check_namespaces(flags: CloneFlags, credentials: &Credentials) -> Result<(), Errno> {
    let wanted = flags & NAMESPACES;
    let is_free = wanted.contains(CloneFlags::NEWUSER);
    if !wanted.is_empty() && !is_free && !credentials.capable(Capability::SysAdmin) {
        return Err(Errno::EPERM);
    }
    if wanted.is_empty() {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

#[cfg(test)]
mod tests;
