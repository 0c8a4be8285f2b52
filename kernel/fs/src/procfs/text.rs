//! The text of a file while it is written: bytes, of which some need not be UTF-8, in memory that may run out.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use los_abi::errno::Errno;

/// A file's text. `write!` works on it and has no result; [`finish`](Self::finish) reports what failed.
#[derive(Debug, Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Text {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            is_cut: false,
        }
    }

    /// Appends bytes as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if self.is_cut || self.bytes.try_reserve(bytes.len()).is_err() {
            self.is_cut = true;
            return;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends bytes, those of a set as backslash and three octal digits, as Linux's `seq_escape`.
    pub(super) fn escaped(&mut self, bytes: &[u8], set: &[u8]) {
        for byte in bytes {
            if set.contains(byte) {
                write!(self, "\\{byte:03o}");
            } else {
                self.bytes(&[*byte]);
            }
        }
    }

    /// Appends spaces up to a column of the line that starts at `line`.
    pub(super) fn pad(&mut self, line: usize, column: usize) {
        while self.bytes.len() < line + column && !self.is_cut {
            self.bytes(b" ");
        }
    }

    /// Returns the length.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends formatted text; what `write!` calls.
    pub(super) fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) {
        // `bytes` keeps the failure.
        let _recorded = fmt::Write::write_fmt(self, arguments);
    }

    /// Returns the text.
    ///
    /// # Errors
    /// ENOMEM when a part is missing.
    pub(super) fn finish(self) -> Result<Vec<u8>, Errno> {
        if self.is_cut {
            Err(Errno::ENOMEM)
        } else {
            Ok(self.bytes)
        }
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        if self.is_cut { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Returns a number's decimal digits, written into `buffer`.
pub(super) fn decimal(mut number: u32, buffer: &mut [u8; 10]) -> &[u8] {
    let mut start = buffer.len();
    loop {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[start..];
        }
    }
}

/// Reads the one number that was written to a file.
///
/// # Errors
/// EINVAL.
pub(super) fn written_number<T: FromStr>(written: &[u8]) -> Result<T, Errno> {
    let text = str::from_utf8(written).map_err(|_| Errno::EINVAL)?;
    text.trim().parse().map_err(|_| Errno::EINVAL)
}

/// Reads a name that is a number as Linux does: decimal, without sign and leading zeros.
pub(super) fn parse_number(name: &[u8]) -> Option<u32> {
    if name.len() > 1 && name.first() == Some(&b'0') {
        return None;
    }
    if !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(name).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_names() {
        for (name, number) in [
            ("0", Some(0)),
            ("42", Some(42)),
            ("007", None),
            ("+1", None),
            ("", None),
        ] {
            assert_eq!(parse_number(name.as_bytes()), number, "{name}");
        }
        assert_eq!(parse_number(b"4294967296"), None);
        assert_eq!(decimal(0, &mut [0; 10]), b"0");
        assert_eq!(decimal(u32::MAX, &mut [0; 10]), b"4294967295");
    }

    #[test]
    fn escapes_and_columns() {
        let mut text = Text::new();
        text.escaped(b"a b\\c", b" \\");
        text.pad(0, 12);
        write!(text, "{:>3}", 7);
        assert_eq!(text.finish().unwrap(), b"a\\040b\\134c   7");
    }
}
