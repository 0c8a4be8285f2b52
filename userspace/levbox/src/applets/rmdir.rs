//! `rmdir`: removes empty directories.

use rt::text::Text;
use rt::{fs, println};

use crate::Call;
use crate::options::{Grammar, Options};

pub(super) fn run(call: &Call<'_>) -> i32 {
    let long = &[("parents", b'p'), ("verbose", b'v')];
    let options = match Options::parse(call, &Grammar::of("pv").with_long(long)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    if options.operands.is_empty() {
        return call.misused();
    }
    let mut status = 0;
    for operand in &options.operands {
        let mut path = operand.as_slice();
        loop {
            if options.has(b'v') {
                println!("rmdir: removing directory, '{}'", Text(path));
            }
            if let Err(errno) = fs::remove_directory(path) {
                call.complain(format_args!("'{}': {}", Text(path), errno.message()));
                status = 1;
                break;
            }
            path = fs::parent(path);
            if !options.has(b'p') || path == b"." || path == b"/" {
                break;
            }
        }
    }
    status
}
