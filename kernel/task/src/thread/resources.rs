//! What a thread shares with some others, by choice at clone(2): open files, and its view of the file system.

use alloc::sync::Arc;

use sync::{Mutex, Use};

use super::{Thread, Work};
use crate::fd_table::FdTable;
use crate::fs_sharing::{FsUse, SharedFs};

/// The shares of a thread, which it gives up at its death.
#[derive(Default)]
pub(crate) struct Resources {
    pub(crate) files: Option<Use<FdTable>>,
    pub(crate) fs: Option<FsUse>,
}

impl Thread {
    /// Returns the table of open files; `None` once the thread has given it up at its death.
    pub fn files(&self) -> Option<Arc<FdTable>> {
        self.resources
            .lock()
            .files
            .as_ref()
            .map(|files| files.shared().clone())
    }

    /// Becomes another user of the thread's open files. Called by the thread itself.
    pub(crate) fn share_files(&self) -> Option<Use<FdTable>> {
        self.resources.lock().files.clone()
    }

    /// Reports whether other threads use the thread's open files. Called by the thread itself.
    pub(crate) fn shares_files(&self) -> bool {
        self.resources.lock().files.as_ref().is_some_and(Use::has_others)
    }

    /// Replaces the open files that the thread works with.
    pub fn set_files(&self, files: Use<FdTable>) {
        let old = self.resources.lock().files.replace(files);
        drop(old);
        self.add_work(Work::REFRESH);
    }

    /// Returns root, working directory and umask; `None` once the thread has given them up.
    pub fn fs(&self) -> Option<Arc<Mutex<SharedFs>>> {
        self.resources.lock().fs.as_ref().map(|fs| fs.shared().clone())
    }

    /// Tells whether these are the thread's root, working directory and umask.
    pub(crate) fn uses_fs(&self, shared: &Arc<Mutex<SharedFs>>) -> bool {
        let resources = self.resources.lock();
        resources
            .fs
            .as_ref()
            .is_some_and(|fs| Arc::ptr_eq(fs.shared(), shared))
    }

    /// Replaces root, working directory and umask that the thread works with.
    pub(crate) fn set_fs(&self, fs: FsUse) {
        let old = self.resources.lock().fs.replace(fs);
        drop(old);
        self.add_work(Work::REFRESH);
    }

    /// Gives up files and directories.
    pub(crate) fn take_resources(&self) -> Resources {
        core::mem::take(&mut self.resources.lock())
    }
}
