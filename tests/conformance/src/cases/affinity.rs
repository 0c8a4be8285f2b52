//! On which CPUs threads run (sched_setaffinity(2), getcpu(2)).

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;

use super::schedule::{MINUS_ONE, NOBODY, USER};
use crate::cases::ended;
use crate::harness::{Outcome, in_child};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    getcpu_is_in_the_affinity,
    affinity_round_trip,
    affinity_argument_checks,
];

fn getcpu_is_in_the_affinity() -> Outcome {
    let mut mask = [0_u64; 128];
    let size = size_of_val(&mask) as u64;
    call(Sysno::sched_getaffinity, &[0, size, addr_mut(&mut mask)])?;
    let (mut cpu, mut node) = (u32::MAX, u32::MAX);
    call(Sysno::getcpu, &[addr_mut(&mut cpu), addr_mut(&mut node), 0])?;
    ensure!(
        mask[cpu as usize / 64] & 1 << (cpu % 64) != 0,
        "cpu {cpu} is not in {mask:x?}"
    );
    ensure_eq!(node, 0);
    call(Sysno::getcpu, &[0, 0, 0])?;
    ensure_eq!(call(Sysno::getcpu, &[8, 0, 0]).err(), Some(Errno::EFAULT));
    Ok(())
}

fn affinity_round_trip() -> Outcome {
    let mut mask = [0_u64; 128];
    let size = size_of_val(&mask) as u64;
    call(Sysno::sched_setaffinity, &[0, 1, addr(&[1_u8])])?;
    call(Sysno::sched_getaffinity, &[0, size, addr_mut(&mut mask)])?;
    ensure_eq!(mask[0], 1);
    let status = in_child(|| {
        let mut mask = [0_u64; 128];
        let _ = call(Sysno::sched_getaffinity, &[0, size, addr_mut(&mut mask)]);
        i32::from(mask[0] != 1)
    })?;
    ensure_eq!(ended(status), 0);
    // CPUs that are not there do no harm beside one that is.
    call(Sysno::sched_setaffinity, &[0, 128, addr(&[u64::MAX; 16])])?;
    Ok(())
}

fn affinity_argument_checks() -> Outcome {
    let set = |pid, size, mask| call(Sysno::sched_setaffinity, &[pid, size, mask]).err();
    ensure_eq!(set(0, 8, addr(&[0_u64])), Some(Errno::EINVAL));
    ensure_eq!(set(0, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(set(0, 8, 8), Some(Errno::EFAULT));
    ensure_eq!(set(NOBODY, 8, addr(&[1_u64])), Some(Errno::ESRCH));
    ensure_eq!(set(MINUS_ONE, 8, addr(&[1_u64])), Some(Errno::ESRCH));
    let status = in_child(|| {
        let _ = call(Sysno::setresuid, &[USER, USER, USER]);
        i32::from(set(1, 8, addr(&[1_u64])) != Some(Errno::EPERM))
    })?;
    ensure_eq!(ended(status), 0);
    Ok(())
}
