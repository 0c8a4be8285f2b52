//! Numbers of threads, processes, groups and sessions, and who is whose child.
//!
//! The numbers and all relations between processes are in one [`Tree`] under one lock; processes mirror
//! their own relations in atomics.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use sync::{Rank, SpinLock, SpinLockGuard};
use tty::Terminal;

use crate::process::Process;
use crate::thread::Thread;
use crate::tree::Tree;

pub use crate::tree::Counts;

/// Number of a thread, process, group or session; 0 is none.
pub type Pid = u32;

/// One more than the highest number (Linux's default `pid_max`).
pub const PID_MAX: Pid = 32768;
/// The first process.
pub const INIT: Pid = 1;

static TREE: SpinLock<Tree> = SpinLock::new(Rank::ProcessTree, Tree::new());

/// Locks the table.
pub(crate) fn tree() -> SpinLockGuard<'static, Tree> {
    TREE.lock()
}

/// Returns the process with this number, zombies included.
pub fn process(pid: Pid) -> Option<Arc<Process>> {
    tree().process(pid).cloned()
}

/// Returns the living thread with this number.
pub fn thread(tid: Pid) -> Option<Arc<Thread>> {
    tree().thread(tid)
}

/// Returns the thread of a number; a process's own number stands for a living thread of it, also when the first one
/// has ended.
pub fn task(number: Pid) -> Option<Arc<Thread>> {
    thread(number).or_else(|| process(number)?.main_thread())
}

/// Returns the numbers of all processes in ascending order.
///
/// # Errors
/// ENOMEM.
pub fn processes() -> Result<Vec<Pid>, Errno> {
    let mut list = Vec::new();
    loop {
        let wanted = tree().counts().processes;
        list.try_reserve(wanted).map_err(|_| Errno::ENOMEM)?;
        let tree = tree();
        if tree.counts().processes <= list.capacity() {
            list.extend(tree.iter().map(|node| node.process.pid()));
            return Ok(list);
        }
    }
}

/// Returns the process with the lowest number that is at least `minimum`, zombies included.
pub fn next_process(minimum: Pid) -> Option<Arc<Process>> {
    tree().first_from(minimum).cloned()
}

/// Returns the children of one thread, oldest first.
///
/// # Errors
/// ENOMEM.
pub fn children(thread: &Thread) -> Result<Vec<Pid>, Errno> {
    let mut found = Vec::new();
    let tree = tree();
    for child in tree.children(thread.process().pid()) {
        if child.parent_thread.load(Ordering::Relaxed) == thread.tid() {
            found.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            found.push(child.pid());
        }
    }
    Ok(found)
}

/// Returns the controlling terminal of a session.
pub fn terminal(session: Pid) -> Option<Arc<Terminal>> {
    tree().session(session)?.terminal.clone()
}

/// Counts processes and threads.
pub fn counts() -> Counts {
    tree().counts()
}

/// A number that is taken for a birth, and given back when dropped.
pub(crate) struct NewPid(Pid);

impl NewPid {
    /// Takes the next free number.
    ///
    /// # Errors
    /// EAGAIN when all are in use.
    pub(crate) fn allocate() -> Result<Self, Errno> {
        tree().allocate().map(Self)
    }

    /// Takes this very number.
    ///
    /// # Errors
    /// EEXIST when it is in use.
    pub(crate) fn allocate_this(number: Pid) -> Result<Self, Errno> {
        tree().allocate_this(number).map(Self)
    }

    /// Takes the number of the first process.
    ///
    /// # Errors
    /// EAGAIN when it is taken.
    pub(crate) fn init() -> Result<Self, Errno> {
        tree().allocate_init().map(Self)
    }

    pub(crate) fn get(&self) -> Pid {
        self.0
    }
}

impl Drop for NewPid {
    fn drop(&mut self) {
        tree().release(self.0);
    }
}
