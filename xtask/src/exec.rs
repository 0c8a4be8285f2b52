//! `cargo xtask exec`: one command in a fresh guest, as if it ran here.
//!
//! The command travels as the file [`COMMAND_FILE`] of the initramfs: its words, each followed by a NUL
//! byte, since a kernel command line cannot carry arbitrary words. The kernel parameter
//! `LEVITATE_EXEC=MARK` reaches init's environment; init then runs that command instead of a shell,
//! with `PATH=/bin:/sbin:/usr/bin:/usr/sbin` and standard input from `/dev/null`, frames its output as
//! [`crate::frame`] describes, and powers off. 126 and 127 are init's, as in a shell.

use std::fs;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use crate::archive::Content;
use crate::frame::Frame;
use crate::guest::{Event, Guest, Keyboard};
use crate::guest_files::Base;
use crate::paths::Paths;
use crate::qemu::Machine;

/// Where init finds the command.
pub(crate) const COMMAND_FILE: &str = "/etc/levitate-exec";
/// Status for a command that did not end in time, as timeout(1) has it.
pub(crate) const TIMED_OUT: u8 = 124;
/// Status for a guest that failed rather than the command.
pub(crate) const GUEST_FAILED: u8 = 125;
/// How long a guest that has nothing more to say may take to power off.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How a command in a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The command ended with this status.
    Status(u8),
    /// The kernel panicked; its last words.
    Panic(String),
    /// The time was up.
    TimedOut,
    /// The guest ended and said neither; what it printed while booting.
    Lost(String),
}

/// One command for one guest.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The machine; its initramfs and the end of its command line are filled in here.
    pub(crate) machine: Machine,
    /// The files of the guest.
    pub(crate) base: Base,
    /// The command with its arguments.
    pub(crate) command: Vec<String>,
    /// How long boot and command may take together.
    pub(crate) limit: Duration,
}

/// Runs a job; the command's output goes to `sink`.
pub(crate) fn run(paths: &Paths, job: Job, sink: &mut dyn Write) -> Result<End> {
    let mark = mark()?;
    let scratch = paths.scratch(&mark)?;
    let initramfs = scratch.path().join("initramfs.cpio");
    let mut base = job.base;
    add_command(&mut base, &job.command)?;
    base.write(&initramfs)?;
    let mut machine = job.machine;
    machine.initramfs = Some(initramfs);
    machine.append = format!("quiet panic=-1 LEVITATE_EXEC={mark} {}", machine.append);
    let guest = Guest::start(machine.command(), Keyboard::Absent, job.limit)?;
    follow(guest, Frame::new(&mark), sink)
}

/// Turns the end of a command into xtask's own exit status, and says on standard error what went wrong.
pub(crate) fn exit_code(end: &End) -> ExitCode {
    match end {
        End::Status(status) => ExitCode::from(*status),
        End::Panic(text) => {
            eprint!("{text}");
            ExitCode::from(GUEST_FAILED)
        }
        End::TimedOut => {
            eprintln!("xtask: the command did not end in time");
            ExitCode::from(TIMED_OUT)
        }
        End::Lost(boot) => {
            eprintln!("{boot}xtask: the guest ended without the command's exit status");
            ExitCode::from(GUEST_FAILED)
        }
    }
}

fn add_command(base: &mut Base, command: &[String]) -> Result<()> {
    let words = command
        .iter()
        .flat_map(|word| [word.as_bytes(), b"\0"].concat())
        .collect();
    base.archive_mut()
        .insert(COMMAND_FILE, 0o644, Content::File(words))
}

fn follow(mut guest: Guest, mut frame: Frame, sink: &mut dyn Write) -> Result<End> {
    loop {
        match guest.next()? {
            Event::Output(bytes) => {
                frame.feed(&bytes, sink)?;
                if frame.status().is_some() || frame.panic_suspected() {
                    guest.hurry(LAST_WORDS);
                }
            }
            event => {
                let panic = frame.finish(sink)?;
                sink.flush()?;
                return Ok(match (frame.status(), panic, event) {
                    (Some(status), ..) => End::Status(status),
                    (None, Some(text), _) => End::Panic(text),
                    (None, None, Event::TimedOut) => End::TimedOut,
                    (None, None, _) => End::Lost(frame.boot_text()),
                });
            }
        }
    }
}

/// Returns a word that nothing in a guest prints by chance.
pub(crate) fn mark() -> io::Result<String> {
    let mut bytes = [0; 8];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("exec-{:016x}", u64::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Archive;
    use crate::guest::tests::script;

    fn end_of(text: &str, limit: Duration) -> (String, End) {
        let mut output = Vec::new();
        let end = follow(script(text, limit), Frame::new("MARK"), &mut output).unwrap();
        (String::from_utf8(output).unwrap(), end)
    }

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn every_end_is_told_apart() {
        let status = "printf 'boot\\nMARK begin\\nout\\nMARK status=42\\n'";
        assert_eq!(end_of(status, LIMIT), ("out".to_owned(), End::Status(42)));
        let panic = "printf 'MARK begin\\nout\\nKernel panic - not syncing: x\\n'";
        let words = End::Panic("Kernel panic - not syncing: x\n".to_owned());
        assert_eq!(end_of(panic, LIMIT), ("out\n".to_owned(), words));
        let lost = End::Lost("boot\n".to_owned());
        assert_eq!(end_of("echo boot", LIMIT), (String::new(), lost));
    }

    #[test]
    fn a_hanging_command_keeps_its_output() {
        let text = "printf 'MARK begin\\npart'; exec sleep 100";
        let end = end_of(text, Duration::from_millis(300));
        assert_eq!(end, ("part".to_owned(), End::TimedOut));
    }

    #[test]
    fn words_end_in_nul() {
        let command = ["sh", "-c", "", "a b"].map(str::to_owned);
        let mut base = Base::Archive(Archive::default());
        add_command(&mut base, &command).unwrap();
        assert_eq!(
            base.archive_mut().file(COMMAND_FILE),
            Some(&b"sh\0-c\0\0a b\0"[..])
        );
    }

    #[test]
    fn marks_differ() {
        assert_ne!(mark().unwrap(), mark().unwrap());
    }
}
