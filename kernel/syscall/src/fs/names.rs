//! Making, linking, renaming and removing names.

use los_abi::errno::Errno;
use los_abi::fs::{AtFlags, RenameFlags, S_IFMT};
use los_abi::syscall::{Fd, UserCStr, UserPtr, UserSlice};
use mm::io::Sink;
use sync::Result;
use task::Context;
use vfs::{FileKind, Lookup, ops};

use super::{check_flags, path_argument, resolve, start};

pub(crate) fn mkdirat(ctx: &Context<'_>, dirfd: Fd, path: UserCStr, mode: u32) -> Result<usize> {
    let path = path_argument(ctx, path)?;
    let at = start(ctx, dirfd, &path)?;
    ops::make_directory(&ctx.caller(), at, &path, mode as u16)?;
    Ok(0)
}

pub(crate) fn mkdir(ctx: &Context<'_>, path: UserCStr, mode: u32) -> Result<usize> {
    mkdirat(ctx, Fd::CWD, path, mode)
}

pub(crate) fn mknodat(ctx: &Context<'_>, dirfd: Fd, path: UserCStr, mode: u32, device: u32) -> Result<usize> {
    let kind = if mode & S_IFMT == 0 {
        FileKind::Regular
    } else {
        FileKind::from_mode(mode).ok_or(Errno::EINVAL)?
    };
    let path = path_argument(ctx, path)?;
    let at = start(ctx, dirfd, &path)?;
    ops::make_node(
        &ctx.caller(),
        at,
        &path,
        kind,
        (mode & 0o7777) as u16,
        u64::from(device),
    )?;
    Ok(0)
}

pub(crate) fn mknod(ctx: &Context<'_>, path: UserCStr, mode: u32, device: u32) -> Result<usize> {
    mknodat(ctx, Fd::CWD, path, mode, device)
}

pub(crate) fn unlinkat(ctx: &Context<'_>, dirfd: Fd, path: UserCStr, flags: AtFlags) -> Result<usize> {
    check_flags(flags, AtFlags::REMOVEDIR)?;
    let path = path_argument(ctx, path)?;
    let at = start(ctx, dirfd, &path)?;
    if flags.contains(AtFlags::REMOVEDIR) {
        ops::remove_directory(&ctx.caller(), at, &path)?;
    } else {
        ops::unlink(&ctx.caller(), at, &path)?;
    }
    Ok(0)
}

pub(crate) fn unlink(ctx: &Context<'_>, path: UserCStr) -> Result<usize> {
    unlinkat(ctx, Fd::CWD, path, AtFlags::empty())
}

pub(crate) fn rmdir(ctx: &Context<'_>, path: UserCStr) -> Result<usize> {
    unlinkat(ctx, Fd::CWD, path, AtFlags::REMOVEDIR)
}

pub(crate) fn linkat(
    ctx: &Context<'_>,
    old_dirfd: Fd,
    old_path: UserCStr,
    new_dirfd: Fd,
    new_path: UserCStr,
    flags: AtFlags,
) -> Result<usize> {
    check_flags(flags, AtFlags::SYMLINK_FOLLOW | AtFlags::EMPTY_PATH)?;
    let mut lookup = Lookup::empty();
    if flags.contains(AtFlags::SYMLINK_FOLLOW) {
        lookup |= Lookup::FOLLOW;
    }
    if flags.contains(AtFlags::EMPTY_PATH) {
        lookup |= Lookup::EMPTY_PATH;
    }
    let source = resolve(ctx, old_dirfd, old_path, lookup)?;
    let path = path_argument(ctx, new_path)?;
    let at = start(ctx, new_dirfd, &path)?;
    ops::link(&ctx.caller(), &source, at, &path)?;
    Ok(0)
}

pub(crate) fn link(ctx: &Context<'_>, old_path: UserCStr, new_path: UserCStr) -> Result<usize> {
    linkat(ctx, Fd::CWD, old_path, Fd::CWD, new_path, AtFlags::empty())
}

pub(crate) fn symlinkat(
    ctx: &Context<'_>,
    target: UserCStr,
    dirfd: Fd,
    link_path: UserCStr,
) -> Result<usize> {
    let target = path_argument(ctx, target)?;
    let path = path_argument(ctx, link_path)?;
    let at = start(ctx, dirfd, &path)?;
    ops::symlink(&ctx.caller(), &target, at, &path)?;
    Ok(0)
}

pub(crate) fn symlink(ctx: &Context<'_>, target: UserCStr, link_path: UserCStr) -> Result<usize> {
    symlinkat(ctx, target, Fd::CWD, link_path)
}

pub(crate) fn readlinkat(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    buffer: UserPtr<u8>,
    size: i32,
) -> Result<usize> {
    let size = usize::try_from(size)
        .ok()
        .filter(|&size| size > 0)
        .ok_or(Errno::EINVAL)?;
    let path = path_argument(ctx, path)?;
    let at = start(ctx, dirfd, &path)?;
    let target = ops::read_link(&ctx.caller(), at, &path)?;
    let length = target.len().min(size);
    let stored = ctx
        .memory()
        .writer(UserSlice::new(buffer, length))
        .put(&target[..length])?;
    if stored < length {
        Err(Errno::EFAULT.into())
    } else {
        Ok(length)
    }
}

pub(crate) fn readlink(ctx: &Context<'_>, path: UserCStr, buffer: UserPtr<u8>, size: i32) -> Result<usize> {
    readlinkat(ctx, Fd::CWD, path, buffer, size)
}

pub(crate) fn renameat2(
    ctx: &Context<'_>,
    old_dirfd: Fd,
    old_path: UserCStr,
    new_dirfd: Fd,
    new_path: UserCStr,
    flags: RenameFlags,
) -> Result<usize> {
    let (old_path, new_path) = (path_argument(ctx, old_path)?, path_argument(ctx, new_path)?);
    let (old_at, new_at) = (
        start(ctx, old_dirfd, &old_path)?,
        start(ctx, new_dirfd, &new_path)?,
    );
    ops::rename(&ctx.caller(), old_at, &old_path, new_at, &new_path, flags)?;
    Ok(0)
}

pub(crate) fn renameat(
    ctx: &Context<'_>,
    old_dirfd: Fd,
    old_path: UserCStr,
    new_dirfd: Fd,
    new_path: UserCStr,
) -> Result<usize> {
    renameat2(
        ctx,
        old_dirfd,
        old_path,
        new_dirfd,
        new_path,
        RenameFlags::empty(),
    )
}

pub(crate) fn rename(ctx: &Context<'_>, old_path: UserCStr, new_path: UserCStr) -> Result<usize> {
    renameat2(ctx, Fd::CWD, old_path, Fd::CWD, new_path, RenameFlags::empty())
}
