//! [`Archive`]: the files of a guest in memory. [`newc`] writes them as an initramfs, [`tarball`] reads and
//! writes them as people exchange root file systems.
//!
//! What is written depends on nothing but the content: entries are sorted by path and carry [`MTIME`]. Files
//! from the host belong to root.

mod newc;
mod tarball;

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};

pub(crate) use tarball::merge_output;

/// The modification time of every entry: 2024-01-01T00:00:00Z.
pub(crate) const MTIME: u32 = 1_704_067_200;
/// Symbolic links on the way to one file; more are a loop, as for Linux (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A regular file with its bytes.
    File(Vec<u8>),
    /// A folder.
    Directory,
    /// A symbolic link with its target.
    Symlink(String),
    /// A further name of the regular file at this path.
    HardLink(String),
    /// A character device.
    CharacterDevice { major: u32, minor: u32 },
    /// A block device.
    BlockDevice { major: u32, minor: u32 },
    /// A pipe with a name.
    Fifo,
}

/// A file with what belongs to it besides its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The low 12 bits of the mode.
    pub(crate) mode: u32,
    /// The owner's user and group.
    pub(crate) owner: (u32, u32),
    /// What it is.
    pub(crate) content: Content,
}

/// A set of files by path. Paths are absolute; the root itself is no entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Archive {
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// Puts an entry of root's at an absolute path, in place of an older one. Folders above it that are not
    /// there yet are made with mode 0755; links among them are followed.
    pub(crate) fn insert(&mut self, path: &str, mode: u32, content: Content) -> Result<()> {
        let owner = (0, 0);
        self.insert_entry(path, Entry { mode, owner, content })
    }

    /// Puts an entry at an absolute path as [`Archive::insert`] does. A folder does not replace a link, so
    /// that what a package has in `/bin` lands in `/usr/bin` where the one is a link to the other.
    pub(crate) fn insert_entry(&mut self, path: &str, mut entry: Entry) -> Result<()> {
        let name = self.below_links(&normal(path)?)?;
        if let Content::HardLink(target) = &entry.content {
            let first = self.below_links(&normal(target)?)?;
            match self.entries.get(&first).map(|entry| &entry.content) {
                Some(Content::File(_)) => entry.content = Content::HardLink(format!("/{first}")),
                Some(Content::HardLink(first)) => entry.content = Content::HardLink(first.clone()),
                _ => bail!("{path} is a name of {target}, which is no file"),
            }
        }
        for (slash, _) in name.match_indices('/') {
            let parent = Entry {
                mode: 0o755,
                owner: (0, 0),
                content: Content::Directory,
            };
            self.entries.entry(name[..slash].to_owned()).or_insert(parent);
        }
        let is_link = |old: &Entry| matches!(old.content, Content::Symlink(_));
        if entry.content == Content::Directory && self.entries.get(&name).is_some_and(is_link) {
            return Ok(());
        }
        if let Some(old) = self.entries.insert(name.clone(), entry) {
            self.hand_over(&name, old.content);
        }
        Ok(())
    }

    /// Gives the bytes of a file that lost its first name to the next of its names.
    fn hand_over(&mut self, name: &str, content: Content) {
        if !matches!(content, Content::File(_)) {
            return;
        }
        let old = Content::HardLink(format!("/{name}"));
        let mut others = self.entries.iter_mut().filter(|(_, entry)| entry.content == old);
        let Some((next, entry)) = others.next() else {
            return;
        };
        entry.content = content;
        for (_, entry) in others {
            entry.content = Content::HardLink(format!("/{next}"));
        }
    }

    /// Returns the entries with their paths, which lack the leading slash, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// Tells whether something stands at a path, links above it followed.
    pub(crate) fn contains(&self, path: &str) -> bool {
        let name = normal(path).and_then(|name| self.below_links(&name));
        name.is_ok_and(|name| self.entries.contains_key(&name))
    }

    /// Replaces the symbolic links above the last part of a path by what they name.
    fn below_links(&self, name: &str) -> Result<String> {
        let mut found: Vec<String> = Vec::new();
        let mut rest: Vec<String> = name.split('/').rev().map(str::to_owned).collect();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    found.pop();
                    continue;
                }
                _ => found.push(part),
            }
            let entry = self.entries.get(&found.join("/"));
            let Some(Content::Symlink(target)) = entry.map(|entry| &entry.content) else {
                continue;
            };
            if rest.is_empty() {
                break;
            }
            links += 1;
            if links > MAX_LINKS {
                bail!("too many symbolic links above {name}");
            }
            found.pop();
            if target.starts_with('/') {
                found.clear();
            }
            rest.extend(target.split('/').rev().map(str::to_owned));
        }
        Ok(found.join("/"))
    }

    /// Puts an executable file at a path.
    pub(crate) fn insert_program(&mut self, path: &str, host: &Path) -> Result<()> {
        let bytes = fs::read(host).with_context(|| format!("reading {}", host.display()))?;
        self.insert(path, 0o755, Content::File(bytes))
    }

    /// Puts what another archive has at a path at the same path.
    pub(crate) fn copy_from(&mut self, other: &Self, path: &str) -> Result<()> {
        let entry = other.entries.get(&normal(path)?);
        let entry = entry.with_context(|| format!("there is no {path} to copy"))?;
        self.insert_entry(path, entry.clone())
    }

    /// Puts a file, or a folder with everything in it, from the host at a path. Modes and symbolic links
    /// are kept; sockets are left out, as by tar(1).
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
            return special(&found).map_or(Ok(()), |content| self.insert(path, mode, content));
        }
        if !self.contains(path) && path != "/" {
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

    /// Removes the entries whose path, without the leading slash, is not wanted.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) {
        let unwanted = |name: &&String| !is_wanted(name);
        let names: Vec<String> = self.entries.keys().filter(unwanted).cloned().collect();
        for name in names {
            if let Some(old) = self.entries.remove(&name) {
                self.hand_over(&name, old.content);
            }
        }
    }

    /// Returns the bytes of the regular file at a path.
    pub(crate) fn file(&self, path: &str) -> Option<&[u8]> {
        let name = self.below_links(&normal(path).ok()?).ok()?;
        match &self.entries.get(&name)?.content {
            Content::File(bytes) => Some(bytes),
            Content::HardLink(first) => self.file(first),
            _ => None,
        }
    }
}

/// Returns a file of the host that is neither regular, a folder nor a link; `None` for a socket.
fn special(found: &Metadata) -> Option<Content> {
    let kind = found.file_type();
    // A device number of glibc (makedev(3)).
    let device = found.rdev();
    let major = (device >> 8 & 0xfff | device >> 32 & 0xffff_f000) as u32;
    let minor = (device & 0xff | device >> 12 & 0xffff_ff00) as u32;
    if kind.is_char_device() {
        Some(Content::CharacterDevice { major, minor })
    } else if kind.is_block_device() {
        Some(Content::BlockDevice { major, minor })
    } else {
        kind.is_fifo().then_some(Content::Fifo)
    }
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
    use std::os::unix::fs::symlink;

    use super::*;

    pub(super) fn sample() -> Archive {
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
        archive.insert("/dev/initctl", 0o600, Content::Fifo).unwrap();
        archive
    }

    #[test]
    fn special_files_of_the_host_are_kept_without_sockets() {
        let folder = std::env::temp_dir().join(format!("xtask-special-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(folder.join("fifo"))
            .status();
        let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
        let mut archive = Archive::default();
        let found = archive.insert_tree("/s", &folder);
        fs::remove_dir_all(&folder).unwrap();
        assert!(made.unwrap().success() && found.is_ok());
        assert_eq!(archive.entries["s/fifo"].content, Content::Fifo);
        assert!(!archive.contains("/s/socket"));
        archive.insert_tree("/null", Path::new("/dev/null")).unwrap();
        let null = Content::CharacterDevice { major: 1, minor: 3 };
        assert_eq!(archive.entries["null"].content, null);
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
    fn links_above_a_path_are_followed() {
        let mut archive = Archive::default();
        let link = |target: &str| Content::Symlink(target.to_owned());
        archive.insert("/bin", 0o777, link("usr/bin")).unwrap();
        archive.insert("/opt/x", 0o777, link("/bin/../lib")).unwrap();
        archive.insert("/loop", 0o777, link("loop")).unwrap();
        archive.insert("/bin", 0o755, Content::Directory).unwrap();
        archive
            .insert("/bin/sh", 0o755, Content::File(b"a".to_vec()))
            .unwrap();
        archive
            .insert("/opt/x/so", 0o755, Content::File(b"b".to_vec()))
            .unwrap();
        assert_eq!(archive.entries["bin"].content, link("usr/bin"));
        assert!(archive.entries.contains_key("usr/bin/sh") && archive.contains("/bin/sh"));
        assert!(archive.entries.contains_key("usr/lib/so"));
        assert_eq!(archive.file("/opt/x/so"), Some(&b"b"[..]));
        assert!(archive.insert("/loop/x", 0, Content::Directory).is_err());
    }

    #[test]
    fn a_file_outlives_its_first_name() {
        let mut archive = sample();
        let link = |first: &str| Content::HardLink(first.to_owned());
        archive.insert("/bin/dash", 0o755, link("/bin/sh")).unwrap();
        archive.insert("/bin/ash", 0o755, link("/bin/sh")).unwrap();
        archive
            .insert("/bin/sh", 0o777, Content::Symlink("bash".to_owned()))
            .unwrap();
        assert_eq!(archive.file("/bin/ash"), Some(&b"program"[..]));
        assert_eq!(archive.entries["bin/dash"].content, link("/bin/ash"));
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
