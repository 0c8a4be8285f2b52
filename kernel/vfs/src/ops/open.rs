//! open(2).

use alloc::borrow::Cow;
use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::fs::{Access as AccessMode, MountFlags, OpenFlags};
use los_abi::inotify::InotifyMask;

use super::attributes::set_size;
use super::{check_create, check_writable, new_node};
use crate::attributes::FileKind;
use crate::dentry::Dentry;
use crate::file::{OpenFile, check_open_files};
use crate::inode::Inode;
use crate::notify;
use crate::path::{Caller, Path};
use crate::permission::{self, Permission};
use crate::text::{DenyWrite, WriteAccess};
use crate::walk::{At, LastKind, Lookup, Walk, resolve};

/// Flags that matter while opening and are not kept.
const TRANSIENT: OpenFlags = OpenFlags::CREAT
    .union(OpenFlags::EXCL)
    .union(OpenFlags::NOCTTY)
    .union(OpenFlags::TRUNC)
    .union(OpenFlags::CLOEXEC);

/// Whether the file was there before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Found,
    Created,
}

/// Opens a file, making it if the flags say so.
///
/// # Errors
/// As open(2); a restart when waiting for a FIFO's other end is interrupted.
pub fn open(
    caller: &Caller<'_>,
    at: At,
    path: &[u8],
    flags: OpenFlags,
    mode: u16,
) -> sync::Result<Arc<OpenFile>> {
    if flags.contains(OpenFlags::PATH) {
        return Ok(open_path(caller, at, path, flags)?);
    }
    if flags.contains(OpenFlags::TMPFILE) {
        return open_unnamed(caller, at, path, flags, mode);
    }
    if flags.contains(OpenFlags::CREAT | OpenFlags::DIRECTORY) {
        return Err(Errno::EINVAL.into());
    }
    check_open_files(caller.credentials)?;
    let (found, origin) = if flags.contains(OpenFlags::CREAT) {
        find_or_create(caller, at, path, flags, mode)?
    } else {
        let mut lookup = Lookup::FOLLOW;
        lookup.set(Lookup::FOLLOW, !flags.contains(OpenFlags::NOFOLLOW));
        lookup.set(Lookup::DIRECTORY, flags.contains(OpenFlags::DIRECTORY));
        (resolve(caller, at, path, lookup)?, Origin::Found)
    };
    if origin == Origin::Found {
        check_access(caller, &found, flags)?;
    }
    finish(caller, found, flags, origin)
}

/// Opens a program for execve(2).
///
/// # Errors
/// Those of the path walk; ELOOP for a symbolic link that is not followed; EACCES for what is no regular file
/// or not executable; ETXTBSY.
pub fn open_executable(
    caller: &Caller<'_>,
    at: At,
    path: &[u8],
    lookup: Lookup,
) -> Result<Arc<OpenFile>, Errno> {
    let found = resolve(caller, at, path, lookup)?;
    let inode = found.inode()?.clone();
    if inode.kind() == FileKind::SymbolicLink {
        return Err(Errno::ELOOP);
    }
    if inode.kind() != FileKind::Regular || found.mount.flags().contains(MountFlags::NOEXEC) {
        return Err(Errno::EACCES);
    }
    permission::check(caller.credentials, &*inode, Permission::EXECUTE)?;
    drop(DenyWrite::new(&inode)?);
    let flags = OpenFlags::empty();
    let ops = inode.open(flags, caller.credentials).map_err(|_| Errno::EACCES)?;
    let file = OpenFile::new(found, Some(ops), flags, caller.credentials)?;
    notify::happened(&file.path().dentry, InotifyMask::OPEN);
    Ok(file)
}

fn open_path(caller: &Caller<'_>, at: At, path: &[u8], flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    check_open_files(caller.credentials)?;
    let mut lookup = Lookup::FOLLOW;
    lookup.set(Lookup::FOLLOW, !flags.contains(OpenFlags::NOFOLLOW));
    lookup.set(Lookup::DIRECTORY, flags.contains(OpenFlags::DIRECTORY));
    let found = resolve(caller, at, path, lookup)?;
    let kept = OpenFlags::PATH | flags & (OpenFlags::DIRECTORY | OpenFlags::NOFOLLOW);
    OpenFile::new(found, None, kept, caller.credentials)
}

/// Makes a file without a name in a directory's file system (O_TMPFILE).
fn open_unnamed(
    caller: &Caller<'_>,
    at: At,
    path: &[u8],
    flags: OpenFlags,
    mode: u16,
) -> sync::Result<Arc<OpenFile>> {
    if !flags.contains(OpenFlags::DIRECTORY) || flags.access() == AccessMode::Read {
        return Err(Errno::EINVAL.into());
    }
    check_open_files(caller.credentials)?;
    let directory = resolve(caller, at, path, Lookup::FOLLOW | Lookup::DIRECTORY)?;
    let access = check_create(caller, &directory)?;
    let node = new_node(caller, access, FileKind::Regular, mode, 0);
    let inode = directory.inode()?.create_unnamed(&node)?;
    let ops = inode.clone().open(flags, caller.credentials)?;
    let place = Path {
        mount: directory.mount,
        dentry: Dentry::detached(b"", inode),
    };
    Ok(OpenFile::new(
        place,
        Some(ops),
        flags.difference(TRANSIENT),
        caller.credentials,
    )?)
}

/// Finds the file or makes it.
fn find_or_create(
    caller: &Caller<'_>,
    at: At,
    path: &[u8],
    flags: OpenFlags,
    mode: u16,
) -> Result<(Path, Origin), Errno> {
    let mut walk = Walk::new(caller, at, path)?;
    let mut last = walk.advance_to_last(Cow::Borrowed(path))?;
    loop {
        if last.has_slash || last.kind != LastKind::Name {
            return Err(Errno::EISDIR);
        }
        // Trying to make it first spares the cache an absence that would end at once.
        if !walk.current.dentry.knows(last.name(), last.hash())
            && let Some(made) = create(caller, &walk.current, last.name(), mode)?
        {
            return Ok((made, Origin::Created));
        }
        let parent = walk.current.clone();
        let link = walk.finish(&last)?;
        if link.is_none() && walk.current.inode().is_err() {
            // It was there and somebody has removed it.
            walk.current = parent;
            continue;
        }
        if flags.contains(OpenFlags::EXCL) {
            return Err(Errno::EEXIST);
        }
        let Some(link) = link else {
            return Ok((walk.current, Origin::Found));
        };
        if flags.contains(OpenFlags::NOFOLLOW) {
            return Err(Errno::ELOOP);
        }
        match walk.follow(&link)? {
            Some(target) => last = walk.advance_to_last(target)?,
            None => return Ok((walk.current, Origin::Found)),
        }
    }
}

/// Makes a regular file; `None` if the name exists by now.
fn create(caller: &Caller<'_>, parent: &Path, name: &[u8], mode: u16) -> Result<Option<Path>, Errno> {
    let _guard = parent.dentry.lock()?;
    if parent.dentry.child_locked(name)?.is_some() {
        return Ok(None);
    }
    let access = check_create(caller, parent)?;
    let node = new_node(caller, access, FileKind::Regular, mode, 0);
    let inode = parent.inode()?.create(name, &node)?;
    let dentry = parent.dentry.remember(name, Some(inode));
    notify::created(parent.inode()?, name, FileKind::Regular);
    Ok(Some(Path {
        mount: parent.mount.clone(),
        dentry,
    }))
}

/// Checks kind and permissions of a file that existed, in Linux's order (`may_open`).
fn check_access(caller: &Caller<'_>, found: &Path, flags: OpenFlags) -> Result<(), Errno> {
    let inode = found.inode()?;
    let kind = inode.kind();
    let mut wanted = match flags.access() {
        AccessMode::Read => Permission::READ,
        AccessMode::Write => Permission::WRITE,
        // The fourth value serves ioctl only, and needs both permissions.
        AccessMode::ReadWrite | AccessMode::Neither => Permission::READ | Permission::WRITE,
    };
    wanted.set(
        Permission::WRITE,
        wanted.contains(Permission::WRITE) || flags.contains(OpenFlags::TRUNC),
    );
    let writes = wanted.contains(Permission::WRITE);
    match kind {
        FileKind::SymbolicLink => return Err(Errno::ELOOP),
        FileKind::Directory if writes || flags.contains(OpenFlags::CREAT) => return Err(Errno::EISDIR),
        kind if kind.is_device() && found.mount.flags().contains(MountFlags::NODEV) => {
            return Err(Errno::EACCES);
        }
        _ => {}
    }
    if writes && kind == FileKind::Regular {
        check_writable(found)?;
    }
    permission::check(caller.credentials, &**inode, wanted)?;
    if flags.contains(OpenFlags::NOATIME) && !permission::is_owner(caller.credentials, &**inode) {
        return Err(Errno::EPERM);
    }
    if kind == FileKind::Socket {
        Err(Errno::ENXIO)
    } else {
        Ok(())
    }
}

fn finish(caller: &Caller<'_>, found: Path, flags: OpenFlags, origin: Origin) -> sync::Result<Arc<OpenFile>> {
    let inode: Arc<dyn Inode> = found.inode()?.clone();
    let truncates = flags.contains(OpenFlags::TRUNC) && origin == Origin::Found;
    let _write_access = if truncates {
        Some(WriteAccess::new(&inode)?)
    } else {
        None
    };
    let ops = inode.clone().open(flags, caller.credentials)?;
    let file = OpenFile::new(found, Some(ops), flags.difference(TRANSIENT), caller.credentials)?;
    notify::happened(&file.path().dentry, InotifyMask::OPEN);
    if truncates && inode.kind() == FileKind::Regular {
        set_size(caller.credentials, &file.path().dentry, 0)?;
    }
    Ok(file)
}
