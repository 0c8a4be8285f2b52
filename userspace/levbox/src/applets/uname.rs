//! `uname`: the names of the system.

use alloc::vec::Vec;

use rt::{io, system};

use crate::Call;
use crate::options::{Grammar, Options};

pub(super) fn run(call: &Call<'_>) -> i32 {
    let options = match Options::parse(call, &Grammar::of("amnorsv").with_long(&[("all", b'a')])) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let names = match system::names() {
        Ok(names) => names,
        Err(errno) => {
            call.complain(format_args!("{}", errno.message()));
            return 1;
        }
    };
    let fields = [
        (b's', &names.sysname[..]),
        (b'n', &names.nodename),
        (b'r', &names.release),
        (b'v', &names.version),
        (b'm', &names.machine),
        // The name of the interface that programs see.
        (b'o', b"Linux"),
    ];
    let all = options.has(b'a');
    let none = !options.has_any(b"amnorsv");
    let wanted: Vec<&[u8]> = fields
        .iter()
        .filter(|(letter, _)| all && *letter != b'o' || options.has(*letter) || none && *letter == b's')
        .map(|(_, field)| field.split(|byte| *byte == 0).next().unwrap_or_default())
        .collect();
    io::put(&wanted.join(&b' '));
    io::put(b"\n");
    0
}
