//! Paths as text.

use alloc::vec::Vec;

/// Joins a directory and a name below it.
pub fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = directory.to_vec();
    if !path.is_empty() && !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// Returns the last component of a path, without trailing slashes.
pub fn file_name(path: &[u8]) -> &[u8] {
    let end = path
        .iter()
        .rposition(|byte| *byte != b'/')
        .map_or(0, |last| last + 1);
    let start = path[..end]
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |slash| slash + 1);
    if end == 0 && !path.is_empty() {
        b"/"
    } else {
        &path[start..end]
    }
}

/// Returns a path without its last component; `.` when that is all of it.
pub fn parent(path: &[u8]) -> &[u8] {
    let end = path
        .iter()
        .rposition(|byte| *byte != b'/')
        .map_or(0, |last| last + 1);
    let Some(slash) = path[..end].iter().rposition(|byte| *byte == b'/') else {
        return if end == 0 && !path.is_empty() { b"/" } else { b"." };
    };
    let end = path[..slash]
        .iter()
        .rposition(|byte| *byte != b'/')
        .map_or(0, |last| last + 1);
    if end == 0 { b"/" } else { &path[..end] }
}
