//! Terminals: lines and their editing, single characters, signals from the keyboard, groups.
//!
//! The cases run on a pseudo-terminal, or where there is none on the controlling terminal, into which they
//! feign input; so nothing is echoed.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use los_abi::errno::Errno;
use los_abi::fs::OpenFlags;
use los_abi::signal::{SIGHUP, SIGINT, SIGTTOU, SIGWINCH, SigSet};
use los_abi::syscall::Sysno;
use los_abi::tty::{
    FIONREAD, InputFlags, LocalFlags, TCFLSH, TCGETS, TCIFLUSH, TIOCGPGRP, TIOCGPTN, TIOCGSID, TIOCGWINSZ,
    TIOCSPGRP, TIOCSPTLCK, TIOCSTI, TIOCSWINSZ, Termios, VMIN, VTIME, Winsize,
};
use rt::io::Read;
use rt::{fs, io, process, signal, tty};

use crate::cases::ended;
use crate::harness::{Failure, Outcome, catch, spawn, wait_for};
use crate::raw::{addr, addr_mut, call};
use crate::{cases, ensure, ensure_eq};

cases![
    lines_are_edited,
    the_end_of_a_file_is_typed,
    returns_become_newlines,
    characters_come_one_by_one,
    reads_may_time_out,
    the_keyboard_interrupts,
    modes_are_kept,
    input_can_be_counted_and_flushed,
    window_sizes_are_kept_and_told,
    groups_are_checked,
    other_files_are_no_terminals,
];

/// A terminal that controls this process, which is in its foreground.
struct Terminal {
    fd: i32,
    /// The other end of a pseudo-terminal.
    master: Option<fs::File>,
}

fn ioctl(fd: i32, request: u32, argument: u64) -> Result<u64, Errno> {
    call(Sysno::ioctl, &[fd as u64, u64::from(request), argument])
}

impl Terminal {
    /// Enters a session with a new pseudo-terminal.
    fn pseudo() -> Result<Self, Errno> {
        let flags = OpenFlags::RDWR | OpenFlags::NOCTTY;
        let master = fs::File::open_with(b"/dev/ptmx", flags, 0)?;
        let mut number = 0_i32;
        ioctl(master.descriptor(), TIOCSPTLCK, addr(&0_i32))?;
        ioctl(master.descriptor(), TIOCGPTN, addr_mut(&mut number))?;
        let slave = fs::File::open_with(format!("/dev/pts/{number}").as_bytes(), flags, 0)?;
        // The end of the other side hangs up.
        signal::ignore(SIGHUP);
        process::new_session()?;
        tty::set_controlling(slave.descriptor())?;
        Ok(Self {
            fd: slave.into_descriptor(),
            master: Some(master),
        })
    }

    /// Puts a new group into the foreground of the controlling terminal.
    fn controlling() -> Result<Self, Errno> {
        let file = fs::File::open_with(b"/dev/tty", OpenFlags::RDWR, 0)?;
        process::set_group(0, 0)?;
        signal::ignore(SIGTTOU);
        tty::set_foreground(file.descriptor(), process::id())?;
        Ok(Self {
            fd: file.into_descriptor(),
            master: None,
        })
    }

    fn type_in(&self, bytes: &[u8]) -> Result<(), Errno> {
        match &self.master {
            Some(master) => io::write_all(master.descriptor(), bytes),
            None => bytes
                .iter()
                .try_for_each(|byte| ioctl(self.fd, TIOCSTI, addr(byte)).map(drop)),
        }
    }

    fn read(&self) -> Result<Vec<u8>, Errno> {
        let mut buffer = [0; 100];
        let length = io::read(self.fd, &mut buffer)?;
        Ok(buffer[..length].to_vec())
    }

    /// Changes the modes.
    fn change(&self, change: impl FnOnce(&mut Termios)) -> Result<(), Errno> {
        let mut modes = tty::modes(self.fd)?;
        change(&mut modes);
        tty::set_modes(self.fd, &modes)
    }
}

/// Runs a case in a process of its own on a terminal, and leaves that as it was.
fn with_terminal(case: fn(&Terminal) -> Outcome) -> Outcome {
    let foreground = tty::foreground(io::STDIN);
    let (mut reader, writer) = process::pipe()?;
    let pid = spawn(|| match on_terminal(case) {
        Ok(()) => 0,
        Err(Failure::Skip(_)) => ABSENT,
        Err(Failure::Wrong(why)) => {
            // A text that gets lost leaves the status.
            let _ = io::write_all(writer.descriptor(), why.as_bytes());
            1
        }
    })?;
    drop(writer);
    let mut why = Vec::new();
    reader.read_to_end(&mut why)?;
    let status = ended(wait_for(pid)?);
    if let Ok(group) = foreground {
        signal::ignore(SIGTTOU);
        tty::set_foreground(io::STDIN, group)?;
    }
    match status {
        0 => Ok(()),
        ABSENT => Err(Failure::Skip("no terminal")),
        _ => Err(Failure::Wrong(format!(
            "status {status}: {}",
            String::from_utf8_lossy(&why)
        ))),
    }
}

/// Exit status for want of a terminal.
const ABSENT: i32 = 2;

fn on_terminal(case: fn(&Terminal) -> Outcome) -> Outcome {
    let Ok(terminal) = Terminal::pseudo().or_else(|_| Terminal::controlling()) else {
        return Err(Failure::Skip("no terminal"));
    };
    let modes = tty::modes(terminal.fd)?;
    terminal.change(|modes| modes.c_lflag &= !LocalFlags::ECHO.bits())?;
    let outcome = case(&terminal);
    tty::set_modes(terminal.fd, &modes)?;
    outcome
}

fn lines_are_edited() -> Outcome {
    with_terminal(|terminal| {
        terminal.type_in(b"ab\x7fc\n")?;
        ensure_eq!(terminal.read()?, b"ac\n");
        terminal.type_in(b"one two\x17three\n")?;
        ensure_eq!(terminal.read()?, b"one three\n");
        terminal.type_in(b"gone\x15kept\nnext\n")?;
        ensure_eq!(terminal.read()?, b"kept\n");
        ensure_eq!(terminal.read()?, b"next\n");
        terminal.type_in(b"a\x16\x03b\n")?;
        ensure_eq!(terminal.read()?, b"a\x03b\n");
        Ok(())
    })
}

fn the_end_of_a_file_is_typed() -> Outcome {
    with_terminal(|terminal| {
        terminal.type_in(b"part\x04")?;
        ensure_eq!(terminal.read()?, b"part");
        terminal.type_in(b"\x04")?;
        ensure_eq!(terminal.read()?, b"");
        terminal.type_in(b"long line\n")?;
        let mut buffer = [0; 4];
        ensure_eq!(io::read(terminal.fd, &mut buffer)?, 4);
        ensure_eq!(terminal.read()?, b" line\n");
        Ok(())
    })
}

fn returns_become_newlines() -> Outcome {
    with_terminal(|terminal| {
        terminal.type_in(b"a\r")?;
        ensure_eq!(terminal.read()?, b"a\n");
        terminal.change(|modes| modes.c_iflag &= !InputFlags::ICRNL.bits())?;
        terminal.type_in(b"a\rb\n")?;
        ensure_eq!(terminal.read()?, b"a\rb\n");
        Ok(())
    })
}

/// Makes reads return what is there, with the least number of bytes and the time that they wait for.
fn set_raw(terminal: &Terminal, least: u8, tenths: u8) -> Result<(), Errno> {
    terminal.change(|modes| {
        modes.c_lflag &= !LocalFlags::ICANON.bits();
        modes.c_cc[VMIN] = least;
        modes.c_cc[VTIME] = tenths;
    })
}

fn characters_come_one_by_one() -> Outcome {
    with_terminal(|terminal| {
        set_raw(terminal, 1, 0)?;
        terminal.type_in(b"a\x7f")?;
        ensure_eq!(terminal.read()?, b"a\x7f");
        set_raw(terminal, 3, 0)?;
        terminal.type_in(b"abcd")?;
        ensure_eq!(terminal.read()?, b"abcd");
        Ok(())
    })
}

fn reads_may_time_out() -> Outcome {
    with_terminal(|terminal| {
        set_raw(terminal, 0, 0)?;
        ensure_eq!(terminal.read()?, b"");
        set_raw(terminal, 0, 1)?;
        ensure_eq!(terminal.read()?, b"");
        // The time counts from the first byte on.
        set_raw(terminal, 9, 1)?;
        terminal.type_in(b"ab")?;
        ensure_eq!(terminal.read()?, b"ab");
        Ok(())
    })
}

fn the_keyboard_interrupts() -> Outcome {
    with_terminal(|terminal| {
        catch(SIGINT);
        terminal.type_in(b"dropped\x03kept\n")?;
        ensure_eq!(terminal.read()?, b"kept\n");
        ensure!(signal::take(SIGINT));
        terminal.change(|modes| modes.c_lflag &= !LocalFlags::ISIG.bits())?;
        terminal.type_in(b"a\x03\n")?;
        ensure_eq!(terminal.read()?, b"a\x03\n");
        ensure!(!signal::take(SIGINT));
        Ok(())
    })
}

fn modes_are_kept() -> Outcome {
    with_terminal(|terminal| {
        let mut wanted = tty::modes(terminal.fd)?;
        wanted.c_iflag ^= InputFlags::IXANY.bits();
        wanted.c_lflag ^= LocalFlags::NOFLSH.bits();
        wanted.c_cc[VMIN] = 7;
        tty::set_modes(terminal.fd, &wanted)?;
        ensure_eq!(tty::modes(terminal.fd)?, wanted);
        ensure_eq!(ioctl(terminal.fd, TCGETS, 8), Err(Errno::EFAULT));
        Ok(())
    })
}

fn input_can_be_counted_and_flushed() -> Outcome {
    with_terminal(|terminal| {
        let mut count = 0_i32;
        terminal.type_in(b"abc\n")?;
        // Bytes may be some time on their way from the other side.
        io::wait_readable(terminal.fd, SigSet::EMPTY)?;
        ioctl(terminal.fd, FIONREAD, addr_mut(&mut count))?;
        ensure_eq!(count, 4);
        ioctl(terminal.fd, TCFLSH, u64::from(TCIFLUSH))?;
        ioctl(terminal.fd, FIONREAD, addr_mut(&mut count))?;
        ensure_eq!(count, 0);
        ensure_eq!(ioctl(terminal.fd, TCFLSH, 9), Err(Errno::EINVAL));
        terminal.type_in(b"new\n")?;
        ensure_eq!(terminal.read()?, b"new\n");
        Ok(())
    })
}

fn window_sizes_are_kept_and_told() -> Outcome {
    with_terminal(|terminal| {
        let mut old = Winsize::default();
        ioctl(terminal.fd, TIOCGWINSZ, addr_mut(&mut old))?;
        catch(SIGWINCH);
        let wanted = Winsize {
            ws_row: old.ws_row + 1,
            ws_col: 99,
            ..old
        };
        ioctl(terminal.fd, TIOCSWINSZ, addr(&wanted))?;
        let mut now = Winsize::default();
        ioctl(terminal.fd, TIOCGWINSZ, addr_mut(&mut now))?;
        ensure_eq!(now, wanted);
        ensure!(signal::take(SIGWINCH));
        ioctl(terminal.fd, TIOCSWINSZ, addr(&wanted))?;
        ensure!(!signal::take(SIGWINCH));
        ioctl(terminal.fd, TIOCSWINSZ, addr(&old))?;
        Ok(())
    })
}

fn groups_are_checked() -> Outcome {
    with_terminal(|terminal| {
        let own = process::id();
        ensure_eq!(tty::foreground(terminal.fd)?, own);
        let mut session = 0_i32;
        ioctl(terminal.fd, TIOCGSID, addr_mut(&mut session))?;
        ensure_eq!(session as u64, call(Sysno::getsid, &[0])?);
        let set = |group: i32| ioctl(terminal.fd, TIOCSPGRP, addr(&group)).err();
        ensure_eq!(set(-1), Some(Errno::EINVAL));
        ensure_eq!(set(0x3fff_ffff), Some(Errno::ESRCH));
        ensure_eq!(set(own), None);
        let (reader, _writer) = process::pipe()?;
        ensure_eq!(ioctl(reader.descriptor(), TIOCGPGRP, 8), Err(Errno::ENOTTY));
        Ok(())
    })
}

fn other_files_are_no_terminals() -> Outcome {
    let file = fs::File::create(b"file", 0o600)?;
    for request in [TCGETS, TIOCGWINSZ, TIOCGPGRP] {
        ensure_eq!(ioctl(file.descriptor(), request, 8), Err(Errno::ENOTTY));
    }
    ensure_eq!(ioctl(-1, TCGETS, 8), Err(Errno::EBADF));
    Ok(())
}
