//! The kernel side of a user thread: run it, see why it stopped, act, deliver signals, run it again.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use los_abi::signal::{
    BUS_ADRALN, BUS_ADRERR, BUS_OBJERR, FPE_INTDIV, SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL, SigInfo, Signal,
    TRAP_BRKPT, TRAP_TRACE,
};
use los_arch::hal::addr::VirtAddr;
use los_arch::hal::paging::Access;
use los_arch::hal::prelude::{TrapFrame as _, Traps};
use los_arch::hal::trap::{Exception, ExceptionKind, FaultRecord, UserExit};
use los_arch::{Current, TrapFrame};
use mm::FaultError;
use sync::{Error, Once, Restart};

use crate::context::Context;
use crate::signal::{deliver, send};
use crate::thread::{Thread, Work};
use crate::{core_dump, exit, futex, oom, rseq, sched};

/// Decodes and performs the system call in the context's frame, and returns its result.
pub type SyscallHandler = fn(&Context<'_>) -> sync::Result<usize>;

static HANDLER: Once<SyscallHandler> = Once::new();

/// Registers what performs system calls. Called once, before the first user thread runs.
pub fn set_syscall_handler(handler: SyscallHandler) {
    HANDLER.call_once(|| handler);
}

/// Runs a user thread from these registers until it dies, then takes it apart.
pub(crate) fn run(thread: Arc<Thread>, frame: TrapFrame) {
    if let Ok(mut ctx) = Context::new(&thread, frame) {
        run_until_death(&mut ctx);
        send::pass_on_at_death(&thread);
        core_dump::rest(&ctx);
        exit::release_user(&ctx, futex::Afterwards::Ends);
    }
    exit::finish_thread(thread);
}

fn run_until_death(ctx: &mut Context<'_>) {
    let handler = *HANDLER
        .get()
        .expect("the system call handler is registered before the first program");
    let thread = ctx.thread;
    let mut restart = None;
    if !attend(ctx, &mut restart) {
        return;
    }
    loop {
        thread.in_user.store(true, Ordering::Relaxed);
        let why = Current::run_user(ctx.exclusive_frame());
        thread.in_user.store(false, Ordering::Relaxed);
        match why {
            UserExit::Syscall => {
                let value = match handler(ctx) {
                    Ok(value) => value as i64,
                    Err(error) => failure(error, &mut restart),
                };
                ctx.exclusive_frame().set_syscall_result(value);
            }
            UserExit::Interrupt => {}
            UserExit::PageFault {
                address,
                access,
                record,
            } => page_fault(ctx, address, access, record),
            UserExit::Exception(exception) => {
                if let Some(record) = exception.record {
                    thread.note_fault(record);
                }
                send::force(thread, &exception_info(&exception));
            }
        }
        let is_undisturbed = thread.work().is_empty() && restart.is_none();
        if !is_undisturbed && !attend(ctx, &mut restart) {
            return;
        }
    }
}

/// The result of a call that a signal ended.
const INTERRUPTED: i64 = -(los_abi::Errno::EINTR.code() as i64);

/// Returns the result register for a call that failed. A wish to restart looks like EINTR until it is known
/// whether a handler runs.
#[cold]
fn failure(error: Error, restart: &mut Option<Restart>) -> i64 {
    match error {
        Error::Errno(errno) => -i64::from(errno.code()),
        Error::Restart(how) => {
            *restart = Some(how);
            INTERRUPTED
        }
    }
}

/// Does the work that waits for the thread; false when that is to die.
#[cold]
fn attend(ctx: &mut Context<'_>, restart: &mut Option<Restart>) -> bool {
    let thread = ctx.thread;
    let is_interrupted = || restart.is_some() || ctx.frame().syscall_result() == INTERRUPTED;
    if thread.work().contains(Work::RESTORE_MASK) && !is_interrupted() {
        // No signal ended the wait with another mask, so none is taken by that mask (ppoll(2) and its kin).
        crate::signal::restore_mask(thread);
    }
    loop {
        let work = thread.work();
        if work.contains(Work::EXIT) {
            return false;
        }
        if work.contains(Work::REFRESH) {
            thread.remove_work(Work::REFRESH);
            ctx.refresh();
        } else if work.contains(Work::RESCHEDULE) {
            sched::preempt();
        } else if work.contains(Work::SIGNAL) {
            deliver::deliver(ctx, restart);
        } else if let Some(how) = restart.take() {
            // No handler runs, or none is left to run: the call goes on, and the mask is what it was before.
            deliver::restart_without_handler(ctx, how);
        } else if work.contains(Work::RESTORE_MASK) {
            // Signals that the mask held back are taken now.
            crate::signal::restore_mask(thread);
        } else if work.contains(Work::RSEQ) {
            if rseq::disturb(ctx).is_err() {
                send::force(thread, &SigInfo::new(Signal::SEGV, SI_KERNEL));
            }
        } else {
            return true;
        }
    }
}

/// Maps the page that the program touched, or sends the signal for a wrong address.
fn page_fault(ctx: &Context<'_>, address: VirtAddr, access: Access, record: FaultRecord) {
    let error = match ctx.memory().handle_fault(address, access) {
        Ok(()) => return ctx.thread.accounting.count_fault(),
        Err(error) => error,
    };
    let (signal, code) = match error {
        FaultError::NotMapped => (Signal::SEGV, SEGV_MAPERR),
        FaultError::NotAllowed => (Signal::SEGV, SEGV_ACCERR),
        FaultError::BeyondEnd => (Signal::BUS, BUS_ADRERR),
        // The program touches the page again when there is room, unless it was chosen to die.
        FaultError::NoMemory => return oom::make_room(ctx.thread),
    };
    ctx.thread.note_fault(record);
    send::force(ctx.thread, &SigInfo::fault(signal, code, address.as_u64()));
}

/// Returns the signal of an exception.
fn exception_info(exception: &Exception) -> SigInfo {
    let (signal, code) = match exception.kind {
        ExceptionKind::IllegalInstruction(code) => (Signal::ILL, code),
        ExceptionKind::Breakpoint(TRAP_BRKPT) => (Signal::TRAP, TRAP_BRKPT),
        ExceptionKind::Breakpoint(code) => return SigInfo::new(Signal::TRAP, code),
        ExceptionKind::SingleStep => (Signal::TRAP, TRAP_TRACE),
        ExceptionKind::DivideByZero => (Signal::FPE, FPE_INTDIV),
        ExceptionKind::FloatingPoint(code) => (Signal::FPE, code),
        ExceptionKind::Alignment => (Signal::BUS, BUS_ADRALN),
        ExceptionKind::HardwareError => (Signal::BUS, BUS_OBJERR),
        // Linux tells no address here.
        ExceptionKind::Protection => return SigInfo::new(Signal::SEGV, SI_KERNEL),
        ExceptionKind::Segment => return SigInfo::new(Signal::BUS, SI_KERNEL),
    };
    SigInfo::fault(signal, code, exception.address.as_u64())
}

#[cfg(test)]
mod tests;
