//! Interrupts: where they go, and masking them on this CPU.

/// Takes every interrupt, whether it came in kernel or in user mode. Called with interrupts masked, after
/// the controller was told; must not block and must not take a lock that is taken with interrupts on.
pub trait InterruptSink: Sync {
    /// The deadline of [`Timer::set_deadline`](crate::timer::Timer::set_deadline) has passed.
    fn timer(&self);
    /// The console has received bytes.
    fn console_input(&self);
    /// A device's line has fired.
    fn device(&self, line: u32);
    /// Another CPU asks this one to look at its run queue.
    fn reschedule(&self);
}

/// Interrupt control of one CPU and its controller.
pub trait Irq {
    /// Registers the one sink. Called once, before interrupts are enabled.
    fn set_interrupt_sink(sink: &'static dyn InterruptSink);

    /// Brings up the interrupt controller and this CPU's part of it.
    fn init_interrupts();

    /// Masks interrupts on this CPU and reports whether they were enabled.
    fn disable_interrupts() -> bool;

    /// Enables interrupts on this CPU.
    fn enable_interrupts();

    /// Reports whether interrupts are enabled on this CPU.
    fn interrupts_enabled() -> bool;

    /// Enables a device's line at the controller.
    fn enable_line(line: u32);

    /// Enables interrupts and halts until one came, with no window between the two; returns with
    /// interrupts enabled. Called with interrupts masked.
    fn wait_for_interrupt();
}
