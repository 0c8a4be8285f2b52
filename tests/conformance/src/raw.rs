//! System calls with arguments as plain words, right or wrong: what the cases are made of.
#![expect(
    unsafe_code,
    reason = "conformance is about what the kernel does with any argument"
)]

use core::sync::atomic::AtomicU32;

use los_abi::errno::Errno;
use los_abi::syscall::Sysno;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::arch::ISA;

/// Makes a system call. Up to six arguments; the rest are 0.
///
/// Not marked unsafe: a case that corrupts its own process fails, in a child of its own.
pub(crate) fn call(call: Sysno, arguments: &[u64]) -> Result<u64, Errno> {
    let number = call.number(ISA).ok_or(Errno::ENOSYS)?;
    call_number(number, arguments)
}

/// Makes a system call by number.
pub(crate) fn call_number(number: u32, arguments: &[u64]) -> Result<u64, Errno> {
    let mut registers = [0; 6];
    registers[..arguments.len()].copy_from_slice(arguments);
    // SAFETY: see `call`.
    let result = unsafe { rt::sys::raw(number, registers) };
    Errno::check_register(result)
}

/// Returns the address of a value that a call reads.
pub(crate) fn addr<T: ?Sized>(value: &T) -> u64 {
    core::ptr::from_ref(value).cast::<u8>() as u64
}

/// Returns the address of a value that a call writes.
pub(crate) fn addr_mut<T: ?Sized>(value: &mut T) -> u64 {
    core::ptr::from_mut(value).cast::<u8>() as u64
}

/// Reads a value at an address that a call returned.
pub(crate) fn peek<T: FromBytes + Copy>(address: u64) -> T {
    // SAFETY: the case has mapped the address; any bytes are a `T`.
    unsafe { core::ptr::read_volatile(address as *const T) }
}

/// Writes a value to an address that a call returned.
pub(crate) fn poke<T: IntoBytes + Immutable>(address: u64, value: T) {
    // SAFETY: the case has mapped the address for writing, or means to die of it.
    unsafe { core::ptr::write_volatile(address as *mut T, value) }
}

/// Returns the counter at an address that a call returned.
pub(crate) fn counter(address: u64) -> &'static AtomicU32 {
    // SAFETY: the case has mapped the address, aligned, for as long as it counts there.
    unsafe { AtomicU32::from_ptr(address as *mut u32) }
}

/// Calls code at an address.
pub(crate) fn jump(address: u64) {
    // SAFETY: the case has put a function there, or means to die of it.
    let function: extern "C" fn() = unsafe { core::mem::transmute(address as usize) };
    function();
}

/// Calls a C function with up to three arguments at an address.
pub(crate) fn invoke_long(address: u64, [first, second, third]: [u64; 3]) -> i64 {
    // SAFETY: the case has found a function there that takes no more arguments than these.
    let function: extern "C" fn(u64, u64, u64) -> i64 = unsafe { core::mem::transmute(address as usize) };
    function(first, second, third)
}
