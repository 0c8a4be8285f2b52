//! The interrupt descriptor table: every vector leads to its stub in `vectors.S`.

use spin::Once;
use x86_64::PrivilegeLevel::Ring3;
use x86_64::VirtAddr;
use x86_64::structures::idt::{EntryOptions, InterruptDescriptorTable};

use crate::gdt;

/// First vector for interrupts; the ones below are the processor's exceptions.
pub(crate) const FIRST_INTERRUPT: u8 = 32;
/// Bytes between two stubs.
pub(crate) const STUB_BYTES: u64 = 16;

/// The exceptions' vectors, by the manual's names (SDM volume 3, 6.3.1).
pub(crate) mod vector {
    pub(crate) const DIVIDE_ERROR: u8 = 0;
    pub(crate) const DEBUG: u8 = 1;
    pub(crate) const NMI: u8 = 2;
    pub(crate) const BREAKPOINT: u8 = 3;
    pub(crate) const OVERFLOW: u8 = 4;
    pub(crate) const INVALID_OPCODE: u8 = 6;
    pub(crate) const DEVICE_NOT_AVAILABLE: u8 = 7;
    pub(crate) const DOUBLE_FAULT: u8 = 8;
    pub(crate) const GENERAL_PROTECTION: u8 = 13;
    pub(crate) const PAGE_FAULT: u8 = 14;
    pub(crate) const X87: u8 = 16;
    pub(crate) const ALIGNMENT_CHECK: u8 = 17;
    pub(crate) const MACHINE_CHECK: u8 = 18;
    pub(crate) const SIMD: u8 = 19;
}

static IDT: Once<InterruptDescriptorTable> = Once::new();

unsafe extern "C" {
    /// The stub of vector 0; the others follow at [`STUB_BYTES`].
    safe static trap_vectors: u8;
}

/// Loads the table on this CPU.
pub(crate) fn init() {
    IDT.call_once(build).load();
}

fn build() -> InterruptDescriptorTable {
    use vector::{
        ALIGNMENT_CHECK, DEBUG, DEVICE_NOT_AVAILABLE, DIVIDE_ERROR, GENERAL_PROTECTION, INVALID_OPCODE,
        PAGE_FAULT, SIMD, X87,
    };
    let mut idt = InterruptDescriptorTable::new();
    macro_rules! install {
        ($($field:ident = $vector:expr),* $(,)?) => {
            $(
                // SAFETY: the stub handles this vector in the form that the processor pushes.
                let _: &mut EntryOptions = unsafe { idt.$field.set_handler_addr(stub($vector)) };
            )*
        };
    }
    install! {
        divide_error = DIVIDE_ERROR, debug = DEBUG, bound_range_exceeded = 5,
        invalid_opcode = INVALID_OPCODE, device_not_available = DEVICE_NOT_AVAILABLE,
        invalid_tss = 10, segment_not_present = 11, stack_segment_fault = 12,
        general_protection_fault = GENERAL_PROTECTION, page_fault = PAGE_FAULT,
        x87_floating_point = X87, alignment_check = ALIGNMENT_CHECK,
        simd_floating_point = SIMD, virtualization = 20, cp_protection_exception = 21,
    }
    for number in FIRST_INTERRUPT..=u8::MAX {
        // SAFETY: as above.
        unsafe { idt[number].set_handler_addr(stub(number)) };
    }
    set_options(&mut idt);
    idt
}

/// Installs the rest: opens `int3` and `into` to programs, and moves what may come on a bad stack to stacks of its own.
fn set_options(idt: &mut InterruptDescriptorTable) {
    let handler = stub(vector::BREAKPOINT);
    // SAFETY: the stub of this vector.
    unsafe { idt.breakpoint.set_handler_addr(handler) }.set_privilege_level(Ring3);
    let handler = stub(vector::OVERFLOW);
    // SAFETY: the stub of this vector.
    unsafe { idt.overflow.set_handler_addr(handler) }.set_privilege_level(Ring3);
    let handler = stub(vector::DOUBLE_FAULT);
    // SAFETY: the stub of this vector.
    let options = unsafe { idt.double_fault.set_handler_addr(handler) };
    // SAFETY: the stack exists and no other vector that can interrupt this one uses it.
    unsafe { options.set_stack_index(gdt::FATAL_STACK) };
    let handler = stub(vector::MACHINE_CHECK);
    // SAFETY: the stub of this vector.
    let options = unsafe { idt.machine_check.set_handler_addr(handler) };
    // SAFETY: shared with the double fault only; both end the kernel.
    unsafe { options.set_stack_index(gdt::FATAL_STACK) };
    let handler = stub(vector::NMI);
    // SAFETY: the stub of this vector.
    let options = unsafe { idt.non_maskable_interrupt.set_handler_addr(handler) };
    // SAFETY: non-maskable interrupts do not nest.
    unsafe { options.set_stack_index(gdt::NMI_STACK) };
}

fn stub(vector: u8) -> VirtAddr {
    VirtAddr::from_ptr(&raw const trap_vectors) + STUB_BYTES * u64::from(vector)
}
