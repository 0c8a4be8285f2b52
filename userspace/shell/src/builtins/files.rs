//! Builtins about the working directory, output and new files' permissions.

use alloc::vec::Vec;

use rt::text::{self, Text};
use rt::{fs, io, println, process};

use super::{Outcome, USAGE_STATUS};
use crate::shell::Shell;

pub(super) fn change_directory(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let mut operands = &arguments[1..];
    while let Some([b'-', b'L' | b'P' | b'-', ..]) = operands.first().map(Vec::as_slice) {
        operands = &operands[1..];
    }
    let (target, prints) = match operands.first().map(Vec::as_slice) {
        None => (shell.variables.get(b"HOME"), false),
        Some(b"-") => (shell.variables.get(b"OLDPWD"), true),
        Some(path) => (Some(path), false),
    };
    let Some(target) = target.map(<[u8]>::to_vec) else {
        shell.complain(format_args!(
            "cd: {} not set",
            if prints { "OLDPWD" } else { "HOME" }
        ));
        return Ok(USAGE_STATUS);
    };
    if let Err(errno) = fs::change_directory(&target) {
        shell.complain(format_args!(
            "cd: can't cd to {}: {}",
            Text(&target),
            errno.message()
        ));
        return Ok(USAGE_STATUS);
    }
    let old = shell.variables.get(b"PWD").unwrap_or_default().to_vec();
    shell.assign(b"OLDPWD", old)?;
    if let Ok(directory) = fs::current_directory() {
        if prints {
            println!("{}", Text(&directory));
        }
        shell.assign(b"PWD", directory)?;
    }
    Ok(0)
}

pub(super) fn print_directory(shell: &mut Shell, _: &[Vec<u8>]) -> Outcome {
    match fs::current_directory() {
        Ok(directory) => {
            io::put(&directory);
            io::put(b"\n");
            Ok(0)
        }
        Err(errno) => {
            shell.complain(format_args!("pwd: {}", errno.message()));
            Ok(1)
        }
    }
}

/// Prints its arguments; `-n` leaves out the newline.
pub(super) fn echo(_: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let mut words = &arguments[1..];
    let newline = words.first().is_none_or(|first| first != b"-n");
    if !newline {
        words = &words[1..];
    }
    io::put(&words.join(&b' '));
    if newline {
        io::put(b"\n");
    }
    Ok(0)
}

pub(super) fn umask(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let Some(argument) = arguments.get(1) else {
        let mask = process::set_umask(0);
        process::set_umask(mask);
        println!("{mask:04o}");
        return Ok(0);
    };
    match text::parse_unsigned(argument, 8) {
        Some(mask) if mask <= 0o777 => {
            process::set_umask(mask as u32);
            Ok(0)
        }
        _ => {
            shell.complain(format_args!("umask: Illegal number: {}", Text(argument)));
            Ok(USAGE_STATUS)
        }
    }
}
