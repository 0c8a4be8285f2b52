//! Directories: listing them, and the working directory.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{DIRENT_NAME_OFFSET, DIRENT64_NAME_OFFSET};
use los_abi::syscall::{Fd, UserCStr, UserPtr, UserSlice};
use mm::io::Sink;
use sync::Result;
use task::Context;
use vfs::permission::{self, Permission};
use vfs::{Capability, DirectoryEntry, FileKind, Lookup, Path};

use super::resolve;

/// Entries are aligned to this.
const ALIGNMENT: usize = 8;
/// Most bytes that one call gathers before it copies them.
const GATHER_MAX_BYTES: usize = 32 * 1024;

pub(crate) fn getdents64(ctx: &Context<'_>, fd: Fd, buffer: UserPtr<u8>, count: u32) -> Result<usize> {
    list(ctx, fd, buffer, count, |entry, out| {
        let length = (DIRENT64_NAME_OFFSET + entry.name.len() + 1).next_multiple_of(ALIGNMENT);
        let start = out.len();
        out.extend_from_slice(&entry.inode.to_ne_bytes());
        out.extend_from_slice(&entry.next.to_ne_bytes());
        out.extend_from_slice(&(length as u16).to_ne_bytes());
        out.push(entry.kind.dirent_type());
        out.extend_from_slice(entry.name);
        out.resize(start + length, 0);
    })
}

pub(crate) fn getdents(ctx: &Context<'_>, fd: Fd, buffer: UserPtr<u8>, count: u32) -> Result<usize> {
    list(ctx, fd, buffer, count, |entry, out| {
        // The old form has the type in its last byte.
        let length = (DIRENT_NAME_OFFSET + entry.name.len() + 2).next_multiple_of(ALIGNMENT);
        let start = out.len();
        out.extend_from_slice(&entry.inode.to_ne_bytes());
        out.extend_from_slice(&entry.next.to_ne_bytes());
        out.extend_from_slice(&(length as u16).to_ne_bytes());
        out.extend_from_slice(entry.name);
        out.resize(start + length - 1, 0);
        out.push(entry.kind.dirent_type());
    })
}

/// Gathers whole entries while they fit, and copies them. The longest entry is reckoned with before it is
/// encoded, so that none is lost.
fn list(
    ctx: &Context<'_>,
    fd: Fd,
    buffer: UserPtr<u8>,
    count: u32,
    encode: impl Fn(&DirectoryEntry<'_>, &mut Vec<u8>),
) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    let room = (count as usize).min(GATHER_MAX_BYTES);
    let mut out = Vec::new();
    out.try_reserve_exact(room).map_err(|_| Errno::ENOMEM)?;
    let mut too_small = false;
    file.read_directory(|entry| {
        let length = (DIRENT64_NAME_OFFSET + entry.name.len() + 1).next_multiple_of(ALIGNMENT);
        if out.len() + length > room {
            too_small = out.is_empty();
            return false;
        }
        encode(&entry, &mut out);
        true
    })?;
    if too_small {
        return Err(Errno::EINVAL.into());
    }
    if out.is_empty() {
        return Ok(0);
    }
    let stored = ctx.memory().writer(UserSlice::new(buffer, out.len())).put(&out)?;
    if stored < out.len() {
        Err(Errno::EFAULT.into())
    } else {
        Ok(stored)
    }
}

pub(crate) fn getcwd(ctx: &Context<'_>, buffer: UserPtr<u8>, size: usize) -> Result<usize> {
    let caller = ctx.caller();
    let mut bytes = caller.cwd.to_cwd_bytes(&caller.root)?;
    bytes.push(0);
    if bytes.len() > size {
        return Err(Errno::ERANGE.into());
    }
    ctx.memory().write_bytes(buffer.addr(), &bytes)?;
    Ok(bytes.len())
}

pub(crate) fn chdir(ctx: &Context<'_>, path: UserCStr) -> Result<usize> {
    let found = resolve(ctx, Fd::CWD, path, Lookup::FOLLOW)?;
    enter(ctx, found)
}

pub(crate) fn fchdir(ctx: &Context<'_>, fd: Fd) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    enter(ctx, file.path().clone())
}

pub(crate) fn chroot(ctx: &Context<'_>, path: UserCStr) -> Result<usize> {
    let found = resolve(ctx, Fd::CWD, path, Lookup::FOLLOW)?;
    check_search(ctx, &found)?;
    if !ctx.credentials().capable(Capability::SysChroot) {
        return Err(Errno::EPERM.into());
    }
    let old = core::mem::replace(&mut ctx.fs().lock().root, found);
    drop(old);
    Ok(0)
}

fn check_search(ctx: &Context<'_>, directory: &Path) -> Result<()> {
    let inode = directory.inode()?;
    if inode.kind() != FileKind::Directory {
        return Err(Errno::ENOTDIR.into());
    }
    Ok(permission::check(
        ctx.credentials(),
        &**inode,
        Permission::EXECUTE,
    )?)
}

fn enter(ctx: &Context<'_>, directory: Path) -> Result<usize> {
    check_search(ctx, &directory)?;
    let old = core::mem::replace(&mut ctx.fs().lock().cwd, directory);
    drop(old);
    Ok(0)
}
