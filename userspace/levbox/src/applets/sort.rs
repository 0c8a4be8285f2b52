//! `sort`: lines in order.

use alloc::vec::Vec;
use core::cmp::Ordering;

use rt::fs::File;
use rt::io::{self, Descriptor, Read};
use rt::text::{self, Text};

use crate::Call;
use crate::options::{Grammar, Options};

/// How lines compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Order {
    numeric: bool,
    reverse: bool,
    fold_case: bool,
    skip_blanks: bool,
}

/// A part of the line that is compared, with fields counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    first_field: usize,
    /// The field behind the last one; `None` goes to the end of the line.
    end_field: Option<usize>,
    order: Order,
}

pub(super) fn run(call: &Call<'_>) -> i32 {
    let long = &[("reverse", b'r'), ("numeric-sort", b'n'), ("unique", b'u')];
    let options = match Options::parse(call, &Grammar::of("bfnrsuk:t:o:").with_long(long)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let order = Order {
        numeric: options.has(b'n'),
        reverse: options.has(b'r'),
        fold_case: options.has(b'f'),
        skip_blanks: options.has(b'b'),
    };
    let separator = match options.value(b't') {
        None => None,
        Some([byte]) => Some(*byte),
        Some(text) => {
            call.complain(format_args!("bad separator '{}'", Text(text)));
            return 2;
        }
    };
    let mut keys = Vec::new();
    for text in options.values(b'k') {
        let Some(key) = parse_key(text, order) else {
            call.complain(format_args!("bad key '{}'", Text(text)));
            return 2;
        };
        keys.push(key);
    }
    if keys.is_empty() {
        keys.push(Key {
            first_field: 0,
            end_field: None,
            order,
        });
    }
    let Some(text) = read_all(call, &options.operands) else {
        return 2;
    };
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let by_keys = |left: &[u8], right: &[u8]| compare(left, right, &keys, separator);
    let plain = options.has(b'u') || options.has(b's');
    lines.sort_by(|left, right| {
        by_keys(left, right).then_with(|| match (plain, order.reverse) {
            (true, _) => Ordering::Equal,
            (false, true) => right.cmp(left),
            (false, false) => left.cmp(right),
        })
    });
    if options.has(b'u') {
        lines.dedup_by(|left, right| by_keys(left, right) == Ordering::Equal);
    }
    write(call, &lines, options.value(b'o'))
}

/// Reads all sources, each with a newline at its end.
fn read_all(call: &Call<'_>, paths: &[Vec<u8>]) -> Option<Vec<u8>> {
    let standard_input = [b"-".to_vec()];
    let paths = if paths.is_empty() { &standard_input } else { paths };
    let mut text = Vec::new();
    for path in paths {
        let result = if path == b"-" {
            Descriptor(io::STDIN).read_to_end(&mut text)
        } else {
            File::open(path).and_then(|mut file| file.read_to_end(&mut text))
        };
        if let Err(errno) = result {
            call.complain_about(path, errno);
            return None;
        }
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
    }
    Some(text)
}

fn write(call: &Call<'_>, lines: &[&[u8]], path: Option<&[u8]>) -> i32 {
    let Some(path) = path else {
        for line in lines {
            io::put(line);
            io::put(b"\n");
        }
        return 0;
    };
    let mut text = lines.join(&b'\n');
    if !lines.is_empty() {
        text.push(b'\n');
    }
    match File::create(path, 0o666).and_then(|mut file| file.write_all(&text)) {
        Ok(()) => 0,
        Err(errno) => {
            call.complain_about(path, errno);
            2
        }
    }
}

/// Reads `FIRST[letters][,LAST[letters]]`; letters replace the order of the command line.
fn parse_key(text: &[u8], default: Order) -> Option<Key> {
    let mut parts = text.splitn(2, |byte| *byte == b',');
    let (first, letters) = split_number(parts.next()?)?;
    let mut all_letters = letters.to_vec();
    let end_field = match parts.next() {
        None => None,
        Some(part) => {
            let (last, letters) = split_number(part)?;
            all_letters.extend_from_slice(letters);
            Some(last)
        }
    };
    let mut order = if all_letters.is_empty() {
        default
    } else {
        Order::default()
    };
    for letter in all_letters {
        match letter {
            b'n' => order.numeric = true,
            b'r' => order.reverse = true,
            b'f' => order.fold_case = true,
            b'b' => order.skip_blanks = true,
            _ => return None,
        }
    }
    Some(Key {
        first_field: first.checked_sub(1)?,
        end_field,
        order,
    })
}

fn split_number(text: &[u8]) -> Option<(usize, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = text::parse_unsigned(&text[..digits], 10)?;
    Some((usize::try_from(number).ok()?, &text[digits..]))
}

fn compare(left: &[u8], right: &[u8], keys: &[Key], separator: Option<u8>) -> Ordering {
    for key in keys {
        let (mut a, mut b) = (part(left, key, separator), part(right, key, separator));
        if key.order.skip_blanks {
            (a, b) = (a.trim_ascii_start(), b.trim_ascii_start());
        }
        let ordering = if key.order.numeric {
            compare_numbers(a, b)
        } else if key.order.fold_case {
            a.iter()
                .map(u8::to_ascii_uppercase)
                .cmp(b.iter().map(u8::to_ascii_uppercase))
        } else {
            a.cmp(b)
        };
        let ordering = if key.order.reverse {
            ordering.reverse()
        } else {
            ordering
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

/// Returns the part of a line that a key means.
fn part<'l>(line: &'l [u8], key: &Key, separator: Option<u8>) -> &'l [u8] {
    if key.first_field == 0 && key.end_field.is_none() {
        return line;
    }
    let start = field_start(line, key.first_field, separator);
    let end = match key.end_field {
        None => line.len(),
        Some(field) => {
            let next = field_start(line, field, separator);
            // The next field begins behind its separator, which does not belong to this one.
            if next < line.len() || separator.is_some() && line.last() == separator.as_ref() {
                next - usize::from(separator.is_some() && next > 0)
            } else {
                line.len()
            }
        }
    };
    &line[start.min(end)..end]
}

/// Returns where a field begins; without a separator its blanks belong to it.
fn field_start(line: &[u8], field: usize, separator: Option<u8>) -> usize {
    let mut position = 0;
    for _ in 0..field {
        let rest = &line[position..];
        let length = match separator {
            Some(separator) => rest
                .iter()
                .position(|byte| *byte == separator)
                .map(|index| index + 1),
            None => {
                let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
                rest[blanks..]
                    .iter()
                    .position(|byte| is_blank(*byte))
                    .map(|index| blanks + index)
            }
        };
        match length {
            Some(length) => position += length,
            None => return line.len(),
        }
    }
    position
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Compares decimal numbers of any length by their text; what is no number counts as zero.
fn compare_numbers(left: &[u8], right: &[u8]) -> Ordering {
    let (a, b) = (Number::read(left), Number::read(right));
    match (a.negative, b.negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => a.compare_magnitude(&b),
        (true, true) => b.compare_magnitude(&a),
    }
}

struct Number<'t> {
    negative: bool,
    whole: &'t [u8],
    fraction: &'t [u8],
}

impl<'t> Number<'t> {
    fn read(text: &'t [u8]) -> Self {
        let text = text.trim_ascii_start();
        let minus = text.first() == Some(&b'-');
        let text = if minus { &text[1..] } else { text };
        let digits = |text: &'t [u8]| &text[..text.iter().take_while(|byte| byte.is_ascii_digit()).count()];
        let whole = digits(text);
        let fraction = text[whole.len()..].strip_prefix(b".").map_or(&b""[..], digits);
        let zeros = whole.iter().take_while(|byte| **byte == b'0').count();
        let end = fraction
            .iter()
            .rposition(|byte| *byte != b'0')
            .map_or(0, |last| last + 1);
        let (whole, fraction) = (&whole[zeros..], &fraction[..end]);
        Self {
            negative: minus && !(whole.is_empty() && fraction.is_empty()),
            whole,
            fraction,
        }
    }

    fn compare_magnitude(&self, other: &Self) -> Ordering {
        let lengths = self.whole.len().cmp(&other.whole.len());
        lengths
            .then_with(|| self.whole.cmp(other.whole))
            .then_with(|| self.fraction.cmp(other.fraction))
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Order, compare_numbers, parse_key, part};
    use core::cmp::Ordering;

    #[test]
    fn numbers_compare_by_value() {
        let ascending = [
            "-10",
            "-9.5",
            "-0.1",
            "0",
            "0.05",
            "0.5",
            "1",
            "9",
            "10",
            "123456789012345678901234567890",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(
                compare_numbers(pair[0].as_bytes(), pair[1].as_bytes()),
                Ordering::Less,
                "{pair:?}"
            );
        }
        assert_eq!(compare_numbers(b" 007", b"7.0"), Ordering::Equal);
        assert_eq!(compare_numbers(b"-0", b"x"), Ordering::Equal);
    }

    #[test]
    fn keys_are_fields() {
        let key = |text: &str| parse_key(text.as_bytes(), Order::default()).unwrap();
        assert_eq!(part(b"a:b:c", &key("2"), Some(b':')), b"b:c");
        assert_eq!(part(b"a:b:c", &key("2,2"), Some(b':')), b"b");
        assert_eq!(part(b"a:b:", &key("2,2"), Some(b':')), b"b");
        assert_eq!(part(b"a:b:c", &key("3,3"), Some(b':')), b"c");
        assert_eq!(part(b"a", &key("2,2"), Some(b':')), b"");
        assert_eq!(part(b"a  b c", &key("2,2"), None), b"  b");
        assert_eq!(part(b"a b", &key("1,1"), None), b"a");
        assert!(
            key("2nr,3").order
                == Order {
                    numeric: true,
                    reverse: true,
                    ..Order::default()
                }
        );
        for bad in ["0", "x", "1,x", "1q", ""] {
            assert_eq!(parse_key(bad.as_bytes(), Order::default()), None::<Key>, "{bad}");
        }
    }
}
