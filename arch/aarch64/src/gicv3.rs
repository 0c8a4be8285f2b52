//! The Generic Interrupt Controller, version 3 (Arm IHI 0069): all interrupts in non-secure group 1, one
//! priority, shared ones to the CPU that brings the controller up. The CPU interface is system registers.

use core::arch::asm;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::MPIDR_EL1;
use aarch64_cpu::registers::Readable;
use hal::PhysRange;

use crate::irq::{Acknowledged, PRIORITY, PRIORITY_MASK};
use crate::mmio::Registers;

// Distributor; the registers of 32 interrupts each are laid out alike in the redistributor's second frame.
const GICD_CTLR: usize = 0x0000;
const GICD_TYPER: usize = 0x0004;
const IGROUPR: usize = 0x0080;
const ISENABLER: usize = 0x0100;
const ICENABLER: usize = 0x0180;
const ICPENDR: usize = 0x0280;
const IPRIORITYR: usize = 0x0400;
const IGRPMODR: usize = 0x0d00;
const GICD_IROUTER: usize = 0x6000;
// Redistributor.
const GICR_CTLR: usize = 0x0000;
const GICR_TYPER: usize = 0x0008;
const GICR_WAKER: usize = 0x0014;
const GICR_SGI_FRAME: usize = 0x1_0000;

/// GICD_CTLR: affinity routing and group 1, as non-secure software sees them.
const ROUTING_AND_GROUP1: u32 = 1 << 4 | 1 << 1 | 1 << 0;
const GICD_WRITE_PENDING: u32 = 1 << 31;
const GICR_WRITE_PENDING: u32 = 1 << 3;
const WAKER_PROCESSOR_SLEEP: u32 = 1 << 1;
const WAKER_CHILDREN_ASLEEP: u32 = 1 << 2;
const TYPER_LAST: u64 = 1 << 4;
const TYPER_VIRTUAL_LPIS: u64 = 1 << 1;
const TYPER_AFFINITY_SHIFT: u32 = 32;
/// Bytes of a redistributor, without and with the frames for virtual LPIs.
const STRIDE: u64 = 0x2_0000;
const STRIDE_VIRTUAL_LPIS: u64 = 0x4_0000;
const FIRST_SHARED: usize = 32;
/// Highest number of a shared interrupt, plus one.
const SHARED_END: usize = 1020;
const NUMBER: u32 = 0xff_ffff;

/// The controller's register blocks.
pub(crate) struct GicV3 {
    distributor: Registers,
    redistributors: &'static [PhysRange],
}

impl GicV3 {
    /// Takes the controller over: everything disabled, nothing pending.
    ///
    /// # Safety
    /// The ranges are the controller's, mapped in the direct map, and nobody else drives it.
    pub(crate) unsafe fn new(distributor: PhysRange, redistributors: &'static [PhysRange]) -> Self {
        // SAFETY: the caller's duty.
        let distributor = unsafe { Registers::direct(distributor) };
        distributor.write(GICD_CTLR, 0);
        wait_until_clear(distributor, GICD_CTLR, GICD_WRITE_PENDING);
        let interrupts = 32 * ((distributor.read(GICD_TYPER) as usize & 0x1f) + 1);
        let interrupts = interrupts.min(SHARED_END);
        for number in (FIRST_SHARED..interrupts).step_by(32) {
            reset_32(distributor, number / 8);
        }
        distributor.write(GICD_CTLR, ROUTING_AND_GROUP1);
        wait_until_clear(distributor, GICD_CTLR, GICD_WRITE_PENDING);
        let this_cpu = route(affinity());
        for number in FIRST_SHARED..interrupts {
            distributor.write_byte(IPRIORITYR + number, PRIORITY);
            distributor.write_wide(GICD_IROUTER + 8 * number, this_cpu);
        }
        Self {
            distributor,
            redistributors,
        }
    }

    /// Prepares the running CPU's private interrupts and its interface.
    pub(crate) fn init_cpu(&self) {
        let redistributor = self.redistributor();
        let waker = redistributor.read(GICR_WAKER) & !WAKER_PROCESSOR_SLEEP;
        redistributor.write(GICR_WAKER, waker);
        wait_until_clear(redistributor, GICR_WAKER, WAKER_CHILDREN_ASLEEP);
        let private = redistributor.at(GICR_SGI_FRAME);
        reset_32(private, 0);
        for number in 0..FIRST_SHARED {
            private.write_byte(IPRIORITYR + number, PRIORITY);
        }
        wait_until_clear(redistributor, GICR_CTLR, GICR_WRITE_PENDING);
        init_interface();
    }

    /// Enables an interrupt; a private one on the running CPU.
    pub(crate) fn enable(&self, number: u32) {
        let number = number as usize;
        let block = if number < FIRST_SHARED {
            self.redistributor().at(GICR_SGI_FRAME)
        } else {
            self.distributor
        };
        block.write(ISENABLER + 4 * (number / 32), 1 << (number % 32));
    }

    /// Takes the most urgent pending interrupt.
    #[inline]
    pub(crate) fn acknowledge(&self) -> Acknowledged {
        let token: u64;
        // SAFETY: reads ICC_IAR1_EL1; the barrier orders it before accesses to the device.
        unsafe {
            asm!("mrs {}, S3_0_C12_C12_0", "dsb sy", out(reg) token,
                options(nostack, preserves_flags));
        }
        let number = token as u32 & NUMBER;
        Acknowledged {
            number,
            token: number,
        }
    }

    /// Ends an interrupt that was taken.
    #[inline]
    pub(crate) fn end(&self, interrupt: Acknowledged) {
        let token = u64::from(interrupt.token);
        // SAFETY: writes ICC_EOIR1_EL1 with what `acknowledge` gave.
        unsafe { asm!("msr S3_0_C12_C12_1, {}", "isb", in(reg) token, options(nostack, preserves_flags)) }
    }

    /// Finds the running CPU's redistributor.
    fn redistributor(&self) -> Registers {
        let wanted = affinity();
        for region in self.redistributors {
            let mut offset = 0;
            while offset < region.len() {
                let start = region.start + offset;
                let frame = PhysRange::from_start_len(start.as_u64(), STRIDE);
                // SAFETY: `new` was promised that the regions are redistributors in the direct map.
                let registers = unsafe { Registers::direct(frame) };
                let kind = registers.read_wide(GICR_TYPER);
                if kind >> TYPER_AFFINITY_SHIFT == wanted {
                    return registers;
                }
                if kind & TYPER_LAST != 0 {
                    break;
                }
                offset += match kind & TYPER_VIRTUAL_LPIS {
                    0 => STRIDE,
                    _ => STRIDE_VIRTUAL_LPIS,
                };
            }
        }
        panic!("the CPU with affinity {wanted:#x} has no redistributor");
    }
}

/// Puts 32 interrupts in group 1, disabled and not pending.
fn reset_32(block: Registers, offset: usize) {
    block.write(ICENABLER + offset, u32::MAX);
    block.write(ICPENDR + offset, u32::MAX);
    block.write(IGROUPR + offset, u32::MAX);
    block.write(IGRPMODR + offset, 0);
}

/// Switches the system-register interface on: every priority, group 1, one step for drop and deactivation.
fn init_interface() {
    let mask = u64::from(PRIORITY_MASK);
    // SAFETY: writes ICC_SRE_EL1.SRE, without which the registers below do not exist.
    unsafe { asm!("msr S3_0_C12_C12_5, {}", "isb", in(reg) 1_u64, options(nostack, preserves_flags)) }
    // SAFETY: writes ICC_PMR_EL1, ICC_BPR1_EL1, ICC_CTLR_EL1 and ICC_IGRPEN1_EL1; interrupts are masked
    // until the kernel enables them.
    unsafe {
        asm!(
            "msr S3_0_C4_C6_0, {mask}",
            "msr S3_0_C12_C12_3, xzr",
            "msr S3_0_C12_C12_4, xzr",
            "msr S3_0_C12_C12_7, {one}",
            "isb",
            mask = in(reg) mask,
            one = in(reg) 1_u64,
            options(nostack, preserves_flags),
        );
    }
}

/// Returns the running CPU's affinity as GICR_TYPER shows it: four packed bytes.
fn affinity() -> u64 {
    let id = MPIDR_EL1.get();
    id >> 8 & 0xff00_0000 | id & 0xff_ffff
}

/// Spreads packed affinity to the form of GICD_IROUTER.
const fn route(affinity: u64) -> u64 {
    (affinity & 0xff00_0000) << 8 | affinity & 0xff_ffff
}

fn wait_until_clear(block: Registers, register: usize, bit: u32) {
    while block.read(register) & bit != 0 {
        core::hint::spin_loop();
    }
    barrier::dsb(barrier::SY);
}
