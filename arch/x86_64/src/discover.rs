//! The machine that this kernel runs on: what ACPI says, or the conventional PC where there is no ACPI.

use arrayvec::ArrayVec;
use hal::boot::BootInfo;
use hal::{PAGE_SIZE, PhysAddr, PhysRange};
use spin::Once;

use crate::acpi::{IoApic, MAX_IO_APICS, Register, Tables};
use crate::{console, mmu};

/// Where the local APIC of every PC is after reset.
const LOCAL_APIC: u64 = 0xfee0_0000;
/// Where the I/O APIC of a PC without ACPI is.
const IO_APIC: u64 = 0xfec0_0000;

/// I/O APICs, the local APIC and two power registers.
const MAX_DEVICE_RANGES: usize = MAX_IO_APICS + 3;

/// What was found.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The tables, with at least one I/O APIC.
    pub(crate) tables: Tables,
    /// Physical address of the local APIC's registers.
    pub(crate) local_apic: u64,
    /// The pages of all devices that this crate uses.
    pub(crate) device_ranges: ArrayVec<PhysRange, MAX_DEVICE_RANGES>,
}

static MACHINE: Once<Machine> = Once::new();

/// Reads the firmware's tables and makes the console usable.
pub(crate) fn discover(boot: &BootInfo) {
    console::init();
    let tables = boot
        .rsdp
        .map(|rsdp| Tables::read(rsdp.as_u64(), &mmu::read_physical));
    MACHINE.call_once(|| Machine::new(tables.unwrap_or_default()));
}

/// Returns what was found, or the conventional PC before anything was looked for.
pub(crate) fn machine() -> &'static Machine {
    MACHINE.call_once(|| Machine::new(Tables::default()))
}

impl Machine {
    fn new(mut tables: Tables) -> Self {
        if tables.io_apics.is_empty() {
            tables.io_apics.push(IoApic {
                address: IO_APIC,
                first_line: 0,
            });
        }
        let local_apic = tables.local_apic.unwrap_or(LOCAL_APIC);
        let mut device_ranges = ArrayVec::new();
        let power = [
            tables.power.sleep_control,
            tables.power.reset.map(|(register, _)| register),
        ];
        let registers = power.into_iter().flatten().filter_map(|register| match register {
            Register::Memory(address) => Some(address),
            Register::Port(_) => None,
        });
        let controllers = tables.io_apics.iter().map(|io_apic| io_apic.address);
        for address in controllers.chain([local_apic]).chain(registers) {
            add_page(&mut device_ranges, address);
        }
        Self {
            tables,
            local_apic,
            device_ranges,
        }
    }
}

/// Adds the page of a register unless it is there: the kernel maps every range once.
fn add_page(ranges: &mut ArrayVec<PhysRange, MAX_DEVICE_RANGES>, register: u64) {
    let page = PhysAddr::new(register).page_base();
    if !ranges.iter().any(|range| range.contains(page)) {
        ranges.push(PhysRange::from_start_len(page.as_u64(), PAGE_SIZE as u64));
    }
}
