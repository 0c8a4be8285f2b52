//! The Linux system call ABI of aarch64 and x86_64: numbers, flags, structures and errors, and no code.
//!
//! Both machines' forms are always compiled, so that a host test reaches each of them; what differs
//! between them lives in [`isa`], everything else is one for both. The kernel, its userspace and the
//! conformance programs all take their numbers from here. Every number and structure is compared with the
//! ones of Linux's own headers (crate `linux-raw-sys`) by `tests/against_linux.rs`.
//!
//! * [`syscall`]: the table of calls and the types of their arguments
//! * [`errno`]: the one error type
//! * [`fs`], [`poll`], [`mm`], [`signal`], [`task`], [`credentials`], [`schedule`], [`futex`], [`prctl`], [`resource`],
//!   [`rseq`], [`system`], [`time`], [`tty`], [`auxv`], [`core_dump`]: flags and structures
//!
//! Structures have the layout of the wire: they implement zerocopy's traits, name their padding, and can be
//! copied to and from user memory byte by byte.
#![no_std]
#![forbid(unsafe_code)]

mod macros;

pub mod auxv;
pub mod core_dump;
pub mod credentials;
pub mod errno;
pub mod fs;
pub mod futex;
pub mod inotify;
pub mod isa;
pub mod mm;
pub mod numa;
pub mod poll;
pub mod prctl;
pub mod resource;
pub mod rseq;
pub mod schedule;
pub mod signal;
pub mod syscall;
pub mod system;
pub mod task;
pub mod time;
pub mod tty;

pub use errno::Errno;
pub use isa::Isa;
