//! `trap`: what happens at signals and at the end of the shell.

use alloc::vec::Vec;

use rt::println;
use rt::signal::Signal;
use rt::text::{self, Text};

use super::{Outcome, jobs, quote};
use crate::shell::Shell;
use crate::traps::{Action, EXIT};

/// Runs `trap [action] condition ...`; without arguments it prints the traps so that a shell can read them back.
pub(super) fn run(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let mut operands = &arguments[1..];
    if operands.first().is_some_and(|first| first == b"--") {
        operands = &operands[1..];
    }
    let Some(first) = operands.first() else {
        print(shell);
        return Ok(0);
    };
    // A number where the action would be means that there is none; so does a condition that stands alone.
    let (action, conditions) = if operands.len() == 1 || text::parse_unsigned(first, 10).is_some() {
        (None, operands)
    } else {
        let action = match first.as_slice() {
            b"-" => None,
            b"" => Some(Action::Ignore),
            commands => Some(Action::Run(commands.to_vec())),
        };
        (action, &operands[1..])
    };
    let mut status = 0;
    for condition in conditions {
        match condition_named(condition) {
            Some(number) => shell.set_trap(number, action.clone()),
            None => {
                shell.complain(format_args!("trap: {}: bad trap", Text(condition)));
                status = 1;
            }
        }
    }
    Ok(status)
}

fn print(shell: &Shell) {
    for (number, action) in shell.traps.iter() {
        let name = Signal::new(number).map_or("EXIT", |signal| signal.name().trim_start_matches("SIG"));
        let commands = match action {
            Action::Ignore => &b""[..],
            Action::Run(commands) => commands,
        };
        println!("trap -- {} {name}", Text(&quote(commands)));
    }
}

fn condition_named(name: &[u8]) -> Option<u32> {
    if name.eq_ignore_ascii_case(b"EXIT") {
        return Some(EXIT);
    }
    jobs::signal_named(name)
}
