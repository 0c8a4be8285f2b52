//! Futexes: sleeping until a word of user memory is said to have changed, and locks in such words that the
//! kernel hands over (futex(2)).
//!
//! The word is looked at and the sleeper entered under the lock of one [`table`], which a waker takes too: a
//! change between the look and the sleep is not missed.
//!
//! * `wait`, `wake`, `requeue`: sleepers of words
//! * `lock`, `lock_requeue`: locks with priority inheritance, which `owners` keeps track of
//! * `chain`: who waits for whom
//! * `robust`: what a dying thread owes to the locks that it holds

mod chain;
mod key;
mod lock;
mod lock_requeue;
mod operation;
mod owners;
mod requeue;
mod robust;
mod state;
mod table;
mod wait;
mod wake;

use sync::{Rank, SpinLock};

pub use key::Scope;
pub(crate) use lock::priority_changed;
pub use lock::{lock, try_lock, unlock};
pub use lock_requeue::{requeue_to_lock, wait_for_lock_requeue};
pub use operation::WakeOperation;
pub use requeue::requeue;
pub(crate) use robust::{Afterwards, release, wake_for_the_dead};
pub(crate) use state::FutexState;
use table::Table;
pub use wait::{WaitRequest, WordRequest, wait, wait_any, wait_resuming};
pub use wake::{wake, wake_exactly, wake_operation};

/// A word with how it is shared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word {
    /// Where it is in the caller's memory.
    pub address: los_abi::syscall::UserPtr<u32>,
    /// Who may sleep on it.
    pub scope: Scope,
}

/// Lets all that sleep here look anew at the clock, which was set.
pub(crate) fn clock_was_set() {
    TABLE.lock().wake_to_look();
}

static TABLE: SpinLock<Table> = SpinLock::new(Rank::Futex, Table::new());
