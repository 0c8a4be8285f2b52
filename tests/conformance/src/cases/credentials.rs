//! Who a process is: ids, and the personality.

use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::syscall::Sysno;
use los_abi::task::Utsname;

use crate::cases::ended;
use crate::harness::{Outcome, in_child};
use crate::raw::{addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![personality_is_kept_over_fork, uname_of_old_versions];

const QUERY: u64 = Personality::QUERY as u64;

fn personality_is_kept_over_fork() -> Outcome {
    let flags = u64::from(Personality::ADDR_NO_RANDOMIZE.bits());
    let old = call(Sysno::personality, &[QUERY])?;
    ensure_eq!(call(Sysno::personality, &[old | flags]), Ok(old));
    ensure_eq!(call(Sysno::personality, &[QUERY]), Ok(old | flags));
    let status = in_child(|| i32::from(call(Sysno::personality, &[QUERY]) != Ok(old | flags)))?;
    ensure_eq!(ended(status), 0);
    // A domain that nobody knows is kept like any other.
    ensure_eq!(call(Sysno::personality, &[0xee]), Ok(old | flags));
    ensure_eq!(call(Sysno::personality, &[old]), Ok(0xee));
    Ok(())
}

fn uname_of_old_versions() -> Outcome {
    call(Sysno::personality, &[u64::from(Personality::UNAME26.bits())])?;
    let mut names = Utsname::default();
    call(Sysno::uname, &[addr_mut(&mut names)])?;
    ensure!(names.release.starts_with(b"2.6."));
    ensure_eq!(call(Sysno::uname, &[8]).err(), Some(Errno::EFAULT));
    Ok(())
}
