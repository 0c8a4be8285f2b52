//! The Generic Interrupt Controller, version 2 (Arm IHI 0048B): all interrupts in group 0, one priority, all
//! shared ones to the first CPU.

use hal::PhysRange;

use crate::irq::{Acknowledged, PRIORITY, PRIORITY_MASK};
use crate::mmio::Registers;

// Distributor.
const GICD_CTLR: usize = 0x000;
const GICD_TYPER: usize = 0x004;
const GICD_ISENABLER: usize = 0x100;
const GICD_ICENABLER: usize = 0x180;
const GICD_ICPENDR: usize = 0x280;
const GICD_IPRIORITYR: usize = 0x400;
const GICD_ITARGETSR: usize = 0x800;
// CPU interface.
const GICC_CTLR: usize = 0x00;
const GICC_PMR: usize = 0x04;
const GICC_BPR: usize = 0x08;
const GICC_IAR: usize = 0x0c;
const GICC_EOIR: usize = 0x10;

const ENABLE: u32 = 1;
const FIRST_SHARED: usize = 32;
/// The interrupt's number in what GICC_IAR gives; the rest names the CPU that sent a software interrupt.
const NUMBER: u32 = 0x3ff;

/// The controller's two register blocks.
pub(crate) struct GicV2 {
    distributor: Registers,
    cpu_interface: Registers,
}

impl GicV2 {
    /// Takes the controller over: everything disabled, nothing pending.
    ///
    /// # Safety
    /// The ranges are the controller's, mapped in the direct map, and nobody else drives it.
    pub(crate) unsafe fn new(distributor: PhysRange, cpu_interface: PhysRange) -> Self {
        // SAFETY: the caller's duty.
        let distributor = unsafe { Registers::direct(distributor) };
        // SAFETY: the caller's duty.
        let cpu_interface = unsafe { Registers::direct(cpu_interface) };
        distributor.write(GICD_CTLR, 0);
        let interrupts = 32 * ((distributor.read(GICD_TYPER) as usize & 0x1f) + 1);
        let this_cpu = first_target(distributor);
        for number in (FIRST_SHARED..interrupts).step_by(32) {
            distributor.write(GICD_ICENABLER + number / 8, u32::MAX);
            distributor.write(GICD_ICPENDR + number / 8, u32::MAX);
        }
        for number in FIRST_SHARED..interrupts {
            distributor.write_byte(GICD_IPRIORITYR + number, PRIORITY);
            distributor.write_byte(GICD_ITARGETSR + number, this_cpu);
        }
        distributor.write(GICD_CTLR, ENABLE);
        Self {
            distributor,
            cpu_interface,
        }
    }

    /// Prepares the running CPU's private interrupts and its interface.
    pub(crate) fn init_cpu(&self) {
        self.distributor.write(GICD_ICENABLER, u32::MAX);
        for number in 0..FIRST_SHARED {
            self.distributor.write_byte(GICD_IPRIORITYR + number, PRIORITY);
        }
        self.cpu_interface.write(GICC_PMR, u32::from(PRIORITY_MASK));
        self.cpu_interface.write(GICC_BPR, 0);
        self.cpu_interface.write(GICC_CTLR, ENABLE);
    }

    /// Enables an interrupt; a private one on the running CPU.
    pub(crate) fn enable(&self, number: u32) {
        let register = GICD_ISENABLER + 4 * (number as usize / 32);
        self.distributor.write(register, 1 << (number % 32));
    }

    /// Takes the most urgent pending interrupt.
    #[inline]
    pub(crate) fn acknowledge(&self) -> Acknowledged {
        let token = self.cpu_interface.read(GICC_IAR);
        Acknowledged {
            number: token & NUMBER,
            token,
        }
    }

    /// Ends an interrupt that was taken.
    #[inline]
    pub(crate) fn end(&self, interrupt: Acknowledged) {
        self.cpu_interface.write(GICC_EOIR, interrupt.token);
    }
}

/// Returns the running CPU's bit in the target registers, which its private interrupts show. On a machine
/// with one CPU they read as zero, and targets do not matter.
fn first_target(distributor: Registers) -> u8 {
    let targets = (0..FIRST_SHARED / 4)
        .map(|word| distributor.read(GICD_ITARGETSR + 4 * word))
        .find(|&targets| targets != 0);
    targets.map_or(1, |targets| 1 << (targets.trailing_zeros() % 8))
}
