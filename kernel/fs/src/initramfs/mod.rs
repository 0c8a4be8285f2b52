//! The initramfs: archives that the boot loader passed, unpacked into the root file system.
//!
//! As Linux has it (early-userspace/buffer-format): any number of cpio archives in the newc format, plain or
//! compressed with gzip, one behind the other with zeros between them. [`newc`] finds the entries,
//! [`gzip`] decompresses, [`tree`] makes the files.

mod gzip;
mod newc;
mod tree;

use core::fmt;

use los_abi::errno::Errno;
use vfs::Caller;

pub use gzip::GzipError;
pub use newc::EntryError;
use newc::Step;
use tree::Tree;

/// Alignment of a plain archive in the image, in bytes.
const ALIGNMENT: usize = 4;

/// What was unpacked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Archives, by their trailers.
    pub archives: usize,
    /// Files, directories, links and so on.
    pub entries: usize,
    /// Bytes of files.
    pub bytes: u64,
}

/// Why unpacking ended before the end. What came before is in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnpackError {
    /// Where in the image.
    pub offset: usize,
    /// Where in the decompressed data, if the place is in a compressed archive; the offset then is that of
    /// the archive.
    pub inner_offset: Option<usize>,
    /// What is wrong there.
    pub reason: Reason,
    /// What was unpacked before.
    pub summary: Summary,
}

/// What can be wrong with an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Neither a newc archive nor gzip starts here.
    UnknownFormat,
    /// A plain archive that does not start at a multiple of four.
    Misaligned,
    /// An entry of the archive is damaged.
    Entry(EntryError),
    /// The archive ends without its trailer.
    NoTrailer,
    /// The compressed data are damaged.
    Gzip(GzipError),
    /// The file could not be made or written.
    File(Errno),
}

/// Unpacks an image below the caller's root.
///
/// # Errors
/// With the place and the reason; the files of all entries before stay.
pub fn unpack(image: &[u8], caller: &Caller<'_>) -> Result<Summary, UnpackError> {
    let mut unpacker = Unpacker {
        tree: Tree::new(caller),
        summary: Summary::default(),
    };
    let result = unpacker.image(image);
    let times = unpacker.tree.finish();
    let summary = unpacker.summary;
    match (result, times) {
        (Ok(()), Ok(())) => Ok(summary),
        (Err(fault), _) => Err(fault.into_error(summary)),
        (Ok(()), Err(errno)) => Err(Fault {
            offset: image.len(),
            inner: None,
            reason: Reason::File(errno),
        }
        .into_error(summary)),
    }
}

struct Unpacker<'a> {
    tree: Tree<'a>,
    summary: Summary,
}

/// A place and a reason.
struct Fault {
    offset: usize,
    inner: Option<usize>,
    reason: Reason,
}

impl Fault {
    const fn at(offset: usize, reason: Reason) -> Self {
        Self {
            offset,
            inner: None,
            reason,
        }
    }

    const fn into_error(self, summary: Summary) -> UnpackError {
        UnpackError {
            offset: self.offset,
            inner_offset: self.inner,
            reason: self.reason,
            summary,
        }
    }
}

impl Unpacker<'_> {
    fn image(&mut self, image: &[u8]) -> Result<(), Fault> {
        let mut at = 0;
        while let Some(start) = skip_zeros(image, at) {
            at = if image[start..].starts_with(gzip::MAGIC) {
                let (data, used) = gzip::decompress(&image[start..])
                    .map_err(|error| Fault::at(start, Reason::Gzip(error)))?;
                self.archives(&data).map_err(|fault| Fault {
                    offset: start,
                    inner: Some(fault.offset),
                    reason: fault.reason,
                })?;
                start + used
            } else {
                self.archive(image, start)?
            };
        }
        Ok(())
    }

    /// Unpacks plain archives with zeros between them.
    fn archives(&mut self, data: &[u8]) -> Result<(), Fault> {
        let mut at = 0;
        while let Some(start) = skip_zeros(data, at) {
            at = self.archive(data, start)?;
        }
        Ok(())
    }

    /// Unpacks one archive and returns where its trailer ends.
    fn archive(&mut self, data: &[u8], start: usize) -> Result<usize, Fault> {
        if !newc::starts(&data[start..]) {
            return Err(Fault::at(start, Reason::UnknownFormat));
        }
        if !start.is_multiple_of(ALIGNMENT) {
            return Err(Fault::at(start, Reason::Misaligned));
        }
        let mut at = start;
        loop {
            if at >= data.len() {
                return Err(Fault::at(at, Reason::NoTrailer));
            }
            let found = newc::next(&data[at..]).map_err(|error| Fault::at(at, Reason::Entry(error)))?;
            match found {
                Step::Trailer(length) => {
                    self.tree.forget_links();
                    self.summary.archives += 1;
                    return Ok(at + length);
                }
                Step::Entry(entry, length) => {
                    self.tree
                        .place(&entry)
                        .map_err(|errno| Fault::at(at, Reason::File(errno)))?;
                    self.summary.entries += 1;
                    self.summary.bytes += entry.regular_bytes();
                    at += length;
                }
            }
        }
    }
}

fn skip_zeros(data: &[u8], at: usize) -> Option<usize> {
    let zeros = data[at.min(data.len())..].iter().position(|&byte| byte != 0)?;
    Some(at + zeros)
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}", self.offset)?;
        if let Some(inner) = self.inner_offset {
            write!(f, ", decompressed byte {inner}")?;
        }
        match self.reason {
            Reason::UnknownFormat => f.write_str(": neither newc nor gzip"),
            Reason::Misaligned => f.write_str(": archive is not aligned to 4 bytes"),
            Reason::Entry(error) => write!(f, ": {error}"),
            Reason::NoTrailer => f.write_str(": archive ends without a trailer"),
            Reason::Gzip(error) => write!(f, ": {error}"),
            Reason::File(errno) => write!(f, ": cannot make the file: {errno}"),
        }
    }
}

#[cfg(test)]
mod tests;
