//! Options of prctl(2), equal on both machines; those of arch_prctl(2) are in [`crate::isa`].

use crate::macros::{constants, wire};

constants! {
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
        PR_GET_TSC = 25, "Reads whether the cycle counter can be read.";
        PR_SET_TSC = 26, "Sets whether the cycle counter can be read.";
        PR_GET_SECUREBITS = 27, "Reads the secure bits.";
        PR_SET_SECUREBITS = 28, "Sets the secure bits.";
        PR_SET_TIMERSLACK = 29, "Sets the timers' slack.";
        PR_GET_TIMERSLACK = 30, "Reads the timers' slack.";
        PR_MCE_KILL = 33, "Sets when a broken page ends the process.";
        PR_MCE_KILL_GET = 34, "Reads when a broken page ends the process.";
        PR_SET_MM = 35, "Sets fields of the memory description.";
        PR_SET_CHILD_SUBREAPER = 36, "Adopts orphaned descendants.";
        PR_GET_CHILD_SUBREAPER = 37, "Reads whether it does.";
        PR_SET_NO_NEW_PRIVS = 38, "execve grants nothing from now on.";
        PR_GET_NO_NEW_PRIVS = 39, "Reads whether it does.";
        PR_GET_TID_ADDRESS = 40, "Reads the word that is cleared at the end.";
        PR_SET_THP_DISABLE = 41, "Sets whether huge pages are off.";
        PR_GET_THP_DISABLE = 42, "Reads whether huge pages are off.";
        PR_CAP_AMBIENT = 47, "Changes the ambient set.";
        PR_GET_SPECULATION_CTRL = 52, "Reads how the processor guesses.";
        PR_SET_SPECULATION_CTRL = 53, "Sets how the processor guesses.";
        PR_SET_IO_FLUSHER = 57, "Sets whether the process serves storage.";
        PR_GET_IO_FLUSHER = 58, "Reads whether the process serves storage.";
        PR_SET_MDWE = 65, "Refuses to make memory executable later.";
        PR_GET_MDWE = 66, "Reads whether it is refused.";
        PR_GET_AUXV = 0x4155_5856, "Reads the auxiliary vector.";
        PR_SET_VMA = 0x5356_4d41, "Names a mapping.";
    }

    /// What PR_MCE_KILL does, and when it ends a process.
    MCE_OPERATIONS: u64 {
        PR_MCE_KILL_CLEAR = 0, "Back to the system's choice.";
        PR_MCE_KILL_SET = 1, "The process chooses.";
        PR_MCE_KILL_LATE = 0, "When the page is used.";
        PR_MCE_KILL_EARLY = 1, "When the page is found broken.";
        PR_MCE_KILL_DEFAULT = 2, "As the system chooses.";
    }

    /// Flags of PR_SET_MDWE.
    MDWE_FLAGS: u64 {
        PR_MDWE_REFUSE_EXEC_GAIN = 1, "Memory stays executable, or never becomes it.";
        PR_MDWE_NO_INHERIT = 2, "Children are free of it.";
    }

    /// Ways of guessing that PR_GET_SPECULATION_CTRL knows, and what it answers.
    SPECULATION: u64 {
        PR_SPEC_STORE_BYPASS = 0, "Loads before older stores.";
        PR_SPEC_INDIRECT_BRANCH = 1, "Targets of branches.";
        PR_SPEC_NOT_AFFECTED = 0, "Nothing to protect from.";
    }

    /// What PR_SET_TSC sets.
    COUNTER_ACCESS: u32 {
        PR_TSC_ENABLE = 1, "The cycle counter can be read.";
        PR_TSC_SIGSEGV = 2, "Who reads it gets SIGSEGV.";
    }

    /// Operations of PR_SET_MM.
    MM_OPERATIONS: u64 {
        PR_SET_MM_START_CODE = 1, "Where the code starts.";
        PR_SET_MM_END_CODE = 2, "Where the code ends.";
        PR_SET_MM_START_DATA = 3, "Where the data starts.";
        PR_SET_MM_END_DATA = 4, "Where the data ends.";
        PR_SET_MM_START_STACK = 5, "Where the stack starts.";
        PR_SET_MM_START_BRK = 6, "Where the break area starts.";
        PR_SET_MM_BRK = 7, "Where the break area ends.";
        PR_SET_MM_ARG_START = 8, "Where the arguments start.";
        PR_SET_MM_ARG_END = 9, "Where the arguments end.";
        PR_SET_MM_ENV_START = 10, "Where the environment starts.";
        PR_SET_MM_ENV_END = 11, "Where the environment ends.";
        PR_SET_MM_AUXV = 12, "The auxiliary vector.";
        PR_SET_MM_EXE_FILE = 13, "The program's file.";
        PR_SET_MM_MAP = 14, "All of it.";
        PR_SET_MM_MAP_SIZE = 15, "Reads the size of the structure for all of it.";
    }

    /// Operations of PR_SET_VMA.
    VMA_OPERATIONS: u64 {
        PR_SET_VMA_ANON_NAME = 0, "Names anonymous memory.";
    }

    /// Operations of PR_CAP_AMBIENT.
    AMBIENT_OPERATIONS: u64 {
        PR_CAP_AMBIENT_IS_SET = 1, "Tells whether the set has a capability.";
        PR_CAP_AMBIENT_RAISE = 2, "Adds a capability.";
        PR_CAP_AMBIENT_LOWER = 3, "Takes a capability away.";
        PR_CAP_AMBIENT_CLEAR_ALL = 4, "Empties the set.";
    }
}

wire! {
    /// What PR_SET_MM_MAP sets (`struct prctl_mm_map`).
    #[derive(PartialEq, Eq)]
    PrctlMmMap {
        /// Where the code starts.
        start_code: u64,
        /// Where the code ends.
        end_code: u64,
        /// Where initialised data starts.
        start_data: u64,
        /// Where initialised data ends.
        end_data: u64,
        /// Where the break area starts.
        start_brk: u64,
        /// Where the break area ends.
        brk: u64,
        /// Where the stack starts.
        start_stack: u64,
        /// Where the argument strings start.
        arg_start: u64,
        /// Where the argument strings end.
        arg_end: u64,
        /// Where the environment strings start.
        env_start: u64,
        /// Where the environment strings end.
        env_end: u64,
        /// Address of the auxiliary vector.
        auxv: u64,
        /// Its size in bytes, 0 to leave what is there.
        auxv_size: u32,
        /// Descriptor of the program's file, all ones to leave what is there.
        exe_fd: u32,
    }
}
