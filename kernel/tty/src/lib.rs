//! Terminals: the line discipline, termios, and the rules of job control.
//!
//! [`Terminal`] is a terminal device: input arrives by [`Terminal::receive`], programs reach it through
//! [`TerminalFile`]. [`discipline`] is the pure state machine between the two. What sessions and process
//! groups are comes from above, as [`JobControl`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod device;
mod discipline;
mod echo;
mod ioctl;
mod job_control;
mod modes;
mod output;
mod terminal;

pub use device::{OpenedAs, TerminalFile};
pub use job_control::{JobControl, TtyCaller, set_job_control};
pub use terminal::{Terminal, TerminalOutput};
