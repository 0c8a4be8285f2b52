//! Builtins about other processes.

use alloc::vec::Vec;

use rt::signal::{SIGNALS, SIGTERM};
use rt::text::{self, Text};
use rt::{println, process};

use super::{Outcome, USAGE_STATUS};
use crate::shell::{Flow, Shell};
use crate::traps;

pub(super) fn list(shell: &mut Shell, _: &[Vec<u8>]) -> Outcome {
    shell.jobs.print();
    Ok(0)
}

pub(super) fn wait(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    // Waiting ends early only by a caught signal.
    let interrupted = |_| traps::interrupted_status().unwrap_or(0);
    if arguments.len() == 1 {
        return Ok(shell.jobs.wait_all().map_or_else(interrupted, |()| 0));
    }
    let mut status = 0;
    for argument in &arguments[1..] {
        let Some(pid) = process_named(shell, argument) else {
            shell.complain(format_args!("wait: No such job: {}", Text(argument)));
            return Ok(USAGE_STATUS);
        };
        status = shell.jobs.wait(pid).unwrap_or_else(interrupted);
    }
    Ok(status)
}

pub(super) fn foreground(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let Some(leader) = controlled_job(shell, arguments) else {
        return Ok(USAGE_STATUS);
    };
    let outcome = shell.jobs.continue_in_foreground(leader);
    if outcome.interrupted {
        Err(Flow::Interrupt)
    } else {
        Ok(outcome.status)
    }
}

pub(super) fn background(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let Some(leader) = controlled_job(shell, arguments) else {
        return Ok(USAGE_STATUS);
    };
    shell.jobs.continue_in_background(leader);
    Ok(0)
}

fn controlled_job(shell: &mut Shell, arguments: &[Vec<u8>]) -> Option<i32> {
    let name = Text(&arguments[0]);
    if !shell.jobs.has_control() {
        shell.complain(format_args!("{name}: no job control"));
        return None;
    }
    let leader = shell.jobs.leader(arguments.get(1).map(Vec::as_slice));
    if leader.is_none() {
        shell.complain(format_args!("{name}: No current job"));
    }
    leader
}

/// `kill [-SIGNAL] process ...` and `kill -l`.
pub(super) fn kill(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let mut operands = &arguments[1..];
    let mut signal = SIGTERM;
    match operands.first().map(Vec::as_slice) {
        Some(b"-l") => {
            for (name, number) in SIGNALS {
                println!("{number:2}) {name}");
            }
            return Ok(0);
        }
        Some(b"--") => operands = &operands[1..],
        Some([b'-', name @ ..]) => {
            let (name, used) = match (name, operands.get(1)) {
                (b"s", Some(name)) => (name.as_slice(), 2),
                _ => (name, 1),
            };
            let Some(number) = signal_named(name) else {
                shell.complain(format_args!(
                    "kill: invalid signal number or name: {}",
                    Text(name)
                ));
                return Ok(USAGE_STATUS);
            };
            signal = number;
            operands = &operands[used..];
        }
        _ => {}
    }
    if operands.is_empty() {
        shell.complain(format_args!("kill: Usage: kill [-SIGNAL] pid | %job ..."));
        return Ok(USAGE_STATUS);
    }
    let mut status = 0;
    for operand in operands {
        let is_job = operand.starts_with(b"%");
        let result = match process_named(shell, operand) {
            // A job is its process group, where it has one.
            Some(pid) if is_job && shell.jobs.has_control() => process::kill(-pid, signal),
            Some(pid) => process::kill(pid, signal),
            None => {
                shell.complain(format_args!("kill: Illegal number: {}", Text(operand)));
                status = 1;
                continue;
            }
        };
        if let Err(errno) = result {
            shell.complain(format_args!("kill: {}: {}", Text(operand), errno.message()));
            status = 1;
        }
    }
    Ok(status)
}

fn process_named(shell: &Shell, text: &[u8]) -> Option<i32> {
    if text.starts_with(b"%") {
        return shell.jobs.leader(Some(text));
    }
    text::parse_signed(text).and_then(|number| i32::try_from(number).ok())
}

/// Returns the signal of a number or a name, with or without `SIG`.
pub(super) fn signal_named(name: &[u8]) -> Option<u32> {
    if let Some(number) = text::parse_unsigned(name, 10) {
        return u32::try_from(number).ok().filter(|number| *number <= 64);
    }
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix(b"SIG").unwrap_or(&upper);
    SIGNALS
        .iter()
        .find(|(known, _)| known.as_bytes().strip_prefix(b"SIG") == Some(bare))
        .map(|(_, number)| *number)
}
