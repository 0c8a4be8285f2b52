//! Signals that programs send: kill(2), tgkill(2), sigqueue(3), with the sender's permission.
//!
//! As on Linux the receiver is looked for first, then the number is checked, then the permission.

use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::signal::{SI_TKILL, SI_USER, SigInfo, Signal};
use vfs::{Capability, Credentials};

use super::send::{Target, send_locked};
use crate::context::Context;
use crate::pid::{self, INIT, Pid};
use crate::process::Process;
use crate::thread::Thread;
use crate::tree::Tree;

/// Sends a signal as kill(2) does; number 0 checks permission only.
///
/// # Errors
/// ESRCH for nobody; EINVAL for a number that is none; EPERM when none of them may be signalled.
pub fn kill(ctx: &Context<'_>, pid: i32, number: i32) -> Result<(), Errno> {
    let tree = pid::tree();
    let sender = Sender::new(ctx, SI_USER);
    match pid {
        1.. => {
            let target = find_process(&tree, pid.cast_unsigned()).ok_or(Errno::ESRCH)?;
            sender.send(&tree, Target::Process(&target), number)
        }
        0 => sender.send_to_all(&tree, number, tree.group(ctx.process.group())),
        -1 => {
            let others = tree
                .iter()
                .map(|node| &node.process)
                .filter(|process| process.pid() > INIT && !Arc::ptr_eq(process, ctx.process));
            match sender.send_to_all(&tree, number, others) {
                // Whom the caller may not signal is not among those that it means.
                Err(Errno::EPERM) => Ok(()),
                outcome => outcome,
            }
        }
        i32::MIN => Err(Errno::ESRCH),
        _ => sender.send_to_all(&tree, number, tree.group(pid.unsigned_abs())),
    }
}

/// Sends a signal to one thread as tgkill(2) does, or tkill(2) without a `tgid`.
///
/// # Errors
/// ESRCH for nobody or a thread of another process; EINVAL; EPERM; EAGAIN.
pub fn kill_thread(ctx: &Context<'_>, tgid: Option<Pid>, tid: Pid, number: i32) -> Result<(), Errno> {
    let tree = pid::tree();
    let thread = find_thread(&tree, tgid, tid)?;
    Sender::new(ctx, SI_TKILL).send(&tree, Target::Thread(&thread), number)
}

/// Sends a prepared signal to a process as rt_sigqueueinfo(2) does.
///
/// # Errors
/// EPERM for a code that only the kernel may use, to another; ESRCH; EINVAL; EPERM; EAGAIN.
pub fn queue(ctx: &Context<'_>, pid: i32, number: i32, info: &SigInfo) -> Result<(), Errno> {
    let pid = pid.cast_unsigned();
    check_code(ctx, pid, info)?;
    let tree = pid::tree();
    let process = find_process(&tree, pid).ok_or(Errno::ESRCH)?;
    send_prepared(ctx, &tree, Target::Process(&process), number, info)
}

/// Sends a prepared signal to a thread as rt_tgsigqueueinfo(2) does.
///
/// # Errors
/// As [`queue`].
pub fn queue_to_thread(
    ctx: &Context<'_>,
    tgid: Pid,
    tid: Pid,
    number: i32,
    info: &SigInfo,
) -> Result<(), Errno> {
    check_code(ctx, tid, info)?;
    let tree = pid::tree();
    let thread = find_thread(&tree, Some(tgid), tid)?;
    send_prepared(ctx, &tree, Target::Thread(&thread), number, info)
}

/// Sends a signal to whom a descriptor designates, as pidfd_send_signal(2) does: `info` if there is one, else
/// what kill(2) says with this code.
///
/// # Errors
/// EINVAL for a number that is none; EPERM; EAGAIN.
pub(crate) fn send_to(
    ctx: &Context<'_>,
    tree: &Tree,
    target: Target<'_>,
    number: i32,
    info: Option<&SigInfo>,
    code: i32,
) -> Result<(), Errno> {
    match info {
        Some(info) => send_prepared(ctx, tree, target, number, info),
        None => Sender::new(ctx, code).send(tree, target, number),
    }
}

/// Sends a signal to a process as if a thread had called kill(2); without permission nothing happens.
pub(crate) fn send_as(tree: &Tree, thread: &Thread, process: &Arc<Process>, signal: Signal) {
    let credentials = thread.credentials();
    let sender = Sender {
        credentials: &credentials,
        pid: thread.process().pid(),
        session: thread.process().session(),
        code: SI_USER,
    };
    let number = signal.number().cast_signed();
    let _permitted = sender.send(tree, Target::Process(process), number);
}

/// Returns the process with a number; that of a thread stands for its process.
fn find_process(tree: &Tree, pid: Pid) -> Option<Arc<Process>> {
    let by_thread = || tree.thread(pid).map(|thread| thread.process().clone());
    tree.process(pid).cloned().or_else(by_thread)
}

fn find_thread(tree: &Tree, tgid: Option<Pid>, tid: Pid) -> Result<Arc<Thread>, Errno> {
    // A process's own number stands for a living thread of it, also when the first one has ended.
    let of_process = || tree.process(tid)?.main_thread();
    let thread = tree.thread(tid).or_else(of_process).ok_or(Errno::ESRCH)?;
    if tgid.is_some_and(|tgid| thread.process().pid() != tgid) {
        return Err(Errno::ESRCH);
    }
    Ok(thread)
}

/// Keeps programs from passing for the kernel, or for kill(2) or tgkill(2), but towards themselves.
fn check_code(ctx: &Context<'_>, receiver: Pid, info: &SigInfo) -> Result<(), Errno> {
    let is_forged = info.si_code >= 0 || info.si_code == SI_TKILL;
    if is_forged && ctx.thread.tid() != receiver {
        return Err(Errno::EPERM);
    }
    Ok(())
}

fn send_prepared(
    ctx: &Context<'_>,
    tree: &Tree,
    target: Target<'_>,
    number: i32,
    info: &SigInfo,
) -> Result<(), Errno> {
    match Sender::new(ctx, SI_USER).may_signal(target.process(), number)? {
        Some(_) => send_locked(tree, target, info),
        None => Ok(()),
    }
}

/// Who sends, and what the receiver is told about it.
struct Sender<'a> {
    credentials: &'a Credentials,
    pid: Pid,
    session: Pid,
    code: i32,
}

impl<'a> Sender<'a> {
    fn new(ctx: &'a Context<'_>, code: i32) -> Self {
        Self {
            credentials: ctx.credentials(),
            pid: ctx.process.pid(),
            session: ctx.process.session(),
            code,
        }
    }

    /// Returns the signal that has this number, `None` for 0, if it may be sent.
    fn may_signal(&self, process: &Process, number: i32) -> Result<Option<Signal>, Errno> {
        let signal = match number {
            0 => None,
            _ => Some(Signal::new(number.cast_unsigned()).ok_or(Errno::EINVAL)?),
        };
        let (own, other) = (self.credentials, process.credentials());
        let same_user = [own.euid, own.uid]
            .iter()
            .any(|uid| *uid == other.uid || *uid == other.suid);
        let is_own = self.pid == process.pid();
        let continues = signal == Some(Signal::CONT) && self.session == process.session();
        if is_own || same_user || continues || own.capable(Capability::Kill) {
            Ok(signal)
        } else {
            Err(Errno::EPERM)
        }
    }

    fn send(&self, tree: &Tree, target: Target<'_>, number: i32) -> Result<(), Errno> {
        let Some(signal) = self.may_signal(target.process(), number)? else {
            return Ok(());
        };
        let info = SigInfo::kill(signal, self.code, self.pid.cast_signed(), self.credentials.uid);
        send_locked(tree, target, &info)
    }

    /// Succeeds when at least one receiver got it.
    fn send_to_all<'b>(
        &self,
        tree: &Tree,
        number: i32,
        receivers: impl Iterator<Item = &'b Arc<Process>>,
    ) -> Result<(), Errno> {
        let mut outcome = Err(Errno::ESRCH);
        for process in receivers {
            let sent = self.send(tree, Target::Member(process), number);
            if outcome != Ok(()) {
                outcome = sent;
            }
        }
        outcome
    }
}
