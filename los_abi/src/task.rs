//! Processes and the system as a whole: clone, wait, limits, futexes, prctl, uname, reboot and more, equal on
//! both machines.

use crate::macros::{constants, flags, wire};
use crate::time::Timeval;

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

    /// Flags of getrandom(2) (`GRND_*`).
    GetRandomFlags {
        NONBLOCK = 1, "Fails rather than waits.";
        RANDOM = 2, "From the pool of `/dev/random`.";
        INSECURE = 4, "Even before the pool is ready.";
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

    /// Operations of futex(2), in the low seven bits.
    FUTEX_OPERATIONS: u32 {
        FUTEX_WAIT = 0, "Sleeps while the word has the value.";
        FUTEX_WAKE = 1, "Wakes sleepers.";
        FUTEX_FD = 2, "Gone.";
        FUTEX_REQUEUE = 3, "Wakes some, moves the rest to another word.";
        FUTEX_CMP_REQUEUE = 4, "FUTEX_REQUEUE if the word has the value.";
        FUTEX_WAKE_OP = 5, "Changes one word, wakes sleepers of two.";
        FUTEX_LOCK_PI = 6, "Takes a lock with priority inheritance.";
        FUTEX_UNLOCK_PI = 7, "Drops such a lock.";
        FUTEX_TRYLOCK_PI = 8, "Takes such a lock if it is free.";
        FUTEX_WAIT_BITSET = 9, "FUTEX_WAIT with a mask and an absolute time.";
        FUTEX_WAKE_BITSET = 10, "FUTEX_WAKE with a mask.";
        FUTEX_WAIT_REQUEUE_PI = 11, "Sleeps until moved to a lock.";
        FUTEX_CMP_REQUEUE_PI = 12, "Moves sleepers to a lock.";
        FUTEX_LOCK_PI2 = 13, "FUTEX_LOCK_PI with a choice of clock.";
    }

    /// Flags beside the operation of futex(2), and bits of the words of locks.
    FUTEX_FLAGS: u32 {
        FUTEX_PRIVATE_FLAG = 0x80, "The word is private to the process.";
        FUTEX_CLOCK_REALTIME = 0x100, "Times are of CLOCK_REALTIME.";
        FUTEX_WAITERS = 0x8000_0000, "In a lock's word: there are sleepers.";
        FUTEX_OWNER_DIED = 0x4000_0000, "In a lock's word: the owner ended.";
        FUTEX_TID_MASK = 0x3fff_ffff, "In a lock's word: the owner.";
        FUTEX_BITSET_MATCH_ANY = 0xffff_ffff, "The mask that matches all.";
    }

    /// Operations of FUTEX_WAKE_OP.
    FUTEX_OPS: u32 {
        FUTEX_OP_SET = 0, "Stores the operand.";
        FUTEX_OP_ADD = 1, "Adds the operand.";
        FUTEX_OP_OR = 2, "Sets the operand's bits.";
        FUTEX_OP_ANDN = 3, "Clears the operand's bits.";
        FUTEX_OP_XOR = 4, "Inverts the operand's bits.";
        FUTEX_OP_OPARG_SHIFT = 8, "Beside an operation: the operand is the number of a bit.";
    }

    /// Comparisons of FUTEX_WAKE_OP, of the word's old value with the operand.
    FUTEX_COMPARISONS: u32 {
        FUTEX_OP_CMP_EQ = 0, "Equal.";
        FUTEX_OP_CMP_NE = 1, "Not equal.";
        FUTEX_OP_CMP_LT = 2, "Less.";
        FUTEX_OP_CMP_LE = 3, "Less or equal.";
        FUTEX_OP_CMP_GT = 4, "Greater.";
        FUTEX_OP_CMP_GE = 5, "Greater or equal.";
    }

    /// Flags of the calls that have one futex operation each, and their limit.
    FUTEX2_FLAGS: u32 {
        FUTEX2_SIZE_U32 = 2, "The word has four bytes.";
        FUTEX2_SIZE_MASK = 3, "The size of the word.";
        FUTEX2_PRIVATE = 0x80, "The word is private to the process.";
        FUTEX_WAITV_MAX = 128, "Most words of futex_waitv.";
    }

    /// Options of prctl(2).
    PRCTL_OPTIONS: i32 {
        PR_SET_PDEATHSIG = 1, "Sets the signal for the parent's end.";
        PR_GET_PDEATHSIG = 2, "Reads the signal for the parent's end.";
        PR_GET_DUMPABLE = 3, "Reads whether there may be a core dump.";
        PR_SET_DUMPABLE = 4, "Sets whether there may be a core dump.";
        PR_GET_KEEPCAPS = 7, "Reads whether setuid keeps capabilities.";
        PR_SET_KEEPCAPS = 8, "Sets whether setuid keeps capabilities.";
        PR_GET_TIMING = 13, "Reads how processor time is measured.";
        PR_SET_TIMING = 14, "Sets how processor time is measured.";
        PR_SET_NAME = 15, "Sets the thread's name.";
        PR_GET_NAME = 16, "Reads the thread's name.";
        PR_GET_SECCOMP = 21, "Reads the seccomp mode.";
        PR_SET_SECCOMP = 22, "Sets the seccomp mode.";
        PR_CAPBSET_READ = 23, "Reads a bit of the bounding set.";
        PR_CAPBSET_DROP = 24, "Drops a bit of the bounding set.";
        PR_GET_SECUREBITS = 27, "Reads the secure bits.";
        PR_SET_SECUREBITS = 28, "Sets the secure bits.";
        PR_SET_TIMERSLACK = 29, "Sets the timers' slack.";
        PR_GET_TIMERSLACK = 30, "Reads the timers' slack.";
        PR_SET_MM = 35, "Sets fields of the memory description.";
        PR_SET_CHILD_SUBREAPER = 36, "Adopts orphaned descendants.";
        PR_GET_CHILD_SUBREAPER = 37, "Reads whether it does.";
        PR_SET_NO_NEW_PRIVS = 38, "execve grants nothing from now on.";
        PR_GET_NO_NEW_PRIVS = 39, "Reads whether it does.";
        PR_GET_TID_ADDRESS = 40, "Reads the word that is cleared at the end.";
        PR_SET_THP_DISABLE = 41, "Sets whether huge pages are off.";
        PR_GET_THP_DISABLE = 42, "Reads whether huge pages are off.";
        PR_CAP_AMBIENT = 47, "Changes the ambient set.";
        PR_SET_VMA = 0x5356_4d41, "Names a mapping.";
    }

    /// Operations of PR_CAP_AMBIENT.
    AMBIENT_OPERATIONS: u64 {
        PR_CAP_AMBIENT_IS_SET = 1, "Tells whether the set has a capability.";
        PR_CAP_AMBIENT_RAISE = 2, "Adds a capability.";
        PR_CAP_AMBIENT_LOWER = 3, "Takes a capability away.";
        PR_CAP_AMBIENT_CLEAR_ALL = 4, "Empties the set.";
    }

    /// Commands of reboot(2).
    REBOOT_COMMANDS: u32 {
        LINUX_REBOOT_CMD_RESTART = 0x0123_4567, "Restarts.";
        LINUX_REBOOT_CMD_HALT = 0xcdef_0123, "Halts.";
        LINUX_REBOOT_CMD_CAD_ON = 0x89ab_cdef, "Ctrl-Alt-Del restarts.";
        LINUX_REBOOT_CMD_CAD_OFF = 0, "Ctrl-Alt-Del is SIGINT to init.";
        LINUX_REBOOT_CMD_POWER_OFF = 0x4321_fedc, "Switches off.";
        LINUX_REBOOT_CMD_RESTART2 = 0xa1b2_c3d4, "Restarts with a string.";
        LINUX_REBOOT_CMD_SW_SUSPEND = 0xd000_fce2, "Suspends to disk.";
        LINUX_REBOOT_CMD_KEXEC = 0x4558_4543, "Starts another kernel.";
    }

    /// Words that reboot(2) insists on.
    REBOOT_MAGICS: u32 {
        LINUX_REBOOT_MAGIC1 = 0xfee1_dead, "First word.";
        LINUX_REBOOT_MAGIC2 = 672_274_793, "Second word.";
        LINUX_REBOOT_MAGIC2A = 85_072_278, "Second word, too.";
        LINUX_REBOOT_MAGIC2B = 369_367_448, "Second word, too.";
        LINUX_REBOOT_MAGIC2C = 537_993_216, "Second word, too.";
    }
}

/// Limit that is none.
pub const RLIM_INFINITY: u64 = u64::MAX;
/// Number of resources.
pub const RLIM_NLIMITS: usize = 16;
/// Size of a thread's name with its NUL (`TASK_COMM_LEN`).
pub const TASK_COMM_LEN: usize = 16;
/// Length of a string of [`Utsname`], without its NUL (`__NEW_UTS_LEN`).
pub const UTS_LEN: usize = 64;
/// Most supplementary groups of a process (`linux/limits.h`).
pub const NGROUPS_MAX: usize = 65536;
/// Size of the first published [`CloneArgs`].
pub const CLONE_ARGS_SIZE_VER0: usize = 64;

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

    /// Names of the system, each NUL-terminated.
    #[derive(PartialEq, Eq)]
    Utsname {
        /// Name of the kernel.
        sysname: [u8; 65],
        /// Name of the host.
        nodename: [u8; 65],
        /// Release of the kernel.
        release: [u8; 65],
        /// Version of the kernel.
        version: [u8; 65],
        /// Name of the machine.
        machine: [u8; 65],
        /// Name of the NIS domain.
        domainname: [u8; 65],
    }

    /// State of the system.
    #[derive(PartialEq, Eq)]
    Sysinfo {
        /// Seconds since boot.
        uptime: i64,
        /// Load averages over 1, 5 and 15 minutes, in units of 1/65536.
        loads: [u64; 3],
        /// Memory, in units of `mem_unit`.
        totalram: u64,
        /// Free memory.
        freeram: u64,
        /// Shared memory.
        sharedram: u64,
        /// Memory in buffers.
        bufferram: u64,
        /// Swap space.
        totalswap: u64,
        /// Free swap space.
        freeswap: u64,
        /// Number of threads.
        procs: u16,
        /// Padding.
        pad: u16,
        /// Padding.
        pad2: u32,
        /// High memory.
        totalhigh: u64,
        /// Free high memory.
        freehigh: u64,
        /// Unit of the sizes, in bytes.
        mem_unit: u32,
        /// Padding.
        pad3: u32,
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

    /// Head of a list of locks that the kernel releases when their owner ends.
    #[derive(PartialEq, Eq)]
    RobustListHead {
        /// First entry; the head's own address when empty.
        list: u64,
        /// Offset from an entry to its futex word.
        futex_offset: i64,
        /// Entry that is being added or removed.
        list_op_pending: u64,
    }

    /// A word to sleep on, of futex_waitv and futex_requeue.
    #[derive(PartialEq, Eq)]
    FutexWaitv {
        /// Value that the word must have.
        val: u64,
        /// Address of the word.
        uaddr: u64,
        /// Its size and whether it is private.
        flags: u32,
        /// Zero.
        reserved: u32,
    }
}

impl Utsname {
    /// Stores a text in one of the fields, cut to what fits before its NUL.
    pub fn set(field: &mut [u8; UTS_LEN + 1], text: &[u8]) {
        let length = text.len().min(UTS_LEN);
        *field = [0; UTS_LEN + 1];
        field[..length].copy_from_slice(&text[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::{PidfdFlags, Utsname, WaitStatus};
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

    #[test]
    fn names_of_the_system_always_end() {
        let mut names = Utsname::default();
        Utsname::set(&mut names.nodename, &[b'x'; 100]);
        assert_eq!((names.nodename[63], names.nodename[64]), (b'x', 0));
        Utsname::set(&mut names.nodename, b"a");
        assert_eq!(names.nodename[..2], [b'a', 0]);
    }
}
