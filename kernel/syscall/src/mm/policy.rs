//! Memory policies and where pages are: set_mempolicy(2) and its kin, on a machine of one node.

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::numa::{
    MPOL_F_ADDR, MPOL_F_MEMS_ALLOWED, MPOL_F_NODE, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, MPOL_MF_STRICT,
};
use los_abi::syscall::UserPtr;
use mm::AddressSpace;
use mm::policy::{Mode, NODES, Policy};
use sync::Result;
use task::{Context, inspect};
use vfs::{Capability, Credentials};

const WORD_BITS: u64 = u64::BITS as u64;
/// Most bits of a set of nodes: those of a page.
const NODE_BITS_MAX: u64 = 8 * hal::PAGE_SIZE as u64;
/// The highest node number that there is, plus one.
const NODE_IDS: u64 = 1;

/// Reads a set of nodes; of what lies beyond the first word, nothing exists. As on Linux, the count is one too large.
fn nodes_argument(ctx: &Context<'_>, nodes: UserPtr<u64>, count: u64) -> Result<u64> {
    let bits = count.wrapping_sub(1);
    if bits == 0 || nodes.is_null() {
        return Ok(0);
    }
    if bits > NODE_BITS_MAX {
        return Err(Errno::EINVAL.into());
    }
    let word = |index: u64| {
        let place = nodes.offset_elements(index as usize).ok_or(Errno::EFAULT)?;
        ctx.memory().read(place)
    };
    for index in (1..bits.div_ceil(WORD_BITS)).rev() {
        if word(index)? != 0 {
            return Err(Errno::EINVAL.into());
        }
    }
    let unused = WORD_BITS.saturating_sub(bits);
    Ok(word(0)? << unused >> unused)
}

pub(crate) fn set_mempolicy(ctx: &Context<'_>, mode: u32, nodes: UserPtr<u64>, count: u64) -> Result<usize> {
    let mode = Mode::new(mode)?;
    let policy = Policy::new(mode, nodes_argument(ctx, nodes, count)?)?;
    ctx.thread.attributes.set_memory_policy(policy);
    Ok(0)
}

pub(crate) fn get_mempolicy(
    ctx: &Context<'_>,
    mode: UserPtr<i32>,
    nodes: UserPtr<u64>,
    count: u64,
    address: u64,
    flags: u64,
) -> Result<usize> {
    if !nodes.is_null() && count < NODE_IDS {
        return Err(Errno::EINVAL.into());
    }
    let (word, set) = ask(ctx, address, flags)?;
    if !mode.is_null() {
        ctx.memory().write(mode, &word.cast_signed())?;
    }
    if !nodes.is_null() {
        write_nodes(ctx, nodes, count, set)?;
    }
    Ok(0)
}

/// Returns mode or node, and the nodes, that get_mempolicy(2) tells.
fn ask(ctx: &Context<'_>, address: u64, flags: u64) -> Result<(u32, u64)> {
    let flags = u32::try_from(flags).map_err(|_| Errno::EINVAL)?;
    let asks = |flag| flags & flag != 0;
    if flags & !(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED) != 0 {
        return Err(Errno::EINVAL.into());
    }
    if asks(MPOL_F_MEMS_ALLOWED) {
        return match flags {
            MPOL_F_MEMS_ALLOWED => Ok((0, NODES)),
            _ => Err(Errno::EINVAL.into()),
        };
    }
    let policy = if asks(MPOL_F_ADDR) {
        ctx.memory().policy_at(address)?
    } else if address != 0 {
        return Err(Errno::EINVAL.into());
    } else {
        ctx.thread.attributes.memory_policy()
    };
    let word = match asks(MPOL_F_NODE) {
        false => policy.word(),
        true if asks(MPOL_F_ADDR) => ctx.memory().node_at(address)?,
        // The next node is the only one.
        true if policy.is_interleaved() => 0,
        true => return Err(Errno::EINVAL.into()),
    };
    Ok((word, policy.nodes()))
}

/// Writes a set of nodes into whole words, of which the first has all that exist.
fn write_nodes(ctx: &Context<'_>, nodes: UserPtr<u64>, count: u64, set: u64) -> Result<()> {
    let bytes = count.wrapping_sub(1).div_ceil(WORD_BITS).saturating_mul(8);
    if bytes > 8 && bytes > hal::PAGE_SIZE as u64 {
        return Err(Errno::EINVAL.into());
    }
    for at in (8..bytes).step_by(8) {
        let place = nodes.offset_bytes(at as usize).ok_or(Errno::EFAULT)?;
        ctx.memory().write(place, &0_u64)?;
    }
    if bytes > 0 {
        ctx.memory().write(nodes, &set)?;
    }
    Ok(())
}

pub(crate) fn mbind(
    ctx: &Context<'_>,
    address: u64,
    length: u64,
    mode: u32,
    nodes: UserPtr<u64>,
    count: u64,
    flags: u32,
) -> Result<usize> {
    let mode = Mode::new(mode)?;
    let nodes = nodes_argument(ctx, nodes, count)?;
    if flags & !(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL) != 0 {
        return Err(Errno::EINVAL.into());
    }
    check_move_all(ctx.credentials(), flags)?;
    // Nothing is looked at behind an empty range, not even the nodes.
    if ctx.memory().is_empty_range(address, length)? {
        return Ok(0);
    }
    ctx.memory().bind(address, length, Policy::new(mode, nodes)?)?;
    Ok(0)
}

fn check_move_all(credentials: &Credentials, flags: u32) -> Result<()> {
    if flags & MPOL_MF_MOVE_ALL != 0 && !credentials.capable(Capability::SysNice) {
        return Err(Errno::EPERM.into());
    }
    Ok(())
}

pub(crate) fn set_mempolicy_home_node(
    ctx: &Context<'_>,
    address: u64,
    length: u64,
    node: u64,
    flags: u64,
) -> Result<usize> {
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    ctx.memory().set_home_node(address, length, node)?;
    Ok(0)
}

/// Finds the memory of a process whose pages are asked about or moved.
fn memory_of(ctx: &Context<'_>, pid: i32) -> Result<Arc<AddressSpace>> {
    if pid == 0 {
        return Ok(ctx.memory().clone());
    }
    let process = inspect::find(pid)?;
    Ok(inspect::memory(ctx, &process)?.ok_or(Errno::EINVAL)?)
}

pub(crate) fn migrate_pages(
    ctx: &Context<'_>,
    pid: i32,
    count: u64,
    old: UserPtr<u64>,
    new: UserPtr<u64>,
) -> Result<usize> {
    nodes_argument(ctx, old, count)?;
    let new = nodes_argument(ctx, new, count)?;
    if pid != 0 {
        let process = inspect::find(pid)?;
        inspect::check(ctx, &process)?;
    }
    if new & !NODES != 0 && !ctx.credentials().capable(Capability::SysNice) {
        return Err(Errno::EPERM.into());
    }
    if new & NODES == 0 {
        return Err(Errno::EINVAL.into());
    }
    memory_of(ctx, pid)?;
    // All pages are where they can be: none failed to move.
    Ok(0)
}

pub(crate) fn move_pages(
    ctx: &Context<'_>,
    pid: i32,
    count: u64,
    pages: UserPtr<u64>,
    nodes: UserPtr<i32>,
    status: UserPtr<i32>,
    flags: u32,
) -> Result<usize> {
    if flags & !(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL) != 0 {
        return Err(Errno::EINVAL.into());
    }
    check_move_all(ctx.credentials(), flags)?;
    let memory = memory_of(ctx, pid)?;
    for index in 0..count as usize {
        if !sync::give_way() {
            return Err(Errno::EINTR.into());
        }
        let page = pages.offset_elements(index).ok_or(Errno::EFAULT)?;
        let page: u64 = ctx.memory().read(page)?;
        if !nodes.is_null() {
            let node = nodes.offset_elements(index).ok_or(Errno::EFAULT)?;
            let node: i32 = ctx.memory().read(node)?;
            if node != 0 {
                return Err(Errno::ENODEV.into());
            }
        }
        let answer = match memory.node_of_present(page) {
            Ok(node) => node.cast_signed(),
            Err(errno) => -errno.code(),
        };
        let place = status.offset_elements(index).ok_or(Errno::EFAULT)?;
        ctx.memory().write(place, &answer)?;
    }
    Ok(0)
}
