//! What a thread owes to the locks that it holds when it dies or runs another program: those of its robust list
//! are marked in their words (set_robust_list(2)), those with waiters that the kernel knows pass on.

use los_abi::errno::Errno;
use los_abi::futex::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, RobustListHead};
use los_abi::syscall::UserPtr;
use mm::AddressSpace;

use core::sync::atomic::Ordering;

use super::{Scope, TABLE, Word, wake};
use crate::context::Context;

/// Most locks that a dying thread's list may name, against loops (ROBUST_LIST_LIMIT).
const ROBUST_LIST_MAX: usize = 2048;
/// In an entry's address: the lock is one of `lock`.
const IS_INHERITING: u64 = 1;

/// What becomes of the thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Afterwards {
    /// It dies.
    Ends,
    /// It runs another program.
    GoesOn,
}

/// Gives up all locks of the calling thread.
pub(crate) fn release(ctx: &Context<'_>, afterwards: Afterwards) {
    release_list(ctx);
    let mut table = TABLE.lock();
    table.orphan_locks(ctx.thread);
    if afterwards == Afterwards::Ends {
        // From here on nobody waits for a lock of its.
        ctx.thread.futex.set_released();
    }
}

/// Wakes one sleeper of a word in the name of a dying thread.
pub(crate) fn wake_for_the_dead(memory: &AddressSpace, address: UserPtr<u32>) {
    // Linux treats these words as shared ones, which covers private memory. A bad one has no sleepers.
    let scope = Scope::Shared;
    let _woken = wake(memory, Word { address, scope }, 1, u32::MAX);
}

/// An entry of the list.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    address: u64,
    is_inheriting: bool,
}

impl Entry {
    fn decode(link: u64) -> Self {
        Self {
            address: link & !IS_INHERITING,
            is_inheriting: link & IS_INHERITING != 0,
        }
    }
}

fn release_list(ctx: &Context<'_>) {
    let head_address = ctx.thread.robust_list.swap(0, Ordering::Relaxed);
    if head_address == 0 {
        return;
    }
    let Ok(head) = ctx.memory().read(UserPtr::<RobustListHead>::new(head_address)) else {
        return;
    };
    let word_of = |entry: Entry| UserPtr::new(entry.address.wrapping_add_signed(head.futex_offset));
    let pending = Entry::decode(head.list_op_pending);
    let mut entry = Entry::decode(head.list);
    for _ in 0..ROBUST_LIST_MAX {
        if entry.address == head_address {
            break;
        }
        let next = ctx.memory().read(UserPtr::<u64>::new(entry.address));
        // A lock whose taking or dropping was under way may be in the list already.
        if entry.address != pending.address && release_word(ctx, word_of(entry), entry, Pending::No).is_err()
        {
            return;
        }
        match next {
            Ok(next) => entry = Entry::decode(next),
            Err(_) => return,
        }
    }
    if pending.address != 0 {
        let _unreadable = release_word(ctx, word_of(pending), pending, Pending::Yes);
    }
}

/// Whether a lock was being taken or dropped when the thread died.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Yes,
    No,
}

/// Marks a lock's word as orphaned if the thread holds it, and wakes a sleeper.
///
/// # Errors
/// EINVAL for a misaligned word; EFAULT.
fn release_word(ctx: &Context<'_>, word: UserPtr<u32>, entry: Entry, pending: Pending) -> Result<(), Errno> {
    if !word.addr().is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    let mut value: u32 = ctx.memory().read(word)?;
    loop {
        let owner = value & FUTEX_TID_MASK;
        if pending == Pending::Yes && !entry.is_inheriting && owner == 0 {
            wake_for_the_dead(ctx.memory(), word);
            return Ok(());
        }
        if owner != ctx.thread.tid() {
            return Ok(());
        }
        let orphaned = value & FUTEX_WAITERS | FUTEX_OWNER_DIED;
        let found = ctx.memory().compare_exchange_u32(word, value, orphaned)?;
        if found == value {
            break;
        }
        value = found;
    }
    // The waiters of the others claim them.
    if !entry.is_inheriting && value & FUTEX_WAITERS != 0 {
        wake_for_the_dead(ctx.memory(), word);
    }
    Ok(())
}
