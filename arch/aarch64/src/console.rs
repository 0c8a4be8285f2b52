//! The PL011 serial line (Arm DDI 0183), polled for output and interrupt-driven for input.

use core::sync::atomic::{AtomicUsize, Ordering};

use hal::console::Console;
use hal::irq::Irq;

use crate::mmio::Registers;
use crate::{Aarch64, machine};

const DR: usize = 0x00;
const FR: usize = 0x18;
const LCR_H: usize = 0x2c;
const CR: usize = 0x30;
const IMSC: usize = 0x38;
const ICR: usize = 0x44;

const FR_BUSY: u32 = 1 << 3;
const FR_RECEIVE_EMPTY: u32 = 1 << 4;
const FR_TRANSMIT_FULL: u32 = 1 << 5;
/// 8 bits, no parity, FIFOs on; firmware has set the rate.
const LCR_8N1_FIFO: u32 = 0b111 << 4;
/// UART, transmitter and receiver on.
const CR_ON: u32 = 1 << 0 | 1 << 8 | 1 << 9;
/// Receive and receive time-out.
const RECEIVE_INTERRUPTS: u32 = 1 << 4 | 1 << 6;
/// Everything that can be pending but the two above.
const OTHER_INTERRUPTS: u32 = 0x7ff & !RECEIVE_INTERRUPTS;

/// Where the registers are mapped now, 0 before they are known.
static BASE: AtomicUsize = AtomicUsize::new(0);

/// Uses the registers at another virtual address from here on.
///
/// # Safety
/// The console's registers are mapped there as device memory until the next move.
pub(crate) unsafe fn move_to(base: usize) {
    BASE.store(base, Ordering::Relaxed);
}

/// Takes back the interrupt that was just raised, before the bytes are read.
pub(crate) fn acknowledge() {
    if let Some(line) = registers() {
        line.write(ICR, RECEIVE_INTERRUPTS | OTHER_INTERRUPTS);
    }
}

impl Console for Aarch64 {
    fn init_console() {
        let Some(line) = registers() else { return };
        let is_on = line.read(CR) & CR_ON == CR_ON;
        if is_on && line.read(LCR_H) & LCR_8N1_FIFO == LCR_8N1_FIFO {
            return;
        }
        while line.read(FR) & FR_BUSY != 0 {
            core::hint::spin_loop();
        }
        line.write(CR, 0);
        line.write(LCR_H, LCR_8N1_FIFO);
        line.write(CR, CR_ON);
    }

    fn write_console(bytes: &[u8]) {
        let Some(line) = registers() else { return };
        for &byte in bytes {
            while line.read(FR) & FR_TRANSMIT_FULL != 0 {
                core::hint::spin_loop();
            }
            line.write(DR, u32::from(byte));
        }
    }

    fn read_console() -> Option<u8> {
        let line = registers()?;
        if line.read(FR) & FR_RECEIVE_EMPTY != 0 {
            return None;
        }
        Some(line.read(DR) as u8)
    }

    fn enable_console_input() {
        let Some(line) = registers() else { return };
        line.write(IMSC, RECEIVE_INTERRUPTS);
        if let Some(interrupt) = machine::get().console.and_then(|console| console.interrupt) {
            Self::enable_line(interrupt);
        }
    }
}

#[inline]
fn registers() -> Option<Registers> {
    match BASE.load(Ordering::Relaxed) {
        0 => None,
        // SAFETY: `move_to` was promised the mapping.
        base => Some(unsafe { Registers::mapped(base) }),
    }
}
