//! The devices of this machine, learned once at start from the device tree.

use arrayvec::ArrayVec;
use hal::PhysRange;
use spin::Once;

use crate::discover::{MAX_DEVICE_RANGES, Machine};

static MACHINE: Once<Machine> = Once::new();
static DEVICE_RANGES: Once<ArrayVec<PhysRange, MAX_DEVICE_RANGES>> = Once::new();
/// What is known of a machine whose device tree could not be read.
static UNKNOWN: Machine = Machine::unknown();

/// Notes the devices; the first call counts.
pub(crate) fn set(machine: Machine) {
    DEVICE_RANGES.call_once(|| machine.device_ranges());
    MACHINE.call_once(|| machine);
}

/// Returns the devices.
pub(crate) fn get() -> &'static Machine {
    MACHINE.get().unwrap_or(&UNKNOWN)
}

/// Returns the registers of all devices.
pub(crate) fn device_ranges() -> &'static [PhysRange] {
    DEVICE_RANGES.get().map_or(&[], ArrayVec::as_slice)
}
