//! Drivers: what stands between devices and the rest of the kernel.
//!
//! [`console`] is the machine's serial line as a terminal. What a machine needs to run at all (interrupt
//! controller, timer, the polled console) is part of its `arch` crate.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod console;
