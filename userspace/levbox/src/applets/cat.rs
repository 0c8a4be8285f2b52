//! `cat`: files one after the other.

use alloc::vec::Vec;

use rt::io::{self, BufReader, Descriptor, Read};
use rt::{Result, fs, print};

use crate::Call;
use crate::options::{Grammar, Options};

pub(super) fn run(call: &Call<'_>) -> i32 {
    let mut options = match Options::parse(call, &Grammar::of("nu")) {
        Ok(options) => options,
        Err(status) => return status,
    };
    if options.operands.is_empty() {
        options.operands.push(b"-".to_vec());
    }
    let mut line_number = options.has(b'n').then_some(0_u64);
    let mut status = 0;
    for path in &options.operands {
        let result = if path == b"-" {
            show(Descriptor(io::STDIN), line_number.as_mut())
        } else {
            fs::File::open(path).and_then(|file| show(file, line_number.as_mut()))
        };
        if let Err(errno) = result {
            call.complain_about(path, errno);
            status = 1;
        }
        if let Err(errno) = io::flush() {
            call.complain(format_args!("write error: {}", errno.message()));
            return 1;
        }
    }
    status
}

/// Prints a source to its end; a block at a time, or numbered by lines.
fn show(source: impl Read, line_number: Option<&mut u64>) -> Result<()> {
    let mut reader = BufReader::new(source);
    let Some(line_number) = line_number else {
        loop {
            let block = reader.fill()?;
            if block.is_empty() {
                return Ok(());
            }
            // Input of a person or a pipe must not wait for more of it.
            io::flush()?;
            io::put(block);
            io::flush()?;
            let length = block.len();
            reader.consume(length);
        }
    };
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        *line_number += 1;
        print!("{line_number:6}\t");
        io::put(&line);
        line.clear();
    }
    Ok(())
}
