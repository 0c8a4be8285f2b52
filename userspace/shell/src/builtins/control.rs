//! Builtins that steer: loops, functions, other texts, and what a name means.

use alloc::vec::Vec;

use rt::fs;
use rt::println;
use rt::process;
use rt::text::Text;

use super::{Builtin, Outcome, number};
use crate::builtins;
use crate::shell::{Flow, Shell};

/// Status of `command -v` and `type` for an unknown name.
const UNKNOWN_NAME_STATUS: i32 = 127;

pub(super) fn colon(_: &mut Shell, _: &[Vec<u8>]) -> Outcome {
    Ok(0)
}

pub(super) fn success(_: &mut Shell, _: &[Vec<u8>]) -> Outcome {
    Ok(0)
}

pub(super) fn failure(_: &mut Shell, _: &[Vec<u8>]) -> Outcome {
    Ok(1)
}

pub(super) fn leave_loop(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    match levels(shell, arguments)? {
        0 => Ok(0),
        levels => Err(Flow::Break(levels)),
    }
}

pub(super) fn next_round(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    match levels(shell, arguments)? {
        0 => Ok(0),
        levels => Err(Flow::Continue(levels)),
    }
}

/// Returns how many loops are meant, at most all; zero outside loops.
fn levels(shell: &mut Shell, arguments: &[Vec<u8>]) -> Result<usize, Flow> {
    let wanted = number(shell, arguments, 1)?;
    if wanted == 0 {
        return Err(shell.fail(format_args!("{}: Illegal number: 0", Text(&arguments[0]))));
    }
    Ok(usize::try_from(wanted).unwrap_or(1).min(shell.loop_depth))
}

pub(super) fn leave_function(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let status = shell.status;
    Err(Flow::Return(number(shell, arguments, status)?))
}

pub(super) fn exit(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let status = shell.traps.status_before().unwrap_or(shell.status);
    Err(Flow::Exit(number(shell, arguments, status)? & 0xff))
}

pub(super) fn eval(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let text = arguments[1..].join(&b' ');
    shell.run_text(&text)
}

pub(super) fn dot(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let Some(name) = arguments.get(1) else {
        return Err(shell.fail(format_args!(".: filename argument required")));
    };
    let candidates = process::candidates(name, &shell.search_path());
    let Some(text) = candidates.iter().find_map(|path| fs::read(path).ok()) else {
        return Err(shell.fail(format_args!(".: cannot open {}: No such file", Text(name))));
    };
    shell.call_depth += 1;
    let result = shell.run_text(&text);
    shell.call_depth -= 1;
    match result {
        Err(Flow::Return(status)) => Ok(status),
        result => result,
    }
}

pub(super) fn exec(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    if arguments.len() < 2 {
        return Ok(0);
    }
    if !shell.interactive {
        return Err(Flow::Exit(shell.execute(&arguments[1..])));
    }
    // The program must find the signals as a shell's child would; a failure brings the shell's back.
    shell.disarm_signals();
    let status = shell.execute(&arguments[1..]);
    shell.arm_signals();
    Ok(status)
}

/// `command name ...`: runs it, but no function; `command -v name`: tells what it is.
pub(super) fn command(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    match arguments.get(1).map(Vec::as_slice) {
        None => Ok(0),
        Some(b"-v") => {
            let name = arguments.get(2).map_or(&b""[..], Vec::as_slice);
            match meaning(shell, name) {
                Some(Meaning::Program(path)) => println!("{}", Text(&path)),
                Some(_) => println!("{}", Text(name)),
                None => return Ok(UNKNOWN_NAME_STATUS),
            }
            Ok(0)
        }
        Some(b"-V") => describe(shell, &arguments[1..]),
        Some(name) => match builtins::find(name) {
            // Called so, a special builtin is no longer fatal.
            Some(builtin) => match shell.call_builtin(builtin, &arguments[1..]) {
                Err(Flow::Fail(status)) => Ok(status),
                result => result,
            },
            None => match shell.fork() {
                Ok(process::Fork::Child) => {
                    shell.become_subshell();
                    let status = shell.execute(&arguments[1..]);
                    process::exit(status)
                }
                Ok(process::Fork::Parent(pid)) => Ok(shell.jobs.wait_foreground(&[pid]).status),
                Err(errno) => Err(shell.fail(format_args!("Cannot fork: {}", errno.message()))),
            },
        },
    }
}

pub(super) fn describe(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let mut status = 0;
    for name in &arguments[1..] {
        let text = Text(name);
        match meaning(shell, name) {
            Some(Meaning::Keyword) => println!("{text} is a shell keyword"),
            Some(Meaning::Function) => println!("{text} is a shell function"),
            Some(Meaning::Builtin(builtin)) if builtin.is_special => {
                println!("{text} is a special shell builtin")
            }
            Some(Meaning::Builtin(_)) => println!("{text} is a shell builtin"),
            Some(Meaning::Program(path)) => println!("{text} is {}", Text(&path)),
            None => {
                println!("{text}: not found");
                status = UNKNOWN_NAME_STATUS;
            }
        }
    }
    Ok(status)
}

/// What a command's name stands for.
enum Meaning {
    Keyword,
    Function,
    Builtin(&'static Builtin),
    Program(Vec<u8>),
}

fn meaning(shell: &Shell, name: &[u8]) -> Option<Meaning> {
    const KEYWORDS: [&[u8]; 16] = [
        b"!", b"{", b"}", b"case", b"do", b"done", b"elif", b"else", b"esac", b"fi", b"for", b"if", b"in",
        b"then", b"until", b"while",
    ];
    if KEYWORDS.contains(&name) {
        return Some(Meaning::Keyword);
    }
    if shell.functions.contains_key(name) {
        return Some(Meaning::Function);
    }
    if let Some(builtin) = builtins::find(name) {
        return Some(Meaning::Builtin(builtin));
    }
    let is_program = |path: &Vec<u8>| {
        fs::access(path, fs::AccessMode::X_OK).is_ok()
            && !fs::metadata(path).is_ok_and(|data| data.is_directory())
    };
    process::candidates(name, &shell.search_path())
        .into_iter()
        .find(is_program)
        .map(Meaning::Program)
}
