//! Reads and writes an [`Archive`] as a tarball, and writes it as a folder.

use std::fs::{self, File, Permissions};
use std::io::{BufReader, Cursor, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;
use tar::{EntryType, Header};

use super::{Archive, Content, Entry, MTIME};
use crate::process;

/// First bytes of a compressed tarball and the program that decompresses it; gzip needs none.
const COMPRESSIONS: [(&[u8], &str); 3] = [
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
];
const GZIP_MAGIC: &[u8] = b"\x1f\x8b";
const MAGIC_BYTES: u64 = 8;

impl Archive {
    /// Reads a tarball, compressed or not. Owners and modes are kept.
    pub(crate) fn from_tarball(path: &Path) -> Result<Self> {
        let mut archive = Self::default();
        read_file(&mut archive, path).with_context(|| format!("reading {}", path.display()))?;
        Ok(archive)
    }

    /// Puts the files of a tarball that is not compressed on top of these.
    pub(crate) fn merge_tar(&mut self, tarball: impl Read) -> Result<()> {
        for entry in tar::Archive::new(tarball).entries()? {
            self.merge_entry(entry?)?;
        }
        Ok(())
    }

    fn merge_entry(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<()> {
        let path = text(&entry.path()?)?;
        let path = format!("/{}", path.trim_start_matches("./").trim_matches('/'));
        if path == "/" || path == "/." {
            return Ok(());
        }
        let header = entry.header();
        let (mode, kind) = (header.mode()? & 0o7777, header.entry_type());
        let owner = (u32::try_from(header.uid()?)?, u32::try_from(header.gid()?)?);
        let target = entry.link_name()?.map(|target| text(&target)).transpose()?;
        let target = target.with_context(|| format!("{path} is a link to nothing"));
        let content = match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                Content::File(bytes)
            }
            EntryType::Directory => Content::Directory,
            EntryType::Symlink => Content::Symlink(target?),
            EntryType::Link => Content::HardLink(format!("/{}", target?.trim_start_matches("./"))),
            EntryType::Char | EntryType::Block => device(header, kind)?,
            EntryType::Fifo => Content::Fifo,
            EntryType::XGlobalHeader => return Ok(()),
            other => bail!("{path} is of the kind {other:?}, which no archive here holds"),
        };
        let entry = Entry { mode, owner, content };
        self.insert_entry(&path, entry)
    }

    /// Writes the files as a tarball that is not compressed.
    pub(crate) fn write_tar(&self, sink: &mut dyn Write) -> Result<()> {
        let mut builder = tar::Builder::new(sink);
        // The first name of a file comes before the others, as tar needs it.
        let is_further = |entry: &Entry| matches!(entry.content, Content::HardLink(_));
        let (further, first): (Vec<_>, Vec<_>) = self.entries().partition(|(_, entry)| is_further(entry));
        for (name, entry) in first.into_iter().chain(further) {
            append(&mut builder, name, entry).with_context(|| format!("writing {name}"))?;
        }
        builder.finish()?;
        Ok(())
    }

    /// Writes the files into a folder; they belong to the caller, and devices and pipes are left out.
    pub(crate) fn write_folder(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let is_further = |entry: &Entry| matches!(entry.content, Content::HardLink(_));
        let (further, first): (Vec<_>, Vec<_>) = self.entries().partition(|(_, entry)| is_further(entry));
        for (name, entry) in first.into_iter().chain(further) {
            let path = folder.join(name);
            place(folder, &path, entry).with_context(|| format!("writing {}", path.display()))?;
        }
        // Only now, since nothing can be put into a folder that its owner may not write to.
        for (name, entry) in self.entries().filter(|(_, e)| e.content == Content::Directory) {
            fs::set_permissions(folder.join(name), Permissions::from_mode(entry.mode))?;
        }
        Ok(())
    }
}

/// Returns the device of a header; others need not have numbers there.
fn device(header: &Header, kind: EntryType) -> Result<Content> {
    let major = header.device_major()?.unwrap_or(0);
    let minor = header.device_minor()?.unwrap_or(0);
    Ok(match kind {
        EntryType::Char => Content::CharacterDevice { major, minor },
        _ => Content::BlockDevice { major, minor },
    })
}

fn read_file(archive: &mut Archive, path: &Path) -> Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let mut magic = Vec::new();
    file.by_ref().take(MAGIC_BYTES).read_to_end(&mut magic)?;
    if let Some((_, program)) = COMPRESSIONS.iter().find(|(start, _)| magic.starts_with(start)) {
        return merge_output(archive, Command::new(program).arg("-dc").stdin(File::open(path)?));
    }
    let whole = Cursor::new(magic.clone()).chain(file);
    if magic.starts_with(GZIP_MAGIC) {
        archive.merge_tar(MultiGzDecoder::new(whole))
    } else {
        archive.merge_tar(whole)
    }
}

/// Puts the files of the tarball that a program prints on top of an archive.
pub(crate) fn merge_output(archive: &mut Archive, command: &mut Command) -> Result<()> {
    let line = process::line(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {line}"))?;
    let output = child.stdout.take().context("a child without its output")?;
    let merged = archive.merge_tar(BufReader::new(output));
    let status = child.wait()?;
    merged.with_context(|| line.clone())?;
    if !status.success() {
        bail!("{line} failed ({status})");
    }
    Ok(())
}

fn append(builder: &mut tar::Builder<&mut dyn Write>, name: &str, entry: &Entry) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_uid(entry.owner.0.into());
    header.set_gid(entry.owner.1.into());
    header.set_mtime(MTIME.into());
    header.set_size(0);
    match &entry.content {
        Content::File(bytes) => {
            header.set_size(bytes.len() as u64);
            header.set_entry_type(EntryType::Regular);
            builder.append_data(&mut header, name, bytes.as_slice())?;
        }
        Content::Directory => {
            header.set_entry_type(EntryType::Directory);
            builder.append_data(&mut header, format!("{name}/"), std::io::empty())?;
        }
        Content::Symlink(target) => {
            header.set_entry_type(EntryType::Symlink);
            builder.append_link(&mut header, name, target)?;
        }
        Content::HardLink(first) => {
            header.set_entry_type(EntryType::Link);
            builder.append_link(&mut header, name, first.trim_start_matches('/'))?;
        }
        Content::CharacterDevice { major, minor } | Content::BlockDevice { major, minor } => {
            let is_character = matches!(entry.content, Content::CharacterDevice { .. });
            header.set_entry_type(if is_character {
                EntryType::Char
            } else {
                EntryType::Block
            });
            header.set_device_major(*major)?;
            header.set_device_minor(*minor)?;
            builder.append_data(&mut header, name, std::io::empty())?;
        }
        Content::Fifo => {
            header.set_entry_type(EntryType::Fifo);
            builder.append_data(&mut header, name, std::io::empty())?;
        }
    }
    Ok(())
}

fn place(folder: &Path, path: &Path, entry: &Entry) -> Result<()> {
    match &entry.content {
        Content::File(bytes) => {
            fs::write(path, bytes)?;
            fs::set_permissions(path, Permissions::from_mode(entry.mode))?;
        }
        Content::Directory => fs::create_dir_all(path)?,
        Content::Symlink(target) => symlink(target, path)?,
        Content::HardLink(first) => fs::hard_link(folder.join(first.trim_start_matches('/')), path)?,
        Content::CharacterDevice { .. } | Content::BlockDevice { .. } | Content::Fifo => {}
    }
    Ok(())
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str();
    Ok(text.with_context(|| format!("{path:?} is not UTF-8"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::tests::sample;
    use super::*;

    /// Long names, further names, owners and set-id bits.
    fn rich() -> Archive {
        let mut archive = sample();
        let entry = Entry {
            mode: 0o2755,
            owner: (0, 42),
            content: Content::File(b"shadow".to_vec()),
        };
        archive.insert_entry("/sbin/chage", entry).unwrap();
        let long = format!("/{}/{}", "d".repeat(120), "f".repeat(120));
        archive
            .insert(&long, 0o644, Content::File(vec![7; 1000]))
            .unwrap();
        archive
            .insert("/bin/ash", 0o755, Content::HardLink("/bin/sh".to_owned()))
            .unwrap();
        archive
            .insert("/bin/long", 0o777, Content::Symlink(long[1..].to_owned()))
            .unwrap();
        archive
    }

    #[test]
    fn tarballs_bring_everything_back() {
        let mut bytes = Vec::new();
        rich().write_tar(&mut bytes).unwrap();
        let mut found = Archive::default();
        found.merge_tar(bytes.as_slice()).unwrap();
        assert_eq!(found, rich());
    }

    #[test]
    fn compression_is_recognised() {
        let scratch = std::env::temp_dir().join(format!("xtask-tarball-{}", std::process::id()));
        let mut encoder = GzEncoder::new(File::create(&scratch).unwrap(), Compression::fast());
        rich().write_tar(&mut encoder).unwrap();
        encoder.finish().unwrap();
        let found = Archive::from_tarball(&scratch);
        fs::write(&scratch, b"no tarball at all, whatever its name says").unwrap();
        let wrong = Archive::from_tarball(&scratch);
        fs::remove_file(&scratch).unwrap();
        assert_eq!(found.unwrap(), rich());
        assert!(wrong.is_err());
    }

    #[test]
    fn folders_hold_the_files() {
        let folder = std::env::temp_dir().join(format!("xtask-folder-{}", std::process::id()));
        rich().write_folder(&folder).unwrap();
        let mut found = Archive::default();
        found.insert_tree("/", &folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.file("/bin/ash"), Some(&b"program"[..]));
        let mode = |path: &str| found.entries[path].mode;
        assert_eq!((mode("sbin/chage"), mode("tmp")), (0o2755, 0o1777));
        assert!(!found.contains("/dev/console"));
    }

    #[test]
    fn a_program_that_fails_is_an_error() {
        let mut archive = Archive::default();
        assert!(merge_output(&mut archive, &mut Command::new("false")).is_err());
    }
}
