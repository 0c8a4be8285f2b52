//! `cp`: copies files and trees.

use alloc::vec::Vec;

use rt::fs;
use rt::text::Text;

use crate::Call;
use crate::copy::{self, Copying, Links};
use crate::options::{Grammar, Options};

pub(super) fn run(call: &Call<'_>) -> i32 {
    let long = &[
        ("recursive", b'r'),
        ("archive", b'a'),
        ("force", b'f'),
        ("verbose", b'v'),
    ];
    let options = match Options::parse(call, &Grammar::of("adfiLPprRv").with_long(long)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let archive = options.has(b'a');
    let recursive = archive || options.has_any(b"rR");
    let links = match options.last_of(b"LPda") {
        Some(b'L') => Links::Follow,
        Some(_) => Links::Copy,
        None if recursive => Links::Copy,
        None => Links::Follow,
    };
    let copying = Copying {
        recursive,
        links,
        preserves: archive || options.has(b'p'),
        forced: options.has(b'f'),
        asks: options.has(b'i'),
        verbose: options.has(b'v'),
    };
    let Some((sources, destination)) = split_operands(call, &options.operands) else {
        return 1;
    };
    let mut status = 0;
    for source in sources {
        if !copy::copy(call, source, &destination.place(source), &copying) {
            status = 1;
        }
    }
    status
}

/// Where copied or moved files go.
pub(super) struct Destination<'a> {
    path: &'a [u8],
    is_directory: bool,
}

impl Destination<'_> {
    /// Returns the path that a source gets.
    pub(super) fn place(&self, source: &[u8]) -> Vec<u8> {
        if self.is_directory {
            fs::join(self.path, fs::file_name(source))
        } else {
            self.path.to_vec()
        }
    }
}

/// Splits the destination off; reports it missing, or not a directory where it has to be one.
pub(super) fn split_operands<'a>(
    call: &Call<'_>,
    operands: &'a [Vec<u8>],
) -> Option<(&'a [Vec<u8>], Destination<'a>)> {
    let [sources @ .., path] = operands else {
        call.misused();
        return None;
    };
    if sources.is_empty() {
        call.misused();
        return None;
    }
    let is_directory = fs::metadata(path).is_ok_and(|metadata| metadata.is_directory());
    if sources.len() > 1 && !is_directory {
        call.complain(format_args!("target '{}' is not a directory", Text(path)));
        return None;
    }
    Some((sources, Destination { path, is_directory }))
}
