//! The PL031 real-time clock (Arm DDI 0224): one register that counts seconds.

use crate::machine;
use crate::mmio::Registers;

const RTCDR: usize = 0;

/// Returns the seconds of Unix time, 0 without a clock.
pub(crate) fn seconds() -> u64 {
    machine::get().clock.map_or(0, |range| {
        // SAFETY: the device tree names the clock, and the kernel maps all `device_ranges`.
        let registers = unsafe { Registers::direct(range) };
        u64::from(registers.read(RTCDR))
    })
}
