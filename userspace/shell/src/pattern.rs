//! Patterns: `*`, `?` and `[...]` against a text (`POSIX.1-2017, Shell Command Language, 2.13`).
//!
//! A pattern is bytes in which a backslash makes the next byte stand for itself, so quoted text
//! becomes a pattern by [`escape`] and a pattern without wildcards becomes text by [`unescape`].

use alloc::vec::Vec;

use crate::ast::Side;

/// Tells whether the whole text matches the pattern.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to resume when a guess about the last `*` proves wrong.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if p == pattern.len() && t == text.len() {
            return true;
        }
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p + 1, t));
            p += 1;
            continue;
        }
        if let Some(byte) = text.get(t)
            && let Some(width) = match_one(&pattern[p..], *byte)
        {
            p += width;
            t += 1;
            continue;
        }
        match retry {
            Some((after_star, start)) if start < text.len() => {
                retry = Some((after_star, start + 1));
                p = after_star;
                t = start + 1;
            }
            _ => return false,
        }
    }
}

/// Makes a pattern that matches exactly the text, appended to `pattern`.
pub fn escape(text: &[u8], pattern: &mut Vec<u8>) {
    for byte in text {
        if b"*?[]\\-!^".contains(byte) {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
}

/// Returns the text that a pattern without wildcards matches.
pub fn unescape(pattern: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        text.push(if *byte == b'\\' {
            *bytes.next().unwrap_or(byte)
        } else {
            *byte
        });
    }
    text
}

/// Tells whether the pattern holds an active wildcard.
pub fn has_wildcard(pattern: &[u8]) -> bool {
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'*' | b'?' => return true,
            b'[' if bytes.as_slice().contains(&b']') => return true,
            _ => {}
        }
    }
    false
}

/// Cuts the shortest or longest match of the pattern off one side of the text.
pub fn trim<'t>(text: &'t [u8], pattern: &[u8], side: Side, longest: bool) -> &'t [u8] {
    let length = text.len();
    let matching = |cut: &usize| match side {
        Side::Prefix => matches(pattern, &text[..*cut]),
        Side::Suffix => matches(pattern, &text[length - *cut..]),
    };
    let cut = if longest {
        (0..=length).rev().find(matching)
    } else {
        (0..=length).find(matching)
    };
    match (side, cut.unwrap_or(0)) {
        (Side::Prefix, cut) => &text[cut..],
        (Side::Suffix, cut) => &text[..length - cut],
    }
}

/// Matches one byte against the pattern's first element; returns the element's width.
fn match_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern.first()? {
        b'?' => Some(1),
        b'\\' => match pattern.get(1) {
            Some(literal) => (*literal == byte).then_some(2),
            None => (byte == b'\\').then_some(1),
        },
        b'[' => match bracket(&pattern[1..], byte) {
            Some((true, width)) => Some(width + 1),
            Some((false, _)) => None,
            // Without a closing bracket it stands for itself.
            None => (byte == b'[').then_some(1),
        },
        literal => (literal == byte).then_some(1),
    }
}

/// Matches a bracket expression, behind its `[`: the answer and the width up to and with `]`.
fn bracket(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let mut i = 0;
    let negated = matches!(pattern.first()?, b'!' | b'^');
    if negated {
        i += 1;
    }
    let first = i;
    let mut found = false;
    loop {
        let current = *pattern.get(i)?;
        if current == b']' && i > first {
            return Some((found != negated, i + 1));
        }
        if current == b'['
            && pattern.get(i + 1) == Some(&b':')
            && let Some(length) = pattern[i + 2..].windows(2).position(|pair| pair == b":]")
        {
            found |= in_class(&pattern[i + 2..i + 2 + length], byte);
            i += length + 4;
            continue;
        }
        let (low, width) = element(&pattern[i..])?;
        i += width;
        let is_range = pattern.get(i) == Some(&b'-') && pattern.get(i + 1) != Some(&b']');
        if is_range && pattern.get(i + 1).is_some() {
            let (high, width) = element(&pattern[i + 1..])?;
            i += width + 1;
            found |= (low..=high).contains(&byte);
        } else {
            found |= low == byte;
        }
    }
}

/// Reads one byte of a bracket expression, which may be escaped.
fn element(pattern: &[u8]) -> Option<(u8, usize)> {
    match *pattern.first()? {
        b'\\' => pattern.get(1).map(|byte| (*byte, 2)),
        byte => Some((byte, 1)),
    }
}

fn in_class(name: &[u8], byte: u8) -> bool {
    match name {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => byte == b' ' || byte == b'\t',
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{escape, has_wildcard, matches, trim, unescape};
    use crate::ast::Side;
    use alloc::vec::Vec;

    #[test]
    fn wildcards_match_as_posix_says() {
        let cases: &[(&str, &str, bool)] = &[
            ("", "", true),
            ("a", "", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcdf", false),
            ("**a", "bbba", true),
            ("?", "", false),
            ("??", "ab", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[[:digit:]]*", "7up", true),
            ("[[:alpha:][:digit:]]", "_", false),
            ("[", "[", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[\\]]", "]", true),
            ("a*b*c*d*e*f*g", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                *expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn escaped_text_matches_itself_only() {
        for text in ["a*b", "[x]", "\\", "a-b", "!", "?"] {
            let mut pattern = Vec::new();
            escape(text.as_bytes(), &mut pattern);
            assert!(matches(&pattern, text.as_bytes()), "{text}");
            assert!(!has_wildcard(&pattern), "{text}");
            assert_eq!(unescape(&pattern), text.as_bytes());
        }
    }

    #[test]
    fn trims_either_end_short_or_long() {
        let path = b"/usr/lib/x.tar.gz";
        assert_eq!(trim(path, b"*/", Side::Prefix, true), b"x.tar.gz");
        assert_eq!(trim(path, b"*/", Side::Prefix, false), b"usr/lib/x.tar.gz");
        assert_eq!(trim(path, b".*", Side::Suffix, true), b"/usr/lib/x");
        assert_eq!(trim(path, b".*", Side::Suffix, false), b"/usr/lib/x.tar");
        assert_eq!(trim(path, b"nothing", Side::Suffix, false), path);
    }
}
