//! Fields under construction: what the parts of a word become, split by IFS where that is due.
//!
//! A field is kept as a pattern (see [`crate::pattern`]), so that quoted wildcards stay inert until
//! names have been matched. `POSIX.1-2017, Shell Command Language, 2.6.5`.

use alloc::vec::Vec;
use core::mem;

use crate::pattern;

/// What the fields are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Words of a command: values are split at these bytes.
    Words(Vec<u8>),
    /// One text: nothing is split.
    Text,
    /// One pattern: nothing is split, and a backslash in a value quotes.
    Pattern,
}

/// Finished fields and the one being built.
#[derive(Debug)]
pub struct Fields {
    purpose: Purpose,
    done: Vec<Vec<u8>>,
    current: Option<Vec<u8>>,
    /// Whether white space ended the last field: a delimiter behind it ends no other.
    after_space: bool,
}

impl Fields {
    /// Starts without any field.
    pub fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            done: Vec::new(),
            current: None,
            after_space: false,
        }
    }

    /// Begins a field, which then exists even if it stays empty.
    pub fn begin(&mut self) {
        self.current.get_or_insert_default();
        self.after_space = false;
    }

    /// Ends the field, if one was begun.
    pub fn finish(&mut self) {
        self.done.extend(self.current.take());
    }

    /// Appends text that stands for itself.
    pub fn quoted(&mut self, text: &[u8]) {
        self.begin();
        pattern::escape(text, self.current.get_or_insert_default());
    }

    /// Appends text from the program, in which wildcards are active.
    pub fn literal(&mut self, text: &[u8]) {
        self.begin();
        self.current.get_or_insert_default().extend_from_slice(text);
    }

    /// Appends an unquoted expansion's value: it is split, and wildcards in it are active.
    pub fn value(&mut self, text: &[u8]) {
        let purpose = mem::replace(&mut self.purpose, Purpose::Text);
        for byte in text {
            match &purpose {
                Purpose::Words(separators) if separators.contains(byte) => self.separator(*byte),
                Purpose::Pattern => self.literal(&[*byte]),
                _ if *byte == b'\\' => self.quoted(b"\\"),
                _ => self.literal(&[*byte]),
            }
        }
        self.purpose = purpose;
    }

    /// Tells whether separate parameters stay separate fields.
    pub fn keeps_apart(&self) -> bool {
        matches!(self.purpose, Purpose::Words(_))
    }

    /// Returns the fields as patterns.
    pub fn into_patterns(mut self) -> Vec<Vec<u8>> {
        self.finish();
        self.done
    }

    fn separator(&mut self, byte: u8) {
        if b" \t\n".contains(&byte) {
            if self.current.is_some() {
                self.finish();
                self.after_space = true;
            }
        } else if self.after_space {
            self.after_space = false;
        } else {
            self.current.get_or_insert_default();
            self.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, Purpose};
    use alloc::vec::Vec;

    fn split(separators: &str, value: &str) -> Vec<Vec<u8>> {
        let mut fields = Fields::new(Purpose::Words(separators.as_bytes().to_vec()));
        fields.value(value.as_bytes());
        fields.into_patterns()
    }

    #[test]
    fn values_split_as_posix_says() {
        let cases: &[(&str, &str, &[&str])] = &[
            (" \t\n", "  a  b\tc\n", &["a", "b", "c"]),
            (" \t\n", "   ", &[]),
            (":", "a:b::c", &["a", "b", "", "c"]),
            (":", ":a:", &["", "a"]),
            (": ", "a : b:c ", &["a", "b", "c"]),
            (": ", " :a", &["", "a"]),
            ("", "a b", &["a b"]),
        ];
        for (separators, value, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|field| field.as_bytes().to_vec()).collect();
            assert_eq!(split(separators, value), expected, "{value:?} by {separators:?}");
        }
    }

    #[test]
    fn neighbours_join_the_first_and_last_field() {
        let mut fields = Fields::new(Purpose::Words(b" ".to_vec()));
        fields.literal(b"x");
        fields.value(b"1 2");
        fields.quoted(b"y z");
        assert_eq!(fields.into_patterns(), [b"x1".to_vec(), b"2y z".to_vec()]);
    }
}
