//! Interrupts of this machine: which vector is what, and the one place that they all go to.

use hal::irq::{InterruptSink, Irq};
use spin::Once;
use x86_64::instructions::interrupts;

use crate::apic::{self, END_LINE_VECTOR, FIRST_LINE_VECTOR, RESCHEDULE_VECTOR, TIMER_VECTOR};
use crate::{X86_64, console, timer};

static SINK: Once<&'static dyn InterruptSink> = Once::new();

impl Irq for X86_64 {
    fn set_interrupt_sink(sink: &'static dyn InterruptSink) {
        SINK.call_once(|| sink);
    }

    fn init_interrupts() {
        apic::init();
    }

    fn disable_interrupts() -> bool {
        let enabled = interrupts::are_enabled();
        interrupts::disable();
        enabled
    }

    fn enable_interrupts() {
        interrupts::enable();
    }

    fn interrupts_enabled() -> bool {
        interrupts::are_enabled()
    }

    fn enable_line(line: u32) {
        apic::enable_line(line);
    }

    fn wait_for_interrupt() {
        interrupts::enable_and_hlt();
    }
}

/// Ends an interrupt at the controller and hands it to the sink. Interrupts are masked.
pub(crate) fn dispatch(vector: u8) {
    let sink = SINK.get();
    match vector {
        TIMER_VECTOR => {
            apic::end_of_interrupt();
            if timer::deadline_has_passed() {
                sink.inspect(|sink| sink.timer());
            }
        }
        RESCHEDULE_VECTOR => {
            apic::end_of_interrupt();
            sink.inspect(|sink| sink.reschedule());
        }
        FIRST_LINE_VECTOR..END_LINE_VECTOR => {
            apic::end_of_interrupt();
            let line = u32::from(vector - FIRST_LINE_VECTOR);
            match line {
                console::LINE => sink.inspect(|sink| sink.console_input()),
                _ => sink.inspect(|sink| sink.device(line)),
            };
        }
        // Spurious interrupts of the local APIC and the PIC want nothing, not even an end.
        _ => {}
    }
}
