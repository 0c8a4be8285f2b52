//! Tables as firmware would leave them, whole and damaged.

extern crate std;

use super::*;
use crate::physical::fake;
use std::vec::Vec;

const BASE: u64 = 0x10_0000;

/// Puts a table with a right checksum into memory and returns its address.
fn add_table(memory: &mut Vec<u8>, signature: &[u8; 4], body: &[u8]) -> u64 {
    let mut table = Vec::from(*signature);
    table.extend(u32::try_from(36 + body.len()).unwrap().to_le_bytes());
    table.resize(36, 0);
    table.extend(body);
    table[9] = table.iter().fold(0u8, |sum, &byte| sum.wrapping_sub(byte));
    let address = BASE + memory.len() as u64;
    memory.extend(table);
    address
}

fn add_rsdp(memory: &mut Vec<u8>, rsdt: u64, xsdt: u64) -> u64 {
    let mut rsdp = Vec::from(*b"RSD PTR ");
    rsdp.resize(36, 0);
    rsdp[15] = if xsdt == 0 { 0 } else { 2 };
    rsdp[16..20].copy_from_slice(&u32::try_from(rsdt).unwrap().to_le_bytes());
    rsdp[24..32].copy_from_slice(&xsdt.to_le_bytes());
    rsdp[8] = rsdp[..20].iter().fold(0u8, |sum, &byte| sum.wrapping_sub(byte));
    let address = BASE + memory.len() as u64;
    memory.extend(rsdp);
    address
}

fn madt_body() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(0xfee0_0000u32.to_le_bytes());
    body.extend(1u32.to_le_bytes());
    body.extend([0, 8, 0, 0, 1, 0, 0, 0]);
    body.extend([0, 8, 1, 1, 0, 0, 0, 0]);
    body.extend([1, 12, 0, 0]);
    body.extend(0xfec0_0000u32.to_le_bytes());
    body.extend(0u32.to_le_bytes());
    body.extend([2, 10, 0, 0, 2, 0, 0, 0, 0, 0]);
    body.extend([2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0]);
    body.extend([2, 10, 0, 11, 11, 0, 0, 0, 0x0f, 0]);
    body
}

fn fadt_body(dsdt: u64) -> Vec<u8> {
    let mut body = std::vec![0; 129 - 36];
    let mut put = |offset: usize, bytes: &[u8]| {
        body[offset - 36..offset - 36 + bytes.len()].copy_from_slice(bytes);
    };
    put(40, &u32::try_from(dsdt).unwrap().to_le_bytes());
    put(48, &0xb2u32.to_le_bytes());
    put(52, &[2]);
    put(64, &0x604u32.to_le_bytes());
    put(112, &FADT_FLAG_RESET.to_le_bytes());
    put(116, &[1, 8, 0, 0]);
    put(120, &0xcf9u64.to_le_bytes());
    put(128, &[0x0f]);
    body
}

fn example(dsdt_body: &[u8]) -> (Vec<u8>, u64) {
    let mut memory = Vec::new();
    let dsdt = add_table(&mut memory, b"DSDT", dsdt_body);
    let fadt = add_table(&mut memory, b"FACP", &fadt_body(dsdt));
    let madt = add_table(&mut memory, b"APIC", &madt_body());
    let entries = [fadt, madt].map(|at| u32::try_from(at).unwrap().to_le_bytes());
    let rsdt = add_table(&mut memory, b"RSDT", entries.as_flattened());
    let rsdp = add_rsdp(&mut memory, rsdt, 0);
    (memory, rsdp)
}

const S5: &[u8] = b"\x00\x00\x08_S5_\x12\x08\x04\x0a\x05\x01\x00\x00";

#[test]
fn reads_controllers_and_routing() {
    let (memory, rsdp) = example(S5);
    let tables = Tables::read(rsdp, &fake::reader(BASE, memory));
    assert_eq!(tables.local_apic, Some(0xfee0_0000));
    assert_eq!(tables.processors.as_slice(), [0]);
    assert_eq!(
        tables.io_apics.as_slice(),
        [IoApic {
            address: 0xfec0_0000,
            first_line: 0
        }]
    );
    assert_eq!(tables.overrides.len(), 3);
    let expected = [(0, 2, false, false), (9, 9, false, true), (11, 11, true, true)];
    for (found, expected) in tables.overrides.iter().zip(expected) {
        let found = (found.source, found.line, found.active_low, found.level);
        assert_eq!(found, expected);
    }
}

#[test]
fn reads_power_control() {
    let (memory, rsdp) = example(S5);
    let power = Tables::read(rsdp, &fake::reader(BASE, memory)).power;
    assert_eq!(power.pm1_control, [0x604, 0]);
    assert_eq!(power.sleep_type, [5, 1]);
    assert_eq!(power.acpi_enable, Some((0xb2, 2)));
    assert_eq!(power.reset, Some((Register::Port(0xcf9), 0x0f)));
    assert_eq!(power.sleep_control, None);
}

#[test]
fn the_xsdt_is_preferred() {
    let mut memory = Vec::new();
    let madt = add_table(&mut memory, b"APIC", &madt_body());
    let xsdt = add_table(&mut memory, b"XSDT", &madt.to_le_bytes());
    let rsdp = add_rsdp(&mut memory, 0, xsdt);
    let tables = Tables::read(rsdp, &fake::reader(BASE, memory));
    assert_eq!(tables.io_apics.len(), 1);
}

#[test]
fn a_damaged_byte_anywhere_never_panics_and_drops_its_table() {
    let (memory, rsdp) = example(S5);
    let whole = Tables::read(rsdp, &fake::reader(BASE, memory.clone()));
    for at in 0..memory.len() {
        let mut damaged = memory.clone();
        damaged[at] ^= 0x80;
        let extended_part = BASE + at as u64 >= rsdp + 20;
        let tables = Tables::read(rsdp, &fake::reader(BASE, damaged));
        assert_eq!(tables == whole, extended_part, "byte {at}");
    }
}

#[test]
fn truncated_memory_never_panics() {
    let (memory, rsdp) = example(S5);
    for length in 0..memory.len() {
        let _ = Tables::read(rsdp, &fake::reader(BASE, memory[..length].to_vec()));
    }
}

#[test]
fn entries_of_length_zero_end_the_madt() {
    let mut memory = Vec::new();
    let madt = add_table(&mut memory, b"APIC", &[0, 0, 0xe0, 0xfe, 1, 0, 0, 0, 1, 0, 0, 0]);
    let xsdt = add_table(&mut memory, b"XSDT", &madt.to_le_bytes());
    let rsdp = add_rsdp(&mut memory, 0, xsdt);
    let tables = Tables::read(rsdp, &fake::reader(BASE, memory));
    assert_eq!(tables.local_apic, Some(0xfee0_0000));
    assert!(tables.io_apics.is_empty());
}
