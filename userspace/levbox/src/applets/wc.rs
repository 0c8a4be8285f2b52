//! `wc`: counts lines, words, characters and bytes.

use alloc::vec::Vec;

use rt::fs::{self, File, FileKind};
use rt::io::{self, BufReader, Descriptor, Read};
use rt::text::Text;
use rt::{Result, print, println};

use crate::Call;
use crate::options::{Grammar, Options};

/// Width of a column when sizes are not known beforehand.
const UNKNOWN_WIDTH: usize = 7;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    lines: u64,
    words: u64,
    characters: u64,
    bytes: u64,
}

pub(super) fn run(call: &Call<'_>) -> i32 {
    let long = &[("lines", b'l'), ("words", b'w'), ("bytes", b'c'), ("chars", b'm')];
    let mut options = match Options::parse(call, &Grammar::of("clmw").with_long(long)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let is_input = options.operands.is_empty();
    if is_input {
        options.operands.push(b"-".to_vec());
    }
    let columns: Vec<u8> = if options.has_any(b"clmw") {
        b"lwmc"
            .iter()
            .copied()
            .filter(|letter| options.has(*letter))
            .collect()
    } else {
        b"lwc".to_vec()
    };
    let width = if columns.len() == 1 && options.operands.len() == 1 {
        1
    } else {
        width(&options.operands)
    };
    let mut total = Counts::default();
    let mut status = 0;
    for path in &options.operands {
        let result = if path == b"-" {
            count(Descriptor(io::STDIN))
        } else {
            File::open(path).and_then(count)
        };
        match result {
            Ok(counts) => {
                show(&counts, &columns, width, if is_input { None } else { Some(path) });
                total.lines += counts.lines;
                total.words += counts.words;
                total.characters += counts.characters;
                total.bytes += counts.bytes;
            }
            Err(errno) => {
                call.complain_about(path, errno);
                status = 1;
            }
        }
    }
    if options.operands.len() > 1 {
        show(&total, &columns, width, Some(b"total"));
    }
    status
}

/// Returns the width that holds the size of all files together, as GNU's `wc` does.
fn width(paths: &[Vec<u8>]) -> usize {
    let mut bytes = 0_u64;
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.kind() == FileKind::Regular => bytes += metadata.size(),
            Err(_) if path != b"-" => {}
            _ => return UNKNOWN_WIDTH,
        }
    }
    bytes.checked_ilog10().map_or(1, |digits| digits as usize + 1)
}

fn count(source: impl Read) -> Result<Counts> {
    let mut reader = BufReader::new(source);
    let mut counts = Counts::default();
    let mut in_word = false;
    loop {
        let block = reader.fill()?;
        if block.is_empty() {
            return Ok(counts);
        }
        for byte in block {
            counts.lines += u64::from(*byte == b'\n');
            // A character is what does not continue another in UTF-8.
            counts.characters += u64::from(byte & 0xc0 != 0x80);
            let is_space = byte.is_ascii_whitespace() || *byte == 0x0b;
            counts.words += u64::from(!is_space && !in_word);
            in_word = !is_space;
        }
        let length = block.len();
        counts.bytes += length as u64;
        reader.consume(length);
    }
}

fn show(counts: &Counts, columns: &[u8], width: usize, name: Option<&[u8]>) {
    for (index, column) in columns.iter().enumerate() {
        let value = match column {
            b'l' => counts.lines,
            b'w' => counts.words,
            b'm' => counts.characters,
            _ => counts.bytes,
        };
        print!("{}{value:width$}", if index > 0 { " " } else { "" });
    }
    match name {
        Some(name) => println!(" {}", Text(name)),
        None => println!(),
    }
}
