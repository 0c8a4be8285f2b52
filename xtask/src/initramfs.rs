//! From `initramfs/manifest.toml` to an [`Archive`], and what commands put on top of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::arch::Arch;
use crate::archive::{Archive, Content};
use crate::build::Artifacts;
use crate::cargo::Programs;
use crate::debian;
use crate::image;
use crate::paths::Paths;

/// The manifest file, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    entries: Vec<Item>,
    applets: Applets,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Item {
    Directory {
        path: String,
        mode: u32,
    },
    File {
        path: String,
        mode: u32,
        source: PathBuf,
    },
    Program {
        path: String,
        mode: u32,
        name: String,
    },
    Symlink {
        path: String,
        target: String,
    },
    Node {
        path: String,
        mode: u32,
        r#type: NodeType,
        major: u32,
        minor: u32,
    },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum NodeType {
    Char,
    Block,
}

/// Links to a program that acts by the name it is called by.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Applets {
    list: PathBuf,
    directory: String,
    target: String,
}

/// A file or folder to put into the initramfs, written `HOST:GUEST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addition {
    host: PathBuf,
    guest: String,
}

impl FromStr for Addition {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (host, guest) = text.rsplit_once(':').context("expected HOST:GUEST")?;
        if host.is_empty() || !guest.starts_with('/') {
            bail!("expected HOST:GUEST with an absolute guest path");
        }
        let host = PathBuf::from(host);
        let guest = match host.file_name().and_then(|name| name.to_str()) {
            // `file:/folder/` keeps the file's name.
            Some(name) if guest.ends_with('/') && !host.is_dir() => format!("{guest}{name}"),
            _ => guest.to_owned(),
        };
        Ok(Self { host, guest })
    }
}

/// Returns the default initramfs, made by the manifest from freshly built programs.
pub(crate) fn from_manifest(root: &Path, programs: &Programs) -> Result<Archive> {
    let path = root.join("initramfs/manifest.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let manifest: Manifest = toml::from_str(&text).with_context(|| format!("parsing {}", path.display()))?;
    let mut archive = Archive::default();
    for item in manifest.entries {
        insert(&mut archive, root, programs, item)?;
    }
    let list = root.join(&manifest.applets.list);
    let names = fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
    for name in names.split_whitespace() {
        let path = format!("{}/{name}", manifest.applets.directory);
        archive.insert(&path, 0o777, Content::Symlink(manifest.applets.target.clone()))?;
    }
    Ok(archive)
}

/// Returns the initramfs of `exec` and of the tests: the default one with Debian's static programs and
/// the conformance program.
pub(crate) fn for_commands(paths: &Paths, arch: Arch, artifacts: &Artifacts) -> Result<Archive> {
    let mut archive = artifacts.archive.clone();
    add_debian_programs(&mut archive, paths, arch)?;
    let conformance = Content::File(program(&artifacts.programs, "conformance")?);
    archive.insert("/bin/conformance", 0o755, conformance)?;
    Ok(archive)
}

/// Adds Debian's static `busybox` and `bash`, fetched on first use.
pub(crate) fn add_debian_programs(archive: &mut Archive, paths: &Paths, arch: Arch) -> Result<()> {
    for (name, path) in debian_programs(paths, arch)? {
        archive.insert_program(&format!("/bin/{name}"), &path)?;
    }
    archive.insert("/bin/bash", 0o777, Content::Symlink("bash-static".to_owned()))
}

/// Returns Debian's static programs of a machine, by name.
pub(crate) fn debian_programs(paths: &Paths, arch: Arch) -> Result<Vec<(&'static str, PathBuf)>> {
    let folders = debian::cached(paths, arch, &["busybox-static", "bash-static"])?;
    let mut programs = Vec::new();
    for (folder, name) in folders.iter().zip(["busybox", "bash-static"]) {
        // Older releases keep it in /bin, newer ones in /usr/bin.
        let path = ["bin", "usr/bin"]
            .iter()
            .map(|bin| folder.join(bin).join(name))
            .find(|path| path.is_file())
            .with_context(|| format!("{} holds no {name}", folder.display()))?;
        programs.push((name, path));
    }
    Ok(programs)
}

/// Adds what the user asked for.
pub(crate) fn add_all(archive: &mut Archive, additions: &[Addition]) -> Result<()> {
    additions
        .iter()
        .try_for_each(|addition| archive.insert_tree(&addition.guest, &addition.host))
}

fn insert(archive: &mut Archive, root: &Path, programs: &Programs, item: Item) -> Result<()> {
    match item {
        Item::Directory { path, mode } => archive.insert(&path, mode, Content::Directory),
        Item::Symlink { path, target } => archive.insert(&path, 0o777, Content::Symlink(target)),
        Item::Node {
            path,
            mode,
            r#type,
            major,
            minor,
        } => {
            let content = match r#type {
                NodeType::Char => Content::CharacterDevice { major, minor },
                NodeType::Block => Content::BlockDevice { major, minor },
            };
            archive.insert(&path, mode, content)
        }
        Item::File { path, mode, source } => {
            let source = root.join("initramfs/root").join(source);
            let bytes = fs::read(&source).with_context(|| format!("reading {}", source.display()))?;
            archive.insert(&path, mode, Content::File(bytes))
        }
        Item::Program { path, mode, name } => {
            archive.insert(&path, mode, Content::File(program(programs, &name)?))
        }
    }
}

/// Returns a built program without its debug information.
pub(crate) fn program(programs: &Programs, name: &str) -> Result<Vec<u8>> {
    let path = executable(programs, name)?;
    let elf = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    image::without_sections(&elf).with_context(|| format!("stripping {}", path.display()))
}

/// Returns where a built program is.
pub(crate) fn executable<'a>(programs: &'a Programs, name: &str) -> Result<&'a Path> {
    let path = programs.get(name);
    path.map(PathBuf::as_path)
        .with_context(|| format!("no package has an executable called {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::elf;
    use crate::paths::Paths;

    #[test]
    fn the_manifest_of_this_tree_is_complete() {
        let paths = Paths::find().unwrap();
        let scratch = std::env::temp_dir().join(format!("xtask-initramfs-{}", std::process::id()));
        fs::write(&scratch, elf(&[(0x40_0000, b"code")])).unwrap();
        let programs = ["init", "shell", "levbox"]
            .map(|name| (name.to_owned(), scratch.clone()))
            .into_iter()
            .collect();
        let archive = from_manifest(paths.root(), &programs);
        fs::remove_file(&scratch).unwrap();
        let archive = archive.unwrap();
        assert!(archive.file("/init").unwrap().ends_with(b"code"));
        assert!(archive.file("/etc/passwd").unwrap().starts_with(b"root:x:0:0:"));
    }

    #[test]
    fn additions_are_parsed() {
        let plain: Addition = "a:b:/tmp/x".parse().unwrap();
        assert_eq!(
            plain,
            Addition {
                host: "a:b".into(),
                guest: "/tmp/x".into()
            }
        );
        let folder: Addition = "dir/tool:/opt/".parse().unwrap();
        assert_eq!(folder.guest, "/opt/tool");
        for wrong in ["nothing", ":/x", "a:relative"] {
            assert!(wrong.parse::<Addition>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn misspelt_keys_are_refused() {
        let text = "entries = [{ kind = \"directory\", path = \"/x\", mod = 1 }]\n\
                    [applets]\nlist = \"a\"\ndirectory = \"/bin\"\ntarget = \"b\"\n";
        assert!(toml::from_str::<Manifest>(text).is_err());
    }
}
