//! The serial line that the machine has without any driver: a PL011 or a 16550.

/// A polled byte sink for the log, and a byte source that is read when its interrupt says so.
pub trait Console {
    /// Makes the line usable; may be called again, and before memory is up.
    fn init_console();

    /// Writes all bytes, waiting for the line; safe in any context, takes no lock.
    fn write_console(bytes: &[u8]);

    /// Takes one received byte, or `None` when there is none.
    fn read_console() -> Option<u8>;

    /// Turns on the receive interrupt; each one then reaches
    /// [`InterruptSink::console_input`](crate::irq::InterruptSink::console_input).
    fn enable_console_input();
}
