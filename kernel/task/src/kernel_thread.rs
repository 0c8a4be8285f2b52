//! Threads of the kernel itself: processes without user memory.

use alloc::boxed::Box;
use alloc::sync::Arc;

use los_abi::errno::Errno;
use los_abi::signal::SigSet;
use los_arch::Current;
use los_arch::hal::prelude::Cpu;
use sync::Use;
use vfs::Credentials;

use crate::pid::{self, NewPid, Pid};
use crate::process::{Image, NewProcess, Process};
use crate::rlimit::Limits;
use crate::sched;
use crate::signal::actions::SignalActions;
use crate::thread::{KernelMain, Name, NewThread, Thread};

/// Starts a kernel thread, which ends when `main` returns.
///
/// # Errors
/// EAGAIN without a number; ENOMEM.
pub fn spawn(name: &str, main: impl FnOnce() + Send + 'static) -> Result<Arc<Thread>, Errno> {
    let number = NewPid::allocate()?;
    let process = kernel_process(number.get())?;
    let main: KernelMain = Box::new(move || {
        main();
        crate::exit::finish_kernel_thread();
    });
    let thread = Thread::new(kernel_thread(&process, number.get(), name), main)?;
    enter(&thread)?;
    sched::start(&thread);
    Ok(thread)
}

/// Enters the only thread of a new process that is nobody's child, and the process with it.
///
/// # Errors
/// ENOMEM.
pub(crate) fn enter(thread: &Arc<Thread>) -> Result<(), Errno> {
    let process = thread.process();
    let mut tree = pid::tree();
    process.add_thread(thread)?;
    tree.insert_process(process, 0, 0, 0)?;
    tree.insert_thread(thread);
    Ok(())
}

/// Makes the running code this CPU's idle thread, which is in no table.
pub(crate) fn adopt_idle() -> Result<Arc<Thread>, Errno> {
    let process = kernel_process(0)?;
    Thread::adopt(kernel_thread(&process, 0, "swapper"))
}

fn kernel_process(pid: Pid) -> Result<Arc<Process>, Errno> {
    Process::new(NewProcess {
        pid,
        is_kernel: true,
        exit_signal: 0,
        memory: None,
        image: Arc::new(Image::default()),
        actions: Use::new(Arc::new(SignalActions::new())),
        limits: Limits::new(0),
    })
}

fn kernel_thread(process: &Arc<Process>, tid: Pid, name: &str) -> NewThread {
    NewThread {
        tid,
        process: process.clone(),
        name: Name::new(name.as_bytes()),
        mask: SigSet::ALL,
        credentials: Arc::new(Credentials::root()),
        share: None,
        files: None,
        fs: None,
        user_state: Current::initial_user_state(),
        is_user: false,
    }
}
