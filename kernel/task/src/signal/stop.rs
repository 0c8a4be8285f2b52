//! Stopping and continuing a whole process (SIGSTOP, SIGCONT and the terminal's stop signals).

use core::sync::atomic::{AtomicBool, Ordering};

use los_abi::signal::{CLD_CONTINUED, CLD_STOPPED, Signal};
use los_abi::task::WaitStatus;
use sync::{Rank, SpinLock, WaitQueue};

use crate::pid;
use crate::process::Process;
use crate::signal::send;
use crate::thread::{Thread, Work};
use crate::tree::Tree;

/// Whether a process is stopped, and what its parent has not been told yet.
pub(crate) struct StopState {
    /// Mirrors `stopped_by`, for a look without the lock.
    is_stopped: AtomicBool,
    state: SpinLock<State>,
    /// Where stopped threads wait.
    continued: WaitQueue,
}

#[derive(Default)]
struct State {
    stopped_by: Option<Signal>,
    /// Threads that have reached their stop.
    stopped_threads: usize,
    /// Whether all have, and the parent was told.
    is_complete: bool,
    /// What wait4 with WUNTRACED or WCONTINUED has to tell.
    report: Option<WaitStatus>,
}

impl StopState {
    pub(crate) fn new() -> Self {
        Self {
            is_stopped: AtomicBool::new(false),
            state: SpinLock::new(Rank::Signal, State::default()),
            continued: WaitQueue::new(),
        }
    }

    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst)
    }

    /// Returns what there is to tell, if it is of a kind asked for.
    pub(crate) fn report(&self) -> Option<WaitStatus> {
        self.state.lock().report
    }

    /// Forgets what has been told.
    pub(crate) fn clear_report(&self) {
        self.state.lock().report = None;
    }

    /// Lets stopped threads look whether they must go on.
    pub(crate) fn wake(&self) {
        self.continued.wake_all();
    }
}

/// Stops every thread of a process on its way to user mode. The table has been locked since before the signal was
/// taken, so that no SIGCONT came in between.
pub(crate) fn begin(_tree: &Tree, process: &Process, signal: Signal) {
    if process.is_ending() {
        return;
    }
    {
        let mut state = process.stop.state.lock();
        if state.stopped_by.is_some() {
            return;
        }
        state.stopped_by = Some(signal);
        state.is_complete = false;
        process.stop.is_stopped.store(true, Ordering::SeqCst);
    }
    process.kick_all(Work::SIGNAL);
}

/// Continues a stopped process and tells its parent. Called for every SIGCONT that is sent.
pub(crate) fn end(tree: &Tree, process: &Process) {
    {
        let mut state = process.stop.state.lock();
        if state.stopped_by.take().is_none() {
            return;
        }
        process.stop.is_stopped.store(false, Ordering::SeqCst);
        state.report = Some(WaitStatus::Continued);
    }
    process.stop.wake();
    send::notify_parent(tree, process, CLD_CONTINUED, Signal::CONT.number() as i32);
}

/// Waits here while the process is stopped; the last thread to arrive tells the parent.
pub(crate) fn stay(thread: &Thread) {
    let process = thread.process();
    process.stop.state.lock().stopped_threads += 1;
    tell_if_complete(process);
    process
        .stop
        .continued
        .wait(|| (!process.stop.is_stopped() || thread.is_killed()).then_some(()));
    process.stop.state.lock().stopped_threads -= 1;
}

/// Tells the parent once all living threads have stopped. Also called when a thread dies instead.
pub(crate) fn tell_if_complete(process: &Process) {
    if !process.stop.is_stopped() {
        return;
    }
    let tree = pid::tree();
    let living = process.thread_count();
    let signal = {
        let mut state = process.stop.state.lock();
        let Some(signal) = state.stopped_by else { return };
        // Two threads that arrive together may both find that all are there.
        if state.stopped_threads != living || state.is_complete || process.is_ending() {
            return;
        }
        state.is_complete = true;
        state.report = Some(WaitStatus::Stopped(signal.number()));
        signal
    };
    send::notify_parent(&tree, process, CLD_STOPPED, signal.number() as i32);
}
