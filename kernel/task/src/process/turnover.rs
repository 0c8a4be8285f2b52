//! The moment in which execve gives a process another memory and another identity. Who asks whether it may look, and then
//! looks, must find both of one program (Linux's `exec_update_lock`).

use core::hint;
use core::sync::atomic::{AtomicU64, Ordering, fence};

/// Counts the beginnings and ends of such moments: odd within one.
#[derive(Default)]
pub(crate) struct Turnover(AtomicU64);

impl Turnover {
    /// Starts outside of any.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Runs a change, which must not sleep: others wait for it. Of a process's only thread.
    pub(crate) fn change<R>(&self, change: impl FnOnce() -> R) -> R {
        self.0.fetch_add(1, Ordering::AcqRel);
        fence(Ordering::Release);
        let result = change();
        self.0.fetch_add(1, Ordering::Release);
        result
    }

    /// Looks until nothing was changed meanwhile.
    pub(crate) fn look<R>(&self, look: impl Fn() -> R) -> R {
        loop {
            let before = self.0.load(Ordering::Acquire);
            if before.is_multiple_of(2) {
                let seen = look();
                fence(Ordering::Acquire);
                if self.0.load(Ordering::Relaxed) == before {
                    return seen;
                }
            }
            hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn a_look_sees_the_whole_of_a_change() {
        const CHANGES: u64 = 1000;
        let turnover = Turnover::new();
        let (memory, identity) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1..=CHANGES {
                    turnover.change(|| {
                        memory.store(number, Ordering::Relaxed);
                        std::thread::yield_now();
                        identity.store(number, Ordering::Relaxed);
                    });
                }
            });
            loop {
                let seen = turnover.look(|| {
                    let seen = identity.load(Ordering::Relaxed);
                    (seen, memory.load(Ordering::Relaxed))
                });
                assert_eq!(seen.0, seen.1);
                if seen.0 == CHANGES {
                    break;
                }
            }
        });
    }

    #[test]
    fn what_was_seen_before_a_change_is_looked_at_again() {
        let turnover = Turnover::new();
        let looks = AtomicU64::new(0);
        let seen = turnover.look(|| {
            let look = looks.fetch_add(1, Ordering::Relaxed);
            if look == 0 {
                turnover.change(|| {});
            }
            look
        });
        assert_eq!(seen, 1);
    }
}
