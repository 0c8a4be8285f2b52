//! Restartable sequences: what a thread and the kernel share (rseq(2), `linux/rseq.h`).

use crate::macros::wire;

/// Flag of rseq(2): the thread's area is given up.
pub const RSEQ_FLAG_UNREGISTER: u32 = 1;

/// `cpu_id` of an area that is not registered.
pub const RSEQ_CPU_ID_UNINITIALIZED: u32 = u32::MAX;

/// Bytes of an area as Linux had it first, which every kernel accepts.
pub const RSEQ_ORIGINAL_BYTES: u32 = 32;

/// Bytes of [`Rseq`] that the kernel keeps up to date (AT_RSEQ_FEATURE_SIZE).
pub const RSEQ_FEATURE_BYTES: u32 = 28;

/// What an area is aligned to (AT_RSEQ_ALIGN).
pub const RSEQ_ALIGNMENT: u32 = 32;

wire! {
    /// A thread's area. The compiler aligns it less than the kernel asks for, [`RSEQ_ALIGNMENT`].
    #[derive(PartialEq, Eq)]
    Rseq {
        /// The CPU that the thread runs on, or 0 before there is one: always a valid index.
        cpu_id_start: u32,
        /// The CPU that the thread runs on, or [`RSEQ_CPU_ID_UNINITIALIZED`].
        cpu_id: u32,
        /// Address of the [`RseqCs`] whose section the thread is in, 0 for none.
        rseq_cs: u64,
        /// Zero.
        flags: u32,
        /// The memory node of the CPU.
        node_id: u32,
        /// A number that no other running thread of the memory has at the time.
        mm_cid: u32,
        /// Fills the area up.
        padding: u32,
    }

    /// Describes a critical section.
    #[derive(PartialEq, Eq)]
    RseqCs {
        /// Zero.
        version: u32,
        /// Zero.
        flags: u32,
        /// Its first instruction.
        start_ip: u64,
        /// Bytes from there to the first instruction after the one that commits.
        post_commit_offset: u64,
        /// Where the thread goes on when the section was disturbed.
        abort_ip: u64,
    }
}
