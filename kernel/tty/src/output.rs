//! Output processing: what OPOST and its companions do to the bytes that programs write.

use alloc::vec::Vec;

use los_abi::tty::{OutputFlags, TABDLY, Termios, XTABS};

use crate::modes::Modes;

const TAB_STOP: usize = 8;

/// The cursor column, which tab expansion, ONOCR and echo erasure need.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Column(pub(crate) usize);

impl Column {
    /// Appends the processed form of `byte` to `out` and follows the cursor.
    pub(crate) fn process(&mut self, byte: u8, termios: &Termios, out: &mut Vec<u8>) {
        let flags = termios.output();
        if !flags.contains(OutputFlags::OPOST) {
            out.push(byte);
            return;
        }
        match byte {
            b'\n' => {
                if flags.contains(OutputFlags::ONLCR) {
                    out.push(b'\r');
                }
                if flags.intersects(OutputFlags::ONLCR | OutputFlags::ONLRET) {
                    self.0 = 0;
                }
                out.push(b'\n');
            }
            b'\r' if flags.contains(OutputFlags::ONOCR) && self.0 == 0 => {}
            b'\r' if flags.contains(OutputFlags::OCRNL) => {
                if flags.contains(OutputFlags::ONLRET) {
                    self.0 = 0;
                }
                out.push(b'\n');
            }
            b'\r' => {
                self.0 = 0;
                out.push(b'\r');
            }
            b'\t' => {
                let spaces = TAB_STOP - self.0 % TAB_STOP;
                self.0 += spaces;
                if termios.c_oflag & TABDLY == XTABS {
                    out.extend(core::iter::repeat_n(b' ', spaces));
                } else {
                    out.push(b'\t');
                }
            }
            0x08 => {
                self.0 = self.0.saturating_sub(1);
                out.push(byte);
            }
            _ => {
                let byte = if flags.contains(OutputFlags::OLCUC) {
                    byte.to_ascii_uppercase()
                } else {
                    byte
                };
                // Control bytes and UTF-8 continuation bytes take no column.
                if !byte.is_ascii_control() && byte & 0xc0 != 0x80 {
                    self.0 += 1;
                }
                out.push(byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modes;

    fn run(flags: OutputFlags, extra: u32, input: &[u8]) -> Vec<u8> {
        let mut termios = modes::initial();
        termios.c_oflag = flags.bits() | extra;
        let (mut column, mut out) = (Column::default(), Vec::new());
        for &byte in input {
            column.process(byte, &termios, &mut out);
        }
        out
    }

    #[test]
    fn raw_output_is_untouched() {
        assert_eq!(run(OutputFlags::ONLCR, 0, b"a\n\t\r"), b"a\n\t\r");
    }

    #[test]
    fn newline_gets_a_carriage_return() {
        assert_eq!(
            run(OutputFlags::OPOST | OutputFlags::ONLCR, 0, b"a\nb"),
            b"a\r\nb"
        );
    }

    #[test]
    fn tabs_expand_to_the_next_stop() {
        assert_eq!(run(OutputFlags::OPOST, XTABS, b"ab\tc"), b"ab      c");
    }

    #[test]
    fn onocr_drops_a_carriage_return_at_column_zero() {
        assert_eq!(run(OutputFlags::OPOST | OutputFlags::ONOCR, 0, b"\ra\r"), b"a\r");
    }
}
