//! How many files are open on the machine: /proc/sys/fs/file-max and file-nr.

use core::sync::atomic::{AtomicUsize, Ordering};

use los_abi::errno::Errno;

use crate::credentials::{Capability, Credentials};
use crate::user_limits::{Limit, limit};

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Returns how many files are open.
pub fn open_files() -> usize {
    OPEN.load(Ordering::Relaxed)
}

/// Checks that one more may be: only with CAP_SYS_ADMIN when there are as many as the limit.
///
/// # Errors
/// ENFILE; ENOMEM when memory is so short that there are no further ones for anybody.
pub(crate) fn check_open_files(credentials: &Credentials) -> Result<(), Errno> {
    if open_files() >= limit(Limit::OpenFiles) && !credentials.capable(Capability::SysAdmin) {
        return Err(Errno::ENFILE);
    }
    if mm::frames::headroom() {
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}

/// One open file in the count, until it is dropped.
pub(super) struct Counted(());

impl Counted {
    /// # Errors
    /// As [`check_open_files`].
    pub(super) fn take(credentials: &Credentials) -> Result<Self, Errno> {
        check_open_files(credentials)?;
        OPEN.fetch_add(1, Ordering::Relaxed);
        Ok(Self(()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}
