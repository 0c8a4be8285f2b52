//! Makes newc archives and gzip members.

use alloc::format;
use alloc::vec::Vec;

/// An archive in the making; every file belongs to 10:20 and was modified at 1000000.
pub(super) struct Archive {
    bytes: Vec<u8>,
    next_inode: u32,
}

/// The fields of a header that differ.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) inode: u32,
    pub(super) mode: u32,
    pub(super) links: u32,
    pub(super) device: (u32, u32),
}

impl Archive {
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            next_inode: 1000,
        }
    }

    pub(super) fn directory(self, name: &str, mode: u32) -> Self {
        self.add(name.as_bytes(), 0o040_000 | mode, b"")
    }

    pub(super) fn file(self, name: &str, mode: u32, data: &[u8]) -> Self {
        self.add(name.as_bytes(), 0o100_000 | mode, data)
    }

    pub(super) fn link(self, name: &str, target: &str) -> Self {
        self.add(name.as_bytes(), 0o120_777, target.as_bytes())
    }

    pub(super) fn special(mut self, name: &str, mode: u32, device: (u32, u32)) -> Self {
        self.next_inode += 1;
        let header = Header {
            inode: self.next_inode,
            mode,
            links: 1,
            device,
        };
        self.raw(header, name.as_bytes(), b"")
    }

    pub(super) fn hard_link(self, name: &str, inode: u32, links: u32, data: &[u8]) -> Self {
        let header = Header {
            inode,
            mode: 0o100_644,
            links,
            device: (0, 0),
        };
        self.raw(header, name.as_bytes(), data)
    }

    pub(super) fn add(mut self, name: &[u8], mode: u32, data: &[u8]) -> Self {
        self.next_inode += 1;
        let header = Header {
            inode: self.next_inode,
            mode,
            links: 1,
            device: (0, 0),
        };
        self.raw(header, name, data)
    }

    pub(super) fn raw(mut self, header: Header, name: &[u8], data: &[u8]) -> Self {
        let Header {
            inode,
            mode,
            links,
            device: (major, minor),
        } = header;
        let (size, name_size) = (data.len(), name.len() + 1);
        let text = format!(
            "070701{inode:08x}{mode:08X}{:08x}{:08x}{links:08x}{:08x}{size:08x}{:08x}{:08x}{major:08x}{minor:08x}{name_size:08x}{:08x}",
            10, 20, 1_000_000, 8, 1, 0
        );
        self.bytes.extend(text.bytes());
        self.bytes.extend(name);
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(data);
        self.pad();
        self
    }

    /// Adds the trailer.
    pub(super) fn end(self) -> Vec<u8> {
        self.raw(
            Header {
                inode: 0,
                mode: 0,
                links: 1,
                device: (0, 0),
            },
            b"TRAILER!!!",
            b"",
        )
        .bytes
    }

    /// Returns the archive as it is.
    pub(super) fn without_trailer(self) -> Vec<u8> {
        self.bytes
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Makes a gzip member with a name and a comment.
pub(super) fn compressed(data: &[u8]) -> Vec<u8> {
    let mut bytes = alloc::vec![0x1f, 0x8b, 8, 8 | 16, 0, 0, 0, 0, 0, 3];
    bytes.extend(b"name\0comment\0");
    bytes.extend(miniz_oxide::deflate::compress_to_vec(data, 6));
    bytes.extend(crc32(data).to_le_bytes());
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes
}

/// Bit by bit, unlike the implementation under test.
fn crc32(data: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ ((crc & 1) * 0xedb8_8320);
        }
    }
    !crc
}
