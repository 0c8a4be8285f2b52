//! From the first instruction to `main`, for programs without a standard library.
//!
//! The stack that the kernel built holds argc, the pointers of argv and a null, those of envp and a
//! null, then the auxiliary vector (`System V ABI, AMD64 supplement, 3.4.1`; the same on aarch64).

use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::panic::PanicInfo;

use crate::{Args, io, process};

/// Exit status of a program that panicked, as with Rust's standard library.
const PANIC_STATUS: i32 = 101;

unsafe extern "Rust" {
    /// The program's main function, which [`entry!`](crate::entry) defines.
    fn levitate_main(args: Args) -> i32;
}

/// Collects the arguments, runs the program and exits with its status.
///
/// # Safety
/// `stack` must be the stack pointer with which the kernel started the program.
pub(crate) unsafe extern "C" fn enter(stack: *const usize) -> ! {
    // SAFETY: argc is the first word of the stack.
    let count = unsafe { *stack };
    // SAFETY: argv begins behind it.
    let argv = unsafe { stack.add(1) };
    // SAFETY: envp begins behind argc pointers and a null.
    let envp = unsafe { argv.add(count + 1) };
    // SAFETY: both arrays end with a null pointer, and their strings with NUL.
    let arguments = unsafe { strings(argv) };
    // SAFETY: as above.
    let environment = unsafe { strings(envp) };
    // SAFETY: `entry!` defines the symbol with this very signature.
    let status = unsafe {
        levitate_main(Args {
            arguments,
            environment,
        })
    };
    process::exit(status)
}

/// Copies the strings of a null-terminated array of pointers.
///
/// # Safety
/// The array must end with null, and each string that it points at with NUL.
unsafe fn strings(array: *const usize) -> Vec<Vec<u8>> {
    let mut strings = Vec::new();
    let mut entry = array.cast::<*const c_char>();
    loop {
        // SAFETY: `entry` has not passed the null at the array's end.
        let string = unsafe { *entry };
        if string.is_null() {
            return strings;
        }
        // SAFETY: the caller's promise about the strings.
        strings.push(unsafe { CStr::from_ptr(string) }.to_bytes().to_vec());
        // SAFETY: the null at the array's end is not behind us.
        entry = unsafe { entry.add(1) };
    }
}

/// Reports the panic on standard error and ends the process.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    io::eprint(format_args!("{info}\n"));
    process::exit_now(PANIC_STATUS)
}
