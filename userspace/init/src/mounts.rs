//! The file systems that programs take for granted.

use los_abi::fs::MountFlags;
use rt::{Errno, eprintln, fs, system, text::Text};

/// A directory, a file in it that shows that its file system is there, and the kind of file system.
const MOUNTS: [(&[u8], &[u8], &[u8]); 2] = [
    (b"/proc", b"/proc/self", b"proc"),
    (b"/dev", b"/dev/null", b"devtmpfs"),
];
/// The names of a program's own descriptors in `/dev`, which are links on Linux too.
const LINKS: [(&[u8], &[u8]); 4] = [
    (b"/proc/self/fd", b"/dev/fd"),
    (b"/proc/self/fd/0", b"/dev/stdin"),
    (b"/proc/self/fd/1", b"/dev/stdout"),
    (b"/proc/self/fd/2", b"/dev/stderr"),
];
/// Permissions of a mount point that has to be made.
const DIRECTORY_MODE: u32 = 0o755;
/// Permissions of `/tmp`.
const TEMPORARY_MODE: u32 = 0o1777;

/// Mounts `/proc` and `/dev` unless they are there already, and makes `/tmp` and the links of `/dev`.
pub(crate) fn prepare() {
    for (directory, witness, kind) in MOUNTS {
        if fs::symlink_metadata(witness).is_ok() {
            continue;
        }
        // It may exist; whether it is good for a mount shows in the next step.
        let _ = fs::create_directory(directory, DIRECTORY_MODE);
        match system::mount(kind, directory, kind, MountFlags::empty()) {
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(errno) => eprintln!("init: mount {}: {}", Text(directory), errno.message()),
        }
    }
    for (target, name) in LINKS {
        // They may be there already.
        let _ = fs::symlink(target, name);
    }
    if fs::create_directory(b"/tmp", TEMPORARY_MODE).is_ok() {
        // The mask may have taken the write bits.
        let _ = fs::set_permissions(b"/tmp", TEMPORARY_MODE);
    }
}

/// Unmounts what [`prepare`] mounted, as far as nobody uses it.
pub(crate) fn release() {
    for (directory, _, _) in MOUNTS {
        let _ = system::unmount(directory, los_abi::fs::UmountFlags::empty());
    }
}
