//! The logger behind the `log` crate: every message to the ring, the important ones to the console.

use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU8, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};
use los_abi::errno::Errno;
use los_arch::{Current, hal::prelude::Console};
use sync::{Rank, SpinLock};

use crate::log_ring::{LogRing, RING_BYTES};

static RING: SpinLock<LogRing> = SpinLock::new(Rank::Log, LogRing::new());
static CONSOLE_LEVEL: AtomicU8 = AtomicU8::new(7);
static LOGGER: Logger = Logger;

struct Logger;

/// Starts logging.
pub(crate) fn init() {
    // Fails only when a logger is set already, and then that one is ours.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(LevelFilter::Debug);
}

/// Shows messages whose Linux level is below `level` on the console.
pub(crate) fn set_console_level(level: u8) {
    CONSOLE_LEVEL.store(level, Ordering::Relaxed);
    let filter = if level > linux_level(Level::Debug) + 1 {
        LevelFilter::Trace
    } else {
        LevelFilter::Debug
    };
    log::set_max_level(filter);
}

/// Copies what the ring keeps.
///
/// # Errors
/// ENOMEM.
pub(crate) fn snapshot() -> Result<Vec<u8>, Errno> {
    let mut text = Vec::new();
    // The ring's lock is the innermost: memory is found before it is taken.
    text.try_reserve_exact(RING_BYTES).map_err(|_| Errno::ENOMEM)?;
    let ring = RING.lock();
    let (older, newer) = ring.contents();
    text.extend_from_slice(older);
    text.extend_from_slice(newer);
    Ok(text)
}

/// Writes to the console, without a lock: for the panic handler and for errors before there is a log.
pub(crate) fn print_unlocked(arguments: fmt::Arguments<'_>) {
    // The console writer cannot fail; a failing Display is the caller's affair.
    let _ = ConsoleWriter.write_fmt(arguments);
}

/// The level of syslog(2) that Linux would give the message.
const fn linux_level(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug => 7,
        Level::Trace => 8,
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let mut ring = RING.lock();
        // Writers into the ring and the console cannot fail.
        let _ = writeln!(RingWriter(&mut ring), "{}", record.args());
        if linux_level(record.level()) < CONSOLE_LEVEL.load(Ordering::Relaxed) {
            let _ = writeln!(ConsoleWriter, "{}", record.args());
        }
    }

    fn flush(&self) {}
}

struct RingWriter<'a>(&'a mut LogRing);

impl Write for RingWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push(text.as_bytes());
        Ok(())
    }
}

struct ConsoleWriter;

impl Write for ConsoleWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for line in text.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) => {
                    Current::write_console(line.as_bytes());
                    Current::write_console(b"\r\n");
                }
                None => Current::write_console(line.as_bytes()),
            }
        }
        Ok(())
    }
}
