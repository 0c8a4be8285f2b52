//! Tests of the parser.

use alloc::vec::Vec;

use super::{parse_all, parse_command};
use crate::ast::{CommandKind, Part, Target};
use crate::lexer::SyntaxError;

fn kind(source: &str) -> CommandKind {
    let (mut list, _) = parse_command(source.as_bytes(), true).unwrap().unwrap();
    list.items.remove(0).first.commands.remove(0).kind
}

fn error(source: &str) -> SyntaxError {
    parse_command(source.as_bytes(), true).unwrap_err()
}

#[test]
fn one_complete_command_is_taken_at_a_time() {
    let source = b"\n a; b &\nc\n";
    let (list, length) = parse_command(source, true).unwrap().unwrap();
    assert_eq!((list.items.len(), list.items[1].background), (2, true));
    assert_eq!(&source[length..], b"c\n");
    assert_eq!(parse_command(b"  # nothing\n\n", true), Ok(None));
}

#[test]
fn assignments_stand_before_the_first_word() {
    let CommandKind::Simple { assignments, words } = kind("A=1 B=$x c D=2") else {
        panic!("a simple command");
    };
    assert_eq!(
        assignments
            .iter()
            .map(|(name, _)| name.as_slice())
            .collect::<Vec<_>>(),
        [b"A", b"B"]
    );
    assert_eq!(words.len(), 2);
}

#[test]
fn compound_commands_are_recognized() {
    assert!(matches!(kind("if a; then b; elif c; then d; else e; fi"),
        CommandKind::If { branches, otherwise: Some(_) } if branches.len() == 2));
    assert!(matches!(
        kind("until a\ndo b\ndone"),
        CommandKind::Loop {
            ends_on_success: true,
            ..
        }
    ));
    assert!(
        matches!(kind("for x in a b; do c; done"), CommandKind::For { words: Some(words), .. } if words.len() == 2)
    );
    assert!(matches!(
        kind("for x do c; done"),
        CommandKind::For { words: None, .. }
    ));
    assert!(
        matches!(kind("case a in (b|c) d;; e) ;; esac"), CommandKind::Case { arms, .. } if arms.len() == 2)
    );
    assert!(matches!(kind("f() { a; }"), CommandKind::Function { .. }));
    assert!(matches!(kind("(a; b)"), CommandKind::Subshell(list) if list.items.len() == 2));
    assert!(matches!(kind("echo if then"), CommandKind::Simple { words, .. } if words.len() == 3));
}

#[test]
fn here_documents_come_with_the_next_line() {
    let source = b"cat <<A <<-'B' | x\none $y\nA\n\ttwo $y\n\tB\nrest\n";
    let (list, length) = parse_command(source, true).unwrap().unwrap();
    assert_eq!(&source[length..], b"rest\n");
    let bodies: Vec<_> = list.items[0].first.commands[0]
        .redirections
        .iter()
        .map(|redirection| match &redirection.target {
            Target::HereDocument(body) => body.get().unwrap().parts.clone(),
            target => panic!("a here-document, not {target:?}"),
        })
        .collect();
    assert!(matches!(
        bodies[0].as_slice(),
        [Part::Quoted(_), Part::Parameter(_), Part::Quoted(_)]
    ));
    assert_eq!(bodies[1], [Part::Quoted(b"two $y\n".to_vec())]);
}

#[test]
fn what_may_go_on_is_incomplete() {
    for source in [
        "if a",
        "a |",
        "a &&\n",
        "while a; do b",
        "{ a",
        "( a",
        "'x",
        "\"x",
        "case a in",
        "f()",
        "a >",
    ] {
        assert_eq!(error(source), SyntaxError::Incomplete, "{source}");
    }
    assert_eq!(
        parse_command(b"cat <<E\ntext\n", false),
        Err(SyntaxError::Incomplete)
    );
    assert!(parse_command(b"cat <<E\ntext\n", true).is_ok());
}

#[test]
fn what_fits_no_rule_is_named() {
    for (source, what) in [
        ("fi", "fi"),
        (")", ")"),
        ("a ;; b", ";;"),
        ("| a", "|"),
        ("if ; then a; fi", ";"),
        ("a > | b", "|"),
        ("{ a; } b", "b"),
        ("(a) b", "b"),
        ("a b (", "("),
    ] {
        assert_eq!(
            error(source),
            SyntaxError::Unexpected(what.as_bytes().to_vec()),
            "{source}"
        );
    }
}

#[test]
fn nesting_has_a_limit() {
    assert!(parse_all("(".repeat(10_000).as_bytes(), 0).is_err());
    assert!(parse_all("if ".repeat(10_000).as_bytes(), 0).is_err());
    assert!(parse_all("f() ".repeat(10_000).as_bytes(), 0).is_err());
}
