//! Changing how threads are scheduled, with the permissions that it takes: policies and real-time priorities
//! (sched(7)), nice values (setpriority(2)), affinity (sched_setaffinity(2)) and I/O priorities (ioprio_set(2)).

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::resource::{RLIMIT_NICE, RLIMIT_RTPRIO};
use los_abi::schedule::{
    IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE, IOPRIO_CLASS_NONE, IOPRIO_CLASS_RT, IOPRIO_CLASS_SHIFT,
    IOPRIO_NR_LEVELS,
};
use vfs::{Capability, Credentials};

use crate::context::Context;
use crate::pid::Pid;
use crate::sched::{self, NICE_MAX, NICE_MIN, Policy, REAL_TIME_PRIORITY_MAX, Reservation, Schedule};
use crate::thread::Thread;
use crate::{futex, pid};

/// Whose priority a call is about; 0 is the caller's in each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whom {
    /// A thread.
    Thread(i32),
    /// All threads of a process group.
    Group(i32),
    /// All threads with this real user.
    User(i32),
}

/// What sched_setattr(2) and its older relatives ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// The new policy; `None` keeps it, and whether children inherit.
    pub policy: Option<Policy>,
    /// 1 to 99 for real time, else 0.
    pub priority: u32,
    /// The nice value, for policies that share.
    pub nice: i32,
    /// What a thread with a deadline may take.
    pub reservation: Reservation,
    /// How long a thread that shares is to run at a time: `None` keeps it, 0 is as long as all others.
    pub slice_ns: Option<u64>,
    /// Whether children get nothing of what the thread has before others.
    pub resets_on_fork: bool,
    /// Whether limits of utilization are asked for, which is not measured here.
    pub clamps_utilization: bool,
    /// Whether nothing but that is changed after all (`SCHED_FLAG_KEEP_PARAMS`), though the rest is checked.
    pub keeps_parameters: bool,
}

/// Returns the thread with this number, 0 for the caller.
///
/// # Errors
/// ESRCH.
pub fn thread(ctx: &Context<'_>, tid: i32) -> Result<Arc<Thread>, Errno> {
    if tid == 0 {
        return Ok(ctx.thread.clone());
    }
    let tid = u32::try_from(tid).map_err(|_| Errno::ESRCH)?;
    pid::task(tid).ok_or(Errno::ESRCH)
}

/// Changes policy and priority of a thread.
///
/// # Errors
/// EINVAL for a priority or times that the policy does not have; EPERM, also for a deadline without all CPUs;
/// EOPNOTSUPP for limits of utilization; EBUSY for a reservation that does not fit.
pub fn set_schedule(ctx: &Context<'_>, thread: &Arc<Thread>, change: Change) -> Result<(), Errno> {
    let old = thread.schedule();
    let new = change.of(old)?;
    let needs_privilege = new.policy == Policy::Deadline
        || exceeds_limits(thread, old, new)
        || !is_own(ctx.credentials(), &thread.credentials())
        || old.resets_on_fork && !new.resets_on_fork;
    if needs_privilege && !ctx.credentials().capable(Capability::SysNice) {
        return Err(Errno::EPERM);
    }
    if change.clamps_utilization {
        // As a Linux that measures no utilization.
        return Err(Errno::EOPNOTSUPP);
    }
    if new.policy == Policy::Deadline && new != old && thread.affinity() != sched::cpu_mask() {
        return Err(Errno::EPERM);
    }
    let resets_on_fork = new.resets_on_fork;
    let new = if change.keeps_parameters {
        Schedule {
            resets_on_fork,
            ..old
        }
    } else {
        new
    };
    if new != old {
        sched::set_schedule(thread, new)?;
        futex::priority_changed(thread);
    }
    Ok(())
}

impl Change {
    fn of(self, old: Schedule) -> Result<Schedule, Errno> {
        let (policy, resets_on_fork) = match self.policy {
            Some(policy) => (policy, self.resets_on_fork),
            None => (old.policy, old.resets_on_fork),
        };
        let reservation = match policy {
            Policy::Deadline => self.reservation.checked()?,
            _ => Reservation::default(),
        };
        let has_priority = self.priority != 0;
        if self.priority > REAL_TIME_PRIORITY_MAX || policy.is_real_time() != has_priority {
            return Err(Errno::EINVAL);
        }
        Ok(Schedule {
            policy,
            priority: self.priority,
            nice: if policy.is_fair() {
                self.nice.clamp(NICE_MIN, NICE_MAX)
            } else {
                old.nice
            },
            resets_on_fork,
            reservation,
            slice_ns: match self.slice_ns {
                Some(asked_ns) if policy.is_fair() => sched::slice_ns(asked_ns),
                _ => old.slice_ns,
            },
        })
    }
}

/// Tells whether a change is more than the limits of the thread's process allow (sched(7), "Privileges and
/// resource limits").
fn exceeds_limits(thread: &Thread, old: Schedule, new: Schedule) -> bool {
    let limit = u32::try_from(thread.process().limits().soft(RLIMIT_RTPRIO)).unwrap_or(u32::MAX);
    let is_nicer = new.policy.is_fair() && new.nice < old.nice && !allows_nice(thread, new.nice);
    let is_more_urgent = new.policy.is_real_time()
        && (new.policy != old.policy && limit == 0 || new.priority > old.priority && new.priority > limit);
    // To leave SCHED_IDLE is to become nicer.
    let leaves_idle =
        old.policy == Policy::Idle && new.policy != Policy::Idle && !allows_nice(thread, old.nice);
    is_nicer || is_more_urgent || leaves_idle
}

/// Tells whether RLIMIT_NICE allows a nice value.
fn allows_nice(thread: &Thread, nice: i32) -> bool {
    u64::from(rank_of_nice(nice)) <= thread.process().limits().soft(RLIMIT_NICE)
}

/// Returns a nice value as getpriority(2) and RLIMIT_NICE tell it, 1 to 40.
fn rank_of_nice(nice: i32) -> u32 {
    (NICE_MAX + 1 - nice).unsigned_abs()
}

/// Tells whether one identity may change how the threads of another are scheduled.
fn is_own(own: &Credentials, other: &Credentials) -> bool {
    own.euid == other.euid || own.euid == other.uid
}

/// Returns the highest priority of some threads, as 20 minus the nice value.
///
/// # Errors
/// ESRCH when there are none; ENOMEM.
pub fn nice_rank(ctx: &Context<'_>, whom: Whom) -> Result<u32, Errno> {
    let ranks = select(ctx, whom)?;
    let ranks = ranks.iter().map(|thread| rank_of_nice(thread.nice()));
    ranks.max().ok_or(Errno::ESRCH)
}

/// Sets the nice value of some threads. One that may not be changed does not keep the others from it.
///
/// # Errors
/// ESRCH when there are none; EPERM for somebody else's; EACCES for a value that only a privileged process may
/// set; ENOMEM.
pub fn set_nice(ctx: &Context<'_>, whom: Whom, nice: i32) -> Result<(), Errno> {
    let nice = nice.clamp(NICE_MIN, NICE_MAX);
    let mut outcome = Ok(());
    for thread in select(ctx, whom)? {
        if let Err(error) = set_nice_of(ctx, &thread, nice) {
            outcome = Err(error);
        }
    }
    outcome
}

fn set_nice_of(ctx: &Context<'_>, thread: &Arc<Thread>, nice: i32) -> Result<(), Errno> {
    let (own, other) = (ctx.credentials(), thread.credentials());
    let is_privileged = own.capable(Capability::SysNice);
    if !is_privileged && other.uid != own.euid && other.euid != own.euid {
        return Err(Errno::EPERM);
    }
    let old = thread.schedule();
    if nice < old.nice && !is_privileged && !allows_nice(thread, nice) {
        return Err(Errno::EACCES);
    }
    sched::set_schedule(thread, Schedule { nice, ..old })
}

/// Sets the CPUs that a thread may run on.
///
/// # Errors
/// EPERM; EBUSY for a thread with a deadline, which runs on all; EINVAL when none of them is there.
pub fn set_affinity(ctx: &Context<'_>, thread: &Thread, mask: u64) -> Result<(), Errno> {
    let own = ctx.credentials();
    if !is_own(own, &thread.credentials()) && !own.capable(Capability::SysNice) {
        return Err(Errno::EPERM);
    }
    if thread.schedule().policy == Policy::Deadline && mask & sched::cpu_mask() != sched::cpu_mask() {
        return Err(Errno::EBUSY);
    }
    if mask & sched::cpu_mask() == 0 {
        return Err(Errno::EINVAL);
    }
    thread.entity.set_affinity(mask);
    Ok(())
}

/// Sets the I/O priority of some threads, up to the first that may not be changed.
///
/// # Errors
/// EPERM; EINVAL for a priority that does not exist; ESRCH when there are no threads; ENOMEM.
pub fn set_io_priority(ctx: &Context<'_>, whom: Option<Whom>, priority: u32) -> Result<(), Errno> {
    let own = ctx.credentials();
    let level = priority % IOPRIO_NR_LEVELS;
    match priority >> IOPRIO_CLASS_SHIFT {
        IOPRIO_CLASS_RT => {
            if !own.capable(Capability::SysAdmin) && !own.capable(Capability::SysNice) {
                return Err(Errno::EPERM);
            }
        }
        IOPRIO_CLASS_BE | IOPRIO_CLASS_IDLE => {}
        IOPRIO_CLASS_NONE if level == 0 => {}
        _ => return Err(Errno::EINVAL),
    }
    for thread in select(ctx, whom.ok_or(Errno::EINVAL)?)? {
        let other = thread.credentials();
        if other.uid != own.euid && other.uid != own.uid && !own.capable(Capability::SysNice) {
            return Err(Errno::EPERM);
        }
        thread.attributes.set_io_priority(priority);
    }
    Ok(())
}

/// Returns a thread's I/O priority as it was set, or of several threads the highest that is in force.
///
/// # Errors
/// ESRCH when there are none; ENOMEM.
pub fn io_priority(ctx: &Context<'_>, whom: Whom) -> Result<u32, Errno> {
    let threads = select(ctx, whom)?;
    if matches!(whom, Whom::Thread(_)) {
        let first = threads.first().ok_or(Errno::ESRCH)?;
        return Ok(first.attributes.io_priority());
    }
    let priorities = threads.iter().map(|thread| io_priority_in_force(thread));
    priorities.min().ok_or(Errno::ESRCH)
}

fn io_priority_in_force(thread: &Thread) -> u32 {
    let set = thread.attributes.io_priority();
    if set >> IOPRIO_CLASS_SHIFT != IOPRIO_CLASS_NONE {
        return set;
    }
    let schedule = thread.schedule();
    let class = match schedule.policy {
        Policy::Idle => IOPRIO_CLASS_IDLE,
        policy if policy.is_urgent() => IOPRIO_CLASS_RT,
        _ => IOPRIO_CLASS_BE,
    };
    let level = (schedule.nice - NICE_MIN).unsigned_abs() / 5;
    class << IOPRIO_CLASS_SHIFT | level
}

/// Lists the threads that a call is about.
fn select(ctx: &Context<'_>, whom: Whom) -> Result<Vec<Arc<Thread>>, Errno> {
    let number = |who: i32, own: u32| match who {
        0 => Ok(own),
        _ => u32::try_from(who).map_err(|_| Errno::ESRCH),
    };
    let threads = match whom {
        Whom::Thread(tid) => {
            let mut single = Vec::new();
            single.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            single.push(thread(ctx, tid)?);
            single
        }
        Whom::Group(group) => {
            let group = number(group, ctx.process.group())?;
            of_group(group)?
        }
        Whom::User(user) => {
            let user = match user {
                0 => ctx.credentials().uid,
                _ => user.cast_unsigned(),
            };
            of_user(user)?
        }
    };
    if threads.is_empty() {
        return Err(Errno::ESRCH);
    }
    Ok(threads)
}

/// Lists the threads of a process group.
fn of_group(group: Pid) -> Result<Vec<Arc<Thread>>, Errno> {
    let mut list = Vec::new();
    let tree = pid::tree();
    for process in tree.group(group) {
        let threads = process.threads.lock();
        list.try_reserve(threads.len()).map_err(|_| Errno::ENOMEM)?;
        list.extend(threads.iter().cloned());
    }
    Ok(list)
}

/// Lists the threads that act for a real user.
fn of_user(user: u32) -> Result<Vec<Arc<Thread>>, Errno> {
    let mut list = Vec::new();
    let mut next = 1;
    while let Some(process) = pid::next_process(next) {
        next = process.pid() + 1;
        for thread in process.threads()? {
            if thread.credentials().uid == user {
                list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                list.push(thread);
            }
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use los_abi::resource::Rlimit64;
    use los_arch::TrapFrame;
    use los_arch::hal::prelude::TrapFrame as _;

    use super::*;
    use crate::rlimit::RaiseHard;
    use crate::testing;

    const REAL_TIME: Change = Change {
        policy: Some(Policy::Fifo),
        priority: 10,
        nice: 0,
        reservation: Reservation {
            runtime_ns: 0,
            deadline_ns: 0,
            period_ns: 0,
            reclaims: false,
            tells_overrun: false,
        },
        slice_ns: None,
        resets_on_fork: false,
        clamps_utilization: false,
        keeps_parameters: false,
    };

    /// Calls `test` as this user in a process of its own.
    fn as_user(credentials: Credentials, test: impl FnOnce(&Context<'_>)) {
        let (family, thread) = testing::program();
        thread.set_credentials(Arc::new(credentials));
        test(&Context::new(&thread, TrapFrame::new_user(1, 2)).unwrap());
        drop(family);
    }

    fn limit(ctx: &Context<'_>, resource: u32, limit: u64) {
        let both = Rlimit64 {
            rlim_cur: limit,
            rlim_max: limit,
        };
        ctx.process.set_limit(resource, both, RaiseHard::Allowed).unwrap();
    }

    #[test]
    fn users_become_nicer_and_not_less_so_beyond_their_limit() {
        as_user(Credentials::user(7, 7), |ctx| {
            let set = |nice| set_nice(ctx, Whom::Thread(0), nice);
            assert_eq!(set(5), Ok(()));
            assert_eq!(set(4), Err(Errno::EACCES));
            limit(ctx, RLIMIT_NICE, 18);
            assert_eq!(set(2), Ok(()));
            assert_eq!(set(1), Err(Errno::EACCES));
            assert_eq!(nice_rank(ctx, Whom::Thread(0)), Ok(18));
            assert_eq!(set(99), Ok(()));
            assert_eq!(nice_rank(ctx, Whom::User(0)), Ok(1));
            assert_eq!(nice_rank(ctx, Whom::User(12_345)), Err(Errno::ESRCH));
        });
    }

    #[test]
    fn real_time_takes_a_limit_or_privilege() {
        as_user(Credentials::root(), |ctx| {
            assert_eq!(set_schedule(ctx, ctx.thread, REAL_TIME), Ok(()));
        });
        as_user(Credentials::user(7, 7), |ctx| {
            let set = |change| set_schedule(ctx, ctx.thread, change);
            assert_eq!(set(REAL_TIME), Err(Errno::EPERM));
            limit(ctx, RLIMIT_RTPRIO, 10);
            let resets = Change {
                resets_on_fork: true,
                ..REAL_TIME
            };
            assert_eq!(set(resets), Ok(()));
            assert_eq!(set(REAL_TIME), Err(Errno::EPERM), "the flag stays");
            let higher = Change {
                priority: 11,
                ..resets
            };
            assert_eq!(set(higher), Err(Errno::EPERM));
        });
    }

    #[test]
    fn priorities_belong_to_policies() {
        as_user(Credentials::root(), |ctx| {
            let set = |policy, priority| {
                let change = Change {
                    policy,
                    priority,
                    ..REAL_TIME
                };
                set_schedule(ctx, ctx.thread, change)
            };
            assert_eq!(set(Some(Policy::Normal), 1), Err(Errno::EINVAL));
            assert_eq!(set(Some(Policy::RoundRobin), 0), Err(Errno::EINVAL));
            assert_eq!(set(Some(Policy::RoundRobin), 100), Err(Errno::EINVAL));
            assert_eq!(set(None, 1), Err(Errno::EINVAL));
            assert_eq!(set(Some(Policy::Idle), 0), Ok(()));
        });
    }

    #[test]
    fn io_priorities_follow_the_schedule_until_they_are_set() {
        as_user(Credentials::user(7, 7), |ctx| {
            let process = Whom::Thread(0);
            assert_eq!(io_priority(ctx, process), Ok(0));
            let best_effort = IOPRIO_CLASS_BE << IOPRIO_CLASS_SHIFT;
            assert_eq!(io_priority(ctx, Whom::User(0)), Ok(best_effort | 4));
            assert_eq!(set_io_priority(ctx, Some(process), best_effort | 7), Ok(()));
            assert_eq!(io_priority(ctx, process), Ok(best_effort | 7));
            let real_time = IOPRIO_CLASS_RT << IOPRIO_CLASS_SHIFT;
            assert_eq!(set_io_priority(ctx, Some(process), real_time), Err(Errno::EPERM));
            assert_eq!(set_io_priority(ctx, Some(process), 1), Err(Errno::EINVAL));
            assert_eq!(set_io_priority(ctx, None, 0), Err(Errno::EINVAL));
        });
    }

    #[test]
    fn affinity_needs_a_cpu_that_is_there() {
        as_user(Credentials::user(7, 7), |ctx| {
            assert_eq!(set_affinity(ctx, ctx.thread, 0), Err(Errno::EINVAL));
            assert_eq!(set_affinity(ctx, ctx.thread, 1), Ok(()));
            assert_eq!(ctx.thread.affinity(), 1);
        });
    }
}
