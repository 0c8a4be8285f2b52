//! Segments: the selectors that `syscall`, `sysret` and programs expect, and the stacks for the exceptions
//! that must not trust the running one.

use core::arch::asm;
use core::cell::UnsafeCell;

use hal::cpu::MAX_CPUS;
use x86_64::PrivilegeLevel::{Ring0, Ring3};
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, FS, GS, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::structures::gdt::{Descriptor, DescriptorFlags, GlobalDescriptorTable, SegmentSelector};

use crate::percpu::{GDT_ENTRIES, PerCpu};

/// The kernel's code segment, at Linux's place.
pub(crate) const KERNEL_CODE: SegmentSelector = SegmentSelector::new(2, Ring0);
/// The kernel's stack segment.
const KERNEL_DATA: SegmentSelector = SegmentSelector::new(3, Ring0);
/// What STAR holds for `sysret`: 64-bit code is 16 bytes further, data 8.
pub(crate) const SYSRET_BASE: u16 = 0x23;
const TSS: SegmentSelector = SegmentSelector::new(8, Ring0);
/// A segment that nobody loads: its limit is the CPU's number, which the vDSO reads by LSL.
pub(crate) const CPU_NUMBER: SegmentSelector = SegmentSelector::new(10, Ring3);

/// Index in the interrupt stack table for double faults and machine checks, which end the kernel.
pub(crate) const FATAL_STACK: u16 = 0;
/// Index in the interrupt stack table for non-maskable interrupts.
pub(crate) const NMI_STACK: u16 = 1;

const STACK_BYTES: usize = 8192;

/// A stack of the interrupt stack table. Its last 16 bytes are not used as stack: the entry code finds the
/// address of the CPU's data there, since GS cannot be trusted.
#[repr(C, align(16))]
struct InterruptStack {
    stack: UnsafeCell<[u8; STACK_BYTES - 16]>,
    cpu: UnsafeCell<usize>,
    padding: u64,
}

// SAFETY: written by the one CPU that it belongs to, before the descriptor that leads to it is loaded.
unsafe impl Sync for InterruptStack {}

static STACKS: [[InterruptStack; 2]; MAX_CPUS] = [const {
    [const {
        InterruptStack {
            stack: UnsafeCell::new([0; STACK_BYTES - 16]),
            cpu: UnsafeCell::new(0),
            padding: 0,
        }
    }; 2]
}; MAX_CPUS];

/// Loads this CPU's segments and TSS. Clears the GS base: the caller sets it afterwards.
pub(crate) fn init(cpu: &'static PerCpu, index: usize) {
    let gdt = cpu.gdt.call_once(|| {
        init_tss(cpu, index);
        build(cpu, index)
    });
    gdt.load();
    // SAFETY: the selector names the 64-bit code segment of the table just loaded.
    unsafe { CS::set_reg(KERNEL_CODE) };
    // SAFETY: the selector names a writable data segment.
    unsafe { SS::set_reg(KERNEL_DATA) };
    // Null selectors: a return to user mode would clear the base of any other kernel selector.
    // SAFETY: DS is not used in 64-bit mode.
    unsafe { DS::set_reg(SegmentSelector::NULL) };
    // SAFETY: ES is not used in 64-bit mode.
    unsafe { ES::set_reg(SegmentSelector::NULL) };
    // SAFETY: the kernel does not use FS.
    unsafe { FS::set_reg(SegmentSelector::NULL) };
    // SAFETY: the caller sets the base before anything uses GS.
    unsafe { GS::set_reg(SegmentSelector::NULL) };
    // What the processor starts with covers the lowest addresses, and programs may load selectors of it.
    // SAFETY: without a local descriptor table such a selector faults.
    unsafe { asm!("lldt {:x}", in(reg) 0_u16, options(nomem, nostack, preserves_flags)) };
    // SAFETY: the selector names this CPU's own TSS, which is static.
    unsafe { load_tss(TSS) };
}

fn build(cpu: &'static PerCpu, index: usize) -> GlobalDescriptorTable<GDT_ENTRIES> {
    let unused = Descriptor::UserSegment(DescriptorFlags::USER_SEGMENT.bits());
    let mut gdt = GlobalDescriptorTable::empty();
    gdt.append(unused);
    gdt.append(Descriptor::kernel_code_segment());
    gdt.append(Descriptor::kernel_data_segment());
    // 32-bit user code: there is no 32-bit ABI, but `sysret` counts from here.
    gdt.append(unused);
    gdt.append(Descriptor::user_data_segment());
    gdt.append(Descriptor::user_code_segment());
    gdt.append(unused);
    // SAFETY: the TSS is part of a static.
    gdt.append(unsafe { Descriptor::tss_segment_unchecked(cpu.tss.get()) });
    gdt.append(cpu_number_segment(index));
    gdt
}

/// Makes the descriptor of [`CPU_NUMBER`]: read-only data for user mode.
fn cpu_number_segment(index: usize) -> Descriptor {
    let flags = DescriptorFlags::USER_SEGMENT
        | DescriptorFlags::PRESENT
        | DescriptorFlags::DPL_RING_3
        | DescriptorFlags::ACCESSED;
    // CPUs are fewer than `MAX_CPUS`: the low 16 bits of the limit have room for the number.
    Descriptor::UserSegment(flags.bits() | index as u64)
}

fn init_tss(cpu: &'static PerCpu, index: usize) {
    // SAFETY: this CPU's TSS is not loaded yet, nobody else uses it.
    let tss = unsafe { &mut *cpu.tss.get() };
    for (number, stack) in STACKS[index].iter().enumerate() {
        // SAFETY: the stack is not in use before the TSS is loaded.
        unsafe { stack.cpu.get().write(cpu.address()) };
        tss.interrupt_stack_table[number] = VirtAddr::from_ptr(stack.cpu.get());
    }
}
