//! One value per CPU, reached through one accessor.

use los_arch::{Current, hal::cpu::MAX_CPUS, hal::prelude::Cpu};

/// An array by CPU. The value is shared in principle (a thread may move between looking up and using it),
/// so it is an atomic or a lock that is rarely contended.
#[derive(Debug)]
pub struct PerCpu<T>([T; MAX_CPUS]);

impl<T> PerCpu<T> {
    /// Takes one value for each possible CPU: `PerCpu::new([const { … }; MAX_CPUS])`.
    pub const fn new(values: [T; MAX_CPUS]) -> Self {
        Self(values)
    }

    /// Returns this CPU's value.
    #[inline]
    pub fn current(&self) -> &T {
        &self.0[Current::cpu_index()]
    }

    /// Returns all values, by CPU index.
    pub fn iter(&self) -> core::slice::Iter<'_, T> {
        self.0.iter()
    }
}
