//! Interrupts: masking, the controller that the device tree names, and where each number goes.

use core::arch::asm;

use aarch64_cpu::asm::{barrier, wfi};
use aarch64_cpu::registers::DAIF;
use aarch64_cpu::registers::Readable;
use hal::irq::{InterruptSink, Irq};
use spin::Once;

use crate::discover::InterruptController;
use crate::gicv2::GicV2;
use crate::gicv3::GicV3;
use crate::{Aarch64, console, machine, timer};

/// The software-generated interrupt that asks a CPU to look at its run queue.
const RESCHEDULE: u32 = 0;
/// Numbers below are software-generated.
const FIRST_PERIPHERAL: u32 = 16;
/// First of the four numbers that say "nothing is pending".
const FIRST_SPECIAL: u32 = 1020;
const LAST_SPECIAL: u32 = 1023;
/// Priority of every interrupt, of 0 to 255; lower is more urgent.
pub(crate) const PRIORITY: u8 = 0xa0;
/// Interrupts of lower value than this are taken.
pub(crate) const PRIORITY_MASK: u8 = 0xf0;

static SINK: Once<&'static dyn InterruptSink> = Once::new();
static CONTROLLER: Once<Controller> = Once::new();

/// The interrupt controller of this machine.
enum Controller {
    V2(GicV2),
    V3(GicV3),
}

/// An interrupt that was acknowledged and must be ended.
#[derive(Clone, Copy)]
pub(crate) struct Acknowledged {
    /// The interrupt's number.
    pub(crate) number: u32,
    /// What the controller wants back.
    pub(crate) token: u32,
}

impl Controller {
    #[inline]
    fn acknowledge(&self) -> Acknowledged {
        match self {
            Self::V2(gic) => gic.acknowledge(),
            Self::V3(gic) => gic.acknowledge(),
        }
    }

    #[inline]
    fn end(&self, interrupt: Acknowledged) {
        match self {
            Self::V2(gic) => gic.end(interrupt),
            Self::V3(gic) => gic.end(interrupt),
        }
    }

    fn enable(&self, number: u32) {
        match self {
            Self::V2(gic) => gic.enable(number),
            Self::V3(gic) => gic.enable(number),
        }
    }

    fn init_cpu(&self) {
        match self {
            Self::V2(gic) => gic.init_cpu(),
            Self::V3(gic) => gic.init_cpu(),
        }
    }
}

impl Irq for Aarch64 {
    fn set_interrupt_sink(sink: &'static dyn InterruptSink) {
        SINK.call_once(|| sink);
    }

    fn init_interrupts() {
        let machine = machine::get();
        let controller = CONTROLLER.call_once(|| match &machine.interrupt_controller {
            Some(gic) => take_over(gic),
            None => panic!("the device tree names no interrupt controller"),
        });
        controller.init_cpu();
        controller.enable(RESCHEDULE);
        controller.enable(machine.timer_interrupt);
    }

    fn disable_interrupts() -> bool {
        mask()
    }

    fn enable_interrupts() {
        unmask();
    }

    fn interrupts_enabled() -> bool {
        !DAIF.is_set(DAIF::I)
    }

    fn enable_line(line: u32) {
        if let Some(controller) = CONTROLLER.get() {
            controller.enable(line);
        }
    }

    fn wait_for_interrupt() {
        // WFI ends for a pending interrupt although it is masked; it is taken right behind.
        barrier::dsb(barrier::SY);
        wfi();
        unmask();
        barrier::isb(barrier::SY);
    }
}

/// Brings up the controller that the device tree names.
fn take_over(gic: &'static InterruptController) -> Controller {
    match gic {
        InterruptController::GicV2 {
            distributor,
            cpu_interface,
        } => {
            // SAFETY: the device tree names these registers, the kernel has mapped all `device_ranges`
            // in the direct map, and only this module drives them.
            Controller::V2(unsafe { GicV2::new(*distributor, *cpu_interface) })
        }
        InterruptController::GicV3 {
            distributor,
            redistributors,
        } => {
            // SAFETY: as above.
            Controller::V3(unsafe { GicV3::new(*distributor, redistributors) })
        }
    }
}

/// Takes the interrupt that is pending and gives it to the sink. Interrupts are masked.
///
/// The controller is told before the sink: everything is masked at the processor, and a level that the
/// sink has not lowered yet is only looked at when the sink is done.
pub(crate) fn handle() {
    let (Some(controller), Some(sink)) = (CONTROLLER.get(), SINK.get()) else {
        return;
    };
    let interrupt = controller.acknowledge();
    let machine = machine::get();
    match interrupt.number {
        FIRST_SPECIAL..=LAST_SPECIAL => {}
        number if number == machine.timer_interrupt => {
            timer::silence();
            controller.end(interrupt);
            sink.timer();
        }
        RESCHEDULE => {
            controller.end(interrupt);
            sink.reschedule();
        }
        number if number < FIRST_PERIPHERAL => controller.end(interrupt),
        number if machine.console.and_then(|one| one.interrupt) == Some(number) => {
            console::acknowledge();
            controller.end(interrupt);
            sink.console_input();
        }
        number => {
            controller.end(interrupt);
            sink.device(number);
        }
    }
}

/// Masks interrupts and reports whether they were enabled.
#[inline]
pub(crate) fn mask() -> bool {
    let enabled = !DAIF.is_set(DAIF::I);
    // SAFETY: masking is always allowed. Memory accesses are not moved across.
    unsafe { asm!("msr daifset, #2", options(nostack, preserves_flags)) }
    enabled
}

/// Undoes a `mask` that returned this.
#[inline]
pub(crate) fn restore(enabled: bool) {
    if enabled {
        unmask();
    }
}

/// Enables interrupts, and SErrors, which an exception masks as well.
#[inline]
pub(crate) fn unmask() {
    // SAFETY: the vectors and the stack are ready for interrupts whenever the kernel asks for them.
    unsafe { asm!("msr daifclr, #6", options(nostack, preserves_flags)) }
}

/// Enables SErrors.
pub(crate) fn unmask_errors() {
    // SAFETY: the vectors are installed.
    unsafe { asm!("msr daifclr, #4", options(nostack, preserves_flags)) }
}
