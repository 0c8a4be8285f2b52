//! Scripts: the `#!` line that names an interpreter (execve(2)).

use los_abi::errno::Errno;

/// Bytes of a file that are looked at to tell what it is (Linux's BINPRM_BUF_SIZE).
pub(crate) const HEAD_BYTES: usize = 256;
/// Interpreters that may be scripts themselves before ELOOP.
pub(crate) const NESTING_MAX: usize = 5;

/// The interpreter of a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Script<'a> {
    /// The interpreter's path.
    pub(crate) interpreter: &'a [u8],
    /// Everything behind it on the line, as one argument.
    pub(crate) argument: Option<&'a [u8]>,
}

/// Reads the first line of a file whose first bytes, at most [`HEAD_BYTES`], are given; `None` if it is no script.
///
/// # Errors
/// ENOEXEC for a line without an interpreter, or whose interpreter does not end within the bytes.
pub(crate) fn parse(head: &[u8]) -> Result<Option<Script<'_>>, Errno> {
    let Some(line) = head.strip_prefix(b"#!") else {
        return Ok(None);
    };
    let end = line.iter().position(|byte| *byte == b'\n' || *byte == 0);
    let is_cut = end.is_none() && head.len() >= HEAD_BYTES;
    let line = trim(&line[..end.unwrap_or(line.len())]);
    let split = line.iter().position(|byte| is_blank(*byte));
    let (interpreter, rest) = line.split_at(split.unwrap_or(line.len()));
    if interpreter.is_empty() || (is_cut && split.is_none()) {
        return Err(Errno::ENOEXEC);
    }
    let argument = trim(rest);
    Ok(Some(Script {
        interpreter,
        argument: (!argument.is_empty()).then_some(argument),
    }))
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_blank(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_blank(*last)
    {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn script<'a>(interpreter: &'a [u8], argument: Option<&'a [u8]>) -> Result<Option<Script<'a>>, Errno> {
        Ok(Some(Script {
            interpreter,
            argument,
        }))
    }

    #[test]
    fn lines_split_into_interpreter_and_one_argument() {
        assert_eq!(parse(b"#!/bin/sh\necho"), script(b"/bin/sh", None));
        assert_eq!(
            parse(b"#! /usr/bin/env  -S a b \n"),
            script(b"/usr/bin/env", Some(b"-S a b"))
        );
        assert_eq!(parse(b"#!/bin/sh"), script(b"/bin/sh", None));
        assert_eq!(parse(b"\x7fELF"), Ok(None));
        assert_eq!(parse(b"#! \t\n/bin/sh"), Err(Errno::ENOEXEC));
    }

    #[test]
    fn only_the_argument_may_be_cut() {
        let mut long = vec![b'x'; HEAD_BYTES];
        long[..2].copy_from_slice(b"#!");
        assert_eq!(parse(&long), Err(Errno::ENOEXEC));
        long[2..10].copy_from_slice(b"/bin/sh ");
        let parsed = parse(&long).unwrap().unwrap();
        assert_eq!(
            (parsed.interpreter, parsed.argument.unwrap().len()),
            (&b"/bin/sh"[..], HEAD_BYTES - 10)
        );
    }

    proptest! {
        #[test]
        fn never_panics(tail in prop::collection::vec(any::<u8>(), 0..HEAD_BYTES - 2)) {
            let mut head = b"#!".to_vec();
            head.extend(tail);
            if let Ok(Some(script)) = parse(&head) {
                prop_assert!(!script.interpreter.is_empty());
            }
        }
    }
}
