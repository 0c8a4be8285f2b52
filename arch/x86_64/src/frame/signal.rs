//! Signal frames: Linux's `struct rt_sigframe` with the extended registers above it, built as bytes and read
//! back with suspicion. Pure.
//!
//! From the frame's address upwards: return address, ucontext, siginfo, padding, and at a multiple of 64 the
//! XSAVE image, whose software-reserved words and last word carry two magic numbers. A program may have
//! changed every byte of it, or made it up.

extern crate alloc;

use alloc::vec::Vec;

use hal::trap::{ReadUser, SignalFrame, SignalReturn, SignalSetup};
use los_abi::errno::Errno;
use los_abi::isa::x86_64::{
    FP_XSTATE_MAGIC1, FP_XSTATE_MAGIC2, FpState, RED_ZONE, RtSigFrame, SigContext, UC_FP_XSTATE,
    UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS, UContext,
};
use los_abi::signal::{SigSet, StackT};
use zerocopy::{FromBytes, IntoBytes, transmute};

use super::{Frame, NO_SYSCALL, RETURN_BY_IRET, RFLAGS_DIRECTION, RFLAGS_RESUME, RFLAGS_TRAP};
use super::{USER_CODE_SELECTOR, USER_DATA_SELECTOR};
use crate::state::{ExtendedLayout, HEADER_BYTES, LEGACY_BYTES, UserState};

/// What XSAVE needs, and so where programs may expect the image.
const EXTENDED_ALIGNMENT: u64 = 64;
const STACK_ALIGNMENT: u64 = 16;
/// The return address, which the handler's `ret` pops.
const RETURN_ADDRESS_BYTES: u64 = 8;
/// What the image's MXCSR may hold on any processor (SDM volume 1, 10.2.3).
const MXCSR_DEFINED: u32 = 0xffff;

/// Builds the frame.
pub(crate) fn build(frame: &Frame, state: &UserState, setup: &SignalSetup<'_>) -> SignalFrame {
    let layout = state.layout();
    let magic_bytes = if layout.features != 0 { size_of::<u32>() } else { 0 };
    let image_bytes = (layout.bytes + magic_bytes) as u64;
    // The red zone belongs to the interrupted function, so only where the stack is still its own.
    let on_same_stack = setup.stack_top == frame.rsp;
    let top = setup
        .stack_top
        .wrapping_sub(if on_same_stack { RED_ZONE } else { 0 });
    let image_at = align_down(top.wrapping_sub(image_bytes), EXTENDED_ALIGNMENT);
    let below_image = image_at.wrapping_sub(size_of::<RtSigFrame>() as u64);
    let address = align_down(below_image, STACK_ALIGNMENT).wrapping_sub(RETURN_ADDRESS_BYTES);

    let context = user_context(frame, layout, setup, image_at);
    let mut bytes = Vec::with_capacity((top.wrapping_sub(address)) as usize);
    // The fields of `RtSigFrame`, without a copy of the whole in between.
    bytes.extend_from_slice(setup.restorer.as_bytes());
    bytes.extend_from_slice(context.as_bytes());
    bytes.extend_from_slice(setup.info);
    bytes.resize((image_at.wrapping_sub(address)) as usize, 0);
    append_image(&mut bytes, state);
    SignalFrame { address, bytes }
}

/// Returns the most bytes of a stack that a frame takes, with what alignment costs.
pub(crate) fn max_bytes(layout: ExtendedLayout) -> usize {
    let image = layout.bytes + size_of::<u32>() + EXTENDED_ALIGNMENT as usize;
    let record = size_of::<RtSigFrame>() + STACK_ALIGNMENT as usize + RETURN_ADDRESS_BYTES as usize;
    (image + record).next_multiple_of(STACK_ALIGNMENT as usize)
}

/// Sends `frame` into the handler, whose signal frame is at this address.
pub(crate) fn enter_handler(frame: &mut Frame, setup: &SignalSetup<'_>, address: u64) {
    frame.rdi = i64::from(setup.number).cast_unsigned();
    frame.rsi = address + core::mem::offset_of!(RtSigFrame, info) as u64;
    frame.rdx = address + core::mem::offset_of!(RtSigFrame, uc) as u64;
    // The number of vector registers that a variadic function would be given.
    frame.rax = 0;
    frame.rsp = address;
    frame.rip = setup.handler;
    frame.rflags &= !(RFLAGS_DIRECTION | RFLAGS_RESUME | RFLAGS_TRAP);
    frame.return_path = RETURN_BY_IRET;
    frame.orig_rax = NO_SYSCALL;
}

fn user_context(frame: &Frame, layout: ExtendedLayout, setup: &SignalSetup<'_>, image_at: u64) -> UContext {
    let (stack, stack_flags, stack_bytes) = setup.alternate_stack;
    let has_extended_part = if layout.features != 0 { UC_FP_XSTATE } else { 0 };
    UContext {
        uc_flags: UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | has_extended_part,
        uc_link: 0,
        uc_stack: StackT {
            ss_sp: stack,
            ss_flags: stack_flags.cast_unsigned(),
            ss_size: stack_bytes,
            ..StackT::default()
        },
        uc_mcontext: SigContext {
            r8: frame.r8,
            r9: frame.r9,
            r10: frame.r10,
            r11: frame.r11,
            r12: frame.r12,
            r13: frame.r13,
            r14: frame.r14,
            r15: frame.r15,
            rdi: frame.rdi,
            rsi: frame.rsi,
            rbp: frame.rbp,
            rbx: frame.rbx,
            rdx: frame.rdx,
            rax: frame.rax,
            rcx: frame.rcx,
            rsp: frame.rsp,
            rip: frame.rip,
            eflags: frame.rflags,
            cs: USER_CODE_SELECTOR,
            ss: USER_DATA_SELECTOR,
            err: setup.fault.code,
            trapno: setup.fault.trap,
            oldmask: setup.mask & u64::from(u32::MAX),
            cr2: setup.fault.address.unwrap_or(0),
            fpstate: image_at,
            ..SigContext::default()
        },
        uc_sigmask: SigSet(setup.mask),
    }
}

/// Appends the extended registers as a program sees them: with the words that tell how long they are.
fn append_image(bytes: &mut Vec<u8>, state: &UserState) {
    let layout = state.layout();
    let magic = FP_XSTATE_MAGIC2.to_le_bytes();
    let software = SoftwareReserved::new(layout, layout.bytes + magic.len());
    let start = bytes.len();
    bytes.extend_from_slice(state.extended());
    bytes[start..][SOFTWARE_RESERVED_OFFSET..LEGACY_BYTES].copy_from_slice(software.0.as_bytes());
    if layout.features != 0 {
        bytes.extend_from_slice(&magic);
    }
}

const SOFTWARE_RESERVED_OFFSET: usize = core::mem::offset_of!(FpState, software_reserved);

/// `struct _fpx_sw_bytes`: magic, length with the last magic, components (two words), length without it.
struct SoftwareReserved([u32; 12]);

impl SoftwareReserved {
    fn new(layout: ExtendedLayout, bytes_with_magic: usize) -> Self {
        let mut words = [0; 12];
        if layout.features != 0 {
            words[0] = FP_XSTATE_MAGIC1;
            words[1] = bytes_with_magic as u32;
            words[2] = layout.features as u32;
            words[3] = (layout.features >> 32) as u32;
            words[4] = layout.bytes as u32;
        }
        Self(words)
    }

    /// Returns the components that the program wants back.
    fn features(&self) -> u64 {
        u64::from(self.0[2]) | u64::from(self.0[3]) << 32
    }

    /// Reports whether an image of exactly this processor's layout is announced.
    fn announces(&self, layout: ExtendedLayout) -> bool {
        let expected = Self::new(layout, layout.bytes + size_of::<u32>());
        layout.features != 0 && self.0[..2] == expected.0[..2] && self.0[4] == expected.0[4]
    }
}

/// Reads the frame back that the stack pointer designates after the handler's return.
pub(crate) fn restore(
    frame: &mut Frame,
    state: &mut UserState,
    read: ReadUser<'_>,
) -> Result<SignalReturn, Errno> {
    // The handler's return has taken the return address, which is below the context.
    let mut bytes = [0; size_of::<UContext>()];
    read(frame.rsp, &mut bytes)?;
    let user: UContext = transmute!(bytes);
    let context = &user.uc_mcontext;
    check_selectors(&user)?;
    match context.fpstate {
        0 => state.reset_extended(),
        image_at => restore_extended(state, image_at, read)?,
    }
    restore_registers(frame, context);
    let stack = &user.uc_stack;
    Ok(SignalReturn {
        mask: user.uc_sigmask.0,
        alternate_stack: (stack.ss_sp, stack.ss_flags.cast_signed(), stack.ss_size),
    })
}

/// Refuses code that is not a program's, which the processor could not return to. Without UC_STRICT_RESTORE_SS the
/// stack selector is not looked at, as on Linux.
fn check_selectors(context: &UContext) -> Result<(), Errno> {
    const USER_PRIVILEGE: u16 = 3;
    let registers = &context.uc_mcontext;
    let is_strict = context.uc_flags & UC_STRICT_RESTORE_SS != 0;
    let is_code = registers.cs | USER_PRIVILEGE == USER_CODE_SELECTOR;
    let is_stack = registers.ss | USER_PRIVILEGE == USER_DATA_SELECTOR;
    if is_code && (is_stack || !is_strict) {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// Takes the registers over. CS, SS and the privileged flags stay what they are for every program.
fn restore_registers(frame: &mut Frame, context: &SigContext) {
    frame.r8 = context.r8;
    frame.r9 = context.r9;
    frame.r10 = context.r10;
    frame.r11 = context.r11;
    frame.r12 = context.r12;
    frame.r13 = context.r13;
    frame.r14 = context.r14;
    frame.r15 = context.r15;
    frame.rdi = context.rdi;
    frame.rsi = context.rsi;
    frame.rbp = context.rbp;
    frame.rbx = context.rbx;
    frame.rdx = context.rdx;
    frame.rax = context.rax;
    frame.rcx = context.rcx;
    frame.rsp = context.rsp;
    frame.rip = context.rip;
    frame.set_user_rflags(context.eflags);
    frame.orig_rax = NO_SYSCALL;
    frame.return_path = RETURN_BY_IRET;
}

/// Takes the extended registers over; those of a new program where the program's memory fails.
fn restore_extended(state: &mut UserState, image_at: u64, read: ReadUser<'_>) -> Result<(), Errno> {
    let restored = read_extended(state, image_at, read);
    if restored.is_err() {
        state.reset_extended();
    }
    restored
}

/// Reads the extended registers, or the legacy ones only where the rest is not announced as it should be. What
/// XRSTOR would not accept is an error, as it is for Linux, which lets it try.
fn read_extended(state: &mut UserState, image_at: u64, read: ReadUser<'_>) -> Result<(), Errno> {
    let layout = state.layout();
    let (legacy, rest) = state.extended_mut().split_at_mut(LEGACY_BYTES);
    read(image_at, legacy)?;
    let fp = FpState::mut_from_bytes(legacy).map_err(|_| Errno::EINVAL)?;
    if fp.mxcsr & !MXCSR_DEFINED != 0 {
        return Err(Errno::EINVAL);
    }
    let software = SoftwareReserved(core::mem::take(&mut fp.software_reserved));
    let rest_at = image_at.wrapping_add(LEGACY_BYTES as u64);
    let whole = software.announces(layout) && read_rest(rest, rest_at, read)?;
    if !whole {
        rest.fill(0);
    }
    if layout.features != 0 {
        let wanted = whole.then(|| software.features() & layout.features);
        check_header(&mut rest[..HEADER_BYTES], layout.features, wanted)?;
    }
    Ok(())
}

/// Reads what is behind the legacy registers, with the last magic number; false when that is not there.
fn read_rest(rest: &mut [u8], rest_at: u64, read: ReadUser<'_>) -> Result<bool, Errno> {
    let end = rest_at.checked_add(rest.len() as u64).ok_or(Errno::EFAULT)?;
    let mut magic = [0; 4];
    read(end, &mut magic)?;
    if u32::from_le_bytes(magic) != FP_XSTATE_MAGIC2 {
        return Ok(false);
    }
    read(rest_at, rest)?;
    Ok(true)
}

/// Accepts a header that names enabled components in the standard form (SDM volume 1, 13.8.1), and leaves those
/// that are `wanted`. Without a header of the program's own, x87 and SSE are in the image and the rest is initialised.
fn check_header(header: &mut [u8], features: u64, wanted: Option<u64>) -> Result<(), Errno> {
    const X87_AND_SSE: u64 = 0b11;
    /// XCOMP_BV and the word behind it, which are for other forms.
    const COMPACTION: core::ops::Range<usize> = 8..24;
    let mut present = [0; 8];
    present.copy_from_slice(&header[..8]);
    let present = match wanted {
        None => X87_AND_SSE & features,
        Some(wanted) => {
            let present = u64::from_le_bytes(present);
            if present & !features != 0 || header[COMPACTION].iter().any(|&byte| byte != 0) {
                return Err(Errno::EINVAL);
            }
            present & wanted
        }
    };
    header.fill(0);
    header[..8].copy_from_slice(&present.to_le_bytes());
    Ok(())
}

fn align_down(address: u64, alignment: u64) -> u64 {
    address & !(alignment - 1)
}

#[cfg(test)]
mod tests;
