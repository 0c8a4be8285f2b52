//! [`Archive`]: the files of an initramfs in memory, and their newc (cpio) form.
//!
//! The form depends on nothing but the content: entries are sorted by path, owned by root, and carry
//! [`MTIME`]. Linux: Documentation/driver-api/early-userspace/buffer-format.rst.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cpio::newc::{Builder, ModeFileType, trailer};

/// The modification time of every entry: 2024-01-01T00:00:00Z.
pub(crate) const MTIME: u32 = 1_704_067_200;
/// Archives end at a multiple of this, as cpio(1) writes them, so that another one may follow.
const BLOCK_BYTES: usize = 512;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A regular file with its bytes.
    File(Vec<u8>),
    /// A folder.
    Directory,
    /// A symbolic link with its target.
    Symlink(String),
    /// A character device.
    CharacterDevice { major: u32, minor: u32 },
    /// A block device.
    BlockDevice { major: u32, minor: u32 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    mode: u32,
    content: Content,
}

/// A set of files by path. Paths are absolute; the root itself is no entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Archive {
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// Puts an entry at an absolute path, in place of an older one. Folders above it that are not there
    /// yet are made with mode 0755.
    pub(crate) fn insert(&mut self, path: &str, mode: u32, content: Content) -> Result<()> {
        let name = normal(path)?;
        for (slash, _) in name.match_indices('/') {
            let parent = Entry {
                mode: 0o755,
                content: Content::Directory,
            };
            self.entries.entry(name[..slash].to_owned()).or_insert(parent);
        }
        self.entries.insert(name, Entry { mode, content });
        Ok(())
    }

    /// Puts an executable file at a path.
    pub(crate) fn insert_program(&mut self, path: &str, host: &Path) -> Result<()> {
        let bytes = fs::read(host).with_context(|| format!("reading {}", host.display()))?;
        self.insert(path, 0o755, Content::File(bytes))
    }

    /// Puts a file, or a folder with everything in it, from the host at a path. Modes and symbolic links
    /// are kept.
    pub(crate) fn insert_tree(&mut self, path: &str, host: &Path) -> Result<()> {
        let found = fs::symlink_metadata(host).with_context(|| format!("reading {}", host.display()))?;
        let mode = found.permissions().mode() & 0o7777;
        if found.is_symlink() {
            let target = fs::read_link(host)?;
            let target = target.to_str().context("a link's target is not UTF-8")?;
            return self.insert(path, 0o777, Content::Symlink(target.to_owned()));
        }
        if found.is_file() {
            let bytes = fs::read(host).with_context(|| format!("reading {}", host.display()))?;
            return self.insert(path, mode, Content::File(bytes));
        }
        if !found.is_dir() {
            bail!(
                "{} is neither a file, a folder nor a symbolic link",
                host.display()
            );
        }
        if !normal(path).is_ok_and(|name| self.entries.contains_key(&name)) && path != "/" {
            self.insert(path, mode, Content::Directory)?;
        }
        for entry in fs::read_dir(host)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().with_context(|| format!("{name:?} is not UTF-8"))?;
            self.insert_tree(&format!("{}/{name}", path.trim_end_matches('/')), &entry.path())?;
        }
        Ok(())
    }

    /// Returns the bytes of the regular file at a path.
    pub(crate) fn file(&self, path: &str) -> Option<&[u8]> {
        match &self.entries.get(&normal(path).ok()?)?.content {
            Content::File(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the newc archive, padded so that another archive may be joined to it.
    pub(crate) fn to_newc(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for (index, (name, entry)) in self.entries.iter().enumerate() {
            let content: &[u8] = match &entry.content {
                Content::File(bytes) => bytes,
                Content::Symlink(target) => target.as_bytes(),
                _ => &[],
            };
            let header = header(name, entry).ino(u32::try_from(index + 1)?);
            let mut writer = header.write(bytes, u32::try_from(content.len())?);
            writer.write_all(content)?;
            bytes = writer.finish()?;
        }
        bytes = trailer(bytes)?;
        bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
        Ok(bytes)
    }
}

fn header(name: &str, entry: &Entry) -> Builder {
    let (file_type, links, device) = match entry.content {
        Content::File(_) => (ModeFileType::Regular, 1, (0, 0)),
        Content::Directory => (ModeFileType::Directory, 2, (0, 0)),
        Content::Symlink(_) => (ModeFileType::Symlink, 1, (0, 0)),
        Content::CharacterDevice { major, minor } => (ModeFileType::Char, 1, (major, minor)),
        Content::BlockDevice { major, minor } => (ModeFileType::Block, 1, (major, minor)),
    };
    Builder::new(name)
        .mode(entry.mode)
        .set_mode_file_type(file_type)
        .nlink(links)
        .mtime(MTIME)
        .rdev_major(device.0)
        .rdev_minor(device.1)
}

/// Returns an absolute path as archives name it: without the leading slash.
fn normal(path: &str) -> Result<String> {
    let Some(name) = path.strip_prefix('/') else {
        bail!("{path:?} is not an absolute path")
    };
    let name = name.trim_end_matches('/');
    if name.is_empty() || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        bail!("{path:?} is not the plain path of an entry");
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};
    use std::os::unix::fs::symlink;

    use cpio::newc::Reader;

    use super::*;

    fn sample() -> Archive {
        let mut archive = Archive::default();
        archive.insert("/tmp", 0o1777, Content::Directory).unwrap();
        archive
            .insert("/bin/sh", 0o755, Content::File(b"program".to_vec()))
            .unwrap();
        archive
            .insert("/bin/ls", 0o777, Content::Symlink("sh".to_owned()))
            .unwrap();
        let console = Content::CharacterDevice { major: 5, minor: 1 };
        archive.insert("/dev/console", 0o600, console).unwrap();
        archive
    }

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
    fn parents_keep_the_mode_they_have() {
        let mut archive = sample();
        archive
            .insert("/tmp/a/b", 0o644, Content::File(Vec::new()))
            .unwrap();
        assert_eq!(archive.entries["tmp"].mode, 0o1777);
        assert_eq!(archive.entries["tmp/a"].mode, 0o755);
    }

    #[test]
    fn strange_paths_are_refused() {
        for path in ["relative", "/", "/a/../b", "/a//b", "/."] {
            assert!(
                Archive::default().insert(path, 0, Content::Directory).is_err(),
                "{path}"
            );
        }
    }

    #[test]
    fn trees_keep_modes_and_links() {
        let host = std::env::temp_dir().join(format!("xtask-archive-{}", std::process::id()));
        fs::create_dir_all(host.join("inner")).unwrap();
        fs::write(host.join("inner/run"), "x").unwrap();
        fs::set_permissions(host.join("inner/run"), fs::Permissions::from_mode(0o4711)).unwrap();
        symlink("inner/run", host.join("link")).unwrap();
        let mut archive = sample();
        archive.insert_tree("/opt/app/", &host).unwrap();
        archive.insert_tree("/tmp", &host.join("inner")).unwrap();
        fs::remove_dir_all(&host).unwrap();
        assert_eq!(archive.entries["opt/app/inner/run"].mode, 0o4711);
        assert_eq!(
            archive.entries["opt/app/link"].content,
            Content::Symlink("inner/run".into())
        );
        assert_eq!(archive.entries["tmp"].mode, 0o1777);
        assert_eq!(archive.file("/tmp/run"), Some(&b"x"[..]));
    }
}
