//! Sending signals: to a thread, a process or a group, from the kernel or with permission already checked.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use los_abi::resource::RLIMIT_SIGPENDING;
use los_abi::signal::{
    CLD_CONTINUED, CLD_EXITED, CLD_STOPPED, SI_KERNEL, SIG_DFL, SaFlags, SigAction, SigInfo, SigSet, Signal,
};
use los_abi::task::WaitStatus;

use super::actions::Disposition;
use super::mask::mask;
use super::pending::PendingQueue;
use super::quota::Allowance;
use super::{STOP_SIGNALS, birth, file, stop};
use crate::accounting::ticks;
use crate::exit;
use crate::pid::{self, Pid};
use crate::posix_timer::PosixTimer;
use crate::process::Process;
use crate::thread::{Thread, Work};
use crate::tree::Tree;

/// Whom a signal goes to.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    Process(&'a Arc<Process>),
    /// A process as one of several: a child that it is making gets the signal too.
    Member(&'a Arc<Process>),
    Thread(&'a Arc<Thread>),
}

/// Sends a signal to a process, from the kernel or with permission already checked.
///
/// # Errors
/// EAGAIN for a real-time signal that cannot be queued.
pub fn send_to_process(process: &Arc<Process>, info: &SigInfo) -> Result<(), Errno> {
    send_locked(&pid::tree(), Target::Process(process), info)
}

/// Sends a signal to one thread, from the kernel or with permission already checked.
///
/// # Errors
/// EAGAIN for a real-time signal that cannot be queued.
pub fn send_to_thread(thread: &Arc<Thread>, info: &SigInfo) -> Result<(), Errno> {
    send_locked(&pid::tree(), Target::Thread(thread), info)
}

/// Sends a signal from the kernel to all members of a process group; false when there are none.
pub fn send_to_group(pgid: Pid, info: &SigInfo) -> bool {
    let tree = pid::tree();
    send_to_group_locked(&tree, pgid, info)
}

pub(crate) fn send_to_group_locked(tree: &Tree, pgid: Pid, info: &SigInfo) -> bool {
    let mut any = false;
    for process in tree.group(pgid) {
        any = true;
        // The kernel's own signals are standard ones, which always find a place.
        let _queued = send_locked(tree, Target::Member(process), info);
    }
    any
}

pub(crate) fn send_to_process_locked(tree: &Tree, process: &Arc<Process>, info: &SigInfo) {
    // Standard signals always find a place.
    let _queued = send_locked(tree, Target::Process(process), info);
}

/// Sends a signal that the running thread's own doing has caused: it is not ignored and not blocked.
pub fn force(thread: &Arc<Thread>, info: &SigInfo) {
    let Some(signal) = info.signal() else { return };
    let process = thread.process();
    let actions = process.actions();
    let disposition = actions.disposition(signal);
    let is_blocked = mask(thread).contains(signal);
    if is_blocked || disposition == Disposition::Ignored {
        actions.set(signal, SigAction::default());
        let open = mask(thread).without(signal);
        thread.mask.store(open.0, Ordering::SeqCst);
    }
    if actions.get(signal).sa_handler == SIG_DFL {
        process.is_unkillable.store(false, Ordering::Relaxed);
    }
    let _queued = thread
        .pending
        .push(signal, info, allowance(process, thread).unlimited());
    thread.add_work(Work::SIGNAL);
}

/// Ends the running thread's process by SIGSEGV, whatever it has arranged for that signal.
pub(crate) fn force_fatal(thread: &Arc<Thread>) {
    thread.process().actions().set(Signal::SEGV, SigAction::default());
    force(thread, &SigInfo::new(Signal::SEGV, SI_KERNEL));
}

impl<'a> Target<'a> {
    pub(super) fn process(self) -> &'a Arc<Process> {
        match self {
            Self::Process(process) | Self::Member(process) => process,
            Self::Thread(thread) => thread.process(),
        }
    }
}

pub(super) fn send_locked(tree: &Tree, target: Target<'_>, info: &SigInfo) -> Result<(), Errno> {
    let signal = info.signal().ok_or(Errno::EINVAL)?;
    enqueue(tree, target, signal, |queue, allowance| {
        queue.push(signal, info, allowance)
    })?;
    Ok(())
}

/// Sends a timer's signal to a process; false when it is ignored or nobody is there.
pub(crate) fn send_timer_to_process(
    process: &Arc<Process>,
    info: &SigInfo,
    timer: Arc<PosixTimer>,
    era: u64,
) -> bool {
    send_timer(Target::Process(process), info, timer, era)
}

/// Sends a timer's signal to a thread; false when it is ignored or nobody is there.
pub(crate) fn send_timer_to_thread(
    thread: &Arc<Thread>,
    info: &SigInfo,
    timer: Arc<PosixTimer>,
    era: u64,
) -> bool {
    send_timer(Target::Thread(thread), info, timer, era)
}

fn send_timer(target: Target<'_>, info: &SigInfo, timer: Arc<PosixTimer>, era: u64) -> bool {
    let Some(signal) = info.signal() else { return false };
    let push = |queue: &PendingQueue, _: Allowance| queue.push_timer(signal, info, timer, era);
    enqueue(&pid::tree(), target, signal, push).is_ok_and(|queued| queued)
}

/// Has a signal queued and looked at; false when it is dropped.
fn enqueue(
    tree: &Tree,
    target: Target<'_>,
    signal: Signal,
    push: impl FnOnce(&PendingQueue, Allowance) -> Result<(), Errno>,
) -> Result<bool, Errno> {
    let process = target.process();
    if process.is_zombie() || process.is_kernel() || process.is_dumping() && signal != Signal::KILL {
        return Ok(false);
    }
    prepare(tree, process, signal);
    let addressee = match target {
        Target::Process(process) | Target::Member(process) => process.main_thread(),
        Target::Thread(thread) => Some(thread.clone()),
    };
    let Some(addressee) = addressee else {
        return Ok(false);
    };
    if is_dropped(process, &addressee, signal) {
        return Ok(false);
    }
    if let Target::Member(process) = target {
        birth::collect(tree, process, signal);
    }
    if signal == Signal::KILL {
        let status = WaitStatus::Signaled {
            signal: signal.number(),
            core_dumped: false,
        };
        exit::begin_group_exit(process, status);
        return Ok(false);
    }
    let allowance = allowance(process, &addressee);
    match target {
        Target::Thread(thread) => {
            push(&thread.pending, allowance)?;
            file::tell(process);
            wake_if_wanted(thread, SigSet::EMPTY.with(signal));
        }
        Target::Process(_) | Target::Member(_) => {
            push(&process.pending, allowance)?;
            file::tell(process);
            // Chosen after it is pending, so that a thread that leaves just then sees it and passes it on.
            wake_taker(process, SigSet::EMPTY.with(signal));
        }
    }
    Ok(true)
}

/// Returns how many signals may be queued for a thread.
fn allowance(process: &Process, thread: &Thread) -> Allowance {
    Allowance {
        uid: thread.credentials().uid,
        limit: process.limits().soft(RLIMIT_SIGPENDING),
    }
}

/// Does what stop signals and SIGCONT do when they are sent, even to who blocks them.
fn prepare(tree: &Tree, process: &Process, signal: Signal) {
    let cancelled = if signal == Signal::CONT {
        STOP_SIGNALS
    } else if STOP_SIGNALS.contains(signal) {
        SigSet::EMPTY.with(Signal::CONT)
    } else {
        return;
    };
    process.pending.discard(cancelled);
    for thread in process.threads.lock().iter() {
        thread.pending.discard(cancelled);
    }
    if signal == Signal::CONT {
        stop::end(tree, process);
    }
}

/// Reports whether the signal would have no effect, and need not be queued.
fn is_dropped(process: &Process, thread: &Thread, signal: Signal) -> bool {
    let waited_for = SigSet(thread.wait_mask.load(Ordering::SeqCst));
    if mask(thread).union(waited_for).contains(signal) {
        return false;
    }
    match process.actions().disposition(signal) {
        Disposition::Caught => false,
        Disposition::Ignored => true,
        disposition @ Disposition::Default(_) => {
            disposition.is_ignored() || process.is_unkillable.load(Ordering::Relaxed)
        }
    }
}

/// Makes a thread look if it can take one of the signals; false if it blocks them all or takes none any more.
fn wake_if_wanted(thread: &Thread, signals: SigSet) -> bool {
    if signals.difference(mask(thread)).is_empty() {
        return false;
    }
    // A thread that is told to die afterwards passes the signals on.
    let is_dying = thread.add_work(Work::SIGNAL).contains(Work::EXIT);
    if !is_dying {
        thread.kick();
    }
    !is_dying
}

/// Makes the first thread look that can take one of the signals, which are pending for its process.
pub(super) fn wake_taker(process: &Process, signals: SigSet) {
    let threads = process.threads.lock();
    let _taker = threads.iter().any(|thread| wake_if_wanted(thread, signals));
}

/// Passes the signals of its process on that a thread may have been woken for and will not take: it blocks those
/// of `blocked` from now on.
pub(super) fn pass_on(thread: &Thread, blocked: SigSet) {
    let process = thread.process();
    let shared = process.pending.members().intersection(blocked);
    if !shared.is_empty() {
        wake_taker(process, shared);
    }
}

/// Passes the signals of its process on that a thread may have been woken for and that is to die.
pub(crate) fn pass_on_at_death(thread: &Thread) {
    debug_assert!(thread.is_killed(), "who may live takes its signals itself");
    pass_on(thread, SigSet::ALL.difference(mask(thread)));
}

/// Tells the parent that a child stopped, continued or ended, by SIGCHLD and by waking its waits.
pub(crate) fn notify_parent(tree: &Tree, process: &Process, code: i32, status: i32) {
    let Some(parent) = tree.process(process.parent_pid()) else {
        return;
    };
    let is_end = !matches!(code, CLD_STOPPED | CLD_CONTINUED);
    let exit_signal = process.exit_signal.load(Ordering::Relaxed);
    let signal = if is_end {
        Signal::new(exit_signal)
    } else {
        Some(Signal::CHLD)
    };
    let action = parent.actions().get(Signal::CHLD);
    let is_quiet = !is_end && action.sa_flags & SaFlags::NOCLDSTOP.bits() != 0;
    if let Some(signal) = signal.filter(|_| !is_quiet) {
        let times = process.cpu_times();
        let uid = process.credentials().uid;
        let mut info = SigInfo::child(
            code,
            process.pid().cast_signed(),
            uid,
            status,
            ticks(times.user_ns),
            ticks(times.system_ns),
        );
        info.si_signo = signal.number() as i32;
        send_to_process_locked(tree, parent, &info);
    }
    parent.child_events.wake_all();
}

/// Returns `si_code` and `si_status` for a process that ended with this status.
pub(crate) fn child_code(status: WaitStatus) -> (i32, i32) {
    match status {
        WaitStatus::Exited(code) => (CLD_EXITED, code & 0xff),
        WaitStatus::Signaled { signal, core_dumped } => {
            let code = if core_dumped {
                los_abi::signal::CLD_DUMPED
            } else {
                los_abi::signal::CLD_KILLED
            };
            (code, signal as i32)
        }
        WaitStatus::Stopped(signal) => (CLD_STOPPED, signal as i32),
        WaitStatus::Continued => (CLD_CONTINUED, Signal::CONT.number() as i32),
    }
}
