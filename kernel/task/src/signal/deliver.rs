//! Taking signals: default actions, handlers, the return from them, and interrupted system calls.

use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use los_abi::isa::IsaAbi;
use los_abi::signal::{
    DefaultAction, SI_KERNEL, SIG_DFL, SIG_IGN, SaFlags, SigAction, SigInfo, SigSet, Signal, StackT,
};
use los_abi::syscall::Sysno;
use los_abi::task::WaitStatus;
use los_arch::hal::prelude::{TrapFrame as _, Traps};
use los_arch::hal::trap::{SignalReturn, SignalSetup};
use los_arch::{Current, CurrentAbi, TrapFrame};
use sync::Restart;

use super::mask::{mask, recalculate, set_mask};
use super::{STOP_SIGNALS, send, stack, stop, wait};
use crate::context::Context;
use crate::exec::vdso;
use crate::thread::{Thread, Work};
use crate::{core_dump, exit, job_control, pid, rseq};

/// Parts of a signal frame that are fetched before it is given up: only a program that takes its own stack
/// away again and again gets there.
const MAX_FETCHES: u32 = 64;

/// Number of `restart_syscall`, which the kernel itself makes a program call.
const RESTART_SYSCALL: u64 = match Sysno::restart_syscall.number(CurrentAbi::ISA) {
    Some(number) => number as u64,
    None => panic!("every machine has restart_syscall"),
};

/// Takes one signal and acts on it, or stops with the process.
pub(crate) fn deliver(ctx: &mut Context<'_>, restart: &mut Option<Restart>) {
    let thread = ctx.thread;
    if ctx.process.stop.is_stopped() {
        stop::stay(thread);
        recalculate(thread);
        return;
    }
    if let Some(taken) = take(thread) {
        act(ctx, &taken, restart);
    }
    recalculate(thread);
}

/// A signal that was taken, and what is to be done about it.
pub(super) struct Taken {
    signal: Signal,
    info: SigInfo,
    action: SigAction,
}

/// Takes a signal to act on, and begins the stop of a process that one stops.
pub(super) fn take(thread: &Thread) -> Option<Taken> {
    let deliverable = SigSet::ALL.difference(mask(thread));
    if !may_stop(thread, deliverable) {
        return take_one(thread, deliverable.difference(STOP_SIGNALS));
    }
    // A SIGCONT takes back stop signals that are pending and ends stops that have begun. In between it has to wait.
    let tree = pid::tree();
    let taken = take_one(thread, deliverable)?;
    let stops = taken.action.sa_handler == SIG_DFL && taken.signal.default_action() == DefaultAction::Stop;
    if !stops {
        return Some(taken);
    }
    let process = thread.process();
    let is_unkillable = process.is_unkillable.load(Ordering::Relaxed);
    let is_orphaned = || job_control::is_orphaned_locked(&tree, process.group(), None);
    if !is_unkillable && (taken.signal == Signal::STOP || !is_orphaned()) {
        stop::begin(&tree, process, taken.signal);
    }
    None
}

fn may_stop(thread: &Thread, deliverable: SigSet) -> bool {
    let pending = thread.pending.members().union(thread.process().pending.members());
    !pending
        .intersection(deliverable)
        .intersection(STOP_SIGNALS)
        .is_empty()
}

fn take_one(thread: &Thread, set: SigSet) -> Option<Taken> {
    let info = wait::take(thread, set)?;
    let signal = info.signal()?;
    let action = thread.process().actions().take(signal);
    Some(Taken { signal, info, action })
}

fn act(ctx: &mut Context<'_>, taken: &Taken, restart: &mut Option<Restart>) {
    let Taken { signal, info, action } = taken;
    let signal = *signal;
    match action.sa_handler {
        SIG_IGN => {}
        SIG_DFL => act_by_default(ctx, signal, info),
        _ => {
            if let Some(how) = restart.take() {
                restart_with_handler(ctx, how, action);
            }
            if rseq::disturb(ctx).is_err() {
                fail_delivery(ctx, signal);
            }
            if run_handler(ctx, signal, info, action).is_none() {
                fail_delivery(ctx, signal);
            }
        }
    }
}

fn act_by_default(ctx: &Context<'_>, signal: Signal, info: &SigInfo) {
    let process = ctx.process;
    if process.is_unkillable.load(Ordering::Relaxed) {
        return;
    }
    match signal.default_action() {
        // Stops begin where the signals are taken.
        DefaultAction::Ignore | DefaultAction::Continue | DefaultAction::Stop => {}
        DefaultAction::Core => {
            if super::SYNCHRONOUS.contains(signal) {
                report_fault(ctx, signal, info);
            }
            core_dump::end_process(ctx, signal, info);
        }
        DefaultAction::Terminate => {
            let status = WaitStatus::Signaled {
                signal: signal.number(),
                core_dumped: false,
            };
            exit::begin_group_exit(process, status);
        }
    }
}

/// Leaves a trace of a program that its own doing ends.
fn report_fault(ctx: &Context<'_>, signal: Signal, info: &SigInfo) {
    let frame = ctx.frame();
    log::debug!(
        "{}[{}]: {signal} code {} at {:#x}, pc {:#x} sp {:#x}",
        ctx.thread.name(),
        ctx.thread.tid(),
        info.si_code,
        info.address(),
        frame.program_counter(),
        frame.stack_pointer(),
    );
}

/// Sends the thread into its handler; `None` when the frame does not fit into the program's memory.
fn run_handler(ctx: &Context<'_>, signal: Signal, info: &SigInfo, action: &SigAction) -> Option<()> {
    let thread = ctx.thread;
    let flags = SaFlags::from_bits_retain(action.sa_flags);
    let blocked = mask(thread);
    let stack_pointer = ctx.frame().stack_pointer();
    let alternate = *thread.alternate_stack.lock();
    let stack_top = if flags.contains(SaFlags::ONSTACK) {
        alternate.top_for(stack_pointer)
    } else {
        stack_pointer
    };
    let restorer = if flags.contains(SaFlags::RESTORER) {
        action.sa_restorer
    } else {
        // Without a place to return to there is no way out of the handler, and so none in.
        vdso::signal_return(ctx.memory())?
    };
    let saved_mask = *thread.saved_mask.lock();
    let setup = SignalSetup {
        number: signal.number() as i32,
        info: &zerocopy::transmute!(*info),
        handler: action.sa_handler,
        restorer,
        mask: saved_mask.unwrap_or(blocked).0,
        alternate_stack: alternate.as_context(),
        stack_top,
        fault: thread.last_fault(),
    };
    let signal_frame =
        thread.with_saved_user_state(|state| Current::build_signal_frame(&ctx.frame(), state, &setup));
    if alternate.overflows(stack_top, signal_frame.address) {
        return None;
    }
    ctx.memory()
        .write_bytes(signal_frame.address, &signal_frame.bytes)
        .ok()?;
    Current::enter_handler(&mut ctx.frame_mut(), &setup, &signal_frame);
    thread.begin_handler();
    // As on Linux, whatever stack the handler runs on.
    if alternate.disarms() {
        *thread.alternate_stack.lock() = stack::AlternateStack::DISABLED;
    }
    // The mask from before a call like sigsuspend is in the frame now.
    thread.saved_mask.lock().take();
    thread.remove_work(Work::RESTORE_MASK);
    let mut during = blocked.union(action.sa_mask);
    if !flags.contains(SaFlags::NODEFER) {
        during.insert(signal);
    }
    set_mask(thread, during);
    Some(())
}

/// Ends a program whose stack cannot hold a signal frame by SIGSEGV, at once if that was the signal.
fn fail_delivery(ctx: &Context<'_>, signal: Signal) {
    if signal == Signal::SEGV {
        send::force_fatal(ctx.thread);
    } else {
        send::force(ctx.thread, &SigInfo::new(Signal::SEGV, SI_KERNEL));
    }
}

/// Returns from a handler: rt_sigreturn(2). The result is that of the interrupted code.
///
/// # Errors
/// None: a broken frame sends SIGSEGV.
pub fn sigreturn(ctx: &Context<'_>) -> sync::Result<usize> {
    let thread = ctx.thread;
    let mut frame = ctx.frame_mut();
    match restore(ctx, &mut frame) {
        Ok(restored) => {
            frame.clear_syscall();
            let (start, flags, bytes) = restored.alternate_stack;
            let alternate = StackT {
                ss_sp: start,
                ss_flags: flags.cast_unsigned(),
                pad: 0,
                ss_size: bytes,
            };
            // As on Linux, a stack that is no longer acceptable is left as it is.
            let _unchanged = stack::set(thread, frame.stack_pointer(), &alternate);
            set_mask(thread, SigSet(restored.mask));
        }
        Err(_) => send::force(thread, &SigInfo::new(Signal::SEGV, SI_KERNEL)),
    }
    Ok(frame.syscall_result() as usize)
}

/// Takes the registers from the signal frame on the program's stack. They change under a lock, where no page can be
/// waited for: what is not there is fetched in between.
fn restore(ctx: &Context<'_>, frame: &mut TrapFrame) -> Result<SignalReturn, Errno> {
    let memory = ctx.memory();
    for _ in 0..MAX_FETCHES {
        let mut absent = None;
        let restored = ctx.thread.with_user_state(|state| {
            Current::restore_signal_frame(frame, state, &mut |address, bytes| {
                absent = None;
                memory
                    .read_present(address, bytes)
                    .inspect_err(|_| absent = Some((address, bytes.len())))
            })
        });
        match absent {
            Some((address, bytes)) if restored.is_err() => memory.fault_in(address, bytes)?,
            _ => return restored,
        }
    }
    Err(Errno::EFAULT)
}

/// Winds an interrupted call back if the handler that will run wants that; else it returns EINTR.
fn restart_with_handler(ctx: &Context<'_>, how: Restart, action: &SigAction) {
    let again = match how {
        Restart::NoIntr => true,
        Restart::Sys => action.sa_flags & SaFlags::RESTART.bits() != 0,
        Restart::NoHand | Restart::Block => false,
    };
    if again {
        ctx.frame_mut().restart_syscall(None);
    }
}

/// Winds an interrupted call back when no handler runs.
pub(crate) fn restart_without_handler(ctx: &Context<'_>, how: Restart) {
    let number = (how == Restart::Block).then_some(RESTART_SYSCALL);
    ctx.frame_mut().restart_syscall(number);
}
