//! The hardware contract: what the kernel may ask of a machine, and nothing about the kernel.
//!
//! Every machine (`aarch64`, `x86_64` and the host's `mock`) is one zero-sized type that implements
//! [`Arch`], the sum of the traits of this crate's modules, one noun a module. Kernel crates name the
//! machine as `los_arch::Current`. Processes, files and threads are unknown words here.
#![no_std]
// Methods with a duty for their caller are declared `unsafe`; nothing here performs anything unsafe.
#![deny(unsafe_code)]

pub mod addr;
pub mod boot;
pub mod console;
pub mod cpu;
pub mod irq;
pub mod paging;
pub mod timer;
pub mod trap;
pub mod uaccess;
pub mod vdso;

pub use addr::{PAGE_SHIFT, PAGE_SIZE, PhysAddr, PhysRange, VirtAddr};

/// A machine: everything that the kernel core may ask of it.
pub trait Arch:
    boot::Boot
    + paging::Paging
    + trap::Traps
    + cpu::Cpu
    + irq::Irq
    + timer::Timer
    + uaccess::Uaccess
    + console::Console
    + vdso::Vdso
    + Sized
    + 'static
{
    /// The Linux ABI of this machine: numbers, layouts and the name that `uname` gives.
    type Abi: los_abi::isa::IsaAbi;
}

/// The traits whose methods are called on `los_arch::Current`, for one `use`.
pub mod prelude {
    pub use crate::Arch;
    pub use crate::boot::Boot;
    pub use crate::console::Console;
    pub use crate::cpu::Cpu;
    pub use crate::irq::Irq;
    pub use crate::paging::{Paging, PteFormat, TableMemory};
    pub use crate::timer::Timer;
    pub use crate::trap::{TrapFrame, Traps};
    pub use crate::uaccess::Uaccess;
    pub use crate::vdso::Vdso;
}
