//! Birth: fork, vfork and threads are all clone(2) with other flags.
//!
//! A child is a copy of the saved registers with another result, and of each thing that the flags do not say
//! to share. Everything is made before anything is entered into a table, so that a failure leaves no trace.

mod limits;
mod request;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use los_abi::errno::Errno;
use los_abi::syscall::{Fd, UserPtr};
use los_abi::task::{CloneFlags, PidfdFlags};
use los_arch::hal::prelude::{Cpu, TrapFrame as _};
use los_arch::{Current, TrapFrame, UserState};
use mm::{AddressSpace, ForkPolicy};
use sync::{Error, Restart, Shared as _, Use, WaitQueue};
use vfs::Capability;

pub use limits::threads_max;
pub use request::{CloneRequest, STACK_END_MAX};

use crate::context::Context;
use crate::fd_table::FdTable;
use crate::fs_sharing::FsUse;
use crate::pid::{self, INIT, NewPid, PID_MAX, Pid};
use crate::pidfd::{self, Subject};
use crate::process::{NewProcess, Process};
use crate::sched::{self, Policy};
use crate::signal::actions::SignalActions;
use crate::signal::birth::Birth;
use crate::signal::mask::mask;
use crate::thread::{NewThread, Thread, Work};
use crate::user_count::Share;
use crate::user_loop;
use request::{NAMESPACES, check_namespaces};

static EAGER: AtomicBool = AtomicBool::new(false);

/// Chooses how memory is copied from now on; copy-on-write if it is never called (`fork=eager` and `fork=cow`
/// on the command line).
pub fn set_fork_policy(policy: ForkPolicy) {
    EAGER.store(policy == ForkPolicy::Eager, Ordering::Relaxed);
}

fn fork_policy() -> ForkPolicy {
    if EAGER.load(Ordering::Relaxed) {
        ForkPolicy::Eager
    } else {
        ForkPolicy::CopyOnWrite
    }
}

/// Makes a child of the calling thread and returns its number.
///
/// # Errors
/// EINVAL for flags that make no sense; EAGAIN beyond a limit; ENOMEM; EPERM for a bad thread pointer; a
/// restart if a signal came first.
pub fn clone(ctx: &Context<'_>, request: &CloneRequest) -> sync::Result<Pid> {
    request.check(ctx.credentials())?;
    let flags = request.flags;
    if flags.contains(CloneFlags::PARENT) && ctx.process.pid() == INIT {
        return Err(Errno::EINVAL.into());
    }
    if ctx.thread.is_interrupted() {
        return Err(Error::Restart(Restart::NoIntr));
    }
    let birth = match flags.contains(CloneFlags::THREAD) {
        true => None,
        false => Some(Birth::begin(ctx.thread)?),
    };
    let share = limits::count(ctx)?;
    let schedule = ctx.thread.schedule();
    if schedule.policy == Policy::Deadline && !schedule.resets_on_fork {
        // What is reserved is reserved for one.
        return Err(Errno::EAGAIN.into());
    }
    let number = match request.wanted_tid {
        None => NewPid::allocate()?,
        Some(wanted) => allocate_wanted(ctx, wanted)?,
    };
    let child = build(ctx, request, number.get(), share)?;
    let vfork = flags.contains(CloneFlags::VFORK).then(VforkDone::new);
    *child.vfork_parent.lock() = vfork.clone();
    let pidfd = open_pidfd(ctx, request, &child)?;
    if let Err(errno) = enter(ctx, request, &child, birth.as_ref()) {
        withdraw(ctx, pidfd);
        return Err(errno.into());
    }
    drop((number, birth));
    let tid = child.tid();
    if flags.contains(CloneFlags::PARENT_SETTID) {
        // As on Linux, the child exists by now and a bad address has no effect.
        let _unwritable = ctx.memory().write(request.parent_tid, &tid);
    }
    sched::start(&child);
    drop(child);
    if let Some(vfork) = vfork {
        vfork.wait(ctx.thread);
    }
    Ok(tid)
}

/// Takes a number that the caller has chosen (`set_tid` of clone3(2)).
fn allocate_wanted(ctx: &Context<'_>, wanted: i32) -> Result<NewPid, Errno> {
    let number = u32::try_from(wanted).map_err(|_| Errno::EINVAL)?;
    if number == 0 || number >= PID_MAX {
        return Err(Errno::EINVAL);
    }
    let credentials = ctx.credentials();
    if !credentials.capable(Capability::CheckpointRestore) && !credentials.capable(Capability::SysAdmin) {
        return Err(Errno::EPERM);
    }
    NewPid::allocate_this(number)
}

/// Gives the caller a descriptor of a child that runs only later, if it asks for one.
fn open_pidfd(ctx: &Context<'_>, request: &CloneRequest, child: &Arc<Thread>) -> Result<Option<Fd>, Errno> {
    if !request.flags.contains(CloneFlags::PIDFD) {
        return Ok(None);
    }
    let (subject, flags) = if request.flags.contains(CloneFlags::THREAD) {
        (Subject::Thread(child.clone()), PidfdFlags::THREAD)
    } else {
        (Subject::Process(child.process().clone()), PidfdFlags::empty())
    };
    let fd = pidfd::install(ctx, subject, flags)?;
    if let Err(errno) = ctx.memory().write(request.pidfd, &fd.0) {
        withdraw(ctx, Some(fd));
        return Err(errno);
    }
    Ok(Some(fd))
}

/// Closes the descriptor of a child that is not to be.
fn withdraw(ctx: &Context<'_>, pidfd: Option<Fd>) {
    if let Some(fd) = pidfd {
        // Another thread may have closed it.
        let _file = ctx.files().remove(fd);
    }
}

/// A parent's wait for its vfork child to exec or exit.
pub(crate) struct VforkDone {
    queue: WaitQueue,
    done: AtomicBool,
}

impl VforkDone {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: WaitQueue::new(),
            done: AtomicBool::new(false),
        })
    }

    /// Lets the parent go on.
    pub(crate) fn finish(&self) {
        self.done.store(true, Ordering::SeqCst);
        self.queue.wake_all();
    }

    /// Waits for the child; only being killed ends the wait early.
    fn wait(&self, parent: &Thread) {
        let is_over = || self.done.load(Ordering::SeqCst) || parent.work().contains(Work::EXIT);
        self.queue.wait(|| is_over().then_some(()));
    }
}

/// Gives the caller its own copies of what it shares: unshare(2).
///
/// # Errors
/// EINVAL for unknown flags, new namespaces, and handlers or memory that others use; EPERM for namespaces
/// without privilege; ENOMEM.
pub fn unshare(ctx: &Context<'_>, flags: CloneFlags) -> Result<(), Errno> {
    let alone = CloneFlags::THREAD | CloneFlags::SIGHAND | CloneFlags::VM;
    let known = NAMESPACES | alone | CloneFlags::FS | CloneFlags::FILES | CloneFlags::SYSVSEM;
    if !known.contains(flags) {
        return Err(Errno::EINVAL);
    }
    let shares_handlers = || ctx.process.actions.lock().has_others();
    let shares_memory = || ctx.memory().users().count() > 1;
    let cannot = (flags.intersects(alone) && ctx.process.thread_count() > 1)
        || (flags.intersects(CloneFlags::SIGHAND | CloneFlags::VM) && shares_handlers())
        || (flags.contains(CloneFlags::VM) && shares_memory());
    if cannot {
        return Err(Errno::EINVAL);
    }
    check_namespaces(flags, ctx.credentials())?;
    if flags.contains(CloneFlags::FILES) {
        ctx.thread.set_files(ctx.files().copy()?);
    }
    if flags.contains(CloneFlags::FS) {
        ctx.thread.set_fs(FsUse::copy(ctx.fs()));
    }
    Ok(())
}

/// Makes the child and everything that it does not share.
fn build(ctx: &Context<'_>, request: &CloneRequest, tid: Pid, share: Share) -> Result<Arc<Thread>, Errno> {
    let flags = request.flags;
    let parent = ctx.thread;
    let process = if flags.contains(CloneFlags::THREAD) {
        ctx.process.clone()
    } else {
        build_process(ctx, request, tid)?
    };
    let new = NewThread {
        tid,
        process,
        name: parent.name(),
        mask: mask(parent),
        credentials: ctx.credentials().clone(),
        share: Some(share),
        files: Some(child_files(ctx, flags)?),
        fs: Some(child_fs(ctx, flags)?),
        user_state: child_state(parent, request)?,
        is_user: true,
    };
    let frame = child_frame(ctx, request);
    let stored_tid = if flags.contains(CloneFlags::CHILD_SETTID) {
        request.child_tid
    } else {
        UserPtr::NULL
    };
    let thread = Thread::new(new, Box::new(move || start_child(frame, stored_tid)))?;
    thread.attributes.inherit(&parent.attributes);
    thread.entity.inherit(&parent.entity);
    if flags.contains(CloneFlags::CHILD_CLEARTID) {
        let word = request.child_tid.addr();
        thread.clear_child_tid.store(word, Ordering::Relaxed);
    }
    if !flags.contains(CloneFlags::VM) {
        thread.rseq.inherit(&parent.rseq);
    }
    let keeps_stack = !flags.contains(CloneFlags::VM) || flags.contains(CloneFlags::VFORK);
    if keeps_stack {
        let stack = *parent.alternate_stack.lock();
        *thread.alternate_stack.lock() = stack;
    }
    Ok(thread)
}

fn build_process(ctx: &Context<'_>, request: &CloneRequest, pid: Pid) -> Result<Arc<Process>, Errno> {
    let flags = request.flags;
    let parent = ctx.process;
    let memory = child_memory(ctx, flags)?;
    let actions = if flags.contains(CloneFlags::SIGHAND) {
        parent.actions.lock().clone()
    } else if flags.contains(CloneFlags::CLEAR_SIGHAND) {
        Use::new(Arc::new(parent.actions().after_exec()?))
    } else {
        Use::new(Arc::new(SignalActions::fork(&parent.actions())?))
    };
    let process = Process::new(NewProcess {
        pid,
        is_kernel: false,
        exit_signal: request.exit_signal,
        memory: Some(memory),
        image: parent.image(),
        actions,
        limits: parent.limits().clone(),
    })?;
    let adjustment = parent.oom_score_adjustment.load(Ordering::Relaxed);
    process.oom_score_adjustment.store(adjustment, Ordering::Relaxed);
    process.set_dumpable(parent.dumpable());
    process.set_core_filter(parent.core_filter());
    let has_huge_pages_disabled = parent.has_huge_pages_disabled.load(Ordering::Relaxed);
    process
        .has_huge_pages_disabled
        .store(has_huge_pages_disabled, Ordering::Relaxed);
    Ok(process)
}

fn child_memory(ctx: &Context<'_>, flags: CloneFlags) -> Result<Use<AddressSpace>, Errno> {
    let space = match flags.contains(CloneFlags::VM) {
        true => ctx.memory().clone(),
        false => ctx.memory().fork(fork_policy())?,
    };
    Ok(Use::new(space))
}

fn child_files(ctx: &Context<'_>, flags: CloneFlags) -> Result<Use<FdTable>, Errno> {
    if flags.contains(CloneFlags::FILES) {
        ctx.thread.share_files().ok_or(Errno::ESRCH)
    } else {
        ctx.files().copy()
    }
}

fn child_fs(ctx: &Context<'_>, flags: CloneFlags) -> Result<FsUse, Errno> {
    if flags.contains(CloneFlags::FS) {
        FsUse::join(ctx.fs())
    } else {
        Ok(FsUse::copy(ctx.fs()))
    }
}

fn child_state(parent: &Thread, request: &CloneRequest) -> Result<UserState, Errno> {
    let mut state = parent.save_user_state();
    let is_refused =
        request.flags.contains(CloneFlags::SETTLS) && !Current::set_thread_pointer(&mut state, request.tls);
    if is_refused { Err(Errno::EPERM) } else { Ok(state) }
}

fn child_frame(ctx: &Context<'_>, request: &CloneRequest) -> TrapFrame {
    let mut frame = ctx.frame().clone();
    frame.set_syscall_result(0);
    frame.clear_syscall();
    if request.stack != 0 {
        frame.set_stack_pointer(request.stack);
    }
    frame
}

/// First code of a child, on its own kernel stack.
fn start_child(frame: TrapFrame, stored_tid: UserPtr<u32>) {
    let Some(thread) = sched::current() else { return };
    if !stored_tid.is_null()
        && let Some(memory) = thread.memory()
    {
        // As on Linux, a bad address has no effect.
        let _unwritable = memory.write(stored_tid, &thread.tid());
    }
    user_loop::run(thread, frame);
}

/// Enters the child into the tables.
///
/// # Errors
/// ENOMEM; EINTR when the parent is to die: nobody learns of it.
fn enter(
    ctx: &Context<'_>,
    request: &CloneRequest,
    child: &Arc<Thread>,
    birth: Option<&Birth<'_>>,
) -> Result<(), Errno> {
    let process = child.process();
    let parent = ctx.process;
    let Some(birth) = birth else {
        process.add_thread(child)?;
        pid::tree().insert_thread(child);
        let must_end = process.ending().is_some() || process.executing.load(Ordering::SeqCst) != 0;
        if must_end || process.stop.is_stopped() {
            // Asked for between our look and the entry: the new thread missed it.
            child.add_work(if must_end { Work::EXIT } else { Work::SIGNAL });
        }
        return Ok(());
    };
    let mut tree = pid::tree();
    if ctx.thread.is_killed() {
        return Err(Errno::EINTR);
    }
    process.add_thread(child)?;
    let (parent_pid, parent_tid) = if request.flags.contains(CloneFlags::PARENT) {
        process
            .exit_signal
            .store(parent.exit_signal.load(Ordering::Relaxed), Ordering::Relaxed);
        (parent.parent_pid(), parent.parent_thread.load(Ordering::Relaxed))
    } else {
        (parent.pid(), ctx.thread.tid())
    };
    let entered = tree.insert_process(process, parent_pid, parent.group(), parent.session());
    if entered.is_err() {
        process.threads.lock().clear();
    } else {
        process.parent_thread.store(parent_tid, Ordering::Relaxed);
        tree.insert_thread(child);
        birth.hand_over(&tree, child);
    }
    entered
}

#[cfg(test)]
mod tests;
