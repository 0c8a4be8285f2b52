//! The few facts that this machine takes from ACPI's static tables: interrupt controllers and legacy line
//! routing (MADT), and how to switch off and restart (FADT, `_S5_`). ACPI specification 6.5, 5.2. Every
//! length is bounded and every table's checksum is checked. Pure.

use arrayvec::ArrayVec;

use crate::physical::{ReadPhysical, read_bytes, read_u8, read_u16, read_u32, read_u64};

/// Most I/O APICs, legacy line overrides and processors that are taken over.
pub(crate) const MAX_IO_APICS: usize = 4;
const MAX_OVERRIDES: usize = 16;
const MAX_PROCESSORS: usize = hal::cpu::MAX_CPUS;

const HEADER_BYTES: u64 = 36;
/// A table longer than this is not believed.
const MAX_TABLE_BYTES: u64 = 1 << 20;

const FADT_FLAG_RESET: u32 = 1 << 10;
const FADT_FLAG_HARDWARE_REDUCED: u32 = 1 << 20;

/// A register somewhere in the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Register {
    /// An I/O port.
    Port(u16),
    /// A physical address.
    Memory(u64),
}

/// An I/O APIC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IoApic {
    /// Physical address of its registers.
    pub(crate) address: u64,
    /// The global interrupt number of its first input.
    pub(crate) first_line: u32,
}

/// Where a legacy (ISA) line really arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Override {
    /// The ISA line.
    pub(crate) source: u8,
    /// The global interrupt number.
    pub(crate) line: u32,
    /// The line is active when low.
    pub(crate) active_low: bool,
    /// The line is level-triggered.
    pub(crate) level: bool,
}

/// How the machine is switched off and restarted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Power {
    /// Ports of the PM1 control registers, 0 if absent.
    pub(crate) pm1_control: [u16; 2],
    /// SLP_TYP for S5, one for each PM1 control register.
    pub(crate) sleep_type: [u8; 2],
    /// The port and the value that switch from legacy to ACPI mode, if that is needed.
    pub(crate) acpi_enable: Option<(u16, u8)>,
    /// The sleep control register of hardware-reduced machines.
    pub(crate) sleep_control: Option<Register>,
    /// The reset register and what to write to it.
    pub(crate) reset: Option<(Register, u8)>,
}

/// What the tables say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tables {
    /// Physical address of the local APICs, if the MADT was found.
    pub(crate) local_apic: Option<u64>,
    /// The I/O APICs.
    pub(crate) io_apics: ArrayVec<IoApic, MAX_IO_APICS>,
    /// Legacy lines that are not where their number says.
    pub(crate) overrides: ArrayVec<Override, MAX_OVERRIDES>,
    /// APIC identifiers of the processors that can be used.
    pub(crate) processors: ArrayVec<u32, MAX_PROCESSORS>,
    /// Power control.
    pub(crate) power: Power,
}

impl Tables {
    /// Reads the tables that the root pointer leads to; what is missing or damaged stays empty.
    pub(crate) fn read(rsdp: u64, read: &impl ReadPhysical) -> Self {
        let mut tables = Self::default();
        for_each_table(rsdp, read, |signature, table, bytes| match &signature {
            b"APIC" => tables.read_madt(table, bytes, read),
            b"FACP" => tables.power = read_fadt(table, bytes, read).unwrap_or_default(),
            _ => {}
        });
        tables
    }

    fn read_madt(&mut self, table: u64, bytes: u64, read: &impl ReadPhysical) {
        self.local_apic = read_u32(read, table, HEADER_BYTES).map(u64::from);
        let mut at = HEADER_BYTES + 8;
        while at + 2 <= bytes {
            let Some([kind, length]) = read_bytes(read, table, at) else {
                return;
            };
            if length < 2 || at + u64::from(length) > bytes {
                return;
            }
            // An entry that is too short for its kind would be read into the next one: skip it.
            if self.read_madt_entry(kind, length, table + at, read).is_none() {
                return;
            }
            at += u64::from(length);
        }
    }

    fn read_madt_entry(&mut self, kind: u8, length: u8, entry: u64, read: &impl ReadPhysical) -> Option<()> {
        match (kind, length) {
            (0, 8..) if read_u32(read, entry, 4)? & 1 != 0 => {
                let _ = self.processors.try_push(read_u8(read, entry, 3)?.into());
            }
            (1, 12..) => {
                let _ = self.io_apics.try_push(IoApic {
                    address: read_u32(read, entry, 4)?.into(),
                    first_line: read_u32(read, entry, 8)?,
                });
            }
            (2, 10..) => {
                let flags = read_u16(read, entry, 8)?;
                let _ = self.overrides.try_push(Override {
                    source: read_u8(read, entry, 3)?,
                    line: read_u32(read, entry, 4)?,
                    active_low: flags & 0b11 == 0b11,
                    level: flags & 0b1100 == 0b1100,
                });
            }
            (5, 12..) => self.local_apic = Some(read_u64(read, entry, 4)?),
            (9, 16..) if read_u32(read, entry, 8)? & 1 != 0 => {
                let _ = self.processors.try_push(read_u32(read, entry, 4)?);
            }
            _ => {}
        }
        Some(())
    }
}

/// Calls `visit(signature, address, bytes)` for every table with a right checksum.
fn for_each_table(rsdp: u64, read: &impl ReadPhysical, mut visit: impl FnMut([u8; 4], u64, u64)) {
    let Some((root, entry_bytes)) = root_table(rsdp, read) else {
        return;
    };
    let Some((_, root_bytes)) = table_header(root, read) else {
        return;
    };
    let entries = (root_bytes - HEADER_BYTES) / entry_bytes;
    for index in 0..entries {
        let at = HEADER_BYTES + index * entry_bytes;
        let table = match entry_bytes {
            8 => read_u64(read, root, at),
            _ => read_u32(read, root, at).map(u64::from),
        };
        let header = table.and_then(|table| Some((table, table_header(table, read)?)));
        if let Some((table, (signature, bytes))) = header {
            visit(signature, table, bytes);
        }
    }
}

/// Returns the XSDT, else the RSDT, and the size of its entries.
fn root_table(rsdp: u64, read: &impl ReadPhysical) -> Option<(u64, u64)> {
    if read_bytes(read, rsdp, 0)? != *b"RSD PTR " || !checksum_is_right(rsdp, 20, read) {
        return None;
    }
    let xsdt = if read_u8(read, rsdp, 15)? >= 2 {
        read_u64(read, rsdp, 24)?
    } else {
        0
    };
    if xsdt != 0 {
        return Some((xsdt, 8));
    }
    Some((read_u32(read, rsdp, 16)?.into(), 4))
}

/// Returns signature and length of the table at `table` if it is whole.
fn table_header(table: u64, read: &impl ReadPhysical) -> Option<([u8; 4], u64)> {
    let signature = read_bytes(read, table, 0)?;
    let bytes = u64::from(read_u32(read, table, 4)?);
    let whole = (HEADER_BYTES..=MAX_TABLE_BYTES).contains(&bytes)
        && table.checked_add(bytes).is_some()
        && checksum_is_right(table, bytes, read);
    whole.then_some((signature, bytes))
}

fn checksum_is_right(start: u64, bytes: u64, read: &impl ReadPhysical) -> bool {
    (0..bytes).try_fold(0u8, |sum, at| Some(sum.wrapping_add(read_u8(read, start, at)?))) == Some(0)
}

fn read_fadt(table: u64, bytes: u64, read: &impl ReadPhysical) -> Option<Power> {
    let mut power = Power::default();
    for (register, offset) in power.pm1_control.iter_mut().zip([64, 68]) {
        *register = u16::try_from(read_u32(read, table, offset)?).unwrap_or(0);
    }
    let command_port = u16::try_from(read_u32(read, table, 48)?).unwrap_or(0);
    let enable = read_u8(read, table, 52)?;
    power.acpi_enable = (command_port != 0 && enable != 0).then_some((command_port, enable));
    let flags = read_u32(read, table, 112)?;
    if flags & FADT_FLAG_RESET != 0 && bytes >= 129 {
        power.reset = read_register(table, 116, read).zip(read_u8(read, table, 128));
    }
    if flags & FADT_FLAG_HARDWARE_REDUCED != 0 && bytes >= 256 {
        power.sleep_control = read_register(table, 244, read);
    }
    let extended = if bytes >= 148 {
        read_u64(read, table, 140)?
    } else {
        0
    };
    let dsdt = if extended != 0 {
        extended
    } else {
        read_u32(read, table, 40)?.into()
    };
    power.sleep_type = find_sleep_type(dsdt, read).unwrap_or_default();
    Some(power)
}

/// Reads a generic address structure (5.2.3.2).
fn read_register(table: u64, offset: u64, read: &impl ReadPhysical) -> Option<Register> {
    let address = read_u64(read, table, offset + 4)?;
    match (read_u8(read, table, offset)?, address) {
        (_, 0) => None,
        (0, _) => Some(Register::Memory(address)),
        (1, _) => u16::try_from(address).ok().map(Register::Port),
        _ => None,
    }
}

/// Finds the two SLP_TYP values in the DSDT's `_S5_` package without an interpreter: they are constants in
/// every known firmware (`Name (_S5_, Package () { type_a, type_b, ... })`, chapter 20.2).
fn find_sleep_type(dsdt: u64, read: &impl ReadPhysical) -> Option<[u8; 2]> {
    const NAME_OP: u8 = 0x08;
    const PACKAGE_OP: u8 = 0x12;
    let (_, bytes) = table_header(dsdt, read)?;
    let name = (HEADER_BYTES..bytes.saturating_sub(5))
        .find(|&at| read_bytes(read, dsdt, at) == Some([NAME_OP, b'_', b'S', b'5', b'_', PACKAGE_OP]))?;
    // The package's length takes one byte and as many more as its top two bits say; a count follows.
    let mut at = name + 6;
    at += u64::from(read_u8(read, dsdt, at)? >> 6) + 2;
    let mut types = [0; 2];
    for value in &mut types {
        let (constant, length) = aml_constant(dsdt + at, read)?;
        *value = constant & 7;
        at += length;
    }
    Some(types)
}

/// Reads a small AML integer; returns its low byte and its length.
fn aml_constant(at: u64, read: &impl ReadPhysical) -> Option<(u8, u64)> {
    match read_u8(read, at, 0)? {
        value @ (0 | 1) => Some((value, 1)),
        0x0a => Some((read_u8(read, at, 1)?, 2)),
        0x0b => Some((read_u8(read, at, 1)?, 3)),
        0x0c => Some((read_u8(read, at, 1)?, 5)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
