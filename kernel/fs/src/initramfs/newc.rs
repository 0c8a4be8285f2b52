//! Entries of a newc archive (cpio(5)).
//!
//! The crate `cpio_reader` decodes an entry. It ends at a trailer and at anything wrong without telling which, so
//! the frame of each entry is checked here first, and every fault has a name.

use core::fmt;

use los_abi::fs::PATH_MAX;
use vfs::FileKind;

const MAGIC: &[u8] = b"070701";
const MAGIC_CHECKSUM: &[u8] = b"070702";
const TRAILER: &[u8] = b"TRAILER!!!";
/// Bytes of a header: the magic and 13 fields of 8 hexadecimal digits.
const HEADER_BYTES: usize = 110;
const FIELD_BYTES: usize = 8;
/// Index of the file's size among the fields.
const FIELD_SIZE: usize = 6;
/// Index of the name's size, with its NUL.
const FIELD_NAME_SIZE: usize = 11;

/// A file in an archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// Path, relative to the root; not empty.
    pub(super) name: &'a [u8],
    /// Kind.
    pub(super) kind: FileKind,
    /// The low 12 bits of the mode.
    pub(super) mode: u16,
    /// Owner.
    pub(super) uid: u32,
    /// Group.
    pub(super) gid: u32,
    /// Modification, in seconds since 1970.
    pub(super) modified: i64,
    /// Number of names in the archive.
    pub(super) links: u32,
    /// What the names of one file have in common: device and inode number.
    pub(super) identity: (u32, u32, u32),
    /// Number of the device that this is, major and minor.
    pub(super) device: (u32, u32),
    /// Contents, or the target of a symbolic link.
    pub(super) data: &'a [u8],
}

impl Entry<'_> {
    /// Returns the bytes of contents that the entry brings.
    pub(super) fn regular_bytes(&self) -> u64 {
        if self.kind == FileKind::Regular {
            self.data.len() as u64
        } else {
            0
        }
    }
}

/// What stands at a place in an archive, with its length in bytes, padding included.
pub(super) enum Step<'a> {
    /// A file.
    Entry(Entry<'a>, usize),
    /// The end.
    Trailer(usize),
}

/// What can be wrong with an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryError {
    /// The archive ends in the header.
    TruncatedHeader,
    /// The archive ends in the name.
    TruncatedName,
    /// The archive ends in the file's contents.
    TruncatedData,
    /// No header starts here.
    BadMagic,
    /// A field holds something other than hexadecimal digits.
    BadField,
    /// The name is empty or too long.
    BadNameLength,
    /// The name does not end with its NUL.
    UnterminatedName,
    /// The name is not UTF-8.
    NameNotUtf8,
    /// The mode has no file type or unknown bits.
    BadMode,
    /// The contents do not have the checksum that the header tells.
    BadChecksum,
}

/// Tells whether an archive starts here.
pub(super) fn starts(data: &[u8]) -> bool {
    data.starts_with(MAGIC) || data.starts_with(MAGIC_CHECKSUM)
}

/// Reads what stands at the start of `data`.
///
/// # Errors
/// As [`EntryError`] says.
pub(super) fn next(data: &[u8]) -> Result<Step<'_>, EntryError> {
    let header = data.get(..HEADER_BYTES);
    if !starts(data) {
        return Err(if header.is_none() {
            EntryError::TruncatedHeader
        } else {
            EntryError::BadMagic
        });
    }
    let header = header.ok_or(EntryError::TruncatedHeader)?;
    if !header.iter().all(u8::is_ascii_hexdigit) {
        return Err(EntryError::BadField);
    }
    let name_size = field(header, FIELD_NAME_SIZE)?;
    if !(2..=PATH_MAX).contains(&name_size) {
        return Err(EntryError::BadNameLength);
    }
    let name_end = HEADER_BYTES + name_size;
    let name = data
        .get(HEADER_BYTES..name_end)
        .ok_or(EntryError::TruncatedName)?;
    if name.last() != Some(&0) {
        return Err(EntryError::UnterminatedName);
    }
    let name = until_nul(name);
    if name.is_empty() {
        return Err(EntryError::BadNameLength);
    }
    let data_start = name_end.next_multiple_of(4);
    let data_end = data_start
        .checked_add(field(header, FIELD_SIZE)?)
        .ok_or(EntryError::TruncatedData)?;
    if data.len() < data_end {
        return Err(EntryError::TruncatedData);
    }
    // The padding of the last entry may be missing.
    let length = data_end.next_multiple_of(4).min(data.len());
    if name == TRAILER {
        return Ok(Step::Trailer(length));
    }
    Ok(Step::Entry(decode(&data[..length], name)?, length))
}

/// Decodes an entry whose frame is sound.
fn decode<'a>(data: &'a [u8], name: &'a [u8]) -> Result<Entry<'a>, EntryError> {
    let Some(entry) = cpio_reader::iter_files(data).next() else {
        return Err(fault(data, name));
    };
    let mode = entry.mode().bits();
    Ok(Entry {
        name,
        kind: FileKind::from_mode(mode).ok_or(EntryError::BadMode)?,
        mode: (mode & 0o7777) as u16,
        uid: entry.uid(),
        gid: entry.gid(),
        modified: entry.mtime() as i64,
        links: entry.nlink(),
        identity: (
            entry.devmajor().unwrap_or_default(),
            entry.devminor().unwrap_or_default(),
            entry.ino(),
        ),
        device: (
            entry.rdevmajor().unwrap_or_default(),
            entry.rdevminor().unwrap_or_default(),
        ),
        data: entry.file(),
    })
}

/// Finds out why the reader refuses an entry whose frame is sound.
fn fault(data: &[u8], name: &[u8]) -> EntryError {
    if core::str::from_utf8(name).is_err() {
        return EntryError::NameNotUtf8;
    }
    const FIELD_MODE: usize = 1;
    match field(data, FIELD_MODE) {
        Ok(mode) if mode <= 0o177_777 && data.starts_with(MAGIC_CHECKSUM) => EntryError::BadChecksum,
        _ => EntryError::BadMode,
    }
}

fn field(header: &[u8], index: usize) -> Result<usize, EntryError> {
    let start = MAGIC.len() + index * FIELD_BYTES;
    let digits = header
        .get(start..start + FIELD_BYTES)
        .ok_or(EntryError::TruncatedHeader)?;
    let digits = core::str::from_utf8(digits).map_err(|_| EntryError::BadField)?;
    usize::from_str_radix(digits, 16).map_err(|_| EntryError::BadField)
}

/// Archivers may pad a name with further NULs to align the contents.
fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TruncatedHeader => "archive ends in a header",
            Self::TruncatedName => "archive ends in a name",
            Self::TruncatedData => "archive ends in a file",
            Self::BadMagic => "no header where one is due",
            Self::BadField => "header has something other than hexadecimal digits",
            Self::BadNameLength => "name is empty or too long",
            Self::UnterminatedName => "name does not end with NUL",
            Self::NameNotUtf8 => "name is not UTF-8",
            Self::BadMode => "mode has no file type or unknown bits",
            Self::BadChecksum => "checksum is wrong",
        })
    }
}
