//! What a terminal shows of what is typed: the ECHO family of local flags.

use alloc::vec::Vec;

use los_abi::tty::{self, InputFlags, LocalFlags, Termios};

use crate::modes::Modes;
use crate::output::Column;

const BELL: u8 = 7;
const BACKSPACE: u8 = 8;
const DELETE: u8 = 0x7f;

/// Echo that waits to be written, and the cursor, which output shares.
#[derive(Default)]
pub(crate) struct Echo {
    pending: Vec<u8>,
    pub(crate) column: Column,
}

impl Echo {
    /// Takes what is to be written.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.pending)
    }

    /// Shows a typed character.
    pub(crate) fn character(&mut self, byte: u8, termios: &Termios) {
        let local = termios.local();
        if !local.contains(LocalFlags::ECHO) {
            if byte == b'\n' && local.contains(LocalFlags::ECHONL | LocalFlags::ICANON) {
                self.put(byte, termios);
            }
            return;
        }
        if is_shown_with_caret(byte) && local.contains(LocalFlags::ECHOCTL) {
            self.put(b'^', termios);
            self.put(byte ^ 0x40, termios);
        } else {
            self.put(byte, termios);
        }
    }

    /// Shows the end of a line, which is never shown with a caret.
    pub(crate) fn line_end(&mut self, byte: u8, termios: &Termios) {
        if byte != b'\n' {
            self.character(byte, termios);
        } else if termios.local().intersects(LocalFlags::ECHO | LocalFlags::ECHONL) {
            self.put(byte, termios);
        }
    }

    /// Shows that the next character is taken literally.
    pub(crate) fn literal_next(&mut self, termios: &Termios) {
        if termios.local().contains(LocalFlags::ECHO | LocalFlags::ECHOCTL) {
            self.put(b'^', termios);
            self.put(BACKSPACE, termios);
        }
    }

    /// Removes an erased character from the screen; `line` is what is left.
    pub(crate) fn erased(&mut self, byte: u8, line: &[u8], termios: &Termios) {
        let local = termios.local();
        if !local.contains(LocalFlags::ECHO) {
            return;
        }
        if !local.contains(LocalFlags::ECHOE) {
            self.character(termios.control_character(tty::VERASE), termios);
            return;
        }
        let columns = if byte == b'\t' {
            let before = line.iter().map(|&byte| width(byte, 0, local)).sum::<usize>();
            width(byte, before, local)
        } else {
            width(byte, 0, local)
        };
        for _ in 0..columns {
            for shown in [BACKSPACE, b' ', BACKSPACE] {
                self.put(shown, termios);
            }
        }
    }

    /// Shows that the line was killed where it cannot be erased on screen.
    pub(crate) fn killed(&mut self, kill: u8, termios: &Termios) {
        self.character(kill, termios);
        if termios.local().contains(LocalFlags::ECHO | LocalFlags::ECHOK) {
            self.put(b'\n', termios);
        }
    }

    /// Shows the line again on a fresh one.
    pub(crate) fn reprint(&mut self, reprint: u8, line: &[u8], termios: &Termios) {
        self.character(reprint, termios);
        if termios.local().contains(LocalFlags::ECHO) {
            self.put(b'\n', termios);
            for &byte in line {
                self.character(byte, termios);
            }
        }
    }

    /// Complains about a full buffer.
    pub(crate) fn bell(&mut self, termios: &Termios) {
        if termios.input().contains(InputFlags::IMAXBEL) {
            self.put(BELL, termios);
        }
    }

    fn put(&mut self, byte: u8, termios: &Termios) {
        // Echo is best effort: without memory it is lost, what was typed is not.
        if self.pending.try_reserve(8).is_ok() {
            self.column.process(byte, termios, &mut self.pending);
        }
    }
}

fn is_shown_with_caret(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t' && byte != b'\n') || byte == DELETE
}

/// Columns that a character takes when it starts at `column`.
fn width(byte: u8, column: usize, local: LocalFlags) -> usize {
    match byte {
        b'\t' => 8 - column % 8,
        _ if is_shown_with_caret(byte) => 2 * usize::from(local.contains(LocalFlags::ECHOCTL)),
        _ => usize::from(byte & 0xc0 != 0x80),
    }
}
