//! A POSIX shell for Levitate, small but true to the standard in what it does.
//!
//! A text becomes tokens ([`lexer`]) and a tree ([`ast`], [`parser`]); running it expands words
//! ([`expand`], [`fields`], [`pattern`], [`glob`], [`arithmetic`]) and makes processes ([`exec`],
//! [`redirect`], [`jobs`], [`traps`]) or calls [`builtins`]. [`shell`] is the state, [`input`] where commands come
//! from. Left out: aliases, history and line editing beyond the terminal's own.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod arithmetic;
pub mod ast;
pub mod builtins;
pub mod exec;
pub mod expand;
pub mod fields;
pub mod glob;
pub mod input;
pub mod jobs;
pub mod lexer;
pub mod parser;
pub mod pattern;
pub mod redirect;
pub mod shell;
pub mod simple;
pub mod traps;
pub mod variables;

pub use input::main;
