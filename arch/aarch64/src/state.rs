//! [`UserState`]: the registers of a program that stay in the processor while the kernel runs, which is
//! built without floating point. `cpu.rs` loads and saves them.

/// FP/SIMD registers and thread pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct UserState {
    /// q0 to q31.
    pub(crate) q: [u128; 32],
    /// Floating-point status.
    pub(crate) fpsr: u64,
    /// Floating-point control.
    pub(crate) fpcr: u64,
    /// TPIDR_EL0.
    pub(crate) thread_pointer: u64,
    /// Whether the program may read CNTVCT_EL0.
    pub(crate) reads_counter: bool,
}

impl UserState {
    /// Makes the state that a fresh image starts with: all zero.
    pub const fn new() -> Self {
        Self {
            q: [0; 32],
            fpsr: 0,
            fpcr: 0,
            thread_pointer: 0,
            reads_counter: true,
        }
    }
}

impl Default for UserState {
    fn default() -> Self {
        Self::new()
    }
}
