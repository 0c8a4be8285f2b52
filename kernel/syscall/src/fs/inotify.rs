//! Watching files (inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2)).

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::inotify::{InotifyFlags, InotifyMask};
use los_abi::syscall::{Fd, UserCStr};
use sync::Result;
use task::Context;
use task::fd_table::OnExec;
use vfs::notify::{self, Inotify};
use vfs::{Lookup, Permission, permission};

pub(crate) fn inotify_init(ctx: &Context<'_>) -> Result<usize> {
    inotify_init1(ctx, InotifyFlags::empty())
}

pub(crate) fn inotify_init1(ctx: &Context<'_>, flags: InotifyFlags) -> Result<usize> {
    if !InotifyFlags::all().contains(flags) {
        return Err(Errno::EINVAL.into());
    }
    // The bits of the flags are those of the open flags.
    let status = OpenFlags::from_bits_retain((flags & InotifyFlags::NONBLOCK).bits());
    let file = notify::create(status, ctx.credentials())?;
    let on_exec = OnExec::from_cloexec(flags.contains(InotifyFlags::CLOEXEC));
    Ok(ctx.install(file, on_exec)?.0 as usize)
}

pub(crate) fn inotify_add_watch(
    ctx: &Context<'_>,
    fd: Fd,
    path: UserCStr,
    mask: InotifyMask,
) -> Result<usize> {
    if !InotifyMask::all().contains(mask) || mask.is_empty() {
        return Err(Errno::EINVAL.into());
    }
    let file = ctx.files().get(fd)?;
    if mask.contains(InotifyMask::MASK_ADD | InotifyMask::MASK_CREATE) {
        return Err(Errno::EINVAL.into());
    }
    let inotify = Inotify::of(&file)?;
    let mut lookup = Lookup::empty();
    lookup.set(Lookup::FOLLOW, !mask.contains(InotifyMask::DONT_FOLLOW));
    lookup.set(Lookup::DIRECTORY, mask.contains(InotifyMask::ONLYDIR));
    let found = super::resolve(ctx, Fd::CWD, path, lookup)?;
    permission::check(ctx.credentials(), &**found.inode()?, Permission::READ)?;
    Ok(inotify.add(&found, mask)? as usize)
}

pub(crate) fn inotify_rm_watch(ctx: &Context<'_>, fd: Fd, wd: i32) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    Inotify::of(&file)?.remove(wd)?;
    Ok(0)
}
