//! `test` and `[`: conditions about files, strings and numbers.
//!
//! The meaning of few arguments depends on their number (`POSIX.1-2017, test`); more are parsed with
//! `-o` below `-a` below `!`.

use alloc::string::String;
use alloc::vec::Vec;

use rt::fs::{self, AccessMode, FileKind};
use rt::text::{self, Text};
use rt::tty;

use super::{Outcome, USAGE_STATUS};
use crate::shell::Shell;

/// Nested parentheses and negations have this limit.
const MAX_DEPTH: usize = 64;

type Answer = Result<bool, String>;

/// Runs the builtin; status 0 is true, 1 is false.
pub(super) fn run(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let mut operands = &arguments[1..];
    if arguments[0] == b"[" {
        match operands.split_last() {
            Some((last, rest)) if last == b"]" => operands = rest,
            _ => {
                shell.complain(format_args!("[: missing ]"));
                return Ok(USAGE_STATUS);
            }
        }
    }
    match evaluate(operands) {
        Ok(answer) => Ok(i32::from(!answer)),
        Err(message) => {
            shell.complain(format_args!("{}: {message}", Text(&arguments[0])));
            Ok(USAGE_STATUS)
        }
    }
}

fn evaluate(operands: &[Vec<u8>]) -> Answer {
    match operands {
        [] => Ok(false),
        [text] => Ok(!text.is_empty()),
        [not, text] if not == b"!" => Ok(text.is_empty()),
        [left, operator, right] if is_binary(operator) => binary(left, operator, right),
        [not, rest @ ..] if not == b"!" && operands.len() <= 4 => Ok(!evaluate(rest)?),
        _ => {
            let mut parser = Parser {
                rest: operands,
                depth: 0,
            };
            let answer = parser.any()?;
            match parser.rest.first() {
                None => Ok(answer),
                Some(extra) => Err(alloc::format!("{}: unexpected operator", Text(extra))),
            }
        }
    }
}

struct Parser<'a> {
    rest: &'a [Vec<u8>],
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Answer {
        let mut answer = self.all()?;
        while self.take(b"-o") {
            answer |= self.all()?;
        }
        Ok(answer)
    }

    fn all(&mut self) -> Answer {
        let mut answer = self.negation()?;
        while self.take(b"-a") {
            answer &= self.negation()?;
        }
        Ok(answer)
    }

    fn negation(&mut self) -> Answer {
        if self.depth >= MAX_DEPTH {
            return Err("expression nested too deeply".into());
        }
        self.depth += 1;
        let answer = if self.take(b"!") {
            self.negation().map(|answer| !answer)
        } else {
            self.primary()
        };
        self.depth -= 1;
        answer
    }

    fn primary(&mut self) -> Answer {
        match self.rest {
            [left, operator, right, rest @ ..] if is_binary(operator) => {
                self.rest = rest;
                binary(left, operator, right)
            }
            [open, ..] if open == b"(" => {
                self.take(b"(");
                let answer = self.any()?;
                if self.take(b")") {
                    Ok(answer)
                } else {
                    Err("closing paren expected".into())
                }
            }
            [operator, operand, rest @ ..] if is_unary(operator) => {
                self.rest = rest;
                unary(operator[1], operand)
            }
            [text, rest @ ..] => {
                self.rest = rest;
                Ok(!text.is_empty())
            }
            [] => Err("argument expected".into()),
        }
    }

    fn take(&mut self, word: &[u8]) -> bool {
        let found = self.rest.first().is_some_and(|first| first == word);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }
}

fn is_unary(operator: &[u8]) -> bool {
    matches!(operator, [b'-', letter] if b"bcdefghLnprSstuwxz".contains(letter))
}

fn is_binary(operator: &[u8]) -> bool {
    const OPERATORS: [&[u8]; 14] = [
        b"=", b"==", b"!=", b"<", b">", b"-eq", b"-ne", b"-lt", b"-le", b"-gt", b"-ge", b"-nt", b"-ot",
        b"-ef",
    ];
    OPERATORS.contains(&operator)
}

fn unary(letter: u8, operand: &[u8]) -> Answer {
    let kind_is = |kind| fs::metadata(operand).is_ok_and(|metadata| metadata.kind() == kind);
    let has_bit = |bit| fs::metadata(operand).is_ok_and(|metadata| metadata.permissions() & bit != 0);
    Ok(match letter {
        b'n' => !operand.is_empty(),
        b'z' => operand.is_empty(),
        b'b' => kind_is(FileKind::BlockDevice),
        b'c' => kind_is(FileKind::CharacterDevice),
        b'd' => kind_is(FileKind::Directory),
        b'f' => kind_is(FileKind::Regular),
        b'p' => kind_is(FileKind::Fifo),
        b'S' => kind_is(FileKind::Socket),
        b'h' | b'L' => {
            fs::symlink_metadata(operand).is_ok_and(|metadata| metadata.kind() == FileKind::Symlink)
        }
        b's' => fs::metadata(operand).is_ok_and(|metadata| metadata.size() > 0),
        b'g' => has_bit(0o2000),
        b'u' => has_bit(0o4000),
        b'r' => fs::access(operand, AccessMode::R_OK).is_ok(),
        b'w' => fs::access(operand, AccessMode::W_OK).is_ok(),
        b'x' => fs::access(operand, AccessMode::X_OK).is_ok(),
        b't' => tty::is_terminal(integer(operand)?.try_into().unwrap_or(-1)),
        _ => fs::metadata(operand).is_ok(),
    })
}

fn binary(left: &[u8], operator: &[u8], right: &[u8]) -> Answer {
    let modified = |path: &[u8]| fs::metadata(path).ok().map(|metadata| metadata.modified());
    let identity = |path: &[u8]| fs::metadata(path).ok().map(|metadata| metadata.identity());
    Ok(match operator {
        b"=" | b"==" => left == right,
        b"!=" => left != right,
        b"<" => left < right,
        b">" => left > right,
        b"-eq" => integer(left)? == integer(right)?,
        b"-ne" => integer(left)? != integer(right)?,
        b"-lt" => integer(left)? < integer(right)?,
        b"-le" => integer(left)? <= integer(right)?,
        b"-gt" => integer(left)? > integer(right)?,
        b"-ge" => integer(left)? >= integer(right)?,
        b"-nt" => modified(left) > modified(right),
        b"-ot" => modified(left) < modified(right),
        _ => identity(left).is_some() && identity(left) == identity(right),
    })
}

fn integer(text: &[u8]) -> Result<i64, String> {
    text::parse_signed(text.trim_ascii()).ok_or_else(|| alloc::format!("Illegal number: {}", Text(text)))
}
