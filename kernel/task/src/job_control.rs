//! Process groups, sessions and their controlling terminals (setpgid(2), setsid(2), credentials(7)).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use los_abi::signal::{SI_KERNEL, SigInfo, Signal};

use tty::{JobControl, Terminal, TtyCaller};
use vfs::Capability;

use crate::context::Context;
use crate::pid::{self, Pid};
use crate::process::Process;
use crate::sched;
use crate::signal::actions::Disposition;
use crate::signal::{self, send};
use crate::tree::Tree;

/// Returns the group of a process, 0 for the caller.
///
/// # Errors
/// ESRCH.
pub fn get_group(ctx: &Context<'_>, pid: Pid) -> Result<Pid, Errno> {
    find(ctx, pid).map(|process| process.group())
}

/// Returns the session of a process, 0 for the caller.
///
/// # Errors
/// ESRCH.
pub fn get_session(ctx: &Context<'_>, pid: Pid) -> Result<Pid, Errno> {
    find(ctx, pid).map(|process| process.session())
}

fn find(ctx: &Context<'_>, pid: Pid) -> Result<Arc<Process>, Errno> {
    if pid == 0 {
        return Ok(ctx.process.clone());
    }
    let of_thread = || Some(pid::thread(pid)?.process().clone());
    pid::process(pid).or_else(of_thread).ok_or(Errno::ESRCH)
}

/// Moves the caller or a child of it to a group of its session: setpgid(2).
///
/// # Errors
/// EINVAL for a negative group and for a thread that leads none; ESRCH for neither; EACCES for a child after its
/// execve; EPERM for session leaders, other sessions and groups that are not there.
pub fn set_group(ctx: &Context<'_>, pid: i32, group: i32) -> Result<(), Errno> {
    let caller = ctx.process;
    let pid = if pid == 0 { caller.pid().cast_signed() } else { pid };
    let group = if group == 0 { pid } else { group };
    if group < 0 {
        return Err(Errno::EINVAL);
    }
    let group = group.cast_unsigned();
    let mut tree = pid::tree();
    let target = u32::try_from(pid).ok().and_then(|pid| tree.process(pid));
    let Some(process) = target.cloned() else {
        // A thread that is no process is known, and cannot be moved.
        let is_thread = u32::try_from(pid).is_ok_and(|tid| tree.thread(tid).is_some());
        return Err(if is_thread { Errno::EINVAL } else { Errno::ESRCH });
    };
    if process.parent_pid() == caller.pid() {
        if process.session() != caller.session() {
            return Err(Errno::EPERM);
        }
        if process.has_execed.load(Ordering::Relaxed) {
            return Err(Errno::EACCES);
        }
    } else if !Arc::ptr_eq(&process, caller) {
        return Err(Errno::ESRCH);
    }
    if process.is_session_leader() {
        return Err(Errno::EPERM);
    }
    if group != process.pid() {
        let is_ours = |member: &Arc<Process>| member.session() == caller.session();
        if !tree.group(group).any(is_ours) {
            return Err(Errno::EPERM);
        }
    }
    if process.group() == group {
        return Ok(());
    }
    tree.join_group(&process, group)
}

/// Makes the caller the leader of a session of its own, without a terminal: setsid(2).
///
/// # Errors
/// EPERM when there is a group with its number.
pub fn set_session(ctx: &Context<'_>) -> Result<Pid, Errno> {
    let process = ctx.process;
    let mut tree = pid::tree();
    if process.is_session_leader() || tree.has_group(process.pid()) {
        return Err(Errno::EPERM);
    }
    tree.join_group(process, process.pid())?;
    tree.join_session(process, process.pid());
    Ok(process.pid())
}

/// Returns the terminal that controls a process's session.
pub fn terminal(process: &Process) -> Option<Arc<Terminal>> {
    let tree = pid::tree();
    tree.session(process.session())?.terminal.clone()
}

/// Makes a terminal control a session, or none, and returns the one that did.
pub fn set_terminal(session: Pid, terminal: Option<Arc<Terminal>>) -> Option<Arc<Terminal>> {
    let mut tree = pid::tree();
    let session = tree.session_mut(session)?;
    core::mem::replace(&mut session.terminal, terminal)
}

/// Reports whether no member of a group has a parent in the same session but another group, so that nobody
/// could continue the group if it stopped.
pub fn is_orphaned(group: Pid) -> bool {
    is_orphaned_locked(&pid::tree(), group, None)
}

pub(crate) fn is_orphaned_locked(tree: &Tree, group: Pid, leaving: Option<Pid>) -> bool {
    !tree.group(group).any(|member| {
        if Some(member.pid()) == leaving || member.is_zombie() {
            return false;
        }
        let parent = tree.process(member.parent_pid());
        parent.is_some_and(|parent| keeps_from_orphanage(parent, member))
    })
}

/// Returns the session of a group with members.
pub fn session_of_group(group: Pid) -> Option<Pid> {
    let tree = pid::tree();
    let member = tree.group(group).next()?;
    Some(member.session())
}

/// Takes the terminal from the session of a leader that dies, with SIGHUP to the foreground group.
pub(crate) fn leave_terminal(process: &Process) {
    if !process.is_session_leader() {
        return;
    }
    let session = process.pid();
    let Some(terminal) = set_terminal(session, None) else {
        return;
    };
    if let Some(foreground) = terminal.release(session.cast_signed()) {
        let info = SigInfo::new(Signal::HUP, SI_KERNEL);
        send::send_to_group(foreground.cast_unsigned(), &info);
    }
}

/// Sends SIGHUP and SIGCONT to the group of a dying process if it has stopped members and the death orphans it: no
/// other member has a parent outside.
pub(crate) fn signal_group_of(tree: &Tree, dying: &Process) {
    if let Some(parent) = tree.process(dying.parent_pid())
        && keeps_from_orphanage(parent, dying)
    {
        signal_if_orphaned(tree, dying.group(), Some(dying.pid()));
    }
}

/// Sends the same to the group of a child that a dying process has just given to another parent.
pub(crate) fn signal_group_of_child(tree: &Tree, dying: &Process, child: &Process) {
    if keeps_from_orphanage(dying, child) {
        signal_if_orphaned(tree, child.group(), None);
    }
}

/// Tells whether a parent could continue the group of its child if that stopped.
fn keeps_from_orphanage(parent: &Process, child: &Process) -> bool {
    parent.pid() != pid::INIT && parent.group() != child.group() && parent.session() == child.session()
}

fn signal_if_orphaned(tree: &Tree, group: Pid, leaving: Option<Pid>) {
    if is_orphaned_locked(tree, group, leaving) && tree.group(group).any(|member| member.stop.is_stopped()) {
        hang_up_group(tree, group);
    }
}

fn hang_up_group(tree: &Tree, group: Pid) {
    for signal in [Signal::HUP, Signal::CONT] {
        send::send_to_group_locked(tree, group, &SigInfo::new(signal, SI_KERNEL));
    }
}

/// The process table as terminals see it.
struct ProcessTable;

/// Lets terminals know sessions and process groups. Called once.
pub(crate) fn init() {
    tty::set_job_control(&ProcessTable);
}

impl JobControl for ProcessTable {
    fn caller(&self) -> Option<TtyCaller> {
        let thread = sched::current()?;
        let process = thread.process();
        (!process.is_kernel()).then(|| TtyCaller {
            pid: process.pid().cast_signed(),
            group: process.group().cast_signed(),
            session: process.session().cast_signed(),
            privileged: thread.credentials().capable(Capability::SysAdmin),
        })
    }

    fn signal_group(&self, group: i32, signal: Signal) {
        signal::send_to_group(group.cast_unsigned(), &SigInfo::new(signal, SI_KERNEL));
    }

    fn caller_ignores(&self, signal: Signal) -> bool {
        sched::current().is_some_and(|thread| {
            let disposition = thread.process().actions().disposition(signal);
            disposition == Disposition::Ignored || signal::mask(&thread).contains(signal)
        })
    }

    fn is_orphaned(&self, group: i32) -> bool {
        is_orphaned(group.cast_unsigned())
    }

    fn session_of_group(&self, group: i32) -> Option<i32> {
        session_of_group(group.cast_unsigned()).map(Pid::cast_signed)
    }

    fn controlling_terminal(&self, session: i32) -> Option<Arc<Terminal>> {
        let tree = pid::tree();
        tree.session(session.cast_unsigned())?.terminal.clone()
    }

    fn set_controlling_terminal(&self, session: i32, terminal: Option<Arc<Terminal>>) {
        let old = set_terminal(session.cast_unsigned(), terminal);
        drop(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_group_is_orphaned_when_no_parent_outside_cares() {
        let family = testing::family(1);
        let child = &family.children[0];
        // Parent and child share a group whose other parents are in no table.
        assert!(is_orphaned(family.parent.group()));
        pid::tree().join_group(child, child.pid()).unwrap();
        assert!(!is_orphaned(child.group()));
        let tree = pid::tree();
        assert!(!is_orphaned_locked(&tree, child.group(), None));
        assert!(is_orphaned_locked(&tree, child.group(), Some(child.pid())));
    }
}
