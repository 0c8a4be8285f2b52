//! The log ring: the last messages, kept whatever the console shows (dmesg, panic).

/// Bytes that are kept.
pub(crate) const RING_BYTES: usize = 32 * 1024;

/// A ring of bytes that forgets the oldest.
pub(crate) struct LogRing {
    bytes: [u8; RING_BYTES],
    /// Bytes ever written; the next goes to this number modulo the size.
    written: usize,
}

impl LogRing {
    /// Makes an empty ring.
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; RING_BYTES],
            written: 0,
        }
    }

    /// Appends, forgetting the oldest bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.bytes[self.written % RING_BYTES] = byte;
            self.written += 1;
        }
    }

    /// Returns what is kept, oldest first, in two parts.
    pub(crate) fn contents(&self) -> (&[u8], &[u8]) {
        let at = self.written % RING_BYTES;
        if self.written < RING_BYTES {
            (&self.bytes[..at], &[])
        } else {
            (&self.bytes[at..], &self.bytes[..at])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest() {
        let mut ring = LogRing::new();
        ring.push(b"ab");
        assert_eq!(ring.contents(), (&b"ab"[..], &b""[..]));
        for _ in 0..RING_BYTES {
            ring.push(b"x");
        }
        ring.push(b"end");
        let (old, new) = ring.contents();
        assert_eq!(old.len() + new.len(), RING_BYTES);
        assert!(new.ends_with(b"end") && !old.contains(&b'a'));
    }
}
