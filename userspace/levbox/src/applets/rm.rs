//! `rm`: removes files and trees.

use rt::{fs, text::Text};

use crate::Call;
use crate::options::{Grammar, Options};
use crate::remove::{self, Removal};

pub(super) fn run(call: &Call<'_>) -> i32 {
    let long = &[("recursive", b'r'), ("force", b'f'), ("verbose", b'v')];
    let options = match Options::parse(call, &Grammar::of("firRv").with_long(long)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let last = options.last_of(b"fi");
    let removal = Removal {
        recursive: options.has_any(b"rR"),
        forced: last == Some(b'f'),
        asks: last == Some(b'i'),
        verbose: options.has(b'v'),
    };
    if options.operands.is_empty() && !removal.forced {
        return call.misused();
    }
    let mut status = 0;
    for path in &options.operands {
        if path.is_empty() || matches!(fs::file_name(path), b"." | b".." | b"/") {
            call.complain(format_args!("refusing to remove '{}'", Text(path)));
            status = 1;
        } else if !remove::remove(call, path, &removal) {
            status = 1;
        }
    }
    status
}
