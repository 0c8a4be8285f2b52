//! What the device tree says (Devicetree Specification, release 0.4): [`boot_info`] for the kernel core,
//! [`Machine`] for this crate's own drivers. Pure, and never panics whatever the bytes are.

use arrayvec::ArrayVec;
use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::standard::NodeStandard;
use dtoolkit::{Node, Property};
use hal::boot::{BootInfo, MAX_MEMORY_REGIONS};
use hal::{PhysAddr, PhysRange};

/// Largest blob that is accepted, which the boot protocol limits as well (arm64/booting, 2).
pub const MAX_BLOB_BYTES: usize = 2 << 20;
/// Bytes of the header that [`blob_bytes`] looks at.
pub const BLOB_PREFIX_BYTES: usize = 8;
const MAGIC: u32 = 0xd00d_feed;
/// Bytes of the shortest header.
const HEADER_BYTES: usize = 40;

/// Deepest bus below the root on which devices are looked for.
const MAX_DEPTH: usize = 8;
/// Most redistributor regions of a GICv3.
const MAX_REDISTRIBUTORS: usize = 4;
/// Most device ranges that [`Machine::device_ranges`] returns.
pub const MAX_DEVICE_RANGES: usize = MAX_REDISTRIBUTORS + 4;
/// First interrupt number of the private peripherals and of the shared peripherals.
const FIRST_PPI: u32 = 16;
const FIRST_SPI: u32 = 32;
/// Cells of an interrupt specifier of a GIC: kind, number, flags.
const SPECIFIER_CELLS: usize = 3;
/// Place of the virtual timer among the interrupts of the timer node, and its usual number.
const VIRTUAL_TIMER_INDEX: usize = 2;
const VIRTUAL_TIMER_DEFAULT: u32 = 27;

/// How PSCI is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PsciMethod {
    /// By a hypervisor call.
    Hvc,
    /// By a secure monitor call.
    Smc,
}

/// The interrupt controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InterruptController {
    /// Version 2.
    GicV2 {
        /// Distributor.
        distributor: PhysRange,
        /// CPU interface.
        cpu_interface: PhysRange,
    },
    /// Version 3 or 4, whose CPU interface is system registers.
    GicV3 {
        /// Distributor.
        distributor: PhysRange,
        /// Regions of redistributors.
        redistributors: ArrayVec<PhysRange, MAX_REDISTRIBUTORS>,
    },
}

/// The serial line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Console {
    /// Registers.
    pub registers: PhysRange,
    /// Interrupt number at the GIC.
    pub interrupt: Option<u32>,
}

/// The devices that this crate drives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// A PL011: the one that `stdout-path` names, else the first.
    pub console: Option<Console>,
    /// A PL031.
    pub clock: Option<PhysRange>,
    /// A GIC.
    pub interrupt_controller: Option<InterruptController>,
    /// PSCI 0.2 or later.
    pub psci: Option<PsciMethod>,
    /// Interrupt number of the virtual timer.
    pub timer_interrupt: u32,
}

/// Returns the length of the blob that starts with these bytes, `None` when it is none or too long.
pub fn blob_bytes(prefix: [u8; BLOB_PREFIX_BYTES]) -> Option<usize> {
    let [m0, m1, m2, m3, s0, s1, s2, s3] = prefix;
    let bytes = u32::from_be_bytes([s0, s1, s2, s3]) as usize;
    let valid =
        u32::from_be_bytes([m0, m1, m2, m3]) == MAGIC && (HEADER_BYTES..=MAX_BLOB_BYTES).contains(&bytes);
    valid.then_some(bytes)
}

/// Translates a blob at `at` for a kernel that occupies `kernel`. A blob that cannot be read gives no
/// memory.
pub fn boot_info(blob: &'static [u8], at: PhysAddr, kernel: PhysRange) -> BootInfo {
    let mut info = BootInfo {
        protocol: "arm64 Image",
        kernel,
        ..BootInfo::default()
    };
    let Ok(tree) = Fdt::new(blob) else {
        info.protocol = "arm64 Image without a readable device tree";
        return info;
    };
    info.device_tree = Some(PhysRange::from_start_len(at.as_u64(), blob.len() as u64));
    let root = tree.root();
    for node in root.children().filter(is_memory) {
        for range in registers(node) {
            push(&mut info.memory, whole_pages(range));
        }
    }
    for entry in tree.memory_reservations() {
        let range = PhysRange::from_start_len(entry.address(), entry.size());
        push(&mut info.reserved, range);
    }
    let reserved = root.child("reserved-memory");
    for node in reserved.iter().flat_map(Node::children) {
        for range in registers(node) {
            push(&mut info.reserved, range);
        }
    }
    if let Some(chosen) = root.child("chosen") {
        info.command_line = command_line(chosen);
        info.initramfs = initramfs(chosen);
    }
    info
}

impl Machine {
    /// Returns a machine of which nothing is known.
    pub const fn unknown() -> Self {
        Self {
            console: None,
            clock: None,
            interrupt_controller: None,
            psci: None,
            timer_interrupt: VIRTUAL_TIMER_DEFAULT,
        }
    }

    /// Returns what to try on a machine without a readable device tree, for the last words: the console and the
    /// reset of QEMU's `virt` board, where this kernel runs most.
    pub fn last_resort() -> Self {
        Self {
            console: Some(Console {
                registers: PhysRange {
                    start: PhysAddr::new(0x900_0000),
                    end: PhysAddr::new(0x900_1000),
                },
                interrupt: None,
            }),
            psci: Some(PsciMethod::Hvc),
            ..Self::unknown()
        }
    }

    /// Finds the devices in a blob; one that cannot be read gives none.
    pub fn from_blob(blob: &[u8]) -> Self {
        let mut machine = Self::unknown();
        let Ok(tree) = Fdt::new(blob) else {
            return machine;
        };
        let console = console_path(&tree);
        let mut path = ArrayVec::new();
        machine.visit(tree.root(), &mut path, console);
        machine
    }

    /// Returns the registers of all devices.
    pub fn device_ranges(&self) -> ArrayVec<PhysRange, MAX_DEVICE_RANGES> {
        let mut ranges = ArrayVec::new();
        ranges.extend(self.console.map(|console| console.registers));
        ranges.extend(self.clock);
        match &self.interrupt_controller {
            Some(InterruptController::GicV2 {
                distributor,
                cpu_interface,
            }) => {
                ranges.extend([*distributor, *cpu_interface]);
            }
            Some(InterruptController::GicV3 {
                distributor,
                redistributors,
            }) => {
                ranges.push(*distributor);
                ranges.extend(redistributors.iter().copied());
            }
            None => {}
        }
        ranges
    }

    /// Looks at the children of `bus`; `path` holds the buses above it, the root not among them.
    fn visit<'a>(
        &mut self,
        bus: FdtNode<'a>,
        path: &mut ArrayVec<FdtNode<'a>, MAX_DEPTH>,
        console: Option<FdtNode<'a>>,
    ) {
        for node in bus.children().filter(is_enabled) {
            self.device(node, path, console);
            let is_bus = node.property("ranges").is_some();
            if is_bus && path.try_push(node).is_ok() {
                self.visit(node, path, console);
                path.pop();
            }
        }
    }

    fn device(&mut self, node: FdtNode<'_>, path: &[FdtNode<'_>], console: Option<FdtNode<'_>>) {
        let mut ranges = registers(node).filter_map(|range| translate(range, path));
        if node.is_compatible("arm,pl011") {
            let is_chosen = console.is_some_and(|chosen| same_node(chosen, node));
            if let (Some(registers), true) = (ranges.next(), is_chosen || self.console.is_none()) {
                let interrupt = interrupt(node, 0);
                self.console = Some(Console { registers, interrupt });
            }
        } else if node.is_compatible("arm,pl031") {
            self.clock = self.clock.or_else(|| ranges.next());
        } else if is_any(node, &["arm,cortex-a15-gic", "arm,gic-400"]) {
            if let (Some(distributor), Some(cpu_interface)) = (ranges.next(), ranges.next()) {
                let gic = InterruptController::GicV2 {
                    distributor,
                    cpu_interface,
                };
                self.interrupt_controller = Some(gic);
            }
        } else if node.is_compatible("arm,gic-v3") {
            let regions = cell(node, "#redistributor-regions").unwrap_or(1) as usize;
            if let Some(distributor) = ranges.next() {
                let redistributors = ranges.take(regions.min(MAX_REDISTRIBUTORS)).collect();
                let gic = InterruptController::GicV3 {
                    distributor,
                    redistributors,
                };
                self.interrupt_controller = Some(gic);
            }
        } else if is_any(node, &["arm,psci-1.0", "arm,psci-0.2"]) {
            self.psci = match text(node, "method") {
                Some("hvc") => Some(PsciMethod::Hvc),
                Some("smc") => Some(PsciMethod::Smc),
                _ => None,
            };
        } else if is_any(node, &["arm,armv8-timer", "arm,armv7-timer"]) {
            let number = interrupt(node, VIRTUAL_TIMER_INDEX);
            self.timer_interrupt = number.unwrap_or(VIRTUAL_TIMER_DEFAULT);
        }
    }
}

fn command_line(chosen: FdtNode<'static>) -> &'static [u8] {
    let bytes: &'static [u8] = chosen
        .property("bootargs")
        .and_then(|property| property.value_as().ok())
        .unwrap_or_default();
    let end = bytes.iter().position(|&byte| byte == 0);
    &bytes[..end.unwrap_or(bytes.len())]
}

fn initramfs(chosen: FdtNode<'_>) -> Option<PhysRange> {
    let start = number(chosen, "linux,initrd-start")?;
    let end = number(chosen, "linux,initrd-end")?;
    (start < end).then(|| PhysRange::from_start_len(start, end - start))
}

/// Finds the node that `/chosen/stdout-path` names, by path or by alias.
fn console_path<'a>(tree: &Fdt<'a>) -> Option<FdtNode<'a>> {
    let chosen = tree.find_node("/chosen")?;
    let path = text(chosen, "stdout-path")?;
    let path = path.split(':').next().unwrap_or(path);
    if path.starts_with('/') {
        return tree.find_node(path);
    }
    let aliases = tree.find_node("/aliases")?;
    tree.find_node(text(aliases, path)?)
}

/// Returns the `reg` property of a node as non-empty ranges of its parent's address space.
fn registers(node: FdtNode<'_>) -> impl Iterator<Item = PhysRange> {
    node.reg().ok().flatten().into_iter().flatten().filter_map(|reg| {
        let range = PhysRange::from_start_len(reg.address().ok()?, reg.size().ok()?);
        (!range.is_empty()).then_some(range)
    })
}

/// Translates a range through the `ranges` of the buses above it, the innermost last in `path`.
fn translate(range: PhysRange, path: &[FdtNode<'_>]) -> Option<PhysRange> {
    let mut range = range;
    for bus in path.iter().rev() {
        let mut identity = true;
        let mut found = None;
        for window in bus.ranges().ok().flatten().into_iter().flatten() {
            identity = false;
            let (Ok(child), Ok(parent), Ok(bytes)) = (
                window.child_bus_address::<u64>(),
                window.parent_bus_address::<u64>(),
                window.length::<u64>(),
            ) else {
                continue;
            };
            let start = range.start.as_u64();
            if PhysRange::from_start_len(child, bytes).contains(range.start) {
                let start = parent.checked_add(start - child)?;
                found = Some(PhysRange::from_start_len(start, range.len()));
            }
        }
        if !identity {
            range = found?;
        }
    }
    Some(range)
}

/// Returns the GIC's number of interrupt `index` of a node.
fn interrupt(node: FdtNode<'_>, index: usize) -> Option<u32> {
    let property = node.property("interrupts")?;
    let cells: &[u8] = property.value_as().ok()?;
    let at = |cell: usize| {
        let from = 4 * (SPECIFIER_CELLS * index + cell);
        let bytes = cells.get(from..from + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    match at(0)? {
        0 => at(1)?.checked_add(FIRST_SPI),
        1 => at(1)?.checked_add(FIRST_PPI),
        _ => None,
    }
}

/// Reads a property of one or two cells.
fn number(node: FdtNode<'_>, name: &str) -> Option<u64> {
    let property = node.property(name)?;
    match *property.value_as::<&[u8]>().ok()? {
        [a, b, c, d] => Some(u64::from(u32::from_be_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Some(u64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => None,
    }
}

fn cell(node: FdtNode<'_>, name: &str) -> Option<u32> {
    node.property(name)?.value_as().ok()
}

fn text<'a>(node: FdtNode<'a>, name: &str) -> Option<&'a str> {
    node.property(name)?.value_as().ok()
}

fn is_memory(node: &FdtNode<'_>) -> bool {
    text(*node, "device_type") == Some("memory") && is_enabled(node)
}

fn is_enabled(node: &FdtNode<'_>) -> bool {
    matches!(text(*node, "status"), None | Some("okay" | "ok"))
}

fn is_any(node: FdtNode<'_>, names: &[&str]) -> bool {
    names.iter().any(|name| node.is_compatible(name))
}

/// Reports whether two nodes of one tree are the same: names lie at different places of the blob.
fn same_node(one: FdtNode<'_>, other: FdtNode<'_>) -> bool {
    core::ptr::eq(one.name(), other.name())
}

/// Shrinks a range to the whole pages in it.
fn whole_pages(range: PhysRange) -> PhysRange {
    PhysRange {
        start: range.start.checked_page_up().unwrap_or(range.end),
        end: range.end.page_base(),
    }
}

/// Adds a range; empty ones and those beyond the limit are dropped.
fn push(ranges: &mut ArrayVec<PhysRange, MAX_MEMORY_REGIONS>, range: PhysRange) {
    if !range.is_empty() && ranges.try_push(range).is_err() {
        log::warn!("device tree: more than {MAX_MEMORY_REGIONS} memory regions");
    }
}

#[cfg(test)]
mod tests;
