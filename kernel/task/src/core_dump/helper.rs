//! Programs that take dumps on their standard input: patterns that start with a pipe sign (core(5), "Piping core
//! dumps to a program").

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::resource::{RLIMIT_CORE, Rlimit64};
use sync::WaitQueue;
use vfs::{Credentials, FsContext, OpenFile};

use super::LIMIT_OF_HELPERS;
use crate::exec::user_mode::{self, UserModeProcess};
use crate::fd_table::{FdTable, OnExec};
use crate::pid::{self, INIT, NewPid};
use crate::rlimit::RaiseHard;
use crate::thread::Thread;
use crate::{sched, user_loop};

/// Mode bits that files of such a program lack.
const UMASK: u16 = 0o022;

/// Starts a program and returns the end of a pipe that it reads.
///
/// # Errors
/// Those of executing it; EAGAIN; ENOMEM.
pub(super) fn start(words: &[Vec<u8>]) -> Result<Arc<OpenFile>, Errno> {
    let mut arguments = Vec::new();
    arguments
        .try_reserve_exact(words.len())
        .map_err(|_| Errno::ENOMEM)?;
    arguments.extend(words.iter().cloned());
    let (reader, writer) = vfs::pipe::create(OpenFlags::empty(), &Credentials::root())?;
    let files = FdTable::new();
    files.insert(reader, 0, OnExec::Keep, u64::MAX)?;
    let launch = Arc::new(Launch {
        outcome: AtomicU32::new(Launch::PENDING),
        queue: WaitQueue::new(),
    });
    let thread = make(arguments, files, launch.clone())?;
    sched::start(&thread);
    drop(thread);
    launch.wait()?;
    Ok(writer)
}

/// What becomes of the execve.
struct Launch {
    outcome: AtomicU32,
    queue: WaitQueue,
}

impl Launch {
    const PENDING: u32 = u32::MAX;
    const DONE: u32 = 0;

    fn tell(&self, outcome: Result<(), Errno>) {
        let number = outcome.map_or_else(|errno| errno.code().unsigned_abs(), |()| Self::DONE);
        self.outcome.store(number, Ordering::SeqCst);
        self.queue.wake_all();
    }

    fn wait(&self) -> Result<(), Errno> {
        let look = || match self.outcome.load(Ordering::SeqCst) {
            Self::PENDING => None,
            outcome => Some(outcome),
        };
        match self.queue.wait(look) {
            Self::DONE => Ok(()),
            _ => Err(Errno::ENOEXEC),
        }
    }
}

/// Makes a process of root's, child of nobody, that executes a program with the first process's view of files.
fn make(arguments: Vec<Vec<u8>>, files: FdTable, launch: Arc<Launch>) -> Result<Arc<Thread>, Errno> {
    let init = pid::process(INIT).ok_or(Errno::ESRCH)?;
    let root = init.root().ok_or(Errno::ESRCH)?;
    let fs = FsContext {
        root: root.clone(),
        cwd: root,
        umask: UMASK,
    };
    let limits = init.limits().clone();
    let no_core = Rlimit64 {
        rlim_cur: LIMIT_OF_HELPERS,
        rlim_max: LIMIT_OF_HELPERS,
    };
    limits.set(RLIMIT_CORE, no_core, RaiseHard::Allowed)?;
    let process = UserModeProcess {
        number: NewPid::allocate()?,
        name: "core helper",
        limits,
        files,
        fs: fs.clone(),
    };
    process.make(move || run(&arguments, fs, &launch))
}

/// First code of the helper.
fn run(arguments: &[Vec<u8>], fs: FsContext, launch: &Launch) {
    let Some(thread) = sched::current() else { return };
    let words = arguments.iter().map(Vec::as_slice);
    let path = arguments.first().map_or(&b""[..], Vec::as_slice);
    match user_mode::load(&thread, &fs, path, words, &[]) {
        Ok(frame) => {
            drop(fs);
            launch.tell(Ok(()));
            user_loop::run(thread, frame);
        }
        Err(errno) => {
            launch.tell(Err(errno));
            crate::exit::finish_thread(thread);
        }
    }
}
