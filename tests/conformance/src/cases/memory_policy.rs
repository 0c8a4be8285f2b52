//! From which nodes memory comes (set_mempolicy(2)). What is asked of them holds on machines of any number of nodes
//! whose first is 0; where there are no policies, the cases are skipped.

use los_abi::errno::Errno;
use los_abi::numa::{
    MPOL_BIND, MPOL_DEFAULT, MPOL_F_ADDR, MPOL_F_MEMS_ALLOWED, MPOL_F_NODE, MPOL_F_RELATIVE_NODES,
    MPOL_F_STATIC_NODES, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_MF_MOVE, MPOL_MF_STRICT, MPOL_PREFERRED,
};
use los_abi::syscall::Sysno;

use super::memory::PAGE;
use crate::harness::{Failure, Outcome, in_child};
use crate::raw::{addr, addr_mut, call, poke};
use crate::{cases, ensure_eq};

cases![
    policies_of_threads_are_kept,
    policies_of_threads_are_checked,
    policies_of_mappings_are_kept,
    binding_is_checked,
    pages_are_on_a_node,
    home_nodes_need_a_policy,
    pages_of_processes_migrate,
];

/// Bits of a set, and one more, as these calls count.
const BITS: u64 = 65;

fn fresh(length: u64) -> Result<u64, Errno> {
    super::memory::map(length, 3)
}

fn start() -> Outcome {
    match ask(0, 0) {
        Err(Errno::ENOSYS) => Err(Failure::Skip("a Linux without policies")),
        other => {
            ensure_eq!(other, Ok((MPOL_DEFAULT, 0)));
            Ok(())
        }
    }
}

fn choose(mode: u32, nodes: u64) -> Result<u64, Errno> {
    call(Sysno::set_mempolicy, &[u64::from(mode), addr(&nodes), BITS])
}

/// Returns mode and nodes.
fn ask(address: u64, flags: u32) -> Result<(u32, u64), Errno> {
    let (mut mode, mut nodes) = (77_i32, [77_u64; 16]);
    let flags = u64::from(flags);
    let arguments = [addr_mut(&mut mode), addr_mut(&mut nodes), 1024, address, flags];
    call(Sysno::get_mempolicy, &arguments)?;
    Ok((mode as u32, nodes[0]))
}

fn bind(address: u64, length: u64, mode: u32, nodes: u64, flags: u32) -> Result<u64, Errno> {
    let (mode, flags) = (u64::from(mode), u64::from(flags));
    call(Sysno::mbind, &[address, length, mode, addr(&nodes), BITS, flags])
}

fn policies_of_threads_are_kept() -> Outcome {
    start()?;
    ensure_eq!(choose(MPOL_BIND, 1), Ok(0));
    ensure_eq!(ask(0, 0), Ok((MPOL_BIND, 1)));
    ensure_eq!(choose(MPOL_INTERLEAVE, 1), Ok(0));
    ensure_eq!(ask(0, 0), Ok((MPOL_INTERLEAVE, 1)));
    ensure_eq!(ask(0, MPOL_F_NODE), Ok((0, 1)));
    let as_said = MPOL_BIND | MPOL_F_STATIC_NODES;
    ensure_eq!(choose(as_said, 1), Ok(0));
    ensure_eq!(ask(0, 0), Ok((as_said, 1)));
    let child = in_child(|| i32::from(ask(0, 0) != Ok((as_said, 1))))?;
    ensure_eq!(super::ended(child), 0);
    // One node first, and none named: the near one.
    ensure_eq!(choose(MPOL_PREFERRED, 0), Ok(0));
    ensure_eq!(ask(0, 0), Ok((MPOL_LOCAL, 0)));
    ensure_eq!(call(Sysno::set_mempolicy, &[0, 0, 0]), Ok(0));
    ensure_eq!(ask(0, 0), Ok((MPOL_DEFAULT, 0)));
    ensure_eq!(ask(0, MPOL_F_MEMS_ALLOWED)?.1 & 1, 1);
    Ok(())
}

fn policies_of_threads_are_checked() -> Outcome {
    start()?;
    ensure_eq!(choose(MPOL_DEFAULT, 1), Err(Errno::EINVAL));
    ensure_eq!(choose(MPOL_BIND, 0), Err(Errno::EINVAL));
    ensure_eq!(choose(MPOL_LOCAL, 1), Err(Errno::EINVAL));
    ensure_eq!(choose(99, 1), Err(Errno::EINVAL));
    let both = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;
    ensure_eq!(choose(MPOL_BIND | both, 1), Err(Errno::EINVAL));
    ensure_eq!(
        choose(MPOL_PREFERRED | MPOL_F_STATIC_NODES, 0),
        Err(Errno::EINVAL)
    );
    // No machine has all of these.
    let last = 1 << 63;
    ensure_eq!(choose(MPOL_BIND, last), Err(Errno::EINVAL));
    let set = |nodes: u64, count: u64| call(Sysno::set_mempolicy, &[u64::from(MPOL_BIND), nodes, count]);
    ensure_eq!(set(8, BITS), Err(Errno::EFAULT));
    ensure_eq!(set(8, 40_000), Err(Errno::EINVAL));
    ensure_eq!(set(addr(&1_u64), 0), Err(Errno::EINVAL));
    ensure_eq!(set(addr(&1_u64), 1), Err(Errno::EINVAL));
    ensure_eq!(set(addr(&3_u64), 2), Ok(0));
    ensure_eq!(ask(0, 8), Err(Errno::EINVAL));
    ensure_eq!(ask(4096, 0), Err(Errno::EINVAL));
    ensure_eq!(ask(0, MPOL_F_NODE), Err(Errno::EINVAL));
    ensure_eq!(ask(0, MPOL_F_MEMS_ALLOWED | MPOL_F_NODE), Err(Errno::EINVAL));
    ensure_eq!(ask(8, MPOL_F_ADDR), Err(Errno::EFAULT));
    ensure_eq!(
        call(Sysno::get_mempolicy, &[0, addr(&0_u64), 0, 0, 0]),
        Err(Errno::EINVAL)
    );
    ensure_eq!(call(Sysno::get_mempolicy, &[8, 0, 0, 0, 0]), Err(Errno::EFAULT));
    Ok(())
}

fn policies_of_mappings_are_kept() -> Outcome {
    start()?;
    let at = fresh(4 * PAGE)?;
    ensure_eq!(bind(at + PAGE, PAGE, MPOL_BIND, 1, MPOL_MF_STRICT), Ok(0));
    ensure_eq!(ask(at, MPOL_F_ADDR), Ok((MPOL_DEFAULT, 0)));
    ensure_eq!(ask(at + PAGE + 5, MPOL_F_ADDR), Ok((MPOL_BIND, 1)));
    ensure_eq!(ask(at + 2 * PAGE, MPOL_F_ADDR), Ok((MPOL_DEFAULT, 0)));
    ensure_eq!(ask(at + PAGE, MPOL_F_ADDR | MPOL_F_NODE), Ok((0, 1)));
    let child = in_child(|| i32::from(ask(at + PAGE, MPOL_F_ADDR) != Ok((MPOL_BIND, 1))))?;
    ensure_eq!(super::ended(child), 0);
    ensure_eq!(bind(at, 4 * PAGE, MPOL_DEFAULT, 0, 0), Ok(0));
    ensure_eq!(ask(at + PAGE, MPOL_F_ADDR), Ok((MPOL_DEFAULT, 0)));
    Ok(())
}

fn binding_is_checked() -> Outcome {
    start()?;
    let at = fresh(3 * PAGE)?;
    ensure_eq!(bind(at + 1, PAGE, MPOL_BIND, 1, 0), Err(Errno::EINVAL));
    ensure_eq!(bind(at, PAGE, MPOL_BIND, 1, 64), Err(Errno::EINVAL));
    ensure_eq!(bind(at, PAGE, MPOL_BIND, 0, 0), Err(Errno::EINVAL));
    ensure_eq!(bind(at, 0, MPOL_BIND, 0, 0), Ok(0));
    ensure_eq!(
        bind(at, 0u64.wrapping_sub(PAGE), MPOL_BIND, 1, 0),
        Err(Errno::EINVAL)
    );
    call(Sysno::munmap, &[at + PAGE, PAGE])?;
    ensure_eq!(bind(at, 3 * PAGE, MPOL_BIND, 1, 0), Err(Errno::EFAULT));
    ensure_eq!(bind(at, 3 * PAGE, MPOL_DEFAULT, 0, 0), Ok(0));
    ensure_eq!(bind(at + PAGE, PAGE, MPOL_DEFAULT, 0, 0), Err(Errno::EFAULT));
    Ok(())
}

fn pages_are_on_a_node() -> Outcome {
    start()?;
    let at = fresh(2 * PAGE)?;
    poke(at, 1_u8);
    let pages = [at, at + PAGE, 8];
    let mut status = [77_i32; 3];
    let mut look = |nodes: u64, flags: u32| {
        let list = [addr(&pages), nodes, addr_mut(&mut status), u64::from(flags)];
        let result = call(Sysno::move_pages, &[0, 3, list[0], list[1], list[2], list[3]]);
        (result, status)
    };
    let errno = |errno: Errno| -errno.code();
    let expected = [0, errno(Errno::ENOENT), errno(Errno::EFAULT)];
    ensure_eq!(look(0, 0), (Ok(0), expected));
    ensure_eq!(look(addr(&[0_i32; 3]), MPOL_MF_MOVE), (Ok(0), expected));
    ensure_eq!(look(addr(&[-1_i32; 3]), MPOL_MF_MOVE).0, Err(Errno::ENODEV));
    ensure_eq!(look(0, MPOL_MF_STRICT).0, Err(Errno::EINVAL));
    let nobody = [0x3fff_ffff, 0, 0, 0, 0, 0];
    ensure_eq!(call(Sysno::move_pages, &nobody), Err(Errno::ESRCH));
    Ok(())
}

fn home_nodes_need_a_policy() -> Outcome {
    start()?;
    let at = fresh(2 * PAGE)?;
    let home = |address: u64, node: u64, flags: u64| {
        call(Sysno::set_mempolicy_home_node, &[address, PAGE, node, flags])
    };
    ensure_eq!(home(at, 0, 0), Err(Errno::ENOENT));
    ensure_eq!(home(at, 0, 1), Err(Errno::EINVAL));
    ensure_eq!(home(at, 1 << 20, 0), Err(Errno::EINVAL));
    ensure_eq!(home(at + 1, 0, 0), Err(Errno::EINVAL));
    bind(at, PAGE, MPOL_INTERLEAVE, 1, 0)?;
    ensure_eq!(home(at, 0, 0), Err(Errno::EOPNOTSUPP));
    bind(at, PAGE, MPOL_BIND, 1, 0)?;
    ensure_eq!(home(at, 0, 0), Ok(0));
    Ok(())
}

fn pages_of_processes_migrate() -> Outcome {
    start()?;
    let migrate =
        |pid: u64, old: u64, new: u64| call(Sysno::migrate_pages, &[pid, BITS, addr(&old), addr(&new)]);
    ensure_eq!(migrate(0, 1, 1), Ok(0));
    ensure_eq!(migrate(0, 1, 0), Err(Errno::EINVAL));
    ensure_eq!(migrate(0x3fff_ffff, 1, 1), Err(Errno::ESRCH));
    Ok(())
}
