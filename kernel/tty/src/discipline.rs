//! The line discipline (n_tty): turns received bytes into lines, echo and signals, as termios(3) says.
//!
//! Pure: it holds the bytes and decides; the terminal around it locks, waits and talks to hardware.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use los_abi::signal::Signal;
use los_abi::tty::{self, InputFlags, LocalFlags, Termios};

use crate::echo::Echo;
use crate::modes::Modes;

/// Most bytes held for readers, and most of one line, as in Linux.
pub(crate) const BUFFER_BYTES: usize = 4096;

/// What a received byte asks of the terminal besides echo.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Effect {
    /// A signal for the foreground group.
    pub(crate) signal: Option<Signal>,
    /// Readers may find something now.
    pub(crate) wake_readers: bool,
    /// Output was stopped (true) or continued (false) by XOFF or XON.
    pub(crate) flow: Option<bool>,
}

/// The input side of a terminal.
pub(crate) struct Discipline {
    pub(crate) termios: Termios,
    pub(crate) echo: Echo,
    /// Bytes for readers.
    ready: VecDeque<u8>,
    /// Lengths of the complete lines in `ready`; an empty one is an end of file. Canonical mode only.
    lines: VecDeque<usize>,
    /// The line that is being edited.
    line: Vec<u8>,
    literal_next: bool,
    stopped: bool,
}

impl Discipline {
    pub(crate) fn new(termios: Termios) -> Self {
        Self {
            termios,
            echo: Echo::default(),
            ready: VecDeque::with_capacity(BUFFER_BYTES),
            lines: VecDeque::new(),
            line: Vec::with_capacity(BUFFER_BYTES),
            literal_next: false,
            stopped: false,
        }
    }

    /// Takes one byte from the line.
    pub(crate) fn receive(&mut self, byte: u8) -> Effect {
        let (input, local) = (self.termios.input(), self.termios.local());
        let byte = if input.contains(InputFlags::ISTRIP) {
            byte & 0x7f
        } else {
            byte
        };
        if core::mem::take(&mut self.literal_next) {
            self.echo.character(byte, &self.termios);
            return self.store(byte);
        }
        if input.contains(InputFlags::IXON) {
            if self.is(byte, tty::VSTOP) {
                return self.flow(true);
            }
            if self.is(byte, tty::VSTART) || self.stopped && input.contains(InputFlags::IXANY) {
                return self.flow(false);
            }
        }
        if local.contains(LocalFlags::ISIG)
            && let Some(signal) = self.signal_of(byte)
        {
            return self.interrupt(byte, signal);
        }
        let byte = match byte {
            b'\r' if input.contains(InputFlags::IGNCR) => return Effect::default(),
            b'\r' if input.contains(InputFlags::ICRNL) => b'\n',
            b'\n' if input.contains(InputFlags::INLCR) => b'\r',
            _ if input.contains(InputFlags::IUCLC) && local.contains(LocalFlags::IEXTEN) => {
                byte.to_ascii_lowercase()
            }
            _ => byte,
        };
        if local.contains(LocalFlags::ICANON) {
            self.edit(byte)
        } else {
            self.echo.character(byte, &self.termios);
            self.store(byte)
        }
    }

    /// Replaces the settings, keeping what has been typed readable under the new mode.
    pub(crate) fn set_termios(&mut self, termios: Termios) {
        let was = self.termios.local().contains(LocalFlags::ICANON);
        let is = termios.local().contains(LocalFlags::ICANON);
        if was && !is {
            self.ready.extend(self.line.drain(..));
            self.lines.clear();
        } else if !was && is && !self.ready.is_empty() {
            self.lines.push_back(self.ready.len());
        }
        self.termios = termios;
    }

    /// Throws away everything that has not been read.
    pub(crate) fn flush_input(&mut self) {
        self.ready.clear();
        self.lines.clear();
        self.line.clear();
    }

    /// Bytes that a reader could take now: FIONREAD.
    pub(crate) fn available(&self) -> usize {
        if self.is_canonical() {
            self.lines.iter().sum()
        } else {
            self.ready.len()
        }
    }

    /// Reports whether a reader that wants at least `minimum` bytes need not wait.
    pub(crate) fn is_readable(&self, minimum: usize) -> bool {
        if self.is_canonical() {
            !self.lines.is_empty()
        } else {
            self.ready.len() >= minimum.max(1)
        }
    }

    pub(crate) fn is_canonical(&self) -> bool {
        self.termios.local().contains(LocalFlags::ICANON)
    }

    /// Moves up to `out.len()` bytes to a reader; in canonical mode at most one line, where 0 bytes of an
    /// empty line mean end of file. Also says whether the same read could go on.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> (usize, bool) {
        let (count, more) = if self.is_canonical() {
            let Some(line) = self.lines.front_mut() else {
                return (0, false);
            };
            let taken = out.len().min(*line);
            *line -= taken;
            let more = *line > 0;
            if !more {
                self.lines.pop_front();
            }
            (taken, more)
        } else {
            let taken = out.len().min(self.ready.len());
            (taken, taken < self.ready.len())
        };
        for (slot, byte) in out.iter_mut().zip(self.ready.drain(..count)) {
            *slot = byte;
        }
        (count, more)
    }

    fn flow(&mut self, stopped: bool) -> Effect {
        self.stopped = stopped;
        Effect {
            flow: Some(stopped),
            ..Effect::default()
        }
    }

    fn is(&self, byte: u8, character: usize) -> bool {
        let set = self.termios.control_character(character);
        // 0 is _POSIX_VDISABLE.
        set != 0 && set == byte
    }

    fn signal_of(&self, byte: u8) -> Option<Signal> {
        [
            (tty::VINTR, Signal::INT),
            (tty::VQUIT, Signal::QUIT),
            (tty::VSUSP, Signal::TSTP),
        ]
        .into_iter()
        .find_map(|(character, signal)| self.is(byte, character).then_some(signal))
    }

    fn interrupt(&mut self, byte: u8, signal: Signal) -> Effect {
        let flush = !self.termios.local().contains(LocalFlags::NOFLSH);
        if flush {
            self.flush_input();
        }
        self.stopped = false;
        self.echo.character(byte, &self.termios);
        Effect {
            signal: Some(signal),
            flow: flush.then_some(false),
            ..Effect::default()
        }
    }

    /// Canonical mode: editing characters, line ends, everything else.
    fn edit(&mut self, byte: u8) -> Effect {
        let extended = self.termios.local().contains(LocalFlags::IEXTEN);
        if self.is(byte, tty::VERASE) {
            self.erase_character();
        } else if self.is(byte, tty::VKILL) {
            self.kill_line();
        } else if extended && self.is(byte, tty::VWERASE) {
            self.erase_word();
        } else if extended && self.is(byte, tty::VLNEXT) {
            self.literal_next = true;
            self.echo.literal_next(&self.termios);
        } else if extended && self.is(byte, tty::VREPRINT) {
            self.echo.reprint(byte, &self.line, &self.termios);
        } else if self.is(byte, tty::VEOF) {
            return self.finish_line(None);
        } else if byte == b'\n' || self.is(byte, tty::VEOL) || extended && self.is(byte, tty::VEOL2) {
            self.echo.line_end(byte, &self.termios);
            return self.finish_line(Some(byte));
        } else {
            // One place stays free for the end of the line.
            if self.line.len() + self.ready.len() >= BUFFER_BYTES - 1 {
                self.echo.bell(&self.termios);
                return Effect::default();
            }
            self.echo.character(byte, &self.termios);
            self.line.push(byte);
        }
        Effect::default()
    }

    fn finish_line(&mut self, end: Option<u8>) -> Effect {
        let length = self.line.len() + usize::from(end.is_some());
        self.ready.extend(self.line.drain(..));
        self.ready.extend(end);
        self.lines.push_back(length);
        Effect {
            wake_readers: true,
            ..Effect::default()
        }
    }

    /// Stores a byte that needs no editing: raw mode, or after VLNEXT.
    fn store(&mut self, byte: u8) -> Effect {
        if self.line.len() + self.ready.len() >= BUFFER_BYTES - 1 {
            self.echo.bell(&self.termios);
            return Effect::default();
        }
        if self.is_canonical() {
            self.line.push(byte);
            return Effect::default();
        }
        self.ready.push_back(byte);
        Effect {
            wake_readers: true,
            ..Effect::default()
        }
    }

    /// Removes the last character; with IUTF8 that may be several bytes.
    fn erase_character(&mut self) {
        let utf8 = self.termios.input().contains(InputFlags::IUTF8);
        while let Some(byte) = self.line.pop() {
            if utf8 && byte & 0xc0 == 0x80 && !self.line.is_empty() {
                continue;
            }
            self.echo.erased(byte, &self.line, &self.termios);
            return;
        }
    }

    fn erase_word(&mut self) {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        while self.line.last().is_some_and(|byte| !is_word(byte)) {
            self.erase_character();
        }
        while self.line.last().is_some_and(is_word) {
            self.erase_character();
        }
    }

    fn kill_line(&mut self) {
        let local = self.termios.local();
        if local.contains(LocalFlags::ECHOK | LocalFlags::ECHOKE | LocalFlags::ECHOE) {
            while !self.line.is_empty() {
                self.erase_character();
            }
        } else {
            self.line.clear();
            self.echo
                .killed(self.termios.control_character(tty::VKILL), &self.termios);
        }
    }
}

#[cfg(test)]
mod tests;
