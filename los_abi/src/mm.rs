//! Memory: protection, mapping flags and advice (`linux/mman.h`, `asm/mman.h`), equal on both machines.
//!
//! Bits that only one machine defines (`PROT_BTI` and `PROT_MTE` of aarch64, `MAP_32BIT` of x86_64) are
//! listed with that machine's name in their description; neither value has another meaning on the other.

use crate::macros::{constants, flags, wire};

flags! {
    /// Access that mmap(2) and mprotect(2) give (`PROT_*`).
    ProtFlags {
        READ = 1, "May be read.";
        WRITE = 2, "May be written.";
        EXEC = 4, "May be executed.";
        SEM = 8, "May hold semaphores; has no effect.";
        BTI = 0x10, "Indirect branches must meet a landing pad (aarch64).";
        MTE = 0x20, "Carries allocation tags (aarch64).";
        GROWSDOWN = 0x0100_0000, "mprotect extends to the start of a mapping that grows down.";
        GROWSUP = 0x0200_0000, "mprotect extends to the end of a mapping that grows up.";
    }

    /// Kind of mapping (`MAP_*`). The low four bits are a number: see [`MapFlags::TYPE`].
    MapFlags {
        SHARED = 1, "Writes reach the file and other processes.";
        PRIVATE = 2, "Writes stay in this process.";
        FIXED = 0x10, "The address is a demand; what was there goes.";
        ANONYMOUS = 0x20, "Memory of zeroes without a file.";
        _32BIT = 0x40, "Below 2 GiB (x86_64).";
        GROWSDOWN = 0x100, "A stack that grows down.";
        DENYWRITE = 0x800, "Ignored.";
        EXECUTABLE = 0x1000, "Ignored.";
        LOCKED = 0x2000, "Locked in memory as by mlock(2).";
        NORESERVE = 0x4000, "No swap space is reserved.";
        POPULATE = 0x8000, "Page tables are filled at once.";
        NONBLOCK = 0x1_0000, "With POPULATE: no waiting for the file.";
        STACK = 0x2_0000, "A stack; has no effect.";
        HUGETLB = 0x4_0000, "Huge pages.";
        SYNC = 0x8_0000, "With SHARED_VALIDATE: synchronous page faults.";
        FIXED_NOREPLACE = 0x10_0000, "The address is a demand; EEXIST if something is there.";
        UNINITIALIZED = 0x400_0000, "Anonymous memory is not cleared; only without an MMU.";
    }

    /// How mremap(2) moves a mapping (`MREMAP_*`).
    MremapFlags {
        MAYMOVE = 1, "The mapping may move.";
        FIXED = 2, "The new address is a demand.";
        DONTUNMAP = 4, "The old range stays, empty.";
    }

    /// What msync(2) does (`MS_*`).
    MsyncFlags {
        ASYNC = 1, "Schedules writing.";
        INVALIDATE = 2, "Other mappings of the file see the new data.";
        SYNC = 4, "Writes and waits.";
    }

    /// What mlockall(2) locks (`MCL_*`).
    MlockallFlags {
        CURRENT = 1, "All that is mapped.";
        FUTURE = 2, "All that will be mapped.";
        ONFAULT = 4, "Pages as they are touched.";
    }

    /// How mlock2(2) locks (`MLOCK_*`).
    Mlock2Flags {
        ONFAULT = 1, "Pages as they are touched.";
    }

    /// Properties of the file of memfd_create(2) (`MFD_*`).
    MemfdFlags {
        CLOEXEC = 1, "Closed by execve.";
        ALLOW_SEALING = 2, "Seals may be added.";
        HUGETLB = 4, "Huge pages.";
        NOEXEC_SEAL = 8, "Never executable, and sealed so.";
        EXEC = 0x10, "Executable.";
    }
}

wire! {
    /// Part of a file that cachestat(2) is asked about.
    #[derive(PartialEq, Eq)]
    CachestatRange {
        /// First byte.
        off: u64,
        /// Number of bytes, 0 for all that follow.
        len: u64,
    }

    /// What cachestat(2) tells, in pages.
    #[derive(PartialEq, Eq)]
    Cachestat {
        /// In memory.
        nr_cache: u64,
        /// Not yet written back.
        nr_dirty: u64,
        /// Being written back.
        nr_writeback: u64,
        /// Taken out of memory.
        nr_evicted: u64,
        /// Taken out of memory a short time ago.
        nr_recently_evicted: u64,
    }
}

impl MapFlags {
    /// Mask of the number that says with whom writes are shared.
    pub const TYPE: u32 = 0xf;
    /// Value under [`MapFlags::TYPE`]: shared, and unknown flags are refused.
    pub const SHARED_VALIDATE: u32 = 3;
    /// Memory of zeroes that may vanish.
    pub const DROPPABLE: u32 = 8;
}

/// Flag of [`MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ`]: one CPU is meant.
pub const MEMBARRIER_FLAG_CPU: u32 = 1;

constants! {
    /// Advice of madvise(2).
    ADVICE: i32 {
        MADV_NORMAL = 0, "No expectation.";
        MADV_RANDOM = 1, "Pages are used in random order.";
        MADV_SEQUENTIAL = 2, "Pages are used in order.";
        MADV_WILLNEED = 3, "Pages are used soon.";
        MADV_DONTNEED = 4, "Pages go; anonymous memory reads as zeroes again.";
        MADV_FREE = 8, "Pages may go when memory is short.";
        MADV_REMOVE = 9, "Pages go from the file as well.";
        MADV_DONTFORK = 10, "A child does not get the range.";
        MADV_DOFORK = 11, "Undoes MADV_DONTFORK.";
        MADV_MERGEABLE = 12, "Equal pages may be merged.";
        MADV_UNMERGEABLE = 13, "Undoes MADV_MERGEABLE.";
        MADV_HUGEPAGE = 14, "Huge pages are welcome.";
        MADV_NOHUGEPAGE = 15, "Huge pages are not welcome.";
        MADV_DONTDUMP = 16, "Stays out of core dumps.";
        MADV_DODUMP = 17, "Undoes MADV_DONTDUMP.";
        MADV_WIPEONFORK = 18, "A child gets zeroes.";
        MADV_KEEPONFORK = 19, "Undoes MADV_WIPEONFORK.";
        MADV_COLD = 20, "Pages may go first.";
        MADV_PAGEOUT = 21, "Pages go now.";
        MADV_POPULATE_READ = 22, "Page tables are filled for reading.";
        MADV_POPULATE_WRITE = 23, "Page tables are filled for writing.";
        MADV_DONTNEED_LOCKED = 24, "As MADV_DONTNEED, for locked memory too.";
        MADV_GUARD_INSTALL = 102, "Nobody may touch the range.";
        MADV_GUARD_REMOVE = 103, "Undoes MADV_GUARD_INSTALL.";
        MADV_COLLAPSE = 25, "Pages become huge pages now.";
    }

    /// Commands of membarrier(2).
    MEMBARRIER_COMMANDS: u32 {
        MEMBARRIER_CMD_QUERY = 0, "Returns the set of commands that exist.";
        MEMBARRIER_CMD_GLOBAL = 1, "Orders all running threads of the system.";
        MEMBARRIER_CMD_GLOBAL_EXPEDITED = 2, "Orders those of processes that registered for it.";
        MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 4, "Registers for MEMBARRIER_CMD_GLOBAL_EXPEDITED.";
        MEMBARRIER_CMD_PRIVATE_EXPEDITED = 8, "Orders all running threads of the process.";
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 0x10, "Registers for MEMBARRIER_CMD_PRIVATE_EXPEDITED.";
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 0x20, "As PRIVATE_EXPEDITED, for instruction fetch too.";
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 0x40, "Registers for it.";
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ = 0x80, "As PRIVATE_EXPEDITED, and restarts critical sections.";
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ = 0x100, "Registers for it.";
        MEMBARRIER_CMD_GET_REGISTRATIONS = 0x200, "Returns the set of registrations.";
    }
}
