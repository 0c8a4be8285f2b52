//! What every directory begins with: `.` and `..`.

use vfs::{DirectoryEntry, FileKind};

/// Cursor behind both.
pub(crate) const BEHIND: u64 = 2;

/// Lists those from the cursor on, for a directory of this number and with this parent. Returns the cursor of the
/// one that was not taken.
pub(crate) fn list(
    cursor: u64,
    number: u64,
    parent: u64,
    emit: &mut dyn FnMut(DirectoryEntry<'_>) -> bool,
) -> Option<u64> {
    let dots: [(&[u8], u64); 2] = [(b".", number), (b"..", parent)];
    (0..)
        .zip(dots)
        .filter(|(at, _)| *at >= cursor)
        .find_map(|(at, (name, inode))| {
            let is_taken = emit(DirectoryEntry {
                inode,
                kind: FileKind::Directory,
                next: at + 1,
                name,
            });
            (!is_taken).then_some(at)
        })
}
