//! Attributes of files as stat(2) and statx(2) show them.

use los_abi::errno::Errno;
use los_abi::fs::{AnyStat, AtFlags, StatFields, Statx, StatxMask};
use los_abi::isa::{IsaAbi, WireStat};
use los_abi::syscall::{Fd, UserCStr, UserPtr};
use sync::Result;
use task::Context;
use vfs::Metadata;

use super::{check_flags, lookup_of, resolve};

type WireStatOf = <task::Abi as IsaAbi>::Stat;

const STATX_SYNC: AtFlags = AtFlags::STATX_FORCE_SYNC.union(AtFlags::STATX_DONT_SYNC);
const KNOWN: AtFlags = AtFlags::SYMLINK_NOFOLLOW
    .union(AtFlags::EMPTY_PATH)
    .union(AtFlags::NO_AUTOMOUNT);
/// `STATX__RESERVED`: the bit that statx(2) refuses.
const RESERVED_MASK: u32 = 0x8000_0000;

fn fields(metadata: &Metadata) -> StatFields {
    StatFields {
        dev: metadata.device,
        ino: metadata.inode,
        mode: metadata.st_mode(),
        nlink: metadata.links,
        uid: metadata.uid,
        gid: metadata.gid,
        rdev: metadata.rdev,
        size: metadata.size,
        blksize: metadata.block_size,
        blocks: metadata.blocks,
        atime: metadata.accessed,
        mtime: metadata.modified,
        ctime: metadata.changed,
    }
}

fn store(ctx: &Context<'_>, metadata: &Metadata, stat: UserPtr<AnyStat>) -> Result<usize> {
    ctx.memory().write(
        stat.cast::<WireStatOf>(),
        &WireStatOf::from_fields(&fields(metadata)),
    )?;
    Ok(0)
}

pub(crate) fn newfstatat(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    stat: UserPtr<AnyStat>,
    flags: AtFlags,
) -> Result<usize> {
    check_flags(flags, KNOWN)?;
    let found = resolve(ctx, dirfd, path, lookup_of(flags))?;
    store(ctx, &found.metadata()?, stat)
}

pub(crate) fn stat(ctx: &Context<'_>, path: UserCStr, stat: UserPtr<AnyStat>) -> Result<usize> {
    newfstatat(ctx, Fd::CWD, path, stat, AtFlags::empty())
}

pub(crate) fn lstat(ctx: &Context<'_>, path: UserCStr, stat: UserPtr<AnyStat>) -> Result<usize> {
    newfstatat(ctx, Fd::CWD, path, stat, AtFlags::SYMLINK_NOFOLLOW)
}

pub(crate) fn fstat(ctx: &Context<'_>, fd: Fd, stat: UserPtr<AnyStat>) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    store(ctx, &file.metadata()?, stat)
}

pub(crate) fn statx(
    ctx: &Context<'_>,
    dirfd: Fd,
    path: UserCStr,
    flags: AtFlags,
    mask: StatxMask,
    statx: UserPtr<Statx>,
) -> Result<usize> {
    if mask.bits() & RESERVED_MASK != 0 || flags.contains(STATX_SYNC) {
        return Err(Errno::EINVAL.into());
    }
    check_flags(flags, KNOWN | STATX_SYNC)?;
    let found = resolve(ctx, dirfd, path, lookup_of(flags))?;
    ctx.memory()
        .write(statx, &Statx::from(fields(&found.metadata()?)))?;
    Ok(0)
}
