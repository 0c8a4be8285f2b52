//! What a process remembers of the program that it runs.

use alloc::sync::Arc;
use alloc::vec::Vec;

use vfs::OpenFile;
use vfs::text::DenyWrite;

/// What execve remembers of the program, mostly for /proc.
#[derive(Default)]
pub struct Image {
    /// The program's file.
    pub executable: Option<Arc<OpenFile>>,
    /// Keeps the file from being written while it runs.
    pub(crate) _unwritable: Option<DenyWrite>,
    /// First and one past the last address of the code.
    pub code: (u64, u64),
    /// First and one past the last address of initialised data.
    pub data: (u64, u64),
    /// The stack pointer that the program started with.
    pub stack_start: u64,
    /// First and one past the last address of the argument strings.
    pub arguments: (u64, u64),
    /// First and one past the last address of the environment strings.
    pub environment: (u64, u64),
    /// The auxiliary vector as key and value words.
    pub auxv: Vec<u64>,
}
