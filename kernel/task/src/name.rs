//! Names of threads, as ps and `/proc/PID/comm` show them.

use core::fmt;

/// Longest name of a thread, as in `/proc/PID/comm` (TASK_COMM_LEN without the NUL).
pub const NAME_MAX: usize = 15;

/// A thread's name: at most [`NAME_MAX`] bytes, no NUL.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Name {
    bytes: [u8; NAME_MAX + 1],
}

impl Name {
    /// Takes the bytes up to a NUL or the limit.
    pub fn new(name: &[u8]) -> Self {
        let mut bytes = [0; NAME_MAX + 1];
        let length = name.iter().take_while(|byte| **byte != 0).count();
        let length = length.min(NAME_MAX);
        bytes[..length].copy_from_slice(&name[..length]);
        Self { bytes }
    }

    /// Returns the bytes without padding.
    pub fn as_bytes(&self) -> &[u8] {
        let length = self.bytes.iter().take_while(|byte| **byte != 0).count();
        &self.bytes[..length]
    }

    /// Returns the 16 bytes of `PR_GET_NAME`, with NULs at the end.
    pub fn padded(&self) -> &[u8; NAME_MAX + 1] {
        &self.bytes
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.as_bytes().utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_str("?")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn names_are_cut_and_end_at_a_nul() {
        assert_eq!(Name::new(b"a-name-of-20-letters").as_bytes(), b"a-name-of-20-le");
        assert_eq!(Name::new(b"sh\0garbage").as_bytes(), b"sh");
        assert_eq!(Name::new(b"sh").padded()[..3], *b"sh\0");
        assert_eq!(format!("{}", Name::new(b"a\xffb")), "a?b");
    }
}
