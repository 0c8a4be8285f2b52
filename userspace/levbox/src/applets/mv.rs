//! `mv`: renames, or copies and removes where a file system ends.

use rt::text::Text;
use rt::{Errno, fs, println};

use super::cp::split_operands;
use crate::Call;
use crate::copy::{self, Copying, Links};
use crate::options::{Grammar, Options};
use crate::remove::{self, Removal};

pub(super) fn run(call: &Call<'_>) -> i32 {
    let long = &[("force", b'f'), ("no-clobber", b'n'), ("verbose", b'v')];
    let options = match Options::parse(call, &Grammar::of("finv").with_long(long)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let Some((sources, destination)) = split_operands(call, &options.operands) else {
        return 1;
    };
    let mut status = 0;
    for source in sources {
        let target = destination.place(source);
        if fs::symlink_metadata(&target).is_ok() {
            match options.last_of(b"fin") {
                Some(b'n') => continue,
                Some(b'i') if !remove::confirmed(call, &target) => continue,
                _ => {}
            }
        }
        if !move_one(call, source, &target) {
            status = 1;
        } else if options.has(b'v') {
            println!("'{}' -> '{}'", Text(source), Text(&target));
        }
    }
    status
}

fn move_one(call: &Call<'_>, source: &[u8], target: &[u8]) -> bool {
    let identity = |path: &[u8]| {
        fs::symlink_metadata(path)
            .map(|metadata| metadata.identity())
            .ok()
    };
    if identity(source).is_some() && identity(source) == identity(target) {
        call.complain(format_args!(
            "'{}' and '{}' are the same file",
            Text(source),
            Text(target)
        ));
        return false;
    }
    match fs::rename(source, target) {
        Ok(()) => true,
        Err(Errno::EXDEV) => {
            let copying = Copying {
                recursive: true,
                links: Links::Copy,
                preserves: true,
                forced: true,
                asks: false,
                verbose: false,
            };
            let removal = Removal {
                recursive: true,
                ..Removal::default()
            };
            copy::copy(call, source, target, &copying) && remove::remove(call, source, &removal)
        }
        Err(errno) => {
            call.complain(format_args!(
                "can't rename '{}': {}",
                Text(source),
                errno.message()
            ));
            false
        }
    }
}
