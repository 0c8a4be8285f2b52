//! The three things that a processor's instruction set decides: how a program is entered, how it calls
//! the kernel, and how it returns from a signal handler.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::{ISA, restore_signal_frame, syscall6};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{ISA, restore_signal_frame, syscall6};
