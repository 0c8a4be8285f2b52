//! The state of a shell, and the ways in which execution leaves the normal order.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;

use rt::process::Fork;
use rt::text::Text;
use rt::{eprintln, process, signal};

use crate::ast::Command;
use crate::jobs::Jobs;
use crate::traps::Traps;
use crate::variables::Variables;

/// Status of a shell that ends by an error of its own.
pub const ERROR_STATUS: i32 = 2;

/// Why the rest of the commands around this one does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// `break` out of so many loops.
    Break(usize),
    /// `continue` with the loop so many levels out.
    Continue(usize),
    /// `return` from a function or a `.` script.
    Return(i32),
    /// `exit`.
    Exit(i32),
    /// An error, already reported, that ends a script and, when interactive, the command line.
    Fail(i32),
    /// Ctrl-C: an interactive shell goes on with a new prompt.
    Interrupt,
}

/// What `set` switches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `-e`: exit when a command fails.
    pub exit_on_error: bool,
    /// `-f`: no wildcards.
    pub no_glob: bool,
    /// `-n`: read commands without running them.
    pub no_execution: bool,
    /// `-u`: unset parameters are errors.
    pub no_unset: bool,
    /// `-x`: print commands.
    pub trace: bool,
    /// `-C`: `>` does not overwrite.
    pub no_clobber: bool,
}

impl Options {
    /// Returns the switch of a letter.
    pub fn by_letter(&mut self, letter: u8) -> Option<&mut bool> {
        Some(match letter {
            b'e' => &mut self.exit_on_error,
            b'f' => &mut self.no_glob,
            b'n' => &mut self.no_execution,
            b'u' => &mut self.no_unset,
            b'x' => &mut self.trace,
            b'C' => &mut self.no_clobber,
            _ => return None,
        })
    }

    /// Returns the letter of a long name, as in `set -o errexit`.
    pub fn letter_of(name: &[u8]) -> Option<u8> {
        Some(match name {
            b"errexit" => b'e',
            b"noglob" => b'f',
            b"noexec" => b'n',
            b"nounset" => b'u',
            b"xtrace" => b'x',
            b"noclobber" => b'C',
            _ => return None,
        })
    }

    /// Returns the letters that are switched on: `$-`.
    pub fn letters(mut self) -> Vec<u8> {
        b"efnuxC"
            .iter()
            .copied()
            .filter(|letter| self.by_letter(*letter).is_some_and(|on| *on))
            .collect()
    }
}

/// A shell.
#[derive(Debug)]
pub struct Shell {
    /// Variables.
    pub variables: Variables,
    /// Functions by name.
    pub functions: BTreeMap<Vec<u8>, Rc<Command>>,
    /// `$1` and on.
    pub positional: Vec<Vec<u8>>,
    /// `$0`.
    pub name: Vec<u8>,
    /// `$?`.
    pub status: i32,
    /// `$$`: the id of the main shell, also in subshells.
    pub pid: i32,
    /// `$!`.
    pub last_background: Option<i32>,
    /// What `set` switches.
    pub options: Options,
    /// Whether commands come from a person.
    pub interactive: bool,
    /// Background and stopped commands.
    pub jobs: Jobs,
    /// What happens at signals and at the end.
    pub traps: Traps,
    /// Loops around the current command.
    pub(crate) loop_depth: usize,
    /// Functions and `.` scripts around the current command.
    pub(crate) call_depth: usize,
    /// Above zero where failure is asked for, so that `-e` does not act.
    pub(crate) condition_depth: usize,
    /// Where `getopts` stands: the argument's number and the letter in it.
    pub(crate) option_position: (usize, usize),
    /// Status of the last command substitution of the current command.
    pub(crate) substitution_status: Option<i32>,
    /// The signal mask to install once this forked copy has its signals in order.
    held_mask: Option<signal::SigSet>,
}

impl Shell {
    /// Makes a shell with the variables of an environment.
    pub fn new(name: &[u8], environment: &[Vec<u8>]) -> Self {
        let mut shell = Self {
            variables: Variables::from_environment(environment),
            functions: BTreeMap::new(),
            positional: Vec::new(),
            name: name.to_vec(),
            status: 0,
            pid: process::id(),
            last_background: None,
            options: Options::default(),
            interactive: false,
            jobs: Jobs::default(),
            traps: Traps::default(),
            loop_depth: 0,
            call_depth: 0,
            condition_depth: 0,
            option_position: (1, 1),
            substitution_status: None,
            held_mask: None,
        };
        // POSIX has the shell set these, whatever the environment says.
        let _ = shell.variables.set(b"IFS", b" \t\n".to_vec());
        let _ = shell.variables.set(b"OPTIND", b"1".to_vec());
        if let Ok(directory) = rt::fs::current_directory() {
            let _ = shell.variables.set(b"PWD", directory);
        }
        shell
    }

    /// Prints a message behind the shell's name.
    pub fn complain(&self, message: fmt::Arguments<'_>) {
        eprintln!("{}: {message}", Text(&self.name));
    }

    /// Prints a message and returns the error that ends the script or the command line.
    pub fn fail(&mut self, message: fmt::Arguments<'_>) -> Flow {
        self.complain(message);
        self.status = ERROR_STATUS;
        Flow::Fail(ERROR_STATUS)
    }

    /// Assigns a variable.
    ///
    /// # Errors
    /// [`Flow::Fail`] when it is read-only or no variable.
    pub fn assign(&mut self, name: &[u8], value: Vec<u8>) -> Result<(), Flow> {
        if !crate::lexer::is_name(name) {
            return Err(self.fail(format_args!("{}: bad variable name", Text(name))));
        }
        match self.variables.set(name, value) {
            Ok(()) => Ok(()),
            Err(message) => Err(self.fail(format_args!("{}: {message}", Text(name)))),
        }
    }

    /// Returns where programs are looked for.
    pub fn search_path(&self) -> Vec<u8> {
        self.variables
            .get(b"PATH")
            .unwrap_or(process::DEFAULT_PATH)
            .to_vec()
    }

    /// Turns a forked copy of the shell into a subshell: not interactive, without jobs, and with the
    /// signals that an interactive shell ignores back at their defaults.
    pub(crate) fn become_subshell(&mut self) {
        self.drop_traps();
        self.interactive = false;
        self.jobs = Jobs::default();
        if let Some(mask) = self.held_mask.take() {
            signal::set_mask(mask);
        }
    }

    /// Makes a copy of the shell, which must [become a subshell](Self::become_subshell). Until it has, signals
    /// wait: one that the interactive shell ignores must not be lost on the child.
    pub(crate) fn fork(&mut self) -> rt::Result<Fork> {
        let mask = signal::set_mask(signal::SigSet::ALL);
        let side = process::fork();
        if side == Ok(Fork::Child) {
            self.held_mask = Some(mask);
        } else {
            signal::set_mask(mask);
        }
        side
    }

    /// Takes the signals that an interactive shell must survive, but for those with traps.
    pub(crate) fn arm_signals(&self) {
        for number in self.untrapped_signals() {
            self.arm_signal(number);
        }
    }

    /// Gives them their defaults again.
    pub(crate) fn disarm_signals(&self) {
        for number in self.untrapped_signals() {
            signal::reset(number);
        }
    }

    fn untrapped_signals(&self) -> impl Iterator<Item = u32> {
        INTERACTIVE_SIGNALS
            .into_iter()
            .filter(|number| !self.traps.has(*number))
    }

    /// Gives a signal without a trap the action that it has in an interactive shell.
    pub(crate) fn arm_signal(&self, number: u32) {
        match number {
            signal::SIGINT => signal::catch(number),
            number if INTERACTIVE_SIGNALS.contains(&number) => signal::ignore(number),
            number => signal::reset(number),
        }
    }
}

/// The signals that [`Shell::arm_signals`] takes.
const INTERACTIVE_SIGNALS: [u32; 6] = [
    signal::SIGINT,
    signal::SIGQUIT,
    signal::SIGTERM,
    signal::SIGTSTP,
    signal::SIGTTIN,
    signal::SIGTTOU,
];
