//! memfd_create and memfd_secret.

use los_abi::errno::Errno;
use los_abi::fs::{NAME_MAX, OpenFlags, SealFlags};
use los_abi::mm::MemfdFlags;
use los_abi::resource::RLIMIT_NOFILE;
use los_abi::syscall::UserCStr;
use sync::Result;
use task::Context;
use task::fd_table::OnExec;

/// Longest name: with the prefix `memfd:` it is a file's.
const NAME_BYTES_MAX: usize = NAME_MAX - 6;

pub(crate) fn memfd_create(ctx: &Context<'_>, name: UserCStr, flags: MemfdFlags) -> Result<usize> {
    let both = MemfdFlags::EXEC | MemfdFlags::NOEXEC_SEAL;
    if !MemfdFlags::all().contains(flags) || flags.contains(both) {
        return Err(Errno::EINVAL.into());
    }
    if flags.contains(MemfdFlags::HUGETLB) {
        // There are no huge pages of any size.
        return Err(Errno::ENODEV.into());
    }
    let name = ctx
        .memory()
        .read_c_string(name, NAME_BYTES_MAX + 1)
        .map_err(|errno| match errno {
            Errno::ENAMETOOLONG => Errno::EINVAL,
            errno => errno,
        })?;
    let (mode, seals) = match flags {
        _ if flags.contains(MemfdFlags::NOEXEC_SEAL) => (0o666, SealFlags::EXEC),
        _ if flags.contains(MemfdFlags::ALLOW_SEALING) => (0o777, SealFlags::empty()),
        _ => (0o777, SealFlags::SEAL),
    };
    let file = vfs::memory_file::create(&name, mode, seals, ctx.credentials())?;
    let on_exec = OnExec::from_cloexec(flags.contains(MemfdFlags::CLOEXEC));
    let limit = ctx.process.limits().soft(RLIMIT_NOFILE);
    Ok(ctx.files().insert(file, 0, on_exec, limit)?.0 as usize)
}

pub(crate) fn memfd_secret(ctx: &Context<'_>, flags: u32) -> Result<usize> {
    if flags & !OpenFlags::CLOEXEC.bits() != 0 {
        return Err(Errno::EINVAL.into());
    }
    let file = vfs::secret_memory::create(ctx.credentials())?;
    Ok(ctx.install(file, OnExec::from_cloexec(flags != 0))?.0 as usize)
}
