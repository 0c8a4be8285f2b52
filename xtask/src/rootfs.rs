//! `cargo xtask rootfs`: a root file system made of Debian packages, without root's rights and for either machine.
//!
//! apt chooses the packages and follows their dependencies; dpkg-deb opens them. Maintainer scripts are not
//! run: the few things that programs miss without them are in the tables here. What Debian's slim container images
//! leave out (documentation, translations) is left out too, since the guest holds it all in memory.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::archive::{Archive, Content, merge_output};
use crate::debian;
use crate::lock::Lock;
use crate::paths::{Paths, write_atomically};
use crate::progress;

/// What every root has: the folders, the names of users, and the promise that `/bin` is a link, which keeps
/// the program that makes it one away.
const ALWAYS: [&str; 3] = ["base-files", "base-passwd", "usr-is-merged"];
/// Links of the root into `/usr`, which are made before packages are opened (Debian's usrmerge).
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];
/// What Debian's slim container images leave out.
const LEFT_OUT: [&str; 6] = [
    "usr/share/doc/",
    "usr/share/doc-base/",
    "usr/share/info/",
    "usr/share/lintian/",
    "usr/share/locale/",
    "usr/share/man/",
];
/// Files that maintainer scripts copy into place: from, to.
const COPIES: [(&str, &str); 7] = [
    ("/usr/share/base-passwd/passwd.master", "/etc/passwd"),
    ("/usr/share/base-passwd/group.master", "/etc/group"),
    ("/usr/share/base-files/motd", "/etc/motd"),
    ("/usr/share/base-files/profile", "/etc/profile"),
    ("/usr/share/base-files/dot.bashrc", "/root/.bashrc"),
    ("/usr/share/base-files/dot.profile", "/root/.profile"),
    ("/usr/share/libc-bin/nsswitch.conf", "/etc/nsswitch.conf"),
];
/// Links that maintainer scripts make: the name, and programs for it, the best first
/// (update-alternatives(1)).
const ALTERNATIVES: [(&str, &[&str]); 10] = [
    ("/usr/bin/awk", &["gawk", "mawk", "original-awk"]),
    ("/usr/bin/nawk", &["gawk", "mawk", "original-awk"]),
    ("/usr/bin/cc", &["gcc", "clang", "tcc"]),
    ("/usr/bin/editor", &["vim.basic", "nano", "vim.tiny"]),
    ("/usr/bin/nc", &["nc.openbsd", "nc.traditional"]),
    ("/usr/bin/pager", &["less", "more"]),
    ("/usr/bin/sh", &["dash", "bash"]),
    ("/usr/bin/vi", &["vim.basic", "vim.tiny"]),
    ("/usr/bin/w", &["w.procps"]),
    ("/usr/bin/which", &["which.debianutils"]),
];

/// Returns the tarball of a root with these packages and all that they depend on, made on first use.
pub(crate) fn cached(paths: &Paths, arch: Arch, packages: &[String]) -> Result<PathBuf> {
    let names = all_names(packages)?;
    let folder = paths.target().join("rootfs").join(arch.name());
    let tarball = folder.join(format!("{}.tar", key(&names)));
    if tarball.is_file() {
        return Ok(tarball);
    }
    fs::create_dir_all(&folder)?;
    let _lock = Lock::acquire(paths, "packages")?;
    if tarball.is_file() {
        return Ok(tarball);
    }
    let title = format!("root file system ({}): {}", arch.debian(), packages.join(" "));
    progress::step(&title, || {
        let archive = unpack(&debian::download(paths, arch, &names)?)?;
        let mut bytes = Vec::new();
        archive.write_tar(&mut bytes)?;
        write_atomically(&tarball, &bytes)
    })?;
    Ok(tarball)
}

/// Makes a root and puts it where the user wants it: as a tarball where the name is one's, else as a folder.
pub(crate) fn make(paths: &Paths, arch: Arch, packages: &[String], output: Option<&Path>) -> Result<PathBuf> {
    let tarball = cached(paths, arch, packages)?;
    let Some(output) = output else {
        return Ok(tarball);
    };
    if output.extension().is_some_and(|extension| extension == "tar") {
        fs::copy(&tarball, output).with_context(|| format!("writing {}", output.display()))?;
    } else {
        let is_used = output.is_dir() && fs::read_dir(output)?.next().is_some();
        if is_used || output.is_file() {
            bail!("{} is there already", output.display());
        }
        Archive::from_tarball(&tarball)?.write_folder(output)?;
    }
    Ok(output.to_path_buf())
}

/// Reads the root that a user names: a folder, whose files then belong to root, or a tarball.
pub(crate) fn read(path: &Path) -> Result<Archive> {
    if !path.is_dir() {
        return Archive::from_tarball(path);
    }
    let mut archive = Archive::default();
    archive.insert_tree("/", path)?;
    Ok(archive)
}

fn all_names(packages: &[String]) -> Result<Vec<String>> {
    let is_name = |name: &&String| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    if let Some(wrong) = packages.iter().find(|name| !is_name(name)) {
        bail!("{wrong:?} is not the name of a package");
    }
    let mut names: Vec<String> = packages.to_vec();
    names.extend(ALWAYS.map(str::to_owned));
    names.sort();
    names.dedup();
    Ok(names)
}

/// Returns a file name for a set of packages. Another compiler may hash otherwise, and then makes it again.
fn key(names: &[String]) -> String {
    let mut hasher = DefaultHasher::new();
    (names, MERGED, LEFT_OUT, COPIES, ALTERNATIVES).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn unpack(packages: &[PathBuf]) -> Result<Archive> {
    let mut archive = Archive::default();
    for name in MERGED {
        archive.insert(
            &format!("/{name}"),
            0o777,
            Content::Symlink(format!("usr/{name}")),
        )?;
        archive.insert(&format!("/usr/{name}"), 0o755, Content::Directory)?;
    }
    for package in packages {
        merge_output(
            &mut archive,
            Command::new("dpkg-deb").arg("--fsys-tarfile").arg(package),
        )?;
    }
    archive.retain(|name| !LEFT_OUT.iter().any(|left_out| name.starts_with(left_out)));
    complete(&mut archive)?;
    Ok(archive)
}

/// Does what maintainer scripts would have done.
fn complete(archive: &mut Archive) -> Result<()> {
    for (from, to) in COPIES {
        if !archive.contains(to)
            && let Some(bytes) = archive.file(from).map(<[u8]>::to_vec)
        {
            archive.insert(to, 0o644, Content::File(bytes))?;
        }
    }
    for (name, programs) in ALTERNATIVES {
        let is_there = |program: &&&str| archive.contains(&format!("/usr/bin/{program}"));
        if !archive.contains(name)
            && let Some(program) = programs.iter().find(is_there)
        {
            archive.insert(name, 0o777, Content::Symlink((*program).to_owned()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(packages: &[&str]) -> Result<Vec<String>> {
        all_names(&packages.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_order_of_packages_does_not_matter() {
        let key_of = |packages: &[&str]| key(&names(packages).unwrap());
        assert_eq!(key_of(&["bash", "tar"]), key_of(&["tar", "bash", "tar"]));
        assert_ne!(key_of(&["bash", "tar"]), key_of(&["bash"]));
    }

    #[test]
    fn only_names_reach_apt() {
        assert!(names(&["libstdc++6", "python3.11"]).is_ok());
        for wrong in ["", "-o", "bash=1", "a b", "bash/sid"] {
            assert!(names(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_scripts_would_make_is_made_once() {
        let mut archive = Archive::default();
        let file = |text: &str| Content::File(text.as_bytes().to_vec());
        archive
            .insert("/usr/share/base-passwd/passwd.master", 0o644, file("root"))
            .unwrap();
        archive
            .insert("/usr/share/base-passwd/group.master", 0o644, file("new"))
            .unwrap();
        archive.insert("/etc/group", 0o644, file("old")).unwrap();
        archive.insert("/usr/bin/mawk", 0o755, file("mawk")).unwrap();
        complete(&mut archive).unwrap();
        assert_eq!(archive.file("/etc/passwd"), Some(&b"root"[..]));
        assert_eq!(archive.file("/etc/group"), Some(&b"old"[..]));
        assert!(archive.contains("/usr/bin/awk") && !archive.contains("/usr/bin/sh"));
    }
}
