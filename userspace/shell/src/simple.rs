//! Simple commands: assignments, builtins, functions and programs.
//!
//! `POSIX.1-2017, Shell Command Language, 2.9.1`.

use alloc::vec::Vec;

use rt::process::{self, Fork};
use rt::text::Text;
use rt::{Errno, eprintln, fs};

use crate::ast::{Command, Redirection, Word};
use crate::builtins::{self, Builtin};
use crate::exec::{Kind, Outcome, Placement};
use crate::shell::{Flow, Shell};

/// Status of a command that is no program.
const NOT_FOUND_STATUS: i32 = 127;
/// Status of a program that cannot be executed.
const NOT_EXECUTABLE_STATUS: i32 = 126;
/// Functions may call each other this deep: the stack is finite.
const MAX_CALL_DEPTH: usize = 200;

/// A variable's name and the value that it gets.
type Assigned = (Vec<u8>, Vec<u8>);

impl Shell {
    pub(crate) fn run_simple(
        &mut self,
        assignments: &[(Vec<u8>, Word)],
        words: &[Word],
        redirections: &[Redirection],
        placement: Placement,
    ) -> Outcome {
        self.substitution_status = None;
        let fields = self.expand_words(words)?;
        let Some(name) = fields.first() else {
            return self.run_assignments(assignments, redirections);
        };
        let builtin = builtins::find(name);
        let function = self.functions.get(name).cloned();
        if let Some(builtin) = builtin
            && builtin.is_special
        {
            self.run_special(builtin, &fields, assignments, redirections)
        } else if function.is_some() || builtin.is_some() {
            let values = self.expand_assignments(assignments)?;
            self.trace(&values, &fields);
            let saved = match self.redirect(redirections) {
                Ok(saved) => saved,
                Err(Flow::Fail(status)) => return Ok(status),
                Err(flow) => return Err(flow),
            };
            let hidden: Vec<_> = values
                .iter()
                .map(|(name, _)| (name.clone(), self.variables.save(name)))
                .collect();
            let result = self
                .assign_exported(values)
                .and_then(|()| match (function, builtin) {
                    (Some(body), _) => self.call_function(&body, &fields),
                    (None, Some(builtin)) => self.call_builtin(builtin, &fields),
                    (None, None) => Ok(0),
                });
            for (name, variable) in hidden.into_iter().rev() {
                self.variables.restore(&name, variable);
            }
            self.undo(saved);
            result
        } else {
            let values = self.expand_assignments(assignments)?;
            self.trace(&values, &fields);
            self.run_program(&fields, values, redirections, placement)
        }
    }

    /// A command without a name: its assignments stay, its redirections only happen.
    fn run_assignments(&mut self, assignments: &[(Vec<u8>, Word)], redirections: &[Redirection]) -> Outcome {
        let saved = match self.redirect(redirections) {
            Ok(saved) => saved,
            Err(Flow::Fail(status)) => return Ok(status),
            Err(flow) => return Err(flow),
        };
        self.undo(saved);
        for (name, word) in assignments {
            let value = self.expand_assignment(word)?;
            self.trace(&[(name.clone(), value.clone())], &[]);
            self.assign(name, value)?;
        }
        Ok(self.substitution_status.unwrap_or(0))
    }

    fn run_special(
        &mut self,
        builtin: &Builtin,
        fields: &[Vec<u8>],
        assignments: &[(Vec<u8>, Word)],
        redirections: &[Redirection],
    ) -> Outcome {
        let values = self.expand_assignments(assignments)?;
        self.trace(&values, fields);
        let saved = self.redirect(redirections)?;
        for (name, value) in values {
            self.assign(&name, value)?;
        }
        let is_bare_exec = fields.len() == 1 && fields[0] == b"exec";
        let result = self.call_builtin(builtin, fields);
        if is_bare_exec {
            self.keep(saved)
        } else {
            self.undo(saved)
        }
        result
    }

    fn expand_assignments(&mut self, assignments: &[(Vec<u8>, Word)]) -> Result<Vec<Assigned>, Flow> {
        assignments
            .iter()
            .map(|(name, word)| Ok((name.clone(), self.expand_assignment(word)?)))
            .collect()
    }

    fn assign_exported(&mut self, values: Vec<Assigned>) -> Result<(), Flow> {
        for (name, value) in values {
            self.assign(&name, value)?;
            self.variables.export(&name);
        }
        Ok(())
    }

    pub(crate) fn call_builtin(&mut self, builtin: &Builtin, fields: &[Vec<u8>]) -> Outcome {
        let result = (builtin.run)(self, fields);
        if self.flush() {
            result
        } else {
            result.map(|status| status.max(1))
        }
    }

    fn call_function(&mut self, body: &Command, fields: &[Vec<u8>]) -> Outcome {
        if self.call_depth >= MAX_CALL_DEPTH {
            return Err(self.fail(format_args!("{}: functions nested too deeply", Text(&fields[0]))));
        }
        let outer = core::mem::replace(&mut self.positional, fields[1..].to_vec());
        let loops = core::mem::take(&mut self.loop_depth);
        self.variables.enter_function();
        self.call_depth += 1;
        let result = self.run_command(body);
        self.call_depth -= 1;
        self.variables.leave_function();
        self.loop_depth = loops;
        self.positional = outer;
        match result {
            Err(Flow::Return(status)) => Ok(status),
            result => result,
        }
    }

    fn run_program(
        &mut self,
        fields: &[Vec<u8>],
        values: Vec<Assigned>,
        redirections: &[Redirection],
        placement: Placement,
    ) -> Outcome {
        if placement == Placement::OwnProcess {
            self.become_program(fields, values, redirections);
        }
        match self.fork() {
            Ok(Fork::Child) => {
                self.enter_child(0, Kind::Foreground, None, None);
                self.become_program(fields, values, redirections)
            }
            Ok(Fork::Parent(pid)) => {
                self.jobs.join_group(pid, 0, true);
                self.await_foreground(&[pid])
            }
            Err(errno) => Ok(self.report_no_process(errno)),
        }
    }

    /// Replaces this process by a program; a script without `#!` is run by this shell.
    fn become_program(
        &mut self,
        fields: &[Vec<u8>],
        values: Vec<Assigned>,
        redirections: &[Redirection],
    ) -> ! {
        let prepared = self
            .redirect(redirections)
            .and_then(|_| self.assign_exported(values));
        if let Err(flow) = prepared {
            process::exit(self.status_of(Err(flow)));
        }
        let status = self.execute(fields);
        process::exit(status)
    }

    /// Executes a program in place of the shell; returns the status when that failed.
    pub(crate) fn execute(&mut self, fields: &[Vec<u8>]) -> i32 {
        let environment = self.variables.to_environment();
        let (path, errno) = process::execute_by_name(&fields[0], &self.search_path(), fields, &environment);
        match errno {
            Errno::ENOEXEC => match fs::read(&path) {
                Ok(text) => self.run_script(path, &fields[1..], &text),
                Err(errno) => self.report_not_executable(&path, errno),
            },
            Errno::ENOENT | Errno::ENOTDIR if !fields[0].contains(&b'/') => {
                self.complain(format_args!("{}: not found", Text(&fields[0])));
                NOT_FOUND_STATUS
            }
            Errno::ENOENT | Errno::ENOTDIR => {
                self.complain(format_args!("{}: {}", Text(&path), errno.message()));
                NOT_FOUND_STATUS
            }
            errno => self.report_not_executable(&path, errno),
        }
    }

    fn report_not_executable(&self, path: &[u8], errno: Errno) -> i32 {
        self.complain(format_args!("{}: {}", Text(path), errno.message()));
        NOT_EXECUTABLE_STATUS
    }

    fn run_script(&mut self, path: Vec<u8>, arguments: &[Vec<u8>], text: &[u8]) -> i32 {
        // Text has no NUL in its first line; anything else is a binary of some other kind.
        let head = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if head.contains(&0) {
            return self.report_not_executable(&path, Errno::ENOEXEC);
        }
        self.drop_traps();
        let mut script = Self::new(&path, &self.variables.to_environment());
        script.positional = arguments.to_vec();
        let result = script.run_text(text);
        script.finish(result)
    }

    /// Prints a command before it runs, under `-x`.
    fn trace(&self, values: &[Assigned], fields: &[Vec<u8>]) {
        if !self.options.trace {
            return;
        }
        let mut line = self.variables.get(b"PS4").unwrap_or(b"+ ").to_vec();
        let values = values
            .iter()
            .map(|(name, value)| [name.as_slice(), value].join(&b'='));
        let all: Vec<Vec<u8>> = values.chain(fields.iter().cloned()).collect();
        line.extend(all.join(&b' '));
        eprintln!("{}", Text(&line));
    }
}
