//! The x86_64 machine: [`X86_64`] implements the whole hardware contract of `hal`.
//!
//! Descriptors, frames, firmware tables and clock decoding are pure and are tested on any host. What needs
//! the processor itself exists on the bare machine only. The way from a program into the kernel and back is
//! `trap` with `vectors.S` and `syscall.S`.
#![no_std]
#![cfg_attr(
    not(target_os = "none"),
    expect(
        dead_code,
        reason = "a host has the pure half only, whose users are the other half"
    )
)]

mod acpi;
mod boot;
mod clock;
mod exception;
mod frame;
mod notes;
mod physical;
mod pte;
mod ratio;
mod state;

#[cfg(target_os = "none")]
mod apic;
#[cfg(target_os = "none")]
mod cmos;
#[cfg(target_os = "none")]
mod console;
#[cfg(target_os = "none")]
mod cpu;
#[cfg(target_os = "none")]
mod cpuinfo;
#[cfg(target_os = "none")]
mod discover;
#[cfg(target_os = "none")]
mod features;
#[cfg(target_os = "none")]
mod gdt;
#[cfg(target_os = "none")]
mod idt;
#[cfg(target_os = "none")]
mod irq;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod mmu;
#[cfg(target_os = "none")]
mod percpu;
#[cfg(target_os = "none")]
mod pit;
#[cfg(target_os = "none")]
mod port;
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

pub use frame::Frame;
pub use pte::Pte;
pub use state::UserState;

/// The machine.
#[derive(Clone, Copy, Debug)]
pub struct X86_64;
