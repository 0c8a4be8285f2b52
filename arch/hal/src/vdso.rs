//! The vDSO: code of the machine that programs run to read clocks without entering the kernel (vdso(7)).
//!
//! The code is position-independent and knows two things about where it lies: [`CODE_OFFSET`] bytes into a
//! page-aligned image, with a page that begins with [`ClockPage`] directly below that image. Building the ELF
//! file round it is the kernel's business.

use los_abi::time::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME,
    CLOCK_REALTIME_COARSE,
};

use crate::addr::PAGE_SIZE;

/// Where the code starts in the image; what is before it is for ELF's tables.
pub const CODE_OFFSET: usize = 0x800;
/// From the first byte of the code back to the [`ClockPage`].
pub const DATA_DISTANCE: usize = CODE_OFFSET + PAGE_SIZE;
/// Most bytes of code: the image is one page.
pub const CODE_MAX_BYTES: usize = PAGE_SIZE - CODE_OFFSET;

/// The clocks that the code reads as real time, one bit each; it leaves all others to the kernel.
pub const REAL_CLOCKS: u32 = 1 << CLOCK_REALTIME | 1 << CLOCK_REALTIME_COARSE;
/// The clocks that the code reads as monotonic time.
pub const MONOTONIC_CLOCKS: u32 =
    1 << CLOCK_MONOTONIC | 1 << CLOCK_MONOTONIC_RAW | 1 << CLOCK_MONOTONIC_COARSE | 1 << CLOCK_BOOTTIME;
/// Those among them that move on in steps of [`COARSE_NS`].
pub const COARSE_CLOCKS: u32 = 1 << CLOCK_REALTIME_COARSE | 1 << CLOCK_MONOTONIC_COARSE;
/// Nanoseconds of a step of the coarse clocks: those between two ticks of the scheduler.
pub const COARSE_NS: u64 = 4_000_000;
/// The clocks whose resolution the code tells: a nanosecond. That of the coarse ones is the kernel's to tell.
pub const FINE_CLOCKS: u32 =
    1 << CLOCK_REALTIME | 1 << CLOCK_MONOTONIC | 1 << CLOCK_MONOTONIC_RAW | 1 << CLOCK_BOOTTIME;

/// What the code reads, at the start of its page. Written with atomic stores only.
///
/// Nanoseconds of monotonic time are `(counter - counter_start) * ns_per_tick / 2^32`. A reader that finds
/// `ns_per_tick` 0 makes the system call; one that finds `sequence` odd, or changed in the end, tries again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct ClockPage {
    /// Counts changes twice each; odd during one.
    pub sequence: u64,
    /// The counter at time 0.
    pub counter_start: u64,
    /// Nanoseconds for each tick of the counter, with 32 bits of fraction.
    pub ns_per_tick: u64,
    /// Real time minus monotonic time.
    pub realtime_offset_ns: u64,
}

/// One function that programs look up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VdsoFunction {
    /// Its name.
    pub name: &'static str,
    /// Its first byte in the code.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
}

/// How to unwind from anywhere in the code: its functions leave the stack alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unwind {
    /// First byte that this does not hold for: where the signal trampoline is, or the end.
    pub end: u32,
    /// DWARF's number of the register with the return address.
    pub return_register: u8,
    /// DWARF's instructions that find the caller's frame.
    pub rules: &'static [u8],
}

/// The machine's code.
#[derive(Clone, Copy, Debug)]
pub struct VdsoCode {
    /// At most [`CODE_MAX_BYTES`].
    pub bytes: &'static [u8],
    /// What programs look up.
    pub functions: [Option<VdsoFunction>; 5],
    /// The version that all functions have.
    pub version: &'static str,
    /// Where signal handlers return to, in machines whose ABI has no restorer.
    pub signal_return: Option<u32>,
    /// How to unwind.
    pub unwind: Unwind,
}

/// What the vDSO needs to know about the machine's counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CounterRate {
    /// The counter at [`monotonic_ns`](crate::timer::Timer::monotonic_ns) 0.
    pub start: u64,
    /// Nanoseconds for each tick with 32 bits of fraction; 0 when programs cannot read the counter.
    pub ns_per_tick: u64,
}

/// The code for programs.
pub trait Vdso {
    /// Returns the code.
    fn vdso_code() -> VdsoCode;

    /// Returns the counter's rate; does not change once `init_timer` has run.
    fn counter_rate() -> CounterRate;
}
