//! The virtual file system: what a file, a name and a mount are, whatever stores them.
//!
//! File systems implement [`Inode`], [`FileOps`] and [`FileSystem`] (`inode.rs`). Names are cached as
//! [`Dentry`] trees, [`Mount`]s join the trees of several file systems, and a [`Path`] is a place in the
//! result. [`walk`] turns bytes into paths; [`ops`] are the system calls on paths, with Linux's
//! permission checks and order of errors; [`OpenFile`] is what a file descriptor refers to.
//!
//! No operation knows the running process: each takes a [`Caller`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod anonymous;
mod attributes;
pub mod clock;
mod copy;
mod credentials;
mod dentry;
pub mod epoll;
pub mod event;
mod extended_attributes;
mod file;
pub mod file_capabilities;
pub mod filesystems;
mod inode;
pub mod lock;
mod mapped;
pub mod memory_file;
mod mount;
pub mod multiplex;
mod name;
pub mod notify;
pub mod ops;
pub mod owner;
mod path;
pub mod permission;
pub mod pipe;
pub mod poll;
pub mod random;
mod seals;
pub mod secret_memory;
#[cfg(test)]
mod testing;
pub mod text;
pub mod user_limits;
pub mod walk;

pub use anonymous::{AnonymousInode, Reopen, anonymous_file, anonymous_path, next_inode_number};
pub use attributes::{
    Access, Attributes, DirectoryEntry, FileKind, Metadata, NewNode, SetAttributes, device_major,
    device_minor, make_device,
};
pub use credentials::{Capability, Credentials};
pub use dentry::{Dentry, drop_unused_names};
pub use extended_attributes::ExtendedAttributes;
pub use file::{OpenFile, Whence, open_files};
pub use filesystems::{FileSystemType, MountRequest};
pub use inode::{Extent, FileOps, FileSystem, Inode, Io, IoctlContext};
pub use mount::{Mount, Namespace, SuperBlock};
pub use path::{Caller, FsContext, Path};
pub use permission::Permission;
pub use poll::PollTable;
pub use seals::Seals;
pub use walk::{At, Lookup};
