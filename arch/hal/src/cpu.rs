//! One processor: identity, kernel contexts, the user registers outside of the trap frame, and power.

use core::fmt;
use core::sync::atomic::AtomicU64;

/// Most CPUs that the kernel will ever use; sizes per-CPU arrays.
pub const MAX_CPUS: usize = 8;

/// A set of CPUs, one bit for each dense index.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuSet(u64);

impl CpuSet {
    /// No CPU.
    pub const EMPTY: Self = Self(0);

    /// Takes a set by its bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns one bit for each CPU.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns a set of one.
    pub const fn only(cpu: usize) -> Self {
        Self(1 << cpu)
    }

    /// Reports whether a CPU is in the set.
    pub const fn contains(self, cpu: usize) -> bool {
        self.0 & Self::only(cpu).0 != 0
    }

    /// Adds a CPU.
    #[must_use]
    pub const fn with(self, cpu: usize) -> Self {
        Self(self.0 | Self::only(cpu).0)
    }

    /// Takes a CPU out.
    #[must_use]
    pub const fn without(self, cpu: usize) -> Self {
        Self(self.0 & !Self::only(cpu).0)
    }

    /// Reports whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A kernel thread's entry: takes the argument given to [`Cpu::new_context`] and never returns.
pub type ContextEntry = extern "C" fn(usize) -> !;

/// Processor operations that are not about memory, traps, interrupts or time.
pub trait Cpu {
    /// Callee-saved registers and stack pointer of a kernel thread that is not running.
    type Context: Send;

    /// FP/SIMD registers and thread pointers (FS and GS base, TPIDR_EL0) of a program. They stay in the
    /// processor while the kernel runs, since the kernel uses none of them.
    type UserState: Clone + Send + 'static;

    /// Prepares this CPU (features, per-CPU pointer); called first, with its dense index.
    fn init_cpu(index: usize);

    /// Returns this CPU's dense index, below [`MAX_CPUS`].
    fn cpu_index() -> usize;

    /// Returns the set of lock ranks that this CPU holds, for the lock order check of debug builds.
    fn held_ranks() -> &'static AtomicU64 {
        static HELD: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];
        &HELD[Self::cpu_index()]
    }

    /// Makes the context of a thread that starts at `entry(argument)` on a stack that ends at `stack_top`
    /// (aligned to 16 bytes), with interrupts masked.
    fn new_context(stack_top: usize, entry: ContextEntry, argument: usize) -> Self::Context;

    /// Saves the running kernel thread in `previous` and continues `next`. `next_stack_top` is the end of
    /// the next thread's kernel stack, where traps from user mode begin.
    ///
    /// # Safety
    /// Interrupts are masked. `next` was made by `new_context` or saved by `switch`, is not running
    /// anywhere, its stack is mapped; both pointers stay valid until the switch is complete.
    #[expect(unsafe_code, reason = "states a duty of the caller")]
    unsafe fn switch(previous: *mut Self::Context, next: *const Self::Context, next_stack_top: usize);

    /// Returns the state that a fresh program image starts with.
    fn initial_user_state() -> Self::UserState;

    /// Copies this CPU's user registers to `state`.
    fn save_user_state(state: &mut Self::UserState);

    /// Loads this CPU's user registers from `state`.
    fn load_user_state(state: &Self::UserState);

    /// Returns the thread pointer (FS base, TPIDR_EL0).
    fn thread_pointer(state: &Self::UserState) -> u64;

    /// Sets the thread pointer; false when the address is not one that the processor accepts.
    fn set_thread_pointer(state: &mut Self::UserState, address: u64) -> bool;

    /// Returns the second thread pointer (GS base), 0 where there is none.
    fn second_thread_pointer(state: &Self::UserState) -> u64;

    /// Sets the second thread pointer; false when there is none or the address is refused.
    fn set_second_thread_pointer(state: &mut Self::UserState, address: u64) -> bool;

    /// Reports whether the program may read the cycle counter (RDTSC, CNTVCT_EL0).
    fn reads_counter(state: &Self::UserState) -> bool;

    /// Sets whether the program may read the cycle counter; who may not gets
    /// [`Protection`](crate::trap::ExceptionKind::Protection).
    fn set_reads_counter(state: &mut Self::UserState, allowed: bool);

    /// Returns AT_HWCAP and AT_HWCAP2.
    fn hardware_capabilities() -> (u64, u64);

    /// Returns AT_PLATFORM, as in Linux (`x86_64`, `aarch64`).
    fn platform() -> &'static str;

    /// Writes this CPU's paragraph of /proc/cpuinfo, with the empty line that ends it.
    ///
    /// # Errors
    /// Those of the writer.
    fn write_cpuinfo(index: usize, out: &mut dyn fmt::Write) -> fmt::Result;

    /// Fills `bytes` from the processor's random number instruction; false when it has none or it failed.
    fn hardware_random(bytes: &mut [u8]) -> bool;

    /// Switches the machine off; halts for ever when that is impossible.
    fn power_off() -> !;

    /// Restarts the machine; halts for ever when that is impossible.
    fn reboot() -> !;

    /// Masks interrupts and stops this CPU for ever.
    fn halt() -> !;
}
