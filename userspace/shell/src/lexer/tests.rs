//! Tests of the lexer.

extern crate std;

use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use super::{Lexer, SyntaxError, Token};
use crate::ast::{Operation, Part, Word};

/// Shows a word so that its quoting is visible: `'..'` for quoted text, `".."` for double quotes.
fn show(word: &Word) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_string();
    let part = |part: &Part| match part {
        Part::Literal(bytes) => text(bytes),
        Part::Quoted(bytes) => format!("'{}'", text(bytes)),
        Part::DoubleQuoted(parts) => format!("\"{}\"", show(&Word { parts: parts.clone() })),
        Part::Parameter(parameter) => match &parameter.operation {
            Operation::Value => format!("${}", text(&parameter.name)),
            Operation::Length => format!("${{#{}}}", text(&parameter.name)),
            Operation::Substitute {
                kind,
                empty_is_unset,
                word,
            } => {
                format!(
                    "${{{} {kind:?} {empty_is_unset} {}}}",
                    text(&parameter.name),
                    show(word)
                )
            }
            Operation::Trim {
                side,
                longest,
                pattern,
            } => {
                format!(
                    "${{{} {side:?} {longest} {}}}",
                    text(&parameter.name),
                    show(pattern)
                )
            }
        },
        Part::Command(list) => format!("$({} items)", list.items.len()),
        Part::Arithmetic(word) => format!("$(({}))", show(word)),
    };
    word.parts.iter().map(part).collect()
}

/// Returns all tokens of a text as text.
fn tokens(source: &str) -> Result<Vec<String>, SyntaxError> {
    let mut lexer = Lexer::new(source.as_bytes(), true);
    let mut tokens = Vec::new();
    loop {
        tokens.push(match lexer.token()? {
            Token::End => return Ok(tokens),
            Token::Word(word) => show(&word),
            Token::IoNumber(number) => format!("io:{number}"),
            Token::Operator(text) => format!("op:{}", String::from_utf8_lossy(text)),
            Token::Newline => "newline".into(),
        });
    }
}

#[test]
fn operators_and_words_come_apart() {
    assert_eq!(
        tokens("a|b&&c;d\n").unwrap(),
        vec!["a", "op:|", "b", "op:&&", "c", "op:;", "d", "newline"]
    );
    assert_eq!(
        tokens("x 2>&1 >>f <<-E").unwrap(),
        vec!["x", "io:2", "op:>&", "1", "op:>>", "f", "op:<<-", "E"]
    );
    assert_eq!(
        tokens("a2>f 2 >f").unwrap(),
        vec!["a2", "op:>", "f", "2", "op:>", "f"]
    );
    assert_eq!(
        tokens("a # comment\nb#c \\\nd").unwrap(),
        vec!["a", "newline", "b#c", "d"]
    );
}

#[test]
fn quotes_are_kept_in_the_parts() {
    assert_eq!(
        tokens("a'b c'\"d $e\\$\"\\ f").unwrap(),
        vec!["a'b c'\"'d '$e'$'\"' 'f"]
    );
    assert_eq!(tokens("'' \"\"").unwrap(), vec!["''", "\"\""]);
    assert_eq!(tokens("\"a\\b\\\\\"").unwrap(), vec!["\"'a\\b''\\'\""]);
    assert_eq!(tokens("a\\\nb").unwrap(), vec!["ab"]);
    assert_eq!(tokens("$ a$").unwrap(), vec!["$", "a$"]);
}

#[test]
fn parameters_have_all_their_forms() {
    assert_eq!(tokens("$a1-$1x$#${ab}").unwrap(), vec!["$a1-$1x$#$ab"]);
    assert_eq!(
        tokens("${#x} ${#} ${x:-a b} ${x=}").unwrap(),
        vec!["${#x}", "$#", "${x Default true a b}", "${x Assign false }"]
    );
    assert_eq!(
        tokens("${x##*/} ${x%\"}\"}").unwrap(),
        vec!["${x Prefix true */}", "${x Suffix false \"'}'\"}"]
    );
    assert_eq!(tokens("${x").unwrap_err(), SyntaxError::Incomplete);
    assert!(matches!(tokens("${}").unwrap_err(), SyntaxError::Invalid(_)));
}

#[test]
fn substitutions_nest() {
    assert_eq!(
        tokens("$(a; b $(c)) `d`").unwrap(),
        vec!["$(2 items)", "$(1 items)"]
    );
    assert_eq!(tokens("$(case x in x) y;; esac)").unwrap(), vec!["$(1 items)"]);
    assert_eq!(tokens("$((1 + (2)))").unwrap(), vec!["$(('1 + (2)'))"]);
    assert_eq!(tokens("$((a); b)").unwrap(), vec!["$(2 items)"]);
    assert_eq!(tokens("$(a").unwrap_err(), SyntaxError::Incomplete);
}

#[test]
fn nesting_has_a_limit() {
    for open in ["$(", "${x-", "\"${x-", "`\\`"] {
        assert!(tokens(&open.repeat(5000)).is_err());
    }
    assert!(tokens(&format!("{}{}", "$(".repeat(5000), ")".repeat(5000))).is_err());
}
