//! The small utilities of a Unix system in one program, which goes by the name it is called by.
//!
//! Each utility is a file in [`applets`]; [`APPLETS`] is their table, and `applets.txt` beside this crate
//! lists their names for the build of the initramfs. They do what POSIX says and people use;
//! diagnostics read as BusyBox's.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod applets;
pub mod copy;
pub mod options;
pub mod remove;

use alloc::vec::Vec;
use core::fmt;

use rt::text::Text;
use rt::{Args, Errno, eprintln, fs, println};

pub use applets::APPLETS;

/// Status of the program when it does not know what to be.
const UNKNOWN_APPLET_STATUS: i32 = 127;

/// A utility.
#[derive(Debug)]
pub struct Applet {
    /// Its name.
    pub name: &'static str,
    /// What may stand behind the name.
    pub usage: &'static str,
    /// Runs it and returns the exit status.
    pub run: fn(&Call<'_>) -> i32,
}

/// One call of a utility.
#[derive(Debug)]
pub struct Call<'a> {
    /// The utility.
    pub applet: &'static Applet,
    /// What stands behind its name.
    pub arguments: &'a [Vec<u8>],
    /// Variables as `NAME=value`.
    pub environment: &'a [Vec<u8>],
}

impl Call<'_> {
    /// Prints a message behind the utility's name.
    pub fn complain(&self, message: fmt::Arguments<'_>) {
        eprintln!("{}: {message}", self.applet.name);
    }

    /// Prints what went wrong with a file.
    pub fn complain_about(&self, path: &[u8], errno: Errno) {
        self.complain(format_args!("{}: {}", Text(path), errno.message()));
    }

    /// Prints how to call the utility, and returns the status for having called it otherwise.
    pub fn misused(&self) -> i32 {
        eprintln!("Usage: {} {}", self.applet.name, self.applet.usage);
        1
    }
}

/// Runs the utility that the program's name, or else its first argument, names.
pub fn main(args: Args) -> i32 {
    let mut words = args.arguments.as_slice();
    let mut name = args.program_name();
    if find(name).is_none() && !words.is_empty() {
        words = &words[1..];
        name = words.first().map_or(&b""[..], |word| fs::file_name(word));
    }
    match find(name) {
        Some(applet) => (applet.run)(&Call {
            applet,
            arguments: &words[1..],
            environment: &args.environment,
        }),
        None if matches!(name, b"" | b"--list" | b"--help") => {
            for applet in APPLETS {
                println!("{}", applet.name);
            }
            0
        }
        None => {
            eprintln!("{}: applet not found", Text(name));
            UNKNOWN_APPLET_STATUS
        }
    }
}

fn find(name: &[u8]) -> Option<&'static Applet> {
    APPLETS.iter().find(|applet| applet.name.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::APPLETS;
    use alloc::vec::Vec;

    #[test]
    fn the_list_for_the_initramfs_is_the_table() {
        let listed: Vec<&str> = include_str!("../applets.txt").lines().collect();
        let table: Vec<&str> = APPLETS.iter().map(|applet| applet.name).collect();
        assert_eq!(listed, table);
        assert!(table.is_sorted());
    }
}
