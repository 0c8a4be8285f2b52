//! `head`: the beginning of files.

use alloc::vec::Vec;

use rt::io::{self, BufReader, Descriptor, Read};
use rt::text::{self, Text};
use rt::{Result, fs, println};

use crate::Call;
use crate::options::{Grammar, Options};

/// Lines that are shown unless told otherwise.
pub(super) const DEFAULT_LINES: u64 = 10;

/// How much of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    Lines(u64),
    Bytes(u64),
}

pub(super) fn run(call: &Call<'_>) -> i32 {
    let options = match parse(call, &Grammar::of("qvn:c:")) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let amount = match options
        .last_of(b"nc")
        .map(|letter| (letter, options.value(letter).unwrap_or_default()))
    {
        None => Amount::Lines(DEFAULT_LINES),
        Some((letter, value)) => match text::parse_unsigned(value, 10) {
            Some(count) if letter == b'n' => Amount::Lines(count),
            Some(count) => Amount::Bytes(count),
            None => {
                call.complain(format_args!("invalid number '{}'", Text(value)));
                return 1;
            }
        },
    };
    show_each(call, &options, |mut input| show(&mut input, amount))
}

/// An operand that is open.
pub(super) struct Input {
    /// What it is called in titles.
    pub(super) name: Vec<u8>,
    /// `None` for standard input.
    pub(super) file: Option<fs::File>,
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match &mut self.file {
            Some(file) => file.read(buffer),
            None => Descriptor(io::STDIN).read(buffer),
        }
    }
}

impl Input {
    fn open(path: &[u8]) -> Result<Self> {
        let (name, file) = match path {
            b"-" => (&b"standard input"[..], None),
            _ => (path, Some(fs::File::open(path)?)),
        };
        Ok(Self {
            name: name.to_vec(),
            file,
        })
    }
}

/// Reports whether inputs are shown under their names.
pub(super) fn names_them(options: &Options) -> bool {
    options.has(b'v') || options.operands.len() > 1 && !options.has(b'q')
}

/// Shows every operand, or standard input, under its name when there are several.
pub(super) fn show_each(
    call: &Call<'_>,
    options: &Options,
    mut show: impl FnMut(Input) -> Result<()>,
) -> i32 {
    let standard_input = [b"-".to_vec()];
    let paths = if options.operands.is_empty() {
        &standard_input
    } else {
        options.operands.as_slice()
    };
    let mut status = 0;
    let mut is_first = true;
    for path in paths {
        let result = Input::open(path).and_then(|input| {
            if names_them(options) {
                let between = if is_first { "" } else { "\n" };
                println!("{between}==> {} <==", Text(&input.name));
                is_first = false;
            }
            show(input)
        });
        if let Err(errno) = result {
            call.complain_about(path, errno);
            status = 1;
        }
    }
    status
}

/// Reads the options, with the old `-5` for `-n 5`.
pub(super) fn parse(call: &Call<'_>, grammar: &Grammar) -> core::result::Result<Options, i32> {
    let arguments = modernize(call.arguments);
    let call = Call {
        arguments: &arguments,
        ..*call
    };
    Options::parse(&call, grammar)
}

fn modernize(arguments: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut arguments = arguments.to_vec();
    if let Some(first) = arguments.first_mut()
        && let [b'-', digits @ ..] = first.as_slice()
        && text::parse_unsigned(digits, 10).is_some()
    {
        *first = [b"-n", digits].concat();
    }
    arguments
}

fn show(source: &mut dyn Read, amount: Amount) -> Result<()> {
    let mut reader = BufReader::new(source);
    let (mut lines, mut bytes) = match amount {
        Amount::Lines(lines) => (lines, u64::MAX),
        Amount::Bytes(bytes) => (u64::MAX, bytes),
    };
    while lines > 0 && bytes > 0 {
        let block = reader.fill()?;
        if block.is_empty() {
            break;
        }
        let limit = block.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
        let taken = if matches!(amount, Amount::Bytes(_)) {
            limit
        } else {
            block
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(limit, |newline| newline + 1)
        };
        io::put(&block[..taken]);
        lines -= u64::from(block[taken - 1] == b'\n' && lines != u64::MAX);
        bytes -= if bytes == u64::MAX { 0 } else { taken as u64 };
        reader.consume(taken);
    }
    Ok(())
}
