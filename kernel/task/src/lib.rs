//! Threads, processes and what happens to them: scheduling, birth, images, signals, waiting and death.
//!
//! A [`Thread`] is what the scheduler runs; a [`Process`] is the thread group it belongs to. The kernel side
//! of a user thread is the loop in [`user_loop`]; a system call handler gets a [`Context`], never the
//! running thread from nowhere. Family relations live in one table, [`pid`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod accounting;
pub mod attributes;
pub mod clock;
pub mod clone;
pub mod core_dump;
pub mod cred;
pub mod exec;
pub mod exit;
pub mod fd_table;
mod fs_sharing;
pub mod futex;
mod heap;
pub mod inspect;
pub mod itimer;
pub mod job_control;
pub mod kernel_thread;
mod limit_watch;
mod name;
pub mod oom;
pub mod pid;
pub mod pidfd;
pub mod posix_timer;
pub mod priority;
pub mod process;
mod process_limit;
pub mod rlimit;
pub mod rseq;
pub mod sched;
pub mod signal;
pub mod sleep;
pub mod thread;
pub mod timer;
pub mod timer_file;
mod tree;
pub mod user_count;
mod user_loop;
pub mod uts;
pub mod version;
pub mod wait;

mod context;
#[cfg(test)]
mod testing;

pub use context::Context;
pub use fd_table::FdTable;
pub use fs_sharing::SharedFs;
pub use los_arch::CurrentAbi as Abi;
pub use pid::Pid;
pub use process::Process;
pub use sched::current;
pub use thread::Thread;
pub use user_loop::{SyscallHandler, set_syscall_handler};
