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

/// Bytes that are read once, from their start, so that memory can be given back on the way.
pub trait Image {
    /// Returns what was not passed yet.
    fn rest(&self) -> &[u8];

    /// Passes bytes, which are not looked at again.
    fn advance(&mut self, bytes: usize);
}

impl Image for &[u8] {
    fn rest(&self) -> &[u8] {
        self
    }

    fn advance(&mut self, bytes: usize) {
        *self = self.get(bytes..).unwrap_or_default();
    }
}

/// Unpacks an image below the caller's root.
///
/// # Errors
/// With the place and the reason; the files of all entries before stay.
pub fn unpack(image: &mut dyn Image, caller: &Caller<'_>) -> Result<Summary, UnpackError> {
    let mut unpacker = Unpacker {
        tree: Tree::new(caller),
        summary: Summary::default(),
    };
    let mut image = Place { image, offset: 0 };
    let result = unpacker.image(&mut image);
    let times = unpacker.tree.finish();
    let summary = unpacker.summary;
    match (result, times) {
        (Ok(()), Ok(())) => Ok(summary),
        (Err(fault), _) => Err(fault.into_error(summary)),
        (Ok(()), Err(errno)) => Err(Fault {
            offset: image.offset,
            inner: None,
            reason: Reason::File(errno),
        }
        .into_error(summary)),
    }
}

/// An image and how much of it was passed.
struct Place<'a> {
    image: &'a mut dyn Image,
    offset: usize,
}

impl Place<'_> {
    fn advance(&mut self, bytes: usize) {
        self.image.advance(bytes);
        self.offset += bytes;
    }

    /// Passes zeros; false where nothing else is left.
    fn skip_zeros(&mut self) -> bool {
        let rest = self.image.rest();
        let zeros = rest.iter().position(|&byte| byte != 0);
        let length = zeros.unwrap_or(rest.len());
        self.advance(length);
        zeros.is_some()
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
    fn image(&mut self, image: &mut Place<'_>) -> Result<(), Fault> {
        while image.skip_zeros() {
            if !image.image.rest().starts_with(gzip::MAGIC) {
                self.archive(image)?;
                continue;
            }
            let start = image.offset;
            let (data, used) = gzip::decompress(image.image.rest())
                .map_err(|error| Fault::at(start, Reason::Gzip(error)))?;
            self.archives(&data).map_err(|fault| Fault {
                offset: start,
                inner: Some(fault.offset),
                reason: fault.reason,
            })?;
            image.advance(used);
        }
        Ok(())
    }

    /// Unpacks plain archives with zeros between them.
    fn archives(&mut self, mut data: &[u8]) -> Result<(), Fault> {
        let mut place = Place {
            image: &mut data,
            offset: 0,
        };
        while place.skip_zeros() {
            self.archive(&mut place)?;
        }
        Ok(())
    }

    /// Unpacks one archive and passes it.
    fn archive(&mut self, place: &mut Place<'_>) -> Result<(), Fault> {
        if !newc::starts(place.image.rest()) {
            return Err(Fault::at(place.offset, Reason::UnknownFormat));
        }
        if !place.offset.is_multiple_of(ALIGNMENT) {
            return Err(Fault::at(place.offset, Reason::Misaligned));
        }
        loop {
            let at = place.offset;
            if place.image.rest().is_empty() {
                return Err(Fault::at(at, Reason::NoTrailer));
            }
            let found =
                newc::next(place.image.rest()).map_err(|error| Fault::at(at, Reason::Entry(error)))?;
            match found {
                Step::Trailer(length) => {
                    self.tree.forget_links();
                    self.summary.archives += 1;
                    place.advance(length);
                    return Ok(());
                }
                Step::Entry(entry, length) => {
                    self.tree
                        .place(&entry)
                        .map_err(|errno| Fault::at(at, Reason::File(errno)))?;
                    self.summary.entries += 1;
                    self.summary.bytes += entry.regular_bytes();
                    place.advance(length);
                }
            }
        }
    }
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
