//! Writes an [`Archive`] in the newc form of cpio, as the kernel unpacks it (Linux:
//! Documentation/driver-api/early-userspace/buffer-format.rst).

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::Result;
use cpio::newc::{Builder, ModeFileType, trailer};

use super::{Archive, Content, Entry, MTIME};

/// Archives end at a multiple of this, as cpio(1) writes them, so that another one may follow.
const BLOCK_BYTES: usize = 512;

impl Archive {
    /// Returns the newc archive, padded so that another archive may be joined to it.
    pub(crate) fn to_newc(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write_newc(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes what [`Archive::to_newc`] returns.
    pub(crate) fn write_newc(&self, sink: &mut dyn Write) -> Result<()> {
        let mut sink = Counted { sink, bytes: 0 };
        let files = self.numbers()?;
        for (name, entry) in &self.entries {
            let content: &[u8] = match &entry.content {
                Content::File(bytes) => bytes,
                Content::Symlink(target) => target.as_bytes(),
                _ => &[],
            };
            let (number, names) = files[first_name(name, entry)];
            let header = header(name, entry).ino(number).nlink(names);
            let mut writer = header.write(&mut sink, u32::try_from(content.len())?);
            writer.write_all(content)?;
            writer.finish()?;
        }
        trailer(&mut sink)?;
        let padding = sink.bytes.next_multiple_of(BLOCK_BYTES) - sink.bytes;
        sink.write_all(&vec![0; padding])?;
        Ok(())
    }

    /// Returns the inode number and the number of links of every file, by its first name.
    fn numbers(&self) -> Result<BTreeMap<&str, (u32, u32)>> {
        let mut files: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for (name, entry) in &self.entries {
            let next = u32::try_from(files.len() + 1)?;
            let links = if entry.content == Content::Directory { 2 } else { 1 };
            let file = files.entry(first_name(name, entry)).or_insert((next, 0));
            file.1 += links;
        }
        Ok(files)
    }
}

/// A writer that knows how much was written.
struct Counted<'a> {
    sink: &'a mut dyn Write,
    bytes: usize,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.bytes += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// Returns the name that all names of a file have in common.
fn first_name<'a>(name: &'a str, entry: &'a Entry) -> &'a str {
    match &entry.content {
        Content::HardLink(first) => first.trim_start_matches('/'),
        _ => name,
    }
}

fn header(name: &str, entry: &Entry) -> Builder {
    let (file_type, device) = match entry.content {
        Content::File(_) | Content::HardLink(_) => (ModeFileType::Regular, (0, 0)),
        Content::Directory => (ModeFileType::Directory, (0, 0)),
        Content::Symlink(_) => (ModeFileType::Symlink, (0, 0)),
        Content::CharacterDevice { major, minor } => (ModeFileType::Char, (major, minor)),
        Content::BlockDevice { major, minor } => (ModeFileType::Block, (major, minor)),
        Content::Fifo => (ModeFileType::Fifo, (0, 0)),
    };
    Builder::new(name)
        .mode(entry.mode)
        .set_mode_file_type(file_type)
        .uid(entry.owner.0)
        .gid(entry.owner.1)
        .mtime(MTIME)
        .rdev_major(device.0)
        .rdev_minor(device.1)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use cpio::newc::Reader;

    use super::super::tests::sample;
    use super::*;

    #[test]
    fn a_reader_finds_everything_in_order() {
        let mut rest = Cursor::new(sample().to_newc().unwrap());
        let mut seen = Vec::new();
        loop {
            let mut reader = Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let mut content = String::new();
            reader.read_to_string(&mut content).unwrap();
            let entry = reader.entry();
            assert_eq!(entry.mtime(), MTIME);
            seen.push(format!(
                "{} {:o} {}:{} {content}",
                entry.name(),
                entry.mode(),
                entry.rdev_major(),
                entry.rdev_minor()
            ));
            rest = reader.finish().unwrap();
        }
        let expected = [
            "bin 40755 0:0 ",
            "bin/ls 120777 0:0 sh",
            "bin/sh 100755 0:0 program",
            "dev 40755 0:0 ",
            "dev/console 20600 5:1 ",
            "dev/initctl 10600 0:0 ",
            "tmp 41777 0:0 ",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_form_depends_on_content_alone() {
        let mut other = Archive::default();
        let entries = sample().entries;
        for (name, entry) in entries.into_iter().rev() {
            other
                .insert(&format!("/{name}"), entry.mode, entry.content)
                .unwrap();
        }
        let bytes = sample().to_newc().unwrap();
        assert_eq!(bytes, other.to_newc().unwrap());
        assert_eq!(bytes.len() % BLOCK_BYTES, 0);
    }

    #[test]
    fn names_of_one_file_share_number_and_count() {
        let mut archive = sample();
        let link = |first: &str| Content::HardLink(first.to_owned());
        archive.insert("/bin/dash", 0o755, link("/bin/sh")).unwrap();
        archive.insert("/bin/ash", 0o755, link("/bin/dash")).unwrap();
        assert!(archive.insert("/x", 0, link("/absent")).is_err());
        let mut rest = Cursor::new(archive.to_newc().unwrap());
        let mut seen = Vec::new();
        loop {
            let reader = Reader::new(rest).unwrap();
            let entry = reader.entry();
            if entry.is_trailer() {
                break;
            }
            if entry.nlink() == 3 {
                seen.push((entry.name().to_owned(), entry.ino(), entry.file_size()));
            }
            rest = reader.finish().unwrap();
        }
        let number = seen[0].1;
        let expected = [("bin/ash", 0), ("bin/dash", 0), ("bin/sh", 7)];
        assert_eq!(
            seen,
            expected.map(|(name, bytes)| (name.to_owned(), number, bytes))
        );
        assert_eq!(archive.file("/bin/ash"), Some(&b"program"[..]));
    }
}
