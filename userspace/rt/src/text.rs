//! Bytes as text: showing names that may be no UTF-8, and reading numbers.

use core::fmt::{self, Write};

/// Displays bytes as text, with a replacement character for what is not UTF-8.
#[derive(Clone, Copy)]
pub struct Text<'a>(pub &'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

/// Reads an unsigned number of the given radix; the whole text must be digits.
pub fn parse_unsigned(text: &[u8], radix: u32) -> Option<u64> {
    // `from_str_radix` takes a sign, a number here has none.
    if text.first()?.is_ascii_punctuation() {
        return None;
    }
    u64::from_str_radix(core::str::from_utf8(text).ok()?, radix).ok()
}

/// Reads a decimal number with an optional sign.
pub fn parse_signed(text: &[u8]) -> Option<i64> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Text, parse_signed, parse_unsigned};
    use alloc::string::ToString;

    #[test]
    fn text_shows_any_bytes() {
        assert_eq!(Text(b"name").to_string(), "name");
        assert_eq!(Text(b"a\xffb\xc3").to_string(), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn numbers_are_whole_or_refused() {
        assert_eq!(parse_unsigned(b"755", 8), Some(0o755));
        assert_eq!(parse_unsigned(b"42", 10), Some(42));
        for bad in [&b""[..], b"+1", b"-1", b"1x", b"99999999999999999999"] {
            assert_eq!(parse_unsigned(bad, 10), None);
        }
        assert_eq!(parse_signed(b"-12"), Some(-12));
        assert_eq!(parse_signed(b"+12"), Some(12));
        assert_eq!(parse_signed(b"1 "), None);
    }
}
