//! `mkdir`: makes directories.

use rt::text::{self, Text};
use rt::{Errno, Result, fs, println, process};

use crate::Call;
use crate::options::{Grammar, Options};

pub(super) fn run(call: &Call<'_>) -> i32 {
    let long = &[("parents", b'p'), ("verbose", b'v')];
    let options = match Options::parse(call, &Grammar::of("pvm:").with_long(long)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    if options.operands.is_empty() {
        return call.misused();
    }
    let mode = match options
        .value(b'm')
        .map(|mode| (mode, text::parse_unsigned(mode, 8)))
    {
        None => None,
        Some((_, Some(mode))) if mode <= 0o7777 => Some(mode as u32),
        Some((mode, _)) => {
            call.complain(format_args!("invalid mode '{}'", Text(mode)));
            return 1;
        }
    };
    let mut status = 0;
    for path in &options.operands {
        let result = if options.has(b'p') {
            make_with_parents(path)
        } else {
            fs::create_directory(path, 0o777)
        };
        // The mask does not apply to a mode that was asked for.
        let result = result.and_then(|()| mode.map_or(Ok(()), |mode| fs::set_permissions(path, mode)));
        match result {
            Ok(()) if options.has(b'v') => println!("mkdir: created directory '{}'", Text(path)),
            Ok(()) => {}
            Err(errno) => {
                call.complain(format_args!(
                    "can't create directory '{}': {}",
                    Text(path),
                    errno.message()
                ));
                status = 1;
            }
        }
    }
    status
}

/// Makes a directory and those that lead to it; what exists is fine.
fn make_with_parents(path: &[u8]) -> Result<()> {
    let mask = process::set_umask(0);
    process::set_umask(mask);
    let mut end = 0;
    loop {
        let begin = end + path[end..].iter().take_while(|byte| **byte == b'/').count();
        end = begin + path[begin..].iter().take_while(|byte| **byte != b'/').count();
        let is_last = path[end..].iter().all(|byte| *byte == b'/');
        // The owner must be able to go on below a parent, whatever the mask.
        let mode = if is_last { 0o777 } else { 0o777 & !mask | 0o300 };
        match fs::create_directory(&path[..end], mode) {
            Ok(()) if !is_last => fs::set_permissions(&path[..end], mode)?,
            Ok(()) => {}
            Err(_) if fs::metadata(&path[..end]).is_ok_and(|metadata| metadata.is_directory()) => {}
            Err(Errno::EEXIST) if !is_last => return Err(Errno::ENOTDIR),
            Err(errno) => return Err(errno),
        }
        if is_last {
            return Ok(());
        }
    }
}
