//! What belongs to one CPU and is reached through TPIDR_EL1 while the kernel runs: [`PerCpu`].

use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use aarch64_cpu::registers::TPIDR_EL1;
use aarch64_cpu::registers::{Readable, Writeable};
use hal::cpu::MAX_CPUS;

/// Bytes of the stack on which a CPU handles its own faults.
pub(crate) const FAULT_STACK_BYTES: usize = 16 << 10;

/// The data of one CPU. `boot.S` fills in the fault stack of CPU 0, the rest starts as zero.
#[repr(C)]
pub(crate) struct PerCpu {
    index: AtomicUsize,
    fault_stack_top: AtomicUsize,
    /// Faults of the kernel that are being handled; more than one means that the handler faulted.
    pub(crate) fault_depth: AtomicUsize,
    /// MIDR_EL1, 0 for a CPU that has not been started.
    pub(crate) midr: AtomicU64,
}

/// Offset of the fault stack's end, for the vectors.
pub(crate) const FAULT_STACK_TOP: usize = offset_of!(PerCpu, fault_stack_top);

/// The data of all CPUs, by index.
pub(crate) static CPUS: [PerCpu; MAX_CPUS] = [const { PerCpu::new() }; MAX_CPUS];

/// A stack in bss, of which only the address is used by Rust.
#[repr(C, align(16))]
pub(crate) struct Stack<const BYTES: usize>(UnsafeCell<[u8; BYTES]>);

// SAFETY: no reference to the contents is ever made; each stack belongs to one CPU.
unsafe impl<const BYTES: usize> Sync for Stack<BYTES> {}

impl<const BYTES: usize> Stack<BYTES> {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new([0; BYTES]))
    }

    fn top(&self) -> usize {
        self.0.get().addr() + BYTES
    }
}

/// The stacks for faults of the kernel, by CPU index.
pub(crate) static FAULT_STACKS: [Stack<FAULT_STACK_BYTES>; MAX_CPUS] = [const { Stack::new() }; MAX_CPUS];

impl PerCpu {
    const fn new() -> Self {
        Self {
            index: AtomicUsize::new(0),
            fault_stack_top: AtomicUsize::new(0),
            fault_depth: AtomicUsize::new(0),
            midr: AtomicU64::new(0),
        }
    }

    /// Makes this the data of the running CPU.
    pub(crate) fn install(&'static self, index: usize) {
        self.index.store(index, Ordering::Relaxed);
        self.fault_stack_top
            .store(FAULT_STACKS[index].top(), Ordering::Relaxed);
        TPIDR_EL1.set(core::ptr::from_ref(self).addr() as u64);
    }

    /// Returns the dense index.
    #[inline]
    pub(crate) fn index(&self) -> usize {
        self.index.load(Ordering::Relaxed)
    }
}

/// Returns the data of the CPU that runs this. With interrupts enabled the thread may move on before it
/// uses the answer.
#[inline]
pub(crate) fn this_cpu() -> &'static PerCpu {
    let address = TPIDR_EL1.get() as usize;
    // SAFETY: `boot.S` and `install` put the address of an element of CPUS there, and nothing else does.
    unsafe { &*core::ptr::with_exposed_provenance(address) }
}
