//! Processes: clone, wait, pidfds and kcmp, equal on both machines.

use crate::macros::{constants, flags, wire};

bitflags::bitflags! {
    /// Flags of clone(2) and clone3(2) (`CLONE_*`). The low byte of clone's word is a signal instead: see
    /// [`CloneFlags::EXIT_SIGNAL_MASK`].
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct CloneFlags: u64 {
        /// A new time namespace (clone3 and unshare only).
        const NEWTIME = 0x80;
        /// Shares the address space.
        const VM = 0x100;
        /// Shares root, working directory and umask.
        const FS = 0x200;
        /// Shares the descriptors.
        const FILES = 0x400;
        /// Shares the signal handlers.
        const SIGHAND = 0x800;
        /// Returns a descriptor of the child.
        const PIDFD = 0x1000;
        /// The child is traced too.
        const PTRACE = 0x2000;
        /// The parent waits until the child executes or ends.
        const VFORK = 0x4000;
        /// The child is a sibling.
        const PARENT = 0x8000;
        /// The child is a thread of the process.
        const THREAD = 0x1_0000;
        /// A new mount namespace.
        const NEWNS = 0x2_0000;
        /// Shares System V semaphore undo values.
        const SYSVSEM = 0x4_0000;
        /// The child gets its own thread pointer.
        const SETTLS = 0x8_0000;
        /// Stores the child's id in the parent.
        const PARENT_SETTID = 0x10_0000;
        /// Clears and wakes a word when the child ends.
        const CHILD_CLEARTID = 0x20_0000;
        /// Ignored.
        const DETACHED = 0x40_0000;
        /// Tracing cannot be forced on the child.
        const UNTRACED = 0x80_0000;
        /// Stores the child's id in the child.
        const CHILD_SETTID = 0x100_0000;
        /// A new cgroup namespace.
        const NEWCGROUP = 0x200_0000;
        /// A new UTS namespace.
        const NEWUTS = 0x400_0000;
        /// A new IPC namespace.
        const NEWIPC = 0x800_0000;
        /// A new user namespace.
        const NEWUSER = 0x1000_0000;
        /// A new PID namespace.
        const NEWPID = 0x2000_0000;
        /// A new network namespace.
        const NEWNET = 0x4000_0000;
        /// Shares the I/O context.
        const IO = 0x8000_0000;
        /// Handlers become the default (clone3 only).
        const CLEAR_SIGHAND = 0x1_0000_0000;
        /// Starts in a cgroup (clone3 only).
        const INTO_CGROUP = 0x2_0000_0000;
    }
}

impl CloneFlags {
    /// `CSIGNAL`: mask of the signal that clone(2) sends to the parent when the child ends.
    pub const EXIT_SIGNAL_MASK: u64 = 0xff;
}

flags! {
    /// Options of wait4(2) and waitid(2). Their names in C start with `W`, or with two underscores.
    WaitFlags {
        NOHANG = 1, "Does not wait.";
        UNTRACED = 2, "Also children that stopped (`WSTOPPED`).";
        EXITED = 4, "Children that ended.";
        CONTINUED = 8, "Also children that continued.";
        NOWAIT = 0x0100_0000, "The child stays as it is.";
        NOTHREAD = 0x2000_0000, "Not children of other threads.";
        ALL = 0x4000_0000, "All children.";
        CLONE = 0x8000_0000, "Only children that end without SIGCHLD.";
    }

    /// Flags of pidfd_open(2) (`PIDFD_*`).
    PidfdFlags {
        THREAD = 0x80, "A thread, not its process.";
        NONBLOCK = 0x800, "Waiting for it is EAGAIN while it lives.";
    }

    /// Flags of pidfd_send_signal(2) (`PIDFD_SIGNAL_*`).
    PidfdSignalFlags {
        THREAD = 1, "To the thread.";
        THREAD_GROUP = 2, "To the process.";
        PROCESS_GROUP = 4, "To the process group.";
    }
}

/// How a process ended or stopped, as wait4(2) encodes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitStatus {
    /// It exited with this status, of which the low byte counts.
    Exited(i32),
    /// The signal ended it.
    Signaled {
        /// Number of the signal.
        signal: u32,
        /// Whether a core was dumped.
        core_dumped: bool,
    },
    /// The signal stopped it.
    Stopped(u32),
    /// It continued.
    Continued,
}

impl WaitStatus {
    /// Returns the word that wait4(2) stores.
    pub const fn encode(self) -> i32 {
        match self {
            Self::Exited(status) => (status & 0xff) << 8,
            Self::Signaled { signal, core_dumped } => signal as i32 | if core_dumped { 0x80 } else { 0 },
            Self::Stopped(signal) => (signal as i32) << 8 | 0x7f,
            Self::Continued => 0xffff,
        }
    }

    /// Reads the word that wait4(2) stored.
    pub const fn decode(word: i32) -> Self {
        let (low, high) = ((word & 0x7f) as u32, (word >> 8) & 0xff);
        match low {
            0 => Self::Exited(high),
            0x7f if word == 0xffff => Self::Continued,
            0x7f => Self::Stopped(high as u32),
            signal => Self::Signaled {
                signal,
                core_dumped: word & 0x80 != 0,
            },
        }
    }
}

constants! {
    /// Whom waitid(2) waits for.
    WAIT_ID_TYPES: u32 {
        P_ALL = 0, "Any child.";
        P_PID = 1, "One child.";
        P_PGID = 2, "Children of a process group.";
        P_PIDFD = 3, "The child of a descriptor.";
    }

    /// What kcmp(2) compares.
    KCMP_KINDS: i32 {
        KCMP_FILE = 0, "Two open files.";
        KCMP_VM = 1, "Memory.";
        KCMP_FILES = 2, "Tables of descriptors.";
        KCMP_FS = 3, "Root, working directory and umask.";
        KCMP_SIGHAND = 4, "Signal handlers.";
        KCMP_IO = 5, "I/O contexts.";
        KCMP_SYSVSEM = 6, "System V semaphore undo values.";
        KCMP_EPOLL_TFD = 7, "A file and a target of an epoll instance.";
    }
}

/// Size of a thread's name with its NUL (`TASK_COMM_LEN`).
pub const TASK_COMM_LEN: usize = 16;
/// Size of the first published [`CloneArgs`].
pub const CLONE_ARGS_SIZE_VER0: usize = 64;

wire! {
    /// A member of an epoll instance, for `KCMP_EPOLL_TFD` (`linux/kcmp.h`).
    #[derive(PartialEq, Eq)]
    KcmpEpollSlot {
        /// Descriptor of the instance.
        efd: u32,
        /// Number under which the member was added.
        tfd: u32,
        /// Which of the members of that number.
        toff: u32,
    }

    /// Arguments of clone3(2).
    #[derive(PartialEq, Eq)]
    CloneArgs {
        /// [`CloneFlags`].
        flags: u64,
        /// Where the descriptor of the child goes.
        pidfd: u64,
        /// Where the child's id goes in the child.
        child_tid: u64,
        /// Where the child's id goes in the parent.
        parent_tid: u64,
        /// Signal for the parent when the child ends.
        exit_signal: u64,
        /// Lowest address of the child's stack.
        stack: u64,
        /// Its size.
        stack_size: u64,
        /// Thread pointer.
        tls: u64,
        /// Array of wanted ids.
        set_tid: u64,
        /// Its length.
        set_tid_size: u64,
        /// Descriptor of a cgroup.
        cgroup: u64,
    }
}

#[cfg(test)]
mod tests {
    use super::{PidfdFlags, WaitStatus};
    use crate::fs::OpenFlags;

    #[test]
    fn wait_words_are_those_of_linux() {
        for (status, word) in [
            (WaitStatus::Exited(42), 0x2a00),
            (
                WaitStatus::Signaled {
                    signal: 11,
                    core_dumped: true,
                },
                0x8b,
            ),
            (
                WaitStatus::Signaled {
                    signal: 9,
                    core_dumped: false,
                },
                9,
            ),
            (WaitStatus::Stopped(19), 0x137f),
            (WaitStatus::Continued, 0xffff),
        ] {
            assert_eq!(status.encode(), word);
            assert_eq!(WaitStatus::decode(word), status);
        }
        assert_eq!(WaitStatus::Exited(-1).encode(), 0xff00);
    }

    #[test]
    fn flags_of_process_descriptors_are_open_flags() {
        assert_eq!(PidfdFlags::NONBLOCK.bits(), OpenFlags::NONBLOCK.bits());
        assert_eq!(PidfdFlags::THREAD.bits(), OpenFlags::EXCL.bits());
    }
}
