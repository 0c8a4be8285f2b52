//! Faults, what their handlers are told, and the floating-point state on both sides of a handler.

use core::sync::atomic::{AtomicU64, Ordering};

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::signal::{
    BUS_ADRERR, FPE_INTDIV, SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGSEGV,
    SIGTRAP, SIGUSR1, SaFlags, SigInfo, SigSet,
};
use los_abi::syscall::Sysno;
use rt::fs::File;
use rt::process;

use crate::arch::signals::{self, VECTOR_BYTES};
use crate::arch::{self, UContext};
use crate::handler::{Log, install};
use crate::harness::{Failure, Outcome};
use crate::raw::{addr, call, jump, peek, poke};
use crate::{cases, ensure, ensure_eq};

cases![
    unmapped_addresses,
    protected_memory,
    memory_behind_the_end_of_a_file,
    illegal_instructions_tell_their_address,
    breakpoints,
    divisions_by_zero,
    there_is_no_local_descriptor_table,
    the_frame_holds_the_vector_registers,
    vector_registers_survive_handlers,
    changed_vector_registers_are_taken_over,
    registers_survive_a_fast_timer,
];

static LOG: Log = Log::new();
static PLACE: AtomicU64 = AtomicU64::new(0);

/// Notes what it is told, and goes on at [`PLACE`].
fn note_and_go_on(number: u32, info: &SigInfo, context: &mut UContext) {
    LOG.push(number.into());
    LOG.push(i64::from(info.si_code).cast_unsigned());
    LOG.push(info.address());
    let (trap, code, address) = signals::fault_record(context);
    LOG.push(trap);
    LOG.push(code);
    LOG.push(address);
    arch::set_program_counter(context, PLACE.load(Ordering::Relaxed));
}

/// Puts code into memory of its own and returns its address; the code's last instruction is where a handler
/// goes on, and returns.
fn prepare(code: &[u8]) -> Result<u64, Errno> {
    let at = call(Sysno::mmap, &[0, 4096, 7, 0x22, u64::MAX, 0])?;
    for (index, byte) in code.iter().chain(arch::RETURN).enumerate() {
        poke(at + index as u64, *byte);
    }
    PLACE.store(at + code.len() as u64, Ordering::Relaxed);
    for number in [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE] {
        install(number, SaFlags::empty(), SigSet::EMPTY, note_and_go_on)?;
    }
    Ok(at)
}

fn last(index: usize) -> u64 {
    LOG.get(LOG.len() - 6 + index)
}

fn unmapped_addresses() -> Outcome {
    let nowhere = call(Sysno::mmap, &[0, 4096, 3, 0x22, u64::MAX, 0])?;
    let store = prepare(signals::STORE)?;
    let load = prepare(signals::LOAD)?;
    call(Sysno::munmap, &[nowhere, 4096])?;
    for (code, address, is_write) in [
        (load, nowhere, false),
        (load, 16, false),
        (store, nowhere + 8, true),
    ] {
        PLACE.store(code + 4, Ordering::Relaxed);
        signals::call_with(code, address);
        ensure_eq!(
            [last(0), last(1), last(2)],
            [SIGSEGV.into(), SEGV_MAPERR as u64, address]
        );
        ensure!(
            signals::is_data_fault(last(3), last(4), is_write) && last(5) == address,
            "{LOG:?}"
        );
    }
    Ok(())
}

fn protected_memory() -> Outcome {
    let page = call(Sysno::mmap, &[0, 4096, 1, 0x22, u64::MAX, 0])?;
    let code = prepare(signals::STORE)?;
    PLACE.store(code + 4, Ordering::Relaxed);
    ensure_eq!(peek::<u8>(page), 0);
    signals::call_with(code, page + 24);
    ensure_eq!(
        [last(0), last(1), last(2)],
        [SIGSEGV.into(), SEGV_ACCERR as u64, page + 24]
    );
    ensure!(
        signals::is_data_fault(last(3), last(4), true) && last(5) == page + 24,
        "{LOG:?}"
    );
    // Not executable.
    jump_and_return(page)?;
    ensure_eq!(
        [last(0), last(1), last(2)],
        [SIGSEGV.into(), SEGV_ACCERR as u64, page]
    );
    Ok(())
}

/// Jumps to a place that faults, with a handler that returns for it.
fn jump_and_return(address: u64) -> Result<(), Errno> {
    install(
        SIGSEGV,
        SaFlags::empty(),
        SigSet::EMPTY,
        |number, info, context| {
            let (pc, _) = (arch::program_counter(context), LOG.len());
            PLACE.store(pc, Ordering::Relaxed);
            note_and_go_on(number, info, context);
            arch::leave_function(context);
        },
    )?;
    jump(address);
    Ok(())
}

fn memory_behind_the_end_of_a_file() -> Outcome {
    let mut file = File::open_with(b"short", OpenFlags::RDWR | OpenFlags::CREAT, 0o644)?;
    file.write_all(b"x")?;
    let fd = file.descriptor() as u64;
    let at = call(Sysno::mmap, &[0, 8192, 3, 2, fd, 0])?;
    let code = prepare(signals::LOAD)?;
    PLACE.store(code + 4, Ordering::Relaxed);
    signals::call_with(code, at + 4096);
    ensure_eq!(
        [last(0), last(1), last(2)],
        [SIGBUS.into(), BUS_ADRERR as u64, at + 4096]
    );
    Ok(())
}

fn illegal_instructions_tell_their_address() -> Outcome {
    let code = prepare(signals::ILLEGAL)?;
    jump(code);
    ensure_eq!(
        [last(0), last(1), last(2)],
        [SIGILL.into(), signals::ILLEGAL_CODE as u64, code]
    );
    Ok(())
}

fn breakpoints() -> Outcome {
    let code = prepare(signals::BREAKPOINT)?;
    jump(code);
    let address = if signals::BREAKPOINT_HAS_ADDRESS { code } else { 0 };
    ensure_eq!(
        [last(0), last(1), last(2)],
        [SIGTRAP.into(), signals::BREAKPOINT_CODE as u64, address]
    );
    Ok(())
}

fn divisions_by_zero() -> Outcome {
    let Some(divide) = signals::DIVIDE else {
        return Err(Failure::Skip("this machine's divisions do not fault"));
    };
    let code = prepare(divide)?;
    jump(code);
    ensure_eq!([last(0), last(1)], [SIGFPE.into(), FPE_INTDIV as u64]);
    ensure!((code..code + divide.len() as u64).contains(&last(2)));
    Ok(())
}

fn there_is_no_local_descriptor_table() -> Outcome {
    let Some(load) = signals::LOAD_LOCAL_SEGMENT else {
        return Err(Failure::Skip("this machine has no segments"));
    };
    jump(prepare(load)?);
    ensure_eq!([last(0), last(1), last(2)], [SIGSEGV.into(), SI_KERNEL as u64, 0]);
    Ok(())
}

fn pattern(seed: u8) -> [u8; VECTOR_BYTES] {
    core::array::from_fn(|index| (index as u8).wrapping_mul(37) ^ (index >> 8) as u8 ^ seed)
}

/// The first bytes that the frame has for the vector registers, and those in the processor.
static FIRST_IN_FRAME: AtomicU64 = AtomicU64::new(0);
static FIRST_IN_PROCESSOR: AtomicU64 = AtomicU64::new(0);

fn clobber(_number: u32, _info: &SigInfo, context: &mut UContext) {
    let mut registers = [0xff; VECTOR_BYTES];
    signals::exchange_vectors(&mut registers);
    let first = |bytes: &[u8]| {
        bytes[..8]
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    };
    FIRST_IN_PROCESSOR.store(first(&registers), Ordering::Relaxed);
    FIRST_IN_FRAME.store(peek(signals::vectors_in_frame(context)), Ordering::Relaxed);
    LOG.push(u64::from(signals::is_well_formed(context)));
}

fn kill_self_with(registers: &mut [u8; VECTOR_BYTES]) {
    signals::kill_with_vectors(process::id() as u64, SIGUSR1.into(), registers);
}

fn the_frame_holds_the_vector_registers() -> Outcome {
    install(SIGUSR1, SaFlags::empty(), SigSet::EMPTY, clobber)?;
    let mut registers = pattern(0x51);
    let first = peek(addr(&registers));
    kill_self_with(&mut registers);
    ensure!(LOG.is(&[1]), "the frame is malformed");
    ensure_eq!(FIRST_IN_FRAME.load(Ordering::Relaxed), first);
    // A handler starts with fresh registers on x86_64, with those of the interrupted code on aarch64.
    let expected = if signals::HANDLERS_START_FRESH { 0 } else { first };
    ensure_eq!(FIRST_IN_PROCESSOR.load(Ordering::Relaxed), expected);
    Ok(())
}

fn vector_registers_survive_handlers() -> Outcome {
    install(SIGUSR1, SaFlags::empty(), SigSet::EMPTY, clobber)?;
    for seed in 0..50 {
        let mut registers = pattern(seed);
        kill_self_with(&mut registers);
        ensure!(registers == pattern(seed), "round {seed}");
    }
    Ok(())
}

fn changed_vector_registers_are_taken_over() -> Outcome {
    install(SIGUSR1, SaFlags::empty(), SigSet::EMPTY, |_, _, context| {
        poke(signals::vectors_in_frame(context), 0x0123_4567_89ab_cdef_u64);
    })?;
    let mut registers = pattern(3);
    kill_self_with(&mut registers);
    ensure_eq!(peek::<u64>(addr(&registers)), 0x0123_4567_89ab_cdef);
    ensure!(registers[8..] == pattern(3)[8..]);
    Ok(())
}

fn registers_survive_a_fast_timer() -> Outcome {
    const WANTED: usize = 60;
    install(SIGALRM, SaFlags::RESTART, SigSet::EMPTY, clobber)?;
    let every_millisecond = [0_i64, 1000, 0, 1000];
    call(Sysno::setitimer, &[0, addr(&every_millisecond), 0])?;
    let mut seed = 0_u8;
    while LOG.len() < WANTED {
        let mut registers = pattern(seed);
        let left = signals::spin_with_vectors(100_000, &mut registers);
        ensure!(registers == pattern(seed) && left == 0, "round {seed}");
        seed = seed.wrapping_add(1);
    }
    call(Sysno::setitimer, &[0, addr(&[0_i64; 4]), 0])?;
    Ok(())
}
