//! Which word is meant.

use los_abi::errno::Errno;
use los_abi::syscall::UserPtr;
use mm::{AddressSpace, FutexKey};

use super::Word;

/// Who may sleep on a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Threads that share the memory (`FUTEX_PRIVATE_FLAG`).
    Private,
    /// Whoever has mapped the object.
    Shared,
}

/// Names a word of the active address space.
///
/// # Errors
/// EINVAL for a misaligned word; EFAULT outside of user memory, and for a shared word that cannot be read.
pub(super) fn key_of(memory: &AddressSpace, word: Word) -> Result<FutexKey, Errno> {
    let address = word.address.addr();
    if !address.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    match word.scope {
        Scope::Private => memory.private_futex_key(address),
        Scope::Shared => {
            memory.load_u32(word.address)?;
            memory.shared_futex_key(address)
        }
    }
}

/// Brings in the page of a word for writing.
///
/// # Errors
/// EFAULT.
pub(super) fn make_writable(memory: &AddressSpace, word: UserPtr<u32>) -> Result<(), Errno> {
    // Replaces 0 by 0, or nothing by nothing.
    memory.compare_exchange_u32(word, 0, 0).map(|_| ())
}
