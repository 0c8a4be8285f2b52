//! Tests of the device-tree reading with blobs made by hand.

extern crate std;

use super::*;
use std::string::ToString;
use std::vec::Vec;

const KERNEL: PhysRange = PhysRange::from_start_len(0x4020_0000, 0x20_0000);
const AT: PhysAddr = PhysAddr::new(0x4800_0000);
const HEADER: usize = 40;

/// A writer of the flattened format, version 17.
#[derive(Default)]
struct Blob {
    reservations: Vec<(u64, u64)>,
    structure: Vec<u8>,
    strings: Vec<u8>,
}

impl Blob {
    fn word(&mut self, word: u32) {
        self.structure.extend(word.to_be_bytes());
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.structure.extend(bytes);
        while !self.structure.len().is_multiple_of(4) {
            self.structure.push(0);
        }
    }

    fn begin(&mut self, name: &str) -> &mut Self {
        self.word(1);
        self.padded(&[name.as_bytes(), &[0]].concat());
        self
    }

    fn end(&mut self) -> &mut Self {
        self.word(2);
        self
    }

    fn bytes(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.word(3);
        self.word(value.len() as u32);
        self.word(self.strings.len() as u32);
        self.strings.extend([name.as_bytes(), &[0]].concat());
        self.padded(value);
        self
    }

    fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.bytes(name, &[value.as_bytes(), &[0]].concat())
    }

    fn cells(&mut self, name: &str, cells: &[u32]) -> &mut Self {
        let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_be_bytes()).collect();
        self.bytes(name, &bytes)
    }

    fn finish(&mut self) -> &'static [u8] {
        self.word(9);
        let mut reservations = Vec::new();
        for (address, size) in self.reservations.iter().chain(&[(0, 0)]) {
            reservations.extend(address.to_be_bytes());
            reservations.extend(size.to_be_bytes());
        }
        let structure_at = HEADER + reservations.len();
        let strings_at = structure_at + self.structure.len();
        let total = strings_at + self.strings.len();
        let header = [
            MAGIC as usize,
            total,
            structure_at,
            strings_at,
            HEADER,
            17,
            16,
            0,
            self.strings.len(),
            self.structure.len(),
        ];
        let mut blob: Vec<u8> = header
            .iter()
            .flat_map(|&word| (word as u32).to_be_bytes())
            .collect();
        blob.extend(reservations);
        blob.extend(&self.structure);
        blob.extend(&self.strings);
        blob.leak()
    }
}

/// A root with 64-bit addresses and sizes, as QEMU makes it.
fn root() -> Blob {
    let mut blob = Blob::default();
    blob.begin("")
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2]);
    blob
}

fn virt() -> Blob {
    let mut blob = root();
    blob.reservations.push((0x4000_0000, 0x1000));
    blob.begin("memory@40000000")
        .text("device_type", "memory")
        .cells("reg", &[0, 0x4000_0000, 0, 0x800_0000])
        .end();
    blob.begin("memory@8080000000")
        .text("device_type", "memory")
        .cells("reg", &[0x80, 0x8000_0123, 1, 0])
        .end();
    blob.begin("chosen")
        .text("bootargs", "console=ttyAMA0 quiet")
        .cells("linux,initrd-start", &[0x4400_0000])
        .cells("linux,initrd-end", &[0, 0x4410_0000])
        .text("stdout-path", "serial1:115200n8")
        .end();
    blob.begin("aliases").text("serial1", "/pl011@9040000").end();
    blob.begin("reserved-memory")
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2])
        .begin("firmware@47000000")
        .cells("reg", &[0, 0x4700_0000, 0, 0x1_0000])
        .end()
        .end();
    for (name, at, line) in [("pl011@9000000", 0x900_0000, 1), ("pl011@9040000", 0x904_0000, 8)] {
        blob.begin(name)
            .bytes("compatible", b"arm,pl011\0arm,primecell\0")
            .cells("reg", &[0, at, 0, 0x1000])
            .cells("interrupts", &[0, line, 4])
            .end();
    }
    blob.begin("pl031@9010000")
        .text("compatible", "arm,pl031")
        .cells("reg", &[0, 0x901_0000, 0, 0x1000])
        .end();
    blob.begin("psci")
        .text("compatible", "arm,psci-1.0")
        .text("method", "hvc")
        .end();
    blob.begin("timer")
        .bytes("compatible", b"arm,armv8-timer\0")
        .cells("interrupts", &[1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4])
        .end();
    blob
}

fn with_gicv2(mut blob: Blob) -> &'static [u8] {
    blob.begin("intc@8000000")
        .text("compatible", "arm,cortex-a15-gic")
        .cells("reg", &[0, 0x800_0000, 0, 0x1_0000, 0, 0x801_0000, 0, 0x1_0000])
        .end();
    blob.end().finish()
}

fn range(start: u64, bytes: u64) -> PhysRange {
    PhysRange::from_start_len(start, bytes)
}

#[test]
fn everything_reaches_boot_info() {
    let blob = with_gicv2(virt());
    let info = boot_info(blob, AT, KERNEL);
    let expected = [range(0x4000_0000, 0x800_0000), range(0x80_8000_1000, 0xffff_f000)];
    assert_eq!(info.memory[..], expected);
    let reserved = [range(0x4000_0000, 0x1000), range(0x4700_0000, 0x1_0000)];
    assert_eq!(info.reserved[..], reserved);
    assert_eq!(info.initramfs, Some(range(0x4400_0000, 0x10_0000)));
    assert_eq!(info.command_line, b"console=ttyAMA0 quiet");
    assert_eq!(info.device_tree, Some(range(AT.as_u64(), blob.len() as u64)));
    assert_eq!((info.kernel, info.rsdp), (KERNEL, None));
}

#[test]
fn devices_of_a_machine_with_gicv2() {
    let machine = Machine::from_blob(with_gicv2(virt()));
    let console = Console {
        registers: range(0x904_0000, 0x1000),
        interrupt: Some(40),
    };
    assert_eq!(machine.console, Some(console), "the one that stdout-path names");
    assert_eq!(machine.clock, Some(range(0x901_0000, 0x1000)));
    assert_eq!(machine.psci, Some(PsciMethod::Hvc));
    assert_eq!(machine.timer_interrupt, 27);
    let gic = InterruptController::GicV2 {
        distributor: range(0x800_0000, 0x1_0000),
        cpu_interface: range(0x801_0000, 0x1_0000),
    };
    assert_eq!(machine.interrupt_controller, Some(gic));
    assert_eq!(machine.device_ranges().len(), 4);
}

#[test]
fn devices_behind_a_bus_and_gicv3() {
    let mut blob = root();
    blob.begin("soc@0")
        .text("compatible", "simple-bus")
        .cells("#address-cells", &[1])
        .cells("#size-cells", &[1])
        .cells("ranges", &[0x10_0000, 8, 0x10_0000, 0x20_0000])
        .begin("intc@100000")
        .text("compatible", "arm,gic-v3")
        .cells("#redistributor-regions", &[2])
        .cells(
            "reg",
            &[
                0x10_0000, 0x1_0000, 0x11_0000, 0x2_0000, 0x18_0000, 0x2_0000, 0, 0x1000,
            ],
        )
        .end()
        .begin("outside@0")
        .text("compatible", "arm,pl031")
        .cells("reg", &[0, 0x1000])
        .end()
        .begin("off@100000")
        .text("compatible", "arm,pl011")
        .text("status", "disabled")
        .cells("reg", &[0x10_0000, 0x1000])
        .end()
        .end();
    let machine = Machine::from_blob(blob.end().finish());
    let bus = 8 << 32;
    let gic = InterruptController::GicV3 {
        distributor: range(bus + 0x10_0000, 0x1_0000),
        redistributors: [range(bus + 0x11_0000, 0x2_0000), range(bus + 0x18_0000, 0x2_0000)]
            .into_iter()
            .collect(),
    };
    assert_eq!(machine.interrupt_controller, Some(gic));
    assert_eq!((machine.clock, machine.console), (None, None));
}

#[test]
fn a_tree_without_memory_gives_none_but_keeps_the_console() {
    let mut blob = root();
    blob.begin("pl011@9000000")
        .text("compatible", "arm,pl011")
        .cells("reg", &[0, 0x900_0000, 0, 0x1000])
        .end();
    let blob = blob.end().finish();
    assert!(boot_info(blob, AT, KERNEL).memory.is_empty());
    let console = Console {
        registers: range(0x900_0000, 0x1000),
        interrupt: None,
    };
    assert_eq!(Machine::from_blob(blob).console, Some(console));
}

#[test]
fn no_bytes_panic() {
    let blob = with_gicv2(virt());
    for length in 0..blob.len() {
        let cut = &blob[..length];
        assert!(boot_info(cut, AT, KERNEL).memory.is_empty());
        assert_eq!(Machine::from_blob(cut), Machine::unknown());
    }
    for at in 0..blob.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = blob.to_vec();
            damaged[at] ^= flip;
            let damaged: &'static [u8] = damaged.leak();
            boot_info(damaged, AT, KERNEL);
            let machine = Machine::from_blob(damaged);
            assert!(machine.device_ranges().len() <= MAX_DEVICE_RANGES);
        }
    }
}

#[test]
fn the_prefix_tells_the_length() {
    let blob = with_gicv2(virt());
    let prefix = |blob: &[u8]| blob_bytes(get_prefix(blob));
    assert_eq!(prefix(blob), Some(blob.len()));
    assert_eq!(blob_bytes([0; BLOB_PREFIX_BYTES]), None);
    let mut long = blob.to_vec();
    long[4] = 0xff;
    assert_eq!(prefix(&long), None);
}

#[test]
fn too_many_regions_are_dropped() {
    let mut blob = root();
    for index in 0..100 {
        blob.begin(&["memory@", &index.to_string()].concat())
            .text("device_type", "memory")
            .cells("reg", &[index, 0, 0, 0x1000])
            .end();
    }
    let info = boot_info(blob.end().finish(), AT, KERNEL);
    assert_eq!(info.memory.len(), MAX_MEMORY_REGIONS);
}

fn get_prefix(blob: &[u8]) -> [u8; BLOB_PREFIX_BYTES] {
    let mut prefix = [0; BLOB_PREFIX_BYTES];
    prefix.copy_from_slice(&blob[..BLOB_PREFIX_BYTES]);
    prefix
}
