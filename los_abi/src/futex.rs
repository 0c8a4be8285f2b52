//! Sleeping on words: operations, flags and structures of futex(2) and its kin, equal on both machines.

use crate::macros::{constants, wire};

constants! {
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
}

wire! {
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
