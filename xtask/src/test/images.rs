//! Initramfs archives of the boot tests: what Linux's users join and compress, and what is broken.

use std::io::Write;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Session;
use crate::arch::Arch;
use crate::archive::{Archive, Content};
use crate::initramfs;

/// An initramfs to boot from, made of the default one or of Debian's busybox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Image {
    Default,
    Missing,
    Truncated,
    CorruptHeader,
    CorruptGzip,
    WithoutInit,
    ForeignInit,
    Busybox,
    BusyboxGzip,
    BusyboxJoined,
}

/// The first program of the busybox images.
const BUSYBOX_INIT: &str = "#!/bin/busybox sh\n\
    second=absent\n\
    [ -f /etc/second ] && second=$(busybox cat /etc/second)\n\
    echo \"init=$0 second=$second word=$word arguments=$*\"\n\
    busybox poweroff -f\n";

/// Returns the archive's bytes; the missing one has none.
pub(super) fn bytes(session: &Session, arch: Arch, image: Image) -> Result<Option<Vec<u8>>> {
    let default = || session.artifacts(arch).map(|artifacts| &artifacts.archive);
    Ok(Some(match image {
        Image::Missing => return Ok(None),
        Image::Default => default()?.to_newc()?,
        Image::Truncated => truncated(default()?.to_newc()?),
        Image::CorruptHeader => corrupt_header(default()?.to_newc()?)?,
        Image::CorruptGzip => corrupt_gzip(gzip(&default()?.to_newc()?)?),
        Image::WithoutInit => without_init()?.to_newc()?,
        Image::ForeignInit => foreign_init(default()?, arch)?.to_newc()?,
        Image::Busybox => busybox(session, arch)?.to_newc()?,
        Image::BusyboxGzip => gzip(&busybox(session, arch)?.to_newc()?)?,
        Image::BusyboxJoined => joined(&busybox(session, arch)?)?,
    }))
}

fn truncated(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// Damages the magic number of the second entry.
fn corrupt_header(mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let magic = b"070701";
    let second = bytes[magic.len()..]
        .windows(magic.len())
        .position(|window| window == magic)
        .context("the initramfs has one entry only")?;
    bytes[2 * magic.len() + second - 1] = b'x';
    Ok(bytes)
}

/// Damages the compressed data in its middle.
fn corrupt_gzip(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    let end = bytes.len().min(middle + 64);
    bytes[middle..end].iter_mut().for_each(|byte| *byte ^= 0xa5);
    bytes
}

fn without_init() -> Result<Archive> {
    let mut archive = Archive::default();
    archive.insert("/etc/hostname", 0o644, Content::File(b"nobody\n".to_vec()))?;
    Ok(archive)
}

/// Returns an archive whose only program claims to be the other machine's.
fn foreign_init(default: &Archive, arch: Arch) -> Result<Archive> {
    let mut init = default
        .file("/init")
        .context("the initramfs has no /init")?
        .to_vec();
    let machine = init.get_mut(18..20).context("/init is too short")?;
    machine.copy_from_slice(&arch.other().elf_machine().to_le_bytes());
    let mut archive = Archive::default();
    archive.insert("/init", 0o755, Content::File(init))?;
    Ok(archive)
}

fn busybox(session: &Session, arch: Arch) -> Result<Archive> {
    let mut archive = Archive::default();
    for (name, path) in initramfs::debian_programs(&session.paths, arch)? {
        if name == "busybox" {
            archive.insert_program("/bin/busybox", &path)?;
        }
    }
    let console = Content::CharacterDevice { major: 5, minor: 1 };
    archive.insert("/dev/console", 0o600, console)?;
    for init in ["/init", "/other"] {
        archive.insert(init, 0o755, Content::File(BUSYBOX_INIT.as_bytes().to_vec()))?;
    }
    Ok(archive)
}

/// Joins a plain archive and a compressed one, as distributions do with microcode.
fn joined(first: &Archive) -> Result<Vec<u8>> {
    let mut second = Archive::default();
    second.insert("/etc/second", 0o644, Content::File(b"present\n".to_vec()))?;
    let mut bytes = first.to_newc()?;
    bytes.extend(gzip(&second.to_newc()?)?);
    Ok(bytes)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Archive {
        let mut archive = Archive::default();
        archive
            .insert(
                "/init",
                0o755,
                Content::File(b"\x7fELF\x02\x01\x01 rest of the header".to_vec()),
            )
            .unwrap();
        archive
    }

    #[test]
    fn damage_is_where_it_should_be() {
        let mut archive = sample();
        archive.insert("/z", 0o755, Content::Directory).unwrap();
        let good = archive.to_newc().unwrap();
        let bad = corrupt_header(good.clone()).unwrap();
        let differing: Vec<usize> = (0..good.len()).filter(|&at| good[at] != bad[at]).collect();
        assert_eq!(differing.len(), 1);
        assert_eq!(&good[differing[0] - 5..=differing[0]], b"070701");
        assert_ne!(differing[0], 5);
        let packed = gzip(&good).unwrap();
        assert_eq!(
            corrupt_gzip(packed.clone())[..packed.len() / 2],
            packed[..packed.len() / 2]
        );
        assert_ne!(corrupt_gzip(packed.clone()), packed);
    }

    #[test]
    fn a_foreign_init_differs_in_its_machine_alone() {
        let foreign = foreign_init(&sample(), Arch::X86_64).unwrap();
        assert_eq!(foreign.file("/init").unwrap()[18..20], 183u16.to_le_bytes());
    }
}
