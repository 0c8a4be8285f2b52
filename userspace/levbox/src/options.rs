//! Options: single letters, bundled or with values, and a few long names (`POSIX.1-2017, 12.2`).

use alloc::vec::Vec;

use rt::println;
use rt::text::Text;

use crate::Call;

/// What a utility accepts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grammar {
    /// Letters; one with a colon behind it takes a value, as for getopt(3).
    pub letters: &'static str,
    /// Long names for letters.
    pub long: &'static [(&'static str, u8)],
    /// Whether options end at the first operand, because the rest belongs to somebody else.
    pub operands_last: bool,
}

/// The options and operands of one call.
#[derive(Clone, Debug, Default)]
pub struct Options {
    given: Vec<(u8, Vec<u8>)>,
    /// What is no option.
    pub operands: Vec<Vec<u8>>,
}

impl Grammar {
    /// Makes a grammar of letters alone.
    pub const fn of(letters: &'static str) -> Self {
        Self {
            letters,
            long: &[],
            operands_last: false,
        }
    }

    /// Adds long names for letters.
    pub const fn with_long(self, long: &'static [(&'static str, u8)]) -> Self {
        Self { long, ..self }
    }

    fn takes_value(&self, letter: u8) -> Option<bool> {
        let letters = self.letters.as_bytes();
        let index = letters
            .iter()
            .position(|known| *known == letter && letter != b':')?;
        Some(letters.get(index + 1) == Some(&b':'))
    }
}

impl Options {
    /// Reads a call's options.
    ///
    /// # Errors
    /// The exit status, when there is nothing left to do: after `--help`, or after a message about an
    /// option that does not exist.
    pub fn parse(call: &Call<'_>, grammar: &Grammar) -> Result<Self, i32> {
        let mut options = Self::default();
        let mut arguments = call.arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_slice() {
                b"--" => {
                    options.operands.extend(arguments.cloned());
                    break;
                }
                b"--help" => {
                    println!("Usage: {} {}", call.applet.name, call.applet.usage);
                    return Err(0);
                }
                [b'-', b'-', name @ ..] => {
                    let known = grammar.long.iter().find(|(long, _)| long.as_bytes() == name);
                    let Some((_, letter)) = known else {
                        call.complain(format_args!("unrecognized option '--{}'", Text(name)));
                        return Err(call.misused());
                    };
                    options.given.push((*letter, Vec::new()));
                }
                [b'-', letters @ ..] if !letters.is_empty() => {
                    options.read_letters(call, grammar, letters, &mut arguments)?;
                }
                _ if grammar.operands_last => {
                    options.operands.push(argument.clone());
                    options.operands.extend(arguments.cloned());
                    break;
                }
                _ => options.operands.push(argument.clone()),
            }
        }
        Ok(options)
    }

    fn read_letters<'a>(
        &mut self,
        call: &Call<'_>,
        grammar: &Grammar,
        letters: &[u8],
        arguments: &mut impl Iterator<Item = &'a Vec<u8>>,
    ) -> Result<(), i32> {
        for (index, letter) in letters.iter().enumerate() {
            match grammar.takes_value(*letter) {
                Some(false) => self.given.push((*letter, Vec::new())),
                Some(true) => {
                    let rest = &letters[index + 1..];
                    let value = if rest.is_empty() {
                        arguments.next().cloned()
                    } else {
                        Some(rest.to_vec())
                    };
                    let Some(value) = value else {
                        let letter = char::from(*letter);
                        call.complain(format_args!("option requires an argument -- '{letter}'"));
                        return Err(call.misused());
                    };
                    self.given.push((*letter, value));
                    return Ok(());
                }
                None => {
                    call.complain(format_args!("invalid option -- '{}'", char::from(*letter)));
                    return Err(call.misused());
                }
            }
        }
        Ok(())
    }

    /// Tells whether a letter was given.
    pub fn has(&self, letter: u8) -> bool {
        self.given.iter().any(|(given, _)| *given == letter)
    }

    /// Tells whether any of the letters was given.
    pub fn has_any(&self, letters: &[u8]) -> bool {
        letters.iter().any(|letter| self.has(*letter))
    }

    /// Returns which of the letters was given last.
    pub fn last_of(&self, letters: &[u8]) -> Option<u8> {
        self.given
            .iter()
            .rev()
            .map(|(letter, _)| *letter)
            .find(|letter| letters.contains(letter))
    }

    /// Returns the value that a letter was given last.
    pub fn value(&self, letter: u8) -> Option<&[u8]> {
        self.values(letter).last()
    }

    /// Iterates over all values that a letter was given.
    pub fn values(&self, letter: u8) -> impl Iterator<Item = &[u8]> {
        self.given
            .iter()
            .filter(move |(given, _)| *given == letter)
            .map(|(_, value)| value.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::{Grammar, Options};
    use crate::{APPLETS, Call};
    use alloc::vec::Vec;

    fn parse(grammar: Grammar, words: &[&str]) -> Result<Options, i32> {
        let arguments: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        Options::parse(
            &Call {
                applet: &APPLETS[0],
                arguments: &arguments,
                environment: &[],
            },
            &grammar,
        )
    }

    #[test]
    fn letters_bundle_and_take_values() {
        let options = parse(Grammar::of("abn:"), &["-ab", "x", "-n5", "-n", "7", "--", "-b"]).unwrap();
        assert!(options.has(b'a') && options.has(b'b'));
        assert_eq!(options.value(b'n'), Some(&b"7"[..]));
        assert_eq!(options.values(b'n').count(), 2);
        assert_eq!(options.last_of(b"ab"), Some(b'b'));
        assert_eq!(options.operands, [b"x".to_vec(), b"-b".to_vec()]);
    }

    #[test]
    fn operands_may_end_the_options() {
        let grammar = Grammar {
            operands_last: true,
            ..Grammar::of("i")
        };
        let options = parse(grammar, &["-i", "cmd", "-z"]).unwrap();
        assert_eq!(options.operands, [b"cmd".to_vec(), b"-z".to_vec()]);
    }

    #[test]
    fn unknown_options_and_missing_values_are_refused() {
        let grammar = Grammar {
            long: &[("all", b'a')],
            ..Grammar::of("an:")
        };
        assert!(parse(grammar, &["--all"]).unwrap().has(b'a'));
        assert!(parse(grammar, &["-"]).unwrap().operands == [b"-".to_vec()]);
        for words in [&["-z"][..], &["--none"], &["-n"], &["-:"]] {
            assert_eq!(parse(grammar, words).unwrap_err(), 1);
        }
    }
}
