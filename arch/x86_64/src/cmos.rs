//! Reading the battery-backed clock in CMOS memory (MC146818 data sheet).

use x86_64::instructions::interrupts;

use crate::clock::ClockReading;
use crate::port::IoPort;

// SAFETY: the index port of CMOS memory, which has no access to other memory.
const INDEX: IoPort = unsafe { IoPort::new(0x70) };
// SAFETY: its data port.
const DATA: IoPort = unsafe { IoPort::new(0x71) };

/// Seconds, minutes, hours, day of the month, month, year.
const FIELDS: [u8; 6] = [0, 2, 4, 7, 8, 9];
const REGISTER_A: u8 = 10;
const REGISTER_B: u8 = 11;
const UPDATE_IN_PROGRESS: u8 = 1 << 7;

/// An update takes 2 ms at most and a read of a register about 1 µs.
const MAX_POLLS: u32 = 10_000;
const MAX_ATTEMPTS: u32 = 4;

/// Returns Unix time in seconds, `None` when there is no clock or it is not set.
pub(crate) fn unix_seconds() -> Option<u64> {
    let mut previous = read_once();
    for _ in 0..MAX_ATTEMPTS {
        // An update between two registers shows as a difference.
        let current = read_once();
        if current == previous {
            return current.unix_seconds();
        }
        previous = current;
    }
    None
}

fn read_once() -> ClockReading {
    interrupts::without_interrupts(|| {
        let mut polls = 0;
        while read_register(REGISTER_A) & UPDATE_IN_PROGRESS != 0 && polls < MAX_POLLS {
            polls += 1;
        }
        ClockReading {
            fields: FIELDS.map(read_register),
            format: read_register(REGISTER_B),
        }
    })
}

fn read_register(register: u8) -> u8 {
    INDEX.write_u8(register);
    DATA.read_u8()
}
