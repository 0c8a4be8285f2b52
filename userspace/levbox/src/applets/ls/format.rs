//! How `ls` shows sizes, permissions, dates and names.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use rt::fs::{FileKind, Metadata};
use rt::text::{self, Text};
use rt::time::Date;
use rt::{io, print};

/// A date older than this shows its year, a newer one its time: half a year.
const RECENT_SECONDS: i64 = 31_556_952 / 2;

/// Returns the name of a numeric id in a table such as `/etc/passwd`, or the number.
pub(in crate::applets) fn name_of(table: &[u8], id: u32) -> String {
    for line in table.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':');
        let (name, number) = (fields.next(), fields.nth(1));
        if number.and_then(|number| text::parse_unsigned(number, 10)) == Some(u64::from(id)) {
            return Text(name.unwrap_or_default()).to_string();
        }
    }
    id.to_string()
}

/// Rounds a size up to at most three digits and a unit.
pub(super) fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let mut unit = 0;
    let mut scaled = bytes;
    while scaled >= 1024 * 1024 {
        scaled = scaled.div_ceil(1024);
        unit += 1;
    }
    let tenths = (scaled * 10).div_ceil(1024);
    if tenths >= 10_240 {
        return format!("1.0{}", ["M", "G", "T", "P", "E"][unit.min(4)]);
    }
    let letter = ["K", "M", "G", "T", "P", "E"][unit.min(5)];
    if tenths < 100 {
        format!("{}.{}{letter}", tenths / 10, tenths % 10)
    } else {
        format!("{}{letter}", tenths.div_ceil(10))
    }
}

pub(super) fn permissions(metadata: &Metadata) -> String {
    let mode = metadata.permissions();
    let mut text = String::with_capacity(10);
    text.push(match metadata.kind() {
        FileKind::Directory => 'd',
        FileKind::Symlink => 'l',
        FileKind::CharacterDevice => 'c',
        FileKind::BlockDevice => 'b',
        FileKind::Fifo => 'p',
        FileKind::Socket => 's',
        FileKind::Regular | FileKind::Unknown => '-',
    });
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, false) => 'x',
            (false, false) => '-',
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
        });
    }
    text
}

pub(super) fn date(metadata: &Metadata, now: i64) -> String {
    let seconds = metadata.modified().tv_sec;
    let date = Date::from_seconds(seconds);
    let month = date.month_name();
    if seconds > now - RECENT_SECONDS && seconds <= now {
        format!("{month} {:2} {:02}:{:02}", date.day, date.hour, date.minute)
    } else {
        format!("{month} {:2}  {}", date.day, date.year)
    }
}

/// Prints labels in as many columns as fit, each as wide as its widest label, filled downwards.
pub(super) fn print_columns(labels: &[Vec<u8>], width: usize) {
    let length = |label: &Vec<u8>| Text(label).to_string().chars().count();
    let lengths: Vec<usize> = labels.iter().map(length).collect();
    let mut rows = 1;
    let widths = loop {
        let widths: Vec<usize> = lengths
            .chunks(rows)
            .map(|column| column.iter().max().map_or(0, |widest| widest + 2))
            .collect();
        if rows >= labels.len() || widths.iter().sum::<usize>() <= width + 2 {
            break widths;
        }
        rows += 1;
    };
    for row in 0..rows.min(labels.len()) {
        for (column, column_width) in widths.iter().enumerate() {
            let index = column * rows + row;
            let Some(label) = labels.get(index) else {
                break;
            };
            io::put(label);
            if index + rows < labels.len() {
                print!("{:1$}", "", column_width - lengths[index]);
            }
        }
        io::put(b"\n");
    }
}

#[cfg(test)]
mod tests {
    use super::{human, name_of};

    #[test]
    fn sizes_have_three_digits_at_most() {
        let cases = [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1025, "1.1K"),
            (10_240, "10K"),
            (1_048_575, "1.0M"),
            (5_000_000, "4.8M"),
            (u64::MAX, "16E"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn ids_have_names_in_the_table() {
        let table = b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:\n";
        assert_eq!(name_of(table, 65_534), "nobody");
        assert_eq!(name_of(table, 7), "7");
    }
}
