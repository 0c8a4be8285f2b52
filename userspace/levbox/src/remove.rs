//! Removing trees, for `rm` and for `mv` across file systems.

use alloc::vec::Vec;

use rt::io::{self, BufReader, Descriptor};
use rt::text::Text;
use rt::{Errno, eprint, fs, println};

use crate::Call;

/// How to remove.
#[derive(Clone, Copy, Debug, Default)]
pub struct Removal {
    /// Directories go with all that is in them.
    pub recursive: bool,
    /// What is missing is no error.
    pub forced: bool,
    /// A person confirms each.
    pub asks: bool,
    /// Each is named.
    pub verbose: bool,
}

/// Removes a file or a tree; reports what fails, and tells whether nothing did.
pub fn remove(call: &Call<'_>, path: &[u8], removal: &Removal) -> bool {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(Errno::ENOENT | Errno::ENOTDIR) if removal.forced => return true,
        Err(errno) => return failed(call, path, errno),
    };
    let is_directory = metadata.is_directory();
    if is_directory && !removal.recursive {
        return failed(call, path, Errno::EISDIR);
    }
    if removal.asks && !confirmed(call, path) {
        return true;
    }
    let mut complete = true;
    if is_directory {
        match fs::read_directory(path) {
            Ok(entries) => {
                for entry in entries {
                    complete &= remove(call, &fs::join(path, &entry.name), removal);
                }
            }
            Err(errno) => complete = failed(call, path, errno),
        }
    }
    if !complete {
        return false;
    }
    let result = if is_directory {
        fs::remove_directory(path)
    } else {
        fs::remove_file(path)
    };
    match result {
        Ok(()) => {
            if removal.verbose {
                println!("removed '{}'", Text(path));
            }
            true
        }
        Err(Errno::ENOENT) if removal.forced => true,
        Err(errno) => failed(call, path, errno),
    }
}

/// Asks a person whether to go on with a file; the answer begins with y for yes.
pub fn confirmed(call: &Call<'_>, path: &[u8]) -> bool {
    eprint!("{}: '{}'? ", call.applet.name, Text(path));
    let mut answer = Vec::new();
    // Input that ends or fails is no consent.
    let _ = BufReader::new(ByteWise(Descriptor(io::STDIN))).read_until(b'\n', &mut answer);
    matches!(answer.first(), Some(b'y' | b'Y'))
}

/// Reads a byte at a time, so that the next question finds its own answer.
struct ByteWise(Descriptor);

impl io::Read for ByteWise {
    fn read(&mut self, buffer: &mut [u8]) -> rt::Result<usize> {
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

fn failed(call: &Call<'_>, path: &[u8], errno: Errno) -> bool {
    call.complain(format_args!("can't remove '{}': {}", Text(path), errno.message()));
    false
}
