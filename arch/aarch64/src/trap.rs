//! User mode as a call, and faults of the kernel itself.
//!
//! `enter_user` (`vectors.S`) saves everything and says why it returned; what the reason means is decided
//! here. Reasons that concern nobody above, such as an access flag to be set, go straight back in.

use core::arch::global_asm;
use core::fmt;
use core::mem::offset_of;
use core::sync::atomic::Ordering;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{FAR_EL1, VBAR_EL1};
use aarch64_cpu::registers::{Readable, Writeable};
use hal::VirtAddr;
use hal::cpu::Cpu;
use hal::trap::{
    Exception, ExceptionKind, FaultRecord, ReadUser, RegisterNote, SignalFrame, SignalReturn, SignalSetup,
    Traps, UserExit,
};
use hal::uaccess::Uaccess;
use los_abi::errno::Errno;
use los_abi::signal::ILL_ILLOPC;

use crate::frame::TrapFrame;
use crate::percpu::{FAULT_STACK_TOP, this_cpu};
use crate::state::UserState;
use crate::syndrome::{self, Cause};
use crate::{Aarch64, cpu, irq, mmu, notes, power, signal, uaccess};

/// Reasons of `enter_user` that are no syndrome.
const KIND_INTERRUPT: u64 = 1 << 63;
const KIND_SERROR: u64 = 1 << 62;
const INSTRUCTION_BYTES: u64 = 4;
/// Faults within faults after which not even the panic handler is asked again.
const MAX_FAULT_DEPTH: usize = 2;
/// How far below the end of a stack an overflow hits, at most.
const OVERFLOW_REACH: u64 = 4096;

global_asm!(
    include_str!("vectors.S"),
    frame_pc = const offset_of!(TrapFrame, pc),
    frame_kernel_sp = const offset_of!(TrapFrame, kernel_sp),
    kernel_frame_bytes = const size_of::<KernelFrame>(),
    kernel_frame_sp = const offset_of!(KernelFrame, sp),
    cpu_fault_stack_top = const FAULT_STACK_TOP,
    kind_interrupt = const KIND_INTERRUPT,
    kind_serror = const KIND_SERROR,
    kernel_interrupt = sym kernel_interrupt,
    kernel_fault = sym kernel_fault,
);

// What vectors.S takes for granted about the order of the fields.
const _: () = assert!(offset_of!(TrapFrame, sp) == 248);
const _: () = assert!(offset_of!(TrapFrame, pstate) == offset_of!(TrapFrame, pc) + 8);
const _: () = assert!(offset_of!(KernelFrame, kind) == offset_of!(KernelFrame, sp) + 40);

unsafe extern "C" {
    fn enter_user(frame: *mut TrapFrame) -> u64;
    static EXCEPTION_VECTORS: u8;
}

impl Traps for Aarch64 {
    type Frame = TrapFrame;

    fn init_traps() {
        VBAR_EL1.set((&raw const EXCEPTION_VECTORS).addr() as u64);
        barrier::isb(barrier::SY);
        irq::unmask_errors();
    }

    fn run_user(frame: &mut TrapFrame) -> UserExit {
        loop {
            // SAFETY: the frame holds EL0 registers, since nothing writes other modes into one, and it
            // is not used elsewhere while the program runs.
            let reason = unsafe { enter_user(frame) };
            if syndrome::is_system_call(reason) {
                frame.begin_syscall();
                irq::unmask();
                return UserExit::Syscall;
            }
            let exit = handle(frame, reason);
            if let Some(exit) = exit {
                irq::unmask();
                return exit;
            }
        }
    }

    fn build_signal_frame(frame: &TrapFrame, state: &UserState, setup: &SignalSetup<'_>) -> SignalFrame {
        signal::build(frame, state, setup)
    }

    fn enter_handler(frame: &mut TrapFrame, setup: &SignalSetup<'_>, signal_frame: &SignalFrame) {
        signal::enter_handler(frame, setup, signal_frame);
    }

    fn begin_handler(_state: &mut UserState) -> bool {
        false
    }

    fn signal_frame_bytes() -> usize {
        signal::FRAME_BYTES_MAX
    }

    fn visit_register_notes(frame: &TrapFrame, state: &UserState, visit: &mut dyn FnMut(RegisterNote<'_>)) {
        notes::visit(frame, state, visit);
    }

    fn restore_signal_frame(
        frame: &mut TrapFrame,
        state: &mut UserState,
        read: ReadUser<'_>,
    ) -> Result<SignalReturn, Errno> {
        signal::restore(frame, state, read)
    }
}

/// Deals with everything but system calls, with interrupts masked; `None` sends the program on.
fn handle(frame: &mut TrapFrame, reason: u64) -> Option<UserExit> {
    match reason {
        KIND_INTERRUPT => {
            frame.begin_exception();
            irq::handle();
            return Some(UserExit::Interrupt);
        }
        KIND_SERROR => {
            frame.begin_exception();
            return Some(exception(ExceptionKind::HardwareError, frame.pc));
        }
        _ => frame.begin_exception(),
    }
    match syndrome::user_cause(reason, FAR_EL1.get(), frame) {
        Cause::Exit(UserExit::PageFault { address, access, .. })
            if mmu::note_access(address.as_u64(), access) =>
        {
            None
        }
        Cause::Exit(exit) => Some(exit),
        Cause::Wait => {
            frame.pc += INSTRUCTION_BYTES;
            None
        }
        Cause::Refused => refused(frame),
    }
}

/// Emulates a read of an identification register; anything else is illegal.
fn refused(frame: &mut TrapFrame) -> Option<UserExit> {
    let instruction = Aarch64::load_user_u32(frame.pc).ok();
    let read = instruction.and_then(|word| cpu::id_registers().emulate_read(word));
    let Some(read) = read else {
        return Some(exception(ExceptionKind::IllegalInstruction(ILL_ILLOPC), frame.pc));
    };
    frame.set_register(read.destination, read.value);
    frame.pc += INSTRUCTION_BYTES;
    None
}

fn exception(kind: ExceptionKind, address: u64) -> UserExit {
    // Handlers learn neither an address nor a syndrome of these.
    let record = Some(FaultRecord {
        address: Some(0),
        ..FaultRecord::default()
    });
    let address = VirtAddr::new(address);
    UserExit::Exception(Exception {
        kind,
        address,
        record,
    })
}

/// The registers at a fault of the kernel, as `vectors.S` stores them.
#[derive(Debug)]
#[repr(C, align(16))]
struct KernelFrame {
    x: [u64; 31],
    sp: u64,
    pc: u64,
    pstate: u64,
    syndrome: u64,
    fault_address: u64,
    /// 0 for a synchronous fault, else `KIND_SERROR`.
    kind: u64,
}

/// Takes an interrupt that came while the kernel ran.
extern "C" fn kernel_interrupt() {
    irq::handle();
}

/// Takes a fault of the kernel, on this CPU's fault stack: returns when the kernel can go on.
extern "C" fn kernel_fault(frame: &mut KernelFrame) {
    if frame.kind != KIND_SERROR && recover(frame) {
        return;
    }
    if this_cpu().fault_depth.fetch_add(1, Ordering::Relaxed) >= MAX_FAULT_DEPTH {
        // The panic handler faults as well: nothing can be said any more.
        power::reboot();
        Aarch64::halt();
    }
    panic!("{frame}");
}

/// Resolves what is no error of the kernel: an access to user memory that the program may not or not yet do,
/// and a translation that was made after the processor had looked.
fn recover(frame: &mut KernelFrame) -> bool {
    let Some(abort) = syndrome::kernel_abort(frame.syndrome) else {
        return false;
    };
    let address = frame.fault_address;
    if !syndrome::is_user_half(address) {
        return abort.is_missing && mmu::is_mapped(address);
    }
    let Some(fixup) = uaccess::fixup(frame.pc) else {
        return false;
    };
    if !abort.by_descriptor || !mmu::note_access(address, abort.access) {
        frame.pc = fixup;
    }
    true
}

impl fmt::Display for KernelFrame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            KIND_SERROR => "SError",
            _ => syndrome::class_name(self.syndrome),
        };
        write!(out, "{name} in the kernel at {:#018x}", self.pc)?;
        if let Some(abort) = syndrome::kernel_abort(self.syndrome) {
            write!(out, ", {:?} of {:#018x}", abort.access, self.fault_address)?;
            if self.fault_address.abs_diff(self.sp) < OVERFLOW_REACH && abort.is_missing {
                write!(out, " (kernel stack overflow)")?;
            }
        }
        let (syndrome, pstate) = (self.syndrome, self.pstate);
        writeln!(
            out,
            "\nesr {syndrome:#010x} pstate {pstate:#010x} sp {:#018x}",
            self.sp
        )?;
        for (index, value) in self.x.iter().enumerate() {
            let end = if index % 4 == 3 { '\n' } else { ' ' };
            write!(out, "x{index:<2} {value:016x}{end}")?;
        }
        Ok(())
    }
}
