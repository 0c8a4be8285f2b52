//! Extended attributes of a tmpfs: which are stored, and what they cost.

use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::XattrFlags;

use super::node::Node;

impl Node {
    pub(super) fn get_extended(&self, name: &[u8]) -> Result<Vec<u8>, Errno> {
        check_name(name)?;
        self.extended.get(name)
    }

    pub(super) fn set_extended(&self, name: &[u8], value: &[u8], flags: XattrFlags) -> Result<(), Errno> {
        check_name(name)?;
        let budget = &self.volume.budget;
        let charge = budget.charge_attribute(name.len(), value.len())?;
        let old = self.extended.set(name, value, flags)?;
        charge.keep();
        if let Some(length) = old {
            budget.uncharge_attribute(name.len(), length);
        }
        self.attributes.note_change();
        Ok(())
    }

    pub(super) fn remove_extended(&self, name: &[u8]) -> Result<(), Errno> {
        check_name(name)?;
        let length = self.extended.remove(name)?;
        self.volume.budget.uncharge_attribute(name.len(), length);
        self.attributes.note_change();
        Ok(())
    }

    /// Takes all off the count, when the inode goes.
    pub(super) fn uncharge_extended(&mut self) {
        for (name, value) in self.extended.lengths() {
            self.volume.budget.uncharge_attribute(name, value);
        }
    }
}

/// Checks that a name is one of those that are stored, and not only their prefix.
fn check_name(name: &[u8]) -> Result<(), Errno> {
    const STORED: [&[u8]; 3] = [b"security.", b"trusted.", b"user."];
    match STORED.iter().find_map(|prefix| name.strip_prefix(*prefix)) {
        Some(b"") => Err(Errno::EINVAL),
        Some(_) => Ok(()),
        None => Err(Errno::EOPNOTSUPP),
    }
}
