//! The lock order: every spin lock has a rank, and a CPU takes spin locks in ascending rank only.
//!
//! Checked in debug builds and host tests; free in release builds. Two locks of one rank are never held
//! together.

use core::sync::atomic::Ordering;

use los_arch::{Current, hal::prelude::Cpu};

/// Classes of locks, outermost first. Sleeping locks carry a rank as documentation; all of them are
/// outside of every spin lock, since nothing sleeps with a spin lock held.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Rank {
    // Sleeping locks.
    /// A process's root and working directory.
    FsContext,
    /// The mount table.
    Mounts,
    /// A file's position.
    FilePosition,
    /// Directory structure during rename.
    Rename,
    /// A directory's or file's contents.
    Inode,
    /// Contents of a second inode while one is held (children after parents).
    InodeNested,
    /// A process's mappings.
    AddressSpace,
    /// A page cache.
    PageCache,
    // Spin locks.
    /// The process table and family relations.
    ProcessTree,
    /// A process's own state.
    Process,
    /// Signal handlers and pending signals.
    Signal,
    /// How many signals, threads and so on users have.
    UserCount,
    /// A thread's state.
    Thread,
    /// A table of open files.
    FdTable,
    /// Locks of files.
    FileLocks,
    /// Name cache.
    Dentry,
    /// Small file-system state that is never held across waiting.
    FileSystem,
    /// Terminal buffers.
    Tty,
    /// Pipe buffers.
    Pipe,
    /// Futex hash buckets.
    Futex,
    /// Timers and sleepers.
    Timer,
    /// The files of a set (epoll) that are to be looked at.
    Epoll,
    /// A wait queue's entries.
    WaitQueue,
    /// Run queues.
    RunQueue,
    /// A thread's user registers that are not in its frame.
    UserState,
    /// The page that programs read clocks from.
    ClockPage,
    /// A device's registers or queue.
    Device,
    /// Kernel stacks that are not in use.
    KernelStacks,
    /// Kernel address space.
    KernelSpace,
    /// A CPU's kernel heap caches.
    Heap,
    /// Pages of the kernel heap that are partly used.
    HeapSlabs,
    /// A CPU's cache of free frames.
    FrameCache,
    /// Physical memory.
    Frames,
    /// The log ring, which everything may write to.
    Log,
}

impl Rank {
    const fn bit(self) -> u64 {
        1 << self as u8
    }
}

/// Notes that a spin lock is about to be taken.
///
/// # Panics
/// In debug builds when a lock of the same or an inner rank is held.
#[inline]
pub(crate) fn acquire(rank: Rank) {
    if cfg!(debug_assertions) {
        let held = Current::held_ranks().load(Ordering::Relaxed);
        assert!(
            held < rank.bit(),
            "lock order: {rank:?} taken while ranks {held:#x} are held"
        );
        Current::held_ranks().store(held | rank.bit(), Ordering::Relaxed);
    }
}

/// Notes that a spin lock was released.
#[inline]
pub(crate) fn release(rank: Rank) {
    if cfg!(debug_assertions) {
        Current::held_ranks().fetch_and(!rank.bit(), Ordering::Relaxed);
    }
}

/// Checks that this CPU may sleep.
///
/// # Panics
/// In debug builds when a spin lock is held.
#[inline]
pub(crate) fn assert_may_sleep() {
    if cfg!(debug_assertions) {
        let held = Current::held_ranks().load(Ordering::Relaxed);
        assert!(held == 0, "sleeping while spin locks of ranks {held:#x} are held");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "lock order")]
    fn inversion_is_caught() {
        acquire(Rank::Frames);
        acquire(Rank::Process);
    }

    #[test]
    #[should_panic(expected = "lock order")]
    fn equal_ranks_are_caught() {
        acquire(Rank::Process);
        acquire(Rank::Process);
    }

    #[test]
    #[should_panic(expected = "sleeping while")]
    fn sleeping_with_a_lock_is_caught() {
        acquire(Rank::Tty);
        assert_may_sleep();
    }

    #[test]
    fn ascending_order_is_fine() {
        acquire(Rank::Process);
        acquire(Rank::WaitQueue);
        release(Rank::Process);
        acquire(Rank::Log);
        release(Rank::Log);
        release(Rank::WaitQueue);
        assert_may_sleep();
    }
}
