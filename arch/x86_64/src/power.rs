//! Switching off and restarting, by what ACPI describes and then by what PCs and QEMU have always had.

use core::sync::atomic::{Ordering, fence};

use hal::cpu::Cpu;
use x86_64::instructions::interrupts;
use x86_64::structures::DescriptorTablePointer;

use crate::X86_64;
use crate::acpi::Power;
use crate::discover::machine;
use crate::port::{IoPort, write_register};

/// PM1 control: the firmware has handed power management over.
const SCI_ENABLE: u16 = 1 << 0;
/// PM1 control: enter the sleep state.
const SLEEP_ENABLE: u16 = 1 << 13;
/// Sleep control register of hardware-reduced machines: enter the sleep state.
const REDUCED_SLEEP_ENABLE: u8 = 1 << 5;
/// PM1 control of QEMU's `q35` and `pc`.
const QEMU_PM1_CONTROL: u16 = 0x604;
/// Reads of a port, of about 1 µs each, that the firmware is waited for.
const MAX_POLLS: u32 = 300_000;

/// Enters S5, or halts.
pub(crate) fn power_off() -> ! {
    interrupts::disable();
    let power = &machine().tables.power;
    if let Some(register) = power.sleep_control {
        let value = power.sleep_type[0] << 2 | REDUCED_SLEEP_ENABLE;
        // SAFETY: ACPI's sleep control register; nothing runs after it.
        unsafe { write_register(register, value) };
    }
    enable_acpi(power);
    for (port, sleep_type) in power.pm1_control.into_iter().zip(power.sleep_type) {
        if port != 0 {
            // SAFETY: ACPI's PM1 control register.
            let control = unsafe { IoPort::new(port) };
            control.write_u16(u16::from(sleep_type) << 10 | SLEEP_ENABLE);
        }
    }
    // SAFETY: where there is no ACPI table the port is QEMU's or nothing's.
    unsafe { IoPort::new(QEMU_PM1_CONTROL) }.write_u16(SLEEP_ENABLE);
    X86_64::halt()
}

/// Takes power management over from the firmware, if it still has it (ACPI 6.5, 16.3.1).
fn enable_acpi(power: &Power) {
    let (Some((command, value)), [control, _]) = (power.acpi_enable, power.pm1_control) else {
        return;
    };
    if control == 0 {
        return;
    }
    // SAFETY: ACPI's PM1 control register.
    let control = unsafe { IoPort::new(control) };
    if control.read_u16() & SCI_ENABLE != 0 {
        return;
    }
    // SAFETY: ACPI's command port; the firmware keeps to its own memory.
    unsafe { IoPort::new(command) }.write_u8(value);
    let mut polls = 0;
    while control.read_u16() & SCI_ENABLE == 0 && polls < MAX_POLLS {
        polls += 1;
    }
}

/// Resets the machine, or halts.
pub(crate) fn reboot() -> ! {
    const RESET_CONTROL: u16 = 0xcf9;
    const KEYBOARD_COMMAND: u16 = 0x64;
    interrupts::disable();
    fence(Ordering::SeqCst);
    if let Some((register, value)) = machine().tables.power.reset {
        // SAFETY: ACPI's reset register; nothing runs after it.
        unsafe { write_register(register, value) };
    }
    // SAFETY: the PCI reset control register; nothing runs after it.
    let reset_control = unsafe { IoPort::new(RESET_CONTROL) };
    reset_control.write_u8(0x02);
    reset_control.write_u8(0x06);
    // SAFETY: the keyboard controller, whose output 0 is the reset line.
    unsafe { IoPort::new(KEYBOARD_COMMAND) }.write_u8(0xfe);
    triple_fault()
}

/// Resets by an exception that cannot be delivered.
fn triple_fault() -> ! {
    let empty = DescriptorTablePointer {
        limit: 0,
        base: x86_64::VirtAddr::zero(),
    };
    // SAFETY: nothing is to be handled any more.
    unsafe { x86_64::instructions::tables::lidt(&empty) };
    interrupts::int3();
    X86_64::halt()
}
