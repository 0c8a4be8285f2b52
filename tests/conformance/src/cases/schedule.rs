//! When and where threads run.

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;

use crate::harness::Outcome;
use crate::raw::{addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![getcpu_is_in_the_affinity];

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
