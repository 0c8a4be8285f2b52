//! The bound on how many names are cached: a clock's hand goes over them, the one that was added first is looked at
//! first.

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::Ordering;

use sync::{Once, Rank, SpinLock};

use super::Dentry;

/// Names that the hand looks at when one is added to a full cache.
const STEPS: usize = 4;
const NAMES_MIN: usize = 1024;
const NAMES_MAX: usize = 64 * 1024;

static CLOCK: SpinLock<VecDeque<Weak<Dentry>>> = SpinLock::new(Rank::Dentry, VecDeque::new());

fn names_max() -> usize {
    static MAX: Once<usize> = Once::new();
    *MAX.call_once(|| (mm::frames::statistics().total_pages / 8).clamp(NAMES_MIN, NAMES_MAX))
}

/// Adds a name, and drops names that were not used for a while if there are too many.
pub(super) fn note(dentry: &Arc<Dentry>) {
    let max = names_max();
    let entry = Arc::downgrade(dentry);
    {
        let mut clock = CLOCK.lock();
        if clock.try_reserve(1).is_ok() {
            clock.push_back(entry);
        }
    }
    for _ in 0..STEPS {
        if !step(max) {
            break;
        }
    }
}

fn step(max: usize) -> bool {
    let oldest = {
        let mut clock = CLOCK.lock();
        if clock.len() <= max {
            None
        } else {
            clock.pop_front()
        }
    };
    let Some(oldest) = oldest else {
        return false;
    };
    let Some(dentry) = oldest.upgrade() else {
        return true;
    };
    let was_used = dentry.is_used.swap(false, Ordering::Relaxed);
    if was_used || Arc::strong_count(&dentry) > 2 {
        CLOCK.lock().push_back(oldest);
    } else {
        Dentry::evict(dentry);
    }
    true
}

/// Drops all names that nobody uses: what looks them up again finds them in their file systems.
pub fn drop_unused_names() {
    // A directory can go when all that is in it has gone, so its turn comes with a later round.
    // Others may add names meanwhile, so that how many there are tells nothing.
    loop {
        let count = CLOCK.lock().len();
        let dropped = (0..count).filter(|_| drop_oldest()).count();
        if dropped == 0 {
            return;
        }
    }
}

/// Drops the oldest name if nobody uses it.
fn drop_oldest() -> bool {
    let Some(oldest) = CLOCK.lock().pop_front() else {
        return false;
    };
    let Some(dentry) = oldest.upgrade() else {
        return false;
    };
    let is_used = Arc::strong_count(&dentry) > 2;
    if is_used {
        CLOCK.lock().push_back(oldest);
    } else {
        Dentry::evict(dentry);
    }
    !is_used
}
