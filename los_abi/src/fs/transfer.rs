//! Flags of the calls that transfer, allocate and describe (`linux/fs.h`, `linux/falloc.h`, `linux/xattr.h`,
//! `linux/eventfd.h`).

use crate::macros::{flags, wire};

flags! {
    /// Flags of one preadv2(2) or pwritev2(2) (`RWF_*`).
    ReadWriteFlags {
        HIPRI = 1, "Polls for the end of the transfer.";
        DSYNC = 2, "Waits for the data.";
        SYNC = 4, "Waits for data and attributes.";
        NOWAIT = 8, "Fails rather than waits.";
        APPEND = 0x10, "Writes at the end.";
    }

    /// What fallocate(2) does (`FALLOC_FL_*`).
    FallocateFlags {
        KEEP_SIZE = 1, "The size stays.";
        PUNCH_HOLE = 2, "The range becomes a hole.";
        COLLAPSE_RANGE = 8, "The range is cut out.";
        ZERO_RANGE = 0x10, "The range reads as zeros.";
        INSERT_RANGE = 0x20, "A hole is put in.";
        UNSHARE_RANGE = 0x40, "Shared blocks are copied.";
    }

    /// Flags of setxattr(2) (`XATTR_*`).
    XattrFlags {
        CREATE = 1, "Fails if the attribute exists.";
        REPLACE = 2, "Fails unless the attribute exists.";
    }
}

wire! {
    /// Value of setxattrat(2) and getxattrat(2), a structure that may grow.
    #[derive(PartialEq, Eq)]
    XattrArgs {
        /// Address of the value.
        value: u64,
        /// Its length.
        size: u32,
        /// [`XattrFlags`].
        flags: u32,
    }
}

wire! {
    /// Receiver of signals about a file, for F_SETOWN_EX.
    #[derive(PartialEq, Eq)]
    FOwnerEx {
        /// One of [`OWNER_KINDS`](super::OWNER_KINDS).
        kind: i32,
        /// Its number.
        pid: i32,
    }
}

/// Flag of eventfd2(2): a read takes one from the counter (`EFD_SEMAPHORE`). The others are open flags.
pub const EFD_SEMAPHORE: u32 = 1;
/// Longest name of an extended attribute (`linux/limits.h`).
pub const XATTR_NAME_MAX: usize = 255;
/// Longest value of an extended attribute (`linux/limits.h`).
pub const XATTR_SIZE_MAX: usize = 65536;
/// Longest list of names of extended attributes (`linux/limits.h`).
pub const XATTR_LIST_MAX: usize = 65536;
