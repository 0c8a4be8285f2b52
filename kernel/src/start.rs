//! Bring-up as an ordered list of stages. They are never inlined (ADR 4).

use core::ops::Range;

use hal::PAGE_SIZE;
use hal::VirtAddr;
use hal::boot::BootInfo;
use hal::irq::InterruptSink;
use hal::paging::PageFlags;
use hal::prelude::*;
use los_arch::Current;
use mm::kernel_space::Segment;

use crate::command_line::CommandLine;
use crate::panic::kernel_panic;
use crate::{boot, init, logger, panic};

/// Least RAM with which the kernel tries to start.
const MINIMUM_MEMORY_BYTES: u64 = 24 << 20;

unsafe extern "C" {
    static __kernel_start: u8;
    static __text_start: u8;
    static __text_end: u8;
    static __rodata_start: u8;
    static __rodata_end: u8;
    static __data_start: u8;
    static __data_end: u8;
    static __kernel_end: u8;
    static __boot_stack_guard: u8;
    static __boot_stack_top: u8;
}

/// What lies below the boot stack: unmapped as soon as that is possible, zero until then.
const GUARD_BYTES: u64 = PAGE_SIZE as u64;

/// Returns the virtual address of a linker symbol.
macro_rules! address_of {
    ($symbol:ident) => {
        (&raw const $symbol) as u64
    };
}

/// Returns first and one past the last virtual address of the kernel image.
pub(crate) fn image_bounds() -> (u64, u64) {
    (address_of!(__kernel_start), address_of!(__kernel_end))
}

/// Brings everything up and becomes the idle thread.
pub(crate) fn run(boot_argument: usize) -> ! {
    Current::init_cpu(0);
    Current::init_traps();
    let boot = boot::boot_info(boot_argument);
    Current::discover(&boot);
    let command_line_text = start_log(&boot);
    start_memory(&boot);
    let command_line = CommandLine::parse(&command_line_text.bytes[..command_line_text.length]);
    report_command_line(&command_line);
    start_interrupts();
    fs::procfs::set_command_line(&command_line_text.bytes[..command_line_text.length]);
    init::start_processes(&boot, command_line);
    report_boot_stack();
    task::sched::idle()
}

/// A copy of the command line that outlives boot memory and needs no heap.
struct EarlyText {
    bytes: [u8; 2048],
    length: usize,
}

/// Starts the log, with the level and panic action that the command line asks for.
#[inline(never)]
fn start_log(boot: &BootInfo) -> EarlyText {
    let mut text = EarlyText {
        bytes: [0; 2048],
        length: boot.command_line.len().min(2048),
    };
    text.bytes[..text.length].copy_from_slice(&boot.command_line[..text.length]);
    logger::init();
    let early = crate::command_line::early_settings(&text.bytes[..text.length]);
    panic::set_action(early.panic);
    logger::set_console_level(early.log_level);
    log::info!(
        "Levitate {} on {}",
        env!("CARGO_PKG_VERSION"),
        Current::platform()
    );
    log::info!("boot: {}", boot.protocol);
    if boot.command_line.len() > text.bytes.len() {
        log::warn!("boot: the command line is cut after {} bytes", text.bytes.len());
    }
    text
}

/// Takes over RAM and switches to the kernel's own page tables.
#[inline(never)]
fn start_memory(boot: &BootInfo) {
    for region in &boot.memory {
        log::debug!("memory: usable {:?}..{:?}", region.start, region.end);
    }
    let total_bytes: u64 = boot.memory.iter().map(|region| region.len()).sum();
    if boot.memory.is_empty() {
        kernel_panic(format_args!(
            "the boot loader ({}) described no memory",
            boot.protocol
        ));
    }
    if total_bytes < MINIMUM_MEMORY_BYTES {
        kernel_panic(format_args!(
            "{} KiB of memory; at least {} KiB are needed",
            total_bytes / 1024,
            MINIMUM_MEMORY_BYTES / 1024
        ));
    }
    check_boot_stack();
    mm::frames::init(boot, &[]);
    mm::kernel_space::init(boot, &segments(boot));
    let statistics = mm::frames::statistics();
    log::info!("memory: ready");
    log::debug!(
        "memory: {} of {} pages free",
        statistics.free_pages,
        statistics.total_pages
    );
}

/// Panics when the boot stack has grown into its guard, which does not fault yet.
fn check_boot_stack() {
    let guard = address_of!(__boot_stack_guard);
    if first_used_word(guard..guard + GUARD_BYTES).is_some() {
        kernel_panic(format_args!("the boot stack is too small"));
    }
}

/// Reports how much of the boot stack was used, in debug builds.
fn report_boot_stack() {
    if cfg!(debug_assertions) {
        let (bottom, top) = (
            address_of!(__boot_stack_guard) + GUARD_BYTES,
            address_of!(__boot_stack_top),
        );
        let used = top - first_used_word(bottom..top).unwrap_or(top);
        log::debug!("stacks: {used} of {} bytes were used to start", top - bottom);
    }
}

/// Finds the first word of bss, which is zero at first, that was written.
fn first_used_word(range: Range<u64>) -> Option<u64> {
    let mut words = range.step_by(size_of::<u64>());
    // SAFETY: the range is a part of bss that is mapped, whose only users are the stack's.
    words.find(|&word| unsafe { (word as *const u64).read_volatile() } != 0)
}

/// Describes the parts of the image: nothing is writable and executable.
fn segments(boot: &BootInfo) -> [Segment; 4] {
    let (image, _) = image_bounds();
    let guard = address_of!(__boot_stack_guard);
    let segment = |start: u64, end: u64, flags: PageFlags| Segment {
        virt: VirtAddr::new(start),
        phys: boot.kernel.start + (start - image),
        bytes: end - start,
        flags,
    };
    [
        segment(
            address_of!(__text_start),
            address_of!(__text_end),
            PageFlags::READ | PageFlags::EXECUTE,
        ),
        segment(
            address_of!(__rodata_start),
            address_of!(__rodata_end),
            PageFlags::READ,
        ),
        // What lies between them is not mapped.
        segment(
            address_of!(__data_start),
            guard,
            PageFlags::READ | PageFlags::WRITE,
        ),
        segment(
            guard + GUARD_BYTES,
            address_of!(__data_end),
            PageFlags::READ | PageFlags::WRITE,
        ),
    ]
}

#[inline(never)]
fn report_command_line(command_line: &CommandLine) {
    for word in &command_line.rejected {
        log::warn!("command line: bad value in '{}'", word.escape_ascii());
    }
    for name in &command_line.consoles {
        log::debug!("command line: console {}", name.escape_ascii());
    }
}

/// Where interrupts go.
struct Sink;

impl InterruptSink for Sink {
    fn timer(&self) {
        task::sched::timer_interrupt();
    }

    fn console_input(&self) {
        drivers::console::receive();
    }

    fn device(&self, line: u32) {
        log::debug!("interrupt {line} has no driver");
    }

    fn reschedule(&self) {
        task::sched::reschedule_interrupt();
    }
}

#[inline(never)]
fn start_interrupts() {
    Current::set_interrupt_sink(&Sink);
    Current::init_interrupts();
    Current::init_timer();
    vfs::clock::set_realtime_ns(Current::wall_clock_seconds() * 1_000_000_000);
    log::info!("interrupts: ready");
}
