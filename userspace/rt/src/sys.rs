//! System call stubs, made from the table: the raw floor that the rest of the crate stands on.
//!
//! Each stub takes the arguments of its row, in the row's order, and returns the call's value or error.
//! A call that the machine does not have answers ENOSYS, as the kernel would. The conformance programs
//! use the stubs directly; others find safe functions in the other modules.

use los_abi::syscall::Sysno;
use los_abi::syscall::prelude::*;

use crate::{Errno, Result, arch};

/// Makes a system call and returns the result register as it is.
///
/// # Safety
/// The arguments must be such that what the call does to this process's memory is allowed to happen.
pub unsafe fn raw(number: u32, arguments: [u64; 6]) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { arch::syscall6(number, arguments) }
}

/// Pads the registers that a call uses to the six that every call sets.
fn registers<const COUNT: usize>(arguments: [u64; COUNT]) -> [u64; 6] {
    let mut registers = [0; 6];
    registers[..COUNT].copy_from_slice(&arguments);
    registers
}

/// Makes one stub for every row of the table.
macro_rules! define_stubs {
    ($({ $name:ident, x86_64: $x86_64:tt, aarch64: $aarch64:tt,
         ($($argument:ident: $type:ty),*), $support:ident, $note:literal })*) => {
        $(
            #[doc = concat!("Makes the system call ", stringify!($name), "(2).")]
            ///
            /// # Errors
            /// Those of the call; ENOSYS where the machine does not have it.
            ///
            /// # Safety
            /// Addresses among the arguments must be good for what the call reads and writes there,
            /// and a change to the memory map must leave alone what the program still uses.
            pub unsafe fn $name($($argument: $type),*) -> Result<u64> {
                const NUMBER: Option<u32> = Sysno::$name.number(arch::ISA);
                let Some(number) = NUMBER else {
                    return Err(Errno::ENOSYS);
                };
                // SAFETY: the caller's promise.
                let result = unsafe { arch::syscall6(number, registers([$($argument.encode()),*])) };
                Errno::check_register(result)
            }
        )*
    };
}

los_abi::for_each_syscall!(define_stubs);
