//! `ln`: gives files more names.

use alloc::vec::Vec;

use rt::text::Text;
use rt::{Result, fs, println};

use crate::Call;
use crate::options::{Grammar, Options};

pub(super) fn run(call: &Call<'_>) -> i32 {
    let long = &[
        ("symbolic", b's'),
        ("force", b'f'),
        ("no-dereference", b'n'),
        ("verbose", b'v'),
    ];
    let options = match Options::parse(call, &Grammar::of("fnsv").with_long(long)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let (targets, place): (&[Vec<u8>], &[u8]) = match options.operands.as_slice() {
        [] => return call.misused(),
        [target] => (core::slice::from_ref(target), b"."),
        [targets @ .., place] => (targets, place),
    };
    let metadata = if options.has(b'n') {
        fs::symlink_metadata(place)
    } else {
        fs::metadata(place)
    };
    let into_directory = metadata.is_ok_and(|metadata| metadata.is_directory());
    if targets.len() > 1 && !into_directory {
        call.complain(format_args!("target '{}' is not a directory", Text(place)));
        return 1;
    }
    let mut status = 0;
    for target in targets {
        let name = if into_directory {
            fs::join(place, fs::file_name(target))
        } else {
            place.to_vec()
        };
        match link(target, &name, &options) {
            Ok(()) if options.has(b'v') => println!("'{}' -> '{}'", Text(&name), Text(target)),
            Ok(()) => {}
            Err(errno) => {
                call.complain_about(&name, errno);
                status = 1;
            }
        }
    }
    status
}

fn link(target: &[u8], name: &[u8], options: &Options) -> Result<()> {
    let make = |name: &[u8]| {
        if options.has(b's') {
            fs::symlink(target, name)
        } else {
            fs::hard_link(target, name)
        }
    };
    if !options.has(b'f') || fs::symlink_metadata(name).is_err() {
        return make(name);
    }
    // Both names of one file: replacing one would lose it.
    let identity = |path: &[u8]| fs::symlink_metadata(path).map(|metadata| metadata.identity());
    if !options.has(b's') && identity(target)? == identity(name)? {
        return Ok(());
    }
    fs::remove_file(name)?;
    make(name)
}
