//! Names of core dumps: what the letters behind a percent sign stand for (core(5)).

use alloc::vec::Vec;
use core::fmt::{self, Write};

use los_abi::errno::Errno;

use super::settings::Dumpable;
use crate::pid::Pid;

/// What a name can tell.
pub(super) struct Facts<'a> {
    pub(super) pid: Pid,
    pub(super) tid: Pid,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) dumpable: Dumpable,
    pub(super) signal: u32,
    pub(super) limit: u64,
    pub(super) seconds: u64,
    pub(super) cpu: u32,
    pub(super) host: &'a [u8],
    pub(super) name: &'a [u8],
    pub(super) program: &'a [u8],
}

/// Whether names end in the process's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    Plain,
    Pid,
}

/// Returns the name of a file.
///
/// # Errors
/// ENOMEM.
pub(super) fn file_name(pattern: &[u8], facts: &Facts<'_>, ending: Ending) -> Result<Vec<u8>, Errno> {
    let mut name = Name::default();
    let tells_pid = name.expand(pattern, facts);
    if ending == Ending::Pid && !tells_pid {
        name.number(".", facts.pid);
    }
    name.finish()
}

/// Returns the words of a command: those of the pattern, each with what its letters stand for.
///
/// # Errors
/// ENOMEM; ENOENT for no command.
pub(super) fn words(pattern: &[u8], facts: &Facts<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let mut words = Vec::new();
    let is_space = |byte: &u8| byte.is_ascii_whitespace();
    for word in pattern.split(is_space).filter(|word| !word.is_empty()) {
        let mut name = Name::default();
        name.expand(word, facts);
        words.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        words.push(name.finish()?);
    }
    if words.is_empty() {
        return Err(Errno::ENOENT);
    }
    Ok(words)
}

/// A name that is being made; `None` when memory has run out.
struct Name(Option<Vec<u8>>);

impl Default for Name {
    fn default() -> Self {
        Self(Some(Vec::new()))
    }
}

impl Name {
    /// Appends a pattern with what its letters stand for; true if that told the process's number.
    fn expand(&mut self, pattern: &[u8], facts: &Facts<'_>) -> bool {
        let mut tells_pid = false;
        let mut bytes = pattern.iter();
        while let Some(&byte) = bytes.next() {
            if byte != b'%' {
                self.bytes(&[byte]);
                continue;
            }
            let Some(&letter) = bytes.next() else { break };
            tells_pid |= letter == b'p';
            self.letter(letter, facts);
        }
        tells_pid
    }

    fn letter(&mut self, letter: u8, facts: &Facts<'_>) {
        let base = facts.program.rsplit(|byte| *byte == b'/').next();
        match letter {
            b'%' => self.bytes(b"%"),
            b'p' | b'P' => self.number("", facts.pid),
            b'i' | b'I' => self.number("", facts.tid),
            b'u' => self.number("", facts.uid),
            b'g' => self.number("", facts.gid),
            b'd' => self.number("", facts.dumpable.number()),
            b's' => self.number("", facts.signal),
            b't' => self.number("", facts.seconds),
            b'c' => self.number("", facts.limit),
            b'C' => self.number("", facts.cpu),
            b'h' => self.component(facts.host),
            b'e' => self.component(facts.name),
            b'f' => self.component(base.unwrap_or_default()),
            b'E' => self.component(facts.program),
            // What is unknown vanishes.
            _ => {}
        }
    }

    /// Appends a text that is not to lead into another directory.
    fn component(&mut self, text: &[u8]) {
        match text {
            b"" | b"." => self.bytes(b"!"),
            b".." => self.bytes(b"!."),
            _ => text
                .iter()
                .for_each(|byte| self.bytes(&[if *byte == b'/' { b'!' } else { *byte }])),
        }
    }

    fn number(&mut self, before: &str, number: impl fmt::Display) {
        // `write_str` notes what does not fit.
        let _noted = write!(self, "{before}{number}");
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let Some(name) = &mut self.0 else { return };
        if name.try_reserve(bytes.len()).is_ok() {
            name.extend_from_slice(bytes);
        } else {
            self.0 = None;
        }
    }

    fn finish(self) -> Result<Vec<u8>, Errno> {
        self.0.ok_or(Errno::ENOMEM)
    }
}

impl Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts<'_> = Facts {
        pid: 12,
        tid: 13,
        uid: 1000,
        gid: 100,
        dumpable: Dumpable::User,
        signal: 11,
        limit: 4096,
        seconds: 1_700_000_000,
        cpu: 0,
        host: b"box",
        name: b"a/b",
        program: b"/usr/bin/prog",
    };

    fn name(pattern: &[u8], ending: Ending) -> Vec<u8> {
        file_name(pattern, &FACTS, ending).unwrap()
    }

    #[test]
    fn letters_stand_for_facts() {
        let cases: [(&[u8], &[u8]); 9] = [
            (b"core", b"core"),
            (b"/var/%e.%p", b"/var/a!b.12"),
            (b"%E-%f", b"!usr!bin!prog-prog"),
            (b"%u.%g.%d.%s", b"1000.100.1.11"),
            (b"%t %c %h", b"1700000000 4096 box"),
            (b"%P-%i-%I", b"12-13-13"),
            (b"100%%", b"100%"),
            (b"a%zb", b"ab"),
            (b"end%", b"end"),
        ];
        for (pattern, expected) in cases {
            assert_eq!(name(pattern, Ending::Plain), expected);
        }
    }

    #[test]
    fn the_number_is_appended_unless_it_is_there() {
        assert_eq!(name(b"core", Ending::Pid), b"core.12");
        assert_eq!(name(b"%p", Ending::Pid), b"12");
        assert_eq!(name(b"%P", Ending::Pid), b"12.12");
    }

    #[test]
    fn texts_of_programs_never_name_directories() {
        for (text, expected) in [
            (&b".."[..], &b"!."[..]),
            (b".", b"!"),
            (b"", b"!"),
            (b"...", b"..."),
        ] {
            let facts = Facts { name: text, ..FACTS };
            assert_eq!(file_name(b"%e", &facts, Ending::Plain).unwrap(), expected);
        }
    }

    #[test]
    fn commands_are_split_before_letters_are_read() {
        let facts = Facts {
            name: b"two words",
            ..FACTS
        };
        let found = words(b"/bin/save  %p %e", &facts).unwrap();
        assert_eq!(found, [&b"/bin/save"[..], b"12", b"two words"]);
        assert_eq!(words(b" ", &facts), Err(Errno::ENOENT));
    }
}
