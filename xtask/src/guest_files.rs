//! [`Base`]: what a guest boots from, and the options that choose it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::archive::Archive;
use crate::build::Artifacts;
use crate::initramfs::{self, Addition};
use crate::rootfs;

/// A second archive begins at a multiple of this.
const ALIGNMENT: u64 = 4;

/// What the guest boots from.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    /// These files.
    Archive(Archive),
    /// A file as it is, with these files in a second archive behind it.
    File(PathBuf, Archive),
}

impl Base {
    /// Returns the files, to put more among them.
    pub(crate) fn archive_mut(&mut self) -> &mut Archive {
        match self {
            Self::Archive(archive) | Self::File(_, archive) => archive,
        }
    }

    /// Writes the initramfs.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut sink = BufWriter::new(File::create(path)?);
        let archive = match self {
            Self::Archive(archive) => archive,
            Self::File(file, archive) => {
                let mut source = File::open(file).with_context(|| format!("reading {}", file.display()))?;
                let bytes = io::copy(&mut source, &mut sink)?;
                let padding = bytes.next_multiple_of(ALIGNMENT) - bytes;
                io::copy(&mut io::Read::take(io::repeat(0), padding), &mut sink)?;
                archive
            }
        };
        archive.write_newc(&mut sink)?;
        sink.flush()
            .with_context(|| format!("writing {}", path.display()))
    }
}

/// Options that choose the files of the guest.
#[derive(Clone, Debug, Args)]
pub(crate) struct FileOptions {
    /// Puts a file or folder of the host into the guest
    #[arg(long = "add", value_name = "HOST:GUEST")]
    additions: Vec<Addition>,
    /// Boots from this initramfs, whose /init must be Levitate's
    #[arg(long, value_name = "FILE")]
    initramfs: Option<PathBuf>,
    /// Takes this folder or tarball for the guest's whole file system, with Levitate's /init in it
    #[arg(long, value_name = "DIR|TARBALL", conflicts_with = "initramfs")]
    root: Option<PathBuf>,
}

impl FileOptions {
    /// Returns what the user asked for, or else the files that `default` makes, with the additions on top.
    pub(crate) fn base(
        &self,
        artifacts: &Artifacts,
        default: impl FnOnce() -> Result<Archive>,
    ) -> Result<Base> {
        let mut base = match (&self.initramfs, &self.root) {
            (Some(file), _) => Base::File(file.clone(), Archive::default()),
            (None, Some(root)) => Base::Archive(with_init(rootfs::read(root)?, artifacts)?),
            (None, None) => Base::Archive(default()?),
        };
        initramfs::add_all(base.archive_mut(), &self.additions)?;
        Ok(base)
    }
}

/// Puts Levitate's process 1 into a root, and what the kernel needs before that runs.
pub(crate) fn with_init(mut root: Archive, artifacts: &Artifacts) -> Result<Archive> {
    for path in ["/init", "/dev/console"] {
        root.copy_from(&artifacts.archive, path)?;
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::archive::Content;

    #[test]
    fn a_second_archive_stands_behind_a_file() {
        let scratch = std::env::temp_dir().join(format!("xtask-base-{}", std::process::id()));
        fs::write(&scratch, b"first").unwrap();
        let mut base = Base::File(scratch.clone(), Archive::default());
        let content = Content::File(b"second".to_vec());
        base.archive_mut().insert("/file", 0o644, content).unwrap();
        let result = scratch.with_extension("cpio");
        base.write(&result).unwrap();
        let bytes = fs::read(&result).unwrap();
        fs::remove_file(&scratch).unwrap();
        fs::remove_file(&result).unwrap();
        assert!(bytes.starts_with(b"first\0\0\x00070701"), "{:?}", &bytes[..20]);
    }
}
