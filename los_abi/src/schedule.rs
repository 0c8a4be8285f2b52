//! Scheduling: policies, priorities and their structures, equal on both machines (sched(7)).
//!
//! `linux-raw-sys` has no `linux/ioprio.h` and no `struct sched_attr`: these follow the headers.

use crate::macros::{constants, wire};

constants! {
    /// Scheduling policies.
    SCHED_POLICIES: u32 {
        SCHED_NORMAL = 0, "Time sharing (`SCHED_OTHER`).";
        SCHED_FIFO = 1, "First in, first out.";
        SCHED_RR = 2, "Round robin.";
        SCHED_BATCH = 3, "Batch.";
        SCHED_IDLE = 5, "Only when idle.";
        SCHED_DEADLINE = 6, "Deadline.";
        SCHED_EXT = 7, "By a scheduler that was loaded.";
        SCHED_RESET_ON_FORK = 0x4000_0000, "Children are time-shared.";
    }

    /// Flags of [`SchedAttr`].
    SCHED_FLAGS: u64 {
        SCHED_FLAG_RESET_ON_FORK = 1, "Children are time-shared.";
        SCHED_FLAG_RECLAIM = 2, "Takes time that other deadline threads leave.";
        SCHED_FLAG_DL_OVERRUN = 4, "A signal tells of missed deadlines.";
        SCHED_FLAG_KEEP_POLICY = 8, "The policy stays.";
        SCHED_FLAG_KEEP_PARAMS = 16, "The parameters stay.";
        SCHED_FLAG_UTIL_CLAMP_MIN = 32, "Sets the least utilization.";
        SCHED_FLAG_UTIL_CLAMP_MAX = 64, "Sets the greatest utilization.";
        SCHED_FLAG_ALL = 127, "All flags.";
    }

    /// Whose nice value getpriority(2) returns.
    PRIORITY_WHO: i32 {
        PRIO_PROCESS = 0, "A process.";
        PRIO_PGRP = 1, "A process group.";
        PRIO_USER = 2, "A user.";
    }
}

/// Size of the first published [`SchedAttr`].
pub const SCHED_ATTR_SIZE_VER0: usize = 48;

/// `IOPRIO_WHO_PROCESS`: a thread, for ioprio_get(2).
pub const IOPRIO_WHO_PROCESS: i32 = 1;
/// `IOPRIO_WHO_PGRP`: a process group.
pub const IOPRIO_WHO_PGRP: i32 = 2;
/// `IOPRIO_WHO_USER`: a user.
pub const IOPRIO_WHO_USER: i32 = 3;
/// Where the class of an I/O priority starts, above its 13 bits of data.
pub const IOPRIO_CLASS_SHIFT: u32 = 13;
/// `IOPRIO_CLASS_NONE`: as the scheduling policy has it.
pub const IOPRIO_CLASS_NONE: u32 = 0;
/// `IOPRIO_CLASS_RT`: before all others.
pub const IOPRIO_CLASS_RT: u32 = 1;
/// `IOPRIO_CLASS_BE`: best effort.
pub const IOPRIO_CLASS_BE: u32 = 2;
/// `IOPRIO_CLASS_IDLE`: after all others.
pub const IOPRIO_CLASS_IDLE: u32 = 3;
/// Levels within a class; 0 is the first served.
pub const IOPRIO_NR_LEVELS: u32 = 8;

wire! {
    /// Priority of a real-time thread.
    #[derive(PartialEq, Eq)]
    SchedParam {
        /// 1 to 99, or 0 for time sharing.
        sched_priority: i32,
    }

    /// Policy and parameters of a thread, for sched_setattr(2).
    #[derive(PartialEq, Eq)]
    SchedAttr {
        /// Size of this structure.
        size: u32,
        /// One of [`SCHED_POLICIES`].
        sched_policy: u32,
        /// [`SCHED_FLAGS`].
        sched_flags: u64,
        /// Nice value, for time sharing.
        sched_nice: i32,
        /// 1 to 99 for real time.
        sched_priority: u32,
        /// Nanoseconds that a deadline thread runs.
        sched_runtime: u64,
        /// Nanoseconds in which it does.
        sched_deadline: u64,
        /// Nanoseconds after which it runs again.
        sched_period: u64,
        /// Least utilization.
        sched_util_min: u32,
        /// Greatest utilization.
        sched_util_max: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_have_the_published_sizes() {
        assert_eq!(size_of::<SchedAttr>(), 56);
        assert_eq!(
            core::mem::offset_of!(SchedAttr, sched_util_min),
            SCHED_ATTR_SIZE_VER0
        );
    }
}
