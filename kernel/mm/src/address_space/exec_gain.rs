//! Memory that must not become executable (PR_SET_MDWE).

use los_abi::errno::Errno;
use los_abi::mm::ProtFlags;

use super::{AddressSpace, Inner};

/// Whether memory may be writable and executable, or become executable after it was mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ExecGain {
    /// It may.
    #[default]
    Allowed,
    /// It may not, here and in children.
    Refused,
    /// It may not here; children start free.
    RefusedHere,
}

impl ExecGain {
    pub(super) fn inherited(self) -> Self {
        match self {
            Self::Refused => Self::Refused,
            Self::Allowed | Self::RefusedHere => Self::Allowed,
        }
    }
}

impl AddressSpace {
    /// Returns the rule.
    pub fn exec_gain(&self) -> ExecGain {
        self.inner.lock().exec_gain
    }

    /// Sets the rule.
    ///
    /// # Errors
    /// EPERM to change one that was set.
    pub fn set_exec_gain(&self, new: ExecGain) -> Result<(), Errno> {
        let mut inner = self.inner.lock();
        if inner.exec_gain != ExecGain::Allowed && inner.exec_gain != new {
            return Err(Errno::EPERM);
        }
        inner.exec_gain = new;
        Ok(())
    }

    /// Takes over the rule of the space that this one follows at execve.
    pub fn inherit_exec_gain(&self, old: &Self) {
        let inherited = old.exec_gain().inherited();
        self.inner.lock().exec_gain = inherited;
    }
}

impl Inner {
    /// Refuses a protection that the rule does not allow for memory that has, or is to start with, another one.
    pub(super) fn check_exec_gain(&self, old: ProtFlags, new: ProtFlags) -> Result<(), Errno> {
        let is_gain = new.contains(ProtFlags::WRITE) || !old.contains(ProtFlags::EXEC);
        if self.exec_gain != ExecGain::Allowed && new.contains(ProtFlags::EXEC) && is_gain {
            return Err(Errno::EACCES);
        }
        Ok(())
    }
}
