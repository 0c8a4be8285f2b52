//! The first process: number 1, made by the kernel itself.

use alloc::sync::Arc;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::syscall::Fd;
use los_arch::TrapFrame;
use vfs::{FsContext, OpenFile};

use super::user_mode::{UserModeProcess, load};
use crate::fd_table::{FdTable, OnExec};
use crate::pid::NewPid;
use crate::rlimit::Limits;
use crate::thread::Thread;
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
    let process = UserModeProcess {
        number: NewPid::init()?,
        name: "init",
        limits: Limits::new(processes_max()),
        files: open_console(first.console.as_ref())?,
        fs: first.fs.clone(),
    };
    let thread = process.make(move || run(first))?;
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
    let frame = load(thread, &first.fs, path, arguments, &first.environment)?;
    log::info!("Run {} as init process", text(path));
    Ok(frame)
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
