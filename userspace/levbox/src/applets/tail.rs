//! `tail`: the end of files.

use alloc::vec;
use alloc::vec::Vec;

use rt::io::{self, BUFFER_BYTES, Read};
use rt::text::{self, Text};
use rt::{Result, println, time};

use super::head::{Amount, DEFAULT_LINES, Input, names_them, parse, show_each};

use crate::Call;
use crate::options::Grammar;

/// Time between two looks at followed files, as long as in GNU's.
const FOLLOW_INTERVAL_MS: u64 = 1000;

/// Where the shown part begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// So much before the end.
    End(Amount),
    /// At this line or byte, counted from 1.
    Start(Amount),
}

pub(super) fn run(call: &Call<'_>) -> i32 {
    let options = match parse(call, &Grammar::of("fqvn:c:")) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let from = match options
        .last_of(b"nc")
        .map(|letter| (letter, options.value(letter).unwrap_or_default()))
    {
        None => From::End(Amount::Lines(DEFAULT_LINES)),
        Some((letter, value)) => {
            let digits = value
                .strip_prefix(b"+")
                .or_else(|| value.strip_prefix(b"-"))
                .unwrap_or(value);
            let Some(count) = text::parse_unsigned(digits, 10) else {
                call.complain(format_args!("invalid number '{}'", Text(value)));
                return 1;
            };
            let amount = if letter == b'n' {
                Amount::Lines(count)
            } else {
                Amount::Bytes(count)
            };
            if value.starts_with(b"+") {
                From::Start(amount)
            } else {
                From::End(amount)
            }
        }
    };
    let mut followed = Vec::new();
    let status = show_each(call, &options, |mut input| {
        show(&mut input, from)?;
        if options.has(b'f') && input.file.is_some() {
            followed.push(input);
        }
        Ok(())
    });
    if !followed.is_empty() {
        follow(call, &mut followed, names_them(&options));
        return 1;
    }
    status
}

/// Shows what is appended to files, until none of them can be read.
fn follow(call: &Call<'_>, files: &mut Vec<Input>, names_them: bool) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut last_name = files.last().map(|input| input.name.clone());
    while !files.is_empty() {
        files.retain_mut(|input| {
            loop {
                match input.read(&mut buffer) {
                    Ok(0) => return true,
                    Ok(length) => {
                        if names_them && last_name.as_ref() != Some(&input.name) {
                            println!("\n==> {} <==", Text(&input.name));
                            last_name = Some(input.name.clone());
                        }
                        io::put(&buffer[..length]);
                    }
                    Err(errno) => {
                        call.complain_about(&input.name, errno);
                        return false;
                    }
                }
            }
        });
        if io::flush().is_err() {
            return;
        }
        time::sleep_ms(FOLLOW_INTERVAL_MS);
    }
}

fn show(source: &mut dyn Read, from: From) -> Result<()> {
    match from {
        From::Start(amount) => show_from(source, amount),
        From::End(amount) => show_last(source, amount),
    }
}

fn show_from(source: &mut dyn Read, amount: Amount) -> Result<()> {
    let (Amount::Lines(count) | Amount::Bytes(count)) = amount;
    let mut to_skip = count.saturating_sub(1);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = source.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        let mut start = 0;
        while to_skip > 0 && start < length {
            if matches!(amount, Amount::Bytes(_)) || buffer[start] == b'\n' {
                to_skip -= 1;
            }
            start += 1;
        }
        io::put(&buffer[start..length]);
    }
}

/// Keeps as much of the end as may be shown, and cuts it when the source has ended.
fn show_last(source: &mut dyn Read, amount: Amount) -> Result<()> {
    let mut kept = Vec::new();
    let mut block = vec![0; BUFFER_BYTES];
    let mut last_cut = 0;
    loop {
        let length = source.read(&mut block)?;
        if length == 0 {
            break;
        }
        kept.extend_from_slice(&block[..length]);
        // Cut only when the text has doubled, so that the work stays proportional to the input.
        if kept.len() >= 2 * (last_cut + BUFFER_BYTES) {
            kept.drain(..start_of(&kept, amount));
            last_cut = kept.len();
        }
    }
    io::put(&kept[start_of(&kept, amount)..]);
    Ok(())
}

/// Returns where the last lines or bytes of a text begin.
fn start_of(text: &[u8], amount: Amount) -> usize {
    match amount {
        Amount::Bytes(count) => text
            .len()
            .saturating_sub(usize::try_from(count).unwrap_or(usize::MAX)),
        Amount::Lines(0) => text.len(),
        Amount::Lines(count) => {
            let body = text.strip_suffix(b"\n").unwrap_or(text);
            let mut newlines = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
            let wanted = usize::try_from(count - 1).unwrap_or(usize::MAX);
            newlines.nth(wanted).map_or(0, |(index, _)| index + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Amount, start_of};

    #[test]
    fn the_last_part_begins_behind_a_newline() {
        let text = b"one\ntwo\nthree\n";
        assert_eq!(&text[start_of(text, Amount::Lines(1))..], b"three\n");
        assert_eq!(&text[start_of(text, Amount::Lines(2))..], b"two\nthree\n");
        assert_eq!(start_of(text, Amount::Lines(9)), 0);
        assert_eq!(start_of(text, Amount::Lines(0)), text.len());
        assert_eq!(start_of(b"a\nb", Amount::Lines(1)), 2);
        assert_eq!(start_of(text, Amount::Bytes(6)), text.len() - 6);
        assert_eq!(start_of(b"", Amount::Lines(3)), 0);
    }
}
