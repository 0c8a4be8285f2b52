//! What a system call handler knows of its caller.

use alloc::sync::Arc;
use core::cell::{Ref, RefCell, RefMut};

use los_abi::errno::Errno;
use los_abi::resource::RLIMIT_NOFILE;
use los_abi::syscall::Fd;
use los_arch::TrapFrame;
use mm::AddressSpace;
use sync::Mutex;
use vfs::{Caller, Credentials, OpenFile};

use crate::fd_table::{FdTable, OnExec};
use crate::fs_sharing::SharedFs;
use crate::process::Process;
use crate::thread::Thread;

/// The calling thread with what it uses, held for the length of a system call without locks or counting.
/// What the thread itself replaces meanwhile (execve, setuid) is seen by its next call.
pub struct Context<'a> {
    /// The calling thread.
    pub thread: &'a Arc<Thread>,
    /// Its process.
    pub process: &'a Arc<Process>,
    frame: RefCell<TrapFrame>,
    memory: Arc<AddressSpace>,
    files: Arc<FdTable>,
    fs: Arc<Mutex<SharedFs>>,
    credentials: Arc<Credentials>,
}

impl<'a> Context<'a> {
    /// Collects what the thread uses now.
    ///
    /// # Errors
    /// ESRCH for a thread without user memory or one that is being taken apart.
    pub fn new(thread: &'a Arc<Thread>, frame: TrapFrame) -> Result<Self, Errno> {
        Ok(Self {
            thread,
            process: thread.process(),
            frame: RefCell::new(frame),
            memory: thread.memory().ok_or(Errno::ESRCH)?,
            files: thread.files().ok_or(Errno::ESRCH)?,
            fs: thread.fs().ok_or(Errno::ESRCH)?,
            credentials: thread.credentials(),
        })
    }

    /// Collects again what the thread uses.
    pub(crate) fn refresh(&mut self) {
        if let (Some(memory), Some(files), Some(fs)) =
            (self.thread.memory(), self.thread.files(), self.thread.fs())
        {
            self.memory = memory;
            self.files = files;
            self.fs = fs;
        }
        self.credentials = self.thread.credentials();
    }

    /// Returns the saved user registers.
    #[inline]
    pub fn frame(&self) -> Ref<'_, TrapFrame> {
        self.frame.borrow()
    }

    /// Returns the saved user registers, to be changed.
    #[inline]
    pub fn frame_mut(&self) -> RefMut<'_, TrapFrame> {
        self.frame.borrow_mut()
    }

    /// Returns the saved user registers without run-time checks.
    #[inline]
    pub(crate) fn exclusive_frame(&mut self) -> &mut TrapFrame {
        self.frame.get_mut()
    }

    /// Returns the caller's memory, which is the active address space.
    #[inline]
    pub fn memory(&self) -> &Arc<AddressSpace> {
        &self.memory
    }

    /// Returns the caller's open files.
    #[inline]
    pub fn files(&self) -> &Arc<FdTable> {
        &self.files
    }

    /// Gives a file the lowest free number that RLIMIT_NOFILE allows.
    ///
    /// # Errors
    /// EMFILE; ENOMEM.
    pub fn install(&self, file: Arc<OpenFile>, on_exec: OnExec) -> Result<Fd, Errno> {
        let limit = self.process.limits().soft(RLIMIT_NOFILE);
        self.files.insert(file, 0, on_exec, limit)
    }

    /// Returns root, working directory and umask, which may be shared with other threads.
    #[inline]
    pub fn fs(&self) -> &Arc<Mutex<SharedFs>> {
        &self.fs
    }

    /// Returns who the caller acts as.
    #[inline]
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Returns what a path operation wants to know.
    pub fn caller(&self) -> Caller<'_> {
        let fs = self.fs.lock();
        Caller {
            credentials: &self.credentials,
            root: fs.root.clone(),
            cwd: fs.cwd.clone(),
            umask: fs.umask,
        }
    }
}
