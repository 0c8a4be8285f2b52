//! The kernel command line, with the words and rules of Linux (kernel-parameters.txt, bootparam(7)).

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

/// What `panic=` asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum PanicAction {
    /// 0, the default: stop for ever.
    #[default]
    Halt,
    /// Negative: reboot at once.
    RebootNow,
    /// Positive: reboot after so many seconds.
    RebootAfter(u32),
}

/// The console shows messages below this level; Linux's default.
const DEFAULT_LOG_LEVEL: u8 = 7;
/// What `quiet` means.
const QUIET_LOG_LEVEL: u8 = 4;
/// The highest level that `loglevel=` takes.
const MAX_LOG_LEVEL: u8 = 15;
/// What `debug` means.
const DEBUG_LOG_LEVEL: u8 = 10;

/// The parsed command line. Borrows nothing, since boot memory is reused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CommandLine {
    /// What was in force from the first message on.
    pub(crate) early: EarlySettings,
    /// `rdinit=`.
    pub(crate) ramdisk_init: Option<Vec<u8>>,
    /// `init=`.
    pub(crate) init: Option<Vec<u8>>,
    /// `fork=eager|cow`: whether fork copies all memory at once.
    pub(crate) eager_fork: Option<bool>,
    /// `norandmaps`: programs find everything at the same addresses each time.
    pub(crate) no_random_maps: bool,
    /// Names given by `console=`, in order.
    pub(crate) consoles: Vec<Vec<u8>>,
    /// Arguments for init: unknown words without `=`, and everything after `--`.
    pub(crate) init_arguments: Vec<Vec<u8>>,
    /// Environment for init: unknown `key=value` words whose key has no dot.
    pub(crate) init_environment: Vec<Vec<u8>>,
    /// Words that were understood but have a value that makes no sense.
    pub(crate) rejected: Vec<Vec<u8>>,
}

impl Default for CommandLine {
    fn default() -> Self {
        Self {
            early: early_settings(b""),
            ramdisk_init: None,
            init: None,
            eager_fork: None,
            no_random_maps: false,
            consoles: Vec::new(),
            init_arguments: Vec::new(),
            init_environment: Vec::new(),
            rejected: Vec::new(),
        }
    }
}

impl CommandLine {
    /// Parses the line; never fails, since a kernel that does not start explains nothing.
    pub(crate) fn parse(line: &[u8]) -> Self {
        let mut parsed = Self::default();
        let mut words = Words { rest: line };
        while let Some(word) = words.next() {
            if word == b"--" {
                parsed.init_arguments.extend(words);
                break;
            }
            if !parsed.apply(&word) {
                parsed.rejected.push(word);
            }
        }
        parsed
    }

    /// Applies one word; false when its value is wrong.
    fn apply(&mut self, word: &[u8]) -> bool {
        if let Some(understood) = self.early.apply(word) {
            return understood;
        }
        let (key, value) = match word.iter().position(|&byte| byte == b'=') {
            Some(at) => (&word[..at], Some(&word[at + 1..])),
            None => (word, None),
        };
        match (key, value) {
            (b"rdinit", Some(path)) => self.ramdisk_init = Some(path.to_owned()),
            (b"init", Some(path)) => {
                self.init = Some(path.to_owned());
                // As in Linux: what stood before `init=` was not meant for it.
                self.init_arguments.clear();
            }
            (b"console", Some(name)) => self.consoles.push(name.to_owned()),
            (b"fork", Some(b"eager")) => self.eager_fork = Some(true),
            (b"fork", Some(b"cow")) => self.eager_fork = Some(false),
            (b"fork", _) => return false,
            (b"norandmaps", None) => self.no_random_maps = true,
            // Module parameters (`name.key=value`) are not init's business.
            _ if key.contains(&b'.') => {}
            (_, Some(_)) => self.init_environment.push(word.to_owned()),
            (_, None) => self.init_arguments.push(word.to_owned()),
        }
        true
    }
}

/// What the log and the panic handler need to know before there is a heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EarlySettings {
    /// `quiet`, `debug`, `loglevel=`.
    pub(crate) log_level: u8,
    /// `panic=`.
    pub(crate) panic: PanicAction,
}

/// Reads the words that matter before there is a heap.
pub(crate) fn early_settings(line: &[u8]) -> EarlySettings {
    let mut settings = EarlySettings {
        log_level: DEFAULT_LOG_LEVEL,
        panic: PanicAction::default(),
    };
    for word in line
        .split(u8::is_ascii_whitespace)
        .take_while(|word| *word != b"--")
    {
        settings.apply(word);
    }
    settings
}

impl EarlySettings {
    /// Applies one word: `None` if it is for somebody else, `Some(false)` if its value is wrong.
    fn apply(&mut self, word: &[u8]) -> Option<bool> {
        let value_of = |key: &[u8]| word.strip_prefix(key);
        if word == b"quiet" {
            self.log_level = QUIET_LOG_LEVEL;
        } else if word == b"debug" {
            self.log_level = DEBUG_LOG_LEVEL;
        } else if let Some(value) = value_of(b"loglevel=") {
            let level = parse_number(value).and_then(|level| u8::try_from(level).ok());
            self.log_level = match level {
                Some(level @ ..=MAX_LOG_LEVEL) => level,
                _ => return Some(false),
            };
        } else if let Some(value) = value_of(b"panic=") {
            self.panic = match parse_number(value) {
                Some(0) => PanicAction::Halt,
                Some(..0) => PanicAction::RebootNow,
                Some(seconds) => PanicAction::RebootAfter(seconds.unsigned_abs()),
                None => return Some(false),
            };
        } else {
            return None;
        }
        Some(true)
    }
}

fn parse_number(text: &[u8]) -> Option<i32> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// Splits at white space; double quotes protect it and are removed.
struct Words<'a> {
    rest: &'a [u8],
}

impl Iterator for Words<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let start = self.rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let mut word = Vec::new();
        let mut quoted = false;
        let mut used = start;
        for &byte in &self.rest[start..] {
            if byte.is_ascii_whitespace() && !quoted {
                break;
            }
            used += 1;
            match byte {
                b'"' => quoted = !quoted,
                _ => word.push(byte),
            }
        }
        self.rest = &self.rest[used..];
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_line_gives_the_defaults() {
        assert_eq!(CommandLine::parse(b"  \n"), CommandLine::default());
    }

    #[test]
    fn kernel_words_are_taken_and_the_rest_is_for_init() {
        let line = CommandLine::parse(
            b"console=ttyS0 quiet norandmaps panic=-1 HOME=/x single usb.foo=1 -- a \"b c\" quiet",
        );
        assert_eq!(line.early.log_level, QUIET_LOG_LEVEL);
        assert_eq!(line.early.panic, PanicAction::RebootNow);
        assert_eq!(line.consoles, [b"ttyS0"]);
        assert!(line.no_random_maps && !CommandLine::parse(b"").no_random_maps);
        assert_eq!(line.init_environment, [b"HOME=/x"]);
        let arguments: [&[u8]; 4] = [b"single", b"a", b"b c", b"quiet"];
        assert_eq!(line.init_arguments, arguments);
    }

    #[test]
    fn init_forgets_earlier_arguments() {
        let line = CommandLine::parse(b"early init=/sbin/my rdinit=/r late");
        assert_eq!(line.init.as_deref(), Some(&b"/sbin/my"[..]));
        assert_eq!(line.ramdisk_init.as_deref(), Some(&b"/r"[..]));
        assert_eq!(line.init_arguments, [b"late"]);
    }

    #[test]
    fn bad_values_are_rejected_and_the_default_stays() {
        let line = CommandLine::parse(b"loglevel=99 panic=soon fork=maybe loglevel=3");
        assert_eq!(line.rejected.len(), 3);
        assert_eq!((line.early.log_level, line.early.panic), (3, PanicAction::Halt));
    }

    #[test]
    fn panic_seconds() {
        assert_eq!(
            CommandLine::parse(b"panic=5").early.panic,
            PanicAction::RebootAfter(5)
        );
    }
}
