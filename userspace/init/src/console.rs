//! The console: standard input and output of the first process and of what it starts.

use alloc::vec::Vec;

use rt::fs::{File, OpenFlags};
use rt::process::{self, DEFAULT_PATH};
use rt::signal::{self, SigSet};
use rt::text::Text;
use rt::{Args, Errno, eprintln, io, tty};

const CONSOLE: &[u8] = b"/dev/console";
/// Status of a child whose program does not exist, as in a shell.
const NOT_FOUND_STATUS: i32 = 127;
/// Status of a child whose program cannot be executed, as in a shell.
const NOT_EXECUTABLE_STATUS: i32 = 126;

/// Makes the console descriptors 0, 1 and 2.
pub(crate) fn open() {
    let Ok(console) = File::open_with(CONSOLE, OpenFlags::RDWR | OpenFlags::NOCTTY, 0) else {
        return;
    };
    let number = console.descriptor();
    for descriptor in [io::STDIN, io::STDOUT, io::STDERR] {
        let _ = process::duplicate_to(number, descriptor);
    }
    if number <= io::STDERR {
        // It is one of the three itself and must stay open.
        console.into_descriptor();
    }
    io::output_replaced();
}

/// Waits until the console has printed everything; a pending write error stays unreported.
pub(crate) fn drain() {
    let _ = io::flush();
    // Setting the modes waits for the output; that they are the old ones changes nothing.
    if let Ok(modes) = tty::modes(io::STDOUT) {
        let _ = tty::set_modes(io::STDOUT, &modes);
    }
}

/// Turns a new child into the leader of a session on the console that runs a program.
pub(crate) fn become_session(path: &[u8], arguments: &[Vec<u8>], environment: &[Vec<u8>]) -> ! {
    // Both fail harmlessly where the child leads a session or there is no terminal.
    let _ = process::new_session();
    let _ = tty::set_controlling(io::STDIN);
    become_program(path, arguments, environment)
}

/// Replaces a new child by a program, with its signals as a program expects them.
pub(crate) fn become_program(path: &[u8], arguments: &[Vec<u8>], environment: &[Vec<u8>]) -> ! {
    for number in crate::supervisor::SIGNALS {
        signal::reset(number);
    }
    signal::set_mask(SigSet::EMPTY);
    let (path, errno) = process::execute_by_name(path, DEFAULT_PATH, arguments, environment);
    eprintln!("init: {}: {}", Text(&path), errno.message());
    let is_missing = matches!(errno, Errno::ENOENT | Errno::ENOTDIR);
    process::exit_now(if is_missing {
        NOT_FOUND_STATUS
    } else {
        NOT_EXECUTABLE_STATUS
    })
}

/// Returns the environment of the programs on the console: what the kernel was given, and defaults.
pub(crate) fn environment(args: &Args) -> Vec<Vec<u8>> {
    // The kernel's own HOME is the root directory, which is nobody's home.
    let mut environment: Vec<Vec<u8>> = Vec::from([b"HOME=/root".to_vec()]);
    let defaults: [(&[u8], &[u8]); 3] = [
        (b"PATH", DEFAULT_PATH),
        (b"SHELL", b"/bin/sh"),
        (b"TERM", b"linux"),
    ];
    for (name, value) in defaults {
        environment.push([name, args.variable(name).unwrap_or(value)].join(&b'='));
    }
    let is_new = |entry: &&Vec<u8>| {
        let name = entry.split(|byte| *byte == b'=').next().unwrap_or_default();
        name != b"HOME"
            && name != crate::single::MARK_VARIABLE
            && !defaults.iter().any(|(known, _)| *known == name)
    };
    environment.extend(args.environment.iter().filter(is_new).cloned());
    environment
}
