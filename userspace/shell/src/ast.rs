//! The syntax tree: what the parser builds and the executor walks.
//!
//! Text is bytes throughout, as in the system calls: a word may hold anything but NUL.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::OnceCell;

/// A word before expansion: its parts are glued together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The pieces, in order.
    pub parts: Vec<Part>,
}

/// One piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Unquoted text: wildcards and a leading tilde in it are active.
    Literal(Vec<u8>),
    /// Text that stands for itself (`'...'`, `\x`).
    Quoted(Vec<u8>),
    /// `"..."`: expansions inside are neither split nor matched against files.
    DoubleQuoted(Vec<Part>),
    /// `$name`, `${name}` and its forms.
    Parameter(Box<Parameter>),
    /// `$(...)` or backquotes.
    Command(Rc<List>),
    /// `$((...))`; the text is expanded before it is evaluated.
    Arithmetic(Word),
}

/// A parameter expansion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// A variable's name, digits, or one of `@*#?-$!`.
    pub name: Vec<u8>,
    /// What is done with the value.
    pub operation: Operation,
}

/// The forms of `${...}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `${name}`
    Value,
    /// `${#name}`
    Length,
    /// `${name:-word}` and its three siblings.
    Substitute {
        /// Which of `-`, `=`, `?`, `+`.
        kind: Substitution,
        /// Whether an empty value counts as unset (the colon).
        empty_is_unset: bool,
        /// The word behind the operator.
        word: Word,
    },
    /// `${name#pattern}`, `##`, `%`, `%%`.
    Trim {
        /// The end that is cut.
        side: Side,
        /// Whether the longest match goes.
        longest: bool,
        /// The pattern.
        pattern: Word,
    },
}

/// What `${name OP word}` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Substitution {
    /// `-`: use the word when unset.
    Default,
    /// `=`: assign the word when unset.
    Assign,
    /// `?`: fail with the word as message when unset.
    Require,
    /// `+`: use the word when set.
    Alternative,
}

/// An end of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The start (`#`).
    Prefix,
    /// The end (`%`).
    Suffix,
}

/// Commands in sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// And-or lists, in order.
    pub items: Vec<Item>,
}

/// One and-or list and the separator behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The first pipeline.
    pub first: Pipeline,
    /// The others, each with the operator before it.
    pub rest: Vec<(Connector, Pipeline)>,
    /// Whether it ended in `&`.
    pub background: bool,
}

/// An operator between pipelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connector {
    /// `&&`
    And,
    /// `||`
    Or,
}

/// Commands joined by `|`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Whether `!` stood before it.
    pub negated: bool,
    /// At least one command.
    pub commands: Vec<Command>,
}

/// A command with its redirections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What runs.
    pub kind: CommandKind,
    /// Applied left to right.
    pub redirections: Vec<Redirection>,
}

/// The kinds of command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// `NAME=value program argument`
    Simple {
        /// Assignments before the first word.
        assignments: Vec<(Vec<u8>, Word)>,
        /// The command's name and its arguments.
        words: Vec<Word>,
    },
    /// `{ ...; }`
    Group(List),
    /// `( ... )`
    Subshell(List),
    /// `if`, with every `elif` as a further branch.
    If {
        /// Conditions and what they guard.
        branches: Vec<(List, List)>,
        /// The `else` part.
        otherwise: Option<List>,
    },
    /// `while` and `until`.
    Loop {
        /// The condition's status that ends the loop: failure for `while`, success for `until`.
        ends_on_success: bool,
        /// Checked before every round.
        condition: List,
        /// Between `do` and `done`.
        body: List,
    },
    /// `for name in words`
    For {
        /// The variable.
        name: Vec<u8>,
        /// The words; `None` stands for `"$@"`.
        words: Option<Vec<Word>>,
        /// Between `do` and `done`.
        body: List,
    },
    /// `case word in pattern) ... esac`
    Case {
        /// What is matched.
        subject: Word,
        /// The arms, tried in order.
        arms: Vec<Arm>,
    },
    /// `name() command`
    Function {
        /// The function's name.
        name: Vec<u8>,
        /// Its body, shared with the table of functions.
        body: Rc<Command>,
    },
}

/// One arm of `case`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// Alternatives.
    pub patterns: Vec<Word>,
    /// What runs on a match.
    pub body: List,
}

/// A redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// The descriptor that changes.
    pub descriptor: i32,
    /// Where it leads.
    pub target: Target,
}

/// Where a redirection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `< word`
    Read(Word),
    /// `> word`
    Write(Word),
    /// `>| word`: as `Write`, even under `set -C`.
    Clobber(Word),
    /// `>> word`
    Append(Word),
    /// `<> word`
    ReadWrite(Word),
    /// `<& word` and `>& word`: a descriptor's number, or `-` to close.
    Duplicate(Word),
    /// `<< word`; the text arrives with the line's end.
    HereDocument(Rc<OnceCell<Word>>),
}

impl Word {
    /// Returns the text when the word is one unquoted literal, as reserved words and names are.
    pub fn as_literal(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }
}
