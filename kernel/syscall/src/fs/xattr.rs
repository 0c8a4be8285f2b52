//! Extended attributes (xattr(7)). All forms of a call end in the one that names its file as the `*at` calls do.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{AtFlags, XATTR_LIST_MAX, XATTR_NAME_MAX, XATTR_SIZE_MAX, XattrArgs, XattrFlags};
use los_abi::syscall::{Fd, UserCStr, UserPtr, UserSlice};
use sync::Result;
use task::Context;
use vfs::ops::xattr;
use vfs::{At, Path, walk};

use super::{check_flags, lookup_of, path_argument, start};

const NULL: UserCStr = UserCStr::new(0);

/// Which file a call is about.
#[derive(Clone, Copy)]
struct Target {
    dirfd: Fd,
    path: UserCStr,
    flags: AtFlags,
}

impl Target {
    const fn followed(path: UserCStr) -> Self {
        Self {
            dirfd: Fd::CWD,
            path,
            flags: AtFlags::empty(),
        }
    }

    const fn itself(path: UserCStr) -> Self {
        Self {
            dirfd: Fd::CWD,
            path,
            flags: AtFlags::SYMLINK_NOFOLLOW,
        }
    }

    const fn open(fd: Fd) -> Self {
        Self {
            dirfd: fd,
            path: NULL,
            flags: AtFlags::EMPTY_PATH,
        }
    }

    fn check_flags(&self) -> Result<()> {
        check_flags(self.flags, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)
    }

    /// Finds the file. Without a path it is the descriptor's, which must not be O_PATH.
    fn resolve(&self, ctx: &Context<'_>) -> Result<Path> {
        let may_be_absent = self.flags.contains(AtFlags::EMPTY_PATH);
        let path = if may_be_absent && self.path.is_null() {
            Vec::new()
        } else {
            path_argument(ctx, self.path)?
        };
        if may_be_absent && path.is_empty() && self.dirfd != Fd::CWD {
            let file = ctx.files().get(self.dirfd)?;
            file.ops()?;
            return Ok(file.path().clone());
        }
        let at: At = start(ctx, self.dirfd, &path)?;
        Ok(walk::resolve(&ctx.caller(), at, &path, lookup_of(self.flags))?)
    }
}

/// Reads the name of an attribute.
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

/// Reads the structure of setxattrat and getxattrat, of which the program knows `size` bytes.
fn arguments(ctx: &Context<'_>, arguments: UserPtr<XattrArgs>, size: usize) -> Result<XattrArgs> {
    if size < size_of::<XattrArgs>() {
        return Err(Errno::EINVAL.into());
    }
    if size > hal::PAGE_SIZE {
        return Err(Errno::E2BIG.into());
    }
    Ok(ctx.memory().read_extensible(arguments, size)?)
}

fn set(
    ctx: &Context<'_>,
    target: Target,
    name: UserCStr,
    value: UserSlice<u8>,
    flags: XattrFlags,
) -> Result<usize> {
    target.check_flags()?;
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
    ctx.memory().read_bytes(value.ptr.addr(), &mut bytes)?;
    let path = target.resolve(ctx)?;
    xattr::set(ctx.credentials(), &path, &name, &bytes, flags)?;
    Ok(0)
}

fn get(ctx: &Context<'_>, target: Target, name: UserCStr, out: UserSlice<u8>) -> Result<usize> {
    target.check_flags()?;
    let name = name_argument(ctx, name)?;
    let path = target.resolve(ctx)?;
    let value = xattr::get(ctx.credentials(), &path, &name)?;
    if out.len == 0 {
        return Ok(value.len());
    }
    if value.len() > out.len {
        return Err(Errno::ERANGE.into());
    }
    ctx.memory().write_bytes(out.ptr.addr(), &value)?;
    Ok(value.len())
}

fn list(ctx: &Context<'_>, target: Target, out: UserSlice<u8>) -> Result<usize> {
    target.check_flags()?;
    let path = target.resolve(ctx)?;
    let capacity = out.len.min(XATTR_LIST_MAX);
    let names = xattr::names(ctx.credentials(), &path, capacity)?;
    if capacity == 0 {
        return Ok(names.length);
    }
    if names.length > capacity {
        let is_all = capacity == XATTR_LIST_MAX;
        return Err(if is_all { Errno::E2BIG } else { Errno::ERANGE }.into());
    }
    ctx.memory().write_bytes(out.ptr.addr(), &names.bytes)?;
    Ok(names.length)
}

fn remove(ctx: &Context<'_>, target: Target, name: UserCStr) -> Result<usize> {
    target.check_flags()?;
    let name = name_argument(ctx, name)?;
    let path = target.resolve(ctx)?;
    xattr::remove(ctx.credentials(), &path, &name)?;
    Ok(0)
}

pub(crate) fn setxattr(
    ctx: &Context<'_>,
    path: UserCStr,
    name: UserCStr,
    value: UserPtr<u8>,
    size: usize,
    flags: XattrFlags,
) -> Result<usize> {
    let value = UserSlice::new(value, size);
    set(ctx, Target::followed(path), name, value, flags)
}

pub(crate) fn lsetxattr(
    ctx: &Context<'_>,
    path: UserCStr,
    name: UserCStr,
    value: UserPtr<u8>,
    size: usize,
    flags: XattrFlags,
) -> Result<usize> {
    let value = UserSlice::new(value, size);
    set(ctx, Target::itself(path), name, value, flags)
}

pub(crate) fn fsetxattr(
    ctx: &Context<'_>,
    fd: Fd,
    name: UserCStr,
    value: UserPtr<u8>,
    size: usize,
    flags: XattrFlags,
) -> Result<usize> {
    set(ctx, Target::open(fd), name, UserSlice::new(value, size), flags)
}

pub(crate) fn setxattrat(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    flags: AtFlags,
    name: UserCStr,
    extra: UserPtr<XattrArgs>,
    size: usize,
) -> Result<usize> {
    let extra = arguments(ctx, extra, size)?;
    let value = UserSlice::new(UserPtr::new(extra.value), extra.size as usize);
    let xattr_flags = XattrFlags::from_bits_retain(extra.flags);
    set(ctx, Target { dirfd, path, flags }, name, value, xattr_flags)
}

pub(crate) fn getxattr(
    ctx: &Context<'_>,
    path: UserCStr,
    name: UserCStr,
    value: UserPtr<u8>,
    size: usize,
) -> Result<usize> {
    get(ctx, Target::followed(path), name, UserSlice::new(value, size))
}

pub(crate) fn lgetxattr(
    ctx: &Context<'_>,
    path: UserCStr,
    name: UserCStr,
    value: UserPtr<u8>,
    size: usize,
) -> Result<usize> {
    get(ctx, Target::itself(path), name, UserSlice::new(value, size))
}

pub(crate) fn fgetxattr(
    ctx: &Context<'_>,
    fd: Fd,
    name: UserCStr,
    value: UserPtr<u8>,
    size: usize,
) -> Result<usize> {
    get(ctx, Target::open(fd), name, UserSlice::new(value, size))
}

pub(crate) fn getxattrat(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    flags: AtFlags,
    name: UserCStr,
    extra: UserPtr<XattrArgs>,
    size: usize,
) -> Result<usize> {
    let extra = arguments(ctx, extra, size)?;
    if extra.flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let value = UserSlice::new(UserPtr::new(extra.value), extra.size as usize);
    get(ctx, Target { dirfd, path, flags }, name, value)
}

pub(crate) fn listxattr(ctx: &Context<'_>, path: UserCStr, out: UserPtr<u8>, size: usize) -> Result<usize> {
    list(ctx, Target::followed(path), UserSlice::new(out, size))
}

pub(crate) fn llistxattr(ctx: &Context<'_>, path: UserCStr, out: UserPtr<u8>, size: usize) -> Result<usize> {
    list(ctx, Target::itself(path), UserSlice::new(out, size))
}

pub(crate) fn flistxattr(ctx: &Context<'_>, fd: Fd, out: UserPtr<u8>, size: usize) -> Result<usize> {
    list(ctx, Target::open(fd), UserSlice::new(out, size))
}

pub(crate) fn listxattrat(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    flags: AtFlags,
    out: UserPtr<u8>,
    size: usize,
) -> Result<usize> {
    list(ctx, Target { dirfd, path, flags }, UserSlice::new(out, size))
}

pub(crate) fn removexattr(ctx: &Context<'_>, path: UserCStr, name: UserCStr) -> Result<usize> {
    remove(ctx, Target::followed(path), name)
}

pub(crate) fn lremovexattr(ctx: &Context<'_>, path: UserCStr, name: UserCStr) -> Result<usize> {
    remove(ctx, Target::itself(path), name)
}

pub(crate) fn fremovexattr(ctx: &Context<'_>, fd: Fd, name: UserCStr) -> Result<usize> {
    remove(ctx, Target::open(fd), name)
}

pub(crate) fn removexattrat(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    flags: AtFlags,
    name: UserCStr,
) -> Result<usize> {
    remove(ctx, Target { dirfd, path, flags }, name)
}
