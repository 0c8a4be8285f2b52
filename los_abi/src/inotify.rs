//! Watching files (`linux/inotify.h`), equal on both machines.

use crate::macros::{flags, wire};

flags! {
    /// Flags of inotify_init1(2), which are open flags.
    InotifyFlags {
        NONBLOCK = 0o4000, "Reads fail rather than wait.";
        CLOEXEC = 0o2_000_000, "Closed by execve.";
    }

    /// What is watched for and what has happened (`IN_*`), with how inotify_add_watch(2) goes about it.
    InotifyMask {
        ACCESS = 1, "Contents were read.";
        MODIFY = 2, "Contents were changed.";
        ATTRIB = 4, "Attributes were changed.";
        CLOSE_WRITE = 8, "A file that was open for writing was closed.";
        CLOSE_NOWRITE = 0x10, "Another open file was closed.";
        OPEN = 0x20, "A file was opened.";
        MOVED_FROM = 0x40, "A name went from the directory.";
        MOVED_TO = 0x80, "A name came to the directory.";
        CREATE = 0x100, "A name was made in the directory.";
        DELETE = 0x200, "A name was removed from the directory.";
        DELETE_SELF = 0x400, "The watched file is gone.";
        MOVE_SELF = 0x800, "The watched file has another name.";
        UNMOUNT = 0x2000, "Its file system was unmounted.";
        Q_OVERFLOW = 0x4000, "Events were lost.";
        IGNORED = 0x8000, "The watch is over.";
        ONLYDIR = 0x0100_0000, "Only a directory.";
        DONT_FOLLOW = 0x0200_0000, "A symbolic link itself.";
        EXCL_UNLINK = 0x0400_0000, "Nothing of children that have no name any more.";
        MASK_CREATE = 0x1000_0000, "Only if it is not watched yet.";
        MASK_ADD = 0x2000_0000, "In addition to what is watched for.";
        ISDIR = 0x4000_0000, "It happened to a directory.";
        ONESHOT = 0x8000_0000, "Once.";
    }
}

impl InotifyMask {
    /// Everything that can be watched for (`IN_ALL_EVENTS`).
    pub const ALL_EVENTS: Self = Self::from_bits_retain(0xfff);
}

wire! {
    /// One event as it is read; the name follows.
    #[derive(PartialEq, Eq)]
    InotifyEvent {
        /// Number of the watch, -1 for none.
        wd: i32,
        /// What has happened: [`InotifyMask`].
        mask: u32,
        /// Joins the two events of one move.
        cookie: u32,
        /// Length of the name with the zeros behind it, a multiple of this structure's.
        len: u32,
    }
}

/// Default of `fs.inotify.max_queued_events`.
pub const INOTIFY_DEFAULT_QUEUED_EVENTS: usize = 16_384;
/// Default of `fs.inotify.max_user_instances`.
pub const INOTIFY_DEFAULT_INSTANCES: usize = 128;
