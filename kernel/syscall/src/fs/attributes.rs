//! Changing attributes, and asking for permission.

use los_abi::errno::Errno;
use los_abi::fs::{AT_EACCESS, AccessMode, AtFlags, Utimbuf};
use los_abi::syscall::{Fd, UserCStr, UserPtr};
use los_abi::time::{Timespec, Timeval, UTIME_NOW, UTIME_OMIT};
use sync::Result;
use task::Context;
use vfs::ops::{self, NewTime};
use vfs::{Lookup, Path, Permission};

use super::data::{size_limit, tell_failure};
use super::{check_flags, lookup_of, resolve};

pub(crate) fn umask(ctx: &Context<'_>, mask: u32) -> Result<usize> {
    let new = (mask & 0o777) as u16;
    Ok(usize::from(core::mem::replace(&mut ctx.fs().lock().umask, new)))
}

pub(crate) fn fchmodat(ctx: &Context<'_>, dirfd: Fd, path: UserCStr, mode: u32) -> Result<usize> {
    let found = resolve(ctx, dirfd, path, Lookup::FOLLOW)?;
    ops::change_mode(ctx.credentials(), &found, (mode & 0o7777) as u16)?;
    Ok(0)
}

pub(crate) fn chmod(ctx: &Context<'_>, path: UserCStr, mode: u32) -> Result<usize> {
    fchmodat(ctx, Fd::CWD, path, mode)
}

pub(crate) fn fchmod(ctx: &Context<'_>, fd: Fd, mode: u32) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    file.ops()?;
    ops::change_mode(ctx.credentials(), file.path(), (mode & 0o7777) as u16)?;
    Ok(0)
}

/// Decodes a number of which -1 means "leave it alone".
fn owner(number: u32) -> Option<u32> {
    (number != u32::MAX).then_some(number)
}

fn change_owner(ctx: &Context<'_>, path: &Path, uid: u32, gid: u32) -> Result<usize> {
    ops::change_owner(ctx.credentials(), path, owner(uid), owner(gid))?;
    Ok(0)
}

pub(crate) fn fchownat(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    uid: u32,
    gid: u32,
    flags: AtFlags,
) -> Result<usize> {
    check_flags(flags, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?;
    let found = resolve(ctx, dirfd, path, lookup_of(flags))?;
    change_owner(ctx, &found, uid, gid)
}

pub(crate) fn chown(ctx: &Context<'_>, path: UserCStr, uid: u32, gid: u32) -> Result<usize> {
    fchownat(ctx, Fd::CWD, path, uid, gid, AtFlags::empty())
}

pub(crate) fn lchown(ctx: &Context<'_>, path: UserCStr, uid: u32, gid: u32) -> Result<usize> {
    fchownat(ctx, Fd::CWD, path, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
}

pub(crate) fn fchown(ctx: &Context<'_>, fd: Fd, uid: u32, gid: u32) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    file.ops()?;
    change_owner(ctx, file.path(), uid, gid)
}

fn length_argument(length: i64) -> Result<u64> {
    Ok(u64::try_from(length).map_err(|_| Errno::EINVAL)?)
}

pub(crate) fn truncate(ctx: &Context<'_>, path: UserCStr, length: i64) -> Result<usize> {
    let length = length_argument(length)?;
    let found = resolve(ctx, Fd::CWD, path, Lookup::FOLLOW)?;
    let done = ops::truncate(ctx.credentials(), &found, length, size_limit(ctx));
    tell_failure(ctx, done.map(|()| 0).map_err(Into::into))
}

pub(crate) fn ftruncate(ctx: &Context<'_>, fd: Fd, length: i64) -> Result<usize> {
    let length = length_argument(length)?;
    let file = ctx.files().get(fd)?;
    let done = file.truncate(length, size_limit(ctx));
    tell_failure(ctx, done.map(|()| 0).map_err(Into::into))
}

fn new_time(time: Timespec) -> Result<NewTime> {
    match time.tv_nsec {
        UTIME_NOW => Ok(NewTime::Now),
        UTIME_OMIT => Ok(NewTime::Keep),
        0..=999_999_999 => Ok(NewTime::At(time)),
        _ => Err(Errno::EINVAL.into()),
    }
}

pub(crate) fn utimensat(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    times: UserPtr<[Timespec; 2]>,
    flags: AtFlags,
) -> Result<usize> {
    let (accessed, modified) = if times.is_null() {
        (NewTime::Now, NewTime::Now)
    } else {
        let [accessed, modified] = ctx.memory().read(times)?;
        (new_time(accessed)?, new_time(modified)?)
    };
    if accessed == NewTime::Keep && modified == NewTime::Keep {
        return Ok(0);
    }
    set_times(ctx, dirfd, path, flags, accessed, modified)
}

fn set_times(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    flags: AtFlags,
    accessed: NewTime,
    modified: NewTime,
) -> Result<usize> {
    if path.is_null() && dirfd != Fd::CWD {
        // futimens(3): the descriptor itself.
        if !flags.is_empty() {
            return Err(Errno::EINVAL.into());
        }
        let file = ctx.files().get(dirfd)?;
        file.ops()?;
        ops::set_times(ctx.credentials(), file.path(), accessed, modified)?;
        return Ok(0);
    }
    check_flags(flags, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?;
    let found = resolve(ctx, dirfd, path, lookup_of(flags))?;
    ops::set_times(ctx.credentials(), &found, accessed, modified)?;
    Ok(0)
}

pub(crate) fn futimesat(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    times: UserPtr<[Timeval; 2]>,
) -> Result<usize> {
    if times.is_null() {
        return set_times(ctx, dirfd, path, AtFlags::empty(), NewTime::Now, NewTime::Now);
    }
    let times = ctx.memory().read(times)?;
    if times.iter().any(|time| !(0..1_000_000).contains(&time.tv_usec)) {
        return Err(Errno::EINVAL.into());
    }
    let [accessed, modified] = times.map(|time| {
        NewTime::At(Timespec {
            tv_sec: time.tv_sec,
            tv_nsec: time.tv_usec * 1000,
        })
    });
    set_times(ctx, dirfd, path, AtFlags::empty(), accessed, modified)
}

pub(crate) fn utimes(ctx: &Context<'_>, path: UserCStr, times: UserPtr<[Timeval; 2]>) -> Result<usize> {
    futimesat(ctx, Fd::CWD, path, times)
}

pub(crate) fn utime(ctx: &Context<'_>, path: UserCStr, times: UserPtr<Utimbuf>) -> Result<usize> {
    if times.is_null() {
        return set_times(ctx, Fd::CWD, path, AtFlags::empty(), NewTime::Now, NewTime::Now);
    }
    let times = ctx.memory().read(times)?;
    let at = |tv_sec| NewTime::At(Timespec { tv_sec, tv_nsec: 0 });
    set_times(
        ctx,
        Fd::CWD,
        path,
        AtFlags::empty(),
        at(times.actime),
        at(times.modtime),
    )
}

pub(crate) fn faccessat2(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    mode: AccessMode,
    flags: AtFlags,
) -> Result<usize> {
    if !AccessMode::all().contains(mode) {
        return Err(Errno::EINVAL.into());
    }
    check_flags(
        flags,
        AT_EACCESS | AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH,
    )?;
    let real;
    let mut caller = ctx.caller();
    if !flags.contains(AT_EACCESS) {
        real = ctx.credentials().real();
        caller.credentials = &real;
    }
    let path = super::path_argument(ctx, path)?;
    let at = super::start(ctx, dirfd, &path)?;
    let found = vfs::walk::resolve(&caller, at, &path, lookup_of(flags))?;
    ops::access(
        &caller,
        &found,
        Permission::from_bits_truncate(mode.bits() as u16),
    )?;
    Ok(0)
}

pub(crate) fn faccessat(ctx: &Context<'_>, dirfd: Fd, path: UserCStr, mode: AccessMode) -> Result<usize> {
    faccessat2(ctx, dirfd, path, mode, AtFlags::empty())
}

pub(crate) fn access(ctx: &Context<'_>, path: UserCStr, mode: AccessMode) -> Result<usize> {
    faccessat(ctx, Fd::CWD, path, mode)
}
