//! Memory policies (`linux/mempolicy.h`), equal on both machines.

use crate::macros::constants;

constants! {
    /// Flags of a policy's mode.
    MODE_FLAGS: u32 {
        MPOL_F_STATIC_NODES = 1 << 15, "The nodes stay as they are said.";
        MPOL_F_RELATIVE_NODES = 1 << 14, "The nodes count from the first that is allowed.";
        MPOL_F_NUMA_BALANCING = 1 << 13, "Pages may follow those who use them.";
        MPOL_MODE_FLAGS = 7 << 13, "All of them.";
    }

    /// What get_mempolicy(2) asks.
    QUERIES: u32 {
        MPOL_F_NODE = 1, "The next node, or a page's.";
        MPOL_F_ADDR = 2, "The policy of an address.";
        MPOL_F_MEMS_ALLOWED = 4, "The nodes that are allowed.";
    }

    /// What mbind(2) and move_pages(2) do with pages that exist.
    MOVES: u32 {
        MPOL_MF_STRICT = 1, "Fails if some are elsewhere.";
        MPOL_MF_MOVE = 2, "Moves those of the process.";
        MPOL_MF_MOVE_ALL = 4, "Moves those that others use too.";
    }
}

/// No policy.
pub const MPOL_DEFAULT: u32 = 0;
/// One node first.
pub const MPOL_PREFERRED: u32 = 1;
/// Only these nodes.
pub const MPOL_BIND: u32 = 2;
/// These nodes in turn.
pub const MPOL_INTERLEAVE: u32 = 3;
/// The node of the processor.
pub const MPOL_LOCAL: u32 = 4;
/// These nodes first.
pub const MPOL_PREFERRED_MANY: u32 = 5;
/// These nodes in turn, by weight.
pub const MPOL_WEIGHTED_INTERLEAVE: u32 = 6;
