//! Limits and usage of resources: prlimit64(2), getrusage(2), times(2), equal on both machines.

use crate::macros::{constants, wire};
use crate::time::Timeval;

constants! {
    /// Resources of getrlimit(2).
    RESOURCES: u32 {
        RLIMIT_CPU = 0, "Processor time, in seconds.";
        RLIMIT_FSIZE = 1, "Size of a file.";
        RLIMIT_DATA = 2, "Size of the data segment.";
        RLIMIT_STACK = 3, "Size of the stack.";
        RLIMIT_CORE = 4, "Size of a core dump.";
        RLIMIT_RSS = 5, "Resident memory; has no effect.";
        RLIMIT_NPROC = 6, "Processes of the user.";
        RLIMIT_NOFILE = 7, "One more than the highest descriptor.";
        RLIMIT_MEMLOCK = 8, "Locked memory.";
        RLIMIT_AS = 9, "Address space.";
        RLIMIT_LOCKS = 10, "File locks.";
        RLIMIT_SIGPENDING = 11, "Queued signals.";
        RLIMIT_MSGQUEUE = 12, "Bytes in message queues.";
        RLIMIT_NICE = 13, "Nice value, as 20 minus it.";
        RLIMIT_RTPRIO = 14, "Real-time priority.";
        RLIMIT_RTTIME = 15, "Real-time processor time, in microseconds.";
    }

    /// Whose usage getrusage(2) returns.
    RUSAGE_WHO: i32 {
        RUSAGE_SELF = 0, "The process.";
        RUSAGE_CHILDREN = -1, "Its children that were waited for.";
        RUSAGE_THREAD = 1, "The thread.";
    }
}

/// Limit that is none.
pub const RLIM_INFINITY: u64 = u64::MAX;
/// Number of resources.
pub const RLIM_NLIMITS: usize = 16;

wire! {
    /// Limit of a resource, for prlimit64(2); getrlimit(2) has the same structure on 64-bit machines.
    #[derive(PartialEq, Eq)]
    Rlimit64 {
        /// Soft limit: the one in force.
        rlim_cur: u64,
        /// Hard limit: how far the soft one may be raised.
        rlim_max: u64,
    }

    /// Used resources.
    #[derive(PartialEq, Eq)]
    Rusage {
        /// User time.
        ru_utime: Timeval,
        /// System time.
        ru_stime: Timeval,
        /// Most resident memory, in KiB.
        ru_maxrss: i64,
        /// Unused.
        ru_ixrss: i64,
        /// Unused.
        ru_idrss: i64,
        /// Unused.
        ru_isrss: i64,
        /// Page faults without input.
        ru_minflt: i64,
        /// Page faults with input.
        ru_majflt: i64,
        /// Unused.
        ru_nswap: i64,
        /// Blocks read.
        ru_inblock: i64,
        /// Blocks written.
        ru_oublock: i64,
        /// Unused.
        ru_msgsnd: i64,
        /// Unused.
        ru_msgrcv: i64,
        /// Unused.
        ru_nsignals: i64,
        /// Voluntary context switches.
        ru_nvcsw: i64,
        /// Involuntary context switches.
        ru_nivcsw: i64,
    }

    /// Times of times(2), in clock ticks.
    #[derive(PartialEq, Eq)]
    Tms {
        /// User time.
        tms_utime: i64,
        /// System time.
        tms_stime: i64,
        /// User time of children.
        tms_cutime: i64,
        /// System time of children.
        tms_cstime: i64,
    }
}
