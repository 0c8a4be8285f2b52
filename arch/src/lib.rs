//! The facade: [`Current`] is the machine that this build runs on, or the mock on a host.
#![no_std]
#![forbid(unsafe_code)]

pub use hal;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
pub use los_arch_aarch64::Aarch64 as Current;
#[cfg(not(target_os = "none"))]
pub use los_arch_mock::Mock as Current;
#[cfg(all(target_os = "none", target_arch = "x86_64"))]
pub use los_arch_x86_64::X86_64 as Current;

/// The Linux ABI of the current machine.
pub type CurrentAbi = <Current as hal::Arch>::Abi;
/// The saved user registers of the current machine.
pub type TrapFrame = <Current as hal::trap::Traps>::Frame;
/// The page-table descriptor of the current machine.
pub type Pte = <Current as hal::paging::Paging>::Pte;
/// The FP and thread-pointer registers of the current machine.
pub type UserState = <Current as hal::cpu::Cpu>::UserState;
/// The saved kernel context of the current machine.
pub type Context = <Current as hal::cpu::Cpu>::Context;
