//! Fetches Debian packages of any architecture or suite and unpacks them under `target/packages`,
//! without installing anything, without root and without naming a mirror.
//!
//! The mirror is the one that the host's own apt uses. A private list folder keeps the host's package
//! lists as they are (apt-get(8), apt.conf(5)).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::process;
use crate::progress;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where packages come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The suite; the host's own when absent.
    pub(crate) suite: Option<&'a str>,
    /// The architecture; the host's own when absent.
    pub(crate) arch: Option<Arch>,
}

/// Fetches packages of the host's suite for a machine, and returns the folders they are unpacked in.
/// What is there already is not fetched again.
pub(crate) fn cached(paths: &Paths, arch: Arch, names: &[&str]) -> Result<Vec<PathBuf>> {
    let store = paths.target().join("packages").join(arch.name());
    let folders: Vec<PathBuf> = names.iter().map(|name| store.join(name)).collect();
    if folders.iter().all(|folder| folder.is_dir()) {
        return Ok(folders);
    }
    let _lock = Lock::acquire(paths, "packages")?;
    fs::create_dir_all(&store)?;
    let absent: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !store.join(name).is_dir())
        .collect();
    if absent.is_empty() {
        return Ok(folders);
    }
    progress::step(
        &format!("fetching {} ({})", absent.join(", "), arch.debian()),
        || {
            let scratch = paths.scratch("debian")?;
            let apt = Apt::new(
                scratch.path(),
                Source {
                    suite: None,
                    arch: Some(arch),
                },
            )?;
            for name in absent {
                let unpacked = apt.fetch(name, "")?;
                fs::rename(unpacked, store.join(name))?;
            }
            Ok(())
        },
    )?;
    Ok(folders)
}

/// Downloads packages of the host's suite for a machine with all that they depend on, and returns their files. What
/// an earlier call downloaded is used again.
///
/// The caller holds the lock of packages.
pub(crate) fn download(paths: &Paths, arch: Arch, names: &[String]) -> Result<Vec<PathBuf>> {
    let folder = paths.target().join("packages").join("apt").join(arch.name());
    let source = Source {
        suite: None,
        arch: Some(arch),
    };
    let apt = Apt::new(&folder, source)?;
    let wanted = apt.with_dependencies(names)?;
    process::run(apt.install(names).arg("--download-only"))?;
    let archives = folder.join("cache/archives");
    Ok(wanted.into_iter().map(|file| archives.join(file)).collect())
}

/// A private apt: its own source list, package lists and cache in one folder.
pub(crate) struct Apt {
    folder: PathBuf,
    options: Vec<String>,
}

impl Apt {
    /// Prepares the folder and fetches the package lists.
    pub(crate) fn new(folder: &Path, source: Source<'_>) -> Result<Self> {
        if process::find("apt-get").is_none() || process::find("dpkg-deb").is_none() {
            bail!("Debian packages are needed, but apt-get and dpkg-deb are not on this host");
        }
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let mirror = Mirror::of_host()?;
        let suite = source.suite.unwrap_or(&mirror.codename);
        let signed_by = if Path::new(KEYRING).exists() {
            format!(" [signed-by={KEYRING}]")
        } else {
            String::new()
        };
        fs::write(
            folder.join("sources.list"),
            format!("deb{signed_by} {} {suite} main\n", mirror.uri),
        )?;
        let apt = Self {
            folder: folder.to_path_buf(),
            options: options(folder, source.arch),
        };
        process::run(apt.command("apt-get").arg("update"))?;
        Ok(apt)
    }

    /// Downloads the newest package whose version begins with `version`, and returns the folder that it
    /// is unpacked in.
    pub(crate) fn fetch(&self, name: &str, version: &str) -> Result<PathBuf> {
        let list = process::capture(self.command("apt-cache").args(["madison", name]))?;
        let Some(version) = newest(&list, version) else {
            bail!("Debian has no package {name} of version {version:?}");
        };
        let download = self.folder.join("download").join(name);
        fs::create_dir_all(&download)?;
        let wanted = format!("{name}={version}");
        process::run(
            self.command("apt-get")
                .args(["download", &wanted])
                .current_dir(&download),
        )?;
        let package = fs::read_dir(&download)?
            .next()
            .with_context(|| format!("apt-get left no file of {name}"))??;
        let unpacked = self.folder.join("unpacked").join(name);
        fs::create_dir_all(&unpacked)?;
        process::run(
            Command::new("dpkg-deb")
                .arg("-x")
                .arg(package.path())
                .arg(&unpacked),
        )?;
        Ok(unpacked)
    }

    /// Returns the file names of packages and of all that they depend on.
    fn with_dependencies(&self, names: &[String]) -> Result<Vec<String>> {
        // Without this, apt does not list what is in its cache already.
        let empty = format!("Dir::Cache::Archives={}", self.folder.join("empty").display());
        fs::create_dir_all(self.folder.join("empty/partial"))?;
        let list = process::capture(self.install(names).args(["-o", &empty, "--print-uris"]))?;
        Ok(files_of_uris(&list))
    }

    /// Returns the command that installs packages where none is installed.
    fn install(&self, names: &[String]) -> Command {
        let mut command = self.command("apt-get");
        command
            .args(["install", "--yes", "--no-install-recommends"])
            .args(names);
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-q").args(&self.options);
        command
    }
}

fn options(folder: &Path, arch: Option<Arch>) -> Vec<String> {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut settings = vec![
        format!("Dir::Etc::SourceList={}", at("sources.list")),
        "Dir::Etc::SourceParts=/dev/null".to_owned(),
        format!("Dir::State::Lists={}", at("lists")),
        "Dir::State::status=/dev/null".to_owned(),
        format!("Dir::Cache={}", at("cache")),
        "Acquire::Languages=none".to_owned(),
        // The folder belongs to the caller, so apt's own user could not write to it.
        "APT::Sandbox::User=".to_owned(),
    ];
    if let Some(arch) = arch {
        settings.push(format!("APT::Architecture={}", arch.debian()));
        settings.push(format!("APT::Architectures={}", arch.debian()));
    }
    settings
        .into_iter()
        .flat_map(|setting| ["-o".to_owned(), setting])
        .collect()
}

/// The mirror and suite of the host's apt.
#[derive(Debug, PartialEq, Eq)]
struct Mirror {
    uri: String,
    codename: String,
}

impl Mirror {
    fn of_host() -> Result<Self> {
        let targets = process::capture(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(REPO_URI)|$(LABEL)|$(RELEASE)",
            "Created-By: Packages",
        ]))?;
        Self::choose(&targets).context("the host's apt knows no Debian mirror")
    }

    /// Chooses the main archive: the label tells once lists were fetched; before, the first one that is
    /// not for security updates.
    fn choose(targets: &str) -> Option<Self> {
        let rows = || {
            targets.lines().filter_map(|line| {
                let mut fields = line.split('|');
                Some((fields.next()?, fields.next()?, fields.next()?))
            })
        };
        let (uri, _, codename) = rows()
            .find(|(_, label, _)| *label == "Debian")
            .or_else(|| rows().find(|(uri, ..)| !uri.contains("security")))?;
        Some(Self {
            uri: uri.to_owned(),
            codename: codename.to_owned(),
        })
    }
}

/// Returns the first version of `apt-cache madison`, which lists the newest first, that begins so.
fn newest<'a>(madison: &'a str, prefix: &str) -> Option<&'a str> {
    madison
        .lines()
        .filter_map(|line| line.split('|').nth(1))
        .map(str::trim)
        .find(|version| version.starts_with(prefix))
}

/// Returns the file names that `apt-get --print-uris` lists, one a line: `'URI' NAME SIZE DIGEST`.
fn files_of_uris(list: &str) -> Vec<String> {
    list.lines()
        .filter(|line| line.starts_with('\''))
        .filter_map(|line| line.split_whitespace().nth(1))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_archive_is_chosen_by_label() {
        let targets =
            "mirror:/m/security/|Debian-Security|stable-security\nmirror:/m/debian/|Debian|stable\n";
        let mirror = Mirror::choose(targets).unwrap();
        assert_eq!(
            mirror,
            Mirror {
                uri: "mirror:/m/debian/".into(),
                codename: "stable".into()
            }
        );
    }

    #[test]
    fn without_labels_security_is_avoided() {
        let targets = "mirror:/m/debian-security/||stable-security\nmirror:/m/debian/||stable\n";
        assert_eq!(Mirror::choose(targets).unwrap().codename, "stable");
        assert_eq!(Mirror::choose(""), None);
    }

    #[test]
    fn versions_are_chosen_by_prefix() {
        let list = " rust-src | 1.96.1+dfsg1-2 | mirror:/m x\n rust-src | 1.95.0+dfsg1-2 | mirror:/m x\n";
        assert_eq!(newest(list, "1.95.0"), Some("1.95.0+dfsg1-2"));
        assert_eq!(newest(list, ""), Some("1.96.1+dfsg1-2"));
        assert_eq!(newest(list, "2"), None);
    }

    #[test]
    fn files_are_named_as_apt_stores_them() {
        let list = "Reading package lists...\n\
                    'mirror:/m/pool/g/gawk_5.2.1-2_arm64.deb' gawk_1%3a5.2.1-2_arm64.deb 640116 SHA256:0\n\
                    'mirror:/m/pool/t/tar_1.34_arm64.deb' tar_1.34_arm64.deb 817696 SHA256:0\n";
        let expected = ["gawk_1%3a5.2.1-2_arm64.deb", "tar_1.34_arm64.deb"];
        assert_eq!(files_of_uris(list), expected);
    }
}
