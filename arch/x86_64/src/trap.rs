//! User mode as a call, and traps of kernel code. The assembly is in `vectors.S` and `syscall.S`.
//!
//! RSP0 of the TSS is the end of the running program's frame, not a kernel stack: the processor's pushes and
//! those of the entry code fill the frame in place, nothing is copied, and no per-thread stack pointer has
//! to follow a context switch.

use core::arch::global_asm;
use core::mem::{offset_of, size_of};

use hal::VirtAddr;
use hal::paging::Access;
use hal::trap::{
    Exception, ExceptionKind, FaultRecord, ReadUser, RegisterNote, SignalFrame, SignalReturn, SignalSetup,
};
use hal::trap::{TrapFrame, Traps, UserExit};
use los_abi::errno::Errno;
use x86_64::VirtAddr as CanonicalAddress;
use x86_64::instructions::interrupts;
use x86_64::registers::control::Cr2;
use x86_64::registers::model_specific::{Efer, EferFlags, LStar, SFMask, Star};
use x86_64::registers::rflags::RFlags;

use crate::exception::{self, PageFaultCode};
use crate::features::FEATURES;
use crate::frame::{self, Frame, signal};
use crate::idt::{self, vector};
use crate::percpu::{KERNEL_RSP, TSS_RSP0, USER_RSP};
use crate::state::UserState;
use crate::{X86_64, console, features, gdt, irq, notes, uaccess};

/// What `run_user_asm` returns as vector for a system call: not one of the 256.
const SYSCALL: u64 = 256;

global_asm!(
    include_str!("vectors.S"),
    RETURN_BY_IRET = const frame::RETURN_BY_IRET,
    RETURN_BY_SYSRET = const frame::RETURN_BY_SYSRET,
    NO_SYSCALL = const frame::NO_SYSCALL.cast_signed(),
    FEATURES = sym FEATURES,
    SMAP = const features::SMAP,
    STUB_BYTES = const idt::STUB_BYTES,
    NMI = const vector::NMI,
    DOUBLE_FAULT = const vector::DOUBLE_FAULT,
    MACHINE_CHECK = const vector::MACHINE_CHECK,
    GENERAL_PROTECTION = const vector::GENERAL_PROTECTION,
    KERNEL_RSP = const KERNEL_RSP,
    TSS_RSP0 = const TSS_RSP0,
    MSR_GS_BASE = const 0xc000_0101u32,
    FRAME_BYTES = const size_of::<Frame>(),
    kernel_trap = sym kernel_trap,
    RETURN_PATH = const offset_of!(Frame, return_path),
    ORIG_RAX = const offset_of!(Frame, orig_rax),
    RIP = const offset_of!(Frame, rip),
    RFLAGS = const offset_of!(Frame, rflags),
    RSP = const offset_of!(Frame, rsp),
    R15 = const offset_of!(Frame, r15),
    R14 = const offset_of!(Frame, r14),
    R13 = const offset_of!(Frame, r13),
    R12 = const offset_of!(Frame, r12),
    RBP = const offset_of!(Frame, rbp),
    RBX = const offset_of!(Frame, rbx),
    R10 = const offset_of!(Frame, r10),
    R9 = const offset_of!(Frame, r9),
    R8 = const offset_of!(Frame, r8),
    RAX = const offset_of!(Frame, rax),
    RDX = const offset_of!(Frame, rdx),
    RSI = const offset_of!(Frame, rsi),
    RDI = const offset_of!(Frame, rdi),
);

global_asm!(
    include_str!("syscall.S"),
    USER_RSP = const USER_RSP,
    TSS_RSP0 = const TSS_RSP0,
    KERNEL_RSP = const KERNEL_RSP,
    USER_DATA = const frame::USER_DATA_SELECTOR,
    USER_CODE = const frame::USER_CODE_SELECTOR,
    RETURN_BY_SYSRET = const frame::RETURN_BY_SYSRET,
    SYSCALL = const SYSCALL,
);

/// Why the program stopped, as the entry code knows it.
#[repr(C)]
struct RawExit {
    vector: u64,
    error_code: u64,
}

unsafe extern "C" {
    fn run_user_asm(frame: *mut Frame) -> RawExit;
    safe static syscall_entry: u8;
}

impl Traps for X86_64 {
    type Frame = Frame;

    fn init_traps() {
        idt::init();
        // SAFETY: the boot code has set the other bits; `syscall` is given its entry point below.
        unsafe { Efer::update(|efer| efer.insert(EferFlags::SYSTEM_CALL_EXTENSIONS)) };
        LStar::write(CanonicalAddress::from_ptr(&raw const syscall_entry));
        SFMask::write(
            RFlags::INTERRUPT_FLAG
                | RFlags::DIRECTION_FLAG
                | RFlags::TRAP_FLAG
                | RFlags::ALIGNMENT_CHECK
                | RFlags::NESTED_TASK
                | RFlags::IOPL_LOW
                | RFlags::IOPL_HIGH
                | RFlags::RESUME_FLAG,
        );
        // SAFETY: the selectors are those of the GDT, in the order that the two instructions count on.
        unsafe { Star::write_raw(gdt::SYSRET_BASE, gdt::KERNEL_CODE.0) };
    }

    /// May be called with interrupts masked, so that the caller can look for work without a window.
    fn run_user(frame: &mut Frame) -> UserExit {
        interrupts::disable();
        // SAFETY: interrupts are masked; no other crate can make a frame with a privileged selector or flag.
        let exit = unsafe { run_user_asm(frame) };
        if exit.vector != SYSCALL {
            return trapped(frame, &exit);
        }
        interrupts::enable();
        UserExit::Syscall
    }

    fn build_signal_frame(frame: &Frame, state: &UserState, setup: &SignalSetup<'_>) -> SignalFrame {
        signal::build(frame, state, setup)
    }

    fn enter_handler(frame: &mut Frame, setup: &SignalSetup<'_>, signal_frame: &SignalFrame) {
        signal::enter_handler(frame, setup, signal_frame.address);
    }

    fn begin_handler(state: &mut UserState) -> bool {
        state.reset_extended();
        true
    }

    fn signal_frame_bytes() -> usize {
        signal::max_bytes(features::extended_layout())
    }

    fn visit_register_notes(frame: &Frame, state: &UserState, visit: &mut dyn FnMut(RegisterNote<'_>)) {
        notes::visit(frame, state, visit);
    }

    fn restore_signal_frame(
        frame: &mut Frame,
        state: &mut UserState,
        read: ReadUser<'_>,
    ) -> Result<SignalReturn, Errno> {
        signal::restore(frame, state, read)
    }
}

/// Handles what must be handled with interrupts masked and says what happened.
#[inline(never)]
fn trapped(frame: &Frame, exit: &RawExit) -> UserExit {
    let number = u8::try_from(exit.vector).unwrap_or(u8::MAX);
    let result = match number {
        idt::FIRST_INTERRUPT.. => {
            irq::dispatch(number);
            UserExit::Interrupt
        }
        vector::PAGE_FAULT => UserExit::PageFault {
            address: VirtAddr::new(Cr2::read_raw()),
            access: PageFaultCode(exit.error_code).access(),
            record: FaultRecord {
                trap: number.into(),
                code: PageFaultCode(exit.error_code).as_told(in_user_half(Cr2::read_raw())),
                address: Some(Cr2::read_raw()),
            },
        },
        _ => UserExit::Exception(exception(number, exit.error_code, frame)),
    };
    interrupts::enable();
    result
}

fn exception(number: u8, error_code: u64, frame: &Frame) -> Exception {
    let kind = match number {
        vector::X87 => ExceptionKind::FloatingPoint(exception::floating_point_code(x87_status())),
        vector::SIMD => ExceptionKind::FloatingPoint(exception::floating_point_code(mxcsr())),
        vector::DEBUG => {
            clear_debug_status();
            ExceptionKind::SingleStep
        }
        _ => exception::kind(number),
    };
    let address = match kind {
        // Linux has no address for these.
        ExceptionKind::Protection
        | ExceptionKind::Segment
        | ExceptionKind::Breakpoint(_)
        | ExceptionKind::Alignment => 0,
        _ => frame.program_counter(),
    };
    Exception {
        kind,
        address: VirtAddr::new(address),
        record: Some(FaultRecord {
            trap: number.into(),
            code: error_code,
            address: None,
        }),
    }
}

fn in_user_half(address: u64) -> bool {
    address < <X86_64 as hal::paging::Paging>::USER_END
}

/// Returns the pending exceptions of the x87 unit that are not masked.
fn x87_status() -> u16 {
    let (mut status, mut control) = (0u16, 0u16);
    // SAFETY: stores a register.
    unsafe { core::arch::asm!("fnstsw [{}]", in(reg) &raw mut status, options(nostack)) };
    // SAFETY: stores a register.
    unsafe { core::arch::asm!("fnstcw [{}]", in(reg) &raw mut control, options(nostack)) };
    status & !control
}

/// Returns the pending exceptions of the SSE unit that are not masked.
fn mxcsr() -> u16 {
    let mut mxcsr = 0u32;
    // SAFETY: stores a register.
    unsafe { core::arch::asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack)) };
    exception::unmasked_sse(mxcsr)
}

/// Forgets the cause of a debug exception: the processor never does (SDM volume 3, 18.2.3).
fn clear_debug_status() {
    const DR6_INITIAL: u64 = 0xffff_0ff0;
    // SAFETY: DR6 only reports.
    unsafe { core::arch::asm!("mov dr6, {}", in(reg) DR6_INITIAL, options(nomem, nostack)) };
}

/// Handles a trap of kernel code. Called by the entry code on the stack that was running, or on a stack of
/// its own for the three vectors that need it.
extern "C" fn kernel_trap(frame: &mut Frame, number: u64, error_code: u64) {
    let number = u8::try_from(number).unwrap_or(u8::MAX);
    match number {
        idt::FIRST_INTERRUPT.. => irq::dispatch(number),
        vector::NMI => console::write(b"non-maskable interrupt of unknown reason\r\n"),
        vector::DEBUG => {
            clear_debug_status();
            frame.clear_trap_flag();
        }
        vector::PAGE_FAULT => kernel_page_fault(frame, error_code),
        _ => die(frame, number, error_code),
    }
}

fn kernel_page_fault(frame: &mut Frame, error_code: u64) {
    match uaccess::fixup(frame.rip) {
        Some(fixup) if in_user_half(Cr2::read_raw()) => frame.rip = fixup,
        _ => die(frame, vector::PAGE_FAULT, error_code),
    }
}

fn die(frame: &Frame, number: u8, error_code: u64) -> ! {
    let access = match number {
        vector::PAGE_FAULT => match PageFaultCode(error_code).access() {
            Access::Read => "read",
            Access::Write => "write",
            Access::Execute => "fetch",
        },
        _ => "none",
    };
    panic!(
        "{} in {} mode at {:#018x}, error code {error_code:#x}, access {access}, cr2 {:#018x}\n\
         rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}\n\
         rsi {:016x} rdi {:016x} rbp {:016x} rsp {:016x}\n\
         r8  {:016x} r9  {:016x} r10 {:016x} r11 {:016x}\n\
         r12 {:016x} r13 {:016x} r14 {:016x} r15 {:016x}\n\
         flags {:08x} cs {:x} ss {:x} cr3 {:#x} cpu {}",
        exception::name(number),
        if frame.cs & 3 == 0 { "kernel" } else { "user" },
        frame.rip,
        Cr2::read_raw(),
        frame.rax,
        frame.rbx,
        frame.rcx,
        frame.rdx,
        frame.rsi,
        frame.rdi,
        frame.rbp,
        frame.rsp,
        frame.r8,
        frame.r9,
        frame.r10,
        frame.r11,
        frame.r12,
        frame.r13,
        frame.r14,
        frame.r15,
        frame.rflags,
        frame.cs,
        frame.ss,
        crate::mmu::current_root(),
        crate::percpu::index(),
    )
}
