//! Memory protection keys (pkeys(7)) and shadow stacks, as on a processor without them.

use los_abi::errno::Errno;
use los_abi::isa::IsaAbi;
use los_abi::mm::ProtFlags;
use sync::Result;
use task::{Abi as CurrentAbi, Context};

/// The key that stands for none.
const NO_KEY: i32 = -1;
/// What the rights of a key may say: no access, no writing.
const KEY_RIGHTS: u64 = 3;

pub(crate) fn pkey_mprotect(
    ctx: &Context<'_>,
    address: u64,
    length: usize,
    prot: ProtFlags,
    key: i32,
) -> Result<usize> {
    if key != NO_KEY {
        return Err(Errno::EINVAL.into());
    }
    super::mprotect(ctx, address, length, prot)
}

pub(crate) fn pkey_alloc(_ctx: &Context<'_>, flags: u64, rights: u64) -> Result<usize> {
    if flags != 0 || rights & !KEY_RIGHTS != 0 {
        return Err(Errno::EINVAL.into());
    }
    Err(CurrentAbi::NO_KEYS.into())
}

pub(crate) fn pkey_free(_ctx: &Context<'_>, _key: i32) -> Result<usize> {
    Err(Errno::EINVAL.into())
}

pub(crate) fn map_shadow_stack(_ctx: &Context<'_>, _address: u64, _size: u64, _flags: u32) -> Result<usize> {
    Err(Errno::EOPNOTSUPP.into())
}
