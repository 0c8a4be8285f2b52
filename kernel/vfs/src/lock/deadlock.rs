//! Who waits for whose record lock, so that waiting in a circle is refused (fcntl(2): EDEADLK).

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;

use super::{Key, Owner};

/// Longest chain of waiters that is followed; what lies behind it is taken for no circle, as Linux does.
const CHAIN_MAX: usize = 10;

/// A process that waits.
struct Wait {
    ticket: u64,
    file: Key,
    waiter: Owner,
    blocker: Owner,
}

/// All waits of processes. Those of open files are not followed.
#[derive(Default)]
pub(super) struct Waits(Vec<Wait>);

/// Returns a number for a wait, different from all others.
pub(super) fn ticket() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Waits {
    /// Notes that an owner waits for another.
    ///
    /// # Errors
    /// EDEADLK when that one waits for the first, maybe through others; ENOMEM.
    pub(super) fn begin(
        &mut self,
        ticket: u64,
        file: Key,
        waiter: Owner,
        blocker: Owner,
    ) -> Result<(), Errno> {
        if matches!(waiter, Owner::File(_)) {
            return Ok(());
        }
        let next = |owner: &Owner| {
            self.0
                .iter()
                .find(|wait| wait.waiter == *owner)
                .map(|wait| wait.blocker)
        };
        let mut chain = core::iter::successors(next(&blocker), next).take(CHAIN_MAX);
        if chain.any(|owner| owner == waiter) {
            return Err(Errno::EDEADLK);
        }
        self.0.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.0.push(Wait {
            ticket,
            file,
            waiter,
            blocker,
        });
        Ok(())
    }

    /// Notes that a wait is over.
    pub(super) fn end(&mut self, ticket: u64) {
        self.0.retain(|wait| wait.ticket != ticket);
    }

    /// Notes that whoever waited for a file's locks is about to look again.
    pub(super) fn end_all(&mut self, file: Key) {
        self.0.retain(|wait| wait.file != file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Key = (1, 1);

    fn begin(waits: &mut Waits, waiter: u64, blocker: u64) -> Result<(), Errno> {
        waits.begin(waiter, FILE, Owner::Process(waiter), Owner::Process(blocker))
    }

    #[test]
    fn circles_are_refused() {
        let mut waits = Waits::default();
        assert_eq!(begin(&mut waits, 1, 2), Ok(()));
        assert_eq!(begin(&mut waits, 2, 3), Ok(()));
        assert_eq!(begin(&mut waits, 3, 1), Err(Errno::EDEADLK));
        assert_eq!(begin(&mut waits, 3, 4), Ok(()));
        waits.end(1);
        assert_eq!(begin(&mut waits, 4, 1), Ok(()));
        waits.end_all(FILE);
        assert_eq!(begin(&mut waits, 3, 2), Ok(()));
    }

    #[test]
    fn open_files_may_wait_for_each_other() {
        let mut waits = Waits::default();
        for (waiter, blocker) in [(1, 2), (2, 1)] {
            let (waiter, blocker) = (Owner::File(waiter), Owner::File(blocker));
            assert_eq!(waits.begin(0, FILE, waiter, blocker), Ok(()));
        }
    }
}
