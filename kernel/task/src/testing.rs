//! Threads and processes for the unit tests; they are never run.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::signal::{SigSet, Signal};
use los_arch::Current;
use los_arch::hal::prelude::Cpu;
use vfs::Credentials;

use crate::pid::{self, NewPid, Pid};
use crate::process::{Image, NewProcess, Process};
use crate::rlimit::Limits;
use crate::signal::actions::SignalActions;
use crate::thread::{Name, NewThread, Thread};

/// Makes a process that is in no table.
pub(crate) fn process(pid: Pid) -> Arc<Process> {
    Process::new(NewProcess {
        pid,
        is_kernel: false,
        exit_signal: Signal::CHLD.number(),
        memory: None,
        image: Arc::new(Image::default()),
        actions: Arc::new(SignalActions::new()),
        limits: Limits::new(100),
    })
    .unwrap()
}

/// Makes a thread with a number of its own, alone in a process that is in no table.
pub(crate) fn thread() -> Arc<Thread> {
    use core::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(40_000);
    mm::testing::start();
    let tid = NEXT.fetch_add(1, Ordering::Relaxed);
    let new = NewThread {
        tid,
        process: process(tid),
        name: Name::new(b"test"),
        mask: SigSet::EMPTY,
        credentials: Arc::new(Credentials::root()),
        files: None,
        fs: None,
        user_state: Current::initial_user_state(),
        is_user: false,
        nice: 0,
    };
    let thread = Thread::new(new, Box::new(|| {})).unwrap();
    thread.process().add_thread(&thread).unwrap();
    thread
}

/// A parent with children, all in the global table until the family is dropped.
pub(crate) struct Family {
    pub(crate) parent: Arc<Process>,
    pub(crate) children: Vec<Arc<Process>>,
}

/// Makes a family in one group.
pub(crate) fn family(children: usize) -> Family {
    let enter = |parent: Pid, group: Option<Pid>| {
        let number = NewPid::allocate().unwrap();
        let process = process(number.get());
        let group = group.unwrap_or(process.pid());
        pid::tree()
            .insert_process(&process, parent, group, group)
            .unwrap();
        process
    };
    let parent = enter(0, None);
    let children = (0..children)
        .map(|_| enter(parent.pid(), Some(parent.pid())))
        .collect();
    Family { parent, children }
}

impl Drop for Family {
    fn drop(&mut self) {
        let mut tree = pid::tree();
        for process in self.children.iter().chain([&self.parent]) {
            if tree.process(process.pid()).is_some() {
                tree.remove_process(process.pid());
            }
        }
    }
}
