//! Death: of a thread, of a process, and what others learn of it (exit(2), exit_group(2)).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use los_abi::signal::{SIG_IGN, SaFlags, Signal};
use los_abi::syscall::UserPtr;
use los_abi::task::WaitStatus;
use sync::Shared as _;

use crate::context::Context;
use crate::pid::{self, INIT, Pid};
use crate::pidfd;
use crate::process::{DUMPING, ENDING, Epitaph, Image, Process};
use crate::signal::{kill, send, stop};
use crate::thread::{Thread, Work};
use crate::tree::Tree;
use crate::{futex, job_control, sched};

/// Ends the calling thread: exit(2). It dies on its way back to user mode.
pub fn exit_thread(ctx: &Context<'_>, code: i32) {
    if ctx.thread.is_leader() {
        let status = WaitStatus::Exited(code).encode().cast_unsigned();
        ctx.process.status.store(status, Ordering::Release);
    }
    ctx.thread.add_work(Work::EXIT);
}

/// Ends the calling process: exit_group(2).
pub fn exit_group(ctx: &Context<'_>, code: i32) {
    begin_group_exit(ctx.process, WaitStatus::Exited(code));
}

/// Makes every thread of a process die; the first caller's status counts. A process that leaves a core is ending
/// already, and only SIGKILL ends that sooner.
pub(crate) fn begin_group_exit(process: &Process, status: WaitStatus) {
    debug_assert!(matches!(
        status,
        WaitStatus::Exited(_) | WaitStatus::Signaled { .. }
    ));
    let ending = ENDING | u64::from(status.encode().cast_unsigned());
    let first = process
        .ending
        .compare_exchange(0, ending, Ordering::AcqRel, Ordering::Acquire);
    let is_kill = matches!(status, WaitStatus::Signaled { signal, .. } if signal == Signal::KILL.number());
    if first.is_err_and(|ending| ending & DUMPING != 0) && !is_kill {
        return;
    }
    process.kick_all(Work::EXIT);
    process.stop.wake();
}

/// Does what a dying user thread, or one that leaves its program, owes to user memory: locks and the cleared
/// thread number.
pub(crate) fn release_user(ctx: &Context<'_>, afterwards: futex::Afterwards) {
    let thread = ctx.thread;
    futex::release(ctx, afterwards);
    let word = thread.clear_child_tid.swap(0, Ordering::Relaxed);
    let is_shared = ctx.process.thread_count() > 1 || ctx.memory().users().count() > 1;
    if word != 0 && is_shared {
        // A wrong address is the program's own problem.
        let _unwritable = ctx.memory().write(UserPtr::new(word), &0_u32);
        futex::wake_for_the_dead(ctx.memory(), UserPtr::new(word));
    }
}

/// Takes the calling user thread apart, and with the last one its process; then leaves for ever.
pub(crate) fn finish_thread(thread: Arc<Thread>) {
    let process = thread.process().clone();
    // From here on switches leave this thread's user registers alone.
    thread.is_user.store(false, Ordering::Relaxed);
    thread.end_vfork();
    let resources = thread.take_resources();
    drop(resources);
    sched::disown_user_registers();
    pid::tree().remove_thread(thread.tid());
    sched::charge_current();
    let is_last = {
        let mut threads = process.threads.lock();
        let is_last = threads.len() == 1;
        if !is_last {
            threads.bury(&thread);
        }
        is_last
    };
    thread.end();
    let share = thread.take_share();
    if is_last {
        *process.last_share.lock() = share;
        finish_process(&process, &thread);
    } else {
        drop(share);
        hand_over_thread_children(&process, &thread);
        pidfd::tell(&process.watch);
        process.thread_gone.wake_all();
        stop::tell_if_complete(&process);
    }
}

/// Ends the process of a kernel thread whose main function returned.
pub(crate) fn finish_kernel_thread() {
    let Some(thread) = sched::current() else { return };
    let process = thread.process();
    process.threads.lock().clear();
    let mut tree = pid::tree();
    tree.remove_thread(thread.tid());
    let removed = tree.remove_process(process.pid());
    drop(tree);
    drop(removed);
}

/// Ends a process whose last thread is this one.
fn finish_process(process: &Arc<Process>, last: &Arc<Thread>) {
    let status = process
        .ending()
        .unwrap_or_else(|| process.status.load(Ordering::Acquire));
    if process.pid() == INIT {
        panic!("Attempted to kill init! exitcode={status:#010x}");
    }
    process.timers.stop();
    process.posix_timers.clear();
    process.release_memory();
    process.set_image(Arc::new(Image::default()));
    *process.epitaph.lock() = Epitaph {
        name: last.name(),
        credentials: Some(last.credentials()),
    };
    sched::charge_current();
    process.threads.lock().bury(last);
    process.pending.discard(los_abi::signal::SigSet::ALL);
    job_control::leave_terminal(process);
    process.status.store(status, Ordering::Release);
    let reaped = loop {
        let mut tree = pid::tree();
        let child = tree.children(process.pid()).next().cloned();
        if let Some(child) = child {
            // The lock is given up for each: there may be many.
            let reaped = hand_over_child(&mut tree, process, &child, last);
            drop(tree);
            drop((reaped, child));
            continue;
        }
        // From here on nobody finds this process as his heir.
        job_control::signal_group_of(&tree, process);
        process.is_zombie.store(true, Ordering::Release);
        break tell_parent(&mut tree, process);
    };
    pidfd::tell(&process.watch);
    drop(reaped);
}

/// Tells the parent that a process is a zombie; one that does not care never sees it.
fn tell_parent(tree: &mut Tree, process: &Arc<Process>) -> Option<Arc<Process>> {
    let status = WaitStatus::decode(process.exit_status().cast_signed());
    let (code, value) = send::child_code(status);
    send::notify_parent(tree, process, code, value);
    let parent = tree.process(process.parent_pid());
    let is_unwanted = parent.is_none_or(|parent| {
        let action = parent.actions().get(Signal::CHLD);
        let by_signal = process.exit_signal.load(Ordering::Relaxed) == Signal::CHLD.number();
        by_signal && (action.sa_handler == SIG_IGN || action.sa_flags & SaFlags::NOCLDWAIT.bits() != 0)
    });
    if is_unwanted {
        tree.remove_process(process.pid())
    } else {
        None
    }
}

/// Gives a child of a dying process to its closest subreaper, or to the first process; returns a zombie of which that
/// one does not want to know.
fn hand_over_child(
    tree: &mut Tree,
    process: &Process,
    child: &Arc<Process>,
    last: &Thread,
) -> Option<Arc<Process>> {
    tree.adopt(child.pid(), heir_of(tree, process));
    send_parent_death_signals(tree, child, last);
    child.exit_signal.store(Signal::CHLD.number(), Ordering::Relaxed);
    let reaped = match child.is_zombie() {
        true => tell_parent(tree, child),
        false => None,
    };
    job_control::signal_group_of_child(tree, process, child);
    reaped
}

/// Gives the children of a dying thread to another thread of its process, which goes on.
fn hand_over_thread_children(process: &Arc<Process>, dying: &Thread) {
    let tree = pid::tree();
    let heir = process.main_thread().map_or(0, |thread| thread.tid());
    for child in tree.children(process.pid()) {
        if child.parent_thread.load(Ordering::Relaxed) == dying.tid() {
            child.parent_thread.store(heir, Ordering::Relaxed);
            send_parent_death_signals(&tree, child, dying);
        }
    }
}

/// Sends a child the signals that its threads asked for at the death of the thread whose child it is
/// (PR_SET_PDEATHSIG).
fn send_parent_death_signals(tree: &Tree, child: &Arc<Process>, dying: &Thread) {
    for index in 0.. {
        let Some(number) = child
            .threads
            .lock()
            .get(index)
            .map(|thread| thread.parent_death_signal.load(Ordering::Relaxed))
        else {
            return;
        };
        if let Some(signal) = Signal::new(number) {
            kill::send_as(tree, dying, child, signal);
        }
    }
}

fn heir_of(tree: &Tree, process: &Process) -> Pid {
    let mut child = process;
    while child.is_below_subreaper.load(Ordering::Relaxed) {
        let Some(parent) = tree.process(child.parent_pid()) else {
            break;
        };
        if parent.is_subreaper() && !parent.is_zombie() {
            return parent.pid();
        }
        child = parent;
    }
    INIT
}

/// Ends every other thread of the calling process and makes the caller the leader, as execve needs.
///
/// # Errors
/// EAGAIN when the process is ending anyway.
pub(crate) fn become_only_thread(ctx: &Context<'_>) -> Result<(), los_abi::Errno> {
    let process = ctx.process;
    if process.thread_count() == 1 && ctx.thread.is_leader() {
        return Ok(());
    }
    let is_dying = || ctx.thread.work().contains(Work::EXIT);
    let own = ctx.thread.tid();
    let first = process
        .executing
        .compare_exchange(0, own, Ordering::SeqCst, Ordering::SeqCst);
    if is_dying() || first.is_err() {
        return Err(los_abi::Errno::EAGAIN);
    }
    for thread in process.threads.lock().iter() {
        if !Arc::ptr_eq(thread, ctx.thread) {
            thread.add_work(Work::EXIT);
            thread.kick();
        }
    }
    process
        .thread_gone
        .wait(|| (process.thread_count() == 1 || is_dying()).then_some(()));
    if is_dying() {
        return Err(los_abi::Errno::EAGAIN);
    }
    if !ctx.thread.is_leader() {
        pid::tree().promote_thread(ctx.thread);
    }
    process.executing.store(0, Ordering::SeqCst);
    Ok(())
}

#[cfg(test)]
mod tests;
