//! Whole lives of scripted programs: system calls, faults, signals, handlers, fork and exit.

use alloc::vec::Vec;

use los_abi::Errno;
use los_abi::signal::{SIG_IGN, SaFlags, SigAction};
use los_abi::task::WaitStatus;
use los_arch::Current as Mock;

use super::*;
use crate::clone::{self, CloneRequest};
use crate::pid;
use crate::process::Process;
use crate::signal;
use crate::testing::{self, PROGRAM_BYTES, PROGRAM_MEMORY};

const EXIT: u64 = 1;
const FORK: u64 = 2;
const KILL_SELF: u64 = 3;
const SIGRETURN: u64 = 4;
const PAUSE: u64 = 5;
const HANDLER: u64 = 0x1234_0000;
const STACK: u64 = PROGRAM_MEMORY + PROGRAM_BYTES;

fn handle(ctx: &Context<'_>) -> sync::Result<usize> {
    let (number, arguments) = {
        let frame = ctx.frame();
        (frame.number, frame.arguments)
    };
    match number {
        EXIT => {
            exit::exit_group(ctx, arguments[0] as i32);
            Ok(0)
        }
        FORK => clone::clone(ctx, &CloneRequest::FORK).map(|pid| pid as usize),
        KILL_SELF => {
            let pid = ctx.process.pid().cast_signed();
            signal::kill::kill(ctx, pid, arguments[0] as i32)?;
            Ok(0)
        }
        SIGRETURN => signal::sigreturn(ctx),
        PAUSE => {
            let pid = ctx.process.pid().cast_signed();
            signal::kill::kill(ctx, pid, arguments[0] as i32)?;
            Err(signal::pause())
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// Runs the script as the only child of a process, and returns the child's status and the frames that user
/// mode was entered with.
fn live(prepare: impl FnOnce(&Arc<Thread>)) -> (WaitStatus, Vec<TrapFrame>) {
    set_syscall_handler(handle);
    let (family, thread) = testing::program();
    prepare(&thread);
    Mock::take_frames();
    let process = thread.process().clone();
    testing::run_as(&thread);
    run(thread, TrapFrame::new_user(0x40_0000, STACK));
    testing::run_as_nobody();
    assert_eq!(Mock::steps_left(), 0, "the program ended early");
    assert!(process.is_zombie());
    assert!(pid::thread(process.pid()).is_none());
    drop(family);
    (status_of(&process), Mock::take_frames())
}

fn status_of(process: &Process) -> WaitStatus {
    WaitStatus::decode(process.exit_status().cast_signed())
}

fn killed_by(signal: Signal) -> WaitStatus {
    WaitStatus::Signaled {
        signal: signal.number(),
        core_dumped: false,
    }
}

fn catch(thread: &Thread, signal: Signal, flags: SaFlags) {
    let action = SigAction {
        sa_handler: HANDLER,
        sa_flags: (flags | SaFlags::RESTORER).bits(),
        ..SigAction::default()
    };
    thread.process().actions().set(signal, action);
}

fn syscall(number: u64, argument: u64) {
    Mock::script_syscall(number, [argument, 0, 0, 0, 0, 0]);
}

#[test]
fn the_exit_code_is_the_status() {
    syscall(99, 0);
    syscall(EXIT, 42);
    let (status, frames) = live(|_| {});
    assert_eq!(status, WaitStatus::Exited(42));
    assert_eq!(frames[1].result, -i64::from(Errno::ENOSYS.code()));
}

#[test]
fn a_wild_access_ends_only_the_program() {
    Mock::script(|_| UserExit::PageFault {
        address: VirtAddr::new(0xffff_8000_0000_0000),
        access: Access::Read,
        record: FaultRecord::default(),
    });
    assert_eq!(live(|_| {}).0, killed_by(Signal::SEGV));
}

#[test]
fn touched_memory_comes_without_a_signal() {
    Mock::script(|_| UserExit::PageFault {
        address: VirtAddr::new(PROGRAM_MEMORY + 0x2000),
        access: Access::Write,
        record: FaultRecord::default(),
    });
    syscall(EXIT, 0);
    assert_eq!(live(|_| {}).0, WaitStatus::Exited(0));
}

#[test]
fn exceptions_become_their_signals() {
    for (kind, signal) in [
        (ExceptionKind::IllegalInstruction(1), Signal::ILL),
        (ExceptionKind::DivideByZero, Signal::FPE),
        (ExceptionKind::Breakpoint(TRAP_BRKPT), Signal::TRAP),
        (ExceptionKind::Alignment, Signal::BUS),
        (ExceptionKind::Protection, Signal::SEGV),
        (ExceptionKind::Segment, Signal::BUS),
    ] {
        let address = VirtAddr::new(0x40_0000);
        let exception = Exception {
            kind,
            address,
            record: None,
        };
        Mock::script(move |_| UserExit::Exception(exception));
        assert_eq!(live(|_| {}).0, killed_by(signal));
    }
}

#[test]
fn a_handler_runs_and_returns_to_where_it_was() {
    syscall(KILL_SELF, u64::from(Signal::USR1.number()));
    Mock::script(|frame| {
        // In the handler: one argument, its own stack frame.
        assert_eq!((frame.program_counter, frame.arguments[0]), (HANDLER, 10));
        assert!(frame.stack_pointer < STACK);
        (frame.number, frame.in_syscall) = (SIGRETURN, true);
        UserExit::Syscall
    });
    syscall(EXIT, 3);
    let (status, frames) = live(|thread| catch(thread, Signal::USR1, SaFlags::empty()));
    assert_eq!(status, WaitStatus::Exited(3));
    let back = &frames[2];
    assert_eq!(
        (back.program_counter, back.stack_pointer, back.result),
        (0x40_0000, STACK, 0)
    );
}

#[test]
fn a_signal_frame_may_be_on_a_page_that_is_not_there_yet() {
    Mock::script(|frame| {
        frame.stack_pointer = PROGRAM_MEMORY + 0x2ff8;
        (frame.number, frame.in_syscall) = (SIGRETURN, true);
        UserExit::Syscall
    });
    syscall(EXIT, 4);
    let (status, frames) = live(|_| {});
    assert_eq!(status, WaitStatus::Exited(4));
    assert_eq!((frames[1].program_counter, frames[1].stack_pointer), (0, 0));
}

#[test]
fn the_handlers_mask_is_in_force_until_it_returns() {
    // The second one waits until the first handler has returned.
    syscall(KILL_SELF, u64::from(Signal::USR1.number()));
    syscall(KILL_SELF, u64::from(Signal::USR1.number()));
    syscall(SIGRETURN, 0);
    syscall(SIGRETURN, 0);
    syscall(EXIT, 0);
    let (_, frames) = live(|thread| catch(thread, Signal::USR1, SaFlags::empty()));
    let places: Vec<_> = frames.iter().map(|frame| frame.program_counter).collect();
    assert_eq!(places, [0x40_0000, HANDLER, HANDLER, HANDLER, 0x40_0000]);
    assert_eq!(frames[1].stack_pointer, frames[2].stack_pointer);
}

#[test]
fn a_stack_that_cannot_hold_the_frame_is_fatal() {
    Mock::script(|frame| {
        frame.stack_pointer = 0x3000;
        (frame.number, frame.arguments[0], frame.in_syscall) = (KILL_SELF, 10, true);
        UserExit::Syscall
    });
    let (status, _) = live(|thread| catch(thread, Signal::USR1, SaFlags::empty()));
    assert_eq!(status, killed_by(Signal::SEGV));
}

/// A call that a signal interrupts right away: it is sent by the call itself.
fn interrupted_pause(signal: Signal) {
    Mock::script(move |frame| {
        frame.program_counter += 2;
        (frame.number, frame.in_syscall) = (PAUSE, true);
        frame.arguments[0] = u64::from(signal.number());
        UserExit::Syscall
    });
}

#[test]
fn a_handler_makes_the_interrupted_call_fail() {
    interrupted_pause(Signal::USR1);
    syscall(SIGRETURN, 0);
    syscall(EXIT, 0);
    let (_, frames) = live(|thread| catch(thread, Signal::USR1, SaFlags::RESTART));
    let back = &frames[2];
    assert_eq!(
        (back.program_counter, back.result),
        (0x40_0002, -i64::from(Errno::EINTR.code()))
    );
}

#[test]
fn without_a_handler_the_interrupted_call_starts_again() {
    // SIGCONT is queued though it does nothing to a process that runs.
    interrupted_pause(Signal::CONT);
    syscall(EXIT, 0);
    let (_, frames) = live(|_| {});
    assert_eq!(frames[1].program_counter, 0x40_0000);
}

#[test]
fn ignored_signals_are_not_even_queued() {
    syscall(KILL_SELF, u64::from(Signal::TERM.number()));
    syscall(EXIT, 5);
    let (status, _) = live(|thread| {
        let action = SigAction {
            sa_handler: SIG_IGN,
            ..SigAction::default()
        };
        thread.process().actions().set(Signal::TERM, action);
    });
    assert_eq!(status, WaitStatus::Exited(5));
}

#[test]
fn a_fork_gives_the_child_its_own_everything() {
    syscall(FORK, 0);
    syscall(EXIT, 0);
    let (_, frames) = live(|_| {});
    let child = pid::process(frames[1].result as u32).expect("the child is in the table");
    assert_eq!(child.parent_pid(), pid::INIT);
    let thread = child.main_thread().unwrap();
    assert!(thread.memory().is_some() && thread.files().is_some());
    testing::forget(&child);
}
