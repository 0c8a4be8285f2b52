//! The parser: tokens to the tree of [`crate::ast`], by recursive descent.
//!
//! It reads one complete command at a time, so that a script's first commands run before its last
//! ones are looked at. `POSIX.1-2017, Shell Command Language, 2.10`.

mod compound;

use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::ast::{Command, CommandKind, Connector, Item, List, Part, Pipeline, Redirection, Target, Word};
use crate::lexer::{self, Lexer, SyntaxError, Token};

type Result<T> = core::result::Result<T, SyntaxError>;

/// Words that end a list when they stand where a command may start.
const CLOSERS: [&[u8]; 8] = [b"then", b"else", b"elif", b"fi", b"do", b"done", b"esac", b"}"];

/// Parses the first complete command of a text.
///
/// Returns it with the bytes it takes up, or `None` when nothing but blank lines is left.
/// `is_final` tells that no more input follows the text.
pub fn parse_command(source: &[u8], is_final: bool) -> Result<Option<(List, usize)>> {
    let mut lexer = Lexer::new(source, is_final);
    let command = Parser::over(&mut lexer).complete_command()?;
    Ok(command.map(|list| (list, lexer.position())))
}

/// Parses a whole text as one list; `depth` is the number of constructs around it.
pub(crate) fn parse_all(source: &[u8], depth: usize) -> Result<List> {
    let mut lexer = Lexer::new(source, true).with_depth(depth);
    let mut parser = Parser::over(&mut lexer);
    let list = parser.list()?;
    match parser.next()? {
        Token::End => Ok(list),
        token => Err(unexpected(&token)),
    }
}

/// The parser's state: a lexer and at most one token read ahead.
pub(crate) struct Parser<'l, 'a> {
    lexer: &'l mut Lexer<'a>,
    ahead: Option<Token>,
}

impl<'l, 'a> Parser<'l, 'a> {
    /// Starts at the lexer's position.
    pub(crate) fn over(lexer: &'l mut Lexer<'a>) -> Self {
        Self { lexer, ahead: None }
    }

    /// Parses the inside of `$(`, and its `)`.
    pub(crate) fn until_parenthesis(&mut self) -> Result<List> {
        let list = self.list()?;
        self.expect_operator(b")")?;
        Ok(list)
    }

    fn complete_command(&mut self) -> Result<Option<List>> {
        self.skip_newlines()?;
        if *self.peek()? == Token::End {
            return Ok(None);
        }
        let mut items = Vec::new();
        loop {
            let (item, separated) = self.item()?;
            items.push(item);
            match self.peek()? {
                Token::Newline => {
                    self.next()?;
                    break;
                }
                Token::End => break,
                _ if separated => {}
                _ => return Err(unexpected(&self.next()?)),
            }
        }
        Ok(Some(List { items }))
    }

    /// Parses commands up to a closer; newlines separate.
    fn list(&mut self) -> Result<List> {
        let mut items = Vec::new();
        self.skip_newlines()?;
        while !self.at_closer()? {
            let (item, mut separated) = self.item()?;
            items.push(item);
            separated |= self.skip_newlines()?;
            if !separated && !self.at_closer()? {
                return Err(unexpected(&self.next()?));
            }
        }
        Ok(List { items })
    }

    fn non_empty_list(&mut self) -> Result<List> {
        let list = self.list()?;
        if list.items.is_empty() {
            return Err(unexpected(&self.next()?));
        }
        Ok(list)
    }

    fn at_closer(&mut self) -> Result<bool> {
        Ok(match self.peek()? {
            Token::End | Token::Operator(b")" | b";;") => true,
            Token::Word(word) => word.as_literal().is_some_and(|text| CLOSERS.contains(&text)),
            _ => false,
        })
    }

    /// Parses an and-or list and its separator; tells whether there was one.
    fn item(&mut self) -> Result<(Item, bool)> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            let connector = match self.peek()? {
                Token::Operator(b"&&") => Connector::And,
                Token::Operator(b"||") => Connector::Or,
                _ => break,
            };
            self.next()?;
            self.skip_newlines()?;
            rest.push((connector, self.pipeline()?));
        }
        let background = match self.peek()? {
            Token::Operator(b"&") => Some(true),
            Token::Operator(b";") => Some(false),
            _ => None,
        };
        if background.is_some() {
            self.next()?;
        }
        let item = Item {
            first,
            rest,
            background: background.unwrap_or(false),
        };
        Ok((item, background.is_some()))
    }

    fn pipeline(&mut self) -> Result<Pipeline> {
        let mut negated = false;
        while self.take_word(b"!")? {
            negated = !negated;
        }
        let mut commands = Vec::from([self.command()?]);
        while *self.peek()? == Token::Operator(b"|") {
            self.next()?;
            self.skip_newlines()?;
            commands.push(self.command()?);
        }
        Ok(Pipeline { negated, commands })
    }

    fn command(&mut self) -> Result<Command> {
        self.lexer.enter()?;
        let command = match self.compound() {
            Ok(Some(kind)) => self.redirected(kind),
            Ok(None) => self.simple(),
            Err(error) => Err(error),
        };
        self.lexer.leave();
        command
    }

    fn redirected(&mut self, kind: CommandKind) -> Result<Command> {
        let mut redirections = Vec::new();
        while let Some(redirection) = self.redirection()? {
            redirections.push(redirection);
        }
        Ok(Command { kind, redirections })
    }

    /// Parses a simple command or a function's definition.
    fn simple(&mut self) -> Result<Command> {
        let mut assignments = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        let mut redirections = Vec::new();
        loop {
            if let Some(redirection) = self.redirection()? {
                redirections.push(redirection);
                continue;
            }
            let word = match self.peek()? {
                Token::Word(_) => match self.next()? {
                    Token::Word(word) => word,
                    token => return Err(unexpected(&token)),
                },
                _ => break,
            };
            if words.is_empty() {
                if let Some(assignment) = as_assignment(&word) {
                    assignments.push(assignment);
                    continue;
                }
                let is_plain = assignments.is_empty() && redirections.is_empty();
                if is_plain && self.lexer.at_parenthesis() {
                    return self.function(&word);
                }
            }
            words.push(word);
        }
        if assignments.is_empty() && words.is_empty() && redirections.is_empty() {
            return Err(unexpected(&self.next()?));
        }
        Ok(Command {
            kind: CommandKind::Simple { assignments, words },
            redirections,
        })
    }

    fn function(&mut self, name: &Word) -> Result<Command> {
        let Some(name) = name.as_literal().filter(|text| lexer::is_name(text)) else {
            return Err(SyntaxError::Unexpected(b"(".to_vec()));
        };
        self.expect_operator(b"(")?;
        self.expect_operator(b")")?;
        self.skip_newlines()?;
        let body = Rc::new(self.command()?);
        let kind = CommandKind::Function {
            name: name.to_vec(),
            body,
        };
        Ok(Command {
            kind,
            redirections: Vec::new(),
        })
    }

    fn redirection(&mut self) -> Result<Option<Redirection>> {
        let mut number = None;
        if let Token::IoNumber(value) = self.peek()? {
            number = Some(*value);
            self.next()?;
        }
        let operator: &[u8] = match self.peek()? {
            Token::Operator(text) if matches!(text[0], b'<' | b'>') => text,
            _ => return Ok(None),
        };
        self.next()?;
        let word = match self.next()? {
            Token::Word(word) => word,
            token => return Err(unexpected(&token)),
        };
        let target = match operator {
            b"<" => Target::Read(word),
            b">" => Target::Write(word),
            b">|" => Target::Clobber(word),
            b">>" => Target::Append(word),
            b"<>" => Target::ReadWrite(word),
            b"<&" | b">&" => Target::Duplicate(word),
            _ => Target::HereDocument(self.lexer.expect_document(&word, operator == b"<<-")),
        };
        let default = if operator[0] == b'<' { 0 } else { 1 };
        Ok(Some(Redirection {
            descriptor: number.unwrap_or(default),
            target,
        }))
    }

    fn peek(&mut self) -> Result<&Token> {
        if self.ahead.is_none() {
            self.ahead = Some(self.lexer.token()?);
        }
        self.ahead.as_ref().ok_or(SyntaxError::Incomplete)
    }

    fn next(&mut self) -> Result<Token> {
        match self.ahead.take() {
            Some(token) => Ok(token),
            None => self.lexer.token(),
        }
    }

    /// Skips newlines; tells whether there was one.
    fn skip_newlines(&mut self) -> Result<bool> {
        let mut skipped = false;
        while *self.peek()? == Token::Newline {
            self.next()?;
            skipped = true;
        }
        Ok(skipped)
    }

    fn take_word(&mut self, text: &[u8]) -> Result<bool> {
        let found = matches!(self.peek()?, Token::Word(word) if word.as_literal() == Some(text));
        if found {
            self.next()?;
        }
        Ok(found)
    }

    fn expect_word(&mut self, text: &[u8]) -> Result<()> {
        if self.take_word(text)? {
            Ok(())
        } else {
            Err(unexpected(&self.next()?))
        }
    }

    fn expect_operator(&mut self, text: &[u8]) -> Result<()> {
        match self.next()? {
            Token::Operator(operator) if operator == text => Ok(()),
            token => Err(unexpected(&token)),
        }
    }
}

/// Splits `name=value` off a word that starts so.
fn as_assignment(word: &Word) -> Option<(Vec<u8>, Word)> {
    let Part::Literal(text) = word.parts.first()? else {
        return None;
    };
    let equals = text.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&text[..equals], &text[equals + 1..]);
    if !lexer::is_name(name) {
        return None;
    }
    let mut parts = Vec::new();
    if !value.is_empty() {
        parts.push(Part::Literal(value.to_vec()));
    }
    parts.extend_from_slice(&word.parts[1..]);
    Some((name.to_vec(), Word { parts }))
}

/// Names the token that fits no rule; at the end of the text more may come.
fn unexpected(token: &Token) -> SyntaxError {
    match token {
        Token::End => SyntaxError::Incomplete,
        Token::Newline => SyntaxError::Unexpected(b"newline".to_vec()),
        Token::Operator(text) => SyntaxError::Unexpected(text.to_vec()),
        Token::Word(word) => match word.as_literal() {
            Some(text) => SyntaxError::Unexpected(text.to_vec()),
            None => SyntaxError::Unexpected(b"word".to_vec()),
        },
        Token::IoNumber(_) => SyntaxError::Unexpected(b"number".to_vec()),
    }
}

#[cfg(test)]
mod tests;
