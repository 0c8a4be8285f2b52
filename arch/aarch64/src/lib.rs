//! The aarch64 machine: [`Aarch64`] implements the whole hardware contract of `hal` for an Armv8-A
//! processor with a GIC, the generic timer, a PL011, a PL031 and PSCI, as the device tree names them.
//!
//! The modules named first are pure: bit arithmetic and parsing, tested on any host. The others drive the
//! machine and exist on it only. The way in: `boot.S`, then the kernel's `kernel_main`; the way to user
//! mode and back: `trap.rs` with `vectors.S`.
#![no_std]

extern crate alloc;

pub mod discover;
pub mod features;
pub mod frame;
pub mod notes;
pub mod pte;
pub mod rate;
pub mod signal;
pub mod state;
pub mod syndrome;

#[cfg(target_os = "none")]
mod boot;
#[cfg(target_os = "none")]
mod clock;
#[cfg(target_os = "none")]
mod console;
#[cfg(target_os = "none")]
mod cpu;
#[cfg(target_os = "none")]
mod gicv2;
#[cfg(target_os = "none")]
mod gicv3;
#[cfg(target_os = "none")]
mod irq;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod mmio;
#[cfg(target_os = "none")]
mod mmu;
#[cfg(target_os = "none")]
mod percpu;
#[cfg(target_os = "none")]
mod power;
#[cfg(target_os = "none")]
mod timer;
#[cfg(target_os = "none")]
mod trap;
#[cfg(target_os = "none")]
mod uaccess;
#[cfg(target_os = "none")]
mod vdso;

/// The machine.
#[derive(Clone, Copy, Debug)]
pub struct Aarch64;

#[cfg(target_os = "none")]
pub use cpu::Context;

#[cfg(target_os = "none")]
mod arch;
