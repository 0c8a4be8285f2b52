//! Signals about an open file: its owner, and whether he gets them (fcntl(2), O_ASYNC).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;

use super::OpenFile;
use crate::owner::Owner;

impl OpenFile {
    /// Returns who gets signals about the file.
    pub fn owner(&self) -> &Arc<Owner> {
        self.owner.call_once(Owner::new)
    }

    /// Sets whether the owner gets signals about this file, which he will know by the descriptor (O_ASYNC).
    /// Returns whether that changed; no file without signals is asynchronous.
    ///
    /// # Errors
    /// ENOTTY for a file without signals; ENOMEM; EBADF for O_PATH.
    pub fn set_asynchronous(&self, fd: i32, is_asynchronous: bool) -> Result<bool, Errno> {
        if self.flags().contains(OpenFlags::ASYNC) == is_asynchronous {
            return Ok(false);
        }
        let lists = self.ops()?.signal_lists();
        if lists.iter().all(Option::is_none) {
            return Err(Errno::ENOTTY);
        }
        self.leave_signal_lists();
        if is_asynchronous {
            for list in lists.into_iter().flatten() {
                list.add(self.owner(), fd)
                    .inspect_err(|_| self.leave_signal_lists())?;
            }
            self.flags.fetch_or(OpenFlags::ASYNC.bits(), Ordering::Relaxed);
        } else {
            self.flags.fetch_and(!OpenFlags::ASYNC.bits(), Ordering::Relaxed);
        }
        Ok(true)
    }

    /// Ends what [`set_asynchronous`](Self::set_asynchronous) began.
    pub(super) fn leave_signal_lists(&self) {
        if let (Some(owner), Some(ops)) = (self.owner.get(), &self.ops) {
            for list in ops.signal_lists().into_iter().flatten() {
                list.remove(owner);
            }
        }
    }
}
