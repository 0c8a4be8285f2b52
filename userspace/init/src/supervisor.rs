//! The first process's daily work: a shell on the console, orphans, and the signals that end the system.

use alloc::vec::Vec;

use rt::process::{self, Fork, WaitFlags, WaitStatus};
use rt::signal::{self, SIGCHLD, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SigSet, Signal};
use rt::system::Shutdown;
use rt::{Args, eprintln, fs, io, time};

use crate::{console, shutdown};

/// Signals that the first process acts on; all others are kept from it by the kernel.
pub(crate) const SIGNALS: [u32; 5] = [SIGCHLD, SIGINT, SIGTERM, SIGUSR1, SIGUSR2];
/// What the console runs.
const SHELL: &[u8] = b"/bin/sh";
/// Printed before the first shell.
const WELCOME: &[u8] = b"/etc/motd";
/// A shell that ends with an error sooner than this has failed to start.
const SHORT_LIFE_NS: u64 = 1_000_000_000;
/// After so many failures in a row nobody will get a prompt any more.
const MAX_FAILURES: usize = 5;
/// How long a failed shell is left alone, in milliseconds.
const PAUSE_MS: u64 = 500;

/// Runs the system until it is told to end.
pub(crate) fn run(args: &Args) -> i32 {
    let mut blocked = SigSet::EMPTY;
    for number in SIGNALS {
        signal::catch(number);
        blocked.0 |= Signal::new(number).map_or(0, |signal| SigSet::EMPTY.with(signal).0);
    }
    // They are delivered only while `suspend` waits, so none is missed between a look and the wait.
    signal::set_mask(blocked);
    if let Ok(text) = fs::read(WELCOME) {
        io::put(&text);
    }
    let mut shell = Shell::new(console::environment(args));
    loop {
        if !shell.ensure_running() {
            eprintln!("init: the shell keeps failing");
            return shutdown::run(Shutdown::PowerOff);
        }
        while let Ok(Some((pid, status))) = process::wait(-1, WaitFlags::NOHANG) {
            shell.note(pid, status);
        }
        if let Some(how) = requested() {
            return shutdown::run(how);
        }
        if shell.pid.is_some() {
            signal::suspend(SigSet::EMPTY);
        }
    }
}

/// Returns the end of the system that a signal asked for; the signals are those of BusyBox's init.
fn requested() -> Option<Shutdown> {
    let meanings = [
        (SIGUSR1, Shutdown::Halt),
        (SIGUSR2, Shutdown::PowerOff),
        (SIGTERM, Shutdown::Reboot),
        (SIGINT, Shutdown::Reboot),
    ];
    meanings
        .into_iter()
        .find(|(number, _)| signal::take(*number))
        .map(|(_, how)| how)
}

/// The shell on the console.
struct Shell {
    environment: Vec<Vec<u8>>,
    pid: Option<i32>,
    started_ns: u64,
    failures: usize,
}

impl Shell {
    fn new(environment: Vec<Vec<u8>>) -> Self {
        Self {
            environment,
            pid: None,
            started_ns: 0,
            failures: 0,
        }
    }

    /// Starts the shell if none runs; false when it is no use.
    fn ensure_running(&mut self) -> bool {
        if self.pid.is_some() {
            return true;
        }
        if self.failures >= MAX_FAILURES {
            return false;
        }
        if self.failures > 0 {
            time::sleep_ms(PAUSE_MS);
        }
        self.started_ns = time::monotonic().to_ns().unwrap_or(0);
        match process::fork() {
            Ok(Fork::Child) => console::become_session(SHELL, &[b"sh".to_vec()], &self.environment),
            Ok(Fork::Parent(pid)) => self.pid = Some(pid),
            Err(errno) => {
                eprintln!("init: cannot start the shell: {}", errno.message());
                self.failures += 1;
            }
        }
        true
    }

    /// Takes note of a child's end; orphans need nothing but to be reaped.
    fn note(&mut self, pid: i32, status: WaitStatus) {
        if self.pid != Some(pid) {
            return;
        }
        self.pid = None;
        let status = process::shell_status(status);
        let life_ns = time::monotonic()
            .to_ns()
            .unwrap_or(0)
            .saturating_sub(self.started_ns);
        self.failures = if status != 0 && life_ns < SHORT_LIFE_NS {
            self.failures + 1
        } else {
            0
        };
        eprintln!("init: the shell ended with status {status}; starting another");
    }
}
