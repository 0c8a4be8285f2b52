//! Damaged images: the place, the reason, and what came before.

use proptest::prelude::*;

use super::archive::Header;
use super::*;
use crate::initramfs::newc::EntryError;
use crate::initramfs::{GzipError, Reason};

fn good() -> Archive {
    Archive::new().file("first", 0o644, b"kept")
}

fn fails(image: &[u8]) -> (usize, Reason) {
    let world = World::new();
    let error = world.unpack(image).unwrap_err();
    assert_eq!(world.read(b"/first"), b"kept", "{error}");
    assert_eq!(error.summary.entries, 1, "{error}");
    (error.offset, error.reason)
}

#[test]
fn truncation_is_told_by_what_is_cut() {
    let whole = good().file("second", 0o644, &[1; 50]).without_trailer();
    let start = good().without_trailer().len();
    for (cut, error) in [
        (start + 3, EntryError::TruncatedHeader),
        (start + 109, EntryError::TruncatedHeader),
        (start + 112, EntryError::TruncatedName),
        (start + 130, EntryError::TruncatedData),
    ] {
        assert_eq!(
            fails(&whole[..cut]),
            (start, Reason::Entry(error)),
            "cut at {cut}"
        );
    }
    assert_eq!(fails(&whole[..start]), (start, Reason::NoTrailer));
}

#[test]
fn corruption_is_told_by_what_is_wrong() {
    let start = good().without_trailer().len();
    let second = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut image = good().file("second", 0o644, b"data").end();
        change(&mut image);
        fails(&image)
    };
    let entry = |error| (start, Reason::Entry(error));
    assert_eq!(
        second(&|image| image[start + 5] = b'9'),
        entry(EntryError::BadMagic)
    );
    assert_eq!(
        second(&|image| image[start + 20] = b'g'),
        entry(EntryError::BadField)
    );
    assert_eq!(
        second(&|image| image[start + 116] = b'x'),
        entry(EntryError::UnterminatedName)
    );
    assert_eq!(
        second(&|image| image[start + 110] = 0xff),
        entry(EntryError::NameNotUtf8)
    );
    assert_eq!(
        second(&|image| image[start + 110] = 0),
        entry(EntryError::BadNameLength)
    );
    assert_eq!(
        second(&|image| image[start + 5] = b'2'),
        entry(EntryError::BadChecksum)
    );
    let no_type = Header {
        inode: 1,
        mode: 0o644,
        links: 1,
        device: (0, 0),
    };
    assert_eq!(
        fails(&good().raw(no_type, b"x", b"").end()),
        entry(EntryError::BadMode)
    );
    assert_eq!(
        fails(&good().add(b"x", 0x8000_0000, b"").end()),
        entry(EntryError::BadMode)
    );
    assert_eq!(
        fails(&good().add(b"", 0o100_644, b"").end()),
        entry(EntryError::BadNameLength)
    );
}

#[test]
fn what_follows_an_archive_must_be_one() {
    let mut image = good().end();
    let end = image.len();
    image.extend([0, 0]);
    image.extend(Archive::new().end());
    assert_eq!(fails(&image), (end + 2, Reason::Misaligned));
    image.truncate(end);
    image.extend(b"\0\0junk");
    assert_eq!(fails(&image), (end + 2, Reason::UnknownFormat));
}

#[test]
fn damaged_compression_is_told_by_its_offset() {
    let archive = good().end();
    let start = archive.len();
    let more = Archive::new().file("more", 0o644, &[5; 3000]).end();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut member = compressed(&more);
        change(&mut member);
        fails(&[archive.clone(), member].concat())
    };
    let gzip = |error| (start, Reason::Gzip(error));
    assert_eq!(with(&|member| member.truncate(5)), gzip(GzipError::Truncated));
    assert_eq!(with(&|member| member.truncate(15)), gzip(GzipError::Truncated));
    assert_eq!(with(&|member| member.truncate(40)), gzip(GzipError::Truncated));
    let most = |member: &mut Vec<u8>| member.truncate(member.len() - 1);
    assert_eq!(with(&most), gzip(GzipError::Truncated));
    assert_eq!(with(&|member| member[2] = 7), gzip(GzipError::BadHeader));
    assert_eq!(with(&|member| member[23] = 0xff), gzip(GzipError::BadData));
    let size = |member: &mut Vec<u8>| *member.last_mut().unwrap() ^= 1;
    assert_eq!(with(&size), gzip(GzipError::BadChecksum));
}

#[test]
fn damage_inside_of_compressed_data_has_two_offsets() {
    let world = World::new();
    let inner = good().without_trailer();
    let mut image = Archive::new().end();
    let start = image.len();
    image.extend(compressed(&inner));
    let error = world.unpack(&image).unwrap_err();
    assert_eq!(
        (error.offset, error.inner_offset, error.reason),
        (start, Some(inner.len()), Reason::NoTrailer)
    );
    assert_eq!(world.read(b"/first"), b"kept");
}

#[test]
fn no_room_is_an_error_of_the_file() {
    let world = World::new();
    let error = world
        .unpack(&good().file("large", 0o644, &alloc::vec![1; 257 * 4096]).end())
        .unwrap_err();
    assert_eq!(error.reason, Reason::File(los_abi::errno::Errno::ENOSPC));
    assert_eq!(world.read(b"/first"), b"kept");
}

proptest! {
    #[test]
    fn no_image_makes_a_panic(flips in prop::collection::vec((0..10_000_usize, any::<u8>()), 1..8), cut in 0..3000_usize) {
        let world = World::new();
        let mut image = good().directory("d", 0o755).link("l", "d").file("d/f", 0o644, &[1; 200]).end();
        image.extend(compressed(&good().hard_link("h", 3, 2, b"").hard_link("i", 3, 2, b"x").end()));
        for (at, byte) in flips {
            let at = at % image.len();
            image[at] = byte;
        }
        image.truncate(cut.max(1));
        let _either = world.unpack(&image);
    }
}
