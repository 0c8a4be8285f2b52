//! Where commands come from: `-c`, a file, standard input, or a person at a terminal.

use alloc::vec::Vec;

use rt::signal::{self, SigSet, Signal};
use rt::text::Text;
use rt::{Args, Errno, eprint, eprintln, fs, io, process, tty};

use crate::lexer::{Lexer, SyntaxError};
use crate::parser;
use crate::shell::{ERROR_STATUS, Flow, Shell};

/// A script that cannot be opened.
const NOT_FOUND_STATUS: i32 = 127;
/// A line that a person interrupted.
const INTERRUPT_STATUS: i32 = 130;

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Invocation {
    /// `-c`: the first operand is the program.
    from_operand: bool,
    /// `-s`: standard input is the program, operands are parameters.
    from_input: bool,
    /// `-i`: prompts in any case.
    interactive: bool,
    /// How many arguments are options.
    consumed: usize,
}

/// Runs the shell as `sh` is run.
pub fn main(args: Args) -> i32 {
    let name = args
        .arguments
        .first()
        .map_or(&b"sh"[..], |name| fs::file_name(name));
    let name = name.strip_prefix(b"-").unwrap_or(name);
    let mut shell = Shell::new(name, &args.environment);
    let Some(invocation) = read_options(args.operands(), &mut shell) else {
        return ERROR_STATUS;
    };
    let mut operands = args.operands()[invocation.consumed..].iter().cloned();
    if invocation.from_operand {
        let Some(text) = operands.next() else {
            shell.complain(format_args!("-c requires an argument"));
            return ERROR_STATUS;
        };
        shell.name = operands.next().unwrap_or(shell.name);
        shell.positional = operands.collect();
        let result = shell.run_text(&text);
        return shell.finish(result);
    }
    if !invocation.from_input
        && let Some(path) = operands.next()
    {
        shell.positional = operands.collect();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(errno) => {
                shell.complain(format_args!("cannot open {}: {}", Text(&path), errno.message()));
                return NOT_FOUND_STATUS;
            }
        };
        shell.name = path;
        let result = shell.run_text(&text);
        return shell.finish(result);
    }
    shell.positional = operands.collect();
    let is_terminal = tty::is_terminal(io::STDIN) && tty::is_terminal(io::STDERR);
    shell.interactive = invocation.interactive || is_terminal;
    if shell.interactive {
        shell.arm_signals();
        shell.jobs.take_terminal();
    }
    let result = shell.run_input();
    let status = shell.finish(result);
    shell.jobs.give_terminal_back();
    status
}

/// Reads the options into the shell; reports a bad one.
fn read_options(arguments: &[Vec<u8>], shell: &mut Shell) -> Option<Invocation> {
    let mut invocation = Invocation::default();
    let mut expects_name = None;
    for argument in arguments {
        if let Some(on) = expects_name.take() {
            let Some(switch) =
                crate::shell::Options::letter_of(argument).and_then(|letter| shell.options.by_letter(letter))
            else {
                shell.complain(format_args!("Illegal option -o {}", Text(argument)));
                return None;
            };
            *switch = on;
            invocation.consumed += 1;
            continue;
        }
        let on = match argument.first() {
            Some(b'-') => true,
            Some(b'+') => false,
            _ => break,
        };
        let letters = &argument[1..];
        invocation.consumed += 1;
        if letters.is_empty() || letters == b"-" {
            break;
        }
        for letter in letters {
            match letter {
                b'c' => invocation.from_operand = on,
                b's' => invocation.from_input = on,
                b'i' => invocation.interactive = on,
                b'o' => expects_name = Some(on),
                // A login shell, job control and immediate reports: always or never so here.
                b'l' | b'm' | b'b' => {}
                _ => match shell.options.by_letter(*letter) {
                    Some(switch) => *switch = on,
                    None => {
                        shell.complain(format_args!("Illegal option -{}", char::from(*letter)));
                        return None;
                    }
                },
            }
        }
    }
    Some(invocation)
}

impl Shell {
    /// Runs a whole text, command by command.
    ///
    /// # Errors
    /// What the commands cause; [`Flow::Fail`] for a syntax error.
    pub fn run_text(&mut self, text: &[u8]) -> Result<i32, Flow> {
        let mut rest = text;
        let mut status = 0;
        loop {
            match parser::parse_command(rest, true) {
                Ok(Some((list, length))) => {
                    rest = &rest[length..];
                    if !self.options.no_execution {
                        status = self.run_list(&list)?;
                    }
                }
                Ok(None) => return Ok(status),
                Err(error) => return Err(self.syntax_error(&error)),
            }
        }
    }

    /// Runs commands from standard input as they arrive.
    fn run_input(&mut self) -> Result<i32, Flow> {
        let mut text = Vec::new();
        loop {
            if self.interactive && text.is_empty() {
                self.jobs.report();
            }
            let is_final = match self.read_line(&mut text) {
                Ok(is_final) => is_final,
                Err(Flow::Interrupt) => {
                    text.clear();
                    continue;
                }
                Err(flow) => return Err(flow),
            };
            match parser::parse_command(&text, is_final) {
                Ok(Some((list, _))) => {
                    self.jobs.set_text(&text);
                    text.clear();
                    self.run_line(&list)?;
                }
                Ok(None) => text.clear(),
                Err(SyntaxError::Incomplete) if !is_final => continue,
                Err(error) => {
                    let flow = self.syntax_error(&error);
                    if !self.interactive {
                        return Err(flow);
                    }
                    text.clear();
                }
            }
            if is_final {
                if self.interactive {
                    eprintln!();
                }
                return Ok(self.status);
            }
        }
    }

    fn run_line(&mut self, list: &crate::ast::List) -> Result<(), Flow> {
        if self.options.no_execution && !self.interactive {
            return Ok(());
        }
        match self.run_list(list) {
            Err(Flow::Fail(status)) if self.interactive => self.status = status,
            Err(Flow::Interrupt) if self.interactive => {
                self.status = INTERRUPT_STATUS;
                signal::take(signal::SIGINT);
            }
            Err(Flow::Break(_) | Flow::Continue(_)) | Ok(_) => {}
            Err(flow) => return Err(flow),
        }
        // Whatever ended the line, it ended all that surrounded its commands.
        self.loop_depth = 0;
        self.call_depth = 0;
        self.condition_depth = 0;
        Ok(())
    }

    /// Appends one line, after a prompt if a person types; tells whether the input ended.
    ///
    /// Reads byte by byte: what follows the line may be input for the command on it. Ctrl-C is let in only
    /// while the shell waits, so that one that comes a moment earlier is not waited past.
    fn read_line(&mut self, text: &mut Vec<u8>) -> Result<bool, Flow> {
        if !self.interactive {
            return self.read_until_newline(text);
        }
        let prompt = self.prompt(text.is_empty())?;
        let waiting = signal::set_mask(SigSet::EMPTY.with(Signal::INT));
        eprint!("{}", Text(&prompt));
        let result = self.read_until_newline(text);
        signal::set_mask(waiting);
        result
    }

    fn read_until_newline(&mut self, text: &mut Vec<u8>) -> Result<bool, Flow> {
        loop {
            if self.interactive {
                // A source that cannot be polled is simply read.
                let _ = io::wait_readable(io::STDIN, SigSet::EMPTY);
                let is_interrupt = signal::has_arrived(signal::SIGINT);
                self.run_traps()?;
                if is_interrupt {
                    signal::take(signal::SIGINT);
                    eprintln!();
                    self.status = INTERRUPT_STATUS;
                    return Err(Flow::Interrupt);
                }
            }
            let mut byte = [0];
            match io::read(io::STDIN, &mut byte) {
                Ok(0) => return Ok(true),
                Ok(_) => {
                    text.push(byte[0]);
                    if byte[0] == b'\n' {
                        return Ok(false);
                    }
                }
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    self.complain(format_args!("read error: {}", errno.message()));
                    return Err(Flow::Exit(ERROR_STATUS));
                }
            }
        }
    }

    /// Returns PS1, or PS2 in the middle of a command.
    fn prompt(&mut self, is_first: bool) -> Result<Vec<u8>, Flow> {
        let (name, default): (&[u8], &[u8]) = match (is_first, process::effective_user()) {
            (true, 0) => (b"PS1", b"# "),
            (true, _) => (b"PS1", b"$ "),
            (false, _) => (b"PS2", b"> "),
        };
        let prompt = self.variables.get(name).unwrap_or(default).to_vec();
        match Lexer::new(&prompt, true).text() {
            Ok(word) => self.expand_text(&word),
            Err(_) => Ok(prompt),
        }
    }

    pub(crate) fn syntax_error(&mut self, error: &SyntaxError) -> Flow {
        match error {
            SyntaxError::Incomplete => self.fail(format_args!("syntax error: unexpected end of file")),
            SyntaxError::Unexpected(what) => {
                self.fail(format_args!("syntax error: unexpected \"{}\"", Text(what)))
            }
            SyntaxError::Invalid(message) => self.fail(format_args!("syntax error: {message}")),
        }
    }
}
