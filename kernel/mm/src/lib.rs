//! Memory: physical frames, the kernel's heap and its own mappings, and the address spaces of programs.
//!
//! * [`frames`]: physical memory as reference-counted [`Frame`]s
//! * [`heap`]: the kernel's allocator
//! * [`kernel_space`]: the kernel's page tables and stacks
//! * [`AddressSpace`]: what a program has mapped, demand paging, fork
//! * [`vvar`]: the page that programs read clocks from
//! * [`Pager`]: where the pages of a mapping come from; [`PageMap`] holds those of an object, [`ReverseMap`]
//!   says where it is mapped
//! * [`commit`]: how much memory is promised
//! * [`user`]: the only way to user memory; [`io`]: bytes from and to somewhere
//!
//! Above this crate nothing is unsafe: a frame is bytes behind copies, user memory is an allegation.
#![no_std]

extern crate alloc;

mod address_space;
pub mod commit;
pub mod frames;
pub mod heap;
pub mod io;
pub mod kernel_space;
mod page_map;
mod pager;
pub mod policy;
mod reverse_map;
mod tables;
#[cfg(not(target_os = "none"))]
pub mod testing;
pub mod user;
mod vma;
pub mod vvar;

pub use address_space::{
    Accessor, AddressSpace, BarrierError, ExecGain, FaultError, ForkPolicy, FrameNumbers, FutexKey, Limits,
    LockMode, Locker, MapRequest, RemapRequest, Source, SpaceStatistics, VmaInfo, VmaUsage, lowest_address,
    max_mappings, order_all, set_lowest_address, set_max_mappings,
};
pub use frames::Frame;
pub use los_arch::hal::paging::Access;
pub use page_map::PageMap;
pub use pager::{AnonymousPager, Pager, PagerError};
pub use reverse_map::{Copies, ReverseMap};
pub use user::{UserIoVec, UserReader, UserWriter};
pub use vma::{Attributes as VmaAttributes, VmaKind};
