//! [`SigSet`]: sets of signals, as masks and as what is pending.

use super::Signal;

/// Set of signals: bit `n - 1` is signal `n`.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Default,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(transparent)]
pub struct SigSet(pub u64);

impl SigSet {
    /// The set without members.
    pub const EMPTY: Self = Self(0);
    /// The set of all signals.
    pub const ALL: Self = Self(!0);
    /// SIGKILL and SIGSTOP, which no mask blocks.
    pub const UNSTOPPABLE: Self = Self::EMPTY.with(Signal::KILL).with(Signal::STOP);

    /// Tells whether the signal is a member.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << signal.index()) != 0
    }

    /// Returns the set with the signal.
    #[must_use]
    pub const fn with(self, signal: Signal) -> Self {
        Self(self.0 | 1 << signal.index())
    }

    /// Returns the set without the signal.
    #[must_use]
    pub const fn without(self, signal: Signal) -> Self {
        Self(self.0 & !(1 << signal.index()))
    }

    /// Adds the signal.
    pub const fn insert(&mut self, signal: Signal) {
        *self = self.with(signal);
    }

    /// Removes the signal.
    pub const fn remove(&mut self, signal: Signal) {
        *self = self.without(signal);
    }

    /// Returns the members of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the members of both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the members of this set that are not in the other.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Tells whether there are no members.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the member with the lowest number.
    pub const fn first(self) -> Option<Signal> {
        Signal::new(self.0.trailing_zeros() + 1)
    }

    /// Iterates over the members from the lowest number.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        let mut rest = self;
        core::iter::from_fn(move || {
            let signal = rest.first()?;
            rest.remove(signal);
            Some(signal)
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{SigSet, Signal};
    use std::vec::Vec;

    #[test]
    fn sets_hold_signals_at_both_ends() {
        let last = Signal::new(64).unwrap();
        let set = SigSet::EMPTY.with(last).with(Signal::HUP);
        assert_eq!(set.0, 1 << 63 | 1);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Signal::HUP, last]);
        assert_eq!(SigSet::EMPTY.first(), None);
        assert_eq!(SigSet::ALL.iter().count(), 64);
        assert_eq!(set.difference(SigSet::UNSTOPPABLE), set);
        assert_eq!(SigSet::UNSTOPPABLE.0, 1 << 8 | 1 << 18);
    }
}
