//! [`Guest`]: a running QEMU, held by its own handle, with a time limit.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How long a child whose output has ended may take to exit.
const EXIT_GRACE: Duration = Duration::from_secs(10);
const EXIT_POLL: Duration = Duration::from_millis(5);

/// What happened next.
#[derive(Debug)]
pub(crate) enum Event {
    /// The guest printed.
    Output(Vec<u8>),
    /// QEMU ended.
    Ended(ExitStatus),
    /// The time is up; QEMU was killed.
    TimedOut,
}

/// A child process whose output arrives as events. It never outlives this value.
#[derive(Debug)]
pub(crate) struct Guest {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<Vec<u8>>,
    deadline: Instant,
}

impl Guest {
    /// Starts a command with its console connected to this value. Without `keyboard` the guest's serial
    /// line reads nothing.
    pub(crate) fn start(mut command: Command, keyboard: Keyboard, limit: Duration) -> Result<Self> {
        let stdin = match keyboard {
            Keyboard::Connected => Stdio::piped(),
            Keyboard::Absent => Stdio::null(),
        };
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {:?}", command.get_program()))?;
        let input = child.stdin.take();
        let mut pipe = child.stdout.take().context("the child has no standard output")?;
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            input,
            output,
            deadline: Instant::now() + limit,
        })
    }

    /// Waits for the next event.
    pub(crate) fn next(&mut self) -> Result<Event> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.output.recv_timeout(left) {
            Ok(bytes) => Ok(Event::Output(bytes)),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                Ok(Event::TimedOut)
            }
            Err(RecvTimeoutError::Disconnected) => self.ended(),
        }
    }

    /// Types text on the guest's keyboard.
    pub(crate) fn send(&mut self, text: &str) -> Result<()> {
        let input = self.input.as_mut().context("the guest has no keyboard")?;
        input.write_all(text.as_bytes())?;
        Ok(input.flush()?)
    }

    /// Brings the end of the time limit nearer; never moves it away.
    pub(crate) fn hurry(&mut self, limit: Duration) {
        self.deadline = self.deadline.min(Instant::now() + limit);
    }

    fn ended(&mut self) -> Result<Event> {
        let give_up = Instant::now() + EXIT_GRACE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Event::Ended(status));
            }
            if Instant::now() >= give_up {
                self.kill();
                return Ok(Event::TimedOut);
            }
            thread::sleep(EXIT_POLL);
        }
    }

    fn kill(&mut self) {
        // Both fail only when the child is gone already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether anything can be typed to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyboard {
    /// [`Guest::send`] works.
    Connected,
    /// The serial line never receives anything.
    Absent,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Starts a shell script in place of a virtual machine.
    pub(crate) fn script(text: &str, limit: Duration) -> Guest {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        Guest::start(command, Keyboard::Connected, limit).unwrap()
    }

    #[test]
    fn output_then_the_end() {
        let mut guest = script("printf hello; exit 3", Duration::from_secs(20));
        assert!(matches!(guest.next().unwrap(), Event::Output(bytes) if bytes == b"hello"));
        assert!(matches!(guest.next().unwrap(), Event::Ended(status) if status.code() == Some(3)));
    }

    #[test]
    fn the_limit_ends_it() {
        let start = Instant::now();
        let mut guest = script("exec sleep 100", Duration::from_millis(100));
        assert!(matches!(guest.next().unwrap(), Event::TimedOut));
        assert!(start.elapsed() < Duration::from_secs(50));
        assert!(guest.child.try_wait().unwrap().is_some());
    }

    #[test]
    fn dropping_ends_it() {
        let guest = script("exec sleep 100", Duration::from_secs(50));
        let id = guest.child.id();
        drop(guest);
        assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
    }
}
