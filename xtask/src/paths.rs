//! [`Paths`]: where the workspace lies and where generated files go.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::arch::Arch;

/// The workspace's folder and cargo's target folder, both absolute.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    root: PathBuf,
    target: PathBuf,
}

impl Paths {
    /// Finds the workspace above this package; honours `CARGO_TARGET_DIR`.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask lies in no workspace")?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(path) => env::current_dir()?.join(path),
            None => root.join("target"),
        };
        fs::create_dir_all(&target).with_context(|| format!("creating {}", target.display()))?;
        Ok(Self { root, target })
    }

    /// Returns the workspace's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder of generated files.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Returns the folder of a machine's boot files, `target/boot/ARCH`, and creates it.
    pub(crate) fn boot(&self, arch: Arch) -> Result<PathBuf> {
        let folder = self.target.join("boot").join(arch.name());
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        Ok(folder)
    }

    /// Creates an empty folder under `target/tmp` that disappears with the returned value.
    pub(crate) fn scratch(&self, purpose: &str) -> Result<Scratch> {
        let path = self
            .target
            .join("tmp")
            .join(format!("{purpose}-{}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Scratch(path))
    }
}

/// A temporary folder, removed with everything in it when dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Returns the folder's path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover costs only disk space, and the next scratch folder of this name replaces it.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Writes a file so that a reader sees the old bytes or the new ones, never a part.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path
        .file_name()
        .context("a path without a file name")?
        .to_os_string();
    name.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(name);
    fs::write(&temporary, bytes).with_context(|| format!("writing {}", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("renaming to {}", path.display()))
}
