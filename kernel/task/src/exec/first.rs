//! The first process: number 1, made by the kernel itself.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::resource::RLIMIT_STACK;
use los_abi::signal::{SigSet, Signal};
use los_abi::syscall::Fd;
use los_arch::hal::prelude::Cpu;
use los_arch::{Current, TrapFrame};
use vfs::{At, Caller, Credentials, FsContext, Lookup, OpenFile};

use super::identity::Sharing;
use super::{Budget, ExecRequest, Failure, Prepared, StringList, open, prepare};
use crate::fd_table::{FdTable, OnExec};
use crate::fs_sharing::FsUse;
use crate::pid::{self, NewPid};
use crate::process::{Image, NewProcess, Process};
use crate::rlimit::Limits;
use crate::signal::actions::SignalActions;
use crate::thread::{KernelMain, Name, NewThread, Thread};
use crate::{sched, user_loop};

/// What the first process is to be.
pub struct FirstProgram {
    /// Programs to try, in order.
    pub candidates: Vec<Vec<u8>>,
    /// Arguments behind the program's own name.
    pub arguments: Vec<Vec<u8>>,
    /// Environment strings, `NAME=value`.
    pub environment: Vec<Vec<u8>>,
    /// Root, working directory and umask.
    pub fs: FsContext,
    /// Standard input, output and error, if there is a console.
    pub console: Option<Arc<OpenFile>>,
}

/// Makes process 1, which executes the first candidate that can be executed. When there is none the kernel
/// panics, as Linux does.
///
/// # Errors
/// EAGAIN when there is a process 1; ENOMEM.
pub fn start_first_program(first: FirstProgram) -> Result<(), Errno> {
    let number = NewPid::init()?;
    let process = Process::new(NewProcess {
        pid: number.get(),
        is_kernel: false,
        exit_signal: Signal::CHLD.number(),
        memory: None,
        image: Arc::new(Image::default()),
        actions: Arc::new(SignalActions::new()),
        limits: Limits::new(processes_max()),
    })?;
    let new = NewThread {
        tid: number.get(),
        process: process.clone(),
        name: Name::new(b"init"),
        mask: SigSet::EMPTY,
        credentials: Arc::new(Credentials::root()),
        files: Some(Arc::new(open_console(first.console.as_ref())?)),
        fs: Some(FsUse::new(first.fs.clone())),
        user_state: Current::initial_user_state(),
        is_user: true,
    };
    let main: KernelMain = Box::new(move || run(first));
    let thread = Thread::new(new, main)?;
    {
        let mut tree = pid::tree();
        process.add_thread(&thread)?;
        tree.insert_process(&process, 0, 0, 0)?;
        tree.insert_thread(&thread);
    }
    sched::start(&thread);
    Ok(())
}

/// As Linux's `max_threads` over two: an eighth of memory may go into kernel stacks of 16 KiB.
fn processes_max() -> u64 {
    mm::frames::statistics().total_pages as u64 / 64
}

fn open_console(console: Option<&Arc<OpenFile>>) -> Result<FdTable, Errno> {
    let files = FdTable::new();
    if let Some(console) = console {
        for _ in 0..3 {
            let _number: Fd = files.insert(console.clone(), 0, OnExec::Keep, u64::MAX)?;
        }
    }
    Ok(files)
}

/// First code of process 1.
fn run(first: FirstProgram) {
    let Some(thread) = sched::current() else { return };
    let frame = first
        .candidates
        .iter()
        .find_map(|path| match start(&first, &thread, path) {
            Ok(frame) => Some(frame),
            Err(error) => {
                report(path, error);
                None
            }
        });
    drop(first);
    match frame {
        Some(frame) => user_loop::run(thread, frame),
        None => panic!("No working init found.  Try passing init= option to kernel."),
    }
}

fn start(first: &FirstProgram, thread: &Arc<Thread>, path: &[u8]) -> Result<TrapFrame, Errno> {
    let arguments = core::iter::once(path).chain(first.arguments.iter().map(Vec::as_slice));
    let frame = load_first(thread, &first.fs, path, arguments, &first.environment)?;
    log::info!("Run {} as init process", text(path));
    Ok(frame)
}

/// Gives a thread, the first of a process that the kernel makes, its program.
///
/// # Errors
/// Those of execve.
pub(crate) fn load_first<'a>(
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
    let files = thread.files().ok_or(Errno::ESRCH)?;
    Ok(prepared.commit(thread, files))
}

/// Says why a candidate was passed over; that it does not exist is no news.
fn report(path: &[u8], error: Errno) {
    if error != Errno::ENOENT {
        log::error!("Failed to execute {} (error -{})", text(path), error.code());
    }
}

fn text(path: &[u8]) -> &str {
    core::str::from_utf8(path).unwrap_or("(a name that is no text)")
}
