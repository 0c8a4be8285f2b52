//! Reading clocks by the system call.

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;

use crate::raw::{addr_mut, call};

/// Returns the time of a clock.
pub(crate) fn clock_ns(clock: u64) -> Result<i64, Errno> {
    let mut time = [0_i64; 2];
    call(Sysno::clock_gettime, &[clock, addr_mut(&mut time)])?;
    Ok(time[0] * 1_000_000_000 + time[1])
}
