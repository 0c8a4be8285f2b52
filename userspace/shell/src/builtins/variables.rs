//! Builtins about variables, parameters and options.

use alloc::format;
use alloc::vec::Vec;

use rt::text::Text;
use rt::{print, println, text};

use super::{Outcome, USAGE_STATUS, number, quote};
use crate::lexer;
use crate::shell::{Options, Shell};

pub(super) fn export(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    mark(shell, arguments, Mark::Export)
}

pub(super) fn read_only(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    mark(shell, arguments, Mark::ReadOnly)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Export,
    ReadOnly,
}

fn mark(shell: &mut Shell, arguments: &[Vec<u8>], mark: Mark) -> Outcome {
    let mut names = &arguments[1..];
    if names.first().is_some_and(|first| first == b"-p") {
        names = &names[1..];
    }
    if names.is_empty() {
        for (name, variable) in shell.variables.iter() {
            let (marked, word) = match mark {
                Mark::Export => (variable.exported, "export"),
                Mark::ReadOnly => (variable.read_only, "readonly"),
            };
            if marked {
                print!("{word} {}", Text(name));
                print_value(variable.value.as_deref());
            }
        }
    }
    for argument in names {
        let (name, value) = split(argument);
        if !lexer::is_name(name) {
            return Err(shell.fail(format_args!("{}: bad variable name", Text(name))));
        }
        if let Some(value) = value {
            shell.assign(name, value.to_vec())?;
        }
        match mark {
            Mark::Export => shell.variables.export(name),
            Mark::ReadOnly => shell.variables.protect(name),
        }
    }
    Ok(0)
}

pub(super) fn local(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    for argument in &arguments[1..] {
        let (name, value) = split(argument);
        if let Err(message) = shell.variables.make_local(name) {
            return Err(shell.fail(format_args!("local: {message}")));
        }
        if let Some(value) = value {
            shell.assign(name, value.to_vec())?;
        }
    }
    Ok(0)
}

pub(super) fn unset(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let mut functions = false;
    for argument in &arguments[1..] {
        match argument.as_slice() {
            b"-f" => functions = true,
            b"-v" => functions = false,
            name if functions => drop(shell.functions.remove(name)),
            name => {
                if let Err(message) = shell.variables.unset(name) {
                    return Err(shell.fail(format_args!("unset: {}: {message}", Text(name))));
                }
            }
        }
    }
    Ok(0)
}

pub(super) fn shift(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let count = number(shell, arguments, 1)?.unsigned_abs() as usize;
    if count > shell.positional.len() {
        return Err(shell.fail(format_args!("shift: can't shift that many")));
    }
    shell.positional.drain(..count);
    Ok(0)
}

pub(super) fn set(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    if arguments.len() == 1 {
        for (name, variable) in shell.variables.iter() {
            if variable.value.is_some() {
                print!("{}", Text(name));
                print_value(variable.value.as_deref());
            }
        }
        return Ok(0);
    }
    let mut rest = arguments[1..].iter();
    while let Some(argument) = rest.as_slice().first() {
        let on = match argument.as_slice() {
            b"--" => {
                rest.next();
                shell.positional = rest.cloned().collect();
                return Ok(0);
            }
            [b'-', _, ..] => true,
            [b'+', _, ..] => false,
            _ => break,
        };
        rest.next();
        for letter in &argument[1..] {
            let letter = if *letter == b'o' {
                let Some(name) = rest.next() else {
                    print_options(shell.options);
                    return Ok(0);
                };
                Options::letter_of(name).unwrap_or(b'o')
            } else {
                *letter
            };
            match shell.options.by_letter(letter) {
                Some(switch) => *switch = on,
                // Job control and immediate reports are not switched here; scripts may still name them.
                None if matches!(letter, b'm' | b'b') => {}
                None => {
                    let what = char::from(letter);
                    return Err(shell.fail(format_args!("set: Illegal option -{what}")));
                }
            }
        }
    }
    if !rest.as_slice().is_empty() {
        shell.positional = rest.cloned().collect();
    }
    Ok(0)
}

fn print_options(mut options: Options) {
    println!("Current option settings");
    for name in ["errexit", "noglob", "noexec", "nounset", "xtrace", "noclobber"] {
        let switch = Options::letter_of(name.as_bytes()).and_then(|letter| options.by_letter(letter));
        println!(
            "{name:<15} {}",
            if switch.is_some_and(|on| *on) { "on" } else { "off" }
        );
    }
}

/// `getopts letters name [argument ...]`.
pub(super) fn get_options(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let [_, letters, name, given @ ..] = arguments else {
        shell.complain(format_args!("Usage: getopts optstring var [arg]"));
        return Ok(USAGE_STATUS);
    };
    let operands = if given.is_empty() {
        shell.positional.clone()
    } else {
        given.to_vec()
    };
    let index = shell
        .variables
        .get(b"OPTIND")
        .and_then(|value| text::parse_unsigned(value, 10))
        .unwrap_or(1);
    let mut index = (index as usize).max(1);
    // Bundled letters are remembered for as long as nobody resets OPTIND.
    let (last_index, last_offset) = shell.option_position;
    let offset = if last_index == index { last_offset } else { 1 };
    let is_silent = letters.first() == Some(&b':');

    let argument = operands.get(index - 1).map_or(&b""[..], Vec::as_slice);
    if argument == b"--" || argument.len() < 2 || argument[0] != b'-' {
        if argument == b"--" {
            index += 1;
        }
        shell.assign(b"OPTIND", format!("{index}").into_bytes())?;
        shell.assign(name, b"?".to_vec())?;
        return Ok(1);
    }
    let offset = if offset < argument.len() { offset } else { 1 };
    let at = Position {
        index,
        offset,
        is_silent,
    };
    let found = next_option(shell, letters, &operands, at);
    match found.value {
        Some(value) => shell.assign(b"OPTARG", value)?,
        // It is no special variable here, so it can be read-only; then it stays.
        None => drop(shell.variables.unset(b"OPTARG")),
    }
    shell.assign(b"OPTIND", format!("{}", found.next.0).into_bytes())?;
    shell.option_position = found.next;
    shell.assign(name, Vec::from([found.letter])).map(|()| 0)
}

/// Where `getopts` looks, and how.
struct Position {
    /// The operand, counted from 1.
    index: usize,
    /// The letter in it.
    offset: usize,
    /// Whether mistakes are told by the result alone.
    is_silent: bool,
}

/// What `getopts` finds.
struct FoundOption {
    letter: u8,
    value: Option<Vec<u8>>,
    /// The operand and the letter to go on with.
    next: (usize, usize),
}

fn next_option(shell: &mut Shell, letters: &[u8], operands: &[Vec<u8>], at: Position) -> FoundOption {
    let argument = &operands[at.index - 1];
    let letter = argument[at.offset];
    let at_end = at.offset + 1 >= argument.len();
    let known = letters
        .iter()
        .position(|known| *known == letter && letter != b':');
    let wants_value = known.is_some_and(|at| letters.get(at + 1) == Some(&b':'));
    let mut found = FoundOption {
        letter,
        value: None,
        next: if at_end {
            (at.index + 1, 1)
        } else {
            (at.index, at.offset + 1)
        },
    };
    if known.is_none() {
        found.letter = b'?';
        if at.is_silent {
            found.value = Some(Vec::from([letter]));
        } else {
            shell.complain(format_args!("Illegal option -{}", char::from(letter)));
        }
    } else if wants_value && !at_end {
        found.value = Some(argument[at.offset + 1..].to_vec());
        found.next = (at.index + 1, 1);
    } else if wants_value && let Some(operand) = operands.get(at.index) {
        found.value = Some(operand.clone());
        found.next = (at.index + 2, 1);
    } else if wants_value && at.is_silent {
        found.value = Some(Vec::from([letter]));
        found.letter = b':';
    } else if wants_value {
        found.letter = b'?';
        shell.complain(format_args!("No arg for -{} option", char::from(letter)));
    }
    found
}

/// Splits `name=value`.
fn split(argument: &[u8]) -> (&[u8], Option<&[u8]>) {
    match argument.iter().position(|byte| *byte == b'=') {
        Some(equals) => (&argument[..equals], Some(&argument[equals + 1..])),
        None => (argument, None),
    }
}

/// Ends a line with a value that the shell could read back.
fn print_value(value: Option<&[u8]>) {
    match value {
        Some(value) => println!("={}", Text(&quote(value))),
        None => println!(),
    }
}
