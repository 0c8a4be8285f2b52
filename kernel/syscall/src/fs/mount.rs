//! Mounting, and the state of file systems.

use los_abi::fs::{MountFlags, Statfs, UmountFlags};
use los_abi::syscall::{Fd, UserCStr, UserPtr};
use sync::Result;
use task::Context;
use vfs::{Lookup, MountRequest, ops};

use super::{path_argument, resolve};

/// Most bytes of mount options (mount(2), NOTES).
const DATA_MAX_BYTES: usize = 4096;
/// `MS_MGC_VAL`, which old programs add to the flags.
const MAGIC: u32 = 0xc0ed_0000;
const MAGIC_MASK: u32 = 0xffff_0000;

pub(crate) fn mount(
    ctx: &Context<'_>,
    source: UserCStr,
    target: UserCStr,
    fs_type: UserCStr,
    flags: MountFlags,
    data: UserPtr<u8>,
) -> Result<usize> {
    let optional = |string: UserCStr| {
        if string.is_null() {
            Ok(alloc::vec::Vec::new())
        } else {
            path_argument(ctx, string)
        }
    };
    let kind = optional(fs_type)?;
    let source = optional(source)?;
    let data = if data.is_null() {
        alloc::vec::Vec::new()
    } else {
        ctx.memory()
            .read_c_string(UserCStr::new(data.addr()), DATA_MAX_BYTES)?
    };
    let mut flags = flags;
    if flags.bits() & MAGIC_MASK == MAGIC {
        flags = MountFlags::from_bits_retain(flags.bits() & !MAGIC_MASK);
    }
    let at = resolve(ctx, Fd::CWD, target, Lookup::FOLLOW)?;
    let request = MountRequest {
        source: &source,
        data: &data,
    };
    ops::mount(&ctx.caller(), &at, &kind, &request, flags)?;
    Ok(0)
}

pub(crate) fn umount2(ctx: &Context<'_>, target: UserCStr, flags: UmountFlags) -> Result<usize> {
    let path = path_argument(ctx, target)?;
    ops::unmount(&ctx.caller(), &path, flags)?;
    Ok(0)
}

pub(crate) fn statfs(ctx: &Context<'_>, path: UserCStr, statfs: UserPtr<Statfs>) -> Result<usize> {
    let found = resolve(ctx, Fd::CWD, path, Lookup::FOLLOW)?;
    ctx.memory().write(statfs, &ops::statfs(&found))?;
    Ok(0)
}

pub(crate) fn fstatfs(ctx: &Context<'_>, fd: Fd, statfs: UserPtr<Statfs>) -> Result<usize> {
    let file = ctx.files().get(fd)?;
    ctx.memory().write(statfs, &ops::statfs(file.path()))?;
    Ok(0)
}
