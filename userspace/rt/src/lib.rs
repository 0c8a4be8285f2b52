//! The runtime of Levitate's own programs: what they stand on instead of a C library.
//!
//! It speaks to the kernel by Linux system calls alone, so a program built on it runs on Levitate and
//! on Linux. For the bare-metal targets it also brings the entry point, the allocator and the panic
//! handler; built for a host it leaves those to `std`, and its functions still make real system calls,
//! which is how programs are tested. Processes built on it have one thread.
//!
//! * [`sys`]: one unsafe stub for every row of the system call table, nothing else
//! * [`io`], [`fs`], [`process`], [`signal`], [`time`], [`tty`], [`system`]: safe functions over them
//! * [`Args`] and [`entry!`]: how a program starts
//!
//! Text is bytes everywhere: names, arguments and variables may hold anything but NUL.
#![no_std]

extern crate alloc;

mod arch;
mod args;
mod c_string;
#[cfg(target_os = "none")]
mod heap;
#[cfg(target_os = "none")]
mod start;

pub mod fs;
pub mod io;
pub mod process;
pub mod signal;
pub mod sys;
pub mod system;
pub mod text;
pub mod time;
pub mod tty;

pub use args::Args;
pub use los_abi::Errno;

/// What a system call gives: a value or an error number.
pub type Result<T> = core::result::Result<T, Errno>;
