//! The machine of host builds: fake RAM, a page-table format of its own, a translation cache that goes
//! stale as a real one does, scripted user mode, and a record of what the kernel asked for.
//!
//! RAM is one for the whole process, as the kernel's allocator is; everything else belongs to the host
//! thread, so that tests run side by side. Kernel contexts cannot be switched here: [`Record::switches`]
//! counts the attempts.
#![deny(unsafe_code)]

mod machine;
mod paging;
mod pte;
mod ram;
mod record;
mod trap;
mod uaccess;

pub use machine::{MockContext, MockUserState};
pub use pte::MockPte;
pub use ram::{BOOT_RESERVED_BYTES, RAM_BASE, RAM_BYTES, RAM_HOLE};
pub use record::Record;
pub use trap::{MockFrame, UserStep};

/// The fake machine. Besides the contract of `hal` it has functions that tests steer it with.
#[derive(Debug)]
pub struct Mock;

impl hal::Arch for Mock {
    type Abi = los_abi::isa::x86_64::Abi;
}
