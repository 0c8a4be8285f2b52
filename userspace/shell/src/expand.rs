//! Expansion: from words of the program to the fields that a command sees.
//!
//! Tilde, parameters, commands and arithmetic are expanded part by part into [`Fields`]; then names are
//! matched and quotes are gone. `POSIX.1-2017, Shell Command Language, 2.6`.

use alloc::format;
use alloc::vec::Vec;

use rt::text::{self, Text};

use crate::arithmetic;
use crate::ast::{Operation, Parameter, Part, Substitution, Word};
use crate::fields::{Fields, Purpose};
use crate::glob;
use crate::pattern;
use crate::shell::{Flow, Shell};

/// How a part stands in its word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the word itself.
    Bare,
    /// In the word of an unquoted `${name-word}`, which is split like a value.
    Substituted,
    /// Inside double quotes.
    Quoted,
}

/// What a parameter stands for.
enum Value {
    Unset,
    One(Vec<u8>),
    /// `$@` and `$*`.
    Many(Vec<Vec<u8>>),
}

impl Shell {
    /// Expands words to fields: split, and matched against names.
    ///
    /// # Errors
    /// [`Flow::Fail`] when an expansion fails; its message is printed.
    pub fn expand_words(&mut self, words: &[Word]) -> Result<Vec<Vec<u8>>, Flow> {
        let separators = self.separators();
        let mut result = Vec::new();
        for word in words {
            let patterns = self
                .expand(word, Purpose::Words(separators.clone()))?
                .into_patterns();
            for field in patterns {
                let names = if !self.options.no_glob && pattern::has_wildcard(&field) {
                    glob::expand(&field)
                } else {
                    Vec::new()
                };
                if names.is_empty() {
                    result.push(pattern::unescape(&field));
                } else {
                    result.extend(names);
                }
            }
        }
        Ok(result)
    }

    /// Expands a word to one text, as for redirections and here-documents.
    ///
    /// # Errors
    /// As [`Shell::expand_words`].
    pub fn expand_text(&mut self, word: &Word) -> Result<Vec<u8>, Flow> {
        let patterns = self.expand(word, Purpose::Text)?.into_patterns();
        Ok(pattern::unescape(&patterns.concat()))
    }

    /// Expands the value of an assignment: one text, with tildes behind colons too.
    ///
    /// # Errors
    /// As [`Shell::expand_words`].
    pub fn expand_assignment(&mut self, word: &Word) -> Result<Vec<u8>, Flow> {
        let [Part::Literal(text), ..] = word.parts.as_slice() else {
            return self.expand_text(word);
        };
        if !text.contains(&b'~') || !text.contains(&b':') {
            return self.expand_text(word);
        }
        let pieces: Vec<Vec<u8>> = text
            .split(|byte| *byte == b':')
            .map(|piece| self.expand_tilde(piece, true).unwrap_or_else(|| piece.to_vec()))
            .collect();
        let mut parts = Vec::from([Part::Quoted(pieces.join(&b':'))]);
        parts.extend_from_slice(&word.parts[1..]);
        self.expand_text(&Word { parts })
    }

    /// Expands a word to a pattern, as for `case`.
    ///
    /// # Errors
    /// As [`Shell::expand_words`].
    pub fn expand_pattern(&mut self, word: &Word) -> Result<Vec<u8>, Flow> {
        Ok(self.expand(word, Purpose::Pattern)?.into_patterns().concat())
    }

    fn expand(&mut self, word: &Word, purpose: Purpose) -> Result<Fields, Flow> {
        let mut fields = Fields::new(purpose);
        let mut parts = word.parts.as_slice();
        if let [Part::Literal(text), rest @ ..] = parts
            && let Some(expanded) = self.expand_tilde(text, rest.is_empty())
        {
            let prefix = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
            fields.quoted(&expanded[..expanded.len() - (text.len() - prefix)]);
            fields.literal(&text[prefix..]);
            parts = rest;
        }
        self.expand_parts(parts, Place::Bare, &mut fields)?;
        Ok(fields)
    }

    fn expand_parts(&mut self, parts: &[Part], place: Place, fields: &mut Fields) -> Result<(), Flow> {
        for part in parts {
            match part {
                Part::Literal(text) if place == Place::Substituted => fields.value(text),
                Part::Literal(text) => fields.literal(text),
                Part::Quoted(text) => fields.quoted(text),
                Part::DoubleQuoted(parts) => {
                    // `"$@"` without parameters is no field at all; any other `""` is an empty one.
                    let vanishes = !parts.is_empty()
                        && self.positional.is_empty()
                        && parts.iter().all(is_all_parameters);
                    if !vanishes {
                        fields.begin();
                        self.expand_parts(parts, Place::Quoted, fields)?;
                    }
                }
                Part::Parameter(parameter) => self.expand_parameter(parameter, place, fields)?,
                Part::Command(list) => {
                    let output = self.substitute_command(list)?;
                    put(&output, place, fields);
                }
                Part::Arithmetic(word) => {
                    let text = self.expand_text(word)?;
                    match arithmetic::evaluate(&text, &mut self.variables) {
                        Ok(value) => put(format!("{value}").as_bytes(), place, fields),
                        Err(message) => {
                            return Err(self.fail(format_args!("{}: {message}", Text(&text))));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn expand_parameter(
        &mut self,
        parameter: &Parameter,
        place: Place,
        fields: &mut Fields,
    ) -> Result<(), Flow> {
        let name = parameter.name.as_slice();
        let value = self.parameter(name);
        match &parameter.operation {
            Operation::Value => {
                self.require_set(name, &value)?;
                self.put_value(name, value, place, fields);
            }
            Operation::Length => {
                self.require_set(name, &value)?;
                let length = match value {
                    Value::Unset => 0,
                    Value::One(text) => text.len(),
                    Value::Many(texts) => texts.len(),
                };
                put(format!("{length}").as_bytes(), place, fields);
            }
            Operation::Trim {
                side,
                longest,
                pattern,
            } => {
                self.require_set(name, &value)?;
                let pattern = self.expand_pattern(pattern)?;
                let trim = |text: &[u8]| pattern::trim(text, &pattern, *side, *longest).to_vec();
                let value = match value {
                    Value::Unset => Value::Unset,
                    Value::One(text) => Value::One(trim(&text)),
                    Value::Many(texts) => Value::Many(texts.iter().map(|text| trim(text)).collect()),
                };
                self.put_value(name, value, place, fields);
            }
            Operation::Substitute {
                kind,
                empty_is_unset,
                word,
            } => {
                let is_text = |text: &Vec<u8>| !(*empty_is_unset && text.is_empty());
                let is_set = match &value {
                    Value::Unset => false,
                    Value::One(text) => is_text(text),
                    Value::Many(texts) => texts.iter().any(is_text),
                };
                match (kind, is_set) {
                    (Substitution::Alternative, false) => {}
                    (Substitution::Alternative, true) => self.substitute(name, *kind, word, place, fields)?,
                    (_, true) => self.put_value(name, value, place, fields),
                    (_, false) => self.substitute(name, *kind, word, place, fields)?,
                }
            }
        }
        Ok(())
    }

    /// Puts the word of `${name-word}` and its kin in the parameter's place.
    fn substitute(
        &mut self,
        name: &[u8],
        kind: Substitution,
        word: &Word,
        place: Place,
        fields: &mut Fields,
    ) -> Result<(), Flow> {
        match kind {
            Substitution::Alternative | Substitution::Default => {
                let place = if place == Place::Bare {
                    Place::Substituted
                } else {
                    place
                };
                self.expand_parts(&word.parts, place, fields)
            }
            Substitution::Assign => {
                let text = self.expand_text(word)?;
                self.assign(name, text.clone())?;
                put(&text, place, fields);
                Ok(())
            }
            Substitution::Require => {
                let message = self.expand_text(word)?;
                let message = if message.is_empty() {
                    b"parameter not set".to_vec()
                } else {
                    message
                };
                Err(self.fail(format_args!("{}: {}", Text(name), Text(&message))))
            }
        }
    }

    fn put_value(&self, name: &[u8], value: Value, place: Place, fields: &mut Fields) {
        match value {
            Value::Unset => {}
            Value::One(text) => put(&text, place, fields),
            Value::Many(texts) => {
                let joins = !fields.keeps_apart() || name == b"*" && place == Place::Quoted;
                if joins {
                    let separators = self.separators();
                    let separator = if name == b"@" {
                        Some(&b' ')
                    } else {
                        separators.first()
                    };
                    let joined = match separator {
                        Some(separator) => texts.join(separator),
                        None => texts.concat(),
                    };
                    put(&joined, place, fields);
                    return;
                }
                for (index, text) in texts.iter().enumerate() {
                    if index > 0 {
                        fields.finish();
                    }
                    put(text, place, fields);
                }
            }
        }
    }

    fn parameter(&self, name: &[u8]) -> Value {
        match name {
            b"@" | b"*" => Value::Many(self.positional.clone()),
            b"#" => Value::One(format!("{}", self.positional.len()).into_bytes()),
            b"?" => Value::One(format!("{}", self.status).into_bytes()),
            b"$" => Value::One(format!("{}", self.pid).into_bytes()),
            b"-" => Value::One(self.options.letters()),
            b"!" => match self.last_background {
                Some(pid) => Value::One(format!("{pid}").into_bytes()),
                None => Value::Unset,
            },
            b"0" => Value::One(self.name.clone()),
            digits if digits[0].is_ascii_digit() => {
                let index = text::parse_unsigned(digits, 10).and_then(|index| usize::try_from(index).ok());
                match index.and_then(|index| self.positional.get(index.checked_sub(1)?)) {
                    Some(value) => Value::One(value.clone()),
                    None => Value::Unset,
                }
            }
            name => match self.variables.get(name) {
                Some(value) => Value::One(value.to_vec()),
                None => Value::Unset,
            },
        }
    }

    fn require_set(&mut self, name: &[u8], value: &Value) -> Result<(), Flow> {
        if self.options.no_unset && matches!(value, Value::Unset) {
            return Err(self.fail(format_args!("{}: parameter not set", Text(name))));
        }
        Ok(())
    }

    /// Returns the text with its `~` or `~user` expanded, when it begins with one that is complete.
    fn expand_tilde(&self, text: &[u8], ends_word: bool) -> Option<Vec<u8>> {
        let rest = text.strip_prefix(b"~")?;
        let end = rest.iter().position(|byte| *byte == b'/');
        if end.is_none() && !ends_word {
            return None;
        }
        let (user, path) = rest.split_at(end.unwrap_or(rest.len()));
        let home = if user.is_empty() {
            self.variables.get(b"HOME")?.to_vec()
        } else {
            home_of(user)?
        };
        Some([&home, path].concat())
    }

    /// Returns the bytes of IFS, or the default ones.
    pub(crate) fn separators(&self) -> Vec<u8> {
        self.variables.get(b"IFS").unwrap_or(b" \t\n").to_vec()
    }
}

/// Appends an expansion's result.
fn put(text: &[u8], place: Place, fields: &mut Fields) {
    if place == Place::Quoted {
        fields.quoted(text)
    } else {
        fields.value(text)
    }
}

fn is_all_parameters(part: &Part) -> bool {
    matches!(part, Part::Parameter(parameter)
        if parameter.name == b"@" && parameter.operation == Operation::Value)
}

/// Looks up a user's home directory in `/etc/passwd`.
fn home_of(user: &[u8]) -> Option<Vec<u8>> {
    let table = rt::fs::read(b"/etc/passwd").ok()?;
    let mut lines = table.split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.strip_prefix(user).is_some_and(|rest| rest.starts_with(b":")))?;
    line.split(|byte| *byte == b':').nth(5).map(<[u8]>::to_vec)
}
