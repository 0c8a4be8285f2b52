//! What a process remembers of the program that it runs.

use alloc::sync::Arc;

use los_abi::auxv::AT_NULL;
use vfs::OpenFile;
use vfs::text::DenyWrite;

/// What execve remembers of the program, mostly for /proc.
#[derive(Clone, Default)]
pub struct Image {
    /// The program's file.
    pub executable: Option<Arc<OpenFile>>,
    /// Keeps the file from being written while it runs.
    pub(crate) _unwritable: Option<Arc<DenyWrite>>,
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
    /// The auxiliary vector as key and value words, and what lies behind its end.
    pub(crate) auxv: Arc<[u64]>,
}

impl Image {
    /// Returns the auxiliary vector as key and value words, the last of them zeros.
    pub fn auxv(&self) -> &[u64] {
        let (pairs, _) = self.auxv.as_chunks::<2>();
        let entries = pairs.iter().position(|[key, _]| *key == AT_NULL);
        &self.auxv[..2 * entries.map_or(pairs.len(), |entries| entries + 1)]
    }

    /// Returns all words that are kept of the auxiliary vector, also those behind its end.
    pub fn auxv_words(&self) -> &[u64] {
        &self.auxv
    }
}
