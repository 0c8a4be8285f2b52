//! Where core dumps go, as /proc/sys tells and is told (core(5), proc_sys_kernel(5)).

use core::sync::atomic::{AtomicU32, Ordering};

use arrayvec::ArrayVec;
use los_abi::errno::Errno;
use sync::{Rank, SpinLock};

/// Longest pattern, without its NUL.
const PATTERN_MAX: usize = 127;

/// A pattern of names.
pub type Pattern = ArrayVec<u8, PATTERN_MAX>;

/// `None` until it is changed.
static PATTERN: SpinLock<Option<Pattern>> = SpinLock::new(Rank::Process, None);
static USES_PID: AtomicU32 = AtomicU32::new(0);
static PIPE_LIMIT: AtomicU32 = AtomicU32::new(0);
static SET_ID: AtomicU32 = AtomicU32::new(0);

/// Whether a process may be looked into, and dumped (PR_SET_DUMPABLE, `fs.suid_dumpable`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dumpable {
    /// No.
    No,
    /// By who has the same ids.
    User,
    /// By root alone: dumps belong to it, and go to where the administrator has said.
    Root,
}

impl Dumpable {
    /// Returns the number that Linux has for it.
    pub fn number(self) -> u32 {
        match self {
            Self::No => 0,
            Self::User => 1,
            Self::Root => 2,
        }
    }

    /// Reads such a number.
    ///
    /// # Errors
    /// EINVAL.
    pub fn from_number(number: u32) -> Result<Self, Errno> {
        match number {
            0 => Ok(Self::No),
            1 => Ok(Self::User),
            2 => Ok(Self::Root),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// Returns the pattern of names (`kernel.core_pattern`).
pub fn pattern() -> Pattern {
    let set = PATTERN.lock().clone();
    set.unwrap_or_else(|| b"core".iter().copied().collect())
}

/// Sets the pattern; bytes behind the end of the line or beyond the limit are dropped.
pub fn set_pattern(text: &[u8]) {
    let line = text.iter().take_while(|byte| !matches!(**byte, b'\n' | 0));
    *PATTERN.lock() = Some(line.copied().take(PATTERN_MAX).collect());
}

/// Returns whether names end in the process's number if the pattern has it nowhere (`kernel.core_uses_pid`).
pub fn uses_pid() -> u32 {
    USES_PID.load(Ordering::Relaxed)
}

/// Sets what [`uses_pid`] returns; any number but 0 means yes.
pub fn set_uses_pid(value: u32) {
    USES_PID.store(value, Ordering::Relaxed);
}

/// Returns what programs are that have gained or given up rights (`fs.suid_dumpable`).
pub fn of_set_id() -> Dumpable {
    Dumpable::from_number(SET_ID.load(Ordering::Relaxed)).unwrap_or(Dumpable::No)
}

/// Sets what [`of_set_id`] returns.
pub fn set_of_set_id(value: Dumpable) {
    SET_ID.store(value.number(), Ordering::Relaxed);
}

/// Returns how many dumps go to programs at a time, each with its process until the program has read it
/// (`kernel.core_pipe_limit`). 0 is without limit, and without waiting.
pub fn pipe_limit() -> u32 {
    PIPE_LIMIT.load(Ordering::Relaxed)
}

/// Sets what [`pipe_limit`] returns.
pub fn set_pipe_limit(value: u32) {
    PIPE_LIMIT.store(value, Ordering::Relaxed);
}
