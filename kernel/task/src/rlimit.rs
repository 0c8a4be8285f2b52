//! Resource limits (getrlimit(2)).

use core::ops::RangeInclusive;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::resource::{
    RLIM_INFINITY, RLIM_NLIMITS, RLIMIT_AS, RLIMIT_CORE, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE,
    RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RTPRIO, RLIMIT_SIGPENDING, RLIMIT_STACK, Rlimit64,
};
use sync::{Rank, SpinLock};

/// Most open files that a limit may allow (`fs.nr_open`).
static NOFILE_MAX: AtomicU64 = AtomicU64::new(1 << 20);

/// What [`set_nofile_max`] takes, as in Linux: at least a word of a table's bits, and no more than an `int` counts.
const NOFILE_MAX_RANGE: RangeInclusive<u64> = 64..=i32::MAX as u64 / 64 * 64;

/// Returns how many descriptors a process may have at most, whatever its limit says (`fs.nr_open`).
pub fn nofile_max() -> u64 {
    NOFILE_MAX.load(Ordering::Relaxed)
}

/// Changes what [`nofile_max`] returns.
///
/// # Errors
/// EINVAL.
pub fn set_nofile_max(most: u64) -> Result<(), Errno> {
    if !NOFILE_MAX_RANGE.contains(&most) {
        return Err(Errno::EINVAL);
    }
    NOFILE_MAX.store(most, Ordering::Relaxed);
    Ok(())
}

/// The limits of a process.
pub struct Limits {
    table: SpinLock<[Rlimit64; RLIM_NLIMITS]>,
}

/// Whether a change of limits may raise hard ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RaiseHard {
    /// With CAP_SYS_RESOURCE.
    Allowed,
    /// Without.
    Refused,
}

impl Limits {
    /// Makes the first process's limits, as Linux has them; `processes_max` follows from the memory size.
    pub fn new(processes_max: u64) -> Self {
        let same = |limit| Rlimit64 {
            rlim_cur: limit,
            rlim_max: limit,
        };
        let mut table = [same(RLIM_INFINITY); RLIM_NLIMITS];
        let mut set = |resource: u32, soft, hard| {
            table[resource as usize] = Rlimit64 {
                rlim_cur: soft,
                rlim_max: hard,
            };
        };
        set(RLIMIT_STACK, 8 << 20, RLIM_INFINITY);
        set(RLIMIT_CORE, 0, RLIM_INFINITY);
        set(RLIMIT_NPROC, processes_max, processes_max);
        set(RLIMIT_NOFILE, 1024, 4096);
        set(RLIMIT_MEMLOCK, 8 << 20, 8 << 20);
        set(RLIMIT_SIGPENDING, processes_max, processes_max);
        set(RLIMIT_MSGQUEUE, 819_200, 819_200);
        set(RLIMIT_NICE, 0, 0);
        set(RLIMIT_RTPRIO, 0, 0);
        Self {
            table: SpinLock::new(Rank::Process, table),
        }
    }

    /// Returns the soft limit of a `RLIMIT_*` resource, the one in force; infinity for unknown ones.
    #[inline]
    pub fn soft(&self, resource: u32) -> u64 {
        let table = self.table.lock();
        table
            .get(resource as usize)
            .map_or(RLIM_INFINITY, |limit| limit.rlim_cur)
    }

    /// Returns both limits of a resource.
    ///
    /// # Errors
    /// EINVAL for an unknown resource.
    pub fn get(&self, resource: u32) -> Result<Rlimit64, Errno> {
        let table = self.table.lock();
        table.get(resource as usize).copied().ok_or(Errno::EINVAL)
    }

    /// Returns those that memory operations observe.
    pub(crate) fn of_memory(&self) -> mm::Limits {
        mm::Limits {
            address_space: self.soft(RLIMIT_AS),
            data: self.soft(RLIMIT_DATA),
            stack: self.soft(RLIMIT_STACK),
            locked: self.soft(RLIMIT_MEMLOCK),
        }
    }

    /// Raises the soft limit of a resource, which has just been told of, for the next time.
    pub(crate) fn raise_soft(&self, resource: u32, by: u64) {
        if let Some(limit) = self.table.lock().get_mut(resource as usize) {
            limit.rlim_cur = limit.rlim_cur.saturating_add(by);
        }
    }

    /// Lowers the soft limit of a resource to this at most.
    pub(crate) fn lower_soft(&self, resource: u32, to: u64) {
        if let Some(limit) = self.table.lock().get_mut(resource as usize) {
            limit.rlim_cur = limit.rlim_cur.min(to);
        }
    }

    /// Sets both limits of a resource and returns the old ones.
    ///
    /// # Errors
    /// EINVAL for an unknown resource or a soft limit above the hard one; EPERM for a hard limit that is
    /// raised without permission, or more files than the kernel allows.
    pub fn set(&self, resource: u32, new: Rlimit64, raise: RaiseHard) -> Result<Rlimit64, Errno> {
        let mut table = self.table.lock();
        let limit = table.get_mut(resource as usize).ok_or(Errno::EINVAL)?;
        if new.rlim_cur > new.rlim_max {
            return Err(Errno::EINVAL);
        }
        if resource == RLIMIT_NOFILE && new.rlim_max > nofile_max() {
            return Err(Errno::EPERM);
        }
        if new.rlim_max > limit.rlim_max && raise == RaiseHard::Refused {
            return Err(Errno::EPERM);
        }
        Ok(core::mem::replace(limit, new))
    }
}

impl Clone for Limits {
    fn clone(&self) -> Self {
        Self {
            table: SpinLock::new(Rank::Process, *self.table.lock()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(soft: u64, hard: u64) -> Rlimit64 {
        Rlimit64 {
            rlim_cur: soft,
            rlim_max: hard,
        }
    }

    #[test]
    fn hard_limits_only_fall_without_privilege() {
        let limits = Limits::new(100);
        let set = |new| limits.set(RLIMIT_NOFILE, new, RaiseHard::Refused);
        assert_eq!(set(limit(10, 20)), Ok(limit(1024, 4096)));
        assert_eq!(set(limit(10, 30)), Err(Errno::EPERM));
        assert_eq!(set(limit(21, 20)), Err(Errno::EINVAL));
        let raised = limits.set(RLIMIT_NOFILE, limit(10, 30), RaiseHard::Allowed);
        assert_eq!(raised, Ok(limit(10, 20)));
        assert_eq!(limits.get(99), Err(Errno::EINVAL));
        assert_eq!(limits.soft(RLIMIT_NOFILE), 10);
    }
}
