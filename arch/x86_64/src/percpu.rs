//! The data of one CPU, reached through GS while the kernel runs. Entry code uses the first fields by offset.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use hal::cpu::{CpuSet, MAX_CPUS};
use spin::Once;
use x86_64::structures::gdt::GlobalDescriptorTable;
use x86_64::structures::tss::TaskStateSegment;

/// Entries of the GDT: see `gdt`.
pub(crate) const GDT_ENTRIES: usize = 11;

/// One CPU's data. The alignment keeps the TSS within one page.
#[repr(C, align(256))]
pub(crate) struct PerCpu {
    /// This structure's own address.
    this: AtomicUsize,
    /// The user's RSP between `syscall` and its place in the frame.
    pub(crate) user_rsp: AtomicU64,
    /// The kernel stack pointer that `run_user` returns to.
    pub(crate) kernel_rsp: AtomicU64,
    /// The dense CPU number.
    index: AtomicUsize,
    /// The deadline of the timer in nanoseconds, `u64::MAX` for none.
    pub(crate) deadline_ns: AtomicU64,
    /// Brings the TSS's RSP0, at its offset 4, to a multiple of 8.
    padding: u32,
    /// The task state segment. Its RSP0 is the end of the frame of the program that runs.
    pub(crate) tss: UnsafeCell<TaskStateSegment>,
    /// The descriptor table, made by `gdt::init`.
    pub(crate) gdt: Once<GlobalDescriptorTable<GDT_ENTRIES>>,
    /// Whether CR4.TSD keeps programs from RDTSC.
    pub(crate) hides_counter: AtomicBool,
}

// SAFETY: only the CPU itself uses the one field that is not atomic, and only with interrupts masked.
unsafe impl Sync for PerCpu {}

/// Offset of the saved user RSP from the GS base.
pub(crate) const USER_RSP: usize = offset_of!(PerCpu, user_rsp);
/// Offset of the saved kernel RSP from the GS base.
pub(crate) const KERNEL_RSP: usize = offset_of!(PerCpu, kernel_rsp);
/// Offset of the TSS's RSP0 from the GS base.
pub(crate) const TSS_RSP0: usize = offset_of!(PerCpu, tss) + 4;
const _: () = assert!(TSS_RSP0.is_multiple_of(8));

/// All CPUs' data.
pub(crate) static CPUS: [PerCpu; MAX_CPUS] = [const { PerCpu::new() }; MAX_CPUS];

/// The CPUs that run.
static RUNNING: AtomicU64 = AtomicU64::new(0);

/// Returns the CPUs that run.
pub(crate) fn running() -> CpuSet {
    CpuSet::from_bits(RUNNING.load(Ordering::Relaxed))
}

impl PerCpu {
    const fn new() -> Self {
        Self {
            this: AtomicUsize::new(0),
            user_rsp: AtomicU64::new(0),
            kernel_rsp: AtomicU64::new(0),
            index: AtomicUsize::new(0),
            deadline_ns: AtomicU64::new(u64::MAX),
            padding: 0,
            tss: UnsafeCell::new(TaskStateSegment::new()),
            gdt: Once::new(),
            hides_counter: AtomicBool::new(false),
        }
    }

    /// Fills in what the GS-relative accesses read.
    pub(crate) fn init(&'static self, index: usize) {
        self.this.store(self.address(), Ordering::Relaxed);
        self.index.store(index, Ordering::Relaxed);
        RUNNING.fetch_or(CpuSet::only(index).bits(), Ordering::Relaxed);
    }

    /// Returns the value of the GS base for this CPU.
    pub(crate) fn address(&'static self) -> usize {
        core::ptr::from_ref(self).addr()
    }
}

/// Returns the data of the CPU that runs this. With interrupts enabled the thread may move on before it
/// uses the answer.
pub(crate) fn this_cpu() -> &'static PerCpu {
    let this: *const PerCpu;
    // SAFETY: GS holds the address of a `PerCpu` from `init_cpu` on, whose first field is that address.
    unsafe {
        asm!(
            "mov {}, gs:[{offset}]",
            out(reg) this,
            offset = const offset_of!(PerCpu, this),
            options(nostack, preserves_flags, readonly),
        );
    }
    // SAFETY: see above; the structure is static.
    unsafe { &*this }
}

/// Returns the dense number of the CPU that runs this.
#[inline]
pub(crate) fn index() -> usize {
    let index: usize;
    // SAFETY: as in `this_cpu`.
    unsafe {
        asm!(
            "mov {}, gs:[{offset}]",
            out(reg) index,
            offset = const offset_of!(PerCpu, index),
            options(nostack, preserves_flags, readonly),
        );
    }
    index
}
