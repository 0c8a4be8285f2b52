//! The 8254 interval timer, channel 2, used once: as a clock of known frequency.

use crate::port::IoPort;
use crate::timer::closest_pair;

const PIT_HZ: u64 = 1_193_182;
/// How long is measured: 8 ms. The channel's 16 bits last 55 ms.
const WINDOW_TICKS: u16 = 9_545;
/// Readings without any change after which there is no such chip.
const MAX_UNCHANGED_READINGS: u32 = 1_000;

// SAFETY: ports of the interval timer, which has no access to memory.
const CHANNEL_2: IoPort = unsafe { IoPort::new(0x42) };
// SAFETY: as above.
const COMMAND: IoPort = unsafe { IoPort::new(0x43) };
/// Bit 0 lets channel 2 count, bit 1 connects it to the speaker.
// SAFETY: the system control port has no access to memory.
const GATE: IoPort = unsafe { IoPort::new(0x61) };

/// Channel 2, low then high byte, mode 0, binary.
const COUNT_DOWN_ONCE: u8 = 0b1011_0000;
const LATCH_CHANNEL_2: u8 = 0b1000_0000;

/// Measures the frequency of the time-stamp counter; `None` when the chip is absent.
pub(crate) fn measure_counter() -> Option<u64> {
    GATE.write_u8(GATE.read_u8() & !0b11 | 0b01);
    COMMAND.write_u8(COUNT_DOWN_ONCE);
    CHANNEL_2.write_u8(0xff);
    CHANNEL_2.write_u8(0xff);
    let (start, start_count) = sample();
    wait_for_window(start_count)?;
    let (end, end_count) = sample();
    let ticks = u64::from(start_count.wrapping_sub(end_count));
    let elapsed = u128::from(end.saturating_sub(start));
    u64::try_from(elapsed * u128::from(PIT_HZ) / u128::from(ticks)).ok()
}

fn wait_for_window(start_count: u16) -> Option<()> {
    let mut previous = start_count;
    let mut unchanged_readings = 0;
    while start_count.wrapping_sub(previous) < WINDOW_TICKS {
        let count = read_count();
        unchanged_readings = if count == previous {
            unchanged_readings + 1
        } else {
            0
        };
        if unchanged_readings > MAX_UNCHANGED_READINGS {
            return None;
        }
        previous = count;
    }
    Some(())
}

/// Reads the time-stamp counter and the channel at one time.
fn sample() -> (u64, u16) {
    closest_pair(read_count)
}

fn read_count() -> u16 {
    COMMAND.write_u8(LATCH_CHANNEL_2);
    let low = CHANNEL_2.read_u8();
    u16::from_le_bytes([low, CHANNEL_2.read_u8()])
}
