//! The lexer: bytes to tokens, with quoting and expansions resolved into [`Part`]s.
//!
//! A command substitution holds a whole program, so the lexer calls the parser for it and the two
//! recurse into each other over one [`Lexer`]. `POSIX.1-2017, Shell Command Language, 2.2, 2.3`.

mod expansion;

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::mem;

use crate::ast::{Part, Word};

/// Expansions may be nested this deep; the limit keeps the parser's recursion bounded.
const MAX_DEPTH: usize = 100;

/// Why a text is not a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyntaxError {
    /// The text ends inside a construct: more input may complete it.
    Incomplete,
    /// What stood where it may not.
    Unexpected(Vec<u8>),
    /// Some other rule, in words.
    Invalid(&'static str),
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word.
    Word(Word),
    /// The digits directly before a redirection operator.
    IoNumber(i32),
    /// An operator, by its text.
    Operator(&'static [u8]),
    /// The end of a line.
    Newline,
    /// The end of the text.
    End,
}

/// Operators, longest first so that the first match is the right one.
const OPERATORS: [&[u8]; 17] = [
    b"<<-", b"&&", b"||", b";;", b"<<", b">>", b"<&", b">&", b"<>", b">|", b";", b"&", b"|", b"<", b">",
    b"(", b")",
];

/// Where a run of parts ends and which characters are special in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// A token: ends at blanks and operators.
    Bare,
    /// `"..."`: ends at the quote.
    DoubleQuotes,
    /// The word in `${name-word}`: ends at `}`.
    Brace,
    /// The same inside double quotes.
    BraceInQuotes,
    /// A here-document's or a prompt's text: ends with the text.
    Text,
    /// `$((...))`: ends at the matching `))`.
    Arithmetic,
}

/// A here-document whose text has not come yet.
struct PendingDocument {
    delimiter: Vec<u8>,
    expands: bool,
    strips_tabs: bool,
    body: Rc<OnceCell<Word>>,
}

/// The position in a text, and the here-documents that wait for the line's end.
pub struct Lexer<'a> {
    source: &'a [u8],
    position: usize,
    pending: Vec<PendingDocument>,
    depth: usize,
    is_final: bool,
}

impl<'a> Lexer<'a> {
    /// Makes a lexer; `is_final` tells that no further input can complete the text.
    pub fn new(source: &'a [u8], is_final: bool) -> Self {
        Self {
            source,
            position: 0,
            pending: Vec::new(),
            depth: 0,
            is_final,
        }
    }

    /// Returns how much of the text has been consumed, in bytes.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Reads the next token.
    pub fn token(&mut self) -> Result<Token, SyntaxError> {
        self.skip_blanks();
        let Some(byte) = self.peek() else {
            self.read_documents()?;
            return Ok(Token::End);
        };
        if byte == b'\n' {
            self.position += 1;
            self.read_documents()?;
            return Ok(Token::Newline);
        }
        if let Some(operator) = OPERATORS.into_iter().find(|o| self.rest().starts_with(o)) {
            self.position += operator.len();
            return Ok(Token::Operator(operator));
        }
        if let Some(number) = self.io_number() {
            return Ok(Token::IoNumber(number));
        }
        Ok(Token::Word(Word {
            parts: self.parts(Mode::Bare)?,
        }))
    }

    /// Reads a whole text in which only `$`, backquotes and backslashes are special.
    pub fn text(&mut self) -> Result<Word, SyntaxError> {
        Ok(Word {
            parts: self.parts(Mode::Text)?,
        })
    }

    /// Registers a here-document; its body is filled in at the end of the line.
    pub fn expect_document(&mut self, delimiter: &Word, strips_tabs: bool) -> Rc<OnceCell<Word>> {
        let mut text = Vec::new();
        let mut expands = true;
        for part in &delimiter.parts {
            expands &= matches!(part, Part::Literal(_));
            flatten(part, &mut text);
        }
        let body = Rc::new(OnceCell::new());
        self.pending.push(PendingDocument {
            delimiter: text,
            expands,
            strips_tabs,
            body: Rc::clone(&body),
        });
        body
    }

    /// Tells whether the next byte is `(`, as behind a function's name, without consuming it.
    pub fn at_parenthesis(&mut self) -> bool {
        self.skip_blanks();
        self.peek() == Some(b'(')
    }

    fn rest(&self) -> &'a [u8] {
        self.source.get(self.position..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.position).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.position += 1;
        Some(byte)
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.position += 1,
                Some(b'\\') if self.rest().starts_with(b"\\\n") => self.position += 2,
                Some(b'#') => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.position += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn io_number(&mut self) -> Option<i32> {
        let digits = self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 || !matches!(self.rest().get(digits), Some(b'<' | b'>')) {
            return None;
        }
        let number = core::str::from_utf8(&self.rest()[..digits]).ok()?.parse().ok()?;
        self.position += digits;
        Some(number)
    }

    /// Reads parts until the mode's end; the closing quote or brace is consumed.
    fn parts(&mut self, mode: Mode) -> Result<Vec<Part>, SyntaxError> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut parentheses = 0_usize;
        loop {
            let Some(byte) = self.peek() else {
                if matches!(mode, Mode::Bare | Mode::Text) {
                    break;
                }
                return Err(SyntaxError::Incomplete);
            };
            if self.ends(mode, byte, parentheses) {
                self.position += match mode {
                    Mode::Bare | Mode::Text => 0,
                    Mode::DoubleQuotes | Mode::Brace | Mode::BraceInQuotes => 1,
                    Mode::Arithmetic => 2,
                };
                break;
            }
            match byte {
                b'\\' => self.backslash(mode, &mut literal, &mut parts)?,
                b'\'' if matches!(mode, Mode::Bare | Mode::Brace) => {
                    flush(&mut literal, &mut parts, mode);
                    self.position += 1;
                    parts.push(Part::Quoted(self.single_quoted()?));
                }
                b'"' if !matches!(mode, Mode::Text | Mode::DoubleQuotes) => {
                    flush(&mut literal, &mut parts, mode);
                    self.position += 1;
                    parts.push(Part::DoubleQuoted(self.nested(Mode::DoubleQuotes)?));
                }
                b'$' | b'`' => match self.expansion(mode)? {
                    Some(part) => {
                        flush(&mut literal, &mut parts, mode);
                        parts.push(part);
                    }
                    None => literal.extend(self.next()),
                },
                _ => {
                    match byte {
                        b'(' => parentheses += 1,
                        // One parenthesis where two were due: this is no arithmetic.
                        b')' if mode == Mode::Arithmetic && parentheses == 0 => {
                            return Err(SyntaxError::Incomplete);
                        }
                        b')' => parentheses = parentheses.saturating_sub(1),
                        _ => {}
                    }
                    literal.push(byte);
                    self.position += 1;
                }
            }
        }
        flush(&mut literal, &mut parts, mode);
        Ok(parts)
    }

    fn ends(&self, mode: Mode, byte: u8, parentheses: usize) -> bool {
        match mode {
            Mode::Bare => b" \t\n;&|<>()".contains(&byte),
            Mode::DoubleQuotes => byte == b'"',
            Mode::Brace | Mode::BraceInQuotes => byte == b'}',
            Mode::Text => false,
            Mode::Arithmetic => parentheses == 0 && self.rest().starts_with(b"))"),
        }
    }

    fn nested(&mut self, mode: Mode) -> Result<Vec<Part>, SyntaxError> {
        self.enter()?;
        let parts = self.parts(mode);
        self.leave();
        parts
    }

    fn backslash(
        &mut self,
        mode: Mode,
        literal: &mut Vec<u8>,
        parts: &mut Vec<Part>,
    ) -> Result<(), SyntaxError> {
        self.position += 1;
        let Some(byte) = self.peek() else {
            if !self.is_final && mode != Mode::Text {
                return Err(SyntaxError::Incomplete);
            }
            literal.push(b'\\');
            return Ok(());
        };
        self.position += 1;
        let escapes = match mode {
            Mode::Bare | Mode::Brace => true,
            Mode::DoubleQuotes => b"$`\"\\\n".contains(&byte),
            Mode::BraceInQuotes => b"$`\"\\\n}".contains(&byte),
            Mode::Text | Mode::Arithmetic => b"$`\\\n".contains(&byte),
        };
        if !escapes {
            literal.extend([b'\\', byte]);
        } else if byte != b'\n' {
            flush(literal, parts, mode);
            parts.push(Part::Quoted(Vec::from([byte])));
        }
        Ok(())
    }

    fn single_quoted(&mut self) -> Result<Vec<u8>, SyntaxError> {
        let length = self
            .rest()
            .iter()
            .position(|byte| *byte == b'\'')
            .ok_or(SyntaxError::Incomplete)?;
        let text = self.rest()[..length].to_vec();
        self.position += length + 1;
        Ok(text)
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> Vec<u8> {
        let length = self.rest().iter().take_while(|byte| accept(**byte)).count();
        let taken = self.rest()[..length].to_vec();
        self.position += length;
        taken
    }

    /// Reads the bodies of the here-documents that were announced on the line just ended.
    fn read_documents(&mut self) -> Result<(), SyntaxError> {
        for document in mem::take(&mut self.pending) {
            let mut text = Vec::new();
            loop {
                if self.rest().is_empty() {
                    if self.is_final {
                        break;
                    }
                    return Err(SyntaxError::Incomplete);
                }
                let mut line = self.line();
                if document.strips_tabs {
                    let tabs = line.iter().take_while(|byte| **byte == b'\t').count();
                    line = &line[tabs..];
                }
                if line.strip_suffix(b"\n").unwrap_or(line) == document.delimiter {
                    break;
                }
                text.extend_from_slice(line);
            }
            let body = if document.expands {
                Lexer {
                    depth: self.depth,
                    ..Lexer::new(&text, true)
                }
                .text()?
            } else {
                Word {
                    parts: Vec::from([Part::Quoted(text)]),
                }
            };
            // The cell is new with the document, so it is still empty.
            let _ = document.body.set(body);
        }
        Ok(())
    }

    fn line(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let length = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(rest.len(), |end| end + 1);
        self.position += length;
        &rest[..length]
    }

    /// Sets how many constructs enclose this text.
    pub(crate) fn with_depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// Enters one more enclosing construct.
    pub(crate) fn enter(&mut self) -> Result<(), SyntaxError> {
        if self.depth >= MAX_DEPTH {
            return Err(SyntaxError::Invalid("commands nested too deeply"));
        }
        self.depth += 1;
        Ok(())
    }

    /// Leaves what [`Lexer::enter`] entered.
    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }
}

/// Tells whether a name may begin with the byte.
pub fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// Tells whether a name may contain the byte.
pub fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Tells whether the text is a variable's name.
pub fn is_name(text: &[u8]) -> bool {
    text.first().is_some_and(|byte| is_name_start(*byte)) && text.iter().all(|b| is_name_byte(*b))
}

/// Moves collected text into a part; inside quotes the text is quoted already.
fn flush(literal: &mut Vec<u8>, parts: &mut Vec<Part>, mode: Mode) {
    if literal.is_empty() {
        return;
    }
    let text = mem::take(literal);
    parts.push(match mode {
        Mode::Bare | Mode::Brace => Part::Literal(text),
        _ => Part::Quoted(text),
    });
}

/// Appends a delimiter's text with its quotes removed.
fn flatten(part: &Part, text: &mut Vec<u8>) {
    match part {
        Part::Literal(bytes) | Part::Quoted(bytes) => text.extend_from_slice(bytes),
        Part::DoubleQuoted(parts) => parts.iter().for_each(|part| flatten(part, text)),
        // A delimiter is not expanded; a name is all that people write here.
        Part::Parameter(parameter) => {
            text.push(b'$');
            text.extend_from_slice(&parameter.name);
        }
        Part::Command(_) | Part::Arithmetic(_) => {}
    }
}

#[cfg(test)]
mod tests;
