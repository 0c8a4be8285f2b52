//! Open directories of /proc: names in the order of their positions, behind `.` and `..`.

use los_abi::errno::Errno;
use vfs::{DirectoryEntry, FileKind, FileOps};

use super::text::decimal;
use crate::dots;

/// A name that a directory finds.
pub(super) enum Label {
    /// One of a table.
    Fixed(&'static str),
    /// A number.
    Number(u32),
}

/// One entry of a directory.
pub(super) struct Found {
    /// Where it stands; reading goes on behind.
    pub(super) position: u64,
    pub(super) number: u64,
    pub(super) kind: FileKind,
    pub(super) name: Label,
}

/// A directory's names in the order of positions.
pub(super) trait Listing: Send + Sync + 'static {
    /// Returns the first entry at or behind a position.
    ///
    /// # Errors
    /// ENOENT when the subject is gone.
    fn at(&self, position: u64) -> Result<Option<Found>, Errno>;
}

/// An open directory.
pub(super) struct ListingFile<L> {
    pub(super) listing: L,
    pub(super) number: u64,
    pub(super) parent: u64,
}

/// Cursor of a listing's position 0.
const FIRST_CURSOR: u64 = dots::BEHIND;

impl<L: Listing> FileOps for ListingFile<L> {
    fn is_pollable(&self) -> bool {
        false
    }

    fn read_directory(
        &self,
        cursor: u64,
        emit: &mut dyn FnMut(DirectoryEntry<'_>) -> bool,
    ) -> Result<u64, Errno> {
        if let Some(at) = dots::list(cursor, self.number, self.parent, emit) {
            return Ok(at);
        }
        let mut cursor = cursor.max(FIRST_CURSOR);
        while let Some(found) = self.listing.at(cursor - FIRST_CURSOR)? {
            let here = found.position + FIRST_CURSOR;
            let next = here + 1;
            let mut digits = [0; 10];
            let name = match found.name {
                Label::Fixed(name) => name.as_bytes(),
                Label::Number(number) => decimal(number, &mut digits),
            };
            let entry = DirectoryEntry {
                inode: found.number,
                kind: found.kind,
                next,
                name,
            };
            if !emit(entry) {
                return Ok(here);
            }
            cursor = next;
        }
        Ok(cursor)
    }
}
