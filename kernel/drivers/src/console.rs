//! The console: the machine's serial line, behind a line discipline.

use alloc::boxed::Box;
use alloc::sync::Arc;

use los_arch::Current;
use los_arch::hal::prelude::Console;
use sync::Once;
use tty::{Terminal, TerminalOutput};

/// `makedev(5, 1)`: /dev/console.
pub const CONSOLE_DEVICE: u64 = 5 << 8 | 1;

/// Most bytes taken from the line at one interrupt; more wait for the next.
const BATCH_BYTES: usize = 64;

static CONSOLE: Once<Arc<Terminal>> = Once::new();

struct SerialLine;

impl TerminalOutput for SerialLine {
    fn write(&self, bytes: &[u8]) {
        Current::write_console(bytes);
    }
}

/// Makes the terminal with the given device number and turns its input on.
pub fn init(device: u64) -> Arc<Terminal> {
    let terminal = CONSOLE
        .call_once(|| Terminal::new(device, Box::new(SerialLine)))
        .clone();
    Current::enable_console_input();
    terminal
}

/// Takes what the line has received. Called by the interrupt.
pub fn receive() {
    let mut bytes = [0; BATCH_BYTES];
    loop {
        let mut count = 0;
        while count < BATCH_BYTES
            && let Some(byte) = Current::read_console()
        {
            bytes[count] = byte;
            count += 1;
        }
        if let Some(terminal) = CONSOLE.get() {
            terminal.receive(&bytes[..count]);
        }
        if count < BATCH_BYTES {
            return;
        }
    }
}
