//! mount(2), umount(2), statfs(2), sync(2).

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::fs::{MountFlags, ST_VALID, Statfs, UmountFlags};

use crate::attributes::FileKind;
use crate::credentials::Capability;
use crate::filesystems::{self, MountRequest};
use crate::inode::FileSystem;
use crate::mount::{Below, Detach, Namespace, SuperBlock};
use crate::path::{Caller, Path};
use crate::walk::{At, Lookup, resolve};

/// Once asked for in the upper half of the flags, ignored since (`MS_MGC_VAL`).
const MAGIC: u32 = 0xC0ED_0000;
const MAGIC_MASK: u32 = 0xFFFF_0000;
const PROPAGATION: MountFlags = MountFlags::PRIVATE
    .union(MountFlags::SHARED)
    .union(MountFlags::SLAVE)
    .union(MountFlags::UNBINDABLE);

/// Makes a file system the root of a new namespace, which lives for ever, and returns its root directory.
pub fn mount_root(file_system: Arc<dyn FileSystem>) -> Path {
    let (namespace, root) = Namespace::new(SuperBlock::new(file_system), b"rootfs", MountFlags::empty());
    // Mounts know their namespace weakly, and nothing ends this one.
    core::mem::forget(namespace);
    root
}

/// Does what mount(2) asks of the place `at`.
///
/// # Errors
/// As mount(2): EPERM; ENODEV for an unknown type; ENOTDIR; EINVAL, EBUSY, ELOOP, ENOMEM; those of the type.
pub fn mount(
    caller: &Caller<'_>,
    at: &Path,
    kind: &[u8],
    request: &MountRequest<'_>,
    flags: MountFlags,
) -> Result<(), Errno> {
    if !caller.credentials.capable(Capability::SysAdmin) {
        return Err(Errno::EPERM);
    }
    let bits = flags.bits();
    let flags = MountFlags::from_bits_retain(if bits & MAGIC_MASK == MAGIC {
        bits & !MAGIC_MASK
    } else {
        bits
    });
    let is_root = at.mount.root() == *at;
    if flags.contains(MountFlags::REMOUNT) {
        if !is_root {
            return Err(Errno::EINVAL);
        }
        at.mount.set_flags(flags);
        return Ok(());
    }
    let namespace = at.mount.namespace().ok_or(Errno::EINVAL)?;
    if flags.contains(MountFlags::BIND) {
        let from = resolve(caller, At::Cwd, request.source, Lookup::FOLLOW)?;
        check_kinds(&from, at)?;
        let below = if flags.contains(MountFlags::REC) {
            Below::Too
        } else {
            Below::Not
        };
        return namespace.bind(&from, at, below);
    }
    if flags.intersects(PROPAGATION) {
        // There is one namespace, so there is nowhere to propagate to.
        return if is_root { Ok(()) } else { Err(Errno::EINVAL) };
    }
    if flags.contains(MountFlags::MOVE) {
        let from = resolve(caller, At::Cwd, request.source, Lookup::FOLLOW)?;
        if from.mount.root() != from {
            return Err(Errno::EINVAL);
        }
        check_kinds(&from, at)?;
        return namespace.relocate(&from.mount, at);
    }
    let superblock = filesystems::find(kind)?.open(request)?;
    if !at.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    namespace.attach(superblock, at, request.source, flags)?;
    Ok(())
}

/// Only a directory covers a directory.
fn check_kinds(from: &Path, at: &Path) -> Result<(), Errno> {
    let is_directory = |path: &Path| path.dentry.kind() == Some(FileKind::Directory);
    if is_directory(from) == is_directory(at) {
        Ok(())
    } else {
        Err(Errno::ENOTDIR)
    }
}

/// Takes off the mount whose root is at a path.
///
/// # Errors
/// As umount2(2): EPERM; EINVAL for what is no mount's root, the root of everything or unknown flags; EBUSY;
/// EAGAIN for MNT_EXPIRE, which never finds a mount that was marked before.
pub fn unmount(caller: &Caller<'_>, path: &[u8], flags: UmountFlags) -> Result<(), Errno> {
    if !UmountFlags::all().contains(flags) {
        return Err(Errno::EINVAL);
    }
    let follows = !flags.contains(UmountFlags::NOFOLLOW);
    let lookup = if follows { Lookup::FOLLOW } else { Lookup::empty() };
    let at = resolve(caller, At::Cwd, path, lookup)?;
    if !caller.credentials.capable(Capability::SysAdmin) {
        return Err(Errno::EPERM);
    }
    if at.mount.root() != at {
        return Err(Errno::EINVAL);
    }
    if flags.contains(UmountFlags::EXPIRE) {
        let exclusive = flags.intersects(UmountFlags::FORCE | UmountFlags::DETACH);
        return Err(if exclusive { Errno::EINVAL } else { Errno::EAGAIN });
    }
    let mount = at.mount.clone();
    drop(at);
    let namespace = mount.namespace().ok_or(Errno::EINVAL)?;
    let is_lazy = flags.contains(UmountFlags::DETACH);
    namespace.detach(&mount, if is_lazy { Detach::Lazily } else { Detach::IfUnused })
}

/// Returns size and occupancy of the file system that a file is on.
pub fn statfs(path: &Path) -> Statfs {
    /// `ST_RELATIME`, which has another value than `MS_RELATIME`.
    const ST_RELATIME: u64 = 0x1000;
    let shown = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let flags = path.mount.flags();
    let mut statfs = path.mount.file_system().statfs();
    statfs.f_flags =
        u64::from((flags & (shown | MountFlags::NOATIME | MountFlags::NODIRATIME)).bits()) | ST_VALID;
    if !flags.intersects(MountFlags::NOATIME | MountFlags::STRICTATIME) {
        statfs.f_flags |= ST_RELATIME;
    }
    statfs
}

/// Writes back every file system that is mounted where `root` is.
pub fn sync_all(root: &Path) {
    let mounts = root.mount.namespace().map(|namespace| namespace.mounts());
    for mount in mounts.unwrap_or_default() {
        if let Err(errno) = mount.file_system().sync() {
            log::error!("sync: {}: {}", mount.file_system().name(), errno.message());
        }
    }
}
