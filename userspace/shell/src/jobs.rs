//! Jobs: the processes of a pipeline, in the foreground, in the background, or stopped.
//!
//! With a terminal of its own the shell gives every pipeline a process group, and the terminal to the
//! group in the foreground, so that Ctrl-C and Ctrl-Z reach that one alone.

use alloc::string::String;
use alloc::vec::Vec;

use rt::process::{self, WaitFlags, WaitStatus};
use rt::signal::{self, SIGNALS, SigSet};
use rt::text::Text;
use rt::{Errno, eprintln, io, tty};

use crate::traps;

/// Status of a child that nobody knows.
pub const UNKNOWN_STATUS: i32 = 127;

/// One process of a job.
#[derive(Clone, Copy, Debug)]
struct Member {
    pid: i32,
    /// The last news; `None` while it runs.
    news: Option<WaitStatus>,
}

impl Member {
    fn is_done(self) -> bool {
        matches!(
            self.news,
            Some(WaitStatus::Exited(_) | WaitStatus::Signaled { .. })
        )
    }

    fn is_stopped(self) -> bool {
        matches!(self.news, Some(WaitStatus::Stopped(_)))
    }
}

/// A pipeline that the shell does not wait for at the moment.
#[derive(Clone, Debug)]
struct Job {
    number: usize,
    members: Vec<Member>,
    text: Vec<u8>,
}

impl Job {
    fn is_done(&self) -> bool {
        self.members.iter().all(|member| member.is_done())
    }

    fn is_stopped(&self) -> bool {
        !self.is_done()
            && self
                .members
                .iter()
                .all(|member| member.is_done() || member.is_stopped())
    }

    /// The status of the last process is the job's.
    fn status(&self) -> i32 {
        self.members
            .last()
            .and_then(|member| member.news)
            .map_or(0, process::shell_status)
    }

    fn state(&self) -> String {
        match self.members.last().and_then(|member| member.news) {
            _ if self.is_stopped() => "Stopped".into(),
            _ if !self.is_done() => "Running".into(),
            Some(WaitStatus::Exited(0)) | None => "Done".into(),
            Some(WaitStatus::Exited(status)) => alloc::format!("Done({status})"),
            Some(status) => describe(status).unwrap_or_default(),
        }
    }
}

/// How waiting for a foreground job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status of its last process.
    pub status: i32,
    /// Whether Ctrl-C ended it.
    pub interrupted: bool,
}

/// The terminal that the shell shares out.
#[derive(Clone, Copy, Debug)]
struct Terminal {
    /// The shell's own process group.
    group: i32,
    /// The group that had it before.
    previous: i32,
}

/// The jobs of a shell.
#[derive(Debug, Default)]
pub struct Jobs {
    jobs: Vec<Job>,
    terminal: Option<Terminal>,
    /// The command line that runs, to be shown with its jobs.
    text: Vec<u8>,
}

impl Jobs {
    /// Takes the terminal into the shell's hands, if it has one: job control is on from then.
    pub(crate) fn take_terminal(&mut self) {
        let Ok(previous) = tty::foreground(io::STDIN) else {
            return;
        };
        // A session's leader cannot change its group, and has one of its own already.
        let _ = process::set_group(0, 0);
        let group = process::group();
        if tty::set_foreground(io::STDIN, group).is_ok() {
            self.terminal = Some(Terminal { group, previous });
        }
    }

    /// Gives the terminal back to whom it was taken from.
    pub(crate) fn give_terminal_back(&mut self) {
        if let Some(terminal) = self.terminal.take() {
            let _ = tty::set_foreground(io::STDIN, terminal.previous);
        }
    }

    /// Tells whether pipelines get groups of their own.
    pub fn has_control(&self) -> bool {
        self.terminal.is_some()
    }

    /// Puts a new process into its pipeline's group; called in the child and in the parent, so that it
    /// has happened whichever runs first. `leader` is zero for the pipeline's first process.
    pub(crate) fn join_group(&self, pid: i32, leader: i32, is_foreground: bool) {
        if !self.has_control() {
            return;
        }
        // The parent's call fails once the child has executed a program: then the child's succeeded.
        let _ = process::set_group(pid, leader);
        if is_foreground && leader == 0 {
            let group = if pid == 0 { process::id() } else { pid };
            let _ = tty::set_foreground(io::STDIN, group);
        }
    }

    /// Remembers the command line, for the jobs that it starts.
    pub(crate) fn set_text(&mut self, text: &[u8]) {
        self.text = text.trim_ascii().to_vec();
    }

    /// Adds a background job; returns its number.
    pub(crate) fn add(&mut self, pids: &[i32]) -> usize {
        let members = pids
            .iter()
            .map(|pid| Member {
                pid: *pid,
                news: None,
            })
            .collect();
        self.insert(members)
    }

    fn insert(&mut self, members: Vec<Member>) -> usize {
        let number = self.jobs.iter().map(|job| job.number).max().unwrap_or(0) + 1;
        self.jobs.push(Job {
            number,
            members,
            text: self.text.clone(),
        });
        number
    }

    /// Waits for a foreground pipeline; a stopped one becomes a job.
    pub(crate) fn wait_foreground(&mut self, pids: &[i32]) -> Outcome {
        let mut members: Vec<Member> = pids
            .iter()
            .map(|pid| Member {
                pid: *pid,
                news: None,
            })
            .collect();
        let mut stopped = false;
        for member in &mut members {
            let options = if self.has_control() {
                WaitFlags::UNTRACED
            } else {
                WaitFlags::empty()
            };
            member.news = wait_for(member.pid, options);
            stopped |= member.is_stopped();
        }
        if let Some(terminal) = self.terminal {
            let _ = tty::set_foreground(io::STDIN, terminal.group);
        }
        let Some(last) = members.last().and_then(|member| member.news) else {
            return Outcome {
                status: UNKNOWN_STATUS,
                interrupted: false,
            };
        };
        if stopped {
            let number = self.insert(members);
            eprintln!();
            self.show(number);
        } else {
            announce_death(last, self.has_control());
        }
        let interrupted = matches!(
            last,
            WaitStatus::Signaled {
                signal: signal::SIGINT,
                ..
            }
        );
        Outcome {
            status: process::shell_status(last),
            interrupted,
        }
    }

    /// Collects news of background processes without waiting.
    pub fn poll(&mut self) {
        let mut options = WaitFlags::NOHANG;
        if self.has_control() {
            options |= WaitFlags::UNTRACED | WaitFlags::CONTINUED;
        }
        while let Ok(Some((pid, status))) = process::wait(-1, options) {
            self.note(pid, status);
        }
    }

    /// Tells the person about jobs that ended, and forgets them.
    pub(crate) fn report(&mut self) {
        self.poll();
        for job in &self.jobs {
            if job.is_done() {
                eprintln!("[{}]  {}  {}", job.number, job.state(), Text(&job.text));
            }
        }
        self.jobs.retain(|job| !job.is_done());
    }

    /// Prints all jobs.
    pub fn print(&mut self) {
        self.poll();
        for job in &self.jobs {
            rt::println!("[{}]  {}  {}", job.number, job.state(), Text(&job.text));
        }
        self.jobs.retain(|job| !job.is_done());
    }

    /// Waits for the job of a process; its status, or 127 when there is no such job.
    ///
    /// # Errors
    /// EINTR when a caught signal ended the waiting.
    pub fn wait(&mut self, pid: i32) -> Result<i32, Errno> {
        let is_it = |job: &Job| job.members.iter().any(|member| member.pid == pid);
        while self
            .jobs
            .iter()
            .find(|job| is_it(job))
            .is_some_and(|job| !job.is_done())
        {
            self.wait_any()?;
        }
        let Some(index) = self.jobs.iter().position(is_it) else {
            return Ok(UNKNOWN_STATUS);
        };
        Ok(self.jobs.remove(index).status())
    }

    /// Waits for all jobs that run.
    ///
    /// # Errors
    /// EINTR when a caught signal ended the waiting.
    pub fn wait_all(&mut self) -> Result<(), Errno> {
        while self.jobs.iter().any(|job| !job.is_done() && !job.is_stopped()) {
            self.wait_any()?;
        }
        self.jobs.retain(|job| !job.is_done());
        Ok(())
    }

    /// Returns the process id, which is also the group, of the job that `%2`, `%%` or nothing names.
    pub fn leader(&self, name: Option<&[u8]>) -> Option<i32> {
        let job = match name.map(|name| name.strip_prefix(b"%").unwrap_or(name)) {
            None | Some(b"" | b"%" | b"+") => self.jobs.last()?,
            Some(digits) => {
                let number = rt::text::parse_unsigned(digits, 10)?;
                self.jobs.iter().find(|job| job.number as u64 == number)?
            }
        };
        job.members.first().map(|member| member.pid)
    }

    /// Continues a stopped job in the background.
    pub fn continue_in_background(&mut self, leader: i32) {
        if let Some(job) = self
            .jobs
            .iter_mut()
            .find(|job| job.members.first().is_some_and(|m| m.pid == leader))
        {
            rt::println!("[{}]  {}", job.number, Text(&job.text));
            for member in job.members.iter_mut().filter(|member| member.is_stopped()) {
                member.news = None;
            }
        }
        let _ = process::kill(-leader, signal::SIGCONT);
    }

    /// Continues a job in the foreground and waits for it.
    pub fn continue_in_foreground(&mut self, leader: i32) -> Outcome {
        let found = self
            .jobs
            .iter()
            .position(|job| job.members.first().is_some_and(|m| m.pid == leader));
        let Some(index) = found else {
            return Outcome {
                status: UNKNOWN_STATUS,
                interrupted: false,
            };
        };
        let job = self.jobs.remove(index);
        rt::println!("{}", Text(&job.text));
        let _ = io::flush();
        let _ = tty::set_foreground(io::STDIN, leader);
        let _ = process::kill(-leader, signal::SIGCONT);
        let pids: Vec<i32> = job
            .members
            .iter()
            .filter(|member| !member.is_done())
            .map(|member| member.pid)
            .collect();
        self.text = job.text;
        self.wait_foreground(&pids)
    }

    /// Waits for news of any child. A signal that comes between looking and sleeping is not slept past: all are
    /// blocked but while the shell sleeps, where SIGCHLD wakes it, whatever the script wants with that one.
    fn wait_any(&mut self) -> Result<(), Errno> {
        let mask = signal::set_mask(SigSet::ALL);
        let disposition = signal::disposition(signal::SIGCHLD);
        signal::catch(signal::SIGCHLD);
        let result = loop {
            match process::wait(-1, WaitFlags::NOHANG) {
                Ok(Some((pid, status))) => {
                    self.note(pid, status);
                    break Ok(());
                }
                Ok(None) if traps::interrupted_status().is_some() => break Err(Errno::EINTR),
                Ok(None) => signal::suspend(mask),
                Err(_) => {
                    // Somebody else reaped them; nothing can be learned any more.
                    for member in self.jobs.iter_mut().flat_map(|job| &mut job.members) {
                        member.news.get_or_insert(WaitStatus::Exited(UNKNOWN_STATUS));
                    }
                    break Ok(());
                }
            }
        };
        signal::restore(signal::SIGCHLD, disposition);
        signal::set_mask(mask);
        result
    }

    fn note(&mut self, pid: i32, status: WaitStatus) {
        let news = if status == WaitStatus::Continued {
            None
        } else {
            Some(status)
        };
        for member in self.jobs.iter_mut().flat_map(|job| &mut job.members) {
            if member.pid == pid {
                member.news = news;
            }
        }
    }

    fn show(&self, number: usize) {
        if let Some(job) = self.jobs.iter().find(|job| job.number == number) {
            eprintln!("[{}]  {}  {}", job.number, job.state(), Text(&job.text));
        }
    }
}

/// Waits until one child ends or, with UNTRACED, stops; `None` when there is no such child.
pub(crate) fn wait_for(pid: i32, options: WaitFlags) -> Option<WaitStatus> {
    loop {
        match process::wait(pid, options) {
            Ok(Some((_, status))) => return Some(status),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

/// Says which signal ended a foreground command; a person knows of their own Ctrl-C.
fn announce_death(status: WaitStatus, has_control: bool) {
    match status {
        WaitStatus::Signaled {
            signal: signal::SIGPIPE,
            ..
        } => {}
        WaitStatus::Signaled {
            signal: signal::SIGINT,
            ..
        } => {
            if has_control {
                eprintln!();
            }
        }
        status => {
            if let Some(text) = describe(status) {
                eprintln!("{text}");
            }
        }
    }
}

/// Describes an end by a signal, as strsignal(3) does.
fn describe(status: WaitStatus) -> Option<String> {
    let WaitStatus::Signaled { signal, core_dumped } = status else {
        return None;
    };
    let name = match signal {
        signal::SIGHUP => "Hangup",
        signal::SIGINT => "Interrupt",
        signal::SIGQUIT => "Quit",
        4 => "Illegal instruction",
        5 => "Trace/breakpoint trap",
        6 => "Aborted",
        7 => "Bus error",
        8 => "Floating point exception",
        signal::SIGKILL => "Killed",
        11 => "Segmentation fault",
        14 => "Alarm clock",
        signal::SIGTERM => "Terminated",
        number => SIGNALS
            .iter()
            .find(|(_, value)| *value == number)
            .map_or("Unknown signal", |(name, _)| name),
    };
    Some(alloc::format!(
        "{name}{}",
        if core_dumped { " (core dumped)" } else { "" }
    ))
}
