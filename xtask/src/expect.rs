//! [`Expect`]: talks to a guest by waiting for what it prints, never for time to pass.

use anyhow::{Result, bail};

use crate::guest::{Event, Guest};

/// A dialogue with a guest. Text is what the console shows, with CR LF as LF.
#[derive(Debug)]
pub(crate) struct Expect {
    guest: Guest,
    /// Raw bytes that may be an unfinished CR LF.
    carry: Vec<u8>,
    text: Vec<u8>,
    /// How much of `text` earlier calls have returned.
    seen: usize,
}

impl Expect {
    /// Begins a dialogue.
    pub(crate) fn new(guest: Guest) -> Self {
        Self {
            guest,
            carry: Vec::new(),
            text: Vec::new(),
            seen: 0,
        }
    }

    /// Waits until the guest prints `pattern` and returns everything up to and with it.
    ///
    /// # Errors
    /// Fails with what was printed instead when the guest ends or the time is up.
    pub(crate) fn wait_for(&mut self, pattern: &str) -> Result<String> {
        loop {
            let new = &self.text[self.seen..];
            let found = new
                .windows(pattern.len())
                .position(|window| window == pattern.as_bytes());
            if let Some(at) = found {
                return Ok(self.take(at + pattern.len()));
            }
            match self.guest.next()? {
                Event::Output(bytes) => self.receive(&bytes),
                Event::Ended(status) => {
                    bail!("the guest ended ({status}) before {pattern:?}:\n{}", self.rest())
                }
                Event::TimedOut => bail!("no {pattern:?} in time:\n{}", self.rest()),
            }
        }
    }

    /// Types a line.
    pub(crate) fn send_line(&mut self, line: &str) -> Result<()> {
        self.guest.send(&format!("{line}\n"))
    }

    /// Waits until the guest ends by itself and returns what it printed since the last call.
    ///
    /// # Errors
    /// Fails when the time is up or the emulator reports a failure.
    pub(crate) fn until_end(&mut self) -> Result<String> {
        loop {
            match self.guest.next()? {
                Event::Output(bytes) => self.receive(&bytes),
                Event::Ended(status) if status.success() => return Ok(self.rest()),
                Event::Ended(status) => bail!("the emulator failed ({status}):\n{}", self.rest()),
                Event::TimedOut => bail!("the guest did not end in time:\n{}", self.rest()),
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte != b'\n' {
                self.text.append(&mut self.carry);
            }
            self.carry.clear();
            match byte {
                b'\r' => self.carry.push(byte),
                _ => self.text.push(byte),
            }
        }
    }

    fn rest(&mut self) -> String {
        self.take(self.text.len() - self.seen)
    }

    fn take(&mut self, length: usize) -> String {
        let start = self.seen;
        self.seen += length;
        String::from_utf8_lossy(&self.text[start..self.seen]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::guest::tests::script;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn a_dialogue_goes_by_prompts() {
        let guest = script(
            "printf 'boot\\r\\n# '; read word; printf \"got $word\\r\\n\"",
            LIMIT,
        );
        let mut expect = Expect::new(guest);
        assert_eq!(expect.wait_for("\n# ").unwrap(), "boot\n# ");
        expect.send_line("poweroff").unwrap();
        assert_eq!(expect.until_end().unwrap(), "got poweroff\n");
    }

    #[test]
    fn an_early_end_shows_what_was_printed() {
        let mut expect = Expect::new(script("echo no prompt here", LIMIT));
        let error = expect.wait_for("# ").unwrap_err().to_string();
        assert!(
            error.contains("no prompt here") && error.contains("ended"),
            "{error}"
        );
    }

    #[test]
    fn silence_is_bounded() {
        let mut expect = Expect::new(script("exec sleep 100", Duration::from_millis(50)));
        assert!(expect.wait_for("# ").unwrap_err().to_string().contains("in time"));
    }

    #[test]
    fn lonely_returns_are_kept() {
        let mut expect = Expect::new(script("printf 'a\\rb\\r\\r\\nc'", LIMIT));
        assert_eq!(expect.until_end().unwrap(), "a\rb\r\nc");
    }
}
