//! What `$` and backquotes start: parameters, commands and arithmetic inside words.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::mem;

use super::{Lexer, Mode, SyntaxError, is_name_byte, is_name_start};
use crate::ast::{Operation, Parameter, Part, Side, Substitution, Word};
use crate::parser::{self, Parser};

impl Lexer<'_> {
    /// Reads what `$` or a backquote starts; `None` (nothing consumed) when `$` stands for itself.
    pub(super) fn expansion(&mut self, mode: Mode) -> Result<Option<Part>, SyntaxError> {
        if self.peek() == Some(b'`') {
            self.position += 1;
            return self.backquoted(mode).map(Some);
        }
        match self.rest().get(1).copied() {
            Some(b'(') => {
                if self.rest().starts_with(b"$((") {
                    let start = self.position;
                    self.position += 3;
                    match self.nested(Mode::Arithmetic) {
                        Ok(parts) => return Ok(Some(Part::Arithmetic(Word { parts }))),
                        // `$((a); b)` is a command substitution that starts with a subshell.
                        Err(SyntaxError::Incomplete) => self.position = start,
                        Err(error) => return Err(error),
                    }
                }
                self.position += 2;
                self.command_substitution().map(Some)
            }
            Some(b'{') => {
                self.position += 2;
                let quoted = !matches!(mode, Mode::Bare | Mode::Brace);
                self.braced_parameter(quoted).map(Some)
            }
            Some(byte) if is_name_start(byte) => {
                self.position += 1;
                let name = self.take_while(is_name_byte);
                Ok(Some(parameter(name, Operation::Value)))
            }
            Some(byte) if byte.is_ascii_digit() || b"@*#?-$!".contains(&byte) => {
                self.position += 2;
                Ok(Some(parameter(Vec::from([byte]), Operation::Value)))
            }
            _ => Ok(None),
        }
    }

    fn command_substitution(&mut self) -> Result<Part, SyntaxError> {
        self.enter()?;
        let pending = mem::take(&mut self.pending);
        let list = Parser::over(self).until_parenthesis();
        self.pending = pending;
        self.leave();
        Ok(Part::Command(Rc::new(list?)))
    }

    fn backquoted(&mut self, mode: Mode) -> Result<Part, SyntaxError> {
        let mut text = Vec::new();
        loop {
            match self.next().ok_or(SyntaxError::Incomplete)? {
                b'`' => break,
                b'\\' => {
                    let byte = self.next().ok_or(SyntaxError::Incomplete)?;
                    let escapes = b"$`\\".contains(&byte)
                        || byte == b'"' && matches!(mode, Mode::DoubleQuotes | Mode::BraceInQuotes);
                    if !escapes {
                        text.push(b'\\');
                    }
                    text.push(byte);
                }
                byte => text.push(byte),
            }
        }
        self.enter()?;
        let list = parser::parse_all(&text, self.depth);
        self.leave();
        Ok(Part::Command(Rc::new(list?)))
    }

    fn braced_parameter(&mut self, quoted: bool) -> Result<Part, SyntaxError> {
        // `${#}` and `${#-word}` are about `$#`; `${#name}` is a length.
        let is_length = self.peek() == Some(b'#')
            && self.rest().get(1).is_some_and(|byte| {
                is_name_byte(*byte) || b"@*?!$-#".contains(byte) && self.rest().get(2) == Some(&b'}')
            });
        if is_length {
            self.position += 1;
        }
        let name = self.parameter_name()?;
        if is_length {
            return match self.next() {
                Some(b'}') => Ok(parameter(name, Operation::Length)),
                Some(_) => Err(SyntaxError::Invalid("bad substitution")),
                None => Err(SyntaxError::Incomplete),
            };
        }
        let operation = self.operation(quoted)?;
        Ok(parameter(name, operation))
    }

    fn parameter_name(&mut self) -> Result<Vec<u8>, SyntaxError> {
        let byte = self.peek().ok_or(SyntaxError::Incomplete)?;
        if is_name_start(byte) {
            Ok(self.take_while(is_name_byte))
        } else if byte.is_ascii_digit() {
            Ok(self.take_while(|byte| byte.is_ascii_digit()))
        } else if b"@*#?-$!".contains(&byte) {
            self.position += 1;
            Ok(Vec::from([byte]))
        } else {
            Err(SyntaxError::Invalid("bad substitution"))
        }
    }

    fn operation(&mut self, quoted: bool) -> Result<Operation, SyntaxError> {
        let mode = if quoted { Mode::BraceInQuotes } else { Mode::Brace };
        let mut byte = self.next().ok_or(SyntaxError::Incomplete)?;
        if byte == b'}' {
            return Ok(Operation::Value);
        }
        if let b'#' | b'%' = byte {
            let side = if byte == b'#' { Side::Prefix } else { Side::Suffix };
            let longest = self.peek() == Some(byte);
            if longest {
                self.position += 1;
            }
            // A pattern is quoted by its own quotes only, even inside double quotes.
            let pattern = Word {
                parts: self.nested(Mode::Brace)?,
            };
            return Ok(Operation::Trim {
                side,
                longest,
                pattern,
            });
        }
        let empty_is_unset = byte == b':';
        if empty_is_unset {
            byte = self.next().ok_or(SyntaxError::Incomplete)?;
        }
        let kind = match byte {
            b'-' => Substitution::Default,
            b'=' => Substitution::Assign,
            b'?' => Substitution::Require,
            b'+' => Substitution::Alternative,
            _ => return Err(SyntaxError::Invalid("bad substitution")),
        };
        let word = Word {
            parts: self.nested(mode)?,
        };
        Ok(Operation::Substitute {
            kind,
            empty_is_unset,
            word,
        })
    }
}

fn parameter(name: Vec<u8>, operation: Operation) -> Part {
    Part::Parameter(Box::new(Parameter { name, operation }))
}
