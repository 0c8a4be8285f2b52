//! From a number to its handler: the table is made from `los_abi`'s rows when the kernel is compiled.
//!
//! A row without a handler is a compile error; a number without a row is ENOSYS.

use core::sync::atomic::{AtomicU64, Ordering};

use hal::trap::TrapFrame as _;
use los_abi::errno::Errno;
use los_abi::isa::IsaAbi;
use los_abi::syscall::Sysno;
use sync::{Error, Result};
use task::Context;

/// One past the highest number that any machine gives to a call of the table.
const TABLE_SIZE: usize = 512;

type Handler = fn(&Context<'_>, &[u64; 6]) -> Result<usize>;

/// Carries out the system call that the context's frame asks for.
///
/// # Errors
/// Those of the call; ENOSYS for a number that is not in the table.
pub fn dispatch(context: &Context<'_>) -> Result<usize> {
    let (number, registers) = {
        let frame = context.frame();
        (frame.syscall_number(), frame.syscall_arguments())
    };
    let handler = usize::try_from(number)
        .ok()
        .and_then(|number| *TABLE.get(number)?);
    match handler {
        Some(handler) => handler(context, &registers),
        None => {
            note_unknown(number);
            Err(Error::Errno(Errno::ENOSYS))
        }
    }
}

/// Logs an unknown number the first time that it is used.
fn note_unknown(number: u64) {
    static SEEN: [AtomicU64; TABLE_SIZE / 64] = [const { AtomicU64::new(0) }; TABLE_SIZE / 64];
    if let Some(word) = SEEN.get((number / 64) as usize) {
        let bit = 1 << (number % 64);
        if word.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            log::debug!("system call {number} is not implemented: ENOSYS");
        }
    }
}

macro_rules! make_table {
    ($({ $name:ident, x86_64: $x86_64:tt, aarch64: $aarch64:tt,
         ($($argument:ident: $type:ty),*), $support:ident, $note:literal })*) => {
        /// One function a row: decodes the registers into the row's types.
        mod rows {
            use los_abi::syscall::prelude::*;

            use super::{Context, Result};
            use crate::handlers;

            $(
                pub(super) fn $name(context: &Context<'_>, registers: &[u64; 6]) -> Result<usize> {
                    let [$($argument,)* ..] = registers;
                    handlers::$name(context $(, <$type>::decode(*$argument))*)
                }
            )*
        }

        static TABLE: [Option<Handler>; TABLE_SIZE] = {
            let mut table: [Option<Handler>; TABLE_SIZE] = [None; TABLE_SIZE];
            $(
                if let Some(number) = Sysno::$name.number(task::Abi::ISA) {
                    table[number as usize] = Some(rows::$name);
                }
            )*
            table
        };
    };
}

los_abi::for_each_syscall!(make_table);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_this_machine_is_in_the_table() {
        let rows = Sysno::ALL.iter().filter_map(|row| row.number(task::Abi::ISA));
        assert!(rows.clone().all(|number| TABLE[number as usize].is_some()));
        assert_eq!(rows.count(), TABLE.iter().flatten().count());
    }
}
