//! Access to user memory: range checks, opening it, and the copies of `uaccess.S`.

use core::arch::{asm, global_asm};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use aarch64_cpu::registers::SCTLR_EL1;
use aarch64_cpu::registers::{Readable, Writeable};
use hal::paging::{Access, Paging};
use hal::uaccess::{Uaccess, UserFault};

use crate::{Aarch64, cpu};

global_asm!(include_str!("uaccess.S"));

unsafe extern "C" {
    fn user_copy_in(destination: *mut u8, source: u64, bytes: usize) -> usize;
    fn user_copy_out(destination: u64, source: *const u8, bytes: usize) -> usize;
    fn user_zero(destination: u64, bytes: usize) -> usize;
    fn user_load_u32(address: u64, value: *mut u32) -> usize;
    fn user_compare_exchange_u32(address: u64, expected: u32, new: u32, found: *mut u32) -> usize;
    static __ex_table_start: Fixup;
    static __ex_table_end: Fixup;
}

/// Whether the processor has PSTATE.PAN; the same on all CPUs.
static PRIVILEGED_ACCESS_NEVER: AtomicBool = AtomicBool::new(false);
/// SCTLR_EL1.SPAN: exceptions leave PSTATE.PAN as it is.
const SCTLR_KEEP_PAN: u64 = 1 << 23;
const WORD_BYTES: u64 = 4;

/// An entry of the exception table: distances from each field to what it designates.
#[repr(C)]
struct Fixup {
    instruction: i32,
    fixup: i32,
}

/// Closes user memory to this CPU's kernel, where the processor can.
pub(crate) fn init() {
    if cpu::has_privileged_access_never() {
        SCTLR_EL1.set(SCTLR_EL1.get() & !SCTLR_KEEP_PAN);
        PRIVILEGED_ACCESS_NEVER.store(true, Ordering::Relaxed);
        close();
    }
}

/// Finds where the kernel goes on after a fault of the instruction at `pc`.
pub(crate) fn fixup(pc: u64) -> Option<u64> {
    let target = |field: &i32| {
        let at = core::ptr::from_ref(field).addr() as u64;
        at.wrapping_add_signed(i64::from(*field))
    };
    exception_table()
        .iter()
        .find(|entry| target(&entry.instruction) == pc)
        .map(|entry| target(&entry.fixup))
}

impl Uaccess for Aarch64 {
    fn copy_from_user(destination: &mut [u8], source: u64) -> Result<(), UserFault> {
        let bytes = reachable(source, destination.len());
        open();
        // SAFETY: `destination` takes `bytes` bytes; faults in the user half are recovered.
        let left = unsafe { user_copy_in(destination.as_mut_ptr(), source, bytes) };
        close();
        outcome(source, destination.len(), bytes - left, Access::Read)
    }

    fn copy_to_user(destination: u64, source: &[u8]) -> Result<(), UserFault> {
        let bytes = reachable(destination, source.len());
        open();
        // SAFETY: `source` holds `bytes` bytes; the destination is in the user half, where no kernel memory
        // is, and faults there are recovered.
        let left = unsafe { user_copy_out(destination, source.as_ptr(), bytes) };
        close();
        outcome(destination, source.len(), bytes - left, Access::Write)
    }

    fn copy_shared_from_user(destination: &[AtomicU8], source: u64) -> Result<(), UserFault> {
        let bytes = reachable(source, destination.len());
        open();
        // SAFETY: as in `copy_from_user`; the destination may change under any reference to it.
        let left = unsafe { user_copy_in(destination.as_ptr().cast_mut().cast(), source, bytes) };
        close();
        outcome(source, destination.len(), bytes - left, Access::Read)
    }

    fn copy_shared_to_user(destination: u64, source: &[AtomicU8]) -> Result<(), UserFault> {
        let bytes = reachable(destination, source.len());
        open();
        // SAFETY: as in `copy_to_user`.
        let left = unsafe { user_copy_out(destination, source.as_ptr().cast(), bytes) };
        close();
        outcome(destination, source.len(), bytes - left, Access::Write)
    }

    fn zero_user(destination: u64, bytes: usize) -> Result<(), UserFault> {
        let reachable = reachable(destination, bytes);
        open();
        // SAFETY: the destination is in the user half; faults there are recovered.
        let left = unsafe { user_zero(destination, reachable) };
        close();
        outcome(destination, bytes, reachable - left, Access::Write)
    }

    fn load_user_u32(address: u64) -> Result<u32, UserFault> {
        check_word(address, Access::Read)?;
        let mut value = MaybeUninit::uninit();
        open();
        // SAFETY: an aligned word in the user half; faults there are recovered.
        let left = unsafe { user_load_u32(address, value.as_mut_ptr()) };
        close();
        word(address, left, value, Access::Read)
    }

    fn compare_exchange_user_u32(address: u64, expected: u32, new: u32) -> Result<u32, UserFault> {
        check_word(address, Access::Write)?;
        let mut found = MaybeUninit::uninit();
        open();
        // SAFETY: an aligned word in the user half; faults there are recovered.
        let left = unsafe { user_compare_exchange_u32(address, expected, new, found.as_mut_ptr()) };
        close();
        word(address, left, found, Access::Write)
    }
}

fn exception_table() -> &'static [Fixup] {
    let (start, end) = (&raw const __ex_table_start, &raw const __ex_table_end);
    let count = (end.addr() - start.addr()) / size_of::<Fixup>();
    // SAFETY: the linker script puts both symbols round the entries that `uaccess.S` emits.
    unsafe { core::slice::from_raw_parts(start, count) }
}

/// Returns how many of `bytes` bytes from `address` on lie in the user half.
#[inline]
fn reachable(address: u64, bytes: usize) -> usize {
    let room = Aarch64::USER_END.saturating_sub(address);
    if bytes as u64 <= room {
        bytes
    } else {
        room as usize
    }
}

#[inline]
fn outcome(address: u64, wanted: usize, copied: usize, access: Access) -> Result<(), UserFault> {
    if copied == wanted {
        return Ok(());
    }
    Err(UserFault {
        copied,
        address: address.wrapping_add(copied as u64),
        access,
    })
}

fn check_word(address: u64, access: Access) -> Result<(), UserFault> {
    if address.is_multiple_of(WORD_BYTES) && address < Aarch64::USER_END {
        return Ok(());
    }
    Err(UserFault {
        copied: 0,
        address,
        access,
    })
}

fn word(address: u64, left: usize, value: MaybeUninit<u32>, access: Access) -> Result<u32, UserFault> {
    if left != 0 {
        return Err(UserFault {
            copied: 0,
            address,
            access,
        });
    }
    // SAFETY: the assembly stores the word whenever it returns 0.
    Ok(unsafe { value.assume_init() })
}

/// Lets the kernel reach user memory, until `close`.
#[inline]
fn open() {
    if PRIVILEGED_ACCESS_NEVER.load(Ordering::Relaxed) {
        // SAFETY: clears PSTATE.PAN (`msr pan, #0`), which the processor has.
        unsafe { asm!(".inst 0xd500409f", options(nostack, preserves_flags)) }
    }
}

#[inline]
fn close() {
    if PRIVILEGED_ACCESS_NEVER.load(Ordering::Relaxed) {
        // SAFETY: sets PSTATE.PAN (`msr pan, #1`), which the processor has.
        unsafe { asm!(".inst 0xd500419f", options(nostack, preserves_flags)) }
    }
}
