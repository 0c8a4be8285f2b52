//! Limits of processor time, looked at with every tick: RLIMIT_CPU of a process and RLIMIT_RTTIME of a real-time
//! thread that does not wait (getrlimit(2)).

use los_abi::resource::{RLIM_INFINITY, RLIMIT_CPU, RLIMIT_RTTIME, Rlimit64};
use los_abi::signal::{SI_KERNEL, SigInfo, Signal};

use crate::pid;
use crate::process::Process;
use crate::signal;
use crate::thread::Thread;

const NANOSECONDS_OF_SECOND: u64 = 1_000_000_000;
const NANOSECONDS_OF_MICROSECOND: u64 = 1000;
const MICROSECONDS_OF_SECOND: u64 = 1_000_000;

/// Sends SIGXCPU at a soft limit, which then rises by a second, and SIGKILL at a hard one. Called in the timer
/// interrupt.
pub(crate) fn tick(thread: &Thread) {
    let process = thread.process();
    let limits = process.limits();
    if let Some(limit) = finite(limits.get(RLIMIT_CPU)) {
        let used_ns = process.counters().runtime_ns;
        if let Some(signal) = due(limit, NANOSECONDS_OF_SECOND, used_ns) {
            limits.raise_soft(RLIMIT_CPU, 1);
            send(process, signal);
        }
    }
    if thread.schedule().policy.is_real_time()
        && let Some(limit) = finite(limits.get(RLIMIT_RTTIME))
        && let Some(signal) = due(limit, NANOSECONDS_OF_MICROSECOND, thread.entity.unslept_ns())
    {
        limits.raise_soft(RLIMIT_RTTIME, MICROSECONDS_OF_SECOND);
        send(process, signal);
    }
}

/// Tells a thread that asked for it that it has run for longer than it may in a period (SCHED_FLAG_DL_OVERRUN).
/// Called in the timer interrupt.
pub(crate) fn tell_overrun(thread: &Thread) {
    if thread.entity.take_overrun() {
        send(thread.process(), Signal::XCPU);
    }
}

fn finite<E>(limit: Result<Rlimit64, E>) -> Option<Rlimit64> {
    limit.ok().filter(|limit| limit.rlim_cur != RLIM_INFINITY)
}

/// Returns the signal that has become due at a limit in some unit.
fn due(limit: Rlimit64, unit_ns: u64, used_ns: u64) -> Option<Signal> {
    let is_reached = |limit: u64| limit != RLIM_INFINITY && used_ns >= limit.saturating_mul(unit_ns);
    if is_reached(limit.rlim_max) {
        Some(Signal::KILL)
    } else if is_reached(limit.rlim_cur) {
        Some(Signal::XCPU)
    } else {
        None
    }
}

fn send(process: &Process, signal: Signal) {
    if let Some(process) = pid::process(process.pid()) {
        // Standard signals always find a place.
        let _queued = signal::send_to_process(&process, &SigInfo::new(signal, SI_KERNEL));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_warns_and_the_hard_one_kills() {
        let limit = Rlimit64 {
            rlim_cur: 2,
            rlim_max: 4,
        };
        let after = |used_s| due(limit, NANOSECONDS_OF_SECOND, used_s * NANOSECONDS_OF_SECOND);
        assert_eq!(after(1), None);
        assert_eq!(after(2), Some(Signal::XCPU));
        assert_eq!(after(4), Some(Signal::KILL));
        let endless = Rlimit64 {
            rlim_cur: 2,
            rlim_max: RLIM_INFINITY,
        };
        assert_eq!(due(endless, NANOSECONDS_OF_SECOND, u64::MAX), Some(Signal::XCPU));
        assert_eq!(
            finite(Ok::<_, ()>(Rlimit64 {
                rlim_cur: RLIM_INFINITY,
                ..endless
            })),
            None
        );
    }
}
