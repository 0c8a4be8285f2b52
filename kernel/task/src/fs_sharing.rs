//! Root, working directory and umask as threads share them (CLONE_FS), with the count that tells execve whether
//! somebody outside of the process could change them under a program with more rights.

use alloc::sync::Arc;
use core::ops::{Deref, DerefMut};

use los_abi::errno::Errno;
use sync::{Mutex, Rank};
use vfs::FsContext;

use crate::process::Process;

/// What threads share.
pub struct SharedFs {
    context: FsContext,
    /// Number of threads that use it.
    users: usize,
    /// Whether a process that has it for itself is about to run a program: nobody may join then.
    is_executing: bool,
}

impl Deref for SharedFs {
    type Target = FsContext;

    fn deref(&self) -> &FsContext {
        &self.context
    }
}

impl DerefMut for SharedFs {
    fn deref_mut(&mut self) -> &mut FsContext {
        &mut self.context
    }
}

/// A thread's use of it, which counts until it is dropped. Dropping may sleep.
pub(crate) struct FsUse(Arc<Mutex<SharedFs>>);

impl FsUse {
    /// Starts with one user.
    pub(crate) fn new(context: FsContext) -> Self {
        let shared = SharedFs {
            context,
            users: 1,
            is_executing: false,
        };
        Self(Arc::new(Mutex::new(Rank::FsContext, shared)))
    }

    /// Adds a user.
    ///
    /// # Errors
    /// EAGAIN while the process of one user starts a program.
    pub(crate) fn join(shared: &Arc<Mutex<SharedFs>>) -> Result<Self, Errno> {
        let mut fs = shared.lock();
        if fs.is_executing {
            return Err(Errno::EAGAIN);
        }
        fs.users += 1;
        drop(fs);
        Ok(Self(shared.clone()))
    }

    /// Makes a copy for one user.
    pub(crate) fn copy(shared: &Mutex<SharedFs>) -> Self {
        let context = shared.lock().context.clone();
        Self::new(context)
    }

    /// Returns what is shared.
    pub(crate) fn shared(&self) -> &Arc<Mutex<SharedFs>> {
        &self.0
    }
}

impl Drop for FsUse {
    fn drop(&mut self) {
        self.0.lock().users -= 1;
    }
}

/// An execve under way.
pub(crate) struct Executing<'a> {
    fs: &'a Mutex<SharedFs>,
    is_shared: bool,
}

impl<'a> Executing<'a> {
    /// Finds out whether threads of other processes use what those of this one do. If not, none will until the
    /// execve is over.
    pub(crate) fn start(process: &Process, shared: &'a Arc<Mutex<SharedFs>>) -> Result<Self, Errno> {
        let mut fs = shared.lock();
        let threads = process.threads()?;
        let own = threads.iter().filter(|thread| thread.uses_fs(shared)).count();
        let is_shared = fs.users > own;
        fs.is_executing |= !is_shared;
        drop(fs);
        Ok(Self {
            fs: shared,
            is_shared,
        })
    }

    /// Tells whether somebody outside of the process shares (`LSM_UNSAFE_SHARE`).
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }
}

impl Drop for Executing<'_> {
    fn drop(&mut self) {
        if !self.is_shared {
            self.fs.lock().is_executing = false;
        }
    }
}
