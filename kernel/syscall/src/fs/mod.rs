//! Files: descriptors, data, names, attributes, waiting.

mod attributes;
mod copy;
mod data;
mod descriptor;
mod directory;
mod epoll;
mod event;
mod inotify;
mod lock;
mod mount;
mod names;
mod open;
mod owner;
mod poll;
mod stat;
mod storage;
mod vectors;
mod xattr;

pub(crate) use attributes::{
    access, chmod, chown, faccessat, faccessat2, fchmod, fchmodat, fchown, fchownat, ftruncate, futimesat,
    lchown, truncate, umask, utime, utimensat, utimes,
};
pub(crate) use copy::{copy_file_range, sendfile};
pub(crate) use data::{fdatasync, fsync, lseek, pread64, pwrite64, read, readv, sync, write, writev};
pub(crate) use descriptor::{close, close_range, dup, dup2, dup3, fcntl, ioctl, pipe, pipe2};
pub(crate) use directory::{chdir, chroot, fchdir, getcwd, getdents, getdents64};
pub(crate) use epoll::{epoll_create, epoll_create1, epoll_ctl, epoll_pwait, epoll_pwait2, epoll_wait};
pub(crate) use event::{eventfd, eventfd2};
pub(crate) use inotify::{inotify_add_watch, inotify_init, inotify_init1, inotify_rm_watch};
pub(crate) use lock::flock;
pub(crate) use mount::{fstatfs, mount, statfs, umount2};
pub(crate) use names::{
    link, linkat, mkdir, mkdirat, mknod, mknodat, readlink, readlinkat, rename, renameat, renameat2, rmdir,
    symlink, symlinkat, unlink, unlinkat,
};
pub(crate) use open::{creat, open, openat};
pub(crate) use poll::{poll, ppoll, pselect6, select};
pub(crate) use stat::{fstat, lstat, newfstatat, stat, statx};
pub(crate) use storage::{cachestat, fadvise64, fallocate, readahead, sync_file_range, syncfs};
pub(crate) use vectors::{preadv, preadv2, pwritev, pwritev2};
pub(crate) use xattr::{
    fgetxattr, flistxattr, fremovexattr, fsetxattr, getxattr, getxattrat, lgetxattr, listxattr, listxattrat,
    llistxattr, lremovexattr, lsetxattr, removexattr, removexattrat, setxattr, setxattrat,
};

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::{AtFlags, PATH_MAX};
use los_abi::syscall::{Fd, UserCStr};
use sync::Result;
use task::Context;
use vfs::{At, Lookup, Path, walk};

/// Reads a path argument.
fn path_argument(ctx: &Context<'_>, path: UserCStr) -> Result<Vec<u8>> {
    Ok(ctx.memory().read_c_string(path, PATH_MAX)?)
}

/// Finds where a path starts: only a relative one looks at the descriptor.
fn start(ctx: &Context<'_>, dirfd: Fd, path: &[u8]) -> Result<At> {
    if dirfd == Fd::CWD || path.starts_with(b"/") {
        return Ok(At::Cwd);
    }
    Ok(At::File(ctx.files().get(dirfd)?))
}

/// Refuses flags that a call does not know.
fn check_flags(flags: AtFlags, known: AtFlags) -> Result<()> {
    if known.contains(flags) {
        Ok(())
    } else {
        Err(Errno::EINVAL.into())
    }
}

/// Says how a call that follows links by default treats the last component.
fn lookup_of(flags: AtFlags) -> Lookup {
    let mut lookup = if flags.contains(AtFlags::SYMLINK_NOFOLLOW) {
        Lookup::empty()
    } else {
        Lookup::FOLLOW
    };
    if flags.contains(AtFlags::EMPTY_PATH) {
        lookup |= Lookup::EMPTY_PATH;
    }
    lookup
}

/// Finds the place that a path argument names.
fn resolve(ctx: &Context<'_>, dirfd: Fd, path: UserCStr, lookup: Lookup) -> Result<Path> {
    let path = path_argument(ctx, path)?;
    let at = start(ctx, dirfd, &path)?;
    Ok(walk::resolve(&ctx.caller(), at, &path, lookup)?)
}
