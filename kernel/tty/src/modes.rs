//! Termios by name: the flag words and control characters of Linux's structure, and its initial values.

use los_abi::tty::{
    B38400, CS8, ControlFlags, InputFlags, LocalFlags, NCCS, OutputFlags, Termios, VDISCARD, VEOF, VERASE,
    VINTR, VKILL, VLNEXT, VMIN, VQUIT, VREPRINT, VSTART, VSTOP, VSUSP, VWERASE,
};

/// Typed access to a termios.
pub(crate) trait Modes {
    /// Returns `c_iflag`.
    fn input(&self) -> InputFlags;
    /// Returns `c_oflag`.
    fn output(&self) -> OutputFlags;
    /// Returns `c_lflag`.
    fn local(&self) -> LocalFlags;
    /// Returns a control character by its place in `c_cc`; 0 is disabled.
    fn control_character(&self, place: usize) -> u8;
}

impl Modes for Termios {
    fn input(&self) -> InputFlags {
        InputFlags::from_bits_retain(self.c_iflag)
    }

    fn output(&self) -> OutputFlags {
        OutputFlags::from_bits_retain(self.c_oflag)
    }

    fn local(&self) -> LocalFlags {
        LocalFlags::from_bits_retain(self.c_lflag)
    }

    fn control_character(&self, place: usize) -> u8 {
        self.c_cc[place]
    }
}

/// Returns the settings of a fresh terminal (`tty_std_termios` in Linux).
pub(crate) fn initial() -> Termios {
    const fn control(letter: u8) -> u8 {
        letter & 0x1f
    }
    let mut c_cc = [0; NCCS];
    for (place, character) in [
        (VINTR, control(b'C')),
        (VQUIT, control(b'\\')),
        (VERASE, 0x7f),
        (VKILL, control(b'U')),
        (VEOF, control(b'D')),
        (VMIN, 1),
        (VSTART, control(b'Q')),
        (VSTOP, control(b'S')),
        (VSUSP, control(b'Z')),
        (VREPRINT, control(b'R')),
        (VDISCARD, control(b'O')),
        (VWERASE, control(b'W')),
        (VLNEXT, control(b'V')),
    ] {
        c_cc[place] = character;
    }
    let local = LocalFlags::ISIG
        | LocalFlags::ICANON
        | LocalFlags::ECHO
        | LocalFlags::ECHOE
        | LocalFlags::ECHOK
        | LocalFlags::ECHOCTL
        | LocalFlags::ECHOKE
        | LocalFlags::IEXTEN;
    Termios {
        c_iflag: (InputFlags::ICRNL | InputFlags::IXON).bits(),
        c_oflag: (OutputFlags::OPOST | OutputFlags::ONLCR).bits(),
        c_cflag: B38400 | CS8 | (ControlFlags::CREAD | ControlFlags::HUPCL).bits(),
        c_lflag: local.bits(),
        c_line: 0,
        c_cc,
    }
}
