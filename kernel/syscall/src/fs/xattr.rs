//! Extended attributes (xattr(7)). No file system here stores any; what the calls check before they ask one is
//! Linux's.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{XATTR_NAME_MAX, XATTR_SIZE_MAX, XattrFlags};
use los_abi::syscall::{Fd, UserCStr, UserPtr, UserSlice};
use mm::io::Source;
use sync::Result;
use task::Context;
use vfs::ops::xattr;
use vfs::{Lookup, Path};

use super::resolve;

fn followed(ctx: &Context<'_>, path: UserCStr) -> Result<Path> {
    resolve(ctx, Fd::CWD, path, Lookup::FOLLOW)
}

fn itself(ctx: &Context<'_>, path: UserCStr) -> Result<Path> {
    resolve(ctx, Fd::CWD, path, Lookup::empty())
}

fn open(ctx: &Context<'_>, fd: Fd) -> Result<Path> {
    let file = ctx.files().get(fd)?;
    file.ops()?;
    Ok(file.path().clone())
}

fn name_argument(ctx: &Context<'_>, name: UserCStr) -> Result<Vec<u8>> {
    let name = match ctx.memory().read_c_string(name, XATTR_NAME_MAX + 1) {
        Err(Errno::ENAMETOOLONG) => return Err(Errno::ERANGE.into()),
        other => other?,
    };
    if name.is_empty() {
        return Err(Errno::ERANGE.into());
    }
    Ok(name)
}

pub(crate) fn setxattr(
    ctx: &Context<'_>,
    path: UserCStr,
    name: UserCStr,
    value: UserPtr<u8>,
    size: usize,
    flags: XattrFlags,
) -> Result<usize> {
    set(
        ctx,
        &followed(ctx, path)?,
        name,
        UserSlice::new(value, size),
        flags,
    )
}

pub(crate) fn lsetxattr(
    ctx: &Context<'_>,
    path: UserCStr,
    name: UserCStr,
    value: UserPtr<u8>,
    size: usize,
    flags: XattrFlags,
) -> Result<usize> {
    set(ctx, &itself(ctx, path)?, name, UserSlice::new(value, size), flags)
}

pub(crate) fn fsetxattr(
    ctx: &Context<'_>,
    fd: Fd,
    name: UserCStr,
    value: UserPtr<u8>,
    size: usize,
    flags: XattrFlags,
) -> Result<usize> {
    set(ctx, &open(ctx, fd)?, name, UserSlice::new(value, size), flags)
}

fn set(
    ctx: &Context<'_>,
    path: &Path,
    name: UserCStr,
    value: UserSlice<u8>,
    flags: XattrFlags,
) -> Result<usize> {
    xattr::check_writable(path)?;
    if !XattrFlags::all().contains(flags) {
        return Err(Errno::EINVAL.into());
    }
    let name = name_argument(ctx, name)?;
    if value.len > XATTR_SIZE_MAX {
        return Err(Errno::E2BIG.into());
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(value.len).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(value.len, 0);
    if ctx.memory().reader(value).take(&mut bytes)? < bytes.len() {
        return Err(Errno::EFAULT.into());
    }
    xattr::change(ctx.credentials(), path, &name)?;
    Ok(0)
}

pub(crate) fn getxattr(
    ctx: &Context<'_>,
    path: UserCStr,
    name: UserCStr,
    _value: UserPtr<u8>,
    _size: usize,
) -> Result<usize> {
    get(ctx, &followed(ctx, path)?, name)
}

pub(crate) fn lgetxattr(
    ctx: &Context<'_>,
    path: UserCStr,
    name: UserCStr,
    _value: UserPtr<u8>,
    _size: usize,
) -> Result<usize> {
    get(ctx, &itself(ctx, path)?, name)
}

pub(crate) fn fgetxattr(
    ctx: &Context<'_>,
    fd: Fd,
    name: UserCStr,
    _value: UserPtr<u8>,
    _size: usize,
) -> Result<usize> {
    get(ctx, &open(ctx, fd)?, name)
}

fn get(ctx: &Context<'_>, path: &Path, name: UserCStr) -> Result<usize> {
    let name = name_argument(ctx, name)?;
    Ok(xattr::get(ctx.credentials(), path, &name)?)
}

pub(crate) fn listxattr(
    ctx: &Context<'_>,
    path: UserCStr,
    _list: UserPtr<u8>,
    _size: usize,
) -> Result<usize> {
    followed(ctx, path).map(|_| 0)
}

pub(crate) fn llistxattr(
    ctx: &Context<'_>,
    path: UserCStr,
    _list: UserPtr<u8>,
    _size: usize,
) -> Result<usize> {
    itself(ctx, path).map(|_| 0)
}

pub(crate) fn flistxattr(ctx: &Context<'_>, fd: Fd, _list: UserPtr<u8>, _size: usize) -> Result<usize> {
    open(ctx, fd).map(|_| 0)
}

pub(crate) fn removexattr(ctx: &Context<'_>, path: UserCStr, name: UserCStr) -> Result<usize> {
    remove(ctx, &followed(ctx, path)?, name)
}

pub(crate) fn lremovexattr(ctx: &Context<'_>, path: UserCStr, name: UserCStr) -> Result<usize> {
    remove(ctx, &itself(ctx, path)?, name)
}

pub(crate) fn fremovexattr(ctx: &Context<'_>, fd: Fd, name: UserCStr) -> Result<usize> {
    remove(ctx, &open(ctx, fd)?, name)
}

fn remove(ctx: &Context<'_>, path: &Path, name: UserCStr) -> Result<usize> {
    xattr::check_writable(path)?;
    let name = name_argument(ctx, name)?;
    xattr::change(ctx.credentials(), path, &name)?;
    Ok(0)
}
