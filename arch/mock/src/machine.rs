//! The rest of the mock: processor, interrupts, clocks, console and boot, each as little as a host test can
//! do with.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::sync::atomic::AtomicU64;
use std::collections::VecDeque;
use std::sync::OnceLock;
use std::time::Instant;

use hal::boot::{Boot, BootInfo};
use hal::console::Console;
use hal::cpu::{ContextEntry, Cpu};
use hal::irq::{InterruptSink, Irq};
use hal::timer::Timer;
use hal::vdso::{CounterRate, Unwind, Vdso, VdsoCode, VdsoFunction};
use hal::{PhysAddr, PhysRange};

use crate::record::note;
use crate::{BOOT_RESERVED_BYTES, Mock, RAM_BASE, RAM_BYTES, RAM_HOLE};

/// Unix time that the battery-backed clock shows: 2024-01-01 00:00:00.
const WALL_CLOCK_SECONDS: u64 = 1_704_067_200;

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(false) };
    static SINK: Cell<Option<&'static dyn InterruptSink>> = const { Cell::new(None) };
    static CPU_INDEX: Cell<usize> = const { Cell::new(0) };
    static NOW_NS: Cell<Option<u64>> = const { Cell::new(None) };
    static DEADLINE_NS: Cell<Option<u64>> = const { Cell::new(None) };
    static INPUT: RefCell<VecDeque<u8>> = RefCell::default();
    static USER_STATE: RefCell<MockUserState> = RefCell::default();
    static HELD_RANKS: &'static AtomicU64 = Box::leak(Box::default());
}

/// A kernel context that never runs.
#[derive(Clone, Copy, Debug)]
pub struct MockContext {
    /// What `new_context` was given.
    pub entry: ContextEntry,
    /// The entry's argument.
    pub argument: usize,
    /// The end of its stack.
    pub stack_top: usize,
}

/// The user registers outside of the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MockUserState {
    /// The thread pointer.
    pub thread_pointer: u64,
    /// The second thread pointer.
    pub second_thread_pointer: u64,
    /// Stands for all FP registers.
    pub registers: u64,
    /// Whether the program may read the cycle counter.
    pub reads_counter: bool,
}

impl Default for MockUserState {
    fn default() -> Self {
        Self {
            thread_pointer: 0,
            second_thread_pointer: 0,
            registers: 0,
            reads_counter: true,
        }
    }
}

impl Mock {
    /// Stops the monotonic clock of this host thread at a time; before the first call it is the host's.
    pub fn set_monotonic_ns(now_ns: u64) {
        NOW_NS.set(Some(now_ns));
    }

    /// Moves the stopped clock of this host thread forward.
    pub fn advance_ns(by_ns: u64) {
        NOW_NS.set(Some(Self::monotonic_ns() + by_ns));
    }

    /// Makes this host thread another CPU than the first.
    pub fn become_cpu(index: usize) {
        CPU_INDEX.set(index);
    }

    /// Types on the console of this host thread.
    pub fn type_console(bytes: &[u8]) {
        INPUT.with_borrow_mut(|input| input.extend(bytes));
    }

    /// Calls the sink of this host thread with interrupts masked, as an interrupt would.
    pub fn interrupt(deliver: impl FnOnce(&dyn InterruptSink)) {
        let enabled = Self::disable_interrupts();
        if let Some(sink) = SINK.get() {
            deliver(sink);
        }
        ENABLED.set(enabled);
    }
}

impl Boot for Mock {
    #[expect(unsafe_code, reason = "the contract's signature; nothing unsafe is done")]
    unsafe fn boot_info(_argument: usize) -> BootInfo {
        let low = PhysRange {
            start: PhysAddr::new(RAM_BASE),
            end: RAM_HOLE.start,
        };
        let high = PhysRange {
            start: RAM_HOLE.end,
            end: PhysAddr::new(RAM_BASE + RAM_BYTES),
        };
        BootInfo {
            protocol: "mock",
            memory: [high, low].into_iter().collect(),
            kernel: PhysRange::from_start_len(RAM_BASE, BOOT_RESERVED_BYTES),
            ..BootInfo::default()
        }
    }
}

impl Cpu for Mock {
    type Context = MockContext;
    type UserState = MockUserState;

    fn init_cpu(_index: usize) {}

    fn cpu_index() -> usize {
        CPU_INDEX.get()
    }

    /// One for each host thread, since most of them claim to be CPU 0.
    fn held_ranks() -> &'static AtomicU64 {
        HELD_RANKS.with(|ranks| *ranks)
    }

    fn new_context(stack_top: usize, entry: ContextEntry, argument: usize) -> MockContext {
        MockContext {
            entry,
            argument,
            stack_top,
        }
    }

    #[expect(unsafe_code, reason = "the contract's signature; nothing unsafe is done")]
    unsafe fn switch(_previous: *mut MockContext, _next: *const MockContext, _next_stack_top: usize) {
        note(|record| record.switches += 1);
    }

    fn initial_user_state() -> MockUserState {
        MockUserState::default()
    }

    fn save_user_state(state: &mut MockUserState) {
        *state = USER_STATE.with_borrow(|current| *current);
    }

    fn load_user_state(state: &MockUserState) {
        USER_STATE.set(*state);
    }

    fn thread_pointer(state: &MockUserState) -> u64 {
        state.thread_pointer
    }

    fn set_thread_pointer(state: &mut MockUserState, address: u64) -> bool {
        state.thread_pointer = address;
        true
    }

    fn second_thread_pointer(state: &MockUserState) -> u64 {
        state.second_thread_pointer
    }

    fn set_second_thread_pointer(state: &mut MockUserState, address: u64) -> bool {
        state.second_thread_pointer = address;
        true
    }

    fn reads_counter(state: &MockUserState) -> bool {
        state.reads_counter
    }

    fn set_reads_counter(state: &mut MockUserState, allowed: bool) {
        state.reads_counter = allowed;
    }

    fn hardware_capabilities() -> (u64, u64) {
        (0, 0)
    }

    fn platform() -> &'static str {
        "x86_64"
    }

    fn write_cpuinfo(index: usize, out: &mut dyn fmt::Write) -> fmt::Result {
        writeln!(out, "processor\t: {index}\nmodel name\t: mock\n")
    }

    fn hardware_random(_bytes: &mut [u8]) -> bool {
        false
    }

    fn power_off() -> ! {
        panic!("power_off")
    }

    fn reboot() -> ! {
        panic!("reboot")
    }

    fn halt() -> ! {
        panic!("halt")
    }
}

impl Irq for Mock {
    fn set_interrupt_sink(sink: &'static dyn InterruptSink) {
        SINK.set(Some(sink));
    }

    fn init_interrupts() {}

    fn disable_interrupts() -> bool {
        let enabled = ENABLED.replace(false);
        if enabled {
            note(|record| record.interrupt_disables += 1);
        }
        enabled
    }

    fn enable_interrupts() {
        ENABLED.set(true);
    }

    fn interrupts_enabled() -> bool {
        ENABLED.get()
    }

    fn enable_line(line: u32) {
        note(|record| record.enabled_lines.push(line));
    }

    /// Moves a stopped clock to the deadline and delivers it; else gives way to other host threads.
    fn wait_for_interrupt() {
        Self::enable_interrupts();
        let deadline_ns = if NOW_NS.get().is_some() {
            DEADLINE_NS.take()
        } else {
            None
        };
        let Some(deadline_ns) = deadline_ns else {
            std::thread::yield_now();
            return;
        };
        NOW_NS.set(Some(Self::monotonic_ns().max(deadline_ns)));
        Self::interrupt(|sink| sink.timer());
    }
}

impl Timer for Mock {
    fn init_timer() {}

    fn monotonic_ns() -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        NOW_NS
            .get()
            .unwrap_or_else(|| START.get_or_init(Instant::now).elapsed().as_nanos() as u64)
    }

    fn set_deadline(deadline_ns: Option<u64>) {
        DEADLINE_NS.set(deadline_ns);
        note(|record| record.deadline_ns = deadline_ns);
    }

    fn wall_clock_seconds() -> u64 {
        WALL_CLOCK_SECONDS
    }
}

/// Functions of one byte each, with the names and the unwinding of x86_64.
impl Vdso for Mock {
    fn vdso_code() -> VdsoCode {
        const NAMES: [&str; 4] = [
            "__vdso_clock_gettime",
            "__vdso_gettimeofday",
            "__vdso_time",
            "__mock_sigreturn",
        ];
        let function = |index: usize| {
            Some(VdsoFunction {
                name: NAMES.get(index)?,
                start: index as u32,
                end: index as u32 + 1,
            })
        };
        VdsoCode {
            bytes: &[0xc3; NAMES.len()],
            functions: core::array::from_fn(function),
            version: "LINUX_2.6",
            signal_return: Some(3),
            unwind: Unwind {
                end: 3,
                return_register: 16,
                rules: &[0x0c, 7, 8, 0x90, 1],
            },
        }
    }

    /// One tick a nanosecond.
    fn counter_rate() -> CounterRate {
        CounterRate {
            start: 0,
            ns_per_tick: 1 << 32,
        }
    }
}

impl Console for Mock {
    fn init_console() {}

    fn write_console(bytes: &[u8]) {
        note(|record| record.console_output.extend_from_slice(bytes));
    }

    fn read_console() -> Option<u8> {
        INPUT.with_borrow_mut(VecDeque::pop_front)
    }

    fn enable_console_input() {}
}
