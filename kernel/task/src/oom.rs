//! The out-of-memory killer: when a page is needed and there is none, the process whose end frees most is ended
//! and the rest goes on (Linux's `mm/oom_kill.c`, proc_pid_oom_score(5)).

use alloc::sync::{Arc, Weak};
use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use los_abi::signal::Signal;
use los_abi::task::WaitStatus;
use mm::{AddressSpace, frames};
use sync::{Rank, Shared as _, SpinLock, now_ns};

use crate::pid::{self, INIT};
use crate::process::Process;
use crate::thread::{Thread, Work};
use crate::{exit, sched, sleep};

/// The value of `oom_score_adj` that exempts a process.
const EXEMPT: i32 = -1000;
/// Kibibytes of a page.
const PAGE_KIB: usize = 4;
/// The footprint of memory that has been freed: the root of its tables.
const EMPTY_PAGES: usize = 1;
/// How long a thread that found no memory sleeps before it looks again.
const PAUSE_NS: u64 = 2_000_000;
/// How often it looks before a victim counts as stuck, and another one is chosen.
const PATIENCE: u32 = 500;

/// The memory of the process that was ended last. Until it is free, nobody else is chosen.
static VICTIM: SpinLock<Weak<AddressSpace>> = SpinLock::new(Rank::FileSystem, Weak::new());

/// What comes of a search for a victim.
enum Choice {
    /// One is dying: wait for its memory.
    Dying,
    /// Nobody may be killed.
    Nobody,
}

/// Makes room for a thread that found no memory. Returns when it should try again, or is to die itself.
///
/// The thread holds no lock that a dying process might want.
pub(crate) fn make_room(thread: &Thread) {
    for attempt in 0..PATIENCE {
        if thread.work().contains(Work::EXIT) {
            return;
        }
        if has_room() {
            if attempt == 0 {
                // It was another kind of memory, or it has come back already: no endless haste either way.
                pause(thread);
            }
            return;
        }
        if let Choice::Nobody = choose() {
            if thread.process().pid() != INIT {
                end(thread.process());
                return;
            }
            if attempt == 0 {
                log::error!("Out of memory and no killable processes...");
            }
        }
        pause(thread);
    }
    // It does not die: another one is chosen the next time.
    *VICTIM.lock() = Weak::new();
}

/// Makes room for the kernel's access to the memory of the running thread, which may hold sleeping locks: one
/// victim, and a bounded wait. Reports whether the access is to be tried again.
pub fn make_room_for_kernel() -> bool {
    let Some(thread) = sched::current() else {
        return false;
    };
    make_room(&thread);
    !thread.work().contains(Work::EXIT) && has_room()
}

/// Returns the badness of a process from 0 to 2000 and above, as /proc/PID/oom_score shows it.
pub fn score(process: &Process) -> u64 {
    let total = total_pages();
    let Some(badness) = badness(process, total) else {
        return 0;
    };
    ((1000 + badness * 1000 / total) * 2 / 3).max(0).cast_unsigned()
}

/// Returns how much the end of a process would free, in pages and with its own adjustment; `None` for one that
/// is never chosen.
fn badness(process: &Process, total: i64) -> Option<i64> {
    let adjustment = process.oom_score_adjustment.load(Ordering::Relaxed);
    if process.is_kernel() || process.pid() == INIT || adjustment == EXEMPT {
        return None;
    }
    let pages = process.memory()?.footprint_pages();
    Some(adjusted(pages as i64, adjustment, total))
}

fn adjusted(pages: i64, adjustment: i32, total: i64) -> i64 {
    pages + i64::from(adjustment) * (total / 1000)
}

fn total_pages() -> i64 {
    (frames::statistics().total_pages as i64).max(1)
}

/// Reports whether programs get pages again.
fn has_room() -> bool {
    let memory = frames::statistics();
    memory.free_pages > memory.reserve_pages
}

/// Chooses a victim and ends it, unless one is dying already.
fn choose() -> Choice {
    let victim = VICTIM.lock().upgrade();
    if victim.is_some_and(|memory| is_awaited(&memory)) {
        return Choice::Dying;
    }
    let Some(process) = worst() else {
        return Choice::Nobody;
    };
    let Some(memory) = process.memory() else {
        return Choice::Dying;
    };
    let old = core::mem::replace(&mut *VICTIM.lock(), Arc::downgrade(&memory));
    drop(old);
    report(&process, &memory);
    // Those that share its memory keep it: they go as well.
    for other in every_process() {
        let shares = other.memory().is_some_and(|other| Arc::ptr_eq(&other, &memory));
        if shares && other.pid() != INIT {
            end(&other);
        }
    }
    Choice::Dying
}

/// Reports whether there is still something to come from memory whose users were ended: they have it, or the last one
/// is just freeing it. Who only looks at it keeps nothing.
fn is_awaited(memory: &AddressSpace) -> bool {
    memory.users().count() > 0 || memory.footprint_pages() > EMPTY_PAGES
}

/// Reports whether a process is ending, with all that share its memory.
///
/// # Errors
/// ENOMEM.
pub fn are_all_ending(process: &Process, memory: &Arc<AddressSpace>) -> Result<bool, Errno> {
    if !process.is_ending() {
        return Ok(false);
    }
    let numbers = pid::processes()?;
    let others = numbers.into_iter().filter_map(pid::process);
    Ok(others
        .filter(|other| other.memory().is_some_and(|other| Arc::ptr_eq(&other, memory)))
        .all(|other| other.is_ending()))
}

/// Returns the process with the highest badness that is not dying.
fn worst() -> Option<Arc<Process>> {
    let total = total_pages();
    let candidates = every_process().filter(|process| process.ending().is_none());
    candidates
        .filter_map(|process| Some((badness(&process, total)?, process)))
        .max_by_key(|(badness, _)| *badness)
        .map(|(_, process)| process)
}

/// Visits all processes by ascending number, without memory for a list.
fn every_process() -> impl Iterator<Item = Arc<Process>> {
    let mut next = 0;
    core::iter::from_fn(move || {
        let process = pid::next_process(next)?;
        next = process.pid() + 1;
        Some(process)
    })
}

fn report(process: &Process, memory: &AddressSpace) {
    let sizes = memory.statistics();
    log::error!(
        "Out of memory: Killed process {} ({}) total-vm:{}kB, anon-rss:{}kB, file-rss:{}kB, shmem-rss:{}kB, \
         UID:{} pgtables:{}kB oom_score_adj:{}",
        process.pid(),
        process.name(),
        sizes.total_pages * PAGE_KIB,
        sizes.anonymous_pages * PAGE_KIB,
        sizes.file_pages * PAGE_KIB,
        sizes.shared_memory_pages * PAGE_KIB,
        process.credentials().uid,
        sizes.table_pages * PAGE_KIB,
        process.oom_score_adjustment.load(Ordering::Relaxed),
    );
}

fn end(process: &Process) {
    let status = WaitStatus::Signaled {
        signal: Signal::KILL.number(),
        core_dumped: false,
    };
    exit::begin_group_exit(process, status);
}

/// Lets others run for a moment.
fn pause(thread: &Thread) {
    if sleep::until(now_ns() + PAUSE_NS).is_err() && !thread.work().contains(Work::EXIT) {
        // A signal waits, which must not keep the victim from dying.
        sched::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use los_abi::syscall::UserPtr;

    use super::*;
    use crate::testing;

    #[test]
    fn adjustment_is_in_thousandths_of_memory() {
        assert_eq!(adjusted(500, 0, 100_000), 500);
        assert_eq!(adjusted(500, 1000, 100_000), 100_500);
        assert_eq!(adjusted(500, -500, 100_000), -49_500);
    }

    #[test]
    fn the_exempt_have_no_score_and_the_first_process_is_never_chosen() {
        let (family, thread) = testing::program();
        let process = thread.process();
        let plain = score(process);
        process.oom_score_adjustment.store(500, Ordering::Relaxed);
        assert!(score(process) > plain);
        process.oom_score_adjustment.store(EXEMPT, Ordering::Relaxed);
        assert_eq!((score(process), badness(process, 1000)), (0, None));
        drop(family);
    }

    #[test]
    fn memory_is_awaited_until_it_is_free_and_not_while_somebody_looks() {
        let (family, thread) = testing::program();
        let looked_at = thread.process().memory().unwrap();
        assert!(is_awaited(&looked_at));
        let word = UserPtr::new(testing::PROGRAM_MEMORY);
        looked_at.write(word, &1_u64).unwrap();
        let unused = looked_at.fork(mm::ForkPolicy::Eager).unwrap();
        assert!(is_awaited(&unused), "nobody uses it, but it is not free");
        let memory = thread.process().replace_memory(None);
        drop(memory);
        assert!(!is_awaited(&looked_at));
        drop(family);
    }
}
