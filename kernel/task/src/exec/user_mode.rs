//! Programs that the kernel itself starts, as nobody's children: each in a new process whose only thread begins in
//! the kernel and executes it (Linux calls that a user mode thread).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::resource::RLIMIT_STACK;
use los_abi::signal::{SigSet, Signal};
use los_arch::hal::prelude::Cpu;
use los_arch::{Current, TrapFrame};
use sync::Use;
use vfs::{At, Caller, Credentials, FsContext, Lookup};

use super::identity::Sharing;
use super::{Budget, ExecRequest, Failure, Prepared, StringList, open, prepare};
use crate::fd_table::FdTable;
use crate::fs_sharing::FsUse;
use crate::kernel_thread;
use crate::pid::NewPid;
use crate::process::{Image, NewProcess, Process};
use crate::process_limit;
use crate::rlimit::Limits;
use crate::signal::actions::SignalActions;
use crate::thread::{Name, NewThread, Thread};

/// A process of root's that is to execute a program.
pub(crate) struct UserModeProcess {
    pub(crate) number: NewPid,
    /// Its name until then.
    pub(crate) name: &'static str,
    pub(crate) limits: Limits,
    pub(crate) files: FdTable,
    pub(crate) fs: FsContext,
}

impl UserModeProcess {
    /// Makes the process, whose thread runs `main` once it is started.
    ///
    /// # Errors
    /// ENOMEM.
    pub(crate) fn make(self, main: impl FnOnce() + Send + 'static) -> Result<Arc<Thread>, Errno> {
        let number = self.number.get();
        let process = Process::new(NewProcess {
            pid: number,
            is_kernel: false,
            exit_signal: Signal::CHLD.number(),
            memory: None,
            image: Arc::new(Image::default()),
            actions: Use::new(Arc::new(SignalActions::new())),
            limits: self.limits,
        })?;
        let new = NewThread {
            tid: number,
            process,
            name: Name::new(self.name.as_bytes()),
            mask: SigSet::EMPTY,
            credentials: Arc::new(Credentials::root()),
            share: process_limit::count_for(0),
            files: Some(Use::new(Arc::new(self.files))),
            fs: Some(FsUse::new(self.fs)),
            user_state: Current::initial_user_state(),
            is_user: true,
        };
        let thread = Thread::new(new, Box::new(main))?;
        kernel_thread::enter(&thread)?;
        Ok(thread)
    }
}

/// Gives the thread of such a process its program.
///
/// # Errors
/// Those of execve.
pub(crate) fn load<'a>(
    thread: &Arc<Thread>,
    fs: &FsContext,
    path: &[u8],
    arguments: impl Iterator<Item = &'a [u8]>,
    environment: &[Vec<u8>],
) -> Result<TrapFrame, Errno> {
    let credentials = thread.credentials();
    let caller = Caller {
        credentials: &credentials,
        root: fs.root.clone(),
        cwd: fs.cwd.clone(),
        umask: fs.umask,
    };
    let process = thread.process();
    let mut budget = Budget::new(process.limits().soft(RLIMIT_STACK));
    let arguments = StringList::from_slices(arguments, &mut budget)?;
    let environment = environment.iter().map(Vec::as_slice);
    let environment = StringList::from_slices(environment, &mut budget)?;
    let request = ExecRequest {
        file: open(&caller, At::Cwd, path, Lookup::FOLLOW)?,
        is_unreachable: false,
        path: path.to_vec(),
        arguments,
        environment,
        budget,
    };
    let prepared: Prepared = prepare(&caller, thread, request, Sharing::Own).map_err(Failure::errno)?;
    Ok(prepared.commit(thread, None))
}
