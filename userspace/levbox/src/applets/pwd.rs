//! `pwd`: the working directory.

use rt::{fs, io};

use crate::Call;
use crate::options::{Grammar, Options};

pub(super) fn run(call: &Call<'_>) -> i32 {
    // Without a shell's memory of symbolic links both options mean the same.
    if let Err(status) = Options::parse(call, &Grammar::of("LP")) {
        return status;
    }
    match fs::current_directory() {
        Ok(path) => {
            io::put(&path);
            io::put(b"\n");
            0
        }
        Err(errno) => {
            call.complain(format_args!("{}", errno.message()));
            1
        }
    }
}
