//! What a thread has set for itself and its children start with, beside its identity and its place in the
//! schedule: the personality (personality(2)), the slack of its timers, its I/O priority and its memory policy.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::isa::IsaAbi;
use los_arch::CurrentAbi;
use mm::policy::Policy;
use sync::{Rank, SpinLock};

/// The settings of a thread.
pub struct ThreadAttributes {
    personality: AtomicU32,
    io_priority: AtomicU32,
    /// Whether the thread became a user with more threads than RLIMIT_NPROC; not inherited.
    is_over_process_limit: AtomicBool,
    /// How late timers may be, and what the parent had. Nothing here is late on purpose.
    timer_slack_ns: AtomicU64,
    default_timer_slack_ns: AtomicU64,
    memory_policy: SpinLock<Policy>,
    /// When a broken page ends the process (PR_MCE_KILL), plus one; 0 is the system's choice.
    broken_page_policy: AtomicU64,
    /// Whether the thread serves storage, so that memory for it must not wait for storage (PR_SET_IO_FLUSHER); kept and
    /// told, since no memory is made free by writing.
    is_io_flusher: AtomicBool,
}

/// Linux's default of PR_SET_TIMERSLACK.
const TIMER_SLACK_NS: u64 = 50_000;

impl ThreadAttributes {
    pub(crate) const fn new() -> Self {
        Self {
            personality: AtomicU32::new(0),
            io_priority: AtomicU32::new(0),
            is_over_process_limit: AtomicBool::new(false),
            timer_slack_ns: AtomicU64::new(TIMER_SLACK_NS),
            default_timer_slack_ns: AtomicU64::new(TIMER_SLACK_NS),
            memory_policy: SpinLock::new(Rank::Thread, Policy::DEFAULT),
            broken_page_policy: AtomicU64::new(0),
            is_io_flusher: AtomicBool::new(false),
        }
    }

    /// Takes over the settings of the parent.
    pub(crate) fn inherit(&self, parent: &Self) {
        self.store_personality(parent.personality());
        self.set_io_priority(parent.io_priority());
        let slack_ns = parent.timer_slack_ns();
        self.default_timer_slack_ns.store(slack_ns, Ordering::Relaxed);
        self.timer_slack_ns.store(slack_ns, Ordering::Relaxed);
        self.set_memory_policy(parent.memory_policy());
        self.set_broken_page_policy(parent.broken_page_policy());
        self.set_io_flusher(parent.is_io_flusher());
    }

    /// Reports whether the thread serves storage.
    pub fn is_io_flusher(&self) -> bool {
        self.is_io_flusher.load(Ordering::Relaxed)
    }

    /// Sets whether the thread serves storage.
    pub fn set_io_flusher(&self, is_one: bool) {
        self.is_io_flusher.store(is_one, Ordering::Relaxed);
    }

    /// Returns what the process has chosen to happen when a page breaks.
    pub fn broken_page_policy(&self) -> Option<u64> {
        self.broken_page_policy.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Sets what is to happen when a page breaks.
    pub fn set_broken_page_policy(&self, policy: Option<u64>) {
        let word = policy.map_or(0, |policy| policy + 1);
        self.broken_page_policy.store(word, Ordering::Relaxed);
    }

    /// Returns from which nodes the thread's pages come (get_mempolicy(2)).
    pub fn memory_policy(&self) -> Policy {
        *self.memory_policy.lock()
    }

    /// Sets from which nodes the thread's pages come.
    pub fn set_memory_policy(&self, policy: Policy) {
        *self.memory_policy.lock() = policy;
    }

    /// Returns class and level of the I/O priority, 0 when it was never set.
    pub fn io_priority(&self) -> u32 {
        self.io_priority.load(Ordering::Relaxed)
    }

    pub(crate) fn set_io_priority(&self, priority: u32) {
        self.io_priority.store(priority, Ordering::Relaxed);
    }

    pub(crate) fn is_over_process_limit(&self) -> bool {
        self.is_over_process_limit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_over_process_limit(&self, is_over: bool) {
        self.is_over_process_limit.store(is_over, Ordering::Relaxed);
    }

    /// Returns how late the thread's timers may be.
    pub fn timer_slack_ns(&self) -> u64 {
        self.timer_slack_ns.load(Ordering::Relaxed)
    }

    /// Sets how late the thread's timers may be; `None` for what the parent had.
    pub fn set_timer_slack_ns(&self, slack_ns: Option<u64>) {
        let default = self.default_timer_slack_ns.load(Ordering::Relaxed);
        self.timer_slack_ns
            .store(slack_ns.unwrap_or(default), Ordering::Relaxed);
    }

    /// Returns the personality.
    pub fn personality(&self) -> Personality {
        Personality::from_bits_retain(self.personality.load(Ordering::Relaxed))
    }

    /// Sets the personality and returns the old one. Unknown flags are kept, as on Linux.
    ///
    /// # Errors
    /// EINVAL for a machine of 32 bits where there is none.
    pub fn set_personality(&self, new: Personality) -> Result<Personality, Errno> {
        if new.domain() == Personality::LINUX32 && CurrentAbi::MACHINE_32.is_none() {
            return Err(Errno::EINVAL);
        }
        let old = self.personality();
        self.store_personality(new);
        Ok(old)
    }

    pub(crate) fn store_personality(&self, personality: Personality) {
        self.personality.store(personality.bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_personality_is_kept_and_inherited() {
        let (parent, child) = (ThreadAttributes::new(), ThreadAttributes::new());
        let odd = Personality::from_bits_retain(0x8000_0001) | Personality::ADDR_NO_RANDOMIZE;
        assert_eq!(parent.set_personality(odd), Ok(Personality::empty()));
        child.inherit(&parent);
        assert_eq!(child.personality(), odd);
    }

    #[test]
    fn the_default_slack_is_the_parents() {
        let (parent, child) = (ThreadAttributes::new(), ThreadAttributes::new());
        parent.set_timer_slack_ns(Some(7));
        child.inherit(&parent);
        child.set_timer_slack_ns(Some(9));
        assert_eq!(child.timer_slack_ns(), 9);
        child.set_timer_slack_ns(None);
        assert_eq!(child.timer_slack_ns(), 7);
        parent.set_timer_slack_ns(None);
        assert_eq!(parent.timer_slack_ns(), TIMER_SLACK_NS);
    }
}
