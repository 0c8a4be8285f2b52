//! Nice values of processes, groups and users, and what follows them in input and output (setpriority(2),
//! ioprio_set(2)).

use los_abi::errno::Errno;
use los_abi::resource::RLIMIT_NICE;
use los_abi::schedule::{
    IOPRIO_CLASS_BE, IOPRIO_CLASS_RT, IOPRIO_CLASS_SHIFT, IOPRIO_WHO_PGRP, IOPRIO_WHO_PROCESS,
    IOPRIO_WHO_USER, PRIO_PGRP, PRIO_PROCESS, PRIO_USER,
};
use los_abi::syscall::Sysno;
use rt::process;

use super::schedule::{MINUS_ONE, NOBODY, USER, limit, raise_limit};
use crate::cases::ended;
use crate::harness::{Outcome, in_child, spawn_sleeper, wait_for};
use crate::raw::call;
use crate::{cases, ensure_eq};

cases![
    nice_values_of_all_forms,
    nice_values_need_rights,
    nice_limit_is_a_right,
    io_priorities,
];

pub(super) fn nice(which: i32, who: u64) -> Result<u64, Errno> {
    call(Sysno::getpriority, &[which as u64, who])
}

pub(super) fn set_nice(which: i32, who: u64, nice: i64) -> Result<u64, Errno> {
    call(Sysno::setpriority, &[which as u64, who, nice as u64])
}

fn nice_values_of_all_forms() -> Outcome {
    // The call tells 20 minus the nice value.
    set_nice(PRIO_PROCESS, 0, 5)?;
    ensure_eq!(nice(PRIO_PROCESS, 0), Ok(15));
    let status = in_child(|| i32::from(nice(PRIO_PROCESS, 0) != Ok(15)))?;
    ensure_eq!(ended(status), 0);
    set_nice(PRIO_PROCESS, 0, 99)?;
    ensure_eq!(nice(PRIO_PROCESS, 0), Ok(1));
    set_nice(PRIO_PROCESS, 0, -99)?;
    ensure_eq!(nice(PRIO_PROCESS, 0), Ok(40));
    set_nice(PRIO_PROCESS, 0, 5)?;
    // The group is the case's own.
    let pid = spawn_sleeper(|| {})?;
    set_nice(PRIO_PROCESS, pid as u64, 3)?;
    ensure_eq!(nice(PRIO_PGRP, 0), Ok(17));
    set_nice(PRIO_PGRP, process::group() as u64, 7)?;
    ensure_eq!(nice(PRIO_PROCESS, pid as u64), Ok(13));
    ensure_eq!(nice(PRIO_PROCESS, 0), Ok(13));
    process::kill(pid, los_abi::signal::SIGKILL)?;
    let _ = wait_for(pid)?;
    call(Sysno::setresuid, &[54_321, 0, 0])?;
    ensure_eq!(nice(PRIO_USER, 0), Ok(13));
    set_nice(PRIO_USER, 54_321, 9)?;
    ensure_eq!(nice(PRIO_USER, 54_321), Ok(11));
    for (which, who, errno) in [
        (PRIO_PROCESS, NOBODY, Errno::ESRCH),
        (PRIO_PGRP, NOBODY, Errno::ESRCH),
        (PRIO_USER, NOBODY, Errno::ESRCH),
        (PRIO_PROCESS, MINUS_ONE, Errno::ESRCH),
        (PRIO_PGRP, MINUS_ONE, Errno::ESRCH),
        (3, 0, Errno::EINVAL),
        (-1, 0, Errno::EINVAL),
    ] {
        ensure_eq!(nice(which, who).err(), Some(errno));
        ensure_eq!(set_nice(which, who, 0).err(), Some(errno));
    }
    Ok(())
}

fn nice_values_need_rights() -> Outcome {
    limit(RLIMIT_NICE, 0)?;
    set_nice(PRIO_PROCESS, 0, 10)?;
    call(Sysno::setresuid, &[USER, USER, USER])?;
    ensure_eq!(set_nice(PRIO_PROCESS, 0, 9).err(), Some(Errno::EACCES));
    ensure_eq!(set_nice(PRIO_PROCESS, 0, 10), Ok(0));
    ensure_eq!(set_nice(PRIO_PROCESS, 0, 11), Ok(0));
    ensure_eq!(set_nice(PRIO_PROCESS, 1, 10).err(), Some(Errno::EPERM));
    Ok(())
}

fn nice_limit_is_a_right() -> Outcome {
    raise_limit(RLIMIT_NICE, 18)?;
    set_nice(PRIO_PROCESS, 0, 10)?;
    call(Sysno::setresuid, &[USER, USER, USER])?;
    ensure_eq!(set_nice(PRIO_PROCESS, 0, 1).err(), Some(Errno::EACCES));
    ensure_eq!(set_nice(PRIO_PROCESS, 0, 2), Ok(0));
    limit(RLIMIT_NICE, 0)?;
    ensure_eq!(set_nice(PRIO_PROCESS, 0, 1).err(), Some(Errno::EACCES));
    Ok(())
}

fn io_priorities() -> Outcome {
    let get = |which: i32, who: u64| call(Sysno::ioprio_get, &[which as u64, who]);
    let set = |which: i32, who: u64, class: u32, level: u32| {
        let priority = class << IOPRIO_CLASS_SHIFT | level;
        call(Sysno::ioprio_set, &[which as u64, who, u64::from(priority)])
    };
    let best_effort = |level: u64| u64::from(IOPRIO_CLASS_BE << IOPRIO_CLASS_SHIFT) | level;
    set_nice(PRIO_PROCESS, 0, 0)?;
    set(IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_BE, 6)?;
    ensure_eq!(get(IOPRIO_WHO_PROCESS, 0), Ok(best_effort(6)));
    let status = in_child(|| i32::from(get(IOPRIO_WHO_PROCESS, 0) != Ok(best_effort(6))))?;
    ensure_eq!(ended(status), 0);
    set(IOPRIO_WHO_PGRP, 0, IOPRIO_CLASS_BE, 5)?;
    ensure_eq!(get(IOPRIO_WHO_PGRP, 0), Ok(best_effort(5)));
    call(Sysno::setresuid, &[54_322, 0, 0])?;
    ensure_eq!(get(IOPRIO_WHO_USER, 0), Ok(best_effort(5)));
    set(IOPRIO_WHO_USER, 54_322, IOPRIO_CLASS_BE, 4)?;
    ensure_eq!(get(IOPRIO_WHO_PROCESS, 0), Ok(best_effort(4)));
    set(IOPRIO_WHO_PROCESS, 0, 0, 0)?;
    // What was not set follows the nice value where it counts.
    ensure_eq!(get(IOPRIO_WHO_PROCESS, 0), Ok(0));
    ensure_eq!(get(IOPRIO_WHO_USER, 0), Ok(best_effort(4)));
    ensure_eq!(set(IOPRIO_WHO_PROCESS, 0, 0, 1).err(), Some(Errno::EINVAL));
    ensure_eq!(set(IOPRIO_WHO_PROCESS, 0, 4, 0).err(), Some(Errno::EINVAL));
    ensure_eq!(
        set(IOPRIO_WHO_PROCESS, NOBODY, IOPRIO_CLASS_BE, 0).err(),
        Some(Errno::ESRCH)
    );
    ensure_eq!(set(9, 0, IOPRIO_CLASS_BE, 0).err(), Some(Errno::EINVAL));
    ensure_eq!(get(9, 0).err(), Some(Errno::EINVAL));
    ensure_eq!(get(IOPRIO_WHO_USER, 99_999).err(), Some(Errno::ESRCH));
    set(IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_RT, 0)?;
    call(Sysno::setresuid, &[54_322, 54_322, 54_322])?;
    ensure_eq!(
        set(IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_RT, 0).err(),
        Some(Errno::EPERM)
    );
    ensure_eq!(
        set(IOPRIO_WHO_PROCESS, 1, IOPRIO_CLASS_BE, 0).err(),
        Some(Errno::EPERM)
    );
    Ok(())
}
