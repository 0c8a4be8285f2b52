//! The stack frame of a signal handler, laid out as Linux's `struct rt_sigframe` of arm64: 128 bytes of
//! siginfo, then `ucontext_t`, whose `sigcontext` ends in a list of tagged records.
//!
//! The frame record that unwinders follow stands behind the last record instead of behind the whole
//! 4 KiB record area, so that one short copy brings everything to the program. The stack pointer, the
//! offsets and the room that the frame takes are Linux's.

use core::mem::offset_of;

use hal::trap::{ReadUser, SignalFrame, SignalReturn, SignalSetup};
use los_abi::errno::Errno;
use los_abi::isa::aarch64::{
    ESR_MAGIC, EXTRA_MAGIC, FPSIMD_MAGIC, FpsimdContext, RecordHeader, RtSigFrame, SigContext, UContext,
};
use los_abi::signal::StackT;
use zerocopy::IntoBytes;

use crate::frame::{FRAME_POINTER, LINK, TrapFrame};
use crate::state::UserState;

// Offsets from the start of the frame.
const INFO: usize = offset_of!(RtSigFrame, info);
const CONTEXT: usize = offset_of!(RtSigFrame, uc);
const STACK: usize = CONTEXT + offset_of!(UContext, uc_stack);
const STACK_ADDRESS: usize = STACK + offset_of!(StackT, ss_sp);
const STACK_FLAGS: usize = STACK + offset_of!(StackT, ss_flags);
const STACK_SIZE: usize = STACK + offset_of!(StackT, ss_size);
const MASK: usize = CONTEXT + offset_of!(UContext, uc_sigmask);
const MACHINE: usize = CONTEXT + offset_of!(UContext, uc_mcontext);
const FAULT_ADDRESS: usize = MACHINE + offset_of!(SigContext, fault_address);
const REGISTERS: usize = MACHINE + offset_of!(SigContext, regs);
const STACK_POINTER: usize = MACHINE + offset_of!(SigContext, sp);
const PROGRAM_COUNTER: usize = MACHINE + offset_of!(SigContext, pc);
const PSTATE: usize = MACHINE + offset_of!(SigContext, pstate);
const RECORDS: usize = MACHINE + offset_of!(SigContext, reserved);
/// Bytes of the record area.
const RECORDS_BYTES: usize = size_of::<RtSigFrame>() - RECORDS;
/// Bytes that the frame takes on the stack.
const FRAME_BYTES: u64 = (RECORDS + RECORDS_BYTES) as u64;
/// Bytes of the record {x29, x30} behind the frame in Linux, kept free for the same distances.
const FRAME_RECORD_BYTES: usize = 16;
const STACK_ALIGNMENT: u64 = 16;
/// Most bytes of a stack that it takes: with the frame record and what alignment costs.
pub const FRAME_BYTES_MAX: usize = FRAME_BYTES as usize + FRAME_RECORD_BYTES + STACK_ALIGNMENT as usize;

/// Bytes of a record's head: magic and size, 32 bits each.
const HEAD_BYTES: usize = size_of::<RecordHeader>();
const FPSIMD_BYTES: usize = size_of::<FpsimdContext>();
/// Where q0 stands in its record, behind FPSR and FPCR.
const FPSIMD_REGISTERS: usize = offset_of!(FpsimdContext, vregs);
const ESR_BYTES: usize = 16;
const TERMINATOR_BYTES: usize = 16;
/// Bytes of the longest frame that is written.
const MOST_BYTES: usize = RECORDS + FPSIMD_BYTES + ESR_BYTES + TERMINATOR_BYTES + FRAME_RECORD_BYTES;
/// The frame is handled in words, since this kernel is built for aligned access.
const WORD_BYTES: usize = 8;
const RECORD_ALIGNMENT: usize = 16;

/// Builds the frame of a handler.
pub fn build(frame: &TrapFrame, state: &UserState, setup: &SignalSetup<'_>) -> SignalFrame {
    let top = setup.stack_top.wrapping_sub(FRAME_RECORD_BYTES as u64) & !(STACK_ALIGNMENT - 1);
    let address = top.wrapping_sub(FRAME_BYTES);
    let has_syndrome = setup.fault.code != 0;
    let esr_bytes = if has_syndrome { ESR_BYTES } else { 0 };
    let record_at = RECORDS + FPSIMD_BYTES + esr_bytes + TERMINATOR_BYTES;
    let used = record_at + FRAME_RECORD_BYTES;
    let mut words = [0; MOST_BYTES / WORD_BYTES];

    words.as_mut_bytes()[INFO..INFO + setup.info.len()].copy_from_slice(setup.info);
    let (stack, flags, size) = setup.alternate_stack;
    words[STACK_ADDRESS / WORD_BYTES] = stack;
    words[STACK_FLAGS / WORD_BYTES] = u64::from(flags.cast_unsigned());
    words[STACK_SIZE / WORD_BYTES] = size;
    words[MASK / WORD_BYTES] = setup.mask;
    words[FAULT_ADDRESS / WORD_BYTES] = setup.fault.address.unwrap_or(0);
    words[REGISTERS / WORD_BYTES..][..frame.x.len()].copy_from_slice(&frame.x);
    words[STACK_POINTER / WORD_BYTES] = frame.sp;
    words[PROGRAM_COUNTER / WORD_BYTES] = frame.pc;
    words[PSTATE / WORD_BYTES] = frame.pstate;
    put_fpsimd(&mut words[RECORDS / WORD_BYTES..], state);
    if has_syndrome {
        let at = (RECORDS + FPSIMD_BYTES) / WORD_BYTES;
        words[at] = head(ESR_MAGIC, ESR_BYTES);
        words[at + 1] = setup.fault.code;
    }
    words[record_at / WORD_BYTES] = frame.x[FRAME_POINTER];
    words[record_at / WORD_BYTES + 1] = frame.x[LINK];

    let bytes = words.as_bytes()[..used].to_vec();
    SignalFrame { address, bytes }
}

/// Restores `frame` and `state` from the frame at the program's stack pointer.
///
/// # Errors
/// EFAULT from `read`; EINVAL for a misaligned stack pointer, another mode than EL0, or records that
/// Linux would refuse.
pub fn restore(
    frame: &mut TrapFrame,
    state: &mut UserState,
    read: ReadUser<'_>,
) -> Result<SignalReturn, Errno> {
    let address = frame.sp;
    if !address.is_multiple_of(STACK_ALIGNMENT) {
        return Err(Errno::EINVAL);
    }
    let mut words = [0; RECORDS / WORD_BYTES];
    read(address, words.as_mut_bytes())?;
    let word = |at: usize| words[at / WORD_BYTES];

    let mut restored = frame.clone();
    let registers = &words[REGISTERS / WORD_BYTES..][..restored.x.len()];
    restored.x.copy_from_slice(registers);
    restored.sp = word(STACK_POINTER);
    restored.pc = word(PROGRAM_COUNTER);
    if !restored.set_user_pstate(word(PSTATE)) {
        return Err(Errno::EINVAL);
    }
    restored.begin_exception();
    restore_records(state, address.wrapping_add(RECORDS as u64), read)?;
    *frame = restored;
    Ok(SignalReturn {
        mask: word(MASK),
        alternate_stack: (
            word(STACK_ADDRESS),
            (word(STACK_FLAGS) as u32).cast_signed(),
            word(STACK_SIZE),
        ),
    })
}

/// Sets the registers that a handler starts with.
pub fn enter_handler(frame: &mut TrapFrame, setup: &SignalSetup<'_>, signal: &SignalFrame) {
    let address = signal.address;
    let record_at = signal.bytes.len() - FRAME_RECORD_BYTES;
    frame.x[0] = i64::from(setup.number).cast_unsigned();
    frame.x[1] = address.wrapping_add(INFO as u64);
    frame.x[2] = address.wrapping_add(CONTEXT as u64);
    frame.x[FRAME_POINTER] = address.wrapping_add(record_at as u64);
    frame.x[LINK] = setup.restorer;
    frame.sp = address;
    frame.pc = setup.handler;
    frame.clear_branch_type();
}

/// Walks the record list, which must hold the FP/SIMD registers and end properly.
fn restore_records(state: &mut UserState, area: u64, read: ReadUser<'_>) -> Result<(), Errno> {
    let mut offset = 0;
    let mut found = false;
    loop {
        if RECORDS_BYTES - offset < HEAD_BYTES {
            return Err(Errno::EINVAL);
        }
        let at = area.wrapping_add(offset as u64);
        let mut head = 0_u64;
        read(at, head.as_mut_bytes())?;
        let magic = head as u32;
        let size = (head >> 32) as usize;
        if magic == 0 {
            return if size == 0 && found {
                Ok(())
            } else {
                Err(Errno::EINVAL)
            };
        }
        if size < HEAD_BYTES || !size.is_multiple_of(RECORD_ALIGNMENT) || size > RECORDS_BYTES - offset {
            return Err(Errno::EINVAL);
        }
        match magic {
            FPSIMD_MAGIC if !found && size == FPSIMD_BYTES => {
                restore_fpsimd(state, at, read)?;
                found = true;
            }
            ESR_MAGIC => {}
            // Records that go on elsewhere hold states that this kernel does not manage.
            EXTRA_MAGIC if size == 32 => {}
            _ => return Err(Errno::EINVAL),
        }
        offset += size;
    }
}

fn restore_fpsimd(state: &mut UserState, at: u64, read: ReadUser<'_>) -> Result<(), Errno> {
    let mut record = [0_u64; FPSIMD_BYTES / WORD_BYTES];
    read(at, record.as_mut_bytes())?;
    let status_and_control = record[HEAD_BYTES / WORD_BYTES];
    state.fpsr = status_and_control & u64::from(u32::MAX);
    state.fpcr = status_and_control >> 32;
    let halves = record[FPSIMD_REGISTERS / WORD_BYTES..].chunks_exact(2);
    for (register, halves) in state.q.iter_mut().zip(halves) {
        *register = u128::from(halves[0]) | u128::from(halves[1]) << 64;
    }
    Ok(())
}

fn put_fpsimd(words: &mut [u64], state: &UserState) {
    words[0] = head(FPSIMD_MAGIC, FPSIMD_BYTES);
    words[HEAD_BYTES / WORD_BYTES] = state.fpsr & u64::from(u32::MAX) | state.fpcr << 32;
    let halves = words[FPSIMD_REGISTERS / WORD_BYTES..].chunks_exact_mut(2);
    for (register, halves) in state.q.iter().zip(halves) {
        halves[0] = *register as u64;
        halves[1] = (*register >> 64) as u64;
    }
}

/// Returns a record's head as one word.
fn head(magic: u32, size: usize) -> u64 {
    u64::from(magic) | (size as u64) << 32
}

#[cfg(test)]
mod tests;
