//! [`Frame`]: finds one command's output and exit status in what a console prints.
//!
//! The protocol between `cargo xtask exec` and the init program, on the console:
//!
//! ```text
//! \n MARK begin \n        from here every byte is the command's
//! \n MARK status=N \n     the newline before MARK is not the command's; N is decimal
//! ```
//!
//! MARK is a random word that init gets in its environment as `LEVITATE_EXEC` and that nothing else
//! prints. Init switches the terminal's output processing off (`OPOST`) before the first line; if that
//! line still ends in CR LF, it did not, and every CR LF becomes LF again here.

use std::io::{self, Write};

/// The beginning of the kernel's last words, as Linux writes them.
pub(crate) const PANIC: &str = "Kernel panic - not syncing:";

/// Last words of the PC's firmware, on the line on which the kernel begins.
const FIRMWARE_END: &str = "Booting from ROM..";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Boot,
    Output,
    Done(u8),
}

/// A filter from console bytes to command output.
#[derive(Debug)]
pub(crate) struct Frame {
    begin: String,
    end: Vec<u8>,
    phase: Phase,
    /// Bytes that are not decided yet.
    pending: Vec<u8>,
    /// What was printed before the command began.
    boot: Vec<u8>,
    drop_returns: bool,
    /// Whether `pending` begins with the kernel's last words, or a command's imitation of them.
    panic_suspected: bool,
}

impl Frame {
    /// Returns a filter that waits for `mark`.
    pub(crate) fn new(mark: &str) -> Self {
        Self {
            begin: format!("{mark} begin"),
            end: format!("\n{mark} status=").into_bytes(),
            phase: Phase::Boot,
            pending: Vec::new(),
            boot: Vec::new(),
            drop_returns: false,
            panic_suspected: false,
        }
    }

    /// Takes console bytes and writes what is certainly the command's.
    pub(crate) fn feed(&mut self, bytes: &[u8], sink: &mut dyn Write) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        while self.phase == Phase::Boot {
            let Some(length) = self.pending.iter().position(|&byte| byte == b'\n') else {
                break;
            };
            let line: Vec<u8> = self.pending.drain(..=length).collect();
            let text = String::from_utf8_lossy(&line);
            if text.trim_end_matches(['\r', '\n']) == self.begin {
                self.phase = Phase::Output;
                self.drop_returns = line.ends_with(b"\r\n");
            } else {
                self.boot.extend_from_slice(&line);
            }
        }
        if self.phase == Phase::Output {
            self.output(sink)?;
        }
        Ok(())
    }

    /// Returns the command's status once it was printed.
    pub(crate) fn status(&self) -> Option<u8> {
        match self.phase {
            Phase::Done(status) => Some(status),
            Phase::Boot | Phase::Output => None,
        }
    }

    /// Tells whether the kernel's last words seem to have been printed.
    pub(crate) fn panic_suspected(&self) -> bool {
        match self.phase {
            Phase::Boot => find(&self.boot, PANIC).is_some() || find(&self.pending, PANIC).is_some(),
            Phase::Output => self.panic_suspected,
            Phase::Done(_) => false,
        }
    }

    /// Ends the stream when no more bytes come. Returns the kernel's last words, with all that it said if the
    /// command had not begun, if there are any; otherwise writes what was held back.
    pub(crate) fn finish(&mut self, sink: &mut dyn Write) -> io::Result<Option<String>> {
        match self.phase {
            Phase::Done(_) => return Ok(None),
            Phase::Boot => {
                self.boot.append(&mut self.pending);
                return Ok(find(&self.boot, PANIC).map(|_| self.boot_text()));
            }
            Phase::Output => {}
        }
        if self.panic_suspected {
            return Ok(Some(tidy(&self.pending)));
        }
        sink.write_all(&self.pending)?;
        self.pending.clear();
        Ok(None)
    }

    /// Returns what the kernel printed before the command began: the reasons of a panic stand before it.
    pub(crate) fn boot_text(&self) -> String {
        let start = find(&self.boot, FIRMWARE_END).map_or(0, |at| at + FIRMWARE_END.len());
        tidy(&self.boot[start..])
    }

    fn output(&mut self, sink: &mut dyn Write) -> io::Result<()> {
        if self.drop_returns {
            drop_returns(&mut self.pending);
        }
        if let Some(at) = find_bytes(&self.pending, &self.end) {
            let rest = &self.pending[at + self.end.len()..];
            let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
                return Ok(());
            };
            // Init prints the number itself; anything else is a broken init and reads as 255.
            let number = tidy(&rest[..length]).trim().parse::<u8>().unwrap_or(u8::MAX);
            self.phase = Phase::Done(number);
            return sink.write_all(&self.pending[..at]);
        }
        if self.panic_suspected {
            return Ok(());
        }
        let certain = match find(&self.pending, PANIC) {
            Some(at) => {
                self.panic_suspected = true;
                at
            }
            None => {
                let undecided =
                    overlap(&self.pending, &self.end).max(overlap(&self.pending, PANIC.as_bytes()));
                self.pending.len() - undecided
            }
        };
        // A CR at the end may be half of a CR LF that the next bytes complete.
        let certain = match self.pending[..certain].last() {
            Some(b'\r') if self.drop_returns => certain - 1,
            _ => certain,
        };
        sink.write_all(&self.pending[..certain])?;
        self.pending.drain(..certain);
        sink.flush()
    }
}

fn tidy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\r', "")
}

fn drop_returns(bytes: &mut Vec<u8>) {
    let mut kept = Vec::with_capacity(bytes.len());
    for (index, &byte) in bytes.iter().enumerate() {
        if byte != b'\r' || bytes.get(index + 1) != Some(&b'\n') {
            kept.push(byte);
        }
    }
    *bytes = kept;
}

fn find(haystack: &[u8], needle: &str) -> Option<usize> {
    find_bytes(haystack, needle.as_bytes())
}

fn find_bytes(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Returns how many bytes at the end of `text` may be the beginning of `pattern`.
fn overlap(text: &[u8], pattern: &[u8]) -> usize {
    let most = text.len().min(pattern.len() - 1);
    (1..=most)
        .rev()
        .find(|&length| text.ends_with(&pattern[..length]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a whole console text in pieces of every size and checks that all sizes agree.
    fn run(console: &str) -> (String, Option<u8>, Option<String>) {
        let mut answers = Vec::new();
        for size in 1..=console.len() {
            let mut frame = Frame::new("MARK");
            let mut output = Vec::new();
            for piece in console.as_bytes().chunks(size) {
                frame.feed(piece, &mut output).unwrap();
            }
            let panic = frame.finish(&mut output).unwrap();
            answers.push((String::from_utf8(output).unwrap(), frame.status(), panic));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "the size of pieces matters: {answers:#?}");
        answers.remove(0)
    }

    #[test]
    fn output_stands_between_the_marks() {
        let (output, status, panic) =
            run("boot LEVITATE_EXEC=MARK\n\nMARK begin\na\nb\n\nMARK status=7\nbye\n");
        assert_eq!((output.as_str(), status, panic), ("a\nb\n", Some(7), None));
    }

    #[test]
    fn a_missing_newline_is_not_invented() {
        assert_eq!(run("MARK begin\n3 2 1 \nMARK status=0\n").0, "3 2 1 ");
        assert_eq!(run("MARK begin\n\nMARK status=0\n").0, "");
    }

    #[test]
    fn raw_bytes_pass_unchanged() {
        let (output, ..) = run("MARK begin\na\r\nb\r\r\n\rMAR\nMARK statu\n\nMARK status=0\n");
        assert_eq!(output, "a\r\nb\r\r\n\rMAR\nMARK statu\n");
    }

    #[test]
    fn a_cooked_console_is_uncooked() {
        let (output, status, _) = run("x\r\nMARK begin\r\na\r\nb\rc\r\n\r\nMARK status=255\r\n");
        assert_eq!((output.as_str(), status), ("a\nb\rc\n", Some(255)));
    }

    #[test]
    fn a_panic_ends_the_output() {
        let (output, status, panic) =
            run("MARK begin\nhalf Kernel panic - not syncing: no memory\r\nCPU 0\r\n");
        assert_eq!((output.as_str(), status), ("half ", None));
        assert_eq!(
            panic.as_deref(),
            Some("Kernel panic - not syncing: no memory\nCPU 0\n")
        );
    }

    #[test]
    fn a_panic_before_the_command_comes_with_its_reason() {
        let text = "firmware\nBooting from ROM..unpacking failed\nKernel panic - not syncing: no init";
        let (output, status, panic) = run(text);
        assert_eq!((output.as_str(), status), ("", None));
        let words = "unpacking failed\nKernel panic - not syncing: no init";
        assert_eq!(panic.as_deref(), Some(words));
    }

    #[test]
    fn a_command_may_print_the_words_of_a_panic() {
        let (output, status, panic) =
            run("MARK begin\nKernel panic - not syncing: quoted\n\nMARK status=1\n");
        assert_eq!(output, "Kernel panic - not syncing: quoted\n");
        assert_eq!((status, panic), (Some(1), None));
    }

    #[test]
    fn an_end_without_status_gives_what_there_was() {
        let (output, status, panic) = run("MARK begin\npart\nMARK sta");
        assert_eq!((output.as_str(), status, panic), ("part\nMARK sta", None, None));
    }

    #[test]
    fn output_streams_without_waiting_for_the_end() {
        let mut frame = Frame::new("MARK");
        let mut output = Vec::new();
        frame.feed(b"MARK begin\nline 1\nline 2", &mut output).unwrap();
        assert_eq!(output, b"line 1\nline 2");
    }
}
