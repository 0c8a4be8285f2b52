//! What a thread has set for itself and its children start with, beside its identity and its place in the
//! schedule: the personality (personality(2)).

use core::sync::atomic::{AtomicU32, Ordering};

use los_abi::credentials::Personality;
use los_abi::errno::Errno;
use los_abi::isa::IsaAbi;
use los_arch::CurrentAbi;

/// The settings of a thread.
pub struct ThreadAttributes {
    personality: AtomicU32,
}

impl ThreadAttributes {
    pub(crate) const fn new() -> Self {
        Self {
            personality: AtomicU32::new(0),
        }
    }

    /// Takes over the settings of the parent.
    pub(crate) fn inherit(&self, parent: &Self) {
        self.store_personality(parent.personality());
    }

    /// Returns the personality.
    pub fn personality(&self) -> Personality {
        Personality::from_bits_retain(self.personality.load(Ordering::Relaxed))
    }

    /// Sets the personality and returns the old one. Unknown flags are kept, as on Linux.
    ///
    /// # Errors
    /// EINVAL for a machine of 32 bits where there is none.
    pub fn set_personality(&self, new: Personality) -> Result<Personality, Errno> {
        if new.domain() == Personality::LINUX32 && CurrentAbi::MACHINE_32.is_none() {
            return Err(Errno::EINVAL);
        }
        let old = self.personality();
        self.store_personality(new);
        Ok(old)
    }

    pub(crate) fn store_personality(&self, personality: Personality) {
        self.personality.store(personality.bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_personality_is_kept_and_inherited() {
        let (parent, child) = (ThreadAttributes::new(), ThreadAttributes::new());
        let odd = Personality::from_bits_retain(0x8000_0001) | Personality::ADDR_NO_RANDOMIZE;
        assert_eq!(parent.set_personality(odd), Ok(Personality::empty()));
        child.inherit(&parent);
        assert_eq!(child.personality(), odd);
    }
}
