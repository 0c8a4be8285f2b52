//! `env`: prints the environment, or runs a command in a changed one.

use alloc::vec::Vec;

use rt::process::{self, DEFAULT_PATH};
use rt::{Args, Errno, io};

use crate::Call;
use crate::options::{Grammar, Options};

/// Status when the command does not exist.
const NOT_FOUND_STATUS: i32 = 127;
/// Status when the command cannot be executed.
const NOT_EXECUTABLE_STATUS: i32 = 126;

pub(super) fn run(call: &Call<'_>) -> i32 {
    let long = &[("ignore-environment", b'i')];
    let options = match Options::parse(
        call,
        &Grammar {
            letters: "iu:",
            long,
            operands_last: true,
        },
    ) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let mut operands = options.operands.as_slice();
    // A lone dash is an old way to write `-i`.
    let is_dash = operands.first().is_some_and(|first| first == b"-");
    if is_dash {
        operands = &operands[1..];
    }
    let mut environment = if is_dash || options.has(b'i') {
        Vec::new()
    } else {
        call.environment.to_vec()
    };
    for name in options.values(b'u') {
        remove(&mut environment, name);
    }
    while let [assignment, rest @ ..] = operands
        && let Some(equals) = assignment.iter().position(|byte| *byte == b'=')
    {
        remove(&mut environment, &assignment[..equals]);
        environment.push(assignment.clone());
        operands = rest;
    }
    let Some(command) = operands.first() else {
        for entry in &environment {
            io::put(entry);
            io::put(b"\n");
        }
        return 0;
    };
    let lookup = Args {
        arguments: Vec::new(),
        environment: environment.clone(),
    };
    let search_path = lookup.variable(b"PATH").unwrap_or(DEFAULT_PATH);
    let (_, errno) = process::execute_by_name(command, search_path, operands, &environment);
    call.complain_about(command, errno);
    if errno == Errno::ENOENT {
        NOT_FOUND_STATUS
    } else {
        NOT_EXECUTABLE_STATUS
    }
}

fn remove(environment: &mut Vec<Vec<u8>>, name: &[u8]) {
    environment.retain(|entry| {
        entry
            .strip_prefix(name)
            .is_none_or(|rest| !rest.starts_with(b"="))
    });
}
