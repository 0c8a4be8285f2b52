//! Time: a monotonic counter, one deadline per CPU, and the battery-backed clock.

/// The machine's clocks. All times are nanoseconds.
pub trait Timer {
    /// Finds and calibrates the clocks; called once on the boot CPU after `init_interrupts`.
    fn init_timer();

    /// Returns nanoseconds since some fixed point before or at boot; never goes back.
    fn monotonic_ns() -> u64;

    /// Asks for [`InterruptSink::timer`](crate::irq::InterruptSink::timer) on this CPU at or soon after
    /// this [`monotonic_ns`](Timer::monotonic_ns); `None` cancels. A time in the past fires at once.
    fn set_deadline(deadline_ns: Option<u64>);

    /// Reads the battery-backed clock (PL031, CMOS) as whole seconds of Unix time, 0 if there is none.
    fn wall_clock_seconds() -> u64;
}
