//! Seals of memory files: what may no longer be done to them (fcntl(2), "File Sealing").

use los_abi::errno::Errno;
use los_abi::fs::SealFlags;
use sync::{Rank, SpinLock};

/// The seals of one file, and how many mappings might write to it: the one excludes the other.
#[derive(Debug)]
pub struct Seals(SpinLock<State>);

#[derive(Debug)]
struct State {
    seals: SealFlags,
    writable_mappings: u32,
}

impl Seals {
    /// Starts with these seals.
    pub const fn new(seals: SealFlags) -> Self {
        Self(SpinLock::new(
            Rank::FileSystem,
            State {
                seals,
                writable_mappings: 0,
            },
        ))
    }

    /// Returns the seals.
    pub fn get(&self) -> SealFlags {
        self.0.lock().seals
    }

    /// Adds seals to a file with this mode. An executable file whose mode is sealed is sealed against changes
    /// of its contents as well.
    ///
    /// # Errors
    /// EPERM when the set of seals is sealed; EBUSY to seal against writing what is mapped writable.
    pub fn add(&self, seals: SealFlags, mode: u16) -> Result<(), Errno> {
        let mut state = self.0.lock();
        if state.seals.contains(SealFlags::SEAL) {
            return Err(Errno::EPERM);
        }
        let writes = SealFlags::WRITE;
        if seals.contains(writes) && !state.seals.contains(writes) && state.writable_mappings > 0 {
            return Err(Errno::EBUSY);
        }
        state.seals |= seals;
        if seals.contains(SealFlags::EXEC) && mode & 0o111 != 0 {
            state.seals |= SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::FUTURE_WRITE;
        }
        Ok(())
    }

    /// Notes a mapping through which the file might be written.
    ///
    /// # Errors
    /// EPERM when it is sealed against writing. Never while another such mapping exists.
    pub fn note_writable_mapping(&self) -> Result<(), Errno> {
        let mut state = self.0.lock();
        if state.seals.contains(SealFlags::WRITE) && state.writable_mappings == 0 {
            return Err(Errno::EPERM);
        }
        state.writable_mappings += 1;
        Ok(())
    }

    /// Notes the end of a mapping that was noted.
    pub fn forget_writable_mapping(&self) {
        self.0.lock().writable_mappings -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_seals_stay() {
        let seals = Seals::new(SealFlags::empty());
        seals.add(SealFlags::GROW | SealFlags::SEAL, 0o600).unwrap();
        assert_eq!(seals.add(SealFlags::SHRINK, 0o600), Err(Errno::EPERM));
        assert_eq!(seals.get(), SealFlags::GROW | SealFlags::SEAL);
    }

    #[test]
    fn writable_mappings_and_the_seal_exclude_each_other() {
        let seals = Seals::new(SealFlags::empty());
        seals.note_writable_mapping().unwrap();
        assert_eq!(seals.add(SealFlags::WRITE, 0o600), Err(Errno::EBUSY));
        seals.add(SealFlags::FUTURE_WRITE, 0o600).unwrap();
        // The kernel repeats a mapping when it splits or forks.
        seals.note_writable_mapping().unwrap();
        seals.forget_writable_mapping();
        seals.forget_writable_mapping();
        seals.add(SealFlags::WRITE, 0o600).unwrap();
        assert_eq!(seals.note_writable_mapping(), Err(Errno::EPERM));
    }

    #[test]
    fn a_sealed_mode_of_a_program_seals_its_contents() {
        let (data, program) = (Seals::new(SealFlags::empty()), Seals::new(SealFlags::empty()));
        data.add(SealFlags::EXEC, 0o666).unwrap();
        program.add(SealFlags::EXEC, 0o777).unwrap();
        assert_eq!(data.get(), SealFlags::EXEC);
        assert!(
            program
                .get()
                .contains(SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW)
        );
    }
}
