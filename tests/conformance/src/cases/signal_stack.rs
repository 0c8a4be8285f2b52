//! How handlers run: on which stack, with which signals blocked, and what they may change of the interrupted
//! code.

use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::signal::{
    SIGCHLD, SIGSEGV, SIGUSR1, SIGUSR2, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK, SaFlags, SigAction, SigInfo,
    SigSet, StackT,
};
use los_abi::syscall::Sysno;
use rt::{process, signal, time};

use crate::arch::{self, UContext};
use crate::cases::ended;
use crate::handler::{Log, SET_BYTES, install, raise, set_of};
use crate::harness::{Outcome, in_child, spawn, wait_for};
use crate::raw::{addr, addr_mut, call, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    handlers_run_on_the_alternate_stack,
    alternate_stack_argument_checks,
    alternate_stack_disarms_itself,
    every_handler_disarms_the_alternate_stack,
    a_handler_without_a_way_back_is_not_entered,
    overflowing_the_alternate_stack_kills,
    stack_overflow_is_handled_on_the_other_stack,
    fork_keeps_the_alternate_stack,
    handlers_block_their_signals,
    undeferred_handlers_nest,
    reset_handlers_run_once,
    handlers_change_the_mask,
    handlers_change_registers,
    unknown_flags_are_dropped,
    stops_are_told_unless_unwanted,
    unwanted_children_vanish,
];

const STACK_BYTES: u64 = 64 << 10;

static LOG: Log = Log::new();
static STACK: AtomicU64 = AtomicU64::new(0);

fn memory(bytes: u64) -> Result<u64, Errno> {
    call(Sysno::mmap, &[0, bytes, 3, 0x22, u64::MAX, 0])
}

fn stack(start: u64, bytes: u64, flags: u32) -> StackT {
    StackT {
        ss_sp: start,
        ss_flags: flags,
        pad: 0,
        ss_size: bytes,
    }
}

fn set_stack(new: &StackT) -> Result<u64, Errno> {
    call(Sysno::sigaltstack, &[addr(new), 0])
}

fn get_stack() -> Result<StackT, Errno> {
    let mut old = StackT::default();
    call(Sysno::sigaltstack, &[0, addr_mut(&mut old)])?;
    Ok(old)
}

/// Returns an address on the running stack.
#[inline(never)]
fn place() -> u64 {
    let local = 0_u8;
    addr(core::hint::black_box(&local))
}

/// Notes whether this runs on the alternate stack, and what the kernel says of it.
fn look_around(_number: u32, _info: &SigInfo, context: &mut UContext) {
    let here = place();
    let start = STACK.load(Ordering::Relaxed);
    LOG.push(u64::from((start..start + STACK_BYTES).contains(&here)));
    LOG.push(get_stack().map_or(99, |stack| stack.ss_flags.into()));
    let disabled = stack(0, 0, SS_DISABLE);
    LOG.push(set_stack(&disabled).map_or_else(|errno| errno.code() as u64, |_| 0));
    LOG.push(u64::from(context.uc_stack.ss_sp == start));
    LOG.push(context.uc_stack.ss_size);
    LOG.push(context.uc_stack.ss_flags.into());
}

const EPERM: u64 = 1;

fn handlers_run_on_the_alternate_stack() -> Outcome {
    let start = memory(STACK_BYTES)?;
    STACK.store(start, Ordering::Relaxed);
    ensure_eq!(get_stack()?.ss_flags, SS_DISABLE);
    let ours = stack(start, STACK_BYTES, 0);
    set_stack(&ours)?;
    ensure_eq!(get_stack()?, ours);
    install(SIGUSR1, SaFlags::ONSTACK, SigSet::EMPTY, look_around)?;
    install(SIGUSR2, SaFlags::empty(), SigSet::EMPTY, look_around)?;
    raise(SIGUSR1)?;
    ensure!(
        LOG.is(&[1, SS_ONSTACK.into(), EPERM, 1, STACK_BYTES, 0]),
        "{LOG:?}"
    );
    ensure_eq!(get_stack()?, ours);
    // A handler without the flag stays where it is, and may change the stack; its return brings it back.
    raise(SIGUSR2)?;
    ensure_eq!([6, 7, 8, 9].map(|index| LOG.get(index)), [0, 0, 0, 1]);
    ensure_eq!(get_stack()?, ours);
    // The frame has the flags as they were set, whichever stack the handler runs on.
    set_stack(&stack(start, STACK_BYTES, SS_ONSTACK))?;
    ensure_eq!(get_stack()?, ours);
    raise(SIGUSR2)?;
    ensure_eq!(LOG.get(17), SS_ONSTACK.into());
    set_stack(&stack(start, STACK_BYTES, SS_DISABLE))?;
    ensure_eq!(get_stack()?, stack(0, 0, SS_DISABLE));
    Ok(())
}

fn alternate_stack_argument_checks() -> Outcome {
    let start = memory(STACK_BYTES)?;
    ensure_eq!(call(Sysno::sigaltstack, &[8, 0]).err(), Some(Errno::EFAULT));
    for flags in [4, 8, SS_ONSTACK | SS_DISABLE, SS_AUTODISARM | 16] {
        ensure_eq!(
            set_stack(&stack(start, STACK_BYTES, flags)).err(),
            Some(Errno::EINVAL)
        );
    }
    ensure_eq!(set_stack(&stack(start, 1000, 0)).err(), Some(Errno::ENOMEM));
    // Flags are looked at before the size, and a size does not matter without a stack.
    ensure_eq!(set_stack(&stack(start, 1000, 4)).err(), Some(Errno::EINVAL));
    set_stack(&stack(start, 1000, SS_DISABLE))?;
    set_stack(&stack(start, STACK_BYTES, SS_ONSTACK))?;
    ensure_eq!(get_stack()?, stack(start, STACK_BYTES, 0));
    // It changes even if the old one cannot be stored.
    let other = stack(start + 4096, STACK_BYTES - 4096, 0);
    ensure_eq!(
        call(Sysno::sigaltstack, &[addr(&other), 8]).err(),
        Some(Errno::EFAULT)
    );
    ensure_eq!(get_stack()?, other);
    Ok(())
}

fn alternate_stack_disarms_itself() -> Outcome {
    let start = memory(STACK_BYTES)?;
    STACK.store(start, Ordering::Relaxed);
    let ours = stack(start, STACK_BYTES, SS_AUTODISARM);
    set_stack(&ours)?;
    ensure_eq!(get_stack()?, ours);
    install(SIGUSR1, SaFlags::ONSTACK, SigSet::EMPTY, look_around)?;
    raise(SIGUSR1)?;
    let autodisarm = SS_AUTODISARM.into();
    ensure!(
        LOG.is(&[1, SS_DISABLE.into(), 0, 1, STACK_BYTES, autodisarm]),
        "{LOG:?}"
    );
    ensure_eq!(get_stack()?, ours);
    Ok(())
}

fn look_at_the_stack(_number: u32, _info: &SigInfo, _context: &mut UContext) {
    let told = get_stack().unwrap_or_default();
    LOG.push(told.ss_flags.into());
    LOG.push(told.ss_size);
}

fn every_handler_disarms_the_alternate_stack() -> Outcome {
    let ours = stack(memory(STACK_BYTES)?, STACK_BYTES, SS_AUTODISARM);
    set_stack(&ours)?;
    // This one does not run on it.
    install(SIGUSR2, SaFlags::empty(), SigSet::EMPTY, look_at_the_stack)?;
    raise(SIGUSR2)?;
    ensure!(LOG.is(&[SS_DISABLE.into(), 0]), "{LOG:?}");
    ensure_eq!(get_stack()?, ours);
    Ok(())
}

extern "C" fn exit_7(_number: i32) {
    process::exit_now(7);
}

fn a_handler_without_a_way_back_is_not_entered() -> Outcome {
    let status = in_child(|| {
        let action = SigAction {
            sa_handler: exit_7 as *const () as u64,
            ..SigAction::default()
        };
        let set = call(
            Sysno::rt_sigaction,
            &[SIGUSR1.into(), addr(&action), 0, SET_BYTES],
        );
        set.and_then(|_| raise(SIGUSR1)).map_or(1, |_| 2)
    })?;
    // Where the program gives no SA_RESTORER, one machine's kernel has one of its own.
    let expected = match arch::ISA {
        los_abi::Isa::X86_64 => 128 + SIGSEGV as i32,
        los_abi::Isa::Aarch64 => 7,
    };
    ensure_eq!(ended(status), expected);
    Ok(())
}

fn raise_again(number: u32, _info: &SigInfo, _context: &mut UContext) {
    let _ = raise(number);
}

fn overflowing_the_alternate_stack_kills() -> Outcome {
    let status = in_child(|| {
        let Ok(start) = memory(STACK_BYTES) else { return 1 };
        let flags = SaFlags::ONSTACK | SaFlags::NODEFER;
        // Memory below the stack is there, and must not be touched.
        let ready = set_stack(&stack(start + STACK_BYTES / 2, STACK_BYTES / 2, 0)).is_ok()
            && install(SIGUSR1, flags, SigSet::EMPTY, raise_again).is_ok();
        if ready { raise(SIGUSR1).map_or(2, |_| 3) } else { 1 }
    })?;
    ensure_eq!(ended(status), 128 + SIGSEGV as i32);
    Ok(())
}

fn exit_42(_number: u32, info: &SigInfo, _context: &mut UContext) {
    process::exit_now(if info.address() != 0 { 42 } else { 41 });
}

#[expect(unconditional_recursion, reason = "until the stack ends")]
fn recurse(depth: u64) -> u64 {
    let room = core::hint::black_box([depth; 512]);
    recurse(depth + 1) + room[depth as usize % 512]
}

fn stack_overflow_is_handled_on_the_other_stack() -> Outcome {
    let status = in_child(|| {
        let Ok(start) = memory(STACK_BYTES) else { return 1 };
        let ready = set_stack(&stack(start, STACK_BYTES, 0)).is_ok()
            && install(SIGSEGV, SaFlags::ONSTACK, SigSet::EMPTY, exit_42).is_ok();
        if ready { recurse(0) as i32 } else { 1 }
    })?;
    ensure_eq!(ended(status), 42);
    // Without another stack there is no room for the frame.
    let status = in_child(
        || match install(SIGSEGV, SaFlags::empty(), SigSet::EMPTY, exit_42) {
            Ok(()) => recurse(0) as i32,
            Err(_) => 1,
        },
    )?;
    ensure_eq!(ended(status), 128 + SIGSEGV as i32);
    Ok(())
}

fn fork_keeps_the_alternate_stack() -> Outcome {
    let ours = stack(memory(STACK_BYTES)?, STACK_BYTES, 0);
    set_stack(&ours)?;
    let status = in_child(|| i32::from(get_stack() != Ok(ours)))?;
    ensure_eq!(ended(status), 0);
    Ok(())
}

/// Notes the mask, raises the other signal, and notes itself again.
fn raise_other(number: u32, _info: &SigInfo, _context: &mut UContext) {
    let mut mask = SigSet::EMPTY;
    let _ = call(Sysno::rt_sigprocmask, &[0, 0, addr_mut(&mut mask), SET_BYTES]);
    LOG.push(mask.0);
    if number == SIGUSR1 {
        let _ = raise(SIGUSR2);
        LOG.push(1);
    }
}

fn handlers_block_their_signals() -> Outcome {
    let both = set_of(&[SIGUSR1, SIGUSR2]);
    install(SIGUSR2, SaFlags::empty(), SigSet::EMPTY, raise_other)?;
    install(SIGUSR1, SaFlags::empty(), set_of(&[SIGUSR2]), raise_other)?;
    raise(SIGUSR1)?;
    ensure!(LOG.is(&[both.0, 1, set_of(&[SIGUSR2]).0]), "{LOG:?}");
    // Without it in the mask, the second handler runs within the first.
    install(SIGUSR1, SaFlags::empty(), SigSet::EMPTY, raise_other)?;
    raise(SIGUSR1)?;
    ensure_eq!(
        [3, 4, 5].map(|index| LOG.get(index)),
        [set_of(&[SIGUSR1]).0, both.0, 1]
    );
    ensure_eq!(signal::set_mask(SigSet::EMPTY), SigSet::EMPTY);
    Ok(())
}

fn nest_three_times(number: u32, _info: &SigInfo, _context: &mut UContext) {
    let depth = LOG.len() as u64;
    LOG.push(depth);
    if depth < 3 {
        let _ = raise(number);
        LOG.push(10 + depth);
    }
}

fn undeferred_handlers_nest() -> Outcome {
    install(SIGUSR1, SaFlags::NODEFER, SigSet::EMPTY, nest_three_times)?;
    raise(SIGUSR1)?;
    ensure!(LOG.is(&[0, 1, 2, 3, 12, 11, 10]), "{LOG:?}");
    Ok(())
}

fn action_of(number: u32) -> Result<SigAction, Errno> {
    let mut action = SigAction::default();
    call(
        Sysno::rt_sigaction,
        &[number.into(), 0, addr_mut(&mut action), SET_BYTES],
    )?;
    Ok(action)
}

fn note(number: u32, _info: &SigInfo, _context: &mut UContext) {
    LOG.push(number.into());
}

fn reset_handlers_run_once() -> Outcome {
    install(SIGUSR1, SaFlags::RESETHAND, SigSet::EMPTY, note)?;
    raise(SIGUSR1)?;
    ensure!(LOG.is(&[SIGUSR1.into()]), "{LOG:?}");
    let action = action_of(SIGUSR1)?;
    ensure_eq!(action.sa_handler, 0);
    ensure!(action.sa_flags & SaFlags::RESETHAND.bits() != 0);
    let status = in_child(|| raise(SIGUSR1).map_or(1, |_| 2))?;
    ensure_eq!(ended(status), 128 + SIGUSR1 as i32);
    Ok(())
}

fn block_in_context(_number: u32, _info: &SigInfo, context: &mut UContext) {
    LOG.push(context.uc_sigmask.0);
    context.uc_sigmask = SigSet::ALL;
}

fn handlers_change_the_mask() -> Outcome {
    install(SIGUSR1, SaFlags::empty(), SigSet::EMPTY, block_in_context)?;
    let before = set_of(&[SIGUSR2, 40]);
    signal::set_mask(before);
    raise(SIGUSR1)?;
    ensure!(LOG.is(&[before.0]), "{LOG:?}");
    let after = signal::set_mask(SigSet::EMPTY);
    ensure_eq!(after, SigSet::ALL.difference(SigSet::UNSTOPPABLE));
    Ok(())
}

fn leave(_number: u32, info: &SigInfo, context: &mut UContext) {
    LOG.push(info.address());
    LOG.push(arch::stack_pointer(context));
    arch::leave_function(context);
}

fn handlers_change_registers() -> Outcome {
    install(SIGSEGV, SaFlags::empty(), SigSet::EMPTY, leave)?;
    let code = call(Sysno::mmap, &[0, 4096, 7, 0x22, u64::MAX, 0])?;
    // A jump to nowhere: the handler makes the call return.
    let nowhere = memory(4096)?;
    call(Sysno::munmap, &[nowhere, 4096])?;
    for _ in 0..3 {
        crate::raw::jump(nowhere);
    }
    ensure_eq!((LOG.len(), LOG.get(0), LOG.get(4)), (6, nowhere, nowhere));
    let here = place();
    ensure!(LOG.get(1).abs_diff(here) < 1 << 20);
    // Another place to go on.
    for (index, byte) in arch::RETURN.iter().enumerate() {
        poke(code + index as u64, *byte);
    }
    STACK.store(code, Ordering::Relaxed);
    install(SIGSEGV, SaFlags::empty(), SigSet::EMPTY, |_, _, context| {
        LOG.push(arch::program_counter(context));
        arch::set_program_counter(context, STACK.load(Ordering::Relaxed));
    })?;
    crate::raw::jump(nowhere);
    ensure_eq!(LOG.get(6), nowhere);
    Ok(())
}

fn unknown_flags_are_dropped() -> Outcome {
    const UNSUPPORTED: u64 = 0x400;
    let action = SigAction {
        sa_handler: 1,
        sa_flags: SaFlags::all().bits() | UNSUPPORTED | 0x10_0000,
        sa_mask: SigSet::ALL,
        ..SigAction::default()
    };
    call(
        Sysno::rt_sigaction,
        &[SIGUSR1.into(), addr(&action), 0, SET_BYTES],
    )?;
    let kept = action_of(SIGUSR1)?;
    ensure_eq!(kept.sa_flags, SaFlags::all().bits() & !UNSUPPORTED);
    ensure_eq!(kept.sa_mask, SigSet::ALL.difference(SigSet::UNSTOPPABLE));
    Ok(())
}

/// Stops, continues and ends a child, and returns how many SIGCHLD handlers ran.
fn watch_a_child(flags: SaFlags) -> Result<usize, crate::harness::Failure> {
    const WUNTRACED: u64 = 2;
    const WCONTINUED: u64 = 8;
    let before = LOG.len();
    install(SIGCHLD, flags | SaFlags::RESTART, SigSet::EMPTY, note)?;
    let pid = spawn(|| {
        loop {
            time::sleep_ms(1000);
        }
    })?;
    let mut status = 0_i32;
    for (number, options) in [
        (los_abi::signal::SIGSTOP, WUNTRACED),
        (signal::SIGCONT, WCONTINUED),
        (signal::SIGKILL, 0),
    ] {
        process::kill(pid, number)?;
        call(Sysno::wait4, &[pid as u64, addr_mut(&mut status), options, 0])?;
        // The signal comes no later than the news, but its handler may.
        time::sleep_ms(5);
    }
    Ok(LOG.len() - before)
}

fn stops_are_told_unless_unwanted() -> Outcome {
    ensure_eq!(watch_a_child(SaFlags::empty())?, 3);
    ensure_eq!(watch_a_child(SaFlags::NOCLDSTOP)?, 1);
    Ok(())
}

fn unwanted_children_vanish() -> Outcome {
    install(
        SIGCHLD,
        SaFlags::NOCLDWAIT | SaFlags::RESTART,
        SigSet::EMPTY,
        note,
    )?;
    let pid = spawn(|| 3)?;
    // The wait ends when there are no children any more.
    let wait = |pid: i32| call(Sysno::wait4, &[pid as u64, 0, 0, 0]).err();
    ensure_eq!(wait(pid), Some(Errno::ECHILD));
    ensure!(LOG.is(&[SIGCHLD.into()]), "{LOG:?}");
    signal::ignore(SIGCHLD);
    let pid = spawn(|| 3)?;
    ensure_eq!(wait(pid), Some(Errno::ECHILD));
    ensure_eq!(wait_for(spawn(|| 0)?).is_err(), true);
    ensure_eq!(LOG.len(), 1);
    Ok(())
}
