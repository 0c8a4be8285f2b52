//! Power through PSCI (Arm DEN 0022), by the call that the device tree names.

use core::arch::asm;

use crate::discover::PsciMethod;
use crate::machine;

const SYSTEM_OFF: u32 = 0x8400_0008;
const SYSTEM_RESET: u32 = 0x8400_0009;

/// Switches the machine off; returns when it cannot.
pub(crate) fn power_off() {
    call(SYSTEM_OFF);
}

/// Restarts the machine; returns when it cannot.
pub(crate) fn reboot() {
    call(SYSTEM_RESET);
}

fn call(function: u32) {
    match machine::get().psci {
        // SAFETY: the firmware announces PSCI by this call; it clobbers x0 to x17 at most (SMCCC 1.0).
        Some(PsciMethod::Hvc) => unsafe {
            asm!("hvc #0", inout("w0") function => _, clobber_abi("C"), options(nostack));
        },
        // SAFETY: as above.
        Some(PsciMethod::Smc) => unsafe {
            asm!("smc #0", inout("w0") function => _, clobber_abi("C"), options(nostack));
        },
        None => {}
    }
}
