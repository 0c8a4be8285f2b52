//! Builtins: commands that act on the shell itself, and a few that scripts call too often to fork for.

mod control;
mod files;
mod jobs;
mod read;
mod test;
mod trap;
mod variables;

use alloc::vec::Vec;

use rt::text;

use crate::shell::{Flow, Shell};

/// What a builtin returns: a status, or the way it ends what is around it.
pub type Outcome = Result<i32, Flow>;

/// Status of a builtin that was called wrongly.
pub(crate) const USAGE_STATUS: i32 = 2;

/// A builtin.
#[derive(Debug)]
pub struct Builtin {
    /// Its name.
    pub name: &'static [u8],
    /// Whether it is special: found before functions, with assignments that stay, and fatal to scripts
    /// when it fails (`POSIX.1-2017, Shell Command Language, 2.14`).
    pub is_special: bool,
    /// Runs it with its name and arguments.
    pub run: fn(&mut Shell, &[Vec<u8>]) -> Outcome,
}

const fn special(name: &'static str, run: fn(&mut Shell, &[Vec<u8>]) -> Outcome) -> Builtin {
    Builtin {
        name: name.as_bytes(),
        is_special: true,
        run,
    }
}

const fn ordinary(name: &'static str, run: fn(&mut Shell, &[Vec<u8>]) -> Outcome) -> Builtin {
    Builtin {
        name: name.as_bytes(),
        is_special: false,
        run,
    }
}

/// All builtins.
pub static BUILTINS: &[Builtin] = &[
    special(":", control::colon),
    special(".", control::dot),
    special("break", control::leave_loop),
    special("continue", control::next_round),
    special("eval", control::eval),
    special("exec", control::exec),
    special("exit", control::exit),
    special("export", variables::export),
    special("readonly", variables::read_only),
    special("return", control::leave_function),
    special("set", variables::set),
    special("shift", variables::shift),
    special("trap", trap::run),
    special("unset", variables::unset),
    ordinary("[", test::run),
    ordinary("bg", jobs::background),
    ordinary("cd", files::change_directory),
    ordinary("command", control::command),
    ordinary("echo", files::echo),
    ordinary("false", control::failure),
    ordinary("fg", jobs::foreground),
    ordinary("getopts", variables::get_options),
    ordinary("jobs", jobs::list),
    ordinary("kill", jobs::kill),
    ordinary("local", variables::local),
    ordinary("pwd", files::print_directory),
    ordinary("read", read::run),
    ordinary("test", test::run),
    ordinary("true", control::success),
    ordinary("type", control::describe),
    ordinary("umask", files::umask),
    ordinary("wait", jobs::wait),
];

/// Returns the builtin with this name.
pub fn find(name: &[u8]) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|builtin| builtin.name == name)
}

/// Quotes a value so that the shell could read it back.
fn quote(value: &[u8]) -> Vec<u8> {
    let parts: Vec<_> = value.split(|byte| *byte == b'\'').collect();
    [b"'", parts.join(&b"'\"'\"'"[..]).as_slice(), b"'"].concat()
}

/// Reads a builtin's numeric argument; complains about one that is none.
fn number(shell: &mut Shell, arguments: &[Vec<u8>], default: i32) -> Result<i32, Flow> {
    let Some(argument) = arguments.get(1) else {
        return Ok(default);
    };
    match text::parse_signed(argument).and_then(|number| i32::try_from(number).ok()) {
        Some(number) if number >= 0 => Ok(number),
        _ => {
            let (name, argument) = (text::Text(&arguments[0]), text::Text(argument));
            Err(shell.fail(format_args!("{name}: Illegal number: {argument}")))
        }
    }
}
