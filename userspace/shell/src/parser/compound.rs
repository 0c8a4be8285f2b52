//! Compound commands: what a reserved word or a parenthesis starts.

use alloc::vec::Vec;

use super::{CLOSERS, Parser, Result, unexpected};
use crate::ast::{Arm, CommandKind, List};
use crate::lexer::{self, SyntaxError, Token};

impl Parser<'_, '_> {
    /// Parses a compound command, if one starts here.
    pub(super) fn compound(&mut self) -> Result<Option<CommandKind>> {
        let keyword: &[u8] = match self.peek()? {
            Token::Operator(b"(") => b"(",
            Token::Word(word) => match word.as_literal() {
                Some(b"{") => b"{",
                Some(b"if") => b"if",
                Some(b"while") => b"while",
                Some(b"until") => b"until",
                Some(b"for") => b"for",
                Some(b"case") => b"case",
                Some(text) if CLOSERS.contains(&text) => return Err(unexpected(&self.next()?)),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.next()?;
        Ok(Some(match keyword {
            b"(" => {
                let list = self.non_empty_list()?;
                self.expect_operator(b")")?;
                CommandKind::Subshell(list)
            }
            b"{" => {
                let list = self.non_empty_list()?;
                self.expect_word(b"}")?;
                CommandKind::Group(list)
            }
            b"if" => self.if_clause()?,
            b"for" => self.for_clause()?,
            b"case" => self.case_clause()?,
            _ => {
                let condition = self.non_empty_list()?;
                let body = self.do_group()?;
                CommandKind::Loop {
                    ends_on_success: keyword == b"until",
                    condition,
                    body,
                }
            }
        }))
    }

    fn if_clause(&mut self) -> Result<CommandKind> {
        let mut branches = Vec::new();
        let mut otherwise = None;
        loop {
            let condition = self.non_empty_list()?;
            self.expect_word(b"then")?;
            branches.push((condition, self.non_empty_list()?));
            if self.take_word(b"elif")? {
                continue;
            }
            if self.take_word(b"else")? {
                otherwise = Some(self.non_empty_list()?);
            }
            self.expect_word(b"fi")?;
            return Ok(CommandKind::If { branches, otherwise });
        }
    }

    fn for_clause(&mut self) -> Result<CommandKind> {
        let name = match self.next()? {
            Token::Word(word) => match word.as_literal() {
                Some(text) if lexer::is_name(text) => text.to_vec(),
                _ => return Err(SyntaxError::Invalid("bad for loop variable")),
            },
            token => return Err(unexpected(&token)),
        };
        let separated = self.skip_newlines()?;
        let mut words = None;
        if self.take_word(b"in")? {
            let mut list = Vec::new();
            loop {
                match self.next()? {
                    Token::Word(word) => list.push(word),
                    Token::Newline | Token::Operator(b";") => break,
                    token => return Err(unexpected(&token)),
                }
            }
            words = Some(list);
        } else if !separated && *self.peek()? == Token::Operator(b";") {
            self.next()?;
        }
        self.skip_newlines()?;
        Ok(CommandKind::For {
            name,
            words,
            body: self.do_group()?,
        })
    }

    fn case_clause(&mut self) -> Result<CommandKind> {
        let subject = match self.next()? {
            Token::Word(word) => word,
            token => return Err(unexpected(&token)),
        };
        self.skip_newlines()?;
        self.expect_word(b"in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.take_word(b"esac")? {
                return Ok(CommandKind::Case { subject, arms });
            }
            if *self.peek()? == Token::Operator(b"(") {
                self.next()?;
            }
            let mut patterns = Vec::new();
            loop {
                match self.next()? {
                    Token::Word(word) => patterns.push(word),
                    token => return Err(unexpected(&token)),
                }
                match self.next()? {
                    Token::Operator(b"|") => {}
                    Token::Operator(b")") => break,
                    token => return Err(unexpected(&token)),
                }
            }
            arms.push(Arm {
                patterns,
                body: self.list()?,
            });
            if *self.peek()? == Token::Operator(b";;") {
                self.next()?;
            } else {
                self.expect_word(b"esac")?;
                return Ok(CommandKind::Case { subject, arms });
            }
        }
    }

    fn do_group(&mut self) -> Result<List> {
        self.expect_word(b"do")?;
        let body = self.non_empty_list()?;
        self.expect_word(b"done")?;
        Ok(body)
    }
}
