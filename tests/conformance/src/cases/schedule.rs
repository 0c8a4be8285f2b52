//! When threads run: policies and priorities (sched(7)).

use los_abi::errno::Errno;
use los_abi::prctl::{PR_GET_TIMERSLACK, PR_SET_TIMERSLACK};
use los_abi::resource::{RLIMIT_NICE, RLIMIT_RTPRIO, Rlimit64};
use los_abi::schedule::{
    PRIO_PROCESS, SCHED_ATTR_SIZE_VER0, SCHED_BATCH, SCHED_FIFO, SCHED_FLAG_KEEP_PARAMS,
    SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_RESET_ON_FORK, SCHED_IDLE, SCHED_NORMAL, SCHED_RESET_ON_FORK,
    SCHED_RR, SchedAttr, SchedParam,
};
use los_abi::syscall::Sysno;
use los_abi::time::Timespec;
use rt::process;

use super::nice::{nice, set_nice};
use crate::cases::ended;
use crate::harness::{Failure, Outcome, in_child, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    slices_of_time_sharing_threads,
    policies_and_priorities,
    policies_need_rights,
    real_time_limit_is_a_right,
    children_inherit_or_reset,
    attributes_round_trip,
    attributes_of_other_sizes,
    round_robin_interval,
    real_time_goes_first,
    timer_slack_is_inherited,
];

pub(super) const USER: u64 = 1234;
pub(super) const NOBODY: u64 = 0x3fff_ffff;
pub(super) const MINUS_ONE: u64 = u64::MAX;

pub(super) fn limit(resource: u32, limit: u64) -> Result<u64, Errno> {
    let both = Rlimit64 {
        rlim_cur: limit,
        rlim_max: limit,
    };
    call(Sysno::prlimit64, &[0, u64::from(resource), addr(&both), 0])
}

/// Raises a limit, which even a superuser may not do where CAP_SYS_RESOURCE is not given.
pub(super) fn raise_limit(resource: u32, to: u64) -> Outcome {
    match limit(resource, to) {
        Err(Errno::EPERM) => Err(Failure::Skip("user 0 may not raise limits here")),
        result => Ok(result.map(drop)?),
    }
}

fn set_policy(policy: u32, sched_priority: i32) -> Result<u64, Errno> {
    let param = SchedParam { sched_priority };
    call(Sysno::sched_setscheduler, &[0, u64::from(policy), addr(&param)])
}

fn policy() -> Result<u64, Errno> {
    call(Sysno::sched_getscheduler, &[0])
}

fn priority() -> Result<i32, Errno> {
    let mut param = SchedParam { sched_priority: -1 };
    call(Sysno::sched_getparam, &[0, addr_mut(&mut param)])?;
    Ok(param.sched_priority)
}

fn policies_and_priorities() -> Outcome {
    for (policy, least, greatest) in [
        (SCHED_NORMAL, 0, 0),
        (SCHED_BATCH, 0, 0),
        (SCHED_IDLE, 0, 0),
        (SCHED_FIFO, 1, 99),
        (SCHED_RR, 1, 99),
    ] {
        let policy = u64::from(policy);
        ensure_eq!(call(Sysno::sched_get_priority_min, &[policy]), Ok(least));
        ensure_eq!(call(Sysno::sched_get_priority_max, &[policy]), Ok(greatest));
    }
    for unknown in [4, 99, MINUS_ONE] {
        ensure_eq!(
            call(Sysno::sched_get_priority_min, &[unknown]).err(),
            Some(Errno::EINVAL)
        );
        ensure_eq!(
            call(Sysno::sched_get_priority_max, &[unknown]).err(),
            Some(Errno::EINVAL)
        );
    }
    for kind in [SCHED_BATCH, SCHED_IDLE, SCHED_NORMAL] {
        set_policy(kind, 0)?;
        ensure_eq!(policy(), Ok(u64::from(kind)));
        ensure_eq!(priority(), Ok(0));
        ensure_eq!(set_policy(kind, 1).err(), Some(Errno::EINVAL));
    }
    for kind in [SCHED_FIFO, SCHED_RR] {
        set_policy(kind, 42)?;
        ensure_eq!(policy(), Ok(u64::from(kind)));
        ensure_eq!(priority(), Ok(42));
        for wrong in [0, 100, -1] {
            ensure_eq!(set_policy(kind, wrong).err(), Some(Errno::EINVAL));
        }
    }
    call(
        Sysno::sched_setparam,
        &[0, addr(&SchedParam { sched_priority: 7 })],
    )?;
    ensure_eq!((policy(), priority()), (Ok(u64::from(SCHED_RR)), Ok(7)));
    set_policy(SCHED_NORMAL, 0)?;
    let param = SchedParam { sched_priority: 0 };
    let set = |pid, policy, param| call(Sysno::sched_setscheduler, &[pid, policy, param]).err();
    ensure_eq!(set(0, MINUS_ONE, addr(&param)), Some(Errno::EINVAL));
    ensure_eq!(set(0, 4, addr(&param)), Some(Errno::EINVAL));
    ensure_eq!(set(0, 0, 0), Some(Errno::EINVAL));
    ensure_eq!(set(0, 0, 8), Some(Errno::EFAULT));
    ensure_eq!(set(MINUS_ONE, 0, addr(&param)), Some(Errno::EINVAL));
    ensure_eq!(set(NOBODY, 0, addr(&param)), Some(Errno::ESRCH));
    ensure_eq!(
        call(Sysno::sched_getscheduler, &[MINUS_ONE]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(
        call(Sysno::sched_getscheduler, &[NOBODY]).err(),
        Some(Errno::ESRCH)
    );
    ensure_eq!(call(Sysno::sched_getparam, &[0, 0]).err(), Some(Errno::EINVAL));
    ensure_eq!(call(Sysno::sched_getparam, &[0, 8]).err(), Some(Errno::EFAULT));
    Ok(())
}

fn policies_need_rights() -> Outcome {
    limit(RLIMIT_RTPRIO, 0)?;
    limit(RLIMIT_NICE, 0)?;
    set_policy(SCHED_FIFO, 10)?;
    call(Sysno::setresuid, &[USER, USER, USER])?;
    // Less of the same is always allowed.
    ensure_eq!(set_policy(SCHED_FIFO, 11).err(), Some(Errno::EPERM));
    ensure_eq!(set_policy(SCHED_FIFO, 5), Ok(0));
    ensure_eq!(set_policy(SCHED_FIFO, 6).err(), Some(Errno::EPERM));
    ensure_eq!(set_policy(SCHED_RR, 5).err(), Some(Errno::EPERM));
    ensure_eq!(set_policy(SCHED_NORMAL | SCHED_RESET_ON_FORK, 0), Ok(0));
    ensure_eq!(set_policy(SCHED_NORMAL, 0).err(), Some(Errno::EPERM));
    ensure_eq!(set_policy(SCHED_IDLE | SCHED_RESET_ON_FORK, 0), Ok(0));
    // Back from there takes the right to be as nice as before.
    ensure_eq!(
        set_policy(SCHED_NORMAL | SCHED_RESET_ON_FORK, 0).err(),
        Some(Errno::EPERM)
    );
    ensure_eq!(
        call(
            Sysno::sched_setscheduler,
            &[1, 0, addr(&SchedParam { sched_priority: 0 })]
        )
        .err(),
        Some(Errno::EPERM)
    );
    Ok(())
}

fn real_time_limit_is_a_right() -> Outcome {
    raise_limit(RLIMIT_RTPRIO, 10)?;
    call(Sysno::setresuid, &[USER, USER, USER])?;
    ensure_eq!(set_policy(SCHED_FIFO, 11).err(), Some(Errno::EPERM));
    ensure_eq!(set_policy(SCHED_FIFO, 10), Ok(0));
    Ok(())
}

fn children_inherit_or_reset() -> Outcome {
    set_policy(SCHED_NORMAL, 0)?;
    set_nice(PRIO_PROCESS, 0, -3)?;
    set_policy(SCHED_RR, 3)?;
    let status = in_child(|| i32::from((policy(), priority()) != (Ok(u64::from(SCHED_RR)), Ok(3))))?;
    ensure_eq!(ended(status), 0);
    let flagged = SCHED_RR | SCHED_RESET_ON_FORK;
    set_policy(flagged, 3)?;
    ensure_eq!(policy(), Ok(u64::from(flagged)));
    let reset = || i32::from((policy(), nice(PRIO_PROCESS, 0)) != (Ok(0), Ok(20)));
    ensure_eq!(ended(in_child(reset)?), 0);
    set_policy(SCHED_NORMAL | SCHED_RESET_ON_FORK, 0)?;
    ensure_eq!(nice(PRIO_PROCESS, 0), Ok(23));
    ensure_eq!(ended(in_child(reset)?), 0);
    Ok(())
}

const ATTRIBUTES: SchedAttr = SchedAttr {
    size: size_of::<SchedAttr>() as u32,
    sched_policy: 0,
    sched_flags: 0,
    sched_nice: 0,
    sched_priority: 0,
    sched_runtime: 0,
    sched_deadline: 0,
    sched_period: 0,
    sched_util_min: 0,
    sched_util_max: 0,
};

fn set_attributes(new: &SchedAttr) -> Result<u64, Errno> {
    call(Sysno::sched_setattr, &[0, addr(new), 0])
}

fn attributes() -> Result<SchedAttr, Errno> {
    let mut answer = ATTRIBUTES;
    let size = size_of::<SchedAttr>() as u64;
    call(Sysno::sched_getattr, &[0, addr_mut(&mut answer), size, 0])?;
    Ok(answer)
}

fn attributes_round_trip() -> Outcome {
    set_attributes(&SchedAttr {
        sched_policy: SCHED_BATCH,
        sched_nice: 7,
        sched_flags: SCHED_FLAG_RESET_ON_FORK,
        ..ATTRIBUTES
    })?;
    let got = attributes()?;
    ensure_eq!(
        (got.size, got.sched_policy, got.sched_nice, got.sched_flags),
        (56, SCHED_BATCH, 7, SCHED_FLAG_RESET_ON_FORK)
    );
    ensure_eq!(nice(PRIO_PROCESS, 0), Ok(13));
    set_attributes(&SchedAttr {
        sched_policy: SCHED_FIFO,
        sched_priority: 8,
        sched_nice: 1,
        ..ATTRIBUTES
    })?;
    let got = attributes()?;
    ensure_eq!(
        (got.sched_policy, got.sched_priority, got.sched_nice),
        (SCHED_FIFO, 8, 0)
    );
    // The nice value waits for a policy that asks for it.
    ensure_eq!(nice(PRIO_PROCESS, 0), Ok(13));
    set_attributes(&SchedAttr {
        sched_priority: 9,
        sched_policy: SCHED_IDLE,
        sched_flags: SCHED_FLAG_KEEP_POLICY,
        ..ATTRIBUTES
    })?;
    ensure_eq!((policy(), priority()), (Ok(u64::from(SCHED_FIFO)), Ok(9)));
    set_attributes(&SchedAttr {
        sched_priority: 1,
        sched_policy: SCHED_RR,
        sched_flags: SCHED_FLAG_KEEP_PARAMS,
        ..ATTRIBUTES
    })?;
    // Who keeps the parameters keeps the policy with them.
    ensure_eq!((policy(), priority()), (Ok(u64::from(SCHED_FIFO)), Ok(9)));
    for wrong in [
        SchedAttr {
            sched_policy: 4,
            ..ATTRIBUTES
        },
        SchedAttr {
            sched_policy: u32::MAX,
            ..ATTRIBUTES
        },
        SchedAttr {
            sched_flags: 1 << 20,
            ..ATTRIBUTES
        },
        SchedAttr {
            sched_priority: 1,
            ..ATTRIBUTES
        },
    ] {
        ensure_eq!(set_attributes(&wrong).err(), Some(Errno::EINVAL));
    }
    ensure_eq!(
        call(Sysno::sched_setattr, &[0, addr(&ATTRIBUTES), 1]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(call(Sysno::sched_setattr, &[0, 0, 0]).err(), Some(Errno::EINVAL));
    ensure_eq!(call(Sysno::sched_setattr, &[0, 8, 0]).err(), Some(Errno::EFAULT));
    ensure_eq!(
        call(Sysno::sched_setattr, &[NOBODY, addr(&ATTRIBUTES), 0]).err(),
        Some(Errno::ESRCH)
    );
    Ok(())
}

fn attributes_of_other_sizes() -> Outcome {
    let mut large = [0_u8; 4097];
    let mut set = |size: u32, last: u8| {
        large[..4].copy_from_slice(&size.to_le_bytes());
        large[size.clamp(60, 4097) as usize - 1] = last;
        let result = call(Sysno::sched_setattr, &[0, addr_mut(&mut large), 0]);
        (
            result.err(),
            u32::from_le_bytes([large[0], large[1], large[2], large[3]]),
        )
    };
    ensure_eq!(set(SCHED_ATTR_SIZE_VER0 as u32, 0), (None, 48));
    ensure_eq!(set(0, 0), (None, 0));
    ensure_eq!(set(4096, 0), (None, 4096));
    ensure_eq!(set(47, 0), (Some(Errno::E2BIG), 56));
    ensure_eq!(set(4097, 0), (Some(Errno::E2BIG), 56));
    ensure_eq!(set(4096, 1), (Some(Errno::E2BIG), 56));
    let get = |size: u64, into: &mut [u8]| call(Sysno::sched_getattr, &[0, addr_mut(into), size, 0]).err();
    let mut room = [0xff_u8; 64];
    ensure_eq!(get(64, &mut room), None);
    ensure_eq!((room[0], &room[56..]), (56, &[0; 8][..]));
    ensure_eq!(get(48, &mut room), None);
    ensure_eq!(room[0], 48);
    ensure_eq!(get(47, &mut room), Some(Errno::EINVAL));
    ensure_eq!(get(4097, &mut room), Some(Errno::EINVAL));
    Ok(())
}

fn round_robin_interval() -> Outcome {
    let interval = || {
        let mut interval = Timespec::default();
        call(Sysno::sched_rr_get_interval, &[0, addr_mut(&mut interval)])?;
        Ok::<_, Errno>((interval.tv_sec, interval.tv_nsec))
    };
    set_policy(SCHED_FIFO, 1)?;
    ensure_eq!(interval(), Ok((0, 0)));
    set_policy(SCHED_RR, 1)?;
    ensure!(interval()? > (0, 0));
    ensure_eq!(
        call(Sysno::sched_rr_get_interval, &[MINUS_ONE, 0]).err(),
        Some(Errno::EINVAL)
    );
    ensure_eq!(
        call(Sysno::sched_rr_get_interval, &[NOBODY, 0]).err(),
        Some(Errno::ESRCH)
    );
    Ok(())
}

/// On one CPU, a thread of higher priority that becomes runnable runs at once, and until it waits.
fn real_time_goes_first() -> Outcome {
    call(Sysno::sched_setaffinity, &[0, 8, addr(&[1_u64])])?;
    let (mut report, reporter) = process::pipe()?;
    set_policy(SCHED_FIFO, 10)?;
    let write = |byte: &[u8]| {
        let _ = rt::io::write(reporter.descriptor(), byte);
    };
    let low = spawn(|| {
        let _ = set_policy(SCHED_NORMAL, 0);
        write(b"3");
        0
    })?;
    let high = spawn(|| {
        let _ = set_policy(SCHED_FIFO, 20);
        write(b"1");
        let _ = call(Sysno::sched_yield, &[]);
        write(b"1");
        0
    })?;
    // Equal priority: the child waits until this one does.
    call(
        Sysno::sched_setscheduler,
        &[
            high as u64,
            u64::from(SCHED_FIFO),
            addr(&SchedParam { sched_priority: 30 }),
        ],
    )?;
    write(b"2");
    let _ = wait_for(low)?;
    let _ = wait_for(high)?;
    let mut order = [0; 4];
    ensure_eq!(rt::io::Read::read(&mut report, &mut order)?, 4);
    ensure_eq!(order, *b"1123");
    Ok(())
}

fn timer_slack_is_inherited() -> Outcome {
    let slack = || call(Sysno::prctl, &[PR_GET_TIMERSLACK as u64]);
    let set = |slack_ns| call(Sysno::prctl, &[PR_SET_TIMERSLACK as u64, slack_ns]);
    let first = slack()?;
    set(12_345)?;
    ensure_eq!(slack(), Ok(12_345));
    let status = in_child(|| {
        let inherited = slack();
        let _ = set(1);
        let _ = set(0);
        i32::from((inherited, slack()) != (Ok(12_345), Ok(12_345)))
    })?;
    ensure_eq!(ended(status), 0);
    set(0)?;
    ensure_eq!(slack(), Ok(first));
    Ok(())
}

fn slices_of_time_sharing_threads() -> Outcome {
    let told = || {
        let mut attributes = SchedAttr::default();
        let bytes = size_of::<SchedAttr>() as u64;
        call(Sysno::sched_getattr, &[0, addr_mut(&mut attributes), bytes, 0])?;
        Ok::<u64, Errno>(attributes.sched_runtime)
    };
    let set = |policy, runtime_ns, flags| {
        let attributes = SchedAttr {
            size: size_of::<SchedAttr>() as u32,
            sched_policy: policy,
            sched_flags: flags,
            sched_runtime: runtime_ns,
            ..SchedAttr::default()
        };
        call(Sysno::sched_setattr, &[0, addr(&attributes), 0])
    };
    let usual = told()?;
    if usual == 0 {
        return Err(Failure::Skip("an older Linux"));
    }
    for policy in [0, 3] {
        for (asked, given) in [
            (1, 100_000),
            (5_000_000, 5_000_000),
            (u64::MAX, 100_000_000),
            (0, usual),
        ] {
            ensure_eq!(set(policy, asked, 0), Ok(0));
            ensure_eq!(told()?, given);
        }
    }
    ensure_eq!(set(0, 7_000_000, 0), Ok(0));
    ensure_eq!(ended(in_child(|| i32::from(told() != Ok(7_000_000)))?), 0);
    // Other ways to say how leave it alone.
    ensure_eq!(call(Sysno::sched_setscheduler, &[0, 0, addr(&0_i32)]), Ok(0));
    ensure_eq!(call(Sysno::setpriority, &[0, 0, 3]), Ok(0));
    ensure_eq!(told()?, 7_000_000);
    ensure_eq!(set(0, 7_000_000, 1), Ok(0));
    ensure_eq!(ended(in_child(|| i32::from(told() != Ok(usual)))?), 0);
    Ok(())
}
