//! One line per step on standard error, with the time it took.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Result;

/// Steps that end sooner than this and changed nothing worth telling stay silent.
const UNREMARKABLE: Duration = Duration::from_millis(50);

/// Runs one step and prints its line; on a terminal the name shows while the step runs.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut terminal = io::stderr();
    let interactive = terminal.is_terminal();
    if interactive {
        write!(terminal, "  {name} ...")?;
    }
    let start = Instant::now();
    let result = work();
    let elapsed = start.elapsed();
    if interactive {
        write!(terminal, "\r\x1b[K")?;
    }
    if result.is_err() {
        writeln!(terminal, "  {name:<40} failed")?;
    } else if interactive || elapsed >= UNREMARKABLE {
        writeln!(terminal, "  {name:<40} {}", seconds(elapsed))?;
    }
    result
}

/// Formats a duration for a progress line.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:6.1} s", duration.as_secs_f64())
}
