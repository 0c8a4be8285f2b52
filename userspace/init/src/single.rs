//! One command in place of a session: how the test harness runs programs inside the system.
//!
//! The harness puts the command's words into a file of the initramfs, each ended by NUL, and a mark
//! into the environment. What stands between the two lines with the mark is the command's output, and
//! the second one tells its status.

use alloc::vec::Vec;

use rt::process::{self, Fork, WaitFlags};
use rt::system::Shutdown;
use rt::text::Text;
use rt::tty::OutputFlags;
use rt::{Args, Errno, fs, io, println, system, tty};

use crate::{console, shutdown};

/// Variable that holds the mark.
pub(crate) const MARK_VARIABLE: &[u8] = b"LEVITATE_EXEC";
/// The command's words.
const COMMAND_FILE: &[u8] = b"/etc/levitate-exec";
/// Status when there is no command to run.
const NO_COMMAND_STATUS: i32 = 127;
/// Status when there is no process to run it in.
const NO_PROCESS_STATUS: i32 = 126;

/// Runs the command of the file, reports its status, and switches the system off.
pub(crate) fn run(args: &Args, mark: &[u8]) -> i32 {
    if let Ok(mut modes) = tty::modes(io::STDOUT) {
        // The harness wants bytes, not lines for a screen.
        modes.c_oflag &= !OutputFlags::OPOST.bits();
        let _ = tty::set_modes(io::STDOUT, &modes);
    }
    let command = match fs::read(COMMAND_FILE) {
        Ok(text) => words(&text),
        Err(_) => Vec::new(),
    };
    report(
        mark,
        &command,
        &console::environment(args),
        console::become_session,
    );
    system::sync();
    shutdown::end(Shutdown::PowerOff)
}

/// Does the same with the words behind `--exec`, but leaves the system alone.
pub(crate) fn rehearse(args: &Args) -> i32 {
    let mark = args.variable(MARK_VARIABLE).unwrap_or(b"mark");
    report(
        mark,
        &args.operands()[1..],
        &console::environment(args),
        console::become_program,
    );
    0
}

fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    text.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

/// How a child becomes a program.
type Start = fn(&[u8], &[Vec<u8>], &[Vec<u8>]) -> !;

/// Runs a command between two lines with the mark.
fn report(mark: &[u8], command: &[Vec<u8>], environment: &[Vec<u8>], start: Start) {
    println!("\n{} begin", Text(mark));
    console::drain();
    let status = match (command.first(), process::fork()) {
        (None, Ok(Fork::Child)) => process::exit_now(NO_COMMAND_STATUS),
        (Some(path), Ok(Fork::Child)) => start(path, command, environment),
        (_, Ok(Fork::Parent(pid))) => await_child(pid),
        (_, Err(_)) => NO_PROCESS_STATUS,
    };
    console::drain();
    println!("\n{} status={status}", Text(mark));
    console::drain();
}

/// Reaps everything until the child has ended, and returns its status.
fn await_child(child: i32) -> i32 {
    loop {
        match process::wait(-1, WaitFlags::empty()) {
            Ok(Some((pid, status))) if pid == child => return process::shell_status(status),
            Err(Errno::ECHILD) => return NO_PROCESS_STATUS,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_end_with_nul_and_may_be_empty() {
        assert_eq!(words(b"sh\0-c\0echo  a\0"), [&b"sh"[..], b"-c", b"echo  a"]);
        assert_eq!(words(b"a\0\0"), [&b"a"[..], b""]);
        assert_eq!(words(b"a"), [b"a"]);
    }
}
