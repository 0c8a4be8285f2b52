//! The first serial line of a PC, a 16550 at port 0x3f8, polled for output (PC16550D data sheet).

use core::sync::atomic::{AtomicUsize, Ordering};

use hal::console::Console;

use crate::port::IoPort;
use crate::{X86_64, apic};

/// The legacy interrupt line.
pub(crate) const LINE: u32 = 4;

const BASE: u16 = 0x3f8;
// SAFETY: registers of a UART, which has no access to memory.
const DATA: IoPort = unsafe { IoPort::new(BASE) };
// SAFETY: as above.
const INTERRUPT_ENABLE: IoPort = unsafe { IoPort::new(BASE + 1) };
/// Reads: which interrupt. Writes: the FIFO's control.
// SAFETY: as above.
const FIFO_CONTROL: IoPort = unsafe { IoPort::new(BASE + 2) };
// SAFETY: as above.
const LINE_CONTROL: IoPort = unsafe { IoPort::new(BASE + 3) };
// SAFETY: as above.
const MODEM_CONTROL: IoPort = unsafe { IoPort::new(BASE + 4) };
// SAFETY: as above.
const LINE_STATUS: IoPort = unsafe { IoPort::new(BASE + 5) };

const STATUS_RECEIVED: u8 = 1 << 0;
const STATUS_TRANSMIT_EMPTY: u8 = 1 << 5;
/// What an absent chip answers.
const ABSENT: u8 = 0xff;

const FIFO_BYTES: usize = 16;
/// More reads of the status than the slowest line needs to send a FIFO: a dead chip must not hang the log.
const MAX_POLLS: u32 = 1_000_000;

/// Bytes that may be written when the transmitter is empty.
static BURST_BYTES: AtomicUsize = AtomicUsize::new(1);

impl Console for X86_64 {
    fn init_console() {
        init();
    }

    fn write_console(bytes: &[u8]) {
        write(bytes);
    }

    fn read_console() -> Option<u8> {
        let status = LINE_STATUS.read_u8();
        (status != ABSENT && status & STATUS_RECEIVED != 0).then(|| DATA.read_u8())
    }

    /// The line is edge-triggered: a sink that leaves a byte unread gets no further interrupt.
    fn enable_console_input() {
        const RECEIVED: u8 = 1 << 0;
        apic::enable_line(LINE);
        INTERRUPT_ENABLE.write_u8(RECEIVED);
    }
}

/// Sets the line to 115200 baud, 8 bits, no parity, with FIFOs if there are any.
pub(crate) fn init() {
    const DIVISOR_ACCESS: u8 = 1 << 7;
    const EIGHT_BITS: u8 = 0b11;
    const FIFO_ENABLE_AND_CLEAR: u8 = 0b111;
    const FIFO_WORKS: u8 = 0b1100_0000;
    /// DTR, RTS, and OUT2, which connects the interrupt line.
    const MODEM_READY: u8 = 0b1011;
    INTERRUPT_ENABLE.write_u8(0);
    LINE_CONTROL.write_u8(DIVISOR_ACCESS | EIGHT_BITS);
    DATA.write_u8(1);
    INTERRUPT_ENABLE.write_u8(0);
    LINE_CONTROL.write_u8(EIGHT_BITS);
    FIFO_CONTROL.write_u8(FIFO_ENABLE_AND_CLEAR);
    MODEM_CONTROL.write_u8(MODEM_READY);
    let has_fifo = FIFO_CONTROL.read_u8() & FIFO_WORKS == FIFO_WORKS;
    BURST_BYTES.store(if has_fifo { FIFO_BYTES } else { 1 }, Ordering::Relaxed);
}

/// Writes all bytes, as they are.
pub(crate) fn write(bytes: &[u8]) {
    for burst in bytes.chunks(BURST_BYTES.load(Ordering::Relaxed)) {
        let mut polls = 0;
        while LINE_STATUS.read_u8() & STATUS_TRANSMIT_EMPTY == 0 && polls < MAX_POLLS {
            core::hint::spin_loop();
            polls += 1;
        }
        for &byte in burst {
            DATA.write_u8(byte);
        }
    }
}
