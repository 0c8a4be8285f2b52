//! Birth: fork, vfork and threads are all clone(2) with other flags.
//!
//! A child is a copy of the saved registers with another result, and of each thing that the flags do not say
//! to share. Everything is made before anything is entered into a table, so that a failure leaves no trace.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use los_abi::errno::Errno;
use los_abi::signal::Signal;
use los_abi::syscall::UserPtr;
use los_abi::task::{CloneFlags, RLIMIT_NPROC};
use los_arch::hal::prelude::{Cpu, TrapFrame as _};
use los_arch::{Current, TrapFrame, UserState};
use mm::{AddressSpace, ForkPolicy};
use sync::{Error, Mutex, Rank, Restart, WaitQueue};
use vfs::{Capability, FsContext};

use crate::context::Context;
use crate::fd_table::FdTable;
use crate::pid::{self, INIT, NewPid, Pid};
use crate::process::{NewProcess, Process};
use crate::sched;
use crate::signal::actions::SignalActions;
use crate::signal::mask::mask;
use crate::thread::{NewThread, Thread, Work};
use crate::user_loop;

/// What clone(2) and clone3(2) ask for.
#[derive(Clone, Copy, Debug)]
pub struct CloneRequest {
    /// What is shared, and more.
    pub flags: CloneFlags,
    /// The signal that tells the parent of the end, 0 for none.
    pub exit_signal: u32,
    /// The child's stack pointer, 0 for a copy of the parent's.
    pub stack: u64,
    /// Where CLONE_PARENT_SETTID stores the child's number.
    pub parent_tid: UserPtr<u32>,
    /// Where CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID store, in the child's memory.
    pub child_tid: UserPtr<u32>,
    /// The child's thread pointer with CLONE_SETTLS.
    pub tls: u64,
}

impl CloneRequest {
    /// fork(2).
    pub const FORK: Self = Self {
        flags: CloneFlags::empty(),
        exit_signal: Signal::CHLD.number(),
        stack: 0,
        parent_tid: UserPtr::NULL,
        child_tid: UserPtr::NULL,
        tls: 0,
    };

    /// vfork(2).
    pub const VFORK: Self = Self {
        flags: CloneFlags::VFORK.union(CloneFlags::VM),
        ..Self::FORK
    };

    /// Refuses combinations that make no sense, as Linux does (clone(2), ERRORS).
    fn check(&self) -> Result<(), Errno> {
        let flags = self.flags;
        let unsupported = CloneFlags::NEWTIME
            | CloneFlags::NEWNS
            | CloneFlags::NEWCGROUP
            | CloneFlags::NEWUTS
            | CloneFlags::NEWIPC
            | CloneFlags::NEWUSER
            | CloneFlags::NEWPID
            | CloneFlags::NEWNET
            | CloneFlags::PIDFD
            | CloneFlags::INTO_CGROUP;
        let lacks = |flag, needed| flags.contains(flag) && !flags.contains(needed);
        let is_bad = flags.intersects(unsupported)
            || lacks(CloneFlags::THREAD, CloneFlags::SIGHAND)
            || lacks(CloneFlags::SIGHAND, CloneFlags::VM)
            || flags.contains(CloneFlags::SIGHAND | CloneFlags::CLEAR_SIGHAND)
            || self.exit_signal > Signal::COUNT as u32;
        if is_bad { Err(Errno::EINVAL) } else { Ok(()) }
    }
}

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
    request.check()?;
    let flags = request.flags;
    if flags.contains(CloneFlags::PARENT) && ctx.process.pid() == INIT {
        return Err(Errno::EINVAL.into());
    }
    check_process_limit(ctx)?;
    if ctx.thread.is_interrupted() {
        // A signal to the group must not miss the child.
        return Err(Error::Restart(Restart::NoIntr));
    }
    let number = NewPid::allocate()?;
    let child = build(ctx, request, number.get())?;
    let vfork = flags.contains(CloneFlags::VFORK).then(VforkDone::new);
    *child.vfork_parent.lock() = vfork.clone();
    enter(ctx, request, &child)?;
    drop(number);
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

/// Applies RLIMIT_NPROC to who is not the superuser.
fn check_process_limit(ctx: &Context<'_>) -> Result<(), Errno> {
    let credentials = ctx.credentials();
    let is_exempt = credentials.uid == 0
        || credentials.capable(Capability::SysResource)
        || credentials.capable(Capability::SysAdmin);
    if is_exempt {
        return Ok(());
    }
    let limit = ctx.process.limits().soft(RLIMIT_NPROC);
    let tree = pid::tree();
    let of_user = tree
        .iter()
        .filter(|node| node.process.credentials().uid == credentials.uid)
        .map(|node| node.process.thread_count() as u64)
        .sum::<u64>();
    if of_user >= limit {
        Err(Errno::EAGAIN)
    } else {
        Ok(())
    }
}

/// Makes the child and everything that it does not share.
fn build(ctx: &Context<'_>, request: &CloneRequest, tid: Pid) -> Result<Arc<Thread>, Errno> {
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
        files: Some(child_files(ctx, flags)?),
        fs: Some(child_fs(ctx, flags)),
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
        parent.actions()
    } else if flags.contains(CloneFlags::CLEAR_SIGHAND) {
        Arc::new(parent.actions().after_exec())
    } else {
        Arc::new(SignalActions::fork(&parent.actions()))
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
    process.set_dumpable(parent.is_dumpable());
    let has_huge_pages_disabled = parent.has_huge_pages_disabled.load(Ordering::Relaxed);
    process
        .has_huge_pages_disabled
        .store(has_huge_pages_disabled, Ordering::Relaxed);
    Ok(process)
}

fn child_memory(ctx: &Context<'_>, flags: CloneFlags) -> Result<Arc<AddressSpace>, Errno> {
    if flags.contains(CloneFlags::VM) {
        Ok(ctx.memory().clone())
    } else {
        ctx.memory().fork(fork_policy())
    }
}

fn child_files(ctx: &Context<'_>, flags: CloneFlags) -> Result<Arc<FdTable>, Errno> {
    if flags.contains(CloneFlags::FILES) {
        Ok(ctx.files().clone())
    } else {
        Ok(Arc::new(FdTable::fork(ctx.files())?))
    }
}

fn child_fs(ctx: &Context<'_>, flags: CloneFlags) -> Arc<Mutex<FsContext>> {
    if flags.contains(CloneFlags::FS) {
        ctx.fs().clone()
    } else {
        let copy = FsContext::clone(&ctx.fs().lock());
        Arc::new(Mutex::new(Rank::FsContext, copy))
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
fn enter(ctx: &Context<'_>, request: &CloneRequest, child: &Arc<Thread>) -> Result<(), Errno> {
    let process = child.process();
    let parent = ctx.process;
    if request.flags.contains(CloneFlags::THREAD) {
        process.add_thread(child)?;
        pid::tree().insert_thread(child);
        if process.ending().is_some() || process.stop.is_stopped() {
            // Asked for between our look and the entry: the new thread missed it.
            child.add_work(if process.ending().is_some() {
                Work::EXIT
            } else {
                Work::SIGNAL
            });
        }
        return Ok(());
    }
    process.add_thread(child)?;
    let mut tree = pid::tree();
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
    }
    entered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flags: CloneFlags) -> Result<(), Errno> {
        let request = CloneRequest {
            flags,
            ..CloneRequest::FORK
        };
        request.check()
    }

    #[test]
    fn what_c_libraries_ask_for_is_accepted() {
        let threads = CloneFlags::VM
            | CloneFlags::FS
            | CloneFlags::FILES
            | CloneFlags::SIGHAND
            | CloneFlags::THREAD
            | CloneFlags::SYSVSEM
            | CloneFlags::SETTLS
            | CloneFlags::PARENT_SETTID
            | CloneFlags::CHILD_CLEARTID;
        let fork = CloneFlags::CHILD_CLEARTID | CloneFlags::CHILD_SETTID;
        let spawn = CloneFlags::VM | CloneFlags::VFORK | CloneFlags::CLEAR_SIGHAND;
        for flags in [
            threads,
            threads | CloneFlags::DETACHED,
            fork,
            spawn,
            CloneFlags::empty(),
        ] {
            assert_eq!(check(flags), Ok(()), "{flags:?}");
        }
    }

    #[test]
    fn senseless_combinations_are_refused() {
        let sharing = CloneFlags::VM | CloneFlags::SIGHAND;
        for flags in [
            CloneFlags::THREAD,
            CloneFlags::THREAD | CloneFlags::VM,
            CloneFlags::SIGHAND,
            sharing | CloneFlags::CLEAR_SIGHAND,
            CloneFlags::NEWPID,
        ] {
            assert_eq!(check(flags), Err(Errno::EINVAL), "{flags:?}");
        }
        let signal = CloneRequest {
            exit_signal: 65,
            ..CloneRequest::FORK
        };
        assert_eq!(signal.check(), Err(Errno::EINVAL));
    }
}
