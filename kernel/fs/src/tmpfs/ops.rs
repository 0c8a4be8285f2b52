//! Open files and directories of a tmpfs.

use core::sync::atomic::Ordering;

use los_abi::errno::Errno;
use mm::io::{Sink, Source};
use mm::{Copies, Pager};
use vfs::{DirectoryEntry, Extent, FileOps, Inode, Io};

use super::contents::{Growth, SIZE_MAX};
use super::directory::FIRST_CURSOR;
use super::node::{Body, File, Node};
use crate::dots;

/// fallocate(2): the size stays.
const FALLOC_FL_KEEP_SIZE: u32 = 1;
/// fallocate(2): the range becomes a hole.
const FALLOC_FL_PUNCH_HOLE: u32 = 2;

impl Node {
    fn file(&self) -> Result<&File, Errno> {
        match &self.body {
            Body::File(file) => Ok(file),
            Body::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }
}

impl FileOps for Node {
    fn read_at(&self, out: &mut dyn Sink, offset: u64, _io: &Io) -> sync::Result<usize> {
        Ok(self.file()?.contents.read(out, offset)?)
    }

    fn write_at(&self, input: &mut dyn Source, offset: u64, io: &Io) -> sync::Result<usize> {
        let written = self
            .file()?
            .contents
            .write(&self.volume.budget, input, offset, io.size_limit)?;
        if written > 0 {
            self.attributes.note_modification();
        }
        Ok(written)
    }

    fn append(&self, input: &mut dyn Source, io: &Io) -> sync::Result<(usize, u64)> {
        let (written, end) = self
            .file()?
            .contents
            .append(&self.volume.budget, input, io.size_limit)?;
        if written > 0 {
            self.attributes.note_modification();
        }
        Ok((written, end))
    }

    fn is_pollable(&self) -> bool {
        false
    }

    fn end(&self) -> Result<u64, Errno> {
        match &self.body {
            Body::File(file) => Ok(file.contents.size()),
            // Directories: the largest cursor is not told; Linux has the largest offset here.
            _ => Ok(SIZE_MAX),
        }
    }

    fn next_extent(&self, offset: u64, end: u64, extent: Extent) -> Result<u64, Errno> {
        self.file()
            .map_err(|_| Errno::EINVAL)?
            .contents
            .next_extent(offset, end, extent)
    }

    fn read_directory(
        &self,
        cursor: u64,
        emit: &mut dyn FnMut(DirectoryEntry<'_>) -> bool,
    ) -> Result<u64, Errno> {
        let directory = self.directory()?;
        let entries = directory.entries.lock();
        if entries.is_removed() {
            return Err(Errno::ENOENT);
        }
        let parent = directory.parent.load(Ordering::Relaxed);
        if let Some(at) = dots::list(cursor, self.number, parent, emit) {
            return Ok(at);
        }
        for (at, name, node) in entries.starting_at(cursor.max(FIRST_CURSOR)) {
            if !emit(DirectoryEntry {
                inode: node.number,
                kind: node.kind(),
                next: at + 1,
                name,
            }) {
                return Ok(at);
            }
        }
        Ok(cursor.max(entries.end()))
    }

    fn allocate(&self, mode: u32, offset: u64, length: u64) -> Result<(), Errno> {
        let contents = &self.file()?.contents;
        let end = offset
            .checked_add(length)
            .filter(|&end| end <= SIZE_MAX)
            .ok_or(Errno::EFBIG)?;
        match mode {
            0 => contents.reserve(&self.volume.budget, offset, end, Growth::Grow)?,
            FALLOC_FL_KEEP_SIZE => contents.reserve(&self.volume.budget, offset, end, Growth::Keep)?,
            mode if mode == FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE => {
                let hole = contents.punch(&self.volume.budget, offset, end)?;
                contents.mappings.unmap(self.object(), hole, Copies::Keep);
            }
            _ => return Err(Errno::EOPNOTSUPP),
        }
        self.attributes.note_modification();
        Ok(())
    }
}
