//! The threads of a process that is being dumped: they come to rest on their way out, show their registers, and
//! end when the dump is done.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use los_abi::errno::Errno;
use los_abi::signal::Signal;
use los_abi::task::WaitStatus;
use los_arch::TrapFrame;
use sync::WaitQueue;

use crate::context::Context;
use crate::process::{DUMPING, ENDING, Process};
use crate::thread::{Thread, Work};

/// Where the threads of a process wait for the end of its dump.
pub(crate) struct Rendezvous {
    /// How many have come to rest.
    arrived: AtomicUsize,
    done: WaitQueue,
}

impl Rendezvous {
    pub(crate) fn new() -> Self {
        Self {
            arrived: AtomicUsize::new(0),
            done: WaitQueue::new(),
        }
    }
}

/// A thread at rest.
pub(super) struct Resting {
    pub(super) thread: Arc<Thread>,
    pub(super) frame: Box<TrapFrame>,
}

/// Ends the calling process by a signal and waits until its other threads rest; false, and nothing was done, if it
/// is ending or executing a program already.
pub(super) fn gather(ctx: &Context<'_>, signal: Signal) -> bool {
    let process = ctx.process;
    if process.executing.load(Ordering::SeqCst) != 0 {
        return false;
    }
    let ending = ENDING | DUMPING | u64::from(status(signal, false));
    let first = process
        .ending
        .compare_exchange(0, ending, Ordering::AcqRel, Ordering::Acquire);
    if first.is_err() {
        return false;
    }
    for thread in process.threads.lock().iter() {
        if !Arc::ptr_eq(thread, ctx.thread) {
            thread.add_work(Work::EXIT);
            thread.kick();
        }
    }
    process.stop.wake();
    // No signal is taken any more; SIGKILL is not taken but done.
    ctx.thread.remove_work(Work::SIGNAL);
    process.thread_gone.wait(|| {
        let resting = process.dump.arrived.load(Ordering::SeqCst);
        (resting + 1 >= process.thread_count() || ctx.thread.is_killed()).then_some(())
    });
    true
}

/// Returns the threads at rest.
///
/// # Errors
/// ENOMEM.
pub(super) fn resting(process: &Process) -> Result<Vec<Resting>, Errno> {
    let threads = process.threads()?;
    let mut resting = Vec::new();
    resting.try_reserve(threads.len()).map_err(|_| Errno::ENOMEM)?;
    for thread in threads {
        let frame = thread.frame_at_rest.lock().take();
        resting.extend(frame.map(|frame| Resting { thread, frame }));
    }
    Ok(resting)
}

/// Lets everybody go, to die, and says whether there is a core.
pub(super) fn release(ctx: &Context<'_>, signal: Signal, has_core: bool) {
    let process = ctx.process;
    let ending = ENDING | u64::from(status(signal, has_core));
    process.ending.store(ending, Ordering::Release);
    ctx.thread.add_work(Work::EXIT);
    process.dump.done.wake_all();
}

fn status(signal: Signal, core_dumped: bool) -> u32 {
    let signal = signal.number();
    WaitStatus::Signaled { signal, core_dumped }
        .encode()
        .cast_unsigned()
}

/// Has a thread that is about to end wait for the dump of its process, if there is one.
pub(crate) fn rest(ctx: &Context<'_>) {
    let (process, thread) = (ctx.process, ctx.thread);
    if !process.is_dumping() {
        return;
    }
    // Brings the registers from the processor to where others find them.
    thread.with_saved_user_state(|_| ());
    *thread.frame_at_rest.lock() = Some(Box::new(ctx.frame().clone()));
    process.dump.arrived.fetch_add(1, Ordering::SeqCst);
    process.thread_gone.wake_all();
    process.dump.done.wait(|| (!process.is_dumping()).then_some(()));
}
