//! Execution: walks the tree, makes processes, calls functions and builtins.
//!
//! `POSIX.1-2017, Shell Command Language, 2.9`.

use alloc::rc::Rc;
use alloc::vec::Vec;

use rt::fs::{File, OpenFlags};
use rt::io::{self, Read};
use rt::process::{self, Fork, WaitFlags};
use rt::signal::{self, Signal};
use rt::{Errno, eprintln};

use crate::ast::{Arm, Command, CommandKind, Connector, Item, List, Pipeline, Redirection, Word};
use crate::jobs::{self, UNKNOWN_STATUS};
use crate::pattern;
use crate::shell::{Flow, Shell};

/// Status when there is no process to be had.
const NO_PROCESS_STATUS: i32 = 2;

/// The status or the way out.
pub type Outcome = Result<i32, Flow>;

impl Shell {
    /// Runs commands in sequence.
    ///
    /// # Errors
    /// What ends them early.
    pub fn run_list(&mut self, list: &List) -> Outcome {
        let mut status = 0;
        for item in &list.items {
            self.run_traps()?;
            if self.interactive && signal::has_arrived(signal::SIGINT) {
                return Err(Flow::Interrupt);
            }
            status = if item.background {
                self.run_background(item)
            } else {
                self.run_item(item)?
            };
            self.status = status;
        }
        Ok(status)
    }

    fn run_item(&mut self, item: &Item) -> Outcome {
        let mut status = self.run_guarded(&item.first, !item.rest.is_empty())?;
        for (index, (connector, pipeline)) in item.rest.iter().enumerate() {
            let runs = match connector {
                Connector::And => status == 0,
                Connector::Or => status != 0,
            };
            if runs {
                status = self.run_guarded(pipeline, index + 1 < item.rest.len())?;
            }
        }
        Ok(status)
    }

    /// Runs a pipeline; `-e` acts on its failure unless somebody asks for its status.
    fn run_guarded(&mut self, pipeline: &Pipeline, is_condition: bool) -> Outcome {
        let asked = is_condition || pipeline.negated;
        self.condition_depth += usize::from(asked);
        let result = self.run_pipeline(pipeline);
        self.condition_depth -= usize::from(asked);
        let status = result?;
        let status = if pipeline.negated {
            i32::from(status == 0)
        } else {
            status
        };
        self.status = status;
        self.run_traps()?;
        if status != 0 && self.options.exit_on_error && !asked && self.condition_depth == 0 {
            return Err(Flow::Exit(status));
        }
        Ok(status)
    }

    fn run_pipeline(&mut self, pipeline: &Pipeline) -> Outcome {
        if let [command] = pipeline.commands.as_slice() {
            return self.run_command(command);
        }
        match self.start_pipeline(&pipeline.commands, Kind::Foreground) {
            Ok(pids) => self.await_foreground(&pids),
            Err(errno) => Ok(self.report_no_process(errno)),
        }
    }

    fn run_background(&mut self, item: &Item) -> i32 {
        // A plain pipeline becomes a job as it is; a chain needs a subshell to run it.
        let started = if item.rest.is_empty() && !item.first.negated {
            self.start_pipeline(&item.first.commands, Kind::Background)
        } else {
            let item = Item {
                background: false,
                ..item.clone()
            };
            let kind = CommandKind::Group(List {
                items: Vec::from([item]),
            });
            self.start_pipeline(
                &[Command {
                    kind,
                    redirections: Vec::new(),
                }],
                Kind::Background,
            )
        };
        match started {
            Ok(pids) => {
                let number = self.jobs.add(&pids);
                self.last_background = pids.last().copied();
                if self.interactive {
                    eprintln!("[{number}] {}", self.last_background.unwrap_or(0));
                }
                0
            }
            Err(errno) => self.report_no_process(errno),
        }
    }

    /// Starts one process for each command, joined by pipes.
    fn start_pipeline(&mut self, commands: &[Command], kind: Kind) -> Result<Vec<i32>, Errno> {
        let mut pids: Vec<i32> = Vec::new();
        let mut input: Option<File> = None;
        for (index, command) in commands.iter().enumerate() {
            let (next, output) = if index + 1 < commands.len() {
                let (reader, writer) = process::pipe()?;
                (Some(reader), Some(writer))
            } else {
                (None, None)
            };
            let leader = pids.first().copied().unwrap_or(0);
            match self.fork()? {
                Fork::Child => {
                    drop(next);
                    self.enter_child(leader, kind, input.take(), output);
                    let status = self.run_in_child(command);
                    process::exit(status)
                }
                Fork::Parent(pid) => {
                    self.jobs.join_group(pid, leader, kind == Kind::Foreground);
                    pids.push(pid);
                    input = next;
                }
            }
        }
        Ok(pids)
    }

    /// Sets up a child: its group, its signals, its ends of the pipes.
    pub(crate) fn enter_child(&mut self, leader: i32, kind: Kind, input: Option<File>, output: Option<File>) {
        self.jobs.join_group(0, leader, kind == Kind::Foreground);
        let has_control = self.jobs.has_control();
        self.become_subshell();
        if kind == Kind::Background && !has_control {
            // Whoever is in the background is not meant by the keyboard, and its traps do not change that.
            for signal in [Signal::INT, Signal::QUIT] {
                signal::ignore(signal.number());
                self.traps.disown(signal);
            }
            if leader == 0
                && let Ok(null) = File::open_with(b"/dev/null", OpenFlags::empty(), 0)
            {
                let _ = process::duplicate_to(null.descriptor(), io::STDIN);
            }
        }
        if let Some(input) = input {
            let _ = process::duplicate_to(input.descriptor(), io::STDIN);
        }
        if let Some(output) = output {
            let _ = process::duplicate_to(output.descriptor(), io::STDOUT);
        }
        io::output_replaced();
    }

    /// Runs a command in a child, which ends with the returned status.
    fn run_in_child(&mut self, command: &Command) -> i32 {
        let result = match &command.kind {
            // The child may become the program: nothing is left to do behind it.
            CommandKind::Simple { assignments, words } => {
                self.run_simple(assignments, words, &command.redirections, Placement::OwnProcess)
            }
            _ => self.run_command(command),
        };
        self.finish(result)
    }

    /// Returns the status with which a subshell ends.
    pub(crate) fn status_of(&self, result: Outcome) -> i32 {
        match result {
            Ok(status) | Err(Flow::Exit(status) | Flow::Fail(status) | Flow::Return(status)) => status,
            Err(Flow::Break(_) | Flow::Continue(_)) => self.status,
            Err(Flow::Interrupt) => 128 + signal::SIGINT.cast_signed(),
        }
    }

    pub(crate) fn await_foreground(&mut self, pids: &[i32]) -> Outcome {
        let outcome = self.jobs.wait_foreground(pids);
        self.status = outcome.status;
        if outcome.interrupted && self.interactive {
            return Err(Flow::Interrupt);
        }
        Ok(outcome.status)
    }

    pub(crate) fn report_no_process(&mut self, errno: Errno) -> i32 {
        self.complain(format_args!("Cannot fork: {}", errno.message()));
        NO_PROCESS_STATUS
    }

    pub(crate) fn run_command(&mut self, command: &Command) -> Outcome {
        let redirections = &command.redirections;
        match &command.kind {
            CommandKind::Simple { assignments, words } => {
                self.run_simple(assignments, words, redirections, Placement::Shell)
            }
            CommandKind::Function { name, body } => {
                self.functions.insert(name.clone(), Rc::clone(body));
                Ok(0)
            }
            CommandKind::Subshell(list) => self.run_subshell(list, redirections),
            kind => {
                let saved = match self.redirect(redirections) {
                    Ok(saved) => saved,
                    // A failed redirection of a compound command fails that command only.
                    Err(Flow::Fail(status)) => return Ok(status),
                    Err(flow) => return Err(flow),
                };
                let result = self.run_compound(kind);
                self.undo(saved);
                result
            }
        }
    }

    fn run_subshell(&mut self, list: &List, redirections: &[Redirection]) -> Outcome {
        match self.fork() {
            Ok(Fork::Child) => {
                self.enter_child(0, Kind::Foreground, None, None);
                let result = self.redirect(redirections).and_then(|_| self.run_list(list));
                process::exit(self.finish(result))
            }
            Ok(Fork::Parent(pid)) => {
                self.jobs.join_group(pid, 0, true);
                self.await_foreground(&[pid])
            }
            Err(errno) => Ok(self.report_no_process(errno)),
        }
    }

    fn run_compound(&mut self, kind: &CommandKind) -> Outcome {
        match kind {
            CommandKind::Group(list) => self.run_list(list),
            CommandKind::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.run_condition(condition)? == 0 {
                        return self.run_list(body);
                    }
                }
                otherwise.as_ref().map_or(Ok(0), |body| self.run_list(body))
            }
            CommandKind::Loop {
                ends_on_success,
                condition,
                body,
            } => {
                let mut status = 0;
                self.loop_depth += 1;
                let result = loop {
                    let result = self.run_condition(condition);
                    match self.after_round(result) {
                        Round::Next(code) if (code == 0) != *ends_on_success => {}
                        Round::Next(_) => break Ok(status),
                        Round::Skip => continue,
                        Round::Leave(result) => break result,
                    }
                    let result = self.run_list(body);
                    match self.after_round(result) {
                        Round::Next(code) => status = code,
                        Round::Skip => status = 0,
                        Round::Leave(result) => break result,
                    }
                };
                self.loop_depth -= 1;
                result
            }
            CommandKind::For { name, words, body } => self.run_for(name, words.as_deref(), body),
            CommandKind::Case { subject, arms } => self.run_case(subject, arms),
            // The other kinds do not come here.
            CommandKind::Simple { .. } | CommandKind::Subshell(_) | CommandKind::Function { .. } => Ok(0),
        }
    }

    fn run_for(&mut self, name: &[u8], words: Option<&[Word]>, body: &List) -> Outcome {
        let values = match words {
            Some(words) => self.expand_words(words)?,
            None => self.positional.clone(),
        };
        let mut status = 0;
        self.loop_depth += 1;
        for value in values {
            let result = self.assign(name, value).and_then(|()| self.run_list(body));
            match self.after_round(result) {
                Round::Next(code) => status = code,
                Round::Skip => status = 0,
                Round::Leave(result) => {
                    self.loop_depth -= 1;
                    return result;
                }
            }
        }
        self.loop_depth -= 1;
        Ok(status)
    }

    fn run_case(&mut self, subject: &Word, arms: &[Arm]) -> Outcome {
        let text = self.expand_text(subject)?;
        for arm in arms {
            for word in &arm.patterns {
                let pattern = self.expand_pattern(word)?;
                if pattern::matches(&pattern, &text) {
                    return self.run_list(&arm.body);
                }
            }
        }
        Ok(0)
    }

    /// Decides how a loop goes on after a part of its round.
    fn after_round(&self, result: Outcome) -> Round {
        match result {
            Ok(status) => Round::Next(status),
            Err(Flow::Continue(1)) => Round::Skip,
            Err(Flow::Break(1)) => Round::Leave(Ok(0)),
            Err(Flow::Continue(levels)) => Round::Leave(Err(Flow::Continue(levels - 1))),
            Err(Flow::Break(levels)) => Round::Leave(Err(Flow::Break(levels - 1))),
            Err(flow) => Round::Leave(Err(flow)),
        }
    }

    fn run_condition(&mut self, list: &List) -> Outcome {
        self.condition_depth += 1;
        let result = self.run_list(list);
        self.condition_depth -= 1;
        result
    }

    /// Runs commands in a subshell and returns what they print, without the newlines at its end.
    pub(crate) fn substitute_command(&mut self, list: &List) -> Result<Vec<u8>, Flow> {
        let started = process::pipe().and_then(|(reader, writer)| Ok((reader, writer, self.fork()?)));
        let (mut reader, writer, side) = match started {
            Ok(started) => started,
            Err(errno) => {
                return Err(self.fail(format_args!("Cannot fork: {}", errno.message())));
            }
        };
        let Fork::Parent(pid) = side else {
            drop(reader);
            self.become_subshell();
            let _ = process::duplicate_to(writer.descriptor(), io::STDOUT);
            drop(writer);
            io::output_replaced();
            let result = self.run_list(list);
            process::exit(self.finish(result))
        };
        drop(writer);
        let mut output = Vec::new();
        let read = reader.read_to_end(&mut output);
        drop(reader);
        let status = jobs::wait_for(pid, WaitFlags::empty()).map_or(UNKNOWN_STATUS, process::shell_status);
        self.substitution_status = Some(status);
        self.status = status;
        if let Err(errno) = read {
            return Err(self.fail(format_args!("command substitution: {}", errno.message())));
        }
        output.retain(|byte| *byte != 0);
        let length = output
            .iter()
            .rposition(|byte| *byte != b'\n')
            .map_or(0, |last| last + 1);
        output.truncate(length);
        Ok(output)
    }
}

/// Whether the shell waits for a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Foreground,
    Background,
}

/// Whether the process that runs a command is there for it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    Shell,
    OwnProcess,
}

/// How a loop goes on.
enum Round {
    Next(i32),
    Skip,
    Leave(Outcome),
}
