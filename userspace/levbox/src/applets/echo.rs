//! `echo`: its arguments; `-e` gives meaning to backslashes.

use alloc::vec::Vec;

use rt::io;

use crate::Call;

pub(super) fn run(call: &Call<'_>) -> i32 {
    let mut words = call.arguments;
    let mut newline = true;
    let mut escapes = false;
    // Anything but a bundle of these letters is a word already.
    while let Some([b'-', letters @ ..]) = words.first().map(Vec::as_slice) {
        if letters.is_empty() || !letters.iter().all(|letter| b"neE".contains(letter)) {
            break;
        }
        for letter in letters {
            match letter {
                b'n' => newline = false,
                letter => escapes = *letter == b'e',
            }
        }
        words = &words[1..];
    }
    let text = words.join(&b' ');
    if escapes {
        let (text, stopped) = unescape(&text);
        io::put(&text);
        newline &= !stopped;
    } else {
        io::put(&text);
    }
    if newline {
        io::put(b"\n");
    }
    0
}

/// Resolves escapes; the second value tells that `\c` cut the text.
fn unescape(text: &[u8]) -> (Vec<u8>, bool) {
    let mut result = Vec::new();
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'\\' {
            result.push(*byte);
            continue;
        }
        let Some((letter, tail)) = rest.split_first() else {
            result.push(b'\\');
            break;
        };
        rest = tail;
        match letter {
            b'a' => result.push(0x07),
            b'b' => result.push(0x08),
            b'c' => return (result, true),
            b'e' => result.push(0x1b),
            b'f' => result.push(0x0c),
            b'n' => result.push(b'\n'),
            b'r' => result.push(b'\r'),
            b't' => result.push(b'\t'),
            b'v' => result.push(0x0b),
            b'\\' => result.push(b'\\'),
            b'0' => result.push(digits(&mut rest, 8, 3)),
            b'x' => result.push(digits(&mut rest, 16, 2)),
            other => result.extend([b'\\', *other]),
        }
    }
    (result, false)
}

/// Takes at most so many digits; the value wraps as a byte does in C.
fn digits(rest: &mut &[u8], radix: u32, limit: usize) -> u8 {
    let mut value = 0_u32;
    for _ in 0..limit {
        let Some(digit) = rest.first().and_then(|byte| char::from(*byte).to_digit(radix)) else {
            break;
        };
        value = value * radix + digit;
        *rest = &rest[1..];
    }
    value as u8
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(unescape(b"a\\tb\\n\\\\").0, b"a\tb\n\\");
        assert_eq!(unescape(b"\\0101\\x41\\x4").0, b"AA\x04");
        assert_eq!(unescape(b"\\q\\").0, b"\\q\\");
        assert_eq!(unescape(b"a\\cb"), (b"a".to_vec(), true));
    }
}
