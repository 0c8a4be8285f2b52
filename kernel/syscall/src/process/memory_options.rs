//! The options of prctl(2) that are about memory and the processor: names of mappings, rules for executable memory,
//! broken pages, and how the processor guesses.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::prctl as abi;
use los_abi::syscall::UserCStr;
use mm::ExecGain;
use sync::Result;
use task::Context;
use zerocopy::IntoBytes;

use super::prctl::none;

/// Longest name of anonymous memory, with the zero behind it (`ANON_VMA_NAME_MAX_LEN`).
const NAME_BYTES_MAX: usize = 80;

pub(super) fn control(ctx: &Context<'_>, option: i32, arg2: u64, rest: [u64; 3]) -> Result<usize> {
    match option {
        abi::PR_SET_VMA => set_vma(ctx, arg2, rest),
        abi::PR_SET_MDWE => {
            none(&rest)?;
            set_exec_gain(ctx, arg2)
        }
        abi::PR_GET_MDWE => {
            none(&[arg2])?;
            none(&rest)?;
            Ok(match ctx.memory().exec_gain() {
                ExecGain::Allowed => 0,
                ExecGain::Refused => abi::PR_MDWE_REFUSE_EXEC_GAIN as usize,
                ExecGain::RefusedHere => (abi::PR_MDWE_REFUSE_EXEC_GAIN | abi::PR_MDWE_NO_INHERIT) as usize,
            })
        }
        abi::PR_MCE_KILL => set_broken_page_policy(ctx, arg2, rest),
        abi::PR_MCE_KILL_GET => {
            none(&[arg2])?;
            none(&rest)?;
            let policy = ctx.thread.attributes.broken_page_policy();
            Ok(policy.unwrap_or(abi::PR_MCE_KILL_DEFAULT) as usize)
        }
        abi::PR_GET_SPECULATION_CTRL => {
            none(&rest)?;
            check_speculation(arg2)?;
            Ok(abi::PR_SPEC_NOT_AFFECTED as usize)
        }
        abi::PR_SET_SPECULATION_CTRL => {
            none(&rest[1..])?;
            check_speculation(arg2)?;
            Err(Errno::ENXIO.into())
        }
        abi::PR_GET_AUXV => {
            none(&rest[1..])?;
            auxiliary_vector(ctx, arg2, rest[0])
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

/// Names the anonymous memory of a range; without a name it loses the one that it has.
fn set_vma(ctx: &Context<'_>, operation: u64, [address, length, name]: [u64; 3]) -> Result<usize> {
    if operation != abi::PR_SET_VMA_ANON_NAME {
        return Err(Errno::EINVAL.into());
    }
    let name: Option<Arc<[u8]>> = match name {
        0 => None,
        name => Some(name_argument(ctx, UserCStr::new(name))?.into()),
    };
    ctx.memory().set_name(address, length, name.as_ref())?;
    Ok(0)
}

fn name_argument(ctx: &Context<'_>, name: UserCStr) -> Result<Vec<u8>> {
    let name = ctx
        .memory()
        .read_c_string(name, NAME_BYTES_MAX)
        .map_err(|errno| match errno {
            Errno::ENAMETOOLONG => Errno::EINVAL,
            errno => errno,
        })?;
    let is_allowed = |byte: &u8| (b' '..=b'~').contains(byte) && !br"\`$[]".contains(byte);
    if name.iter().all(is_allowed) {
        Ok(name)
    } else {
        Err(Errno::EINVAL.into())
    }
}

fn set_exec_gain(ctx: &Context<'_>, flags: u64) -> Result<usize> {
    const BOTH: u64 = abi::PR_MDWE_REFUSE_EXEC_GAIN | abi::PR_MDWE_NO_INHERIT;
    let new = match flags {
        0 => ExecGain::Allowed,
        abi::PR_MDWE_REFUSE_EXEC_GAIN => ExecGain::Refused,
        BOTH => ExecGain::RefusedHere,
        _ => return Err(Errno::EINVAL.into()),
    };
    ctx.memory().set_exec_gain(new)?;
    Ok(0)
}

/// Keeps what the process wants to happen when a page breaks. No machine here tells of broken pages.
fn set_broken_page_policy(ctx: &Context<'_>, operation: u64, [when, arg4, arg5]: [u64; 3]) -> Result<usize> {
    none(&[arg4, arg5])?;
    let policy = match (operation, when) {
        (abi::PR_MCE_KILL_CLEAR, 0) | (abi::PR_MCE_KILL_SET, abi::PR_MCE_KILL_DEFAULT) => None,
        (abi::PR_MCE_KILL_SET, abi::PR_MCE_KILL_LATE | abi::PR_MCE_KILL_EARLY) => Some(when),
        _ => return Err(Errno::EINVAL.into()),
    };
    ctx.thread.attributes.set_broken_page_policy(policy);
    Ok(0)
}

fn check_speculation(kind: u64) -> Result<()> {
    match kind {
        abi::PR_SPEC_STORE_BYPASS | abi::PR_SPEC_INDIRECT_BRANCH => Ok(()),
        _ => Err(Errno::ENODEV.into()),
    }
}

/// Copies as much of the vector as fits, and returns the length of all of it.
fn auxiliary_vector(ctx: &Context<'_>, address: u64, length: u64) -> Result<usize> {
    let image = ctx.process.image();
    let bytes = image.auxv_words().as_bytes();
    let count = bytes.len().min(usize::try_from(length).unwrap_or(usize::MAX));
    ctx.memory().write_bytes(address, &bytes[..count])?;
    Ok(bytes.len())
}
