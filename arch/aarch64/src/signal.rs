//! The stack frame of a signal handler, laid out as Linux's `struct rt_sigframe` of arm64: 128 bytes of
//! siginfo, then `ucontext_t`, whose `sigcontext` ends in a list of tagged records.
//!
//! The frame record that unwinders follow stands behind the last record instead of behind the whole
//! 4 KiB record area, so that one short copy brings everything to the program. The stack pointer, the
//! offsets and the room that the frame takes are Linux's.

use alloc::vec;
use core::mem::offset_of;

use hal::trap::{ReadUser, SignalFrame, SignalReturn, SignalSetup};
use los_abi::errno::Errno;
use los_abi::isa::aarch64::{
    ESR_MAGIC, EXTRA_MAGIC, FPSIMD_MAGIC, FpsimdContext, RecordHeader, RtSigFrame, SigContext, UContext,
};
use los_abi::signal::StackT;

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
const RECORD_ALIGNMENT: usize = 16;

/// Builds the frame of a handler and sends `frame` into it.
pub fn push_signal_frame(frame: &mut TrapFrame, state: &UserState, setup: &SignalSetup<'_>) -> SignalFrame {
    let top = setup.stack_top.wrapping_sub(FRAME_RECORD_BYTES as u64) & !(STACK_ALIGNMENT - 1);
    let address = top.wrapping_sub(FRAME_BYTES);
    let has_syndrome = setup.fault.code != 0;
    let esr_bytes = if has_syndrome { ESR_BYTES } else { 0 };
    let record_at = RECORDS + FPSIMD_BYTES + esr_bytes + TERMINATOR_BYTES;
    let mut bytes = vec![0; record_at + FRAME_RECORD_BYTES];

    put(&mut bytes, INFO, setup.info);
    let (stack, flags, size) = setup.alternate_stack;
    put(&mut bytes, STACK_ADDRESS, &stack.to_le_bytes());
    put(&mut bytes, STACK_FLAGS, &flags.to_le_bytes());
    put(&mut bytes, STACK_SIZE, &size.to_le_bytes());
    put(&mut bytes, MASK, &setup.mask.to_le_bytes());
    put(
        &mut bytes,
        FAULT_ADDRESS,
        &setup.fault.address.unwrap_or(0).to_le_bytes(),
    );
    for (index, register) in frame.x.iter().enumerate() {
        put(&mut bytes, REGISTERS + 8 * index, &register.to_le_bytes());
    }
    put(&mut bytes, STACK_POINTER, &frame.sp.to_le_bytes());
    put(&mut bytes, PROGRAM_COUNTER, &frame.pc.to_le_bytes());
    put(&mut bytes, PSTATE, &frame.pstate.to_le_bytes());
    put_fpsimd(&mut bytes, RECORDS, state);
    if has_syndrome {
        let at = RECORDS + FPSIMD_BYTES;
        put_head(&mut bytes, at, ESR_MAGIC, ESR_BYTES);
        put(&mut bytes, at + HEAD_BYTES, &setup.fault.code.to_le_bytes());
    }
    put(&mut bytes, record_at, &frame.x[FRAME_POINTER].to_le_bytes());
    put(&mut bytes, record_at + 8, &frame.x[LINK].to_le_bytes());

    enter_handler(frame, setup, address, address.wrapping_add(record_at as u64));
    SignalFrame { address, bytes }
}

/// Restores `frame` and `state` from the frame at the program's stack pointer.
///
/// # Errors
/// EFAULT from `read`; EINVAL for a misaligned stack pointer, another mode than EL0, or records that
/// Linux would refuse.
pub fn restore_signal_frame(
    frame: &mut TrapFrame,
    state: &mut UserState,
    read: ReadUser<'_>,
) -> Result<SignalReturn, Errno> {
    let address = frame.sp;
    if !address.is_multiple_of(STACK_ALIGNMENT) {
        return Err(Errno::EINVAL);
    }
    let mut bytes = [0; RECORDS];
    read(address, &mut bytes)?;
    let word = |at: usize| u64::from_le_bytes(get(&bytes, at));

    let mut restored = frame.clone();
    for (index, register) in restored.x.iter_mut().enumerate() {
        *register = word(REGISTERS + 8 * index);
    }
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
            i32::from_le_bytes(get(&bytes, STACK_FLAGS)),
            word(STACK_SIZE),
        ),
    })
}

/// Sets the registers that a handler starts with.
fn enter_handler(frame: &mut TrapFrame, setup: &SignalSetup<'_>, address: u64, record: u64) {
    frame.x[0] = i64::from(setup.number).cast_unsigned();
    frame.x[1] = address.wrapping_add(INFO as u64);
    frame.x[2] = address.wrapping_add(CONTEXT as u64);
    frame.x[FRAME_POINTER] = record;
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
        let mut head = [0; HEAD_BYTES];
        read(at, &mut head)?;
        let magic = u32::from_le_bytes(get(&head, 0));
        let size = u32::from_le_bytes(get(&head, 4)) as usize;
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
    let mut record = [0; FPSIMD_BYTES];
    read(at, &mut record)?;
    state.fpsr = u64::from(u32::from_le_bytes(get(&record, HEAD_BYTES)));
    state.fpcr = u64::from(u32::from_le_bytes(get(&record, HEAD_BYTES + 4)));
    for (index, register) in state.q.iter_mut().enumerate() {
        *register = u128::from_le_bytes(get(&record, FPSIMD_REGISTERS + 16 * index));
    }
    Ok(())
}

fn put_fpsimd(bytes: &mut [u8], at: usize, state: &UserState) {
    put_head(bytes, at, FPSIMD_MAGIC, FPSIMD_BYTES);
    put(bytes, at + HEAD_BYTES, &(state.fpsr as u32).to_le_bytes());
    put(bytes, at + HEAD_BYTES + 4, &(state.fpcr as u32).to_le_bytes());
    for (index, register) in state.q.iter().enumerate() {
        put(bytes, at + FPSIMD_REGISTERS + 16 * index, &register.to_le_bytes());
    }
}

fn put_head(bytes: &mut [u8], at: usize, magic: u32, size: usize) {
    put(bytes, at, &magic.to_le_bytes());
    put(bytes, at + 4, &(size as u32).to_le_bytes());
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&bytes[at..at + N]);
    value
}

#[cfg(test)]
mod tests;
