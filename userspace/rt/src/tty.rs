//! Terminals: whether a descriptor is one, its modes, its size, and who is in the foreground.

use los_abi::syscall::{Fd, UserPtr};
use los_abi::tty::{TCGETS, TCSETSW, TIOCGPGRP, TIOCGWINSZ, TIOCSCTTY, TIOCSPGRP};

use crate::{Result, sys};

pub use los_abi::tty::{LocalFlags, OutputFlags, Termios, Winsize};

/// Tells whether a descriptor is a terminal.
pub fn is_terminal(fd: i32) -> bool {
    modes(fd).is_ok()
}

/// Reads the modes.
///
/// # Errors
/// ENOTTY when the descriptor is no terminal.
pub fn modes(fd: i32) -> Result<Termios> {
    let mut termios = Termios::default();
    // SAFETY: the request writes the structure, which lives until the call returns.
    unsafe { sys::ioctl(Fd(fd), TCGETS, &raw mut termios as u64) }?;
    Ok(termios)
}

/// Changes the modes, after what was written has gone out.
///
/// # Errors
/// Those of tcsetattr(3).
pub fn set_modes(fd: i32, termios: &Termios) -> Result<()> {
    // SAFETY: the request reads the structure.
    unsafe { sys::ioctl(Fd(fd), TCSETSW, &raw const *termios as u64) }.map(drop)
}

/// Returns the window's size in characters.
///
/// # Errors
/// ENOTTY when the descriptor is no terminal.
pub fn size(fd: i32) -> Result<Winsize> {
    let mut size = Winsize::default();
    // SAFETY: the request writes the structure, which lives until the call returns.
    unsafe { sys::ioctl(Fd(fd), TIOCGWINSZ, &raw mut size as u64) }?;
    Ok(size)
}

/// Makes a terminal the controlling one of the caller's new session.
///
/// # Errors
/// EPERM when the caller leads no session or has a terminal.
pub fn set_controlling(fd: i32) -> Result<()> {
    // SAFETY: the request touches no memory.
    unsafe { sys::ioctl(Fd(fd), TIOCSCTTY, 0) }.map(drop)
}

/// Returns the process group in the foreground.
///
/// # Errors
/// ENOTTY when it is not the caller's controlling terminal.
pub fn foreground(fd: i32) -> Result<i32> {
    let mut group = 0_i32;
    // SAFETY: the request writes the number, which lives until the call returns.
    unsafe {
        sys::ioctl(
            Fd(fd),
            TIOCGPGRP,
            UserPtr::<i32>::new(&raw mut group as u64).addr(),
        )
    }?;
    Ok(group)
}

/// Puts a process group into the foreground.
///
/// # Errors
/// Those of tcsetpgrp(3).
pub fn set_foreground(fd: i32, group: i32) -> Result<()> {
    // SAFETY: the request reads the number.
    unsafe { sys::ioctl(Fd(fd), TIOCSPGRP, &raw const group as u64) }.map(drop)
}
