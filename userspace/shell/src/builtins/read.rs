//! `read`: one line of input, split into variables.

use alloc::vec::Vec;

use rt::text::Text;
use rt::{Errno, eprint, io};

use super::{Outcome, USAGE_STATUS};
use crate::shell::Shell;
use crate::traps;

/// Runs `read [-r] [-p prompt] name ...`; status 1 is the end of the input.
pub(super) fn run(shell: &mut Shell, arguments: &[Vec<u8>]) -> Outcome {
    let mut raw = false;
    let mut operands = arguments[1..].iter();
    while let Some([b'-', letters @ ..]) = operands.as_slice().first().map(Vec::as_slice) {
        operands.next();
        match letters {
            b"r" => raw = true,
            b"p" => eprint!("{}", Text(operands.next().map_or(&b""[..], Vec::as_slice))),
            b"-" => break,
            _ => {
                shell.complain(format_args!("read: Illegal option -{}", Text(letters)));
                return Ok(USAGE_STATUS);
            }
        }
    }
    let names = operands.as_slice();
    if names.is_empty() {
        shell.complain(format_args!("read: arg count"));
        return Ok(USAGE_STATUS);
    }
    let (line, complete) = match read_line(raw) {
        Ok(read) => read,
        Err(Errno::EINTR) => return Ok(traps::interrupted_status().unwrap_or(1)),
        Err(errno) => {
            shell.complain(format_args!("read: {}", errno.message()));
            return Ok(1);
        }
    };
    let values = split(&line, &shell.separators(), names.len());
    for (name, value) in names.iter().zip(values) {
        shell.assign(name, value)?;
    }
    Ok(i32::from(!complete))
}

/// A byte, and whether a backslash took its meaning.
type Byte = (u8, bool);

/// Reads up to a newline, byte by byte, since the rest belongs to whoever reads next.
fn read_line(raw: bool) -> Result<(Vec<Byte>, bool), Errno> {
    let mut line = Vec::new();
    let mut escaped = false;
    loop {
        let mut byte = [0];
        if io::read(io::STDIN, &mut byte)? == 0 {
            return Ok((line, false));
        }
        match byte[0] {
            b'\n' if escaped => escaped = false,
            b'\n' => return Ok((line, true)),
            b'\\' if !raw && !escaped => escaped = true,
            byte => {
                line.push((byte, escaped));
                escaped = false;
            }
        }
    }
}

/// Splits a line into so many values; the last one takes the rest, without blanks at its ends.
fn split(line: &[Byte], separators: &[u8], count: usize) -> Vec<Vec<u8>> {
    let is_separator = |byte: &Byte| !byte.1 && separators.contains(&byte.0);
    let is_blank = |byte: &Byte| is_separator(byte) && b" \t\n".contains(&byte.0);
    let blanks = |text: &[Byte]| text.iter().take_while(|byte| is_blank(byte)).count();
    let mut rest = &line[blanks(line)..];
    let mut values = Vec::new();
    while values.len() + 1 < count {
        let length = rest.iter().position(is_separator).unwrap_or(rest.len());
        values.push(rest[..length].iter().map(|byte| byte.0).collect());
        rest = &rest[length..];
        rest = &rest[blanks(rest)..];
        if rest
            .first()
            .is_some_and(|byte| is_separator(byte) && !is_blank(byte))
        {
            rest = &rest[1..];
            rest = &rest[blanks(rest)..];
        }
    }
    let mut end = rest
        .iter()
        .rposition(|byte| !is_blank(byte))
        .map_or(0, |last| last + 1);
    // One delimiter at the end only ends the last field, when it is the only one in it.
    let only_last = rest[..end]
        .iter()
        .position(is_separator)
        .is_some_and(|first| first + 1 == end);
    if only_last {
        end -= 1;
    }
    values.push(rest[..end].iter().map(|byte| byte.0).collect());
    values
}

#[cfg(test)]
mod tests {
    use super::split;
    use alloc::vec::Vec;

    #[test]
    fn lines_split_into_variables() {
        let cases: &[(&str, &str, usize, &[&str])] = &[
            ("a b c", " ", 3, &["a", "b", "c"]),
            ("  a  b c  ", " ", 2, &["a", "b c"]),
            ("a", " ", 2, &["a", ""]),
            ("a:b:c", ":", 2, &["a", "b:c"]),
            ("a::c", ":", 3, &["a", "", "c"]),
            ("a:", ":", 1, &["a"]),
            (" x ", "", 1, &[" x "]),
        ];
        for (line, separators, count, expected) in cases {
            let line: Vec<_> = line.bytes().map(|byte| (byte, false)).collect();
            let expected: Vec<_> = expected.iter().map(|value| value.as_bytes().to_vec()).collect();
            assert_eq!(split(&line, separators.as_bytes(), *count), expected);
        }
    }
}
