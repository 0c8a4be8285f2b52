//! The interrupt controllers: the local APIC (SDM volume 3, chapter 11), the I/O APICs (82093AA data sheet)
//! and the old PIC, which is only silenced.

use core::sync::atomic::{AtomicBool, Ordering};

use spin::Mutex;
use x86_64::instructions::interrupts;
use x86_64::registers::model_specific::{ApicBase, ApicBaseFlags, Msr};

use crate::acpi::{IoApic, Override};
use crate::discover::machine;
use crate::port::{IoPort, Mmio};

/// The vector of I/O APIC line 0; the others follow. 0x20 to 0x2f are left to stray PIC interrupts.
pub(crate) const FIRST_LINE_VECTOR: u8 = 0x30;
/// One past the last vector for lines.
pub(crate) const END_LINE_VECTOR: u8 = 0xf0;
/// The local APIC's timer.
pub(crate) const TIMER_VECTOR: u8 = 0xf0;
/// Another CPU's request to look at the run queue.
pub(crate) const RESCHEDULE_VECTOR: u8 = 0xf1;
/// An interrupt that went away before it was delivered; takes no end-of-interrupt.
pub(crate) const SPURIOUS_VECTOR: u8 = 0xff;

/// A register of the local APIC, by its offset in memory.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum LocalRegister {
    /// This APIC's identifier.
    Id = 0x20,
    /// Interrupts of lower classes are held back.
    TaskPriority = 0x80,
    /// End of interrupt.
    EndOfInterrupt = 0xb0,
    /// Vector for spurious interrupts, and the switch of the whole APIC.
    Spurious = 0xf0,
    /// Vector and mode of the timer.
    Timer = 0x320,
    /// What the timer counts from.
    TimerInitialCount = 0x380,
    /// What the timer is at.
    TimerCurrentCount = 0x390,
    /// The timer's divider.
    TimerDivide = 0x3e0,
}

/// The local APICs were left in x2APIC mode, where their registers are model-specific ones. There is no way
/// back from it, and no need to go there.
static X2APIC: AtomicBool = AtomicBool::new(false);

fn is_x2apic() -> bool {
    X2APIC.load(Ordering::Relaxed)
}

fn x2apic_register(register: LocalRegister) -> Msr {
    Msr::new(0x800 + (register as u32 >> 4))
}

fn memory_register(register: LocalRegister) -> Mmio {
    let address = machine().local_apic + u64::from(register as u32);
    // SAFETY: a register of the local APIC, whose page is among the device ranges; it never writes memory.
    unsafe { Mmio::new(address) }
}

/// Reads a register of this CPU's local APIC.
pub(crate) fn read(register: LocalRegister) -> u32 {
    if !is_x2apic() {
        return memory_register(register).read();
    }
    // SAFETY: the register exists in x2APIC mode.
    (unsafe { x2apic_register(register).read() }) as u32
}

/// Writes a register of this CPU's local APIC.
pub(crate) fn write(register: LocalRegister, value: u32) {
    if !is_x2apic() {
        return memory_register(register).write(value);
    }
    // SAFETY: the register exists in x2APIC mode; it cannot affect memory.
    unsafe { x2apic_register(register).write(u64::from(value)) };
}

/// Tells the local APIC that the interrupt in service is over.
pub(crate) fn end_of_interrupt() {
    write(LocalRegister::EndOfInterrupt, 0);
}

/// Silences the PIC and switches on this CPU's local APIC.
pub(crate) fn init() {
    const ENABLE: u32 = 1 << 8;
    const MASKED: u32 = 1 << 16;
    silence_pic();
    let (frame, flags) = ApicBase::read();
    X2APIC.store(flags.contains(ApicBaseFlags::X2APIC_ENABLE), Ordering::Relaxed);
    // SAFETY: neither place nor mode of the APIC changes.
    unsafe { ApicBase::write(frame, flags | ApicBaseFlags::LAPIC_ENABLE) };
    write(LocalRegister::TaskPriority, 0);
    write(LocalRegister::Timer, MASKED);
    write(LocalRegister::Spurious, ENABLE | u32::from(SPURIOUS_VECTOR));
}

/// Moves the PIC's vectors away from the exceptions and masks all its lines.
fn silence_pic() {
    const INITIALISE: u8 = 0x11;
    const MODE_8086: u8 = 1;
    // Command and data port, first vector, and how the two chips are wired.
    for (command, data, vector, cascade) in [(0x20, 0x21, 0x20, 4), (0xa0, 0xa1, 0x28, 2)] {
        // SAFETY: a port of the PIC, which has no access to memory.
        let command = unsafe { IoPort::new(command) };
        // SAFETY: as above.
        let data = unsafe { IoPort::new(data) };
        command.write_u8(INITIALISE);
        data.write_u8(vector);
        data.write_u8(cascade);
        data.write_u8(MODE_8086);
        data.write_u8(0xff);
    }
}

/// Held while an I/O APIC's register is selected and used.
static IO_APIC_LOCK: Mutex<()> = Mutex::new(());

/// How a line is wired.
#[derive(Clone, Copy)]
struct Trigger {
    active_low: bool,
    level: bool,
}

/// Routes a line to this CPU and unmasks it. Lines below 16 are the legacy ones, active high and
/// edge-triggered unless ACPI says otherwise; the others are PCI's, active low and level-triggered.
/// A line that no I/O APIC has, or that has no vector, stays as it is.
pub(crate) fn enable_line(line: u32) {
    let Some(vector) = line_vector(line) else {
        return;
    };
    let found = machine()
        .tables
        .overrides
        .iter()
        .find(|entry| u32::from(entry.source) == line);
    let (input, trigger) = route(line, found);
    let io_apic = machine()
        .tables
        .io_apics
        .iter()
        .find(|io_apic| (io_apic.first_line..=last_line(io_apic)).contains(&input));
    if let Some(io_apic) = io_apic {
        interrupts::without_interrupts(|| {
            let _guard = IO_APIC_LOCK.lock();
            write_redirection(io_apic, input - io_apic.first_line, vector, trigger);
        });
    }
}

/// Returns the vector of a line, which is that of its number before any override.
fn line_vector(line: u32) -> Option<u8> {
    let vector = u32::from(FIRST_LINE_VECTOR).checked_add(line)?;
    u8::try_from(vector)
        .ok()
        .filter(|&vector| vector < END_LINE_VECTOR)
}

fn route(line: u32, found: Option<&Override>) -> (u32, Trigger) {
    match found {
        Some(&Override {
            line,
            active_low,
            level,
            ..
        }) => (line, Trigger { active_low, level }),
        None => {
            let is_pci = line >= 16;
            (
                line,
                Trigger {
                    active_low: is_pci,
                    level: is_pci,
                },
            )
        }
    }
}

fn last_line(io_apic: &IoApic) -> u32 {
    const VERSION: u32 = 1;
    let version = interrupts::without_interrupts(|| {
        let _guard = IO_APIC_LOCK.lock();
        select(io_apic, VERSION).read()
    });
    io_apic.first_line.saturating_add(version >> 16 & 0xff)
}

fn write_redirection(io_apic: &IoApic, input: u32, vector: u8, trigger: Trigger) {
    const FIRST_REDIRECTION: u32 = 0x10;
    const ACTIVE_LOW: u32 = 1 << 13;
    const LEVEL: u32 = 1 << 15;
    let mut low = u32::from(vector);
    if trigger.active_low {
        low |= ACTIVE_LOW;
    }
    if trigger.level {
        low |= LEVEL;
    }
    let register = FIRST_REDIRECTION + 2 * input;
    // The destination first: the write of the low half unmasks.
    select(io_apic, register + 1).write(this_apic() << 24);
    select(io_apic, register).write(low);
}

/// Returns this CPU's APIC identifier, as far as an I/O APIC can name it.
fn this_apic() -> u32 {
    let id = read(LocalRegister::Id);
    if is_x2apic() { id & 0xff } else { id >> 24 }
}

/// Selects a register of an I/O APIC and returns the window to it; the lock is held.
fn select(io_apic: &IoApic, register: u32) -> Mmio {
    // SAFETY: the select register of an I/O APIC, whose page is among the device ranges.
    unsafe { Mmio::new(io_apic.address) }.write(register);
    // SAFETY: its window.
    unsafe { Mmio::new(io_apic.address + 0x10) }
}
