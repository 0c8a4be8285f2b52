//! System calls: the handlers. Each decodes, calls one subsystem and encodes; the logic is below.
//!
//! [`dispatch`] is the way in. The modules follow the manual: files, memory, processes, signals, time, the system.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod dispatch;
mod fs;
mod mm;
mod process;
mod signal;
mod system;
mod time;

pub use dispatch::dispatch;
pub use system::{Power, set_power};

/// Every handler under its call's name, for the table.
mod handlers {
    pub(crate) use crate::fs::*;
    pub(crate) use crate::mm::*;
    pub(crate) use crate::process::*;
    pub(crate) use crate::signal::*;
    pub(crate) use crate::system::*;
    pub(crate) use crate::time::*;
}
